"""Model-based test of the window: frames of any size, acknowledgements of any kind, resyncs, pauses, in any order.

The model keeps what was sent as a plain list and says from the contract's words what must hold. Planted bugs must be
found, or the model proves nothing.
"""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from orchestrator.gateway.window import Window, WindowLimits
from tests.machines.planted import check_found
from tests.support.examples import examples

LIMITS = WindowLimits(frames=8, max_bytes=1000, patience_s=30.0, away_s=1.0)
LOOK_S = 0.5


class WindowMachine(RuleBasedStateMachine):
    """A client that acknowledges as it likes, and the pump that serves it."""

    made: type[Window] = Window
    limits = LIMITS

    def __init__(self) -> None:
        super().__init__()
        self.window = self.made(self.limits)
        self.now = 1000.0
        self.newest = 0
        self.unacknowledged: list[tuple[int, int]] = []
        self.waiting: int | None = None
        """Size of the frame that does not fit."""
        self.waited = 0.0
        """How long, in time this process ran, the window was full since the last acknowledgement that freed anything."""
        self.window.begin(0)

    def fits(self, size: int) -> bool:
        """The contract: at most 8 frames and 1000 bytes unacknowledged; a larger single frame goes alone."""
        if not self.unacknowledged:
            return True
        bytes_ = sum(held for _, held in self.unacknowledged) + size
        return len(self.unacknowledged) < LIMITS.frames and bytes_ <= LIMITS.max_bytes

    def offer(self, size: int) -> None:
        """Send the frame, or hold it back."""
        allowed = self.window.fits(size)
        assert allowed == self.fits(size), f"a frame of {size} was {'sent' if allowed else 'held back'}"
        if allowed:
            self.newest += 1
            self.window.sent(self.newest, size)
            self.unacknowledged.append((self.newest, size))
            self.waiting, self.waited = None, 0.0
        else:
            if self.waiting is None:
                assert not self.window.full(self.now), "closed in the moment the window became full"
            self.waiting = size

    @rule(sizes=st.lists(st.sampled_from([1, 1, 1, 40, 100, 400, 500, 999, 1000, 3000]), min_size=1, max_size=12))
    def frames_come(self, sizes: list[int]) -> None:
        """The log has more, in order; the first that does not fit waits."""
        if self.waiting is not None:
            return
        for size in sizes:
            self.offer(size)
            if self.waiting is not None:
                return

    @rule(count=st.integers(1, 12))
    def small_frames_come(self, count: int) -> None:
        """So many that their number is reached before their bytes are."""
        self.frames_come([1] * count)

    @rule(back=st.integers(0, 12))
    def acknowledges(self, back: int) -> None:
        """Cumulative: everything up to a position, also an old one."""
        self.acknowledge(self.newest - back)

    @rule(ahead=st.integers(1, 1000))
    def acknowledges_what_it_was_never_sent(self, ahead: int) -> None:
        self.acknowledge(self.newest + ahead)

    def acknowledge(self, seq: int) -> None:
        before = len(self.unacknowledged)
        if seq <= self.newest:
            self.unacknowledged = [(at, size) for at, size in self.unacknowledged if at > seq]
        freed = self.window.acknowledged(seq)
        assert freed == (len(self.unacknowledged) < before), f"acknowledging {seq} freed {freed}"
        if freed:
            self.waited = 0.0
            if self.waiting is not None:
                waiting, self.waiting = self.waiting, None
                self.offer(waiting)

    @rule(back=st.integers(0, 12))
    def begins_again(self, back: int) -> None:
        """A resync: what was sent counts no more."""
        self.newest = max(0, self.newest - back)
        self.unacknowledged, self.waiting, self.waited = [], None, 0.0
        self.window.begin(self.newest)

    @rule(looks=st.integers(1, 70))
    def time_passes(self, looks: int) -> None:
        for _ in range(looks):
            self.now += LOOK_S
            self.look(LOOK_S)

    @rule(seconds=st.floats(1.5, 300))
    def the_server_itself_sleeps(self, seconds: float) -> None:
        self.now += seconds
        self.look(0.0)

    def look(self, counts: float) -> None:
        if self.waiting is None:
            return
        self.waited += counts
        closed = self.window.full(self.now)
        assert closed == (self.waited >= LIMITS.patience_s), f"closed {closed} after {self.waited} s"
        if closed:
            self.begins_again(0)  # another socket

    @invariant()
    def bounds_hold(self) -> None:
        assert self.window.frames == len(self.unacknowledged) <= LIMITS.frames
        assert self.window.unacknowledged_bytes == sum(size for _, size in self.unacknowledged)
        assert self.window.unacknowledged_bytes <= LIMITS.max_bytes or self.window.frames == 1


RUN = settings(max_examples=examples(100), stateful_step_count=30, suppress_health_check=list(HealthCheck))


def test_the_window_keeps_its_promises() -> None:
    """Frames and bytes are bounded, nothing is held back that fits, and patience is exactly as long as promised."""
    run_state_machine_as_test(WindowMachine, settings=RUN)


class _OneByOne(Window):
    """Planted: an acknowledgement frees one frame, not everything up to it."""

    def acknowledged(self, seq: int) -> bool:
        return super().acknowledged(min(seq, self._unacknowledged[0][0])) if self._unacknowledged else False


class _BelievesAnything(Window):
    """Planted: a position that was never sent is taken for an acknowledgement of everything."""

    def acknowledged(self, seq: int) -> bool:
        return super().acknowledged(min(seq, self._newest))


class _NeverAlone(Window):
    """Planted: a frame larger than the window waits for ever."""

    def fits(self, size: int) -> bool:
        return super().fits(size) and size <= self._limits.max_bytes


class _ForgetsBytes(Window):
    """Planted: freed frames are still counted in bytes."""

    def acknowledged(self, seq: int) -> bool:
        before = self._bytes
        freed = super().acknowledged(seq)
        self._bytes = before
        return freed


class _NeverRests(Window):
    """Planted: an acknowledgement does not give new patience."""

    def _rest(self) -> None:
        self._looked = self._looked


class _KeepsOldFrames(Window):
    """Planted: after a resync the frames before it are still waited for."""

    def begin(self, seq: int) -> None:
        self._newest = seq
        self._rest()


@pytest.mark.parametrize(
    "planted", [_OneByOne, _BelievesAnything, _NeverAlone, _ForgetsBytes, _NeverRests, _KeepsOldFrames]
)
def test_the_model_finds_planted_bugs(planted: type[Window]) -> None:
    """Each of these mistakes breaks a promise that the model sees."""

    class Broken(WindowMachine):
        made = planted

    check_found(Broken)


@pytest.mark.parametrize(
    "planted",
    [
        replace(LIMITS, frames=9),
        replace(LIMITS, max_bytes=1001),
        replace(LIMITS, patience_s=29.0),
        replace(LIMITS, away_s=1e9),
    ],
    ids=["frames", "bytes", "patience", "away"],
)
def test_the_model_finds_wrong_numbers(planted: WindowLimits) -> None:
    """One frame, one byte or one second more or less is seen, and so is time in which the server slept."""

    class Broken(WindowMachine):
        limits = planted

    check_found(Broken)
