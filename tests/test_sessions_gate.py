"""The gate in front of the library's maps, in virtual time: who may enter when, and for how long others wait."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sessions.worker_gate import REPORT_S, SETTLE_S, SHUT_S, STOP_S, Gate
from tests.support.examples import examples
from tests.support.virtual_time import VirtualClock, run


class Starting:
    """One start whose library reports when it is told to."""

    def __init__(self, gate: Gate, clock: VirtualClock) -> None:
        self._gate = gate
        self._clock = clock
        self.reported: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.entered_at: float | None = None

    def enter(self) -> None:
        self.entered_at = self._clock.monotonic()

    async def run(self, reports_after_s: float | None) -> bool:
        def enter() -> None:
            self.enter()
            if reports_after_s is not None:
                asyncio.get_running_loop().call_later(reports_after_s, self.reported.set_result, None)

        return await self._gate.start(enter, self.reported)


async def called_at(gate: Gate, clock: VirtualClock) -> float:
    await gate.call()
    return clock.monotonic()


def test_calls_pass_an_idle_gate() -> None:
    """Without starts and stops nobody waits."""

    async def main(clock: VirtualClock) -> None:
        gate = Gate()
        assert await asyncio.gather(*(called_at(gate, clock) for _ in range(5))) == [0.0] * 5

    run(main)


@pytest.mark.parametrize(("reports_after_s", "opens_after_s"), [(0.2, 0.2), (4.0, SHUT_S), (None, SHUT_S)])
def test_a_start_keeps_calls_out(reports_after_s: float | None, opens_after_s: float) -> None:
    """From a start's entry until its first sign of life, at most a second, no call enters."""

    async def main(clock: VirtualClock) -> None:
        gate = Gate()
        starting = Starting(gate, clock)
        task = asyncio.create_task(starting.run(reports_after_s))
        await asyncio.sleep(0)
        assert await called_at(gate, clock) == pytest.approx(opens_after_s)
        assert await task is (reports_after_s is not None and reports_after_s <= SHUT_S)

    run(main)


@pytest.mark.parametrize(
    ("reports_after_s", "next_after_s"), [(0.2, 0.2), (4.0, 4.0), (None, REPORT_S), (20.0, REPORT_S)]
)
def test_a_start_keeps_starts_and_stops_out(reports_after_s: float | None, next_after_s: float) -> None:
    """No further start or stop enters before this start has reported, at most 15 s."""

    async def main(clock: VirtualClock) -> None:
        gate = Gate()
        first, second = Starting(gate, clock), Starting(gate, clock)
        stopped_at: list[float] = []

        async def forget() -> None:
            stopped_at.append(clock.monotonic())

        tasks = [asyncio.create_task(first.run(reports_after_s)), asyncio.create_task(second.run(0.0))]
        await asyncio.sleep(0)
        assert await gate.stop(forget)
        await asyncio.gather(*tasks)
        assert second.entered_at == pytest.approx(next_after_s)
        assert stopped_at == pytest.approx([next_after_s])

    run(main)


def test_a_writer_waits_for_a_call_that_just_entered() -> None:
    """A call that entered a moment ago may still be reading the maps: a start or stop waits for it to settle."""

    async def main(clock: VirtualClock) -> None:
        gate = Gate()
        starting = Starting(gate, clock)
        await gate.call()
        await starting.run(0.0)
        assert starting.entered_at == pytest.approx(SETTLE_S)

    run(main)


def test_a_stop_is_bounded() -> None:
    """A stop that misses 5 s is given up, and the other bots' calls go on."""

    async def main(clock: VirtualClock) -> None:
        gate = Gate()
        task = asyncio.create_task(gate.stop(asyncio.Event().wait))  # type: ignore[arg-type]
        await asyncio.sleep(0)
        assert await called_at(gate, clock) == pytest.approx(STOP_S)
        assert await task is False
        assert await Starting(gate, clock).run(0.1)

    run(main)


def test_a_start_that_can_not_enter_leaves_the_gate_open() -> None:
    """When entering raises, calls and starts go on."""

    async def main(clock: VirtualClock) -> None:
        gate = Gate()

        def enter() -> None:
            raise OSError("no thread can be made")

        with pytest.raises(OSError, match="no thread"):
            await gate.start(enter, asyncio.get_running_loop().create_future())
        await gate.call()
        assert await Starting(gate, clock).run(0.1)

    run(main)


Step = st.tuples(
    st.sampled_from(["call", "start", "stop"]),
    st.floats(0, 3),
    st.floats(0, 20),
)


@settings(max_examples=examples(60))
@given(st.lists(Step, max_size=14))
def test_nobody_meets_in_the_maps(steps: list[tuple[str, float, float]]) -> None:
    """Whatever comes when: never two writers at once, and no call enters beside one (within the bounds promised)."""

    async def main(clock: VirtualClock) -> None:
        gate = Gate()
        writing: set[int] = set()
        calls: list[float] = []

        def write(number: int, seconds: float) -> None:
            assert not writing, "two writers at once"
            assert not calls or clock.monotonic() - calls[-1] >= SETTLE_S - 1e-9, "a call may still be reading"
            writing.add(number)
            asyncio.get_running_loop().call_later(seconds, writing.discard, number)

        async def one(number: int, kind: str, after_s: float, takes_s: float) -> None:
            await asyncio.sleep(after_s)
            if kind == "call":
                await gate.call()
                assert not writing, "a call entered beside a writer"
                calls.append(clock.monotonic())
            elif kind == "start":
                reported: asyncio.Future[None] = asyncio.get_running_loop().create_future()

                def enter() -> None:
                    write(number, min(takes_s, SHUT_S) * 0.99)
                    asyncio.get_running_loop().call_later(takes_s, reported.set_result, None)

                await gate.start(enter, reported)
            else:

                async def forget() -> None:
                    write(number, min(takes_s, STOP_S) * 0.99)
                    await asyncio.sleep(takes_s)

                assert await gate.stop(forget) is (takes_s < STOP_S) or abs(takes_s - STOP_S) < 0.001

        await asyncio.gather(*(one(number, *step) for number, step in enumerate(steps)))

    run(main)
