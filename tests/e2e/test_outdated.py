"""A version WhatsApp no longer takes, with the real library: one refusal, one incident, nobody else runs into it."""

from __future__ import annotations

from tests.e2e.journeys import create, linked
from tests.loopback.faults import LoginFailure
from tests.loopback.server import LoopbackServer
from tests.support.server import Json, Server


async def test_a_refused_version_holds_starts(server: Server, whatsapp: LoopbackServer) -> None:
    """405 at a login: `outdated`, one open incident that names the library; a new bot waits and never connects. It
    outlives a kill, and the first login of the next start ends it: both come back."""
    bot, _, _ = await linked(server, whatsapp)
    whatsapp.faults.login_failure = whatsapp.faults.pairing_failure = LoginFailure(405)
    await server.call("POST", f"/bots/{bot}/restart")
    await server.bot_until(bot, lambda seen: seen["status"] == "outdated", timeout_s=30)

    async def incidents() -> Json:
        return dict(await server.call("GET", "/incidents"))

    (told,) = (await server.poll(incidents, lambda seen: seen["open"] == 1))["incidents"]
    assert (told["kind"], told["botIds"]) == ("client_outdated", [bot]) and told["library"].startswith("neonize ")
    other = await create(server)
    held = await server.bot_until(other, lambda seen: seen["reason"])
    assert (held["status"], held["reason"]["code"]) == ("starting", "held_by_incident")
    assert whatsapp.ledger.count("login_refused") == 1, "nobody else ran into it"
    whatsapp.faults.login_failure = whatsapp.faults.pairing_failure = None
    await server.kill()
    await server.start()
    await server.bot_until(bot, lambda seen: seen["status"] == "connected", timeout_s=40)
    await server.bot_until(other, lambda seen: seen["status"] == "awaiting_scan", timeout_s=40)
    (over,) = (await server.poll(incidents, lambda seen: seen["open"] == 0))["incidents"]
    assert over["id"] == told["id"] and over["until"] is not None
