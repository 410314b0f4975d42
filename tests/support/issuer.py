"""Issuers of tokens on a loopback port: a JWKS for AUTH=jwt, and of Google what firebase-admin asks (certificates,
access tokens, accounts); keys, and tokens signed with them.

Owns what the server answers and how it fails. It must never know what the orchestrator makes of it.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import datetime
import json
import time
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, Literal

import firebase_admin._token_gen
import firebase_admin._user_mgt
import jwt
import pytest
from aiohttp import web
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.x509.oid import NameOID
from google.auth import credentials as google_credentials
from jwt.algorithms import get_default_algorithms

from orchestrator.clock import SystemClock

PROJECT = "our-project"
PrivateKey = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey
Mood = Literal["well", "error", "hangs", "html", "empty", "moved", "endless"]


@dataclass(frozen=True)
class Key:
    """A signing key of an issuer."""

    kid: str | None
    alg: str
    private: PrivateKey

    def jwk(self) -> dict[str, Any]:
        """The public half, as a JWKS has it."""
        made: Any = get_default_algorithms()[self.alg]
        members: dict[str, Any] = json.loads(made.to_jwk(self.private.public_key()))
        members |= {"alg": self.alg, "use": "sig"}
        return members | ({"kid": self.kid} if self.kid is not None else {})

    def public_pem(self) -> bytes:
        """The public half, as people paste it into settings."""
        form, encoding = serialization.PublicFormat.SubjectPublicKeyInfo, serialization.Encoding.PEM
        return self.private.public_key().public_bytes(encoding, form)

    def private_pem(self) -> str:
        """The private half, as a service account's key file holds it."""
        return self.private.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        ).decode()

    def certificate(self) -> str:
        """A certificate of the public half, as Google publishes it."""
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "securetoken.system.gserviceaccount.com")])
        now = datetime.datetime.now(datetime.UTC)
        made = x509.CertificateBuilder(name, name, self.private.public_key(), x509.random_serial_number())
        made = made.not_valid_before(now - datetime.timedelta(days=1))
        made = made.not_valid_after(now + datetime.timedelta(days=16))
        return made.sign(self.private, hashes.SHA256()).public_bytes(serialization.Encoding.PEM).decode()

    def sign(self, claims: dict[str, Any], **head: Any) -> str:
        """A token of these claims."""
        kid = {"kid": self.kid} if self.kid is not None else {}
        return jwt.encode(claims, self.private, algorithm=self.alg, headers=kid | head)


@cache
def key(kid: str | None, alg: str = "RS256", bits: int = 2048) -> Key:
    """The key of that name; the same one in all tests of a run."""
    match alg:
        case "ES256":
            return Key(kid, alg, ec.generate_private_key(ec.SECP256R1()))
        case "ES384":
            return Key(kid, alg, ec.generate_private_key(ec.SECP384R1()))
        case "EdDSA":
            return Key(kid, alg, ed25519.Ed25519PrivateKey.generate())
        case _:
            return Key(kid, alg, rsa.generate_private_key(65537, bits))


def segment(value: object) -> str:
    """One part of a token."""
    raw = value if isinstance(value, bytes) else json.dumps(value).encode()
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def by_hand(head: object, claims: object, signature: bytes = b"") -> str:
    """A token that no library would make."""
    return f"{segment(head)}.{segment(claims)}.{segment(signature)}"


class AheadClock(SystemClock):
    """The machine's clock, moved forward by tests; the libraries look at the machine's own."""

    def __init__(self) -> None:
        self.ahead_s = 0.0

    def monotonic(self) -> float:
        return super().monotonic() + self.ahead_s

    def wall_ms(self) -> int:
        return super().wall_ms() + round(self.ahead_s * 1000)


@dataclass
class Issuer:
    """Both issuers on one port."""

    url: str = ""
    mood: Mood = "well"
    keys: list[Key] = field(default_factory=list)
    accounts: dict[str, dict[str, Any]] = field(default_factory=dict)
    """What `accounts:lookup` knows: {"disabled": bool, "validSince": "seconds"} by uid."""
    access_token: str = "canary-access-token"
    asked: Counter[str] = field(default_factory=Counter)
    batches: list[int] = field(default_factory=list)
    """How many accounts each look-up asked about."""
    _runner: web.AppRunner | None = None
    _released: asyncio.Event = field(default_factory=asyncio.Event)

    @classmethod
    @contextlib.asynccontextmanager
    async def running(cls, *keys: Key) -> AsyncIterator[Issuer]:
        """Serve on a free port."""
        issuer = cls(keys=list(keys))
        await issuer.start()
        try:
            yield issuer
        finally:
            await issuer.stop()

    @property
    def issuer(self) -> str:
        """The `iss` of its tokens."""
        return f"{self.url}/"

    async def start(self) -> None:
        """Serve, again on the same port after `stop`."""
        app = web.Application()
        app.router.add_get("/.well-known/jwks.json", self._jwks)
        app.router.add_get("/certificates", self._certificates)
        app.router.add_post("/token", self._token)
        app.router.add_post(f"/v1/projects/{PROJECT}/accounts:lookup", self._lookup)
        self._runner = web.AppRunner(app, shutdown_timeout=0.1)
        await self._runner.setup()
        port = int(self.url.rpartition(":")[2]) if self.url else 0
        await web.TCPSite(self._runner, "127.0.0.1", port, reuse_address=True).start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}"

    async def stop(self) -> None:
        """Go away: connections are refused."""
        self._released.set()
        if self._runner is not None:
            await self._runner.cleanup()
        self._runner, self._released = None, asyncio.Event()

    def plays_google(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Take Google's place for firebase-admin: only the addresses that it asks are changed."""
        monkeypatch.setattr(firebase_admin._token_gen, "ID_TOKEN_CERT_URI", f"{self.url}/certificates")
        monkeypatch.setattr(firebase_admin._user_mgt.UserManager, "ID_TOOLKIT_URL", f"{self.url}/v1")
        # A third address, asked beside the work for a hint that is optional; it cannot be changed.
        credentials = google_credentials.CredentialsWithRegionalAccessBoundary
        monkeypatch.setattr(credentials, "_is_regional_access_boundary_lookup_required", lambda _: False)

    def claims(self, **changes: Any) -> dict[str, Any]:
        """What a token of this issuer says, Auth0's way; a change to None leaves the claim out."""
        now = int(time.time())
        base = {"iss": self.issuer, "sub": "ada", "aud": ["our-api"], "azp": "our-client", "iat": now, "exp": now + 600}
        return {name: value for name, value in (base | changes).items() if value is not None}

    def firebase_claims(self, **changes: Any) -> dict[str, Any]:
        """What a Firebase ID token says."""
        now = int(time.time())
        issuer = f"https://securetoken.google.com/{PROJECT}"
        about = {"identities": {}, "sign_in_provider": "password"}
        base = {"iss": issuer, "aud": PROJECT, "auth_time": now, "sub": "ada", "iat": now, "exp": now + 3600}
        return {name: value for name, value in (base | {"firebase": about} | changes).items() if value is not None}

    def service_account(self, directory: Path) -> Path:
        """A key file whose access tokens come from here."""
        path = directory / "service-account.json"
        members = {
            "type": "service_account",
            "project_id": PROJECT,
            "private_key_id": "k",
            "private_key": key("service").private_pem(),
            "client_email": f"server@{PROJECT}.iam.gserviceaccount.com",
            "client_id": "1",
            "token_uri": f"{self.url}/token",
        }
        path.write_text(json.dumps(members))
        return path

    async def _answer(self, path: str, well: object) -> web.Response:
        self.asked[path] += 1
        match self.mood:
            case "error":
                return web.Response(status=503, text="canary-issuer-page")
            case "hangs":
                await self._released.wait()
            case "html":
                return web.Response(text="<p>canary-issuer-page</p>", content_type="text/html")
            case "empty":
                return web.json_response({})
            case "moved":
                return web.Response(status=302, headers={"Location": f"{self.url}/elsewhere"})
            case "endless":
                return web.Response(body=b"[" * 400_000, content_type="application/json")
            case "well":
                pass
        return web.json_response(well, headers={"Cache-Control": "public, max-age=20000"})

    async def _jwks(self, _: web.Request) -> web.Response:
        return await self._answer("jwks", {"keys": [key.jwk() for key in self.keys]})

    async def _certificates(self, _: web.Request) -> web.Response:
        return await self._answer("certificates", {key.kid: key.certificate() for key in self.keys})

    async def _token(self, _: web.Request) -> web.Response:
        return await self._answer(
            "token", {"access_token": self.access_token, "expires_in": 3600, "token_type": "Bearer"}
        )

    async def _lookup(self, request: web.Request) -> web.Response:
        assert request.headers["Authorization"] == f"Bearer {self.access_token}"
        uids: list[str] = (await request.json())["localId"]
        self.batches.append(len(uids))
        users = [{"localId": uid} | self.accounts[uid] for uid in uids if uid in self.accounts]
        return await self._answer("lookup", {"users": users} if users else {})
