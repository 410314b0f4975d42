"""Measures the durable bus: events a second by concurrent committers, commit latency at a rate and when idle, replay.

Every figure is with synchronous=FULL on the file system of `--dir`. Run it on an otherwise idle machine; the loop runs
on uvloop as in `serve`.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import uvloop

from orchestrator.bus.bus import Entry, Source, StatePut
from orchestrator.bus.sqlite import SqliteBus
from orchestrator.clock import SystemClock
from orchestrator.model import Event
from orchestrator.store.database import Database
from orchestrator.tasks import Tasks

DATA = json.dumps({"text": "x" * 220, "chat": "1203631234567890@g.us", "sender": "12345678901@lid"}).encode()


class Load:
    """Makes entries as a mailbox would: an event and its source; a message also has a dedupe key, which lands on a random
    page as WhatsApp's random message ids do; every tenth entry writes a value too."""

    def __init__(self, users: int, *, messages: bool = True) -> None:
        self._users = users
        self._messages = messages
        self._made = 0
        self._run = os.urandom(4).hex()  # each load has incarnations of its own

    def entry(self) -> Entry:
        self._made += 1
        number = self._made % self._users
        user, bot = f"user{number}", f"bot_{number:020}"
        event = Event(user, bot, "message_sync", "message", f"evt_{self._made:020}", 1_790_000_000_000, DATA)
        return Entry(
            user,
            event,
            (StatePut(f"bot/{bot}", DATA),) if self._made % 10 == 0 else (),
            Source("worker", f"inc_{self._run}_{number}", self._made),
            f"{bot}/message/1203631234567890@g.us/12345678901@lid/{os.urandom(10).hex()}/" if self._messages else None,
        )


async def saturate(bus: SqliteBus, load: Load, committers: int, seconds: float) -> dict[str, float]:
    """Commit in a loop from many tasks at once."""
    stop = time.monotonic() + seconds
    latencies: list[float] = []

    async def committer() -> None:
        while time.monotonic() < stop:
            start = time.perf_counter()
            await bus.commit([load.entry()])
            latencies.append(time.perf_counter() - start)

    cpu, start = time.process_time(), time.perf_counter()
    await asyncio.gather(*(committer() for _ in range(committers)))
    wall = time.perf_counter() - start
    return figures(latencies) | {
        "events_s": round(len(latencies) / wall),
        "cpu_us_event": round((time.process_time() - cpu) / len(latencies) * 1e6, 1),
    }


async def paced(bus: SqliteBus, load: Load, rate: float, seconds: float) -> dict[str, float]:
    """Commit single entries at a rate, whether earlier ones are done or not."""
    latencies: list[float] = []

    async def one() -> None:
        start = time.perf_counter()
        await bus.commit([load.entry()])
        latencies.append(time.perf_counter() - start)

    cpu, begin = time.process_time(), time.perf_counter()
    async with asyncio.TaskGroup() as group:
        for number in range(int(rate * seconds)):
            delay = begin + number / rate - time.perf_counter()
            if delay > 0:
                await asyncio.sleep(delay)
            group.create_task(one())
    return figures(latencies) | {"cpu_us_event": round((time.process_time() - cpu) / len(latencies) * 1e6, 1)}


async def replay(bus: SqliteBus, user: str) -> dict[str, float]:
    """Read one user's whole log through a subscription."""
    head = (await bus.state(user)).head
    reader = await bus.subscribe(user, (await bus.state(user)).floor)
    start, count = time.perf_counter(), 0
    while reader.position != head:
        count += len(await reader.read())
    reader.close()
    return {"events": count, "events_s": round(count / (time.perf_counter() - start))}


def figures(latencies: list[float]) -> dict[str, float]:
    """Return percentiles in milliseconds."""
    cuts = statistics.quantiles(latencies, n=100)
    return {"p50_ms": round(cuts[49] * 1e3, 2), "p99_ms": round(cuts[98] * 1e3, 2)}


async def fresh(path: Path, run: Callable[[SqliteBus], Awaitable[None]]) -> None:
    clock, tasks = SystemClock(), Tasks()
    database = await Database.open(path, clock)
    bus = await SqliteBus.open(database, clock, tasks)
    try:
        await run(bus)
    finally:
        await bus.close()
        await database.close()


async def main(directory: Path, users: list[int], seconds: float) -> None:
    for count in users:

        async def run(bus: SqliteBus, count: int = count) -> None:
            load, plain = Load(count), Load(count, messages=False)
            await saturate(bus, load, 64, 0.2)
            for kind, what in (("plain", plain), ("messages", load)):
                for committers in (1, 16, 64, 256):
                    found = await saturate(bus, what, committers, seconds)
                    print(json.dumps({"users": count, "kind": kind, "committers": committers} | found))
            for rate in (50.0, 2000.0, 5000.0):
                print(json.dumps({"users": count, "rate": rate} | await paced(bus, load, rate, seconds)))
            print(json.dumps({"users": count, "replay": await replay(bus, "user0")}))

        await fresh(directory / f"bus{count}.db", run)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--users", type=int, nargs="+", default=[1, 100, 1000])
    parser.add_argument("--seconds", type=float, default=2.0)
    parser.add_argument(
        "--dir", type=Path, default=None, help="where the database is written (default: a temporary one)"
    )
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=given.dir) as name:
        uvloop.run(main(Path(name), given.users, given.seconds))
