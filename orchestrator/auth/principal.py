"""Who is calling: every token, one-time code and page session of every AUTH ends here as a `Principal`.

Owns one-time codes (in memory) and page sessions (by hash, in the store). It must never know HTTP, cookies' attributes
or a socket. `local.py` signs and checks; `issuer.py` is who else says who people are (`firebase.py`, `jwt.py`);
`orchestrator/store/sessions.py` keeps.
"""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass
from pathlib import Path

from orchestrator.auth import local, names
from orchestrator.auth.issuer import Issuer
from orchestrator.auth.local import LocalTokens
from orchestrator.clock import Clock
from orchestrator.errors import Refused, invalid
from orchestrator.model import Principal
from orchestrator.ports import SignedIn
from orchestrator.store.sessions import Sessions, Users

CODE_TTL_S = 5 * 60
SESSION_TTL_S = 30 * 86400
PAGE_TOKEN_TTL_S = 10 * 60
_CODES_MAX = 1000
_CODE_BYTES = 18
_COOKIE_BYTES = 32


@dataclass(frozen=True, slots=True)
class _Code:
    user: str
    operator: bool
    expires_at_ms: int


class Identity:
    """The `Tokens`, the `Rechecks` and the `SignIn` of one server."""

    def __init__(self, tokens: LocalTokens, sessions: Sessions, clock: Clock, issuer: Issuer | None = None) -> None:
        self._tokens = tokens
        self._issuer = issuer
        self._sessions = sessions
        self._clock = clock
        self._codes: dict[bytes, _Code] = {}

    async def verify(self, token: str) -> Principal:
        """See `Tokens.verify`. Our own tokens are good under every AUTH: the command line and the page use them."""
        if self._issuer is None or local.is_ours(token):
            return self._tokens.verify(token)
        return await self._issuer.verify(token)

    async def still_valid(self, principal: Principal, _: str) -> Refused | None:
        """See `Rechecks.still_valid`. Our own tokens cannot be revoked."""
        if self._issuer is None or principal.account is None:
            return None
        return await self._issuer.still_valid(principal)

    def user_id(self, named: str) -> str:
        """See `SignIn.user_id`."""
        user = names.meant(named) if self._issuer is not None or names.is_user_id(named) else None
        if user is None:
            raise invalid("userId", "userId: give 1 to 64 letters, digits, _ or -")
        return user

    def code(self, user: str, *, operator: bool) -> tuple[str, int]:
        """See `SignIn.code`. The oldest of very many unused codes give way."""
        now_ms = self._clock.wall_ms()
        self._codes = {known: code for known, code in self._codes.items() if code.expires_at_ms > now_ms}
        while len(self._codes) >= _CODES_MAX:
            del self._codes[next(iter(self._codes))]
        value = secrets.token_urlsafe(_CODE_BYTES)
        code = _Code(user, operator, now_ms + CODE_TTL_S * 1000)
        self._codes[_hash(value)] = code
        return value, code.expires_at_ms

    async def swap(self, code: str) -> SignedIn:
        """See `SignIn.swap`. The code is used up even when the session cannot be stored."""
        found = self._codes.pop(_hash(code), None)
        now_ms = self._clock.wall_ms()
        if found is None or found.expires_at_ms <= now_ms:
            raise Refused("unauthorized", "This code was used already or is too old. Run `orchestrator open`.")
        value = secrets.token_urlsafe(_COOKIE_BYTES)
        expires_at_ms = now_ms + SESSION_TTL_S * 1000
        await self._sessions.add(_hash(value), found.user, found.operator, expires_at_ms)
        return SignedIn(value, Principal(found.user, found.operator, None), expires_at_ms)

    async def cookie(self, value: str) -> Principal:
        """See `SignIn.cookie`."""
        session = await self._sessions.get(_hash(value))
        if session is None:
            raise Refused("unauthorized")
        if session.expires_at_ms <= self._clock.wall_ms():
            raise Refused("token_expired")
        return Principal(session.user, session.operator, None)

    async def sign_out(self, value: str) -> None:
        """See `SignIn.sign_out`."""
        await self._sessions.revoke(_hash(value))

    def fresh_token(self, principal: Principal) -> tuple[str, int]:
        """See `SignIn.fresh_token`."""
        return self._tokens.issue(principal.user, PAGE_TOKEN_TTL_S, operator=principal.operator)


class AtConnect:
    """The `Tokens` of sockets: the issuer is asked anew whether the user may still come in. A request may be answered
    from what was heard minutes ago; a socket lives for hours."""

    def __init__(self, identity: Identity) -> None:
        self._identity = identity

    async def verify(self, token: str) -> Principal:
        """See `Tokens.verify`."""
        who = await self._identity.verify(token)
        refused = await self._identity.still_valid(who, token)
        if refused is not None:
            raise refused
        return who


async def open_local(
    data_dir: Path, users: Users, sessions: Sessions, clock: Clock, issuer: Issuer | None = None
) -> Identity:
    """Prepare what every AUTH has: the key, the operator `local`, a fresh token file. AUTH=local has no `issuer`.

    Raises:
        ValueError: the key file is damaged; its text says what to do.
        OSError: the data directory cannot be written.
        Refused: `storage_unavailable`.
    """
    tokens = LocalTokens(local.open_key(data_dir), clock)
    await users.ensure(local.OPERATOR, operator=True)
    local.write_token_file(data_dir, tokens)
    return Identity(tokens, sessions, clock, issuer)


def _hash(secret: str) -> bytes:
    """What is kept of a secret. A fast hash is enough: the secrets hold 144 bits and more."""
    return hashlib.sha256(secret.encode()).digest()
