"""How long a live socket may stay: its token's end, its greatest age, `refresh_token`, and whether access was withdrawn.

Owns one socket's timers and the last token it proved itself with (a secret, in memory only). It must never know frames
or admission: it says `close` and `expiring`. Read `live.py` for who listens.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from orchestrator.clock import Clock
from orchestrator.errors import Refused
from orchestrator.gateway.ports import GatewaySettings
from orchestrator.model import Principal
from orchestrator.ports import Rechecks, Tokens
from orchestrator.tasks import Tasks

Ending = Literal["token_expired", "revoked", "max_age"]


@dataclass(frozen=True, slots=True)
class Term:
    """When a socket ends if nothing is refreshed."""

    close_in_s: float
    code: Ending
    notice_in_s: float | None
    """When it is told that its token is about to end."""


def term(acks: bool, expires_at_ms: int | None, now_ms: int, settings: GatewaySettings) -> Term:
    """Clients with `acks` can refresh: they end some time after their token does. Others end at their greatest age."""
    if not acks or expires_at_ms is None:
        return Term(settings.socket_max_age_s, "max_age", None)
    left_s = (expires_at_ms - now_ms) / 1000
    return Term(max(0.0, left_s + settings.token_grace_s), "token_expired", max(0.0, left_s - settings.token_notice_s))


def ending_of(refused: Refused) -> Ending | None:
    """What a refused proof means for a socket that is there: None when nobody could be asked."""
    if refused.retryable:
        return None
    return "token_expired" if refused.code == "token_expired" else "revoked"


@dataclass(frozen=True, slots=True)
class TenureParts:
    """What every tenure of a gateway shares."""

    tokens: Tokens
    rechecks: Rechecks | None
    clock: Clock
    tasks: Tasks
    settings: GatewaySettings
    asking: asyncio.Semaphore
    """So that a thousand sockets are not asked about at once."""


async def verified(tokens: Tokens, token: str, timeout_s: float) -> Principal:
    """Return whose token it is. Raises the refusals of `Tokens.verify`; no answer in time is `auth_unavailable`."""
    try:
        async with asyncio.timeout(timeout_s):
            return await tokens.verify(token)
    except TimeoutError:
        raise Refused("auth_unavailable", retry_after_s=5.0) from None


class Tenure:
    """One live socket's right to be there, from `begin` to `end`."""

    def __init__(
        self,
        parts: TenureParts,
        principal: Principal,
        token: str,
        *,
        acks: bool,
        close: Callable[[Ending], None],
        expiring: Callable[[int], None],
    ) -> None:
        self._parts = parts
        self._principal = principal
        self._token = token
        self._acks = acks
        self._close = close
        self._expiring = expiring
        self._greeted = False
        self._closing: asyncio.TimerHandle | None = None
        self._notice: asyncio.TimerHandle | None = None
        self._recheck: asyncio.TimerHandle | None = None
        self._ended = False

    def begin(self) -> None:
        """The socket is its user's."""
        self._set_closing(self._term())
        self._next_recheck()

    def greeted(self) -> None:
        """The client has been told `ready`: from now on it may be told more."""
        self._greeted = True
        self._set_notice(self._term())

    def end(self) -> None:
        """The socket is gone; nothing is said any more."""
        self._ended = True
        for timer in (self._closing, self._notice, self._recheck):
            if timer is not None:
                timer.cancel()

    async def refresh(self, token: str) -> Principal:
        """Go on with a new token of the same user.

        Raises:
            Refused: what `Tokens.verify` refuses, `user_mismatch`. `ending_of` says whether the socket has to end.
        """
        principal = await verified(self._parts.tokens, token, self._parts.settings.verify_timeout_s)
        if principal.user != self._principal.user:
            raise Refused("user_mismatch")
        self._principal, self._token = principal, token
        if self._acks and not self._ended:
            fresh = self._term()
            self._set_closing(fresh)
            if self._greeted:
                self._set_notice(fresh)
        return principal

    def _term(self) -> Term:
        return term(self._acks, self._principal.expires_at_ms, self._parts.clock.wall_ms(), self._parts.settings)

    def _set_closing(self, term_: Term) -> None:
        if self._closing is not None:
            self._closing.cancel()
        self._closing = asyncio.get_running_loop().call_later(term_.close_in_s, self._close, term_.code)

    def _set_notice(self, term_: Term) -> None:
        if self._notice is not None:
            self._notice.cancel()
        expires_at_ms = self._principal.expires_at_ms
        if term_.notice_in_s is not None and expires_at_ms is not None:
            loop = asyncio.get_running_loop()
            self._notice = loop.call_later(term_.notice_in_s, self._expiring, expires_at_ms)

    # --- access withdrawn ---------------------------------------------------------------------------------------

    def _next_recheck(self) -> None:
        after_s = self._parts.settings.recheck_s
        self._recheck = asyncio.get_running_loop().call_later(after_s, self._recheck_due)

    def _recheck_due(self) -> None:
        self._parts.tasks.spawn("gateway recheck", self._rechecked(), on_failure=lambda _: self._go_on())

    async def _rechecked(self) -> None:
        """Ask again; an outage withdraws nothing."""
        ending = self._overdue() or await self._withdrawn()
        if ending is not None and not self._ended:
            self._close(ending)
        self._go_on()

    def _go_on(self) -> None:
        if not self._ended:
            self._next_recheck()

    def _overdue(self) -> Ending | None:
        """Timers stand still while the machine sleeps; the token's end does not."""
        now = self._term()
        return now.code if now.close_in_s <= 0 else None

    async def _withdrawn(self) -> Ending | None:
        parts = self._parts
        if parts.rechecks is None:
            return None
        try:
            async with parts.asking, asyncio.timeout(parts.settings.verify_timeout_s):
                refused = await parts.rechecks.still_valid(self._principal, self._token)
        except TimeoutError:
            return None
        return None if refused is None or refused.retryable else "revoked"
