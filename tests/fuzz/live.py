"""What made-up values are sent to over real connections on loopback: REST, Socket.IO over both transports, plain bytes.

Owns the connections. After everything the server must be there for the next, no bug may have surfaced, and no answer
may be a 5xx or repeat a secret. It must never know a route by name: addresses are OpenAPI's. Read `targets.py` for the
readers alone.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
import struct
import tempfile
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any
from urllib.parse import quote

import aiohttp

from orchestrator.auth import local
from tests.fuzz.maker import SECRET, Maker
from tests.support.gateway import GatewayServer
from tests.support.raw_socket import RawSocket
from tests.support.simulated import clean_environment
from tests.support.waiting import until
from tests.tenants.world import TenantServer

Work = Callable[[int, int], Coroutine[Any, Any, None]]


# --- REST -----------------------------------------------------------------------------------------------------------


def _address(maker: Maker, path: str, bots: list[str]) -> str:
    if maker.chance.random() < 0.1:
        path = "/" + maker.text()
    for name in re.findall(r"{\w+}", path):
        path = path.replace(name, maker.one(bots) if name == "{bot}" and maker.chance.random() < 0.8 else maker.text())
    address = quote(path.encode("utf-8", "replace"), safe="/%")
    if maker.chance.random() < 0.6:
        pairs = [
            (maker.one(("after", "limit", "userId", "wait", "x")), maker.text())
            for _ in range(maker.chance.randrange(3))
        ]
        address += "?" + "&".join(f"{name}={quote(text.encode('utf-8', 'replace'))}" for name, text in pairs)
    return address


def _line(text: str) -> str:
    """Text that a header can hold."""
    return "".join(one for one in text if one == "\t" or (" " <= one <= "\xff" and one != "\x7f"))[:4000]


async def rest(seed: int, inputs: int) -> None:
    """Requests with made-up addresses, queries, headers and bodies: an answer that is documented, never a 5xx; a log
    without bugs and secrets."""
    options = ("--driver", "simulated", "--max-bots-per-user", "1000")
    with tempfile.TemporaryDirectory() as directory:
        async with (
            TenantServer.running(Path(directory) / "data", clean_environment(), *options) as server,
            aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as http,
        ):
            tokens = [local.issue(server.data_dir, user, 3600, operator=user == "root") for user in ("ada", "root")]
            bots = [(await server.call("POST", "/bots", {"name": "b", "start": False}, userId="ada"))["id"]]
            document = json.loads(await server.get("/openapi.json"))
            operations = [(method.upper(), path) for path, some in document["paths"].items() for method in some]
            for first in range(0, inputs, 8):
                makers = [Maker(seed * 1_000_003 + number) for number in range(first, min(first + 8, inputs))]
                asking = (_one_request(http, server.url, maker, operations, tokens, bots) for maker in makers)
                await asyncio.gather(*asking)
            assert "Task failed" not in server.log, server.log[server.log.index("Task failed") - 500 :][:2000]
            assert SECRET not in server.log


async def _one_request(
    http: aiohttp.ClientSession,
    url: str,
    maker: Maker,
    operations: list[tuple[str, str]],
    tokens: list[str],
    bots: list[str],
) -> None:
    method, path = maker.one(operations)
    if maker.chance.random() < 0.1:
        method = maker.one(("PUT", "PATCH", "DELETE", "HEAD", "OPTIONS", "PROPFIND"))
    sent = {
        "Authorization": f"Bearer {maker.one(tokens)}" if maker.chance.random() < 0.9 else _line(maker.text()),
        maker.one(("Accept", "Last-Event-ID", "Idempotency-Key", "Cookie", "Origin", "Range")): _line(maker.text()),
        "Content-Type": maker.one(("application/json",) * 5 + ("text/plain", _line(maker.text()))),
    }
    if maker.chance.random() < 0.05:
        sent["X-Api-Key"] = SECRET
    address = url + _address(maker, path, bots)
    body = maker.json(_NAMES) if maker.chance.random() < 0.8 else maker.bytes()
    async with http.request(
        method, address, data=body, headers=sent, timeout=aiohttp.ClientTimeout(total=30)
    ) as answer:
        if answer.content_type == "text/event-stream":
            return  # it goes on for ever: leaving is part of it
        said = await answer.read()
    if said.startswith(b"The page is not built"):
        return  # where nobody has built it, its address says so
    busy = answer.status == 503 and b'"whatsapp_unavailable"' in said
    assert answer.status < 500 or busy, (method, address, answer.status, said[:300])
    if answer.status >= 400 and method != "HEAD":
        assert answer.content_type == "application/problem+json", (method, address, answer.status, answer.content_type)
        assert SECRET.encode() not in said, said


_NAMES = (
    "code",
    "userId",
    "proxy",
    "name",
    "deviceName",
    "method",
    "phone",
    "to",
    "text",
    SECRET,
    "ada",
    "4915112345678",
    "qr",
)


# --- Socket.IO ------------------------------------------------------------------------------------------------------


def _packet(maker: Maker) -> str | bytes:
    name = maker.one(("command", "ack", "resync", "refresh_token", "x", "connect", "disconnect"))
    kind = maker.one(("42", "420", "42", "42", "40", "41", "43", "45", "46", "3", "1", "2probe", "5", "6", "9", ""))
    text = kind + json.dumps([name, maker.value(), maker.value()])
    if maker.chance.random() < 0.3:
        text = maker.spoilt_text(text)
    if maker.chance.random() < 0.05:
        return maker.bytes()
    return text.encode(errors="replace").decode()


async def socketio(seed: int, inputs: int) -> None:
    """Frames of text and bytes over a WebSocket: the socket goes on or ends in good order, and the next one is served."""
    async with GatewayServer.running() as server:
        left, number = inputs, 0
        while left > 0:
            maker, number = Maker(seed * 1_000_003 + number), number + 1
            async with RawSocket.open(server.port) as raw:
                if maker.chance.random() < 0.8:
                    await raw.connect(token=server.token(f"user{number}"), acks=True)
                for _ in range(min(left, 40)):
                    left -= 1
                    with contextlib.suppress(ConnectionError, aiohttp.ClientError):
                        await raw.send(_packet(maker))
        await until(lambda: server.metrics.count == 0, 20, "all sockets to end")
        async with RawSocket.open(server.port) as raw:
            await raw.connect(token=server.token())
            await raw.frame("ready")


async def polling(seed: int, inputs: int) -> None:
    """What is posted by a client that polls, and ids and transports nobody has."""
    async with GatewayServer.running() as server, aiohttp.ClientSession() as http:
        url = f"http://127.0.0.1:{server.port}/socket.io/?EIO=4&transport=polling"
        left, number = inputs, 0
        while left > 0:
            maker, number = Maker(seed * 1_000_003 + number), number + 1
            async with http.get(url) as answer:
                connection = json.loads((await answer.text())[1:])["sid"]
            for _ in range(min(left, 6)):
                left -= 1
                query = f"&sid={connection}" if maker.chance.random() < 0.9 else f"&sid={quote(_line(maker.text()))}"
                packets = [_packet(maker) for _ in range(maker.chance.randrange(1, 4))]
                body = b"\x1e".join(one if isinstance(one, bytes) else one.encode() for one in packets)
                async with http.post(url + query, data=body, timeout=aiohttp.ClientTimeout(total=10)) as answer:
                    assert answer.status in {200, 400, 413}, answer.status
                    assert SECRET not in await answer.text()
        for wire in list(server.gateway._wires.values()):
            await wire.abort()


# --- below ----------------------------------------------------------------------------------------------------------


def _websocket_frame(maker: Maker) -> bytes:
    """A frame of RFC 6455 with anything in its head: opcodes, masks and lengths that are none, or lie."""
    payload = maker.bytes(60)
    first = maker.chance.randrange(256)
    lie = maker.one((len(payload), len(payload) + 1, 0, 125))
    head = bytes([first, (0x80 if maker.chance.random() < 0.8 else 0) | lie % 126])
    if maker.chance.random() < 0.1:
        head = struct.pack(">BBQ", first, 0xFF, maker.one((2**63, 2**20, len(payload))))
    elif maker.chance.random() < 0.1:
        head = struct.pack(">BBH", first, 0xFE, maker.one((65_535, 126, len(payload))))
    return head + maker.chance.randbytes(4) + payload


async def bytes_(seed: int, inputs: int) -> None:
    """Bytes on a connection: spoilt HTTP, and spoilt frames once it is a WebSocket."""
    async with GatewayServer.running() as server:
        for first in range(0, inputs, 24):
            makers = [Maker(seed * 1_000_003 + number) for number in range(first, min(first + 24, inputs))]
            await asyncio.gather(*(_one_connection(server, maker) for maker in makers))
        for wire in list(server.gateway._wires.values()):
            await wire.abort()
        async with RawSocket.open(server.port) as raw:
            await raw.connect(token=server.token())
            await raw.frame("ready")


async def _one_connection(server: GatewayServer, maker: Maker) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    head = (
        f"GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: 127.0.0.1:{server.port}\r\nUpgrade: websocket\r\n"
        "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
        f"X-Api-Key: {SECRET}\r\n\r\n"
    ).encode()
    whole = maker.chance.random() < 0.5
    with contextlib.suppress(ConnectionError):
        writer.write(head if whole else maker.spoilt(head, 8))
        if whole:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(b"".join(_websocket_frame(maker) for _ in range(maker.chance.randrange(1, 6))))
        await writer.drain()
        with contextlib.suppress(OSError):
            writer.write_eof()
        async with asyncio.timeout(15):
            while said := await reader.read(65_536):
                assert b" 500 " not in said[:20], said[:300]
        writer.close()


LIVE: dict[str, Work] = {"rest": rest, "socket.io": socketio, "polling": polling, "bytes": bytes_}
