"""A fleet on the memory bus, the fake host and virtual time; what every fleet test starts from.

Owns the wiring, the recording metrics and a reader of a user's log. It must never know an expected outcome.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections import Counter
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import msgspec

from orchestrator.bots.fleet import BotFleet
from orchestrator.bots.media import BotMedia
from orchestrator.bots.outbox import BotOutbox
from orchestrator.bots.room import Limits
from orchestrator.bus.bus import Bus
from orchestrator.bus.memory import MemoryBus
from orchestrator.model import Bot, Event, EventName, Position, SendState, Status
from orchestrator.ports import NewBot
from orchestrator.tasks import TaskFailure, Tasks
from sessions.model import Connected
from tests.support import virtual_time
from tests.support.fake_host import FakeHost, account, link, offer

USER = "ada"


class RecordingMetrics:
    """Implements `ports.FleetMetrics`."""

    def __init__(self) -> None:
        self.bots: Counter[str] = Counter()
        self.jobs: Counter[str] = Counter()
        self.events: Counter[str] = Counter()
        self.dropped: Counter[str] = Counter()
        self.crashes = 0
        self.stream_errors: Counter[tuple[str, bool]] = Counter()
        self.gaps_s: list[float] = []

    def bot_moved(self, before: Status | None, after: Status | None) -> None:
        _move(self.bots, before, after)

    def event(self, name: EventName, kind: str) -> None:
        self.events[kind] += 1

    def suppressed(self, kind: str) -> None:
        self.dropped[kind] += 1

    def session_crashed(self) -> None:
        self.crashes += 1

    def stream_error(self, code: str, expected: bool) -> None:
        self.stream_errors[code, expected] += 1

    def job_moved(self, before: SendState | None, after: SendState | None) -> None:
        _move(self.jobs, before, after)

    def pool_move(self, gap_s: float) -> None:
        self.gaps_s.append(gap_s)


def _move(counts: Counter[str], before: str | None, after: str | None) -> None:
    if before is not None:
        counts[before] -= 1
        assert counts[before] >= 0
    if after is not None:
        counts[after] += 1


class FleetRoom:
    """One life of a supervisor process over a bus and a host that outlive it."""

    def __init__(self, clock: virtual_time.VirtualClock, directory: Path, bus: Bus | None = None) -> None:
        self.clock = clock
        self.directory = directory
        self.bus: Bus = bus or MemoryBus(clock)
        self.host = FakeHost()
        self.host.wall_ms = clock.wall_ms
        self.failures: list[TaskFailure] = []
        self.metrics = RecordingMetrics()
        self.limits = Limits(bots_per_user=3, tries_per_hour=4, proxy_allow=("127.0.0.1",))

    async def open(self) -> None:
        """Start a supervisor process."""
        await self.load()
        self.host.recover()
        self.fleet.begin()
        await settle()

    async def load(self) -> None:
        """Start a supervisor process up to where it begins to serve; nothing is handed over or started yet."""
        self.tasks = Tasks()
        self.tasks.failures.listen(self.failures.append)
        self.metrics = RecordingMetrics()
        self.fleet = BotFleet(
            bus=self.bus, host=self.host, incidents=self.host.incidents, clock=self.clock, tasks=self.tasks,
            metrics=self.metrics, devices_dir=self.directory, media_dir=self.directory / "media",
            limits=self.limits, svg=lambda text: "<svg/>",
        )  # fmt: skip
        self.outbox = BotOutbox(self.fleet)
        self.media = BotMedia(self.fleet)
        self.host.listener = self.fleet
        await self.fleet.load()

    async def kill(self) -> None:
        """Kill the supervisor process: nothing is said or written any more."""
        await self.tasks.close()
        self.host.lose_everything()

    async def disk(self) -> None:
        """Wait, in real time, for what threads do to files; virtual time would overtake them."""
        for _ in range(5_000):
            running = self.tasks.statistics()
            if not any(running.get(name) for name in ("erase bot", "destroy device files")):
                return
            time.sleep(0.001)  # noqa: ASYNC251 - on a virtual loop only this lets real time pass
            await asyncio.sleep(0)
        raise AssertionError("files are still being destroyed")

    async def events(self, after: Position | None = None) -> list[Event]:
        """Return the user's log."""
        start = after or (await self.bus.state(USER)).floor
        return [committed.event for committed in await self.bus.read(USER, start, 100_000)]

    async def types(self) -> list[str]:
        """Return the log in short: types, statuses as `=status`."""
        return [f"={event.status}" if event.type == "status" else event.type for event in await self.events()]

    async def new(self, **members: Any) -> Bot:
        """Create a bot."""
        bot = await self.fleet.create(USER, NewBot(name="Shop", **members))
        await settle()
        return bot

    async def see(self, bot_id: str) -> Bot:
        """Let what is under way come to its end, then return the record."""
        await settle()
        return await self.fleet.bot(USER, bot_id)

    async def stored(self, bot_id: str) -> Bot:
        """Return the record as it is durable."""
        values = (await self.bus.snapshot(USER, "bot/")).values
        return msgspec.json.decode(values[f"bot/{bot_id}"], type=Bot)

    async def sends(self, job_id: str) -> list[str]:
        """Return the states a send was told to be in."""
        told = [json.loads(event.data) for event in await self.events() if event.type == "send_result"]
        return [job["state"] for job in told if job["id"] == job_id]


async def settle(seconds: float = 0.1) -> None:
    """Let everything run that is due within a moment."""
    await asyncio.sleep(seconds)


def run(tmp_path: Path, scenario: Callable[[FleetRoom], Coroutine[Any, Any, None]]) -> None:
    """Run a scenario in an open room on virtual time; a task that failed unexpectedly fails the test."""

    async def main(clock: virtual_time.VirtualClock) -> None:
        room = FleetRoom(clock, tmp_path)
        await room.open()
        await scenario(room)
        await room.fleet.close()
        assert room.failures == []

    virtual_time.run(main)


async def linked(room: FleetRoom, phone: str = "4915112345678") -> str:
    """Create a bot, link it, and let it move to the pool; return its id."""
    bot = await room.new()
    offer(room.host, bot.id)
    await settle()
    link(room.host, bot.id, phone)
    await settle(31)
    room.host.tell(bot.id, Connected(account(phone)))
    assert (await room.see(bot.id)).status == "connected"
    assert room.host.placement(bot.id) == "pool"
    return bot.id
