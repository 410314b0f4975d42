"""Bugs that surface become events for operators, without their secrets and without a flood."""

from __future__ import annotations

import asyncio
import json
import threading
from typing import NoReturn

from orchestrator.bots.alarms import EVERY_S, Alarms
from orchestrator.bus.bus import Committed
from orchestrator.bus.memory import MemoryBus
from orchestrator.clock import ManualClock
from orchestrator.model import Event
from orchestrator.tasks import Tasks


async def fail() -> NoReturn:
    """One bug."""
    raise ValueError("a secret")


async def told(bus: MemoryBus, count: int) -> list[Event]:
    """The operator's log, once it holds so many events."""
    reader = await bus.subscribe("root", (await bus.state("root")).floor)
    found: list[Event] = []
    async with asyncio.timeout(5):
        while len(found) < count:
            found += [one.event for one in await reader.read() if isinstance(one, Committed)]
    reader.close()
    return found


async def test_a_bug_is_told_once_a_minute_with_its_count() -> None:
    """The event names task, kind, place and fingerprint, never the message; repeats are counted into the next one."""
    clock, tasks = ManualClock(), Tasks()
    bus = MemoryBus(clock)
    Alarms(bus, clock, tasks, "root")
    for _ in range(3):
        await asyncio.wait({tasks.spawn("fold bot_1", fail())})
    first = (await told(bus, 1))[0]
    assert (first.user, first.bot, first.name, first.type) == ("root", None, "bot_status_update", "task_failed")
    data = json.loads(first.data)
    assert data.keys() == {"task", "kind", "fingerprint", "where", "count"} and b"secret" not in first.data
    assert (data["task"], data["kind"], data["count"]) == ("fold bot_1", "ValueError", 1)
    clock.advance(EVERY_S)
    await asyncio.wait({tasks.spawn("fold bot_1", fail())})
    again = json.loads((await told(bus, 2))[1].data)
    assert (again["fingerprint"], again["count"]) == (data["fingerprint"], 3)


async def test_failures_of_threads_are_told() -> None:
    """A failure is told from whatever thread it surfaced on."""
    clock, tasks = ManualClock(), Tasks()
    bus = MemoryBus(clock)
    Alarms(bus, clock, tasks, "root")
    thread = threading.Thread(target=tasks.failures.report, args=("thread x", KeyError("a secret")))
    thread.start()
    thread.join()
    assert json.loads((await told(bus, 1))[0].data)["kind"] == "KeyError"
