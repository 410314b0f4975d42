"""The worker processes as operators see them.

Implemented by the supervisor room; joined in `app.py`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Protocol


@dataclass(frozen=True, slots=True)
class WorkerState:
    """One worker process now."""

    number: int
    """Of its place, from 1: what replaces a worker that ended takes the number over."""
    id: str
    kind: Literal["linking", "own", "pool", "spare"]
    state: Literal["coming", "up", "closing"]
    """`closing` takes no new bots: it retires, or its bots are moved out of it."""
    since: int
    """When it was asked for, ms."""
    pid: int | None
    memory_bytes: int | None
    """Resident; None where the system doesn't tell."""
    loop_lag_ms: int | None
    """How late its own loop was, at worst, within the last 5 s; None before it said."""
    spool_bytes: int
    restarts: int
    """Processes of this number that ended unasked since the server started."""
    bots: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class WorkerLost:
    """A worker ended without being asked to, or had to be ended."""

    number: int
    cause: Literal["died", "condemned", "no_answer"]
    """`condemned`: it did not let go of a bot, or a start in it never reported."""
    status: int | None
    """Exit status of one that died, negative for a signal."""
    bots: tuple[str, ...]


class WorkerRoll(Protocol):
    """Who hosts sessions. Implemented by `supervisor/roll.py`."""

    def workers(self) -> list[WorkerState]:
        """Return all worker processes, by number; the one kept warm last. Reads memory: for people, not for every event."""
        ...
