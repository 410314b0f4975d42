"""The route that plays a bot's phone: what the page's "Scan this code" does, and that it is nowhere else."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from orchestrator.api import routes
from orchestrator.demo.weather import Weather, prober
from tests.support.api import serving
from tests.support.rest import Rest
from tests.support.simulated import Simulated, simulated

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def world(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Simulated]:
    """One server for all tests of this file."""
    async with simulated(tmp_path_factory.mktemp("simulate") / "data") as running:
        yield running


async def _play(rest: Rest, bot: str, play: str, **members: object) -> None:
    assert (await rest("POST", f"/bots/{bot}/simulate", {"play": play, **members})).ok(204) is None


async def _offered(world: Simulated, rest: Rest, **members: object) -> str:
    bot = str((await rest("POST", "/bots", {"name": "support", **members})).ok(201)["id"])
    await world.until(rest, bot, lambda seen: seen["status"] == "awaiting_scan")
    return bot


async def test_scan_and_live(world: Simulated) -> None:
    """The code on offer is scanned, a contact writes, the line drops and comes back, the device is removed."""
    ada = world.someone()
    bot = await _offered(world, ada)
    await _play(ada, bot, "scan")
    await world.until(ada, bot, lambda seen: seen["status"] == "connected")
    (await ada("POST", f"/bots/{bot}/simulate", {"play": "scan"})).refused("no_code_on_offer")
    await _play(ada, bot, "text", phone="+4917012345678", name="Mia", text="Are you open today?")

    async def messages() -> dict[str, Any]:
        return dict((await ada("GET", f"/bots/{bot}/messages")).ok(200))

    found = await world.server.poll(messages, lambda seen: seen["messages"])
    (message,) = found["messages"]
    assert (message["data"]["text"], message["data"]["pushName"]) == ("Are you open today?", "Mia")
    await _play(ada, bot, "drop")
    await world.until(ada, bot, lambda seen: seen["status"] == "reconnecting")
    await _play(ada, bot, "reconnect")
    await world.until(ada, bot, lambda seen: seen["status"] == "connected")
    await _play(ada, bot, "unlink")
    seen = await world.until(ada, bot, lambda seen: seen["status"] == "logged_out")
    assert seen["userAction"] == "link_again"


async def test_type_a_code(world: Simulated) -> None:
    """With a phone number the pairing code is typed; without one asked for there is none."""
    ada = world.someone()
    bot = await _offered(world, ada)
    (await ada("POST", f"/bots/{bot}/simulate", {"play": "enter_code"})).refused("no_code_on_offer")
    (await ada("POST", f"/bots/{bot}/pairing-code", {"phone": "+4915112345678"})).ok(200)
    await _play(ada, bot, "enter_code")
    await world.until(ada, bot, lambda seen: seen["status"] == "connected")


async def test_what_cannot_be_played_says_why(world: Simulated) -> None:
    """Wrong plays name the field and the remedy; another user's bot is not there."""
    ada, eve = world.someone(), world.someone()
    bot = await _offered(world, ada, start=True)
    path = f"/bots/{bot}/simulate"
    (await eve("POST", path, {"play": "scan"})).refused("not_found")
    (await ada("POST", path, {"play": "dance"})).refused("invalid_field", "play")
    (await ada("POST", path, {"play": "drop"})).refused("invalid_field", "play")
    (await ada("POST", path, {"play": "text", "text": "hi"})).refused("invalid_field", "phone")
    (await ada("POST", path, {"play": "text", "phone": "4917012345678"})).refused("invalid_field", "text")
    (await ada("POST", f"/bots/{bot}/stop")).ok(202)
    await world.until(ada, bot, lambda seen: seen["status"] == "stopped")
    (await ada("POST", path, {"play": "scan"})).refused("no_code_on_offer")
    (await ada("POST", path, {"play": "unlink"})).refused("invalid_field", "play")


async def test_only_a_simulated_server_has_it(world: Simulated, tmp_path: Path) -> None:
    """Where there is a WhatsApp the address does not exist, and OpenAPI does not speak of it."""
    path = "/api/v1/bots/{bot}/simulate"
    assert path in (await world.someone()("GET", "//openapi.json")).ok(200)["paths"]
    assert path not in {prefix + route.path for prefix, route in routes.all_routes()}
    async with serving(tmp_path) as api:
        (await api.by("ada")("POST", "/bots/bot_1/simulate", {"play": "scan"})).refused("not_found")


async def test_the_weather(tmp_path: Path) -> None:
    """A simulated server's probe finds what was written down, and asks no network."""
    probe, weather = prober(tmp_path), Weather(tmp_path)
    assert await probe(None) == "ok"
    weather.set("dns_failed")
    assert await probe(None) == "dns_failed" and await probe("http://192.0.2.1:8080") == "dns_failed"
    weather.set(None)
    assert await probe(None) == "ok" and await probe("socks5://192.0.2.1:9") == "proxy_failed"
