"""REST about proxies: whether one works, before a bot is given it.

Owns what is told about it: that it works or does not, so that nobody maps a network through us. Read
`orchestrator/proxies.py` for which ones may be tried.
"""

from __future__ import annotations

from aiohttp import web

from orchestrator.api import schema
from orchestrator.api.http import Call, Route, reply


async def check_proxy(call: Call) -> web.StreamResponse:
    body: schema.CheckProxy = call.body
    proxy = schema.checked_proxy(body.proxy)
    call.spend("proxy_check")
    works = await call.parts.proxy_check(proxy)
    return reply(schema.ProxyChecked(works, None if works else "proxy_failed"))


ROUTES = (
    Route(
        "POST",
        "/proxy-checks",
        check_proxy,
        "Try a proxy; 10 an hour",
        schema.ProxyChecked,
        200,
        schema.CheckProxy,
        codes=("invalid_field",),
        once=True,
    ),
)
"""Under /api/v1."""
