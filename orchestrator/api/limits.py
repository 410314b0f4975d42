"""How often one user may ask: the table of allowances, and the arithmetic of a token bucket.

Pure: the time goes in. Owns numbers and counting; the answer's headers follow the RateLimit fields of
draft-ietf-httpapi-ratelimit-headers-07. What the product limits by its nature (bots, link attempts, streams, the
socket) is counted where it is done. It must never know a request. Read `http.py` for who asks.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

AllowanceName = Literal["read", "write", "proxy_check"]


@dataclass(frozen=True, slots=True)
class Allowance:
    """How often something may be done."""

    what: str
    """For people: the README and OpenAPI show it."""
    burst: int
    """How often at once."""
    refill_s: float
    """Time until all of it is back."""
    exact: bool = False
    """Never more than `burst` in any `refill_s`; otherwise what was taken trickles back steadily."""

    @property
    def pace(self) -> str:
        """When they come back, for people."""
        if self.exact:
            return f"in any {self.refill_s / 60:g} minutes"
        return f"at once, {self.burst / self.refill_s:g} a second in the long run"


TABLE: Mapping[AllowanceName, Allowance] = {
    "read": Allowance("GET requests", 1200, 20.0),
    "write": Allowance("other requests", 300, 15.0),
    "proxy_check": Allowance("proxy checks", 10, 3600.0, exact=True),
}
"""Per user. Far above what a page or a script needs, far below what hurts the server."""


@dataclass(frozen=True, slots=True)
class Bucket:
    """What is left to one user of one allowance."""

    left: float
    at: float
    """Monotonic time at which that was left."""
    taken: tuple[float, ...] = ()
    """When it was taken, oldest first; of exact allowances only."""


@dataclass(frozen=True, slots=True)
class Taken:
    """Whether one more was allowed, and what to tell the caller."""

    allowed: bool
    limit: int
    left: int
    reset_s: int
    """Whole seconds until all of it is back."""
    retry_after_s: float = 0.0
    """Until the next one is allowed; 0 when this one was."""

    def headers(self) -> dict[str, str]:
        """The answer's RateLimit fields."""
        return {
            "RateLimit-Limit": str(self.limit),
            "RateLimit-Remaining": str(self.left),
            "RateLimit-Reset": str(self.reset_s),
        }


def take(bucket: Bucket | None, allowance: Allowance, now: float) -> tuple[Bucket, Taken]:
    """Take one if there is one; a refused one costs nothing. None is a bucket nobody took from yet."""
    if allowance.exact:
        return _take_exact(bucket, allowance, now)
    each_s = allowance.refill_s / allowance.burst
    left = float(allowance.burst)
    if bucket is not None:
        left = min(left, bucket.left + max(0.0, now - bucket.at) / each_s)
    allowed = left >= 1.0
    wait_s = 0.0 if allowed else (1.0 - left) * each_s
    left -= allowed
    reset_s = math.ceil((allowance.burst - left) * each_s)
    return Bucket(left, now), Taken(allowed, allowance.burst, int(left), reset_s, wait_s)


def _take_exact(bucket: Bucket | None, allowance: Allowance, now: float) -> tuple[Bucket, Taken]:
    before = () if bucket is None else bucket.taken
    taken = tuple(at for at in before if now - at < allowance.refill_s)
    allowed = len(taken) < allowance.burst
    wait_s = 0.0 if allowed else taken[0] + allowance.refill_s - now
    taken = (*taken, now) if allowed else taken
    left = allowance.burst - len(taken)
    reset_s = math.ceil(taken[-1] + allowance.refill_s - now)
    return Bucket(left, now, taken), Taken(allowed, allowance.burst, left, reset_s, wait_s)


class Allowances:
    """The buckets of all users. Those that are full again are forgotten, a few at each call."""

    def __init__(self, table: Mapping[AllowanceName, Allowance] | None = None) -> None:
        self._table = TABLE if table is None else table
        self._buckets: dict[tuple[str, AllowanceName], Bucket] = {}

    def __len__(self) -> int:
        return len(self._buckets)

    def take(self, user: str, name: AllowanceName, now: float) -> Taken:
        """Take one of the user's; see the function `take`."""
        self._forget(now)
        key = (user, name)
        bucket, taken = take(self._buckets.pop(key, None), self._table[name], now)
        self._buckets[key] = bucket  # the dictionary stays in the order of use
        return taken

    def _forget(self, now: float) -> None:
        for key in [key for _, key in zip(range(_LOOK), self._buckets, strict=False)]:
            if now - self._buckets[key].at >= self._table[key[1]].refill_s:
                del self._buckets[key]
            else:
                # Long-lived allowances must not stand in the way of the others behind them.
                self._buckets[key] = self._buckets.pop(key)


_LOOK = 2
