"""An issuer's public keys: fetched once for all who wait, renewed beside the work, kept through an outage.

Owns when keys are fetched (`plan`, pure) and the one fetch under way. It must never know what a key is or where it comes
from. Read `jwt.py` or `firebase.py` next.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Generic, Literal, TypeVar

import structlog

from orchestrator.auth.issuer import IssuerDown, unavailable
from orchestrator.clock import Clock
from orchestrator.tasks import Tasks

_log = structlog.get_logger("auth")

K = TypeVar("K")

RENEW_S = 600.0
"""Older keys are still used, and fetched anew beside that: a withdrawn key is gone this much later."""
KEEP_S = 6 * 3600.0
"""Longest use of keys that could not be fetched anew."""
MISS_S = 300.0
"""A token of an unknown key leads to one fetch in this time: anybody can make up key ids."""
RETRY_S = 10.0
"""A failed fetch is not repeated sooner."""


@dataclass(frozen=True, slots=True)
class Held:
    """What is known of an issuer's keys. Times are monotonic seconds."""

    ids: frozenset[str] = frozenset()
    fetched_at: float | None = None
    failed_at: float | None = None
    """None when the newest fetch succeeded."""
    missed_at: float | None = None
    """The newest fetch that was made for an unknown key and succeeded."""


Plan = Literal["use", "renew", "fetch", "unknown", "unavailable"]


def plan(held: Held, kid: str | None, now: float) -> Plan:
    """Decide what a token of key `kid` (None: it names none) needs.

    `use` what is held; `renew` beside using it; `fetch` first; `unknown`: no such key, and it is too early to ask again;
    `unavailable`: nothing that may be used, and it is too early to ask again.
    """
    may_fetch = held.failed_at is None or now - held.failed_at >= RETRY_S
    if held.fetched_at is None or now - held.fetched_at > KEEP_S:
        return "fetch" if may_fetch else "unavailable"
    if kid is None or kid in held.ids:
        return "renew" if now - held.fetched_at >= RENEW_S and may_fetch else "use"
    if held.failed_at is not None:
        return "fetch" if may_fetch else "unavailable"
    return "fetch" if held.missed_at is None or now - held.missed_at >= MISS_S else "unknown"


class Keys(Generic[K]):
    """The keys of one issuer, by id."""

    def __init__(self, fetch: Callable[[], Awaitable[Mapping[str, K]]], clock: Clock, tasks: Tasks) -> None:
        """`fetch` raises IssuerDown when there is nothing to be had; it ends by itself within some seconds."""
        self._fetch = fetch
        self._clock = clock
        self._tasks = tasks
        self._keys: Mapping[str, K] = {}
        self._held = Held()
        self._flight: asyncio.Task[None] | None = None

    def warm(self) -> None:
        """Begin the first fetch."""
        self._fly()

    async def get(self, kid: str | None) -> Mapping[str, K]:
        """Return the keys for a token of key `kid`, which is among them unless there is no such key.

        Raises:
            Refused: `auth_unavailable`.
        """
        match plan(self._held, kid, self._clock.monotonic()):
            case "renew":
                self._fly()
            case "fetch":
                await asyncio.shield(self._fly())
                if kid is not None and kid not in self._keys and self._held.failed_at is None:
                    self._note(missed_at=self._clock.monotonic())
                if plan(self._held, kid, self._clock.monotonic()) in {"fetch", "unavailable"}:
                    raise unavailable()
            case "unavailable":
                raise unavailable()
            case "use" | "unknown":
                pass
        return self._keys

    def _fly(self) -> asyncio.Task[None]:
        if self._flight is None:
            self._flight = self._tasks.spawn("auth keys", self._renew())
        return self._flight

    async def _renew(self) -> None:
        try:
            keys = await self._fetch()
        except IssuerDown as down:
            if self._held.failed_at is None:
                _log.warning("Sign-in keys cannot be fetched", why=str(down), usable=bool(self._keys))
            self._note(failed_at=self._clock.monotonic())
        else:
            if self._held.failed_at is not None:
                _log.info("Sign-in keys can be fetched again")
            self._keys = keys
            self._note(ids=frozenset(keys), fetched_at=self._clock.monotonic(), failed_at=None)
        finally:
            self._flight = None

    def _note(self, **changes: Any) -> None:
        self._held = replace(self._held, **changes)
