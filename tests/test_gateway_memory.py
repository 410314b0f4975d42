"""A client that does not read costs the server a bounded amount of memory: measured, not computed."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import json
import socket
import tracemalloc
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from orchestrator.bus.bus import Entry
from orchestrator.bus.sqlite import SqliteBus
from orchestrator.clock import SystemClock
from orchestrator.gateway.engine_wire import KERNEL_BYTES
from orchestrator.gateway.ports import GatewaySettings
from orchestrator.gateway.window import WindowLimits
from orchestrator.store.database import Database
from orchestrator.tasks import Tasks
from tests.support.gateway import GatewayServer, make_event
from tests.support.waiting import until

MIB = 1024 * 1024
USERS = 4
PATIENT = GatewaySettings(slow_after_s=600.0, window=WindowLimits(patience_s=600.0))
LATIN = "x" * 6000
WIDE = "x" * 5000 + "\U0001f600" * 250
"""One wide character makes Python keep a whole text with four bytes a character."""


@contextlib.asynccontextmanager
async def a_bus(directory: Path) -> AsyncIterator[SqliteBus]:
    """The durable bus: what is read from it is memory of the reader's, not the bus's own."""
    clock, tasks = SystemClock(), Tasks()
    database = await Database.open(directory / "bus.db", clock)
    try:
        yield await SqliteBus.open(database, clock, tasks)
    finally:
        await database.close()


class DeafClient:
    """A connection that asks for everything and reads nothing more, on a socket of its own without Python buffers."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._path: str | None = None
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        self._socket.setblocking(False)

    async def connect(self, auth: dict[str, object], transport: str) -> None:
        """Handshake and CONNECT; what is answered stays in the kernel."""
        loop = asyncio.get_running_loop()
        await loop.sock_connect(self._socket, ("127.0.0.1", self._port))
        connect = "40" + json.dumps(auth)
        if transport == "websocket":
            await self._ask(
                "GET /socket.io/?EIO=4&transport=websocket",
                "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
                "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
            )
            answer = b""
            while b'"sid"' not in answer:
                answer += await loop.sock_recv(self._socket, 4096)
            length = len(connect)
            head = bytes([0x81, 0x80 | length]) if length < 126 else bytes([0x81, 0xFE]) + length.to_bytes(2, "big")
            await loop.sock_sendall(self._socket, head + b"\0\0\0\0" + connect.encode())
        else:
            await self._ask("GET /socket.io/?EIO=4&transport=polling", "\r\n")
            answer = b""
            while b'"sid":"' not in answer:
                answer += await loop.sock_recv(self._socket, 4096)
            connection = answer.split(b'"sid":"')[1].split(b'"')[0].decode()
            path = f"/socket.io/?EIO=4&transport=polling&sid={connection}"
            await self._ask(f"POST {path}", f"Content-Length: {len(connect)}\r\n\r\n{connect}")
            while b"OK" not in await loop.sock_recv(self._socket, 4096):
                pass
            self._path = path

    async def poll(self) -> None:
        """Ask for what there is over a connection that polls; the answer is never read."""
        if self._path is not None:
            await self._ask(f"GET {self._path}", "\r\n")

    async def _ask(self, line: str, rest: str) -> None:
        request = f"{line} HTTP/1.1\r\nHost: 127.0.0.1:{self._port}\r\n{rest}"
        await asyncio.get_running_loop().sock_sendall(self._socket, request.encode())

    def close(self) -> None:
        self._socket.close()


async def flood(server: GatewayServer, user: str, text: str) -> None:
    """Commit some 6 MB for a user: far more than anybody's buffers."""
    for _ in range(10):
        await server.bus.commit([Entry(user, make_event("message", {"text": text}, user=user)) for _ in range(100)])


def traced() -> int:
    gc.collect()
    return tracemalloc.get_traced_memory()[0]


@pytest.mark.parametrize("text", [LATIN, WIDE], ids=["latin", "wide"])
@pytest.mark.parametrize(
    ("transport", "acks"),
    [("websocket", False), ("websocket", True), ("polling", False)],
    ids=["websocket", "acks", "polling"],
)
async def test_a_slow_socket_costs_at_most_two_mebibytes(
    tmp_path: Path, transport: str, acks: bool, text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """What Python holds for a client that reads nothing while megabytes wait for it, plus the kernel's send buffer."""
    async with a_bus(tmp_path) as bus, GatewayServer.running(PATIENT, bus=bus) as server:
        users = [f"user{number}" for number in range(USERS)]
        clients = [DeafClient(server.port) for _ in users]
        for user, client in zip(users, clients, strict=True):
            await client.connect({"token": server.token(user), "acks": acks}, transport)
        await until(lambda: server.metrics.count == USERS)
        tracemalloc.start()
        try:
            before = traced()
            for user, client in zip(users, clients, strict=True):
                await flood(server, user, text)
                await client.poll()
            held = await settled()
        finally:
            tracemalloc.stop()
        per_socket = (held - before) / USERS + 2 * KERNEL_BYTES
        with capsys.disabled():
            print(f"\nslow {transport}{' with acks' if acks else ''}: {per_socket / MIB:.2f} MiB a socket")
        assert per_socket <= 2 * MIB
        assert server.metrics.count == USERS, "a socket ended before it was measured"
        for client in clients:
            client.close()
        await until(lambda: server.metrics.count == 0, what="the sockets to end")


async def settled() -> int:
    """Return the traced memory once it has not changed for half a second: a busy machine lets the database's thread
    wait for longer than one look."""
    last, since = traced(), 0
    for _ in range(300):
        await asyncio.sleep(0.1)
        now = traced()
        last, since = (last, since + 1) if abs(now - last) < 1000 else (now, 0)
        if since == 5:
            return now
    raise AssertionError("memory goes on changing")
