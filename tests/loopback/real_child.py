"""The program of a child process that runs the real neonize bare: JSON lines in, JSON lines out, nothing in between.

Owns only what proves the loopback server with the real library, and the library's own share in benchmarks; the
product's session is another file and shares nothing with this one. Started by ``real_process.py``, which is the
neighbour to read next, with the patched library first on PYTHONPATH.

``python -m tests.loopback.real_child FD PROXY_URL``: FD is a socket. Commands are ``{"call": n, "op": …, "bot": …, …}``
and answered by ``{"call": n, "result": …}`` or ``{"call": n, "error": text}``; events are ``{"event": …, "bot": …}``.
Go writes to standard output, hence the socket.
"""

from __future__ import annotations

import asyncio
import ctypes
import json
import os
import socket
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import neonize.aioze.events as neonize_events
from neonize._binder import ProxySettings
from neonize.aioze.client import NewAClient
from neonize.proto.Neonize_pb2 import JID
from neonize.utils.enum import Presence, ReceiptType

DSN_SUFFIX = "?_foreign_keys=on&_journal_mode=WAL&_synchronous=NORMAL&_txlock=immediate&_z="
_THREADS = 600


def _jid(text: str) -> JID:
    user, _, server = text.rpartition("@")
    name, _, device = user.partition(":")
    return JID(User=name, Device=int(device or 0), Server=server, RawAgent=0, Integrator=0, IsEmpty=False)


def _text(jid: JID) -> str:
    device = f":{jid.Device}" if jid.Device else ""
    return f"{jid.User}{device}@{jid.Server}"


def _describe(name: str, event: Any) -> dict[str, Any]:
    """The fields of an event that tests look at."""
    if name == "Message":
        source, message = event.Info.MessageSource, event.Message
        return {
            "id": event.Info.ID,
            "text": message.conversation or message.extendedTextMessage.text,
            "chat": _text(source.Chat),
            "sender": _text(source.Sender),
            "senderAlt": _text(source.SenderAlt),
            "fromMe": source.IsFromMe,
        }
    if name == "Receipt":
        return {"ids": list(event.MessageIDs), "type": int(event.Type), "sender": _text(event.MessageSource.Sender)}
    if name == "LoggedOut":
        return {"onConnect": event.OnConnect, "reason": int(event.Reason)}
    if name == "OfflineSyncCompleted":
        return {"count": int(event.Count)}
    if name in ("ConnectFailure", "TemporaryBan", "StreamError"):
        return {"detail": str(event)}
    if name == "PairStatus":
        return {"id": _text(event.ID), "lid": _text(event.LID)}
    return {}


class Child:
    """The clients of this process and the line to the parent."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, proxy_url: str) -> None:
        self.reader = reader
        self.writer = writer
        self.proxy_url = proxy_url
        self.clients: dict[str, NewAClient] = {}
        self.counting: set[str] = set()
        self.received = 0
        self.last_at_s = 0.0
        self.start_lock = asyncio.Lock()

    def say(self, record: dict[str, Any]) -> None:
        """One line to the parent, from the loop's thread."""
        self.writer.write(json.dumps(record).encode() + b"\n")

    def _subscribe(self, bot: str, client: NewAClient) -> None:
        for event_class in neonize_events.EVENT_TO_INT:
            name = event_class.__name__
            if name in _SUBSCRIBED:
                client.event(event_class)(self._handler(bot, name))

        async def on_qr(_: NewAClient, data: bytes) -> None:
            self.say({"event": "qr", "bot": bot, "at": time.time(), "data": data.decode()})

        client.event.qr(on_qr)
        loop = asyncio.get_running_loop()

        def on_login_status(_uuid: int, status: int) -> None:
            text = ctypes.string_at(status).decode()
            loop.call_soon_threadsafe(self.say, {"event": "login_status", "bot": bot, "status": text})

        client._NewAClient__onLoginStatus = on_login_status

    def _handler(self, bot: str, name: str) -> Any:
        async def handle(_: NewAClient, event: Any) -> None:
            if name == "Message" and bot in self.counting:
                self.received += 1
                self.last_at_s = time.time()
                return
            self.say({"event": name.removesuffix("Event"), "bot": bot, "at": time.time(), **_describe(name, event)})

        return handle

    async def start(self, bot: str, store: str, jid: str = "") -> None:
        """Connect a bot; linked when ``jid`` is given."""
        async with self.start_lock:
            client = NewAClient(store + DSN_SUFFIX, jid=_jid(jid) if jid else None, uuid=bot, new_device=not jid)
            if jid:
                client.uuid = bot.encode()
            client._stop_finalizer.detach()
            self.clients[bot] = client
            self._subscribe(bot, client)
            task = await client.connect(ProxySettings(proxy_address=self.proxy_url))
            task.add_done_callback(lambda done: self._ended(bot, done))

    def _ended(self, bot: str, task: asyncio.Task[Any]) -> None:
        error = "" if task.cancelled() else str(task.exception() or "")
        self.say({"event": "task_ended", "bot": bot, "error": error})

    async def call(self, op: str, bot: str, arguments: dict[str, Any]) -> Any:
        """Carry one command out; its result."""
        if op == "start":
            return await self.start(bot, **arguments)
        client = self.clients[bot]
        if op == "pair_phone":
            return await client.PairPhone(arguments["number"], True)
        if op == "send":
            return (await client.send_message(_jid(arguments["to"]), arguments["text"])).ID
        if op == "mark_read":
            chat = _jid(arguments["chat"])
            return await client.mark_read(arguments["id"], chat=chat, sender=chat, receipt=ReceiptType.READ)
        if op == "is_on_whatsapp":
            return [bool(found.IsIn) for found in await client.is_on_whatsapp(arguments["number"])]
        if op == "available":
            return await client.send_presence(Presence.AVAILABLE)
        if op == "count":
            self.counting.add(bot)
            return None
        if op == "received":
            return self.received
        if op == "counted":
            return {"count": self.received, "lastAt": self.last_at_s}
        if op in ("stop", "logout", "disconnect"):
            return await getattr(client, op)()
        raise ValueError(f"unknown operation {op}")

    async def serve(self) -> None:
        """Read commands until the parent closes the line."""
        running: set[asyncio.Task[None]] = set()
        while line := await self.reader.readline():
            task = asyncio.get_running_loop().create_task(self._answer(json.loads(line)))
            running.add(task)
            task.add_done_callback(running.discard)

    async def _answer(self, command: dict[str, Any]) -> None:
        number, op, bot = command.pop("call"), command.pop("op"), command.pop("bot")
        try:
            self.say({"call": number, "result": await self.call(op, bot, command)})
        except Exception as error:
            self.say({"call": number, "error": f"{type(error).__name__}: {error}"})


_SUBSCRIBED = (
    "Connected",
    "Disconnected",
    "LoggedOut",
    "Message",
    "OfflineSyncCompleted",
    "PairStatus",
    "Receipt",
    "StreamError",
    "StreamReplaced",
    "TemporaryBan",
    "ClientOutdated",
    "ConnectFailure",
    "KeepAliveTimeout",
)


async def _main(line: socket.socket, proxy_url: str) -> None:
    asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(_THREADS))
    reader, writer = await asyncio.open_connection(sock=line)
    await Child(reader, writer, proxy_url).serve()
    # asyncio.run would wait for threads that Go never gives back.
    os._exit(0)


if __name__ == "__main__":
    asyncio.run(_main(socket.socket(fileno=int(sys.argv[1])), sys.argv[2]))
