"""What an issuer of tokens other than ourselves is to the rest: a way to check a token and to ask about its user again.

Owns that interface, what claims become, and how refusals are told to the operator. It must never know HTTP, a socket or
a particular issuer. `firebase.py` and `jwt.py` implement it; `principal.py` uses it.
"""

from __future__ import annotations

import base64
from collections import Counter
from collections.abc import Mapping
from typing import Literal, Protocol

import msgspec
import structlog

from orchestrator.auth import names
from orchestrator.clock import Clock
from orchestrator.errors import Refused
from orchestrator.model import Principal

_log = structlog.get_logger("auth")

TOKEN_MAX_CHARS = 16 * 1024
"""Issuers put groups and permissions into their tokens; much more than this is no token."""
SKEW_S = 10
"""How far the issuer's clock and ours may differ."""
NETWORK_S = 5.0
"""Longest wait for one answer of an issuer."""
RETRY_AFTER_S = 5.0
"""What a caller is told to wait when the issuer cannot be asked."""

_TELL_EVERY_S = 60.0
_TIME_MAX_S = 1e11
"""Some year in the fifth millennium; JSON can write numbers that are no time."""

Why = Literal[
    "malformed", "algorithm", "key", "signature", "not_yet", "expired", "issuer", "audience", "party", "claim",
    "tenant", "revoked", "disabled", "deleted",
]  # fmt: skip
"""What was wrong with a token, for the operator's log; callers hear `unauthorized` or `token_expired`."""


class IssuerDown(Exception):
    """The issuer could not be asked; the message is one word or two, without secrets."""


class Issuer(Protocol):
    """Somebody else who says who people are."""

    async def verify(self, token: str) -> Principal:
        """Refuses `unauthorized`, `token_expired`, `auth_unavailable`; no message holds the token."""
        ...

    async def still_valid(self, principal: Principal) -> Refused | None:
        """Return None when a principal of `verify` may stay, else why not: `unauthorized`, `auth_unavailable`."""
        ...

    def warm(self) -> None:
        """Begin to fetch what checking needs; called once, on the loop."""
        ...

    def close(self) -> None:
        """Let go of threads and connections; does not wait for calls that hang."""
        ...


def unavailable() -> Refused:
    """Return the refusal while the issuer cannot be asked."""
    return Refused("auth_unavailable", retry_after_s=RETRY_AFTER_S)


class Header(msgspec.Struct, frozen=True):
    """The head of a token, before anything in it is proved."""

    alg: str = ""
    kid: str | None = None


_decode_header = msgspec.json.Decoder(Header).decode


def header(token: str) -> Header | None:
    """Read a token's head; None when this is no token. Nothing in it is proved."""
    if len(token) > TOKEN_MAX_CHARS or not token.isascii() or token.count(".") != 2:
        return None
    segment = token.partition(".")[0]
    try:
        return _decode_header(base64.urlsafe_b64decode(segment + "=" * (-len(segment) % 4)))
    except (ValueError, RecursionError):
        return None


class Refusals:
    """Makes the refusals of one issuer, and tells the operator why, at most once a minute for each reason: a wrong
    setting shows, and a flood of forged tokens is not a flood of lines."""

    def __init__(self, issuer: str, clock: Clock) -> None:
        self._issuer = issuer
        self._clock = clock
        self._counts: Counter[Why] = Counter()
        self._told: dict[Why, float] = {}

    def refuse(self, why: Why, message: str | None = None) -> Refused:
        """Return the refusal for a token; nothing of the token is in it or in the log."""
        now = self._clock.monotonic()
        self._counts[why] += 1
        if now - self._told.get(why, -_TELL_EVERY_S) >= _TELL_EVERY_S:
            self._told[why] = now
            _log.info("Token refused", issuer=self._issuer, why=why, count=self._counts.pop(why))
        return Refused("token_expired" if why == "expired" else "unauthorized", message)


def principal(claims: Mapping[str, object], user_claim: str, *, account: str | None = None) -> Principal | None:
    """Return whose proved claims these are; None when they name nobody.

    An address counts only when the issuer has verified it: many let people sign up with anybody's.
    """
    name, ends_ms = claims.get(user_claim), _ms(claims.get("exp"))
    if user_claim == "email" and claims.get("email_verified") is not True:
        return None
    user = names.user_id(name) if isinstance(name, str) else None
    if user is None or not isinstance(name, str) or ends_ms is None:
        return None
    other_name = name if name != user else None
    # Operators are made by this server alone: no claim of another issuer makes one.
    return Principal(user, False, ends_ms, other_name, account, _ms(claims.get("iat")))


def _ms(seconds: object) -> int | None:
    """Read a NumericDate (RFC 7519, section 2)."""
    if isinstance(seconds, bool) or not isinstance(seconds, int | float) or not 0 < seconds < _TIME_MAX_S:
        return None
    return int(seconds * 1000)
