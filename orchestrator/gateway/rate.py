"""How often something may happen within a sliding window of time. Pure: the time goes in.

It must never know what is counted or what happens to those that exceed it. Read `live.py` for who counts what.
"""

from __future__ import annotations

from collections import deque


class Rate:
    """At most `limit` times within `window_s`. Holds at most `limit` times."""

    __slots__ = ("_limit", "_times", "_window_s")

    def __init__(self, limit: int, window_s: float) -> None:
        self._limit = limit
        self._window_s = window_s
        self._times: deque[float] = deque(maxlen=limit)

    def allows(self, now: float) -> bool:
        """Count one more and tell whether it is within the rate; one that is not is not counted."""
        times = self._times
        if len(times) == self._limit and now - times[0] < self._window_s:
            return False
        times.append(now)
        return True

    def idle(self, now: float) -> bool:
        """Tell whether nothing is counted any more: the state may be forgotten."""
        return not self._times or now - self._times[-1] >= self._window_s
