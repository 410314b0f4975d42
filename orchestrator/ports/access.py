"""Who somebody is, and whether they still may: as REST, the socket and the page see it.

Implemented by the auth room; joined in `app.py`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from orchestrator.errors import Refused
from orchestrator.model import Principal


class Tokens(Protocol):
    """Token or session cookie to principal: one function for REST, socket and page. Implemented in `auth/`."""

    async def verify(self, token: str) -> Principal:
        """Refuses `unauthorized`, `token_expired`, `auth_unavailable`; no message holds the token."""
        ...


class Rechecks(Protocol):
    """Whether what was proved at connect still holds. The gateway asks for every live socket every 5 minutes; `principal`
    is what `verify` made of the socket's latest token. Optional: an AUTH whose tokens cannot be revoked needs none.
    Implemented in `auth/`."""

    async def still_valid(self, principal: Principal, token: str) -> Refused | None:
        """Return None when the user may stay, else why not. Never raises for an expected refusal.

        `token` is the one last verified for this socket (a secret) and may have ended since: its end alone is no reason,
        the gateway knows it. `revoked`, `unauthorized`: the user's access was withdrawn (signed out everywhere,
        disabled, deleted) and the socket is closed `revoked`. `auth_unavailable`: nobody could be asked; the socket
        stays and is asked about again.
        """
        ...


@dataclass(frozen=True, slots=True)
class SignedIn:
    """A page session: the cookie's value (a secret) and whose it is."""

    cookie: str
    principal: Principal
    expires_at_ms: int


class SignIn(Protocol):
    """One-time codes and cookie sessions of the bundled page. Implemented in `auth/`."""

    def user_id(self, named: str) -> str:
        """Return the id of the user an operator names, also as their issuer writes it. Refuses `invalid_field`."""
        ...

    def code(self, user: str, *, operator: bool) -> tuple[str, int]:
        """Return a one-time code (a secret) and when it ends, in ms: one use, 5 minutes."""
        ...

    async def swap(self, code: str) -> SignedIn:
        """Use a code up. Refuses `unauthorized`."""
        ...

    async def cookie(self, value: str) -> Principal:
        """Return whose cookie this is. Refuses `unauthorized`, `token_expired`."""
        ...

    async def sign_out(self, value: str) -> None:
        """End the session for good; unknown values are fine."""
        ...

    def fresh_token(self, principal: Principal) -> tuple[str, int]:
        """Return a token of 10 minutes for the signed-in page, and when it ends, in ms."""
        ...
