"""How fast one bot may do something: a bucket of tokens that fills slowly. Pure; times are wall milliseconds.

Owns the arithmetic. A clock that is set back costs at most the tokens of that time. It must never know what is paced.
Read `outbox_book.py` for sends, `finding.py` for questions.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Pace:
    """At most `burst` at once, `per_s` a second after that; 0 a second is no limit."""

    per_s: float
    burst: int


class Bucket:
    """The tokens of one bot. Full at the start of the process."""

    def __init__(self, pace: Pace) -> None:
        self._pace = pace
        self._tokens = float(pace.burst)
        self._at_ms: int | None = None

    def ready_ms(self, now_ms: int) -> int:
        """Return from when on a token is there; `now_ms` or earlier is now."""
        if self._pace.per_s <= 0:
            return now_ms
        missing = 1.0 - self._level(now_ms)
        # Rounded up, with a hair's breadth for binary fractions: whoever waits that long finds a whole token.
        return now_ms if missing <= _HAIR else now_ms + max(1, int(missing * 1000 / self._pace.per_s + 0.999))

    def take(self, now_ms: int) -> None:
        """Use one token, which is there."""
        self._tokens = max(0.0, self._level(now_ms) - 1.0)
        self._at_ms = now_ms

    def _level(self, now_ms: int) -> float:
        since_ms = 0 if self._at_ms is None else max(0, now_ms - self._at_ms)
        return min(float(self._pace.burst), self._tokens + since_ms * self._pace.per_s / 1000)


_HAIR = 1e-9
UNPACED = Pace(0.0, 1)
