"""Pacing of starts: the rate, the handshakes, the slower time after an incident; the queue on virtual time."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.supervisor import pacing
from orchestrator.supervisor.pacing import HANDSHAKES_TAKEN, Pace, Pacing
from orchestrator.supervisor.starts import Starts
from tests.support import virtual_time
from tests.support.virtual_time import VirtualClock


def test_a_burst_then_the_rate() -> None:
    """After a quiet time a quarter of a second's worth goes at once, then one by one at the rate."""
    state = Pacing.fresh(Pace(rate=20.0, handshakes=100), 0.0)
    for _ in range(5):
        state, wait_s = pacing.admit(state, 0.0)
        assert wait_s == 0.0
    state, wait_s = pacing.admit(state, 0.0)
    assert wait_s == pytest.approx(0.05)
    state, wait_s = pacing.admit(state, 0.05)
    assert wait_s == 0.0


def test_no_more_handshakes_than_allowed() -> None:
    """With eight starts under way the ninth waits for one of them, however long ago they began."""
    state = Pacing.fresh(Pace(rate=1000.0), 0.0)
    for _ in range(8):
        state, wait_s = pacing.admit(state, 1.0)
        assert wait_s == 0.0
    assert pacing.admit(state, 100.0)[1] == HANDSHAKES_TAKEN
    assert pacing.admit(pacing.finished(state), 100.0)[1] == 0.0


def test_a_quarter_after_an_incident_for_a_minute() -> None:
    """After an incident rate and handshakes are a quarter, and a minute later what they were."""
    state = pacing.after_incident(Pacing.fresh(Pace(rate=20.0), 0.0), 0.0)
    state, wait_s = pacing.admit(state, 0.0)
    assert wait_s == 0.0
    state, wait_s = pacing.admit(state, 0.0)
    assert wait_s == pytest.approx(0.2)
    state, wait_s = pacing.admit(state, 0.2)
    assert wait_s == 0.0
    assert pacing.admit(state, 10.0)[1] == HANDSHAKES_TAKEN
    assert pacing.admit(state, 60.0)[1] == 0.0


@given(
    rate=st.floats(0.5, 100.0),
    asks=st.lists(st.floats(0.0, 0.5), min_size=1, max_size=200),
    slow_at=st.integers(0, 200),
)
def test_never_more_than_burst_and_rate(rate: float, asks: list[float], slow_at: int) -> None:
    """In any stretch of time no more starts go than the burst plus rate times time; asking again after the wait works."""
    pace = Pace(rate=rate, handshakes=1)
    state, now, admitted = Pacing.fresh(pace, 0.0), 0.0, 0
    for number, step in enumerate(asks):
        now += step
        if number == slow_at:
            state = pacing.after_incident(state, now)
        state, wait_s = pacing.admit(state, now)
        if wait_s > 0:
            now += wait_s
            state, wait_s = pacing.admit(state, now)
            # Rounding may leave a hair; the shell asks again.
            assert wait_s < 1e-3
        if wait_s == 0.0:
            state = pacing.finished(state)
            admitted += 1
        assert admitted <= pace.burst + rate * now + 1e-3


def test_linking_goes_first_and_the_rest_in_order() -> None:
    """A start somebody looks at passes those that wait; the others keep their order and the rate."""

    async def main(clock: VirtualClock) -> list[tuple[str, float]]:
        starts = Starts(Pace(rate=2.0, handshakes=100), clock)
        went: list[tuple[str, float]] = []

        async def one(name: str, *, linking: bool) -> None:
            await starts.turn(linking=linking)
            went.append((name, round(clock.monotonic(), 3)))

        async with asyncio.TaskGroup() as group:
            for name in ("a", "b", "c"):
                group.create_task(one(name, linking=False))
            await asyncio.sleep(0.1)
            group.create_task(one("link", linking=True))
        return went

    assert virtual_time.run(main) == [("a", 0.0), ("link", 0.5), ("b", 1.0), ("c", 1.5)]


def test_a_cancelled_wait_blocks_nobody() -> None:
    """A start that is given up while it waits, or in the moment of its turn, leaves its place to the next."""

    async def main(clock: VirtualClock) -> None:
        starts = Starts(Pace(rate=1000.0, handshakes=1), clock)
        await starts.turn(linking=False)
        loop = asyncio.get_running_loop()
        given_up = loop.create_task(starts.turn(linking=False))
        in_its_moment = loop.create_task(starts.turn(linking=False))
        last = loop.create_task(starts.turn(linking=False))
        await asyncio.sleep(0)
        assert starts.waiting == 3
        given_up.cancel()
        await asyncio.sleep(0.1)
        starts.finished()
        in_its_moment.cancel()
        await asyncio.wait_for(last, 1.0)
        assert starts.waiting == 0

    virtual_time.run(main)
