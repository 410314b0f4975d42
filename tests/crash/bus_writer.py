"""A process that commits as fast as it can until it is killed, saying what was acknowledged.

`python -m tests.crash.bus_writer FILE INCARNATION`: prints `USER SEQ NUMBER` for each commit that returned. Owns nothing
else; `test_bus_crash.py` kills it and looks at what is left.
"""

from __future__ import annotations

import asyncio
import itertools
import os
import sys
from pathlib import Path

from orchestrator.bus.bus import Bus, Entry, Source, StatePut
from orchestrator.bus.sqlite import SqliteBus
from orchestrator.clock import SystemClock
from orchestrator.model import Event, Position, new_id
from orchestrator.store.database import Database
from orchestrator.tasks import Tasks

USERS = ("ana", "ben")
COMMITTERS = 8


def entry(user: str, incarnation: str, number: int) -> Entry:
    """An event whose ordinal, dedupe key and value all carry its number."""
    event = Event(
        user, "bot_a", "message_sync", "message", new_id("evt"), number, b"%d" % number + b" " * (number % 900)
    )
    put = StatePut("bot/bot_a", b"%d" % number)
    return Entry(user, event, (put,), Source("wrk", incarnation, number), f"{incarnation}/{number}")


async def main(path: Path, incarnation: str) -> None:
    clock = SystemClock()
    bus: Bus = await SqliteBus.open(await Database.open(path, clock), clock, Tasks())
    counters = {user: itertools.count(1) for user in USERS}

    async def commit(user: str) -> None:
        while True:
            entries = [entry(user, f"{incarnation}_{user}", next(counters[user])) for _ in range(2)]
            outcomes = await bus.commit(entries)
            lines = []
            for one, outcome in zip(entries, outcomes, strict=True):
                assert isinstance(outcome, Position)
                assert one.source is not None
                lines.append(f"{user} {outcome.seq} {one.source.ordinal}\n")
            os.write(1, "".join(lines).encode())

    await asyncio.gather(*(commit(user) for user in USERS for _ in range(COMMITTERS // len(USERS))))


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), sys.argv[2]))
