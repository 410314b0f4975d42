"""The bots' room whole: mailboxes over the SQLite bus and the real supervisor, workers with simulated phones."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

from orchestrator import qr
from orchestrator.bots.fleet import BotFleet
from orchestrator.bots.outbox import BotOutbox
from orchestrator.bots.room import Limits
from orchestrator.bus.sqlite import SqliteBus
from orchestrator.clock import SystemClock
from orchestrator.model import Bot, Event
from orchestrator.ports import NewBot
from orchestrator.store.database import Database
from orchestrator.supervisor.supervisor import Options, Supervisor
from orchestrator.supervisor.worker_process import Launch
from orchestrator.tasks import TaskFailure, Tasks
from sessions.model import OutgoingText
from sessions.simulated_control import PhoneClient
from tests.support.fleet_room import USER, RecordingMetrics
from tests.support.room import reachable, temporary_data
from tests.support.waiting import until


@dataclass
class Process:
    """Everything of one supervisor process that concerns bots."""

    fleet: BotFleet
    outbox: BotOutbox
    bus: SqliteBus
    host: Supervisor
    metrics: RecordingMetrics
    phones: Path

    def phone(self, bot: str) -> PhoneClient:
        """Return the bot's simulated phone."""
        return PhoneClient(self.phones, bot)

    async def until(self, bot: str, *statuses: str, timeout_s: float = 15.0) -> Bot:
        """Wait until the bot has one of these statuses."""
        async with asyncio.timeout(timeout_s):
            while True:
                shown = await self.fleet.bot(USER, bot)
                if shown.status in statuses:
                    return shown
                await asyncio.sleep(0.01)

    async def linked(self) -> str:
        """Create a bot and link it."""
        bot = await self.fleet.create(USER, NewBot(name="Shop"))
        await self.phone(bot.id).scan()
        await self.until(bot.id, "connected")
        return bot.id

    async def events(self) -> list[Event]:
        """Return the user's log."""
        state = await self.bus.state(USER)
        return [committed.event for committed in await self.bus.read(USER, state.floor, 10_000)]

    async def until_told(self, kind: str, count: int = 1) -> list[Event]:
        """Wait until so many events of a type are in the log."""
        async with asyncio.timeout(15):
            while True:
                found = [event for event in await self.events() if event.type == kind]
                if len(found) >= count:
                    return found
                await asyncio.sleep(0.01)


@contextlib.asynccontextmanager
async def process(data: Path) -> AsyncIterator[Process]:
    """Run one supervisor process's rooms; at the end nothing is left and no task has failed."""
    clock, tasks, metrics = SystemClock(), Tasks(), RecordingMetrics()
    failures: list[TaskFailure] = []
    tasks.failures.listen(failures.append)
    phones = data / "p"
    database = await Database.open(data / "orchestrator.db", clock)
    bus = await SqliteBus.open(database, clock, tasks)
    launch = Launch(data / "run", data / "spool", "simulated", 8 << 20, phones)
    host = Supervisor(Options(launch), clock, tasks, probe_route=reachable)
    fleet = BotFleet(
        bus=bus, host=host, incidents=host.incidents, clock=clock, tasks=tasks, metrics=metrics,
        devices_dir=data / "devices", limits=Limits(), svg=qr.svg,
    )  # fmt: skip
    host.attach(fleet)
    await fleet.load()
    await host.start_up()
    await host.recovered()
    fleet.begin()
    try:
        yield Process(fleet, BotOutbox(fleet), bus, host, metrics, phones)
    finally:
        await host.close()
        await fleet.close()
        await bus.close()
        await tasks.close()
        await database.close()
    assert not failures, failures


async def test_link_chat_restart_delete() -> None:
    """The main job: scan, a text both ways, a new process without a code, `delete` leaves no file."""
    with temporary_data() as name:
        data = Path(name)
        async with process(data) as room:
            bot = await room.linked()
            phone = room.phone(bot)
            await phone.text("4915100000001", "hello bot")
            told = await room.until_told("message")
            assert b"hello bot" in told[0].data
            job = await room.outbox.submit(USER, bot, OutgoingText("+49 15100000001", "hello you"))
            sent = await room.outbox.wait(USER, bot, job.id, 10)
            assert sent.state in {"sent", "delivered", "read"}
            await phone.received("hello you")
            kinds = [event.status or event.type for event in await room.events()]
            first = kinds[: kinds.index("connected") + 1]
            assert first == [
                "stopped", "starting", "awaiting_scan", "pair_success", "pairing", "whatsapp_connected", "connected",
            ]  # fmt: skip
            assert (await phone.state())["stream_restarts"] == 1
        async with process(data) as room:
            await room.phone(bot).text("4915100000001", "second")
            await room.until(bot, "connected")
            told = await room.until_told("message", 2)
            assert len(told) == 2 and b"second" in told[1].data
            await room.fleet.delete(USER, bot)
            await room.until_told("deleted")
            assert [event.type for event in await room.events()] == ["deleted"]
            assert not (data / "devices" / bot).exists()


async def test_a_killed_worker_loses_nothing_and_its_bot_comes_back() -> None:
    """SIGKILL in the middle of a burst: every text once and in order; the bot is connected again by itself."""
    with temporary_data() as name:
        async with process(Path(name)) as room:
            bot = await room.linked()
            phone = room.phone(bot)
            pid = (await phone.state())["pid"]
            for number in range(30):
                await phone.text("4915100000001", f"text {number}")
                if number == 15:
                    os.kill(pid, signal.SIGKILL)
            await room.until_told("message", 30)
            shown = await room.until(bot, "connected")
            texts = [event.data for event in await room.events() if event.type == "message"]
            assert [f"text {n}".encode() in data for n, data in enumerate(texts)] == [True] * 30
            assert shown.restarts == 1 and room.metrics.crashes == 1
            assert "reconnecting" in [event.status for event in await room.events()]


async def test_logout_stop_and_codes_that_run_out() -> None:
    """A stopped bot is unlinked by connecting for it; an attempt that is stopped ends within a second."""
    with temporary_data() as name:
        async with process(Path(name)) as room:
            bot = await room.linked()
            await room.fleet.stop(USER, bot)
            await room.until(bot, "stopped")
            assert await room.fleet.logout(USER, bot) is True
            await room.until(bot, "logged_out")
            code = await room.fleet.pairing_code(USER, bot, "4915112345678")
            await room.until(bot, "awaiting_scan")
            await room.fleet.stop(USER, bot)
            await room.until(bot, "stopped", timeout_s=1.0)
            assert room.bus.announced(USER, f"{bot}/pairing_code") is None and len(code.code) == 9
            await room.fleet.start(USER, bot)
            await room.until(bot, "awaiting_scan")
            await room.phone(bot).do("expire_codes")
            assert (await room.until(bot, "login_expired")).user_action == "request_new_code"
            await until(lambda: room.host.placement(bot) is None, what="the end of the attempt's process")
