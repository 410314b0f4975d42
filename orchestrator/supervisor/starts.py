"""The queue in front of every start: linking first, because somebody looks at a page; the others in order.

A thin shell around `pacing.py`. It must never know what a start does. Read `supervisor.py` for who waits here.
"""

from __future__ import annotations

import asyncio
from collections import deque

from orchestrator.clock import Clock
from orchestrator.supervisor import pacing
from orchestrator.supervisor.pacing import HANDSHAKES_TAKEN, Pace, Pacing


class Starts:
    """Hands out turns as the pace allows."""

    def __init__(self, pace: Pace, clock: Clock) -> None:
        """Begin with a full bucket."""
        self._clock = clock
        self._state = Pacing.fresh(pace, clock.monotonic())
        self._first: deque[asyncio.Future[None]] = deque()
        self._others: deque[asyncio.Future[None]] = deque()
        self._timer: asyncio.TimerHandle | None = None

    @property
    def waiting(self) -> int:
        """How many starts wait for their turn."""
        return sum(not turn.done() for turn in (*self._first, *self._others))

    async def turn(self, *, linking: bool) -> None:
        """Wait for a turn; give it back with `finished`. Cancelling gives it back by itself."""
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        (self._first if linking else self._others).append(turn)
        self._pump()
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                self.finished()
            raise

    def finished(self) -> None:
        """The start reported, or came to nothing."""
        self._state = pacing.finished(self._state)
        self._pump()

    def after_incident(self) -> None:
        """Go slowly for a while."""
        self._state = pacing.after_incident(self._state, self._clock.monotonic())
        self._pump()

    def _pump(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        for queue in (self._first, self._others):
            while queue:
                if queue[0].done():
                    queue.popleft()
                    continue
                self._state, wait_s = pacing.admit(self._state, self._clock.monotonic())
                if wait_s == 0.0:
                    queue.popleft().set_result(None)
                    continue
                if wait_s != HANDSHAKES_TAKEN:
                    self._timer = asyncio.get_running_loop().call_later(wait_s, self._pump)
                return
