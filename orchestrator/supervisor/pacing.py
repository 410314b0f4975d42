"""How many starts may go at once: a token bucket and a number of handshakes, both slowed after an incident. Pure.

Keeps a restarted server, or a returned network, from meeting WhatsApp with every bot in one moment. It must never know
what is started or who waits. Read `starts.py` for the queue that asks here.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

SLOW_FACTOR = 0.25
"""Rate and handshakes after an incident, as a part of the usual ones."""
SLOW_S = 60.0
"""How long after an incident closed."""


@dataclass(frozen=True, slots=True)
class Pace:
    """The limits."""

    rate: float = 20.0
    """Starts a second (START_RATE)."""
    handshakes: int = 8
    """Starts that may be without a first report at one time."""

    @property
    def burst(self) -> float:
        """Starts that may go in one moment after a quiet time: a quarter of a second's worth."""
        return max(1.0, self.rate / 4)


@dataclass(frozen=True, slots=True)
class Pacing:
    """What is left of the limits at `at` (seconds on the clock of `now`)."""

    pace: Pace
    tokens: float
    at: float
    under_way: int = 0
    slow_until: float = -math.inf

    @classmethod
    def fresh(cls, pace: Pace, now: float) -> Pacing:
        """Start with a full bucket."""
        return cls(pace, pace.burst, now)


HANDSHAKES_TAKEN = math.inf
"""Wait of `admit` when only the end of another handshake helps."""


def admit(state: Pacing, now: float) -> tuple[Pacing, float]:
    """Take up one start, or say how long to wait.

    Returns:
        (next state, 0) when the start may go now; else (state with the bucket refilled, seconds after which to ask
        again), `HANDSHAKES_TAKEN` when `finished` has to come first.
    """
    state = _refilled(state, now)
    factor = SLOW_FACTOR if now < state.slow_until else 1.0
    if state.under_way >= max(1, math.floor(state.pace.handshakes * factor)):
        return state, HANDSHAKES_TAKEN
    if state.tokens < 1.0:
        return state, (1.0 - state.tokens) / (state.pace.rate * factor)
    return replace(state, tokens=state.tokens - 1.0, under_way=state.under_way + 1), 0.0


def finished(state: Pacing) -> Pacing:
    """Give back the handshake of one start that was admitted."""
    assert state.under_way > 0, "more starts finished than were admitted"
    return replace(state, under_way=state.under_way - 1)


def after_incident(state: Pacing, now: float) -> Pacing:
    """Slow down: an incident has just closed, and whatever it held comes back now."""
    return replace(_refilled(state, now), tokens=min(1.0, state.tokens), slow_until=now + SLOW_S)


def _refilled(state: Pacing, now: float) -> Pacing:
    if now <= state.at:
        return state
    slow_s = max(0.0, min(now, state.slow_until) - state.at)
    fast_s = (now - state.at) - slow_s
    # Rounded up by a hair, so that asking again after exactly the wait that was told is enough.
    tokens = state.tokens + (slow_s * SLOW_FACTOR + fast_s) * state.pace.rate + 1e-9
    return replace(state, tokens=min(state.pace.burst, tokens), at=now)
