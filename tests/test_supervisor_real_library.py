"""The supervisor room over worker processes with the real library, against the loopback WhatsApp."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from orchestrator.ports import FromSession
from orchestrator.supervisor import locks
from orchestrator.supervisor.endings import Limits
from orchestrator.supervisor.probe import probe
from sessions.model import MessageReceived, PairSucceeded, QrOffered, SessionEvent
from sessions.session import SessionSpec
from tests.loopback.library import LibraryNotPatchable
from tests.loopback.phone import Phone
from tests.loopback.server import LoopbackServer
from tests.support.room import Journal, Room, room
from tests.support.waiting import PUT_OFF_S, until


@pytest.fixture
async def whatsapp(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[LoopbackServer]:
    """A WhatsApp of our own, to which workers of this process find their way."""
    async with LoopbackServer.start() as wa:
        try:
            for name, value in wa.env().items():
                monkeypatch.setenv(name, value)
        except LibraryNotPatchable as error:
            pytest.skip(str(error))
        yield wa


def last(journal: Journal, bot: str, kind: type[SessionEvent]) -> list[SessionEvent]:
    return [event for event in journal.told(bot) if isinstance(event, kind)]


def spec(there: Room, wa: LoopbackServer, bot: str, jid: str | None = None) -> SessionSpec:
    return there.spec(bot, account_jid=jid, proxy=wa.proxy_url)


async def link(there: Room, wa: LoopbackServer, bot: str, phone: Phone) -> str:
    """Link a bot; returns its account's JID."""
    await there.host.start(spec(there, wa, bot), "linking")
    await there.journal.until_told(bot, "QrOffered", 20.0)
    offer = last(there.journal, bot, QrOffered)[-1]
    assert isinstance(offer, QrOffered)
    await phone.scan(offer.code)
    await there.journal.until_told(bot, "Connected", 20.0)
    paired = last(there.journal, bot, PairSucceeded)[-1]
    assert isinstance(paired, PairSucceeded)
    return paired.account.jid


async def test_link_move_kill_and_close(tmp_path: Path, whatsapp: LoopbackServer) -> None:
    """Three bots are linked and moved to the pool; their worker is killed; what was sent meanwhile arrives, no event twice,
    the bots come back, and `close` ends everything in time."""
    assert await probe(whatsapp.proxy_url) == "ok", "the probe finds the way the sessions go"
    async with room(tmp_path, module="sessions.worker", driver="whatsapp", limits=Limits(), probe=probe) as there:
        journal = there.journal
        bots = ["bot_a", "bot_b", "bot_c"]
        phones = {bot: whatsapp.add_account() for bot in bots}
        jids = {bot: await link(there, whatsapp, bot, phones[bot]) for bot in bots}
        for bot in bots:
            await there.host.stop(bot)
        await asyncio.gather(*(there.host.start(spec(there, whatsapp, bot, jids[bot]), "pool") for bot in bots))
        for bot in bots:
            await until(lambda bot=bot: journal.kinds(bot).count("Connected") == 2, 20.0, "the login")  # type: ignore[misc]
        assert len({there.worker_of(bot) for bot in bots}) == 1
        pid = await holder(there, "bot_a")
        contact = whatsapp.add_contact()
        sent = [await contact.send_text(phones["bot_a"], f"text {number}") for number in range(50)]
        # What the library has acknowledged and not yet handed over is one of the windows that nobody can cover.
        await until(lambda: set(sent) <= set(texts(journal, "bot_a")), 20.0, "the first texts")
        os.kill(pid, signal.SIGKILL)
        sent += [await contact.send_text(phones["bot_a"], f"text {number}") for number in range(50, 60)]
        for bot in bots:
            assert (await journal.until_gone(bot, 20.0)).cause == "crashed"
            await there.host.start(spec(there, whatsapp, bot, jids[bot]), "pool")
        for bot in bots:
            await until(lambda bot=bot: journal.kinds(bot).count("Connected") == 3, 20.0, "the login")  # type: ignore[misc]
        await until(lambda: set(sent) <= set(texts(journal, "bot_a")), 20.0, "the texts that waited")
        marks = [
            (event.frame.incarnation, event.frame.ordinal)
            for event in journal.of("bot_a")
            if isinstance(event, FromSession) and event.frame.ordinal is not None
        ]
        assert len(marks) == len(set(marks)), "an event was handed over twice"
        pids = there.pids()
        begun = time.monotonic()
        await there.host.close()
        assert time.monotonic() - begun < 8.0
        assert all(locks.started_at(pid) is None for pid in pids)


async def test_the_first_code_comes_within_two_seconds(tmp_path: Path, whatsapp: LoopbackServer) -> None:
    """From the start call to the first QR code, with the warm process and without it."""
    async with room(tmp_path, module="sessions.worker", driver="whatsapp", limits=Limits()) as there:
        for number in range(3):
            begun = time.monotonic()
            await there.host.start(spec(there, whatsapp, f"bot_{number}"), "linking")
            await there.journal.until_told(f"bot_{number}", "QrOffered", 20.0)
            took_s = time.monotonic() - begun
            print(f"first QR after {took_s * 1000:.0f} ms")
            assert took_s < 2.0 + PUT_OFF_S
            begun = time.monotonic()
            await there.host.stop(f"bot_{number}")
            assert time.monotonic() - begun < 1.0 + PUT_OFF_S


async def holder(there: Room, bot: str) -> int:
    found = locks.holder(there.data / "run" / f"{bot}.lock")
    assert found is not None
    return found.pid


def texts(journal: Journal, bot: str) -> list[str]:
    return [event.message_id for event in journal.told(bot) if isinstance(event, MessageReceived)]
