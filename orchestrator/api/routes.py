"""Where every address is mounted: REST, system routes, OpenAPI, its page, and the bundled page at `/`.

Owns the table of routes and the headers of static pages. Read `http.py` for the boundary.
"""

from __future__ import annotations

from functools import partial
from importlib import resources

import aiohttp.typedefs
from aiohttp import web

from orchestrator.api import (
    openapi,
    routes_account,
    routes_bots,
    routes_fleet,
    routes_messages,
    routes_proxies,
    routes_simulate,
)
from orchestrator.api.http import MAX_BODY_BYTES, TASKS, Parts, Route, boundary, handle, reply
from orchestrator.api.streams import STREAMS, Streams, StreamSettings

API = "/api/v1"

PAGES = {"/": "index.html", "/docs": "docs.html"}
ASSETS = {
    "/static/page.js": "page.js",
    "/static/page.css": "page.css",
    "/static/docs.js": "docs.js",
    "/favicon.svg": "favicon.svg",
}
_TYPES = {"html": "text/html", "js": "text/javascript", "css": "text/css", "svg": "image/svg+xml"}

PAGE_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-cache",
}


def all_routes(*, simulated: bool = False) -> list[tuple[str, Route]]:
    """Return every documented operation with its prefix; with `simulated` also those that play phones."""
    rooms = (routes_account, routes_bots, routes_messages, routes_proxies, routes_fleet)
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
    for address, name in {**PAGES, **ASSETS}.items():
        app.router.add_get(address, _static(name))
    return app


async def _end_streams(app: web.Application) -> None:
    await app[STREAMS].drain()


def _static(name: str) -> aiohttp.typedefs.Handler:
    body = resources.files("orchestrator.api").joinpath("static", name).read_bytes()
    content_type = _TYPES[name.rpartition(".")[2]]

    async def serve(_: web.Request) -> web.StreamResponse:
        return web.Response(body=body, content_type=content_type, charset="utf-8", headers=PAGE_HEADERS)

    return serve
