"""Linking over REST, on a whole server with simulated phones: attempts, their limit, whom they expect."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.support.rest import Rest
from tests.support.simulated import Simulated, simulated

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def world(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Simulated]:
    """One server for all tests of this file; each test is a user of its own."""
    async with simulated(tmp_path_factory.mktemp("linking") / "data") as running:
        yield running


async def _create(rest: Rest, **members: object) -> str:
    return str((await rest("POST", "/bots", {"name": "support", **members})).ok(201)["id"])


async def test_link_is_idempotent_and_stop_cancels(world: Simulated) -> None:
    """While an attempt runs another `link` joins it; `stop` cancels within a second; the next is a new attempt."""
    ada = world.someone()
    bot = await _create(ada)
    first = await world.until(ada, bot, lambda seen: seen["status"] == "awaiting_scan")
    again = (await ada("POST", f"/bots/{bot}/link", {"method": "qr"})).ok(202)
    assert again["link"]["attempt"] == first["link"]["attempt"] and again["statusVersion"] == first["statusVersion"]
    (await ada("POST", f"/bots/{bot}/stop", {})).ok(202)
    stopped = await world.until(ada, bot, lambda seen: seen["status"] == "stopped", timeout_s=1.0)
    assert (stopped["link"], stopped["desired"]) == (None, "stopped")
    (await ada("POST", f"/bots/{bot}/link", {})).ok(202)
    fresh = await world.until(ada, bot, lambda seen: seen["status"] == "awaiting_scan")
    assert fresh["link"]["attempt"] == first["link"]["attempt"] + 1


async def test_an_expected_number(world: Simulated) -> None:
    """It is given with the bot, refused like any number, shown to nobody, and gone once null was sent."""
    ada = world.someone()
    wrong = {"name": "front desk", "expectedPhone": "twelve"}
    (await ada("POST", "/bots", wrong)).refused("invalid_field", "expectedPhone")
    assert (await ada("GET", "/bots")).ok(200)["bots"] == []
    bot = await _create(ada, expectedPhone="+49 151 99999999")
    await world.until(ada, bot, lambda seen: seen["status"] == "awaiting_scan")
    await world.phone(bot).do("scan")
    ended = await world.until(ada, bot, lambda seen: seen["status"] == "login_expired")
    assert ended["reason"]["code"] == "wrong_number" and "4915199999999" not in json.dumps(ended)
    (await ada("POST", f"/bots/{bot}/link", {"expectedPhone": None})).ok(202)
    await world.until(ada, bot, lambda seen: seen["status"] == "awaiting_scan")
    await world.phone(bot).do("scan")
    await world.until(ada, bot, lambda seen: seen["status"] == "connected")


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"method": "code"}, "phone"),
        ({"method": "code", "phone": "12"}, "phone"),
        ({"method": "sms"}, "method"),
        ({"expectedPhone": "twelve"}, "expectedPhone"),
        ({"expected_phone": "4915112345678"}, "expected_phone"),
    ],
)
async def test_link_refuses(world: Simulated, body: dict[str, object], field: str) -> None:
    """A wrong linking request starts nothing."""
    ada = world.someone()
    bot = await _create(ada, start=False)
    (await ada("POST", f"/bots/{bot}/link", body)).refused("invalid_field", field)
    assert (await ada("GET", f"/bots/{bot}")).ok(200)["status"] == "stopped"


async def test_too_many_link_attempts(world: Simulated) -> None:
    """After the attempts of an hour the next is refused and says when to come back."""
    ada = world.someone()
    bot = await _create(ada, start=False)
    for _ in range(10):
        (await ada("POST", f"/bots/{bot}/link", {})).ok(202)
        (await ada("POST", f"/bots/{bot}/stop", {})).ok(202)
        await world.until(ada, bot, lambda seen: seen["status"] == "stopped")
    answer = await ada("POST", f"/bots/{bot}/link", {})
    found = answer.refused("too_many_link_attempts")
    assert 3500_000 < found["retryAfterMs"] <= 3600_000 and int(answer.headers["Retry-After"]) <= 3600
    (await ada("POST", f"/bots/{bot}/pairing-code", {"phone": "4915112345678"})).refused("too_many_link_attempts")
