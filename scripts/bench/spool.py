"""What an event costs before anything else happens with it: spool append, commit, reading back, and a slot note.

Run: python -m scripts.bench.spool [DIRECTORY]. Prints microseconds per operation, the median of five rounds.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from sessions.slots import Slots
from sessions.spool import Spool, read

ROUNDS = 5
EVENTS = 20_000
BOT, INCARNATION = "bot_" + "a" * 20, "inc_" + "b" * 20
RAW = b"x" * 600
"""About the size of a text message's event."""


def measure(name: str, once: Callable[[], object], per: int = EVENTS) -> None:
    """Print the median time of `once`, divided by the operations it makes."""
    times = []
    for _ in range(ROUNDS):
        before = time.perf_counter()
        once()
        times.append(time.perf_counter() - before)
    print(f"{name:32} {statistics.median(times) / per * 1e6:8.2f} µs")


def main() -> None:
    """Measure in a temporary directory below the one given, or the system's."""
    base = sys.argv[1] if len(sys.argv) > 1 else None
    with tempfile.TemporaryDirectory(dir=base) as directory:
        path = Path(directory)
        spool = Spool.open(path / "spool", 1 << 30)
        last = 0

        def append() -> None:
            nonlocal last
            for _ in range(EVENTS):
                last, _ = spool.append(BOT, INCARNATION, 17, RAW)

        def append_and_commit() -> None:
            for _ in range(EVENTS):
                ordinal, _ = spool.append(BOT, INCARNATION, 17, RAW)
                spool.committed(INCARNATION, ordinal)

        measure("append", append)
        measure("read back", lambda: sum(1 for _ in read(path / "spool")), EVENTS * ROUNDS)
        spool.committed(INCARNATION, last)
        measure("append and commit, each alone", append_and_commit)
        slots = Slots.create(path / "slots")

        def note() -> None:
            for _ in range(EVENTS):
                with slots.note(BOT, "callback:17"):
                    pass

        measure("slot note", note)


if __name__ == "__main__":
    main()
