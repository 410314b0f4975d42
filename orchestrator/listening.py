"""Where the server listens: bound before it serves, on a loopback host under both its addresses.

Owns sockets and their refusals. It must never know a route. Read `app.py` for who serves.
"""

from __future__ import annotations

import contextlib
import socket

from aiohttp import web

from orchestrator.settings import Settings


class CannotStart(Exception):
    """The server did not come up; the message is one line with the remedy."""


async def listen(settings: Settings, app: web.Application, stack: contextlib.AsyncExitStack) -> str:
    """Bind before serving, so that a taken port is one clear line; a loopback host is reachable as ::1 too."""
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0, handler_cancellation=False)
    await runner.setup()
    stack.push_async_callback(runner.cleanup)
    try:
        first = _bind(settings.host, settings.port)
    except OSError as error:
        raise CannotStart(
            f"Cannot listen on {settings.host}:{settings.port}: {error.strerror or error}. Is another server running? "
            "--port names another port."
        ) from None
    port = first.getsockname()[1]
    await web.SockSite(runner, first).start()
    if settings.host == "127.0.0.1":
        with contextlib.suppress(OSError):  # a machine without IPv6 serves IPv4 alone
            await web.SockSite(runner, _bind("::1", port)).start()
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    return f"http://{host}:{port}"


def _bind(host: str, port: int) -> socket.socket:
    family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    made = socket.socket(family, kind, protocol)
    try:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        made.bind(address)
    except OSError:
        made.close()
        raise
    made.setblocking(False)
    return made
