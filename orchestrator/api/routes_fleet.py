"""REST about how things went: bots' histories for their users; the fleet and its incidents for operators.

Owns these handlers only. Read `http.py` for the boundary around them.
"""

from __future__ import annotations

from aiohttp import web

from orchestrator.api import schema
from orchestrator.api.http import Call, Route, reply
from orchestrator.errors import Refused, invalid
from orchestrator.ports import BotHistory, FleetHistory, FleetNow, IncidentList
from orchestrator.ports.histories import MOST_HOURS
from orchestrator.ports.operations import HISTORY_HOURS

MOST_RIBBON_HOURS = 48
MOST_INCIDENT_HOURS = 90 * 24


async def bot_history(call: Call) -> web.StreamResponse:
    hours = call.number("hours", 24, 1, MOST_HOURS)
    return reply(await call.parts.histories.of(call.user(), call.request.match_info["bot"], hours))


async def ribbons(call: Call) -> web.StreamResponse:
    hours = call.number("hours", 24, 1, MOST_RIBBON_HOURS)
    return reply(schema.Ribbons(await call.parts.histories.ribbons(call.user(), hours)))


async def fleet(call: Call) -> web.StreamResponse:
    _operator(call)
    return reply(call.parts.operations.now())


async def fleet_history(call: Call) -> web.StreamResponse:
    _operator(call)
    hours = call.number("hours", 24, 1, MOST_HOURS)
    if hours not in HISTORY_HOURS:
        raise invalid("hours", f"hours: give one of {', '.join(map(str, HISTORY_HOURS))}")
    return reply(await call.parts.operations.history(hours))


async def incidents(call: Call) -> web.StreamResponse:
    _operator(call)
    hours = call.number("hours", MOST_HOURS, 1, MOST_INCIDENT_HOURS)
    return reply(await call.parts.operations.incidents(hours))


def _operator(call: Call) -> None:
    if not call.principal.operator:
        raise Refused("forbidden")


_USER = ("userId", "another user's, for operators")

ROUTES = (
    Route(
        "GET",
        "/bots/{bot}/history",
        bot_history,
        "A bot's status in half hours",
        BotHistory,
        codes=("not_found", "forbidden", "invalid_field"),
        query=(("hours", f"1 to {MOST_HOURS}, 24"), _USER),
    ),
    Route(
        "GET",
        "/history",
        ribbons,
        "The same of all bots, in short: what to show for each half hour",
        schema.Ribbons,
        codes=("forbidden", "invalid_field"),
        query=(("hours", f"1 to {MOST_RIBBON_HOURS}, 24"), _USER),
    ),
    Route("GET", "/fleet", fleet, "The fleet's figures (operators)", FleetNow, codes=("forbidden",)),
    Route(
        "GET",
        "/fleet/history",
        fleet_history,
        "The fleet over time, with its incidents (operators)",
        FleetHistory,
        codes=("forbidden", "invalid_field"),
        query=(("hours", f"{', '.join(map(str, HISTORY_HOURS))}; 24"),),
    ),
    Route(
        "GET",
        "/incidents",
        incidents,
        "Incidents: open ones first, then the newest (operators)",
        IncidentList,
        codes=("forbidden", "invalid_field"),
        query=(("hours", f"how long ago they may have ended: 1 to {MOST_INCIDENT_HOURS}, {MOST_HOURS}"),),
    ),
)
