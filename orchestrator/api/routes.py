"""Where every address is mounted: REST, system routes, OpenAPI, its page, and the bundled page at `/`.

Owns the table of routes. Read `http.py` for the boundary.
"""

from __future__ import annotations

from functools import partial

import aiohttp.typedefs
from aiohttp import web

from orchestrator.api import (
    openapi,
    routes_account,
    routes_bots,
    routes_fleet,
    routes_media,
    routes_messages,
    routes_proxies,
    routes_simulate,
)
from orchestrator.api.http import MAX_BODY_BYTES, TASKS, Parts, Route, boundary, handle, reply
from orchestrator.api.static_files import add_files, built
from orchestrator.api.streams import STREAMS, Streams, StreamSettings

API = "/api/v1"


def all_routes(*, simulated: bool = False) -> list[tuple[str, Route]]:
    """Return every documented operation with its prefix; with `simulated` also those that play phones."""
    rooms = (routes_account, routes_bots, routes_messages, routes_media, routes_proxies, routes_fleet)
    rest = [(API, route) for room in rooms for route in room.ROUTES]
    rest += [(API, route) for route in routes_simulate.ROUTES if simulated]
    return [*rest, *(("", route) for route in routes_account.SYSTEM_ROUTES)]


def make_app(
    parts: Parts, version: str, *middlewares: aiohttp.typedefs.Middleware, streams: StreamSettings | None = None
) -> web.Application:
    """Build the HTTP application; the gateway attaches its socket to it afterwards."""
    app = web.Application(middlewares=[*middlewares, boundary], client_max_size=MAX_BODY_BYTES)
    app[TASKS] = parts.tasks
    app[STREAMS] = Streams(streams)
    app.on_shutdown.append(_end_streams)
    mounted = all_routes(simulated=parts.phones is not None)
    for prefix, route in mounted:
        add = app.router.add_get if route.method == "GET" else partial(app.router.add_route, route.method)
        add(prefix + route.path, handle(parts, route))
    document = openapi.document(mounted, version)

    async def describe(_: web.Request) -> web.StreamResponse:
        return reply(document)

    app.router.add_get("/openapi.json", describe)
    add_files(app, built())
    return app


async def _end_streams(app: web.Application) -> None:
    await app[STREAMS].drain()
