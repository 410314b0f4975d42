"""The parent's handle on a child process in which real sessions run, and a `Session` that is one of them from afar.

Owns starting, calling and ending that process. It must never import the library. Read `real_session_child.py` next.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import os
import socket
import struct
import sys
from collections.abc import AsyncIterator, Iterable
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from sessions.model import Account, Found, Outgoing, SendOutcome, SessionEvent
from sessions.session import NotReady, SessionSpec
from tests.contracts.session_harness import Delivered, RecordingOutlet, Spooled
from tests.loopback.server import LoopbackServer

T = TypeVar("T")

ROOT = Path(__file__).resolve().parents[2]
_LENGTH = struct.Struct(">I")
_event: msgspec.msgpack.Decoder[SessionEvent] = msgspec.msgpack.Decoder(SessionEvent)


def write_frame(line: socket.socket, frame: Iterable[Any]) -> None:
    """Send one frame; blocks."""
    body = msgspec.msgpack.encode([msgspec.Raw(msgspec.msgpack.encode(part)) for part in frame])
    line.sendall(_LENGTH.pack(len(body)) + body)


def read_frame(line: socket.socket) -> list[Any] | None:
    """Receive one frame, None at the end; blocks."""
    head = _exactly(line, _LENGTH.size)
    body = _exactly(line, _LENGTH.unpack(head)[0]) if head else b""
    return msgspec.msgpack.decode(body, type=list[Any]) if body else None


def _exactly(line: socket.socket, size: int) -> bytes:
    data = bytearray()
    while len(data) < size:
        try:
            part = line.recv(size - len(data))
        except OSError:
            return b""
        if not part:
            return b""
        data += part
    return bytes(data)


def library_environment(wa: LoopbackServer) -> dict[str, str]:
    """The environment of a process that loads the library; Go must not find another proxy in it."""
    base = {name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")}
    return {**base, **wa.env()}


class RealSessions:
    """A running child process; sessions are made in it and die with it."""

    def __init__(self, process: asyncio.subprocess.Process, line: socket.socket) -> None:
        self.process = process
        self._line = line
        self._numbers = itertools.count(1)
        self._calls: dict[int, asyncio.Future[Any]] = {}
        self._outlets: dict[str, RecordingOutlet] = {}
        self.accounts: dict[str, Account | None] = {}
        """What each session called its account when it last told something."""

    @classmethod
    @contextlib.asynccontextmanager
    async def start(cls, environment: dict[str, str]) -> AsyncIterator[RealSessions]:
        """A child with this environment; killed at the end."""
        own, theirs = socket.socketpair()
        with theirs:
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "tests.support.real_session_child", str(theirs.fileno())),
                cwd=ROOT,
                env=environment,
                pass_fds=(theirs.fileno(),),
                stdout=asyncio.subprocess.DEVNULL,
            )
        child = cls(process, own)
        listening = asyncio.get_running_loop().create_task(child._listen())
        try:
            yield child
        finally:
            if process.returncode is None:
                process.kill()
            await process.wait()
            await listening
            own.close()

    async def _listen(self) -> None:
        while (frame := await asyncio.to_thread(read_frame, self._line)) is not None:
            match frame:
                case ["answer", number, outcome, error]:
                    future = self._calls.pop(number)
                    if not future.done():
                        future.set_result((outcome, error))
                case ["spool", name, ordinal, kind, raw]:
                    self._outlets[name].record(Spooled(ordinal, kind, raw))
                case ["deliver", name, ordinal, at_ms, event, account]:
                    self.accounts[name] = msgspec.convert(account, Account | None)
                    told = _event.decode(msgspec.msgpack.encode(event))
                    self._outlets[name].record(Delivered(ordinal, at_ms, told))
        for future in self._calls.values():
            future.set_exception(ConnectionError("the child is gone"))

    async def call(self, name: str, operation: str, *arguments: Any, timeout_s: float = 90.0) -> Any:
        """Carry an operation out in the child. Raises NotReady as the session did, ConnectionError when it died."""
        number = next(self._numbers)
        future = self._calls[number] = asyncio.get_running_loop().create_future()
        write_frame(self._line, [number, name, operation, list(arguments)])
        outcome, error = await asyncio.wait_for(future, timeout_s)
        if error is not None:
            raise NotReady(error)
        return outcome

    async def make(self, spec: SessionSpec) -> tuple[RemoteSession, RecordingOutlet]:
        """A session in the child that has not been started."""
        outlet = self._outlets[spec.incarnation] = RecordingOutlet()
        await self.call(spec.incarnation, "make", spec)
        return RemoteSession(self, spec.incarnation), outlet


class RemoteSession:
    """`Session` in a child process."""

    def __init__(self, child: RealSessions, name: str) -> None:
        self._child = child
        self.name = name

    def account(self) -> Account | None:
        """See `Session.account`."""
        return self._child.accounts.get(self.name)

    async def start(self) -> None:
        """See `Session.start`."""
        await self._child.call(self.name, "start")

    async def pair_phone(self, phone: str) -> str:
        """See `Session.pair_phone`."""
        return str(await self._child.call(self.name, "pair_phone", phone))

    async def send(self, job: str, outgoing: Outgoing) -> SendOutcome:
        """See `Session.send`."""
        outcome = await self._child.call(self.name, "send", job, outgoing)
        told: SendOutcome = msgspec.convert(outcome, SendOutcome)
        return told

    async def ask_group(self, chat: str) -> None:
        """See `Session.ask_group`."""
        await self._child.call(self.name, "ask_group", chat)

    async def find(self, phone: str) -> Found:
        """See `Session.find`."""
        return msgspec.convert(await self._child.call(self.name, "find", phone), Found)

    async def logout(self) -> bool:
        """See `Session.logout`."""
        return bool(await self._child.call(self.name, "logout"))

    async def stop(self) -> bool:
        """See `Session.stop`."""
        return bool(await self._child.call(self.name, "stop"))
