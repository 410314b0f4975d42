"""Time in which this process itself ran: what watchdogs count, so that a paused supervisor accuses nobody.

Owns that clock and the one way to wait for a worker's answer with a deadline. After the loop was away for more than a
second (VM pause, SIGSTOP, sleep) every such deadline starts anew; the answers that came meanwhile are read first. It
must never know what is waited for.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from typing import Any

from orchestrator.clock import Clock

TICK_S = 0.25
"""`now` has to be called at least this often for a pause to be seen as one; the room's ticker does."""
AWAY_S = 1.0
HAIR_S = 1e-6
"""Less than this is not worth another turn of the loop."""


class Awake:
    """A monotonic clock that stands still while the process does."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._seen = clock.monotonic()
        self._away_s = 0.0
        self.pauses = 0
        """How often the loop was away: whoever holds a deadline starts it anew when this changed."""

    def now(self) -> float:
        """Seconds in which the process ran; comparable with earlier answers only."""
        at = self._clock.monotonic()
        gap_s = at - self._seen
        self._seen = at
        if gap_s > TICK_S + AWAY_S:
            self._away_s += gap_s - TICK_S
            self.pauses += 1
        return at - self._away_s

    async def wait(self, futures: Iterable[asyncio.Future[Any]], timeout_s: float) -> bool:
        """Wait until one of the futures is done; False when none is after `timeout_s` of waking time.

        The futures are left alone either way.
        """
        pending = set(futures)
        deadline, pauses = self.now() + timeout_s, self.pauses
        while True:
            # In slices shorter than a pause: a long wait must not look like one to itself.
            slice_s = min(AWAY_S, max(0.0, deadline - self.now()))
            done, _ = await asyncio.wait(pending, timeout=slice_s, return_when="FIRST_COMPLETED")
            if done:
                return True
            now = self.now()
            if self.pauses != pauses:
                deadline, pauses = now + timeout_s, self.pauses
            elif deadline - now < HAIR_S:
                return False

    async def wait_all(self, futures: Sequence[asyncio.Future[Any]], timeout_s: float) -> bool:
        """Wait until all of the futures are done; False when some are not after `timeout_s` of waking time."""
        deadline = self.now() + timeout_s
        while left := [future for future in futures if not future.done()]:
            if not await self.wait(left, deadline - self.now()):
                return False
        return True
