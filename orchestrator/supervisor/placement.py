"""Which worker a bot goes to: the fullest one of the pool that has room. Pure.

Owns that choice only. It must never know a process. Read `quarantine.py` for bots that may not share, `workers.py` for
who asks.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import count


@dataclass(frozen=True, slots=True)
class PoolWorker:
    """One worker that takes bots, as far as placing goes."""

    id: str
    bots: int
    """Seats taken or promised."""
    group: str | None
    """Only bots of this group sit here (`quarantine.py`); None: those of no group."""


def choose(workers: Iterable[PoolWorker], limit: int, group: str | None) -> str | None:
    """Return the worker to take, or None when a new one is needed.

    The fullest with room, the eldest among equals: few processes, and a worker that empties is left to end.
    """
    best: PoolWorker | None = None
    for worker in workers:
        if worker.group == group and worker.bots < limit and (best is None or worker.bots > best.bots):
            best = worker
    return best.id if best else None


def free_number(taken: Iterable[int]) -> int:
    """Return the smallest number from 1 that no worker has: what replaces a worker takes its number over."""
    numbers = set(taken)
    return next(number for number in count(1) if number not in numbers)
