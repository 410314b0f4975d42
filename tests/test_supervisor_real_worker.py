"""The supervisor room over the real worker process with the simulated driver, its phones played from here."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

from orchestrator.ports import FromSession
from orchestrator.supervisor import locks
from orchestrator.supervisor.endings import Limits
from sessions.model import MessageReceived, OutgoingText, PairSucceeded, Sent
from sessions.simulated_control import PhoneClient
from tests.support.room import Journal, Room, room
from tests.support.waiting import until


@asynccontextmanager
async def simulated(data: Path, **options: object) -> AsyncIterator[tuple[Room, Path]]:
    phones = data / "p"
    async with room(data, module="sessions.worker", phones=phones, limits=Limits(), **options) as there:  # type: ignore[arg-type]
        yield there, phones


async def link(there: Room, phones: Path, bot: str) -> str:
    """Link a bot; returns its account's JID."""
    await there.host.start(there.spec(bot, account_jid=None), "linking")
    await PhoneClient(phones, bot).scan()
    await there.journal.until_told(bot, "Connected")
    return next(event.account.jid for event in there.journal.told(bot) if isinstance(event, PairSucceeded))


async def test_link_adopt_move_to_the_pool(tmp_path: Path) -> None:
    """A linking process that succeeds becomes the bot's own worker; stop and start bring it to the pool."""
    async with simulated(tmp_path) as (there, phones):
        jid = await link(there, phones, "bot_a")
        assert there.journal.kinds("bot_a")[:1] == ["QrOffered"]
        assert there.host.placement("bot_a") == "own"
        (own,) = there.pids()
        await there.host.stop("bot_a")
        await there.host.start(there.spec("bot_a", account_jid=jid), "pool")
        await until(lambda: there.journal.kinds("bot_a").count("Connected") == 2, what="the login in the pool")
        await until(lambda: locks.started_at(own) is None, what="the end of the linking process")
        assert there.host.placement("bot_a") == "pool"
        await until(lambda: len(list((tmp_path / "spool").iterdir())) <= 2, what="the end of the first spool")
        assert there.journal.gone("bot_a") == []


async def test_pair_phone_send_and_logout(tmp_path: Path) -> None:
    """Calls reach the session and their answers come back: a pairing code, a sent text, an unlinking."""
    async with simulated(tmp_path) as (there, phones):
        await there.host.start(there.spec("bot_a", account_jid=None), "linking")
        await there.journal.until_told("bot_a", "QrOffered")
        code = await there.host.pair_phone("bot_a", "4915112345678")
        phone = PhoneClient(phones, "bot_a")
        await phone.do("enter_code", code=code)
        await there.journal.until_told("bot_a", "Connected")
        outcome = await there.host.send("bot_a", "job_1", OutgoingText("4915199999999@s.whatsapp.net", "hello"))
        assert isinstance(outcome, Sent)
        assert (await phone.received("hello"))["message_id"] == outcome.message_id
        assert "SendFinished" in there.journal.kinds("bot_a")
        assert await there.host.logout("bot_a")
        await there.host.stop("bot_a")
        assert not await there.host.logout("bot_a")


async def test_a_killed_pool_worker_loses_nothing(tmp_path: Path) -> None:
    """After SIGKILL every spooled event comes once and in order, then the end; the bots come back in new workers."""
    journal = Journal()
    async with simulated(tmp_path, journal=journal) as (there, phones):
        jids = {bot: await link(there, phones, bot) for bot in ("bot_a", "bot_b")}
        for bot, jid in jids.items():
            await there.host.stop(bot)
            await there.host.start(there.spec(bot, account_jid=jid), "pool")
            await PhoneClient(phones, bot).connected()
        (pid,) = {(await PhoneClient(phones, bot).state())["pid"] for bot in jids}

        async def write(bot: str) -> list[str]:
            phone = PhoneClient(phones, bot)
            return [await phone.text("4915199999999", f"{bot} {number}") for number in range(200)]

        writing = [asyncio.ensure_future(write(bot)) for bot in jids]
        await until(lambda: journal.kinds("bot_a").count("MessageReceived") > 50, what="some texts")
        os.kill(pid, signal.SIGKILL)
        for bot, jid in jids.items():
            gone = await journal.until_gone(bot)
            assert (gone.cause, gone.alone) == ("crashed", False)
            assert journal.of(bot)[-1] is gone
            await there.host.start(there.spec(bot, account_jid=jid), "pool")
        for bot, task in zip(jids, writing, strict=True):
            sent = await task
            await until(partial(has_texts, journal, bot, 200), what="all texts")
            assert texts(journal, bot) == sent
            frames = [event.frame for event in journal.of(bot) if isinstance(event, FromSession)]
            marks = [(frame.incarnation, frame.ordinal) for frame in frames if frame.ordinal is not None]
            assert len(marks) == len(set(marks)), "an event came twice"


def has_texts(journal: Journal, bot: str, count: int) -> bool:
    return len(texts(journal, bot)) >= count


def texts(journal: Journal, bot: str) -> list[str]:
    """Ids of the messages a bot received, in order."""
    return [event.message_id for event in journal.told(bot) if isinstance(event, MessageReceived)]


async def test_a_frozen_worker_is_killed_and_its_bot_comes_back(tmp_path: Path) -> None:
    """A stopped process (SIGSTOP) answers nothing: it is killed, and nobody else ever holds the bot before."""
    async with room(
        tmp_path, module="sessions.worker", phones=tmp_path / "p", limits=Limits(hung_s=2.0, ping_s=0.5)
    ) as there:
        jid = await link(there, tmp_path / "p", "bot_a")
        (pid,) = there.pids()
        os.kill(pid, signal.SIGSTOP)
        gone = await there.journal.until_gone("bot_a")
        assert gone.cause == "killed_hung"
        assert locks.started_at(pid) is None
        await there.host.start(there.spec("bot_a", account_jid=jid), "pool")
        await PhoneClient(tmp_path / "p", "bot_a").connected()


async def test_a_bot_that_does_not_let_go(tmp_path: Path) -> None:
    """A session whose stop hangs in the library is freed by the end of its worker, within 10 s."""
    async with simulated(tmp_path) as (there, phones):
        await link(there, phones, "bot_a")
        await PhoneClient(phones, "bot_a").do("hang_in_stop")
        begun = time.monotonic()
        await there.host.stop("bot_a")
        assert time.monotonic() - begun < 10.0
        fd = locks.open_lock(tmp_path / "run" / "bot_a.lock")
        assert fd is not None
        os.close(fd)


async def test_a_worker_that_fell_behind_tells_all_before_it_lets_go(tmp_path: Path) -> None:
    """With mailboxes so slow that events wait in the spool, a stop still returns after the last of them."""
    journal = Journal(hold_back=True)
    async with simulated(tmp_path, journal=journal, spool_max_bytes=64 * 1024 * 1024) as (there, phones):
        jid = await link(there, phones, "bot_a")
        await there.host.stop("bot_a")
        await there.host.start(there.spec("bot_a", account_jid=jid), "pool")
        phone = PhoneClient(phones, "bot_a")
        await phone.connected()
        sent = [await phone.text("4915199999999", "x" * 30_000) for _ in range(700)]
        assert len(texts(journal, "bot_a")) < 500, "the mailboxes were not slow enough for this test"
        await there.host.stop("bot_a")
        assert texts(journal, "bot_a") == sent
        journal.hold_back = False
        journal.release()


async def test_thirty_bots_in_two_workers_stop_within_eight_seconds(tmp_path: Path) -> None:
    """A fleet of linked bots comes up over the pool, and `close` ends all of it in time, cleanly."""
    async with simulated(tmp_path) as (there, phones):
        bots = [f"bot_{number:02d}" for number in range(30)]
        jids = {}
        for bot in bots:
            jids[bot] = await link(there, phones, bot)
            await there.host.stop(bot)
        await asyncio.gather(*(there.host.start(there.spec(bot, account_jid=jids[bot]), "pool") for bot in bots))
        for bot in bots:
            await PhoneClient(phones, bot).connected()
        assert there.host.statistics().workers["pool"] == 2
        pids = there.pids()
        begun = time.monotonic()
        await there.host.close()
        assert time.monotonic() - begun < 8.0
        assert all(locks.started_at(pid) is None for pid in pids)


async def test_a_linking_start_takes_the_warm_process(tmp_path: Path) -> None:
    """With a warm process ready, a linking start costs no process start."""
    async with simulated(tmp_path) as (there, phones):
        await until(there.warm_pid, what="the warm process")
        warm = there.warm_pid()
        await there.host.start(there.spec("bot_a", account_jid=None), "linking")
        assert (await PhoneClient(phones, "bot_a").state())["pid"] == warm
