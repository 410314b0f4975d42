"""Waking time: a pause of the supervisor accuses nobody, and an ordinary wait is no pause."""

from __future__ import annotations

import asyncio

from orchestrator.clock import ManualClock
from orchestrator.supervisor.awake import AWAY_S, TICK_S, Awake
from tests.support import virtual_time
from tests.support.virtual_time import VirtualClock


def test_a_pause_does_not_count() -> None:
    """Time in which nobody ticked is left out, but for one tick; ordinary gaps count in full."""
    clock = ManualClock()
    awake = Awake(clock)
    start = awake.now()
    clock.advance(TICK_S + AWAY_S)
    assert awake.now() - start == TICK_S + AWAY_S
    assert awake.pauses == 0
    clock.advance(3600.0)
    assert awake.now() - start == TICK_S + AWAY_S + TICK_S
    assert awake.pauses == 1


def test_a_wait_ends_at_its_deadline() -> None:
    """A wait longer than a pause is no pause: it ends when its time is up."""

    async def main(clock: VirtualClock) -> None:
        awake = Awake(clock)
        never: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        assert not await awake.wait([never], 15.0)
        assert clock.monotonic() == 15.0
        assert awake.pauses == 0

    virtual_time.run(main)


def test_a_pause_starts_deadlines_anew() -> None:
    """When the process was away for longer than the deadline, the answer has the whole time again."""

    async def main(clock: VirtualClock) -> None:
        paused = PausingClock(clock)
        awake = Awake(paused)
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[None] = loop.create_future()
        loop.call_later(3.9, paused.away, 100.0)
        loop.call_later(8.5, answer.set_result, None)
        assert await awake.wait([answer], 5.0)
        assert clock.monotonic() == 8.5
        assert awake.pauses == 1

    virtual_time.run(main)


def test_wait_all_has_one_deadline() -> None:
    """Each one that comes does not give the others more time."""

    async def main(clock: VirtualClock) -> None:
        awake = Awake(clock)
        loop = asyncio.get_running_loop()
        early: asyncio.Future[None] = loop.create_future()
        late: asyncio.Future[None] = loop.create_future()
        loop.call_later(4.0, early.set_result, None)
        assert not await awake.wait_all([early, late], 5.0)
        assert clock.monotonic() == 5.0
        late.set_result(None)
        assert await awake.wait_all([early, late], 0.0)

    virtual_time.run(main)


class PausingClock:
    """A clock that jumps while the loop does not run, as after a SIGSTOP."""

    def __init__(self, clock: VirtualClock) -> None:
        self._clock = clock
        self._away_s = 0.0

    def away(self, seconds: float) -> None:
        self._away_s += seconds

    def monotonic(self) -> float:
        return self._clock.monotonic() + self._away_s

    def wall_ms(self) -> int:
        return self._clock.wall_ms() + round(self._away_s * 1000)
