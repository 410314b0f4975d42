"""The supervisor room over real processes that misbehave (`tests/support/faulty_worker.py`)."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from pathlib import Path

import pytest

from orchestrator.ports import FromSession, SessionGone, StartRefused
from orchestrator.supervisor import locks
from orchestrator.supervisor.endings import Limits
from orchestrator.supervisor.incidents import Route, Verdict
from sessions.model import NotSent, OutgoingText, SendUnknown, Sent
from tests.support.room import QUICK, Journal, Room, room
from tests.support.waiting import PUT_OFF_S, stays, until

TEXT = OutgoingText("4915112345678@s.whatsapp.net", "hello")


def is_free(data: Path, bot: str) -> bool:
    """Whether no process holds the bot."""
    fd = locks.open_lock(data / "run" / f"{bot}.lock")
    if fd is not None:
        os.close(fd)
    return fd is not None


async def test_start_hands_over_and_stop_lets_go(tmp_path: Path) -> None:
    """A started bot is held by its worker alone; a stopped one by nobody, and its last event came before the return."""
    async with room(tmp_path) as there:
        await there.host.start(there.spec("bot_a"), "pool")
        await there.journal.until_told("bot_a", "Connected")
        assert there.host.placement("bot_a") == "pool"
        assert not is_free(tmp_path, "bot_a")
        await there.host.stop("bot_a")
        assert is_free(tmp_path, "bot_a")
        assert there.journal.kinds("bot_a") == ["Connected", "Disconnected"]
        assert there.host.placement("bot_a") is None
        assert there.journal.gone("bot_a") == [], "a stop that was asked for is told to nobody"
        await there.host.stop("bot_a")


async def test_thirty_bots_share_two_workers(tmp_path: Path) -> None:
    """The pool takes `bots_per_worker` each, also when all start at once."""
    async with room(tmp_path, bots_per_worker=20) as there:
        bots = [f"bot_{number:02d}" for number in range(30)]
        await asyncio.gather(*(there.host.start(there.spec(bot), "pool") for bot in bots))
        assert there.host.statistics().workers["pool"] == 2
        assert len({there.worker_of(bot) for bot in bots}) == 2
        await asyncio.gather(*(there.host.stop(bot) for bot in bots))
        assert all(is_free(tmp_path, bot) for bot in bots)


async def test_a_dead_worker_is_drained_before_anybody_is_told(tmp_path: Path) -> None:
    """What only the spool had is handed over, once and in order, before the bot's end; then the spool is deleted."""
    async with room(tmp_path) as there:
        await there.host.start(there.spec("bot_a", "die"), "own")
        gone = await there.journal.until_gone("bot_a")
        assert (gone.cause, gone.suspect, gone.alone) == ("crashed", True, True)
        events = there.journal.of("bot_a")
        assert isinstance(events[-1], SessionGone)
        assert there.journal.kinds("bot_a") == ["Connected", "Disconnected"]
        assert [event.frame.ordinal for event in events if isinstance(event, FromSession)] == [1, 2]
        assert is_free(tmp_path, "bot_a")
        worker = next(event.worker for event in events if isinstance(event, FromSession))
        await until(lambda: not (tmp_path / "spool" / worker).exists(), what="the spool's deletion")
        await there.host.start(there.spec("bot_a"), "pool")


async def test_suspects_come_back_alone_the_rest_together(tmp_path: Path) -> None:
    """Of a pool worker's bots only the one noted in the library is kept apart; it still believes to be in the pool."""
    async with room(tmp_path) as there:
        for bot in ("bot_a", "bot_b", "bot_c"):
            await there.host.start(there.spec(bot, "die in send" if bot == "bot_b" else "steady"), "pool")
        assert await there.host.send("bot_b", "job_1", TEXT) == SendUnknown()
        for bot in ("bot_a", "bot_b", "bot_c"):
            gone = await there.journal.until_gone(bot)
            assert (gone.cause, gone.suspect, gone.alone) == ("crashed", bot == "bot_b", False)
            await there.host.start(there.spec(bot), "pool")
        assert there.worker_of("bot_a") == there.worker_of("bot_c") != there.worker_of("bot_b")
        assert there.host.placement("bot_b") == "pool"
        statistics = there.host.statistics()
        assert (statistics.worker_restarts, statistics.session_crashes) == (1, 3)


async def test_without_suspects_the_bots_are_split(tmp_path: Path) -> None:
    """When the dead worker had noted nobody, its bots come back in two workers."""
    async with room(tmp_path) as there:
        for bot in ("bot_a", "bot_b", "bot_c"):
            await there.host.start(there.spec(bot), "pool")
        await there.host.start(there.spec("bot_d", "die unnoted"), "pool")
        for bot in ("bot_a", "bot_b", "bot_c", "bot_d"):
            await there.journal.until_gone(bot)
            await there.host.start(there.spec(bot), "pool")
        sharing = [there.worker_of(bot) for bot in ("bot_a", "bot_b", "bot_c", "bot_d")]
        assert sharing[0] == sharing[1] != sharing[2] == sharing[3]


async def test_a_send_whose_outcome_was_spooled_is_known(tmp_path: Path) -> None:
    """A worker that dies after WhatsApp answered makes no unknown of the send: the spool has the outcome."""
    async with room(tmp_path) as there:
        await there.host.start(there.spec("bot_a", "die after send"), "own")
        assert await there.host.send("bot_a", "job_1", TEXT) == Sent("MID", 1)
        await there.journal.until_gone("bot_a")
        assert await there.host.send("bot_a", "job_2", TEXT) == NotSent("gone")


async def test_a_linking_process_is_killed_within_a_second(tmp_path: Path) -> None:
    """Cancelling a link attempt ends its process at once and leaves nothing of it."""
    async with room(tmp_path) as there:
        await there.host.start(there.spec("bot_a", "link", account_jid=None), "linking")
        assert there.host.placement("bot_a") == "linking"
        (pid,) = there.pids()
        begun = time.monotonic()
        await there.host.stop("bot_a")
        assert time.monotonic() - begun < 1.0 + PUT_OFF_S
        assert locks.started_at(pid) is None
        assert is_free(tmp_path, "bot_a")
        assert there.journal.gone("bot_a") == []


async def test_a_start_that_reports_nothing_condemns_its_worker(tmp_path: Path) -> None:
    """The healthy bots are moved out of it, it is killed, and the culprit comes back in a worker of its own."""
    async with room(tmp_path) as there:
        await there.host.start(there.spec("bot_a"), "pool")
        shared = there.worker_of("bot_a")
        await there.host.start(there.spec("bot_b", "silent"), "pool")
        assert there.worker_of("bot_b") == shared
        gone = await there.journal.until_gone("bot_a")
        assert (gone.cause, gone.suspect, gone.alone) == ("condemned", False, False)
        assert there.journal.kinds("bot_a")[-1] == "Disconnected", "it was stopped, not killed"
        await there.host.start(there.spec("bot_a"), "pool")
        assert there.worker_of("bot_a") != shared
        assert (await there.journal.until_gone("bot_b")).cause == "start_timed_out"
        await there.host.start(there.spec("bot_b"), "pool")
        assert there.worker_of("bot_b") != there.worker_of("bot_a")


async def test_starts_in_one_worker_follow_each_other(tmp_path: Path) -> None:
    """While a start has not reported, the next one of the same worker waits, and is then made elsewhere."""
    async with room(tmp_path) as there:
        await there.host.start(there.spec("bot_a", "silent"), "pool")
        shared = there.worker_of("bot_a")
        begun = time.monotonic()
        await there.host.start(there.spec("bot_b"), "pool")
        assert time.monotonic() - begun > QUICK.start_s * 0.8
        assert there.worker_of("bot_b") != shared


@pytest.mark.parametrize("manners", ["deaf", "keep"])
async def test_a_worker_that_does_not_let_go_is_condemned(tmp_path: Path, manners: str) -> None:
    """`stop` frees the bot whatever hangs; the others of its worker are moved, not killed."""
    async with room(tmp_path) as there:
        await there.host.start(there.spec("bot_a", manners), "pool")
        await there.host.start(there.spec("bot_b"), "pool")
        begun = time.monotonic()
        await there.host.stop("bot_a")
        assert time.monotonic() - begun < QUICK.turn_s + QUICK.stop_s + QUICK.evacuate_s + PUT_OFF_S
        assert is_free(tmp_path, "bot_a")
        assert there.journal.gone("bot_a") == []
        assert (await there.journal.until_gone("bot_b")).cause == "condemned"
        assert there.journal.kinds("bot_b")[-1] == "Disconnected"


async def test_a_hung_worker_is_killed(tmp_path: Path) -> None:
    """A worker that answers nothing is killed, and its bots are told so."""
    async with room(tmp_path) as there:
        await there.host.start(there.spec("bot_a", "hang"), "own")
        gone = await there.journal.until_gone("bot_a")
        assert (gone.cause, gone.alone) == ("killed_hung", True)
        assert there.journal.kinds("bot_a") == ["Connected"]


async def test_a_paused_supervisor_accuses_nobody(tmp_path: Path) -> None:
    """After the supervisor's own loop was away for longer than the limit, its workers are still there."""
    async with room(tmp_path) as there:
        await there.host.start(there.spec("bot_a"), "own")
        time.sleep(QUICK.hung_s + 1.0)  # noqa: ASYNC251 - the loop is to stand still
        await stays(lambda: not there.journal.gone("bot_a"), 1.0, "the bot's worker")


async def test_a_failed_spool_ends_the_worker_and_nothing_is_lost(tmp_path: Path) -> None:
    """A worker that can't spool is drained and ended; its bots are told why."""
    async with room(tmp_path) as there:
        await there.host.start(there.spec("bot_a"), "pool")
        await there.host.start(there.spec("bot_b", "full"), "pool")
        for bot in ("bot_a", "bot_b"):
            assert (await there.journal.until_gone(bot)).cause == "storage_unavailable"
        assert there.pids() == set()


async def test_a_flood_waits_in_the_spool(tmp_path: Path) -> None:
    """With mailboxes that commit nothing, memory stays bounded, nobody is accused, and later everything comes."""
    journal = Journal(hold_back=True)
    async with room(tmp_path, journal=journal) as there:
        await there.host.start(there.spec("bot_a", "flood 20000"), "own")
        await until(lambda: len(journal.events) >= 2_000, what="the limit")
        await stays(lambda: len(journal.events) < 12_000, QUICK.hung_s + 1.0, "the limit")
        journal.hold_back = False
        journal.release()
        await until(lambda: len(journal.events) == 20_001, 20.0, "the flood")
        ordinals = [event.frame.ordinal for event in journal.of("bot_a") if isinstance(event, FromSession)]
        assert ordinals == list(range(1, 20_002))


async def test_a_cancelled_start_leaves_nothing(tmp_path: Path) -> None:
    """A start given up by its caller, or overtaken by a stop, ends with nobody holding the bot."""
    async with room(tmp_path, limits=Limits()) as there:
        waiting = asyncio.ensure_future(there.host.start(there.spec("bot_a", "mute"), "own"))
        await until(lambda: there.host.placement("bot_a"), what="the seat")
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        await until(lambda: is_free(tmp_path, "bot_a"), what="the bot to be free")
        waiting = asyncio.ensure_future(there.host.start(there.spec("bot_a", "mute"), "own"))
        await until(lambda: there.host.placement("bot_a"), what="the seat")
        await there.host.stop("bot_a")
        with pytest.raises(StartRefused) as refused:
            await waiting
        assert refused.value.cause == "superseded"
        assert is_free(tmp_path, "bot_a")


async def test_a_second_start_replaces_the_first(tmp_path: Path) -> None:
    """A bot that is running is stopped in its worker before it is started anew: never two holders."""
    async with room(tmp_path) as there:
        await there.host.start(there.spec("bot_a"), "own")
        await until(lambda: there.journal.kinds("bot_a") == ["Connected"], what="its word in the journal")
        first = there.pids()
        await there.host.start(there.spec("bot_a"), "pool")
        told = ["Connected", "Disconnected", "Connected"]
        await until(lambda: there.journal.kinds("bot_a") == told, what="the word of both in the journal")
        assert there.host.placement("bot_a") == "pool"
        await until(lambda: not first & there.pids(), what="the end of the first worker")


async def test_processes_that_do_not_come_up_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """When no worker process comes up a start is refused, and works again when one does."""
    monkeypatch.setenv("FAULTY_HELLO", "exit")
    async with room(tmp_path) as there:
        with pytest.raises(StartRefused) as refused:
            await there.host.start(there.spec("bot_a"), "pool")
        assert refused.value.cause == "worker_crashed"
        assert is_free(tmp_path, "bot_a")
        monkeypatch.delenv("FAULTY_HELLO")

        async def works() -> bool:
            try:
                await there.host.start(there.spec("bot_a"), "pool")
            except StartRefused:
                return False
            return True

        async with asyncio.timeout(20):
            while not await works():
                pass


async def test_a_spool_nobody_can_drain_is_set_aside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """After three tries the spool is kept for a person, and the bot goes on."""
    monkeypatch.setenv("FAULTY_DRAIN", "exit")
    async with room(tmp_path) as there:
        await there.host.start(there.spec("bot_a", "die"), "own")
        await there.journal.until_gone("bot_a", 20.0)
        aside = list((tmp_path / "spool").glob("*.broken"))
        assert len(aside) == 1
        assert any(path.stat().st_size > 16 for path in aside[0].iterdir())
        await there.host.start(there.spec("bot_a"), "own")


@pytest.mark.slow
async def test_an_incident_holds_starts_and_its_end_lets_them_go(tmp_path: Path) -> None:
    """While a route's incident is open starts on it are refused, on others they go; a good probe ends it."""
    network: dict[Route, Verdict] = {"http://p": "proxy_failed", None: "ok"}

    async def probe(route: Route) -> Verdict:
        return network[route]

    async with room(tmp_path, probe=probe, limits=Limits(start_s=60.0)) as there:
        ended = asyncio.Event()
        there.host.incidents.listen(lambda: None if there.host.incidents.open() else ended.set())
        await there.host.start(there.spec("bot_a", "silent", proxy="http://p"), "own")
        await until(lambda: there.host.incidents.holding("http://p"), 30.0, "the incident")
        with pytest.raises(StartRefused) as refused:
            await there.host.start(there.spec("bot_b", proxy="http://p"), "own")
        assert refused.value.cause == "held_by_incident"
        assert there.host.statistics().incidents == {"whatsapp_unreachable": 1}
        await there.host.start(there.spec("bot_c"), "own")
        network["http://p"] = "ok"
        await asyncio.wait_for(ended.wait(), 15.0)
        await there.host.start(there.spec("bot_b", proxy="http://p"), "own")


async def test_close_stops_everything_in_time(tmp_path: Path) -> None:
    """Workers that do as told exit by themselves, the others are killed; starts are refused from the first moment."""
    async with room(tmp_path) as there:
        for number in range(5):
            await there.host.start(there.spec(f"bot_{number}"), "pool")
        await there.host.start(there.spec("bot_link", "link", account_jid=None), "linking")
        pids = there.pids()
        closing = asyncio.ensure_future(there.host.close())
        await asyncio.sleep(0)
        with pytest.raises(StartRefused) as refused:
            await there.host.start(there.spec("bot_x"), "pool")
        assert refused.value.cause == "draining"
        begun = time.monotonic()
        await closing
        assert time.monotonic() - begun < 8.0
        assert all(locks.started_at(pid) is None for pid in pids)
        assert list((tmp_path / "spool").iterdir()) == []
        assert not any(isinstance(event, SessionGone) for _, event in there.journal.events)


async def test_what_kills_a_worker_reaches_the_log_cleaned(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The Go runtime's own line is told to operators; the rest of stderr, numbers of people included, is not."""
    async with room(tmp_path) as there:
        await there.host.start(there.spec("bot_a", "panic"), "own")
        await there.journal.until_gone("bot_a")
    said = capsys.readouterr()
    assert "fatal error: concurrent map writes" in said.out + said.err
    assert "4915112345678" not in said.out + said.err
    assert "goroutine" not in said.out + said.err


async def pids_alive(there: Room) -> list[int]:
    return [pid for pid in there.pids() if locks.started_at(pid) is not None]


async def test_a_killed_idle_worker_is_replaced_quietly(tmp_path: Path) -> None:
    """A worker without bots that is killed costs nobody anything."""
    async with room(tmp_path) as there:
        await there.host.start(there.spec("bot_a"), "pool")
        await there.host.stop("bot_a")
        (pid,) = await pids_alive(there)
        os.kill(pid, signal.SIGKILL)
        await until(lambda: pid not in there.pids(), what="the worker's end")
        await there.host.start(there.spec("bot_a"), "pool")
        assert there.journal.gone("bot_a") == []
