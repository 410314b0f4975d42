"""REST about how things went: histories for users, the fleet and its incidents for operators, on a whole server."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from tests.support.simulated import Simulated, simulated

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def world(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Simulated]:
    """One server for all tests of this file."""
    async with simulated(tmp_path_factory.mktemp("fleet") / "data", "--max-link-attempts-per-hour", "7") as running:
        yield running


async def test_a_bots_history(world: Simulated) -> None:
    """48 half hours, the last with what the bot has just been; the ribbon of all bots says the same in short."""
    ada, eve = world.someone(), world.someone()
    bot = await world.linked(ada)
    history = (await ada("GET", f"/bots/{bot}/history")).ok(200)
    assert len(history["slots"]) == 48 and history["slotMs"] == 1_800_000 and history["restarts"] == 0
    spent = {what for slot in history["slots"][-2:] for what in slot["ms"]}
    assert {"awaiting_scan", "connected"} <= spent
    assert history["slots"][0] == {"at": history["slots"][0]["at"], "status": None, "ms": {}, "restarts": 0}
    (ribbon,) = (await ada("GET", "/history", hours=1)).ok(200)["ribbons"]
    assert ribbon["botId"] == bot and len(ribbon["statuses"]) == 2
    assert (await eve("GET", "/history")).ok(200) == {"ribbons": []}
    (await eve("GET", f"/bots/{bot}/history")).refused("not_found")
    (await ada("GET", f"/bots/{bot}/history", hours=169)).refused("invalid_field", "hours")


async def test_the_fleet_is_the_operators(world: Simulated) -> None:
    """Figures, history and incidents are an operator's; nobody else learns even a number from them."""
    ada, boss = world.someone(), world.by("boss", operator=True)
    for path in ("/fleet", "/fleet/history", "/incidents"):
        (await ada("GET", path)).refused("forbidden")
    bot = await world.linked(ada, "front desk")
    fleet = (await boss("GET", "/fleet")).ok(200)
    assert fleet["bots"]["connected"] >= 1 and fleet["bots"]["total"] >= fleet["bots"]["connected"]
    seats = {one["id"]: (worker, one) for worker in fleet["workers"] for one in worker["bots"]}
    worker, seat = seats[bot]
    assert seat["name"] == "front desk" and worker["kind"] in {"own", "pool"} and worker["state"] == "up"
    assert worker["memoryBytes"] > 10_000_000 and worker["number"] >= 1
    assert fleet["sockets"]["duplicateUsers"] == 0 and fleet["sockets"]["replaced"] == 0
    assert fleet["flow"]["commitP95Ms"] is None or fleet["flow"]["commitP95Ms"] > 0


async def test_the_fleets_history_ends_now(world: Simulated) -> None:
    """One hour in minutes, a day in ten minutes, a week in hours; the last step is this moment."""
    boss = world.by("boss", operator=True)
    await world.linked(world.someone())
    for hours, steps in ((1, 60), (24, 144), (168, 168)):
        history = (await boss("GET", "/fleet/history", hours=hours)).ok(200)
        assert len(history["points"]) == steps
        assert history["points"][-1]["statuses"]["connected"] >= 1
    (await boss("GET", "/fleet/history", hours=2)).refused("invalid_field", "hours")


async def test_a_lost_worker_is_told(world: Simulated) -> None:
    """A worker that dies is an incident with its bots, counts in the figures, and its number lives on."""
    ada, boss = world.someone(), world.by("boss", operator=True)
    bot = await world.linked(ada)
    await world.phone(bot).die()
    await world.until(ada, bot, lambda seen: seen["status"] == "connected" and seen["restarts"] == 1)

    async def look() -> dict[str, object]:
        return dict((await boss("GET", "/incidents")).ok(200))

    found = await world.server.poll(look, lambda seen: seen["incidents"])
    lost = next(one for one in found["incidents"] if bot in one["botIds"])
    assert lost["kind"] == "worker_lost" and lost["title"].startswith("Worker ") and "signal 9" in lost["text"]
    assert lost["until"] is not None and found["open"] == 0 and not lost["holdsStarts"]
    assert (await boss("GET", "/fleet")).ok(200)["workerRestarts"] >= 1
    history = (await ada("GET", f"/bots/{bot}/history", hours=1)).ok(200)
    assert history["restarts"] == 1


async def test_who_and_what(world: Simulated) -> None:
    """The page learns what a user may, and that phones are played here."""
    me = (await world.someone()("GET", "/me")).ok(200)
    assert me["limits"] == {"bots": 20, "linkAttemptsPerHour": 7} and me["operator"] is False
    version = (await world.someone()("GET", "/version")).ok(200)
    assert version["simulated"] is True and version["driver"] == "simulated" and version["serverTime"] > NOT_LONG_AGO


NOT_LONG_AGO = 1_700_000_000_000


@pytest.mark.system
async def test_the_past_survives_a_kill(tmp_path: Path) -> None:
    """Killed at any instant, the server answers the same about what it was: slots of bots, samples, incidents."""
    async with simulated(tmp_path / "data") as running:
        boss = running.by("boss", operator=True)
        bot = await running.linked(boss)
        await running.phone(bot).die()
        await running.until(boss, bot, lambda seen: seen["status"] == "connected" and seen["restarts"] == 1)

        async def sampled() -> dict[str, object]:
            return dict((await boss("GET", "/incidents")).ok(200))

        before = await running.server.poll(sampled, lambda seen: seen["incidents"])
        history = (await boss("GET", f"/bots/{bot}/history", hours=1)).ok(200)
        await running.server.kill()
        await running.server.start()
        assert (await boss("GET", "/incidents")).ok(200)["incidents"] == before["incidents"]
        again = (await boss("GET", f"/bots/{bot}/history", hours=1)).ok(200)
        assert again["restarts"] == 1
        spent = [sum(slot["ms"].get("awaiting_scan", 0) for slot in one["slots"]) for one in (history, again)]
        assert spent[0] == spent[1] > 0
