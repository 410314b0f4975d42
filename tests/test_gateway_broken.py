"""Requests to the socket's address that no client library makes: each is answered, and the log stays quiet.

Each was found by made-up bytes (`tests/fuzz`).
"""

from __future__ import annotations

import asyncio
import contextlib
import logging

import aiohttp
import pytest

from tests.support.gateway import GatewayServer
from tests.support.raw_socket import RawSocket
from tests.support.waiting import until

UPGRADE = (
    b"GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\n"
    b"Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
)


async def asked(server: GatewayServer, request: bytes) -> bytes:
    """Send bytes; return the first line of the answer."""
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    writer.write(request)
    try:
        return await asyncio.wait_for(reader.readline(), 5)
    finally:
        writer.close()


async def test_a_header_that_is_no_text_changes_nothing() -> None:
    """Bytes beyond ASCII are legal in a header, and cookies of old pages have them: the handshake goes on."""
    async with GatewayServer.running() as server:
        line = await asked(server, UPGRADE + b"Cookie: name=J\xf6rg\xff\r\n\r\n")
        assert line.startswith(b"HTTP/1.1 101")
        await until(lambda: server.connections() == 0)


async def test_a_foreign_origin_that_is_no_text_is_still_foreign() -> None:
    """What cannot be read is not taken for nothing."""
    async with GatewayServer.running() as server:
        line = await asked(server, UPGRADE + b"Origin: http://\xff.example\r\n\r\n")
        assert line.startswith(b"HTTP/1.1 400")


@pytest.mark.parametrize("query", ["EIO=4&transport=polling", "EIO=4&transport=websocket", "j=x", "transport="])
@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_a_session_nobody_has_is_not_repeated(method: str, query: str) -> None:
    """An id that is unknown, or was ended a moment ago, is told so without being shown."""
    async with GatewayServer.running() as server, aiohttp.ClientSession() as http:
        url = f"http://127.0.0.1:{server.port}/socket.io/?{query}&sid=canarySecret"
        async with http.request(method, url, data=b"3" if method == "POST" else None) as answer:
            said = await answer.text()
            assert (answer.status, said) == (400, "no such session")


async def test_a_post_on_its_way_when_the_session_ends() -> None:
    """The library forgets a session before its wire does: the answer is no bug."""
    async with GatewayServer.running() as server, aiohttp.ClientSession() as http:
        url = f"http://127.0.0.1:{server.port}/socket.io/?EIO=4&transport=polling"
        async with http.get(url) as answer:
            connection = (await answer.text()).split('"sid":"')[1].split('"')[0]
        session = server.gateway._server.eio.sockets[connection]
        session.closed = True
        async with http.post(f"{url}&sid={connection}", data=b"3") as answer:
            assert (answer.status, await answer.text()) == (400, "no such session")
        session.closed = False
        await server.gateway._wires[connection].abort()


@pytest.mark.parametrize(
    "frame", [b"\x81\x80\0\0\0\0", b"\x88\x80\0\0\0\0", b"\xff\xff\xff", b"\x81\x85\0\0\0\x000hmm!"]
)
async def test_clients_that_leave_in_the_middle_leave_no_line(frame: bytes, caplog: pytest.LogCaptureFixture) -> None:
    """Half a handshake, a broken first frame, a goodbye before hello: no traceback, nothing left, the next is served."""
    caplog.set_level(logging.WARNING)
    async with GatewayServer.running() as server:
        for cut in (0, 20, None):
            _, writer = await asyncio.open_connection("127.0.0.1", server.port)
            writer.write((UPGRADE + b"\r\n")[: cut or None] + frame)
            with contextlib.suppress(ConnectionError):
                writer.transport.abort()
        await until(lambda: server.connections() == 0, 12)
        async with RawSocket.open(server.port) as raw:
            await raw.connect(token=server.token())
            await raw.frame("ready")
    assert [record for record in caplog.records if record.exc_info and "HttpProcessing" not in repr(
        [kind.__name__ for kind in type(record.exc_info[1]).__mro__]
    )] == []  # fmt: skip
