"""REST that plays a bot's phone: mounted only where there is no WhatsApp behind the server.

Owns this handler only. Read `http.py` for the boundary around it.
"""

from __future__ import annotations

from aiohttp import web

from orchestrator.api.http import Call, Route
from orchestrator.ports import Play


async def simulate(call: Call) -> web.StreamResponse:
    phones, bot = call.parts.phones, call.request.match_info["bot"]
    assert phones is not None, "mounted with phones only"
    await call.parts.fleet.bot(call.user(), bot)
    await phones.play(bot, call.body)
    return web.Response(status=204)


ROUTES = (
    Route(
        "POST",
        "/bots/{bot}/simulate",
        simulate,
        "Play the bot's phone, a contact or WhatsApp; only on a simulated server",
        None,
        204,
        Play,
        codes=("not_found", "forbidden", "no_code_on_offer", "invalid_field"),
        query=(("userId", "another user's, for operators"),),
        once=True,
    ),
)
