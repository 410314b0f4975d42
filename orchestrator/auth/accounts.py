"""Whether accounts at the issuer are still good: asked in batches, remembered for a while, kept through an outage.

Owns the answers and the one question under way: whoever asks meanwhile shares the next one, so a thousand people who
come back at once are ten questions. It must never know how an issuer is asked. Read `firebase.py` next.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass

import structlog

from orchestrator.auth.issuer import IssuerDown
from orchestrator.clock import Clock
from orchestrator.tasks import Tasks

_log = structlog.get_logger("auth")

BATCH = 100
"""Most accounts in one question (Identity Toolkit `accounts:lookup`)."""
KEEP_S = 3600.0
"""Longest use of an answer while nobody can be asked: as long as an ID token lives."""
RETRY_S = 10.0
"""After a question without an answer nobody is asked for this long."""
_REMEMBERED = 10_000


@dataclass(frozen=True, slots=True)
class Account:
    """One account as the issuer knows it now."""

    disabled: bool
    valid_after_ms: int
    """Tokens issued earlier have been revoked."""


Answer = Account | None
"""None: the issuer knows no such account (any more)."""


class Accounts:
    """The accounts of one issuer."""

    def __init__(
        self, ask: Callable[[Sequence[str]], Awaitable[Mapping[str, Account]]], clock: Clock, tasks: Tasks
    ) -> None:
        """`ask` takes at most `BATCH` accounts, raises IssuerDown, and ends by itself within some seconds."""
        self._ask = ask
        self._clock = clock
        self._tasks = tasks
        self._known: dict[str, tuple[float, Answer]] = {}
        """(when asked, answer), oldest first."""
        self._waiting: dict[str, asyncio.Future[None]] = {}
        self._asking: asyncio.Task[None] | None = None
        self._failed_at: float | None = None

    async def get(self, account: str, max_age_s: float) -> Answer:
        """Return an answer of at most this age, or the last one when nobody can be asked now.

        Raises:
            IssuerDown: nobody can be asked, and there is no answer of the last hour.
        """
        known = self._known.get(account)
        if known is not None and self._clock.monotonic() - known[0] <= max_age_s:
            return known[1]
        if self._failed_at is None or self._clock.monotonic() - self._failed_at >= RETRY_S:
            await self._answered(account)
        known = self._known.get(account)
        if known is None or self._clock.monotonic() - known[0] > KEEP_S:
            raise IssuerDown("no answer")
        return known[1]

    async def _answered(self, account: str) -> None:
        """Return after the next question that holds this account, whatever became of it."""
        waiting = self._waiting.get(account)
        if waiting is None:
            waiting = self._waiting[account] = asyncio.get_running_loop().create_future()
        if self._asking is None:
            self._asking = self._tasks.spawn("auth accounts", self._work())
        await asyncio.shield(waiting)

    async def _work(self) -> None:
        batch: dict[str, asyncio.Future[None]] = {}
        try:
            while self._waiting:
                batch = {account: self._waiting[account] for account in list(self._waiting)[:BATCH]}
                for account in batch:
                    del self._waiting[account]
                if not await self._put(list(batch)):
                    return
                _wake(batch)
        finally:
            self._asking = None
            # Whatever ended it: nobody is left waiting; they find no new answer.
            _wake(batch | self._waiting)
            self._waiting.clear()

    async def _put(self, batch: list[str]) -> bool:
        asked_at = self._clock.monotonic()
        try:
            answers = await self._ask(batch)
        except IssuerDown as down:
            if self._failed_at is None:
                _log.warning("Accounts cannot be looked up", why=str(down))
            self._failed_at = self._clock.monotonic()
            return False
        if self._failed_at is not None:
            _log.info("Accounts can be looked up again")
        self._failed_at = None
        for account in batch:
            self._known.pop(account, None)
            self._known[account] = (asked_at, answers.get(account))
        while len(self._known) > _REMEMBERED:
            del self._known[next(iter(self._known))]
        return True


def _wake(waiting: Mapping[str, asyncio.Future[None]]) -> None:
    for future in waiting.values():
        if not future.done():
            future.set_result(None)
