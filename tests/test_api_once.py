"""Idempotency-Key on every POST, also where the answer is a secret: answered again, and never on disk."""

from __future__ import annotations

from pathlib import Path

from aiohttp import web

from orchestrator.api.once import SECRET_KEEP_S, SecretAnswers
from orchestrator.api.routes import all_routes
from tests.support.api import serving
from tests.support.simulated import simulated

KEY = {"Idempotency-Key": "k-1"}


def test_every_post_honours_it() -> None:
    """A new operation cannot forget it."""
    posts = [(prefix + route.path, route) for prefix, route in all_routes() if route.method == "POST"]
    assert len(posts) > 8
    assert [path for path, route in posts if not (route.once or route.secret or route.upload)] == []


async def test_a_secret_is_answered_again_for_a_minute(tmp_path: Path) -> None:
    """Whoever lost the answer gets it again; afterwards the request is a new one, and another body never is."""
    async with serving(tmp_path) as api:
        ada, root = api.by("ada"), api.by("root", operator=True)
        first = (await ada("POST", "/session/code", {}, headers=KEY)).ok(200)
        assert (await ada("POST", "/session/code", {}, headers=KEY)).ok(200) == first
        (await ada("POST", "/session/code", {"userId": "ada"}, headers=KEY)).refused("idempotency_conflict")
        assert (await root("POST", "/session/code", {}, headers=KEY)).ok(200)["code"] != first["code"]
        assert (await ada("POST", "/session/code", {})).ok(200)["code"] != first["code"]
        api.clock.advance(SECRET_KEEP_S + 1)
        later = (await ada("POST", "/session/code", {}, headers=KEY)).ok(200)
        assert later["code"] != first["code"]
        assert (await ada("POST", "/session/code", {}, headers=KEY)).ok(200) == later
        (await ada("POST", "/session/code", {"userId": "ada"}, headers=KEY)).refused("idempotency_conflict")
        api.clock.advance(24 * 3600)
        ada = api.by("ada")
        (await ada("POST", "/session/code", {"userId": "ada"}, headers=KEY)).ok(200)
        assert api.failures == []
    stored = b"".join(path.read_bytes() for path in tmp_path.rglob("*.db*"))
    assert first["code"].encode() not in stored and later["code"].encode() not in stored


async def test_a_lost_answer_does_not_burn_the_code(tmp_path: Path) -> None:
    """A code is swapped once; the same request again gets the same cookie, another key or body does not."""
    async with serving(tmp_path) as api:
        page = api.rest.as_(None, Origin=f"http://{api.host}")
        code = (await api.by("ada")("POST", "/session/code", {})).ok(200)["code"]
        first = await page("POST", "/session", {"code": code}, headers=KEY)
        again = await page("POST", "/session", {"code": code}, headers=KEY)
        assert (again.ok(200), again.cookies) == (first.ok(200), first.cookies) and again.cookies
        assert again.headers["Cache-Control"] == "no-store"
        (await page("POST", "/session", {"code": code})).refused("unauthorized")
        (await page("POST", "/session", {"code": code}, headers={"Idempotency-Key": "k-2"})).refused("unauthorized")
        (await page("POST", "/session", {"code": "x" * 20}, headers=KEY)).refused("unauthorized")
        api.clock.advance(SECRET_KEEP_S + 1)
        (await page("POST", "/session", {"code": code}, headers=KEY)).refused("unauthorized")


def test_memory_is_bounded() -> None:
    """So many answers are kept, the newest, and none for longer than it may be asked for."""
    secrets = SecretAnswers()
    for number in range(1200):
        secrets.keep(("ada", f"k-{number}", b""), web.Response(body=b"secret"), now=number / 100)
    assert len(secrets) == 1000
    assert secrets.find(("ada", "k-199", b""), 12.0) is None and secrets.find(("ada", "k-200", b""), 12.0) is not None
    assert secrets.find(("ada", "k-1199", b""), 12.0 + SECRET_KEEP_S) is None
    secrets.keep(("ada", "last", b""), web.Response(body=b"secret"), now=12.0 + SECRET_KEEP_S)
    assert len(secrets) == 1


async def test_a_pairing_code_is_asked_for_once(tmp_path: Path) -> None:
    """The same code to whoever asks again, no second attempt; and an empty answer is remembered like any other."""
    async with simulated(tmp_path / "data") as world:
        ada = world.by("ada")
        bot = (await ada("POST", "/bots", {"name": "b", "start": False})).ok(201)["id"]
        body = {"phone": "+4915112345678"}
        first = (await ada("POST", f"/bots/{bot}/pairing-code", body, headers=KEY)).ok(200)
        assert (await ada("POST", f"/bots/{bot}/pairing-code", body, headers=KEY)).ok(200) == first
        other = await ada("POST", f"/bots/{bot}/pairing-code", {"phone": "+4915112345679"}, headers=KEY)
        other.refused("idempotency_conflict")
        attempt = (await ada("GET", f"/bots/{bot}")).ok(200)["link"]["attempt"]
        play = {"Idempotency-Key": "k-play"}
        for _ in range(2):
            (await ada("POST", f"/bots/{bot}/simulate", {"play": "enter_code"}, headers=play)).ok(204)
        assert attempt == 1
    for path in (tmp_path / "data").rglob("*.db*"):
        assert first["code"].encode() not in path.read_bytes()
