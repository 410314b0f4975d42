"""AUTH=firebase: ID tokens of one Firebase project, checked by firebase-admin.

Owns the library: its threads, its certificates, its questions about accounts. The only file that imports it, and nobody
imports this file unless AUTH says so. It must never know a socket or REST. The library's errors can hold the raw token:
their text goes nowhere. When certificates are fetched is `keys.py`'s, accounts are `accounts.py`'s; read `principal.py`
next.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import firebase_admin
import msgspec
import structlog
from firebase_admin import auth, credentials, exceptions
from google.auth import credentials as google_credentials
from google.auth import exceptions as google_exceptions

from orchestrator.auth.accounts import Account, Accounts
from orchestrator.auth.issuer import NETWORK_S, SKEW_S, IssuerDown, Refusals, Why, header, principal, unavailable
from orchestrator.auth.keys import Keys
from orchestrator.auth.threads import Threads
from orchestrator.clock import Clock
from orchestrator.errors import Refused
from orchestrator.model import Principal
from orchestrator.settings import FIREBASE_EMULATOR
from orchestrator.tasks import Tasks

_log = structlog.get_logger("auth")

_ALGORITHM = "RS256"
_CHECKERS, _ASKERS = 2, 4
"""Threads that check tokens, which needs no network, and threads that ask Google: one whose call was given up stays busy
until the library's own limits end it, some 15 s later."""
_CHECK_S = 5.0
_STANDING_MAX_AGE_S = 300.0
"""How long an answer about an account serves requests."""
_JUST_ASKED_S = 5.0
"""At connect a socket's token is checked and its account asked about anew: the answer to the first will do."""
_REMEMBERED = 10_000

Certificates = Mapping[str, str]
"""PEM by key id."""


@dataclass(frozen=True, slots=True)
class FirebaseSettings:
    """Which project, and how to ask about its users."""

    project_id: str
    credentials: Path | None
    """A service account's key file; None: accounts are not asked about, and a revoked token is good until its end."""
    user_claim: str = "uid"


@dataclass(frozen=True, slots=True)
class _Answer:
    """A `google.auth.transport.Response`."""

    data: bytes
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)


class _Kept:
    """A `google.auth.transport.Request` that hands over what has been fetched already: the library fetches its
    certificates for each token, waits up to 120 s for them by default, and forgets them in an outage."""

    def __init__(self) -> None:
        self.data = b"{}"

    def __call__(self, *_: object, **__: object) -> _Answer:
        return _Answer(self.data)


class FirebaseIssuer:
    """An `Issuer` for one project."""

    def __init__(self, settings: FirebaseSettings, clock: Clock, tasks: Tasks) -> None:
        """Raises ValueError with the remedy: credentials that cannot be used, the emulator's variable set."""
        if os.environ.get(FIREBASE_EMULATOR):
            raise ValueError(f"{FIREBASE_EMULATOR} is set: the library would accept unsigned tokens. Unset it.")
        self._settings = settings
        self._clock = clock
        self._refusals = Refusals("firebase", clock)
        options = {"projectId": settings.project_id, "httpTimeout": NETWORK_S}
        self._client: Any = auth.Client(firebase_admin.App("orchestrator", _credential(settings.credentials), options))
        # Two members of the pinned library that are not public; tests/test_auth_firebase.py fails when they move.
        verifier = self._client._token_verifier
        self._web, self._address = verifier.request, verifier.id_token_verifier.cert_url
        self._kept = verifier.request = _Kept()
        self._checkers, self._askers = Threads("firebase check", _CHECKERS), Threads("firebase ask", _ASKERS)
        self._keys: Keys[str] = Keys(self._fetch, clock, tasks)
        self._accounts = Accounts(self._look_up, clock, tasks) if settings.credentials is not None else None
        self._checked: dict[bytes, Principal] = {}
        """By the token's digest, oldest first."""

    def warm(self) -> None:
        """See `Issuer.warm`."""
        if self._accounts is None:
            _log.info("Revoked and disabled users stay until their token ends", setting="FIREBASE_CREDENTIALS")
        self._keys.warm()

    async def verify(self, token: str) -> Principal:
        """See `Issuer.verify`. A token that was checked before is not checked again until its end; its account is."""
        digest = hashlib.sha256(token.encode(errors="replace")).digest()
        who = self._checked.get(digest)
        if who is None or (who.expires_at_ms or 0) <= self._clock.wall_ms():
            who = await self._check(token)
            self._checked.pop(digest, None)
            self._checked[digest] = who
            while len(self._checked) > _REMEMBERED:
                del self._checked[next(iter(self._checked))]
        refused = await self._standing(who, _STANDING_MAX_AGE_S)
        if refused is not None:
            raise refused
        return who

    async def still_valid(self, principal: Principal) -> Refused | None:
        """See `Issuer.still_valid`."""
        return await self._standing(principal, _JUST_ASKED_S)

    def close(self) -> None:
        """See `Issuer.close`."""
        self._checkers.close()
        self._askers.close()

    # --- tokens -------------------------------------------------------------------------------------------------

    async def _check(self, token: str) -> Principal:
        head = header(token)
        if head is None:
            raise self._refusals.refuse("malformed")
        if head.alg != _ALGORITHM:
            raise self._refusals.refuse("algorithm")
        if head.kid is None or head.kid not in await self._keys.get(head.kid):
            raise self._refusals.refuse("key")
        try:
            checked = await self._checkers.call(lambda: self._claims(token), _CHECK_S)
        except TimeoutError:
            raise unavailable() from None
        if isinstance(checked, str):
            raise self._refusals.refuse(checked)
        about = checked.get("firebase")
        if isinstance(about, dict) and about.get("tenant") is not None:
            raise self._refusals.refuse("tenant")  # a tenant may give out uids that are another's in the project
        who = principal(checked, self._settings.user_claim, account=checked["uid"])
        if who is None:
            raise self._refusals.refuse("claim")
        return who

    def _claims(self, token: str) -> dict[str, Any] | Why:
        """Have the library check a token, in a thread."""
        try:
            claims: dict[str, Any] = self._client.verify_id_token(token, clock_skew_seconds=SKEW_S)
        except auth.ExpiredIdTokenError:
            return "expired"
        except (exceptions.FirebaseError, google_exceptions.GoogleAuthError, *_UNREADABLE) as error:
            return _why(error)
        return claims

    async def _fetch(self) -> Certificates:
        """Fetch the certificates as the library would have, with its own session and time limit."""
        try:
            raw = await self._askers.call(self._get_certificates, NETWORK_S)
            certificates = msgspec.json.decode(raw, type=dict[str, str])
        except TimeoutError:
            raise IssuerDown("timeout") from None
        except google_exceptions.TransportError:
            raise IssuerDown("no connection") from None
        except _UNREADABLE:
            raise IssuerDown("unreadable answer") from None
        if not certificates:
            raise IssuerDown("no certificates")
        self._kept.data = raw
        return certificates

    def _get_certificates(self) -> bytes:
        # The library's session caches; when to ask is decided in `keys.py` alone.
        answer = self._web(self._address, method="GET", headers={"Cache-Control": "no-cache"})
        if answer.status != 200:
            raise IssuerDown(f"status {answer.status}")
        return bytes(answer.data)

    # --- accounts -----------------------------------------------------------------------------------------------

    async def _standing(self, who: Principal, max_age_s: float) -> Refused | None:
        if self._accounts is None or who.account is None:
            return None
        try:
            account = await self._accounts.get(who.account, max_age_s)
        except IssuerDown:
            return unavailable()
        if account is None:
            return self._refusals.refuse("deleted", "This account no longer exists.")
        if account.disabled:
            return self._refusals.refuse("disabled", "This account is disabled.")
        if (who.issued_at_ms or 0) < account.valid_after_ms:
            return self._refusals.refuse("revoked", "This sign-in was revoked. Sign in again.")
        return None

    async def _look_up(self, uids: Sequence[str]) -> Mapping[str, Account]:
        def ask() -> Mapping[str, Account]:
            found = self._client.get_users([auth.UidIdentifier(uid) for uid in uids])
            return {user.uid: Account(user.disabled, user.tokens_valid_after_timestamp) for user in found.users}

        try:
            return await self._askers.call(ask, NETWORK_S)
        except TimeoutError:
            raise IssuerDown("timeout") from None
        except exceptions.FirebaseError as error:
            raise IssuerDown(str(error.code).lower()) from None
        except google_exceptions.GoogleAuthError as error:
            raise IssuerDown(type(error).__name__) from None
        except _UNREADABLE:
            raise IssuerDown("unreadable answer") from None


_UNREADABLE = (ValueError, TypeError, KeyError, AttributeError, OverflowError, RecursionError)
"""What the library raises over JSON of another shape than it expects."""

_WORDS: tuple[tuple[str, Why], ...] = (
    ('"aud"', "audience"),
    ('"iss"', "issuer"),
    ('"sub"', "claim"),
    ("too early", "not_yet"),
    ("signature", "signature"),
    ("key id", "key"),
)


def _why(error: Exception) -> Why:
    """Name what the library found by the words it uses; they choose a line of the log and nothing else."""
    text = str(error)
    return next((why for word, why in _WORDS if word in text), "malformed")


def _credential(path: Path | None) -> Any:
    """Return what the library asks Google with. Without a key file nobody: else it would look for one by itself."""
    if path is None:
        return google_credentials.AnonymousCredentials()  # type: ignore[no-untyped-call]
    try:
        return credentials.Certificate(str(path))
    except OSError as error:
        raise ValueError(f"FIREBASE_CREDENTIALS: {path} cannot be read: {error.strerror or error}") from None
    except _UNREADABLE:  # its text can hold pieces of the key
        raise ValueError(f"FIREBASE_CREDENTIALS: {path} is no service account's key file") from None
