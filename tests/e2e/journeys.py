"""Steps the end-to-end tests share: create a bot, scan its code, chat. Each step asserts what a user is promised."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from collections.abc import AsyncIterator, Coroutine
from typing import Any, TypeVar

from orchestrator.supervisor import locks
from tests.loopback.devices import LinkedDevice
from tests.loopback.phone import Phone
from tests.loopback.server import LoopbackServer
from tests.support.node_client import Frame, NodeClient, NodeSocket
from tests.support.server import Json, Server

TROUBLE = {
    "login_expired", "passkey_required", "replaced", "logged_out", "banned", "blocked", "outdated", "failed", "degraded",
    "reconnecting",
}  # fmt: skip
"""Statuses that have no place in a linking that goes well."""
CRASHES = 5
"""So many in ten minutes spend a bot's budget."""
T = TypeVar("T")
ERROR_TYPES = {
    "whatsapp_disconnected", "stream_error", "connect_failure", "pair_error", "logged_out", "login_expired", "task_failed",
    "keepalive_timeout", "stream_replaced", "client_outdated",
}  # fmt: skip


async def connect(node: NodeClient, server: Server, **auth: object) -> NodeSocket:
    """Connect with exactly the contract's options and wait for `ready`."""
    socket = await node.connect(
        server.url.replace("http://", "ws://"), token=server.token, user="local", auth=dict(auth)
    )
    await socket.ready()
    return socket


async def create(server: Server, name: str = "support", **members: object) -> str:
    """Create a bot; return its id."""
    made = await server.call("POST", "/bots", {"name": name, **members}, status=201)
    return str(made["id"])


async def offered(server: Server, bot: str) -> str:
    """Wait for a QR code and return it, as REST gives it."""
    await server.bot_until(bot, lambda seen: seen["status"] == "awaiting_scan" and seen["link"]["index"])
    return str((await server.call("GET", f"/bots/{bot}/qr"))["qr"])


async def linked(server: Server, whatsapp: LoopbackServer, name: str = "support") -> tuple[str, Phone, LinkedDevice]:
    """Create a bot and link it by QR."""
    bot = await create(server, name)
    phone = whatsapp.add_account()
    device = await phone.scan(await offered(server, bot))
    await server.bot_until(bot, lambda seen: seen["status"] == "connected")
    return bot, phone, device


def worker_of(server: Server, bot: str) -> int:
    """The process that holds a bot."""
    holder = locks.holder(server.data_dir / "run" / f"{bot}.lock")
    assert holder is not None, "nobody holds it"
    return holder.pid


async def crash(server: Server, name: str = "Crashes") -> str:
    """Create a bot and kill its process again and again, until its budget is spent; return its id."""
    bot = await create(server, name)
    for crashed in range(CRASHES):
        up = ("awaiting_scan", crashed)
        await server.bot_until(bot, lambda seen, up=up: (seen["status"], seen["restarts"]) == up, timeout_s=40)  # type: ignore[misc]
        os.kill(worker_of(server, bot), signal.SIGKILL)
    await server.bot_until(bot, lambda seen: seen["status"] == "failed")
    return bot


@contextlib.asynccontextmanager
async def meanwhile(work: Coroutine[Any, Any, T]) -> AsyncIterator[asyncio.Task[T]]:
    """Let something go on beside a block, which may await its result; it ends with the block."""
    task = asyncio.get_running_loop().create_task(work)
    try:
        yield task
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def statuses(socket: NodeSocket, bot: str) -> list[str]:
    """The bot's statuses in the order the socket was told, repeats (updates without a change) folded."""
    found: list[str] = []
    for frame in socket.of("bot_status_update"):
        status = frame["data"].get("status") if frame["botId"] == bot else None
        if status and (not found or found[-1] != status):
            found.append(status)
    return found


def types(socket: NodeSocket, bot: str) -> list[str]:
    """Types of the bot's connection events, in order."""
    return [frame["type"] for frame in socket.of("whatsapp_connection_event") if frame["botId"] == bot]


def assert_calm(socket: NodeSocket, bot: str) -> None:
    """Linking went without an error status or frame."""
    assert not TROUBLE & set(statuses(socket, bot)), statuses(socket, bot)
    told = {frame["type"] for frame in socket.frames if frame.get("botId") == bot}
    assert not ERROR_TYPES & told, told


def assert_gapless(frames: list[Frame], start: int) -> None:
    """Durable frames follow each other: seq rises by one, prev is the one before."""
    last = start
    for frame in frames:
        assert frame["prev"] == last and frame["seq"] == last + 1, frame
        last = frame["seq"]


def durable(socket: NodeSocket) -> list[Frame]:
    """The socket's frames that carry a position."""
    return [frame for frame in socket.frames if "seq" in frame]


def texts(socket: NodeSocket) -> list[Any]:
    """Texts of incoming messages, in order."""
    return [frame["data"]["text"] for frame in socket.of("message_sync", "message") if not frame["data"]["fromMe"]]


def send_states(socket: NodeSocket, job: str) -> list[str]:
    """States a send was reported in, in order."""
    return [frame["data"]["state"] for frame in socket.of("message_sync", "send_result") if frame["data"]["id"] == job]


def position(frame: Json) -> dict[str, object]:
    """A frame's place as `resume` takes it."""
    return {"epoch": frame["epoch"], "seq": frame["seq"]}
