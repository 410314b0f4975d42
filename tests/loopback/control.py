"""The control port: ``operations.py`` over HTTP on loopback, for tests in other processes and languages.

``POST /OPERATION`` with a JSON object of its parameters answers ``{"ok": true, "result": …}`` or, with status 400,
``{"ok": false, "error": text}``; ``GET /`` answers every operation's parameters and meaning. Owns nothing but this
translation; it must never know what an operation does. Neighbour to read next: ``operations.py``.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from aiohttp import web

from tests.loopback.ledger import Timeout
from tests.loopback.operations import Operations
from tests.loopback.pairing import PairingRefused

if TYPE_CHECKING:
    from tests.loopback.server import LoopbackServer

LOOPBACK = "127.0.0.1"
EXPECTED_ERRORS = (ValueError, TypeError, KeyError, RuntimeError, TimeoutError, Timeout, PairingRefused)
"""What an operation raises when its caller is to be told; anything else is a bug of the server's."""


@asynccontextmanager
async def serving(server: LoopbackServer, port: int = 0) -> AsyncIterator[str]:
    """Serve the operations of ``server`` while inside; the URL without a slash at the end."""
    operations = Operations(server)

    async def show(_: web.Request) -> web.Response:
        return web.json_response(operations._help())

    async def call(request: web.Request) -> web.Response:
        text = await request.text()
        try:
            arguments = json.loads(text) if text else {}
            if not isinstance(arguments, dict):
                raise ValueError("the body is a JSON object of parameters")
            result = await operations._call(request.match_info["operation"], arguments)
        except EXPECTED_ERRORS as error:
            return web.json_response({"ok": False, "error": f"{type(error).__name__}: {error}"}, status=400)
        return web.json_response({"ok": True, "result": result})

    app = web.Application()
    app.add_routes([web.get("/", show), web.post("/{operation}", call)])
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, LOOPBACK, port)
    try:
        await site.start()
        yield f"http://{LOOPBACK}:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()
