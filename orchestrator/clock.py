"""The one clock: monotonic time for waiting, wall time for people. Logic takes `now` as an argument; shells ask here.

Owns no decisions. Tests pass `ManualClock` or run on a virtual-time loop.
"""

from __future__ import annotations

import time
from typing import Protocol


class Clock(Protocol):
    """Both times of one instant."""

    def monotonic(self) -> float:
        """Seconds, for durations and deadlines; never goes back; meaningless to people and across restarts."""
        ...

    def wall_ms(self) -> int:
        """Milliseconds since the epoch, UTC: for what is shown or stored, never for order."""
        ...


class SystemClock:
    """The machine's clock."""

    def monotonic(self) -> float:
        return time.monotonic()

    def wall_ms(self) -> int:
        return time.time_ns() // 1_000_000


class ManualClock:
    """A clock that moves only when told to; wall and monotonic move together."""

    def __init__(self, wall_ms: int = 1_790_000_000_000) -> None:
        self._monotonic = 1_000.0
        self._wall_ms = wall_ms

    def monotonic(self) -> float:
        return self._monotonic

    def wall_ms(self) -> int:
        return self._wall_ms

    def advance(self, seconds: float) -> None:
        """Move both clocks forward."""
        self._monotonic += seconds
        self._wall_ms += round(seconds * 1000)
