"""AUTH=jwt: tokens of any issuer with a JWKS address, Clerk and Auth0 among them.

Owns checking one token against the issuer's keys and fetching these. It must never know a socket or REST. Only the
algorithms below, each with a key made for it: the key decides, never the token's head, so neither `none` nor a public
key used as an HMAC secret gets anywhere. When keys are fetched is `keys.py`'s; read `principal.py` next.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import aiohttp
import jwt

from orchestrator.auth.issuer import NETWORK_S, SKEW_S, Header, IssuerDown, Refusals, Why, header, principal
from orchestrator.auth.keys import Keys
from orchestrator.clock import Clock
from orchestrator.errors import Refused
from orchestrator.model import Principal
from orchestrator.tasks import Tasks

ALGORITHMS = frozenset({"RS256", "ES256", "EdDSA"})
_KEYS_MAX_BYTES = 256 * 1024

_NO_ID = ""
"""Under which a key without an id is kept."""


@dataclass(frozen=True, slots=True)
class JwtSettings:
    """What tokens must say. At least one of `audience` and `authorized_parties` is needed: without both, a token that
    the issuer made for another application would do."""

    jwks_url: str
    issuer: str
    audience: tuple[str, ...]
    """`aud` must hold one of these; empty: not looked at (Clerk's session tokens have none)."""
    authorized_parties: tuple[str, ...]
    """`azp` must be one of these; empty: not looked at."""
    user_claim: str = "sub"


class JwtIssuer:
    """An `Issuer` known by its JWKS address."""

    def __init__(self, settings: JwtSettings, clock: Clock, tasks: Tasks) -> None:
        self._settings = settings
        self._refusals = Refusals("jwt", clock)
        self._keys: Keys[jwt.PyJWK] = Keys(lambda: fetch(settings.jwks_url), clock, tasks)

    def warm(self) -> None:
        """See `Issuer.warm`."""
        self._keys.warm()

    async def verify(self, token: str) -> Principal:
        """See `Issuer.verify`."""
        head = header(token)
        if head is None:
            raise self._refusals.refuse("malformed")
        if head.alg not in ALGORITHMS:
            raise self._refusals.refuse("algorithm")
        key = _chosen(await self._keys.get(head.kid), head)
        if key is None:
            raise self._refusals.refuse("key")
        checked = check(token, key, self._settings)
        if isinstance(checked, Principal):
            return checked
        raise self._refusals.refuse(checked)

    async def still_valid(self, _: Principal) -> Refused | None:
        """See `Issuer.still_valid`: a token of such an issuer is good until its end; nobody can be asked."""
        return None

    def close(self) -> None:
        """See `Issuer.close`: there is nothing to let go of."""


def _chosen(keys: Mapping[str, jwt.PyJWK], head: Header) -> jwt.PyJWK | None:
    """Return the key a token names; one that names none is good with an only key."""
    if head.kid is None:
        return next(iter(keys.values())) if len(keys) == 1 else None
    return keys.get(head.kid)


def check(token: str, key: jwt.PyJWK, settings: JwtSettings) -> Principal | Why:
    """Check signature and claims against one key of the issuer; return whose token it is, or what is wrong with it."""
    try:
        claims: dict[str, Any] = jwt.decode(
            token,
            key,
            algorithms=[key.algorithm_name],
            issuer=settings.issuer,
            audience=settings.audience or None,
            leeway=SKEW_S,
            options={
                "require": ["exp", "iss"],
                "verify_aud": bool(settings.audience),
                "enforce_minimum_key_length": True,
            },
        )
    except (jwt.PyJWTError, ValueError, TypeError, OverflowError) as error:
        return _why(error)
    if settings.authorized_parties and claims.get("azp") not in settings.authorized_parties:
        return "party"
    return principal(claims, settings.user_claim) or "claim"


def _why(error: Exception) -> Why:
    """Name what the library found; its text may hold pieces of the token and goes nowhere."""
    match error:
        case jwt.ExpiredSignatureError():
            return "expired"
        case jwt.ImmatureSignatureError():
            return "not_yet"
        case jwt.InvalidIssuerError():
            return "issuer"
        case jwt.InvalidAudienceError():
            return "audience"
        case jwt.InvalidSignatureError():
            return "signature"
        case jwt.InvalidAlgorithmError():
            return "algorithm"
        case jwt.InvalidKeyError():
            return "key"
        case jwt.MissingRequiredClaimError():
            return "claim"
        case _:
            return "malformed"


async def fetch(url: str) -> Mapping[str, jwt.PyJWK]:
    """Fetch a JWKS: the keys that tokens may be signed with, by id.

    Raises:
        IssuerDown: no answer in time, or none that holds such a key.
    """
    try:
        async with (
            aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=NETWORK_S), trust_env=True) as session,
            session.get(url, allow_redirects=False, headers={"Accept": "application/json"}) as answer,
        ):
            if answer.status != 200:
                raise IssuerDown(f"status {answer.status}")
            raw = await _read(answer)
    except TimeoutError:
        raise IssuerDown("timeout") from None
    except (aiohttp.ClientError, OSError):
        raise IssuerDown("no connection") from None
    keys = _usable(raw)
    if not keys:
        raise IssuerDown("no usable keys")
    return keys


async def _read(answer: aiohttp.ClientResponse) -> bytes:
    raw = bytearray()
    async for chunk in answer.content.iter_any():
        raw += chunk
        if len(raw) > _KEYS_MAX_BYTES:
            raise IssuerDown("answer too large")
    return bytes(raw)


def _usable(raw: bytes) -> dict[str, jwt.PyJWK]:
    try:
        keys = jwt.PyJWKSet.from_json(raw.decode()).keys
    except (jwt.PyJWTError, ValueError, TypeError, RecursionError, AttributeError):
        return {}
    return {
        key.key_id or _NO_ID: key
        for key in keys
        if key.algorithm_name in ALGORITHMS
        and key.public_key_use in {None, "sig"}
        and isinstance(key.key_id, str | None)
    }
