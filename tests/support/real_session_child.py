"""The program of a child process that runs real sessions without a worker around them: the contract suite's subject.

Owns carrying calls to sessions and their outlets' log back; it decides nothing. A session is a Go library in the
process, so it never runs in the test's own. Frames are msgpack behind a 4-byte length. Started by `real_session.py`,
which is the neighbour to read next.

`python -m tests.support.real_session_child FD`: a call is `[number, name, operation, arguments]`, answered by
`["answer", number, outcome, error]`; outlets tell `["spool", name, ordinal, kind, raw]` and
`["deliver", name, ordinal, at_ms, event, account]`.
"""

from __future__ import annotations

import asyncio
import os
import socket
import sys
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec

from sessions import whatsapp
from sessions.model import Account, Outgoing, SessionEvent
from sessions.session import NotReady, SessionSpec
from sessions.slots import Slots
from sessions.worker_tasks import install_hooks, spawn
from tests.support.real_session import read_frame, write_frame


class Line:
    """The socket's writing end, shared by all threads."""

    def __init__(self, line: socket.socket) -> None:
        self._line = line
        self._lock = threading.Lock()

    def tell(self, *frame: Any) -> None:
        with self._lock:
            write_frame(self._line, frame)


class RelayOutlet:
    """An `Outlet` that numbers, and tells the parent before it returns."""

    def __init__(self, line: Line, name: str) -> None:
        self._line = line
        self._name = name
        self.account: Callable[[], Account | None] = lambda: None
        self._lock = threading.Lock()
        self._ordinal = 0
        self.broken = False

    def spool(self, kind: int, raw: bytes) -> int:
        with self._lock:
            if self.broken:
                raise OSError("the disk refuses")
            self._ordinal += 1
            self._line.tell("spool", self._name, self._ordinal, kind, raw)
            return self._ordinal

    def deliver(self, ordinal: int | None, at_ms: int, event: SessionEvent) -> None:
        self._line.tell("deliver", self._name, ordinal, at_ms, event, self.account())


class Child:
    """The sessions of this process, by name."""

    def __init__(self, library: whatsapp.GoLibrary, line: Line) -> None:
        self._library = library
        self._line = line
        self._sessions: dict[str, whatsapp.WhatsAppSession] = {}
        self._outlets: dict[str, RelayOutlet] = {}

    async def answer(self, number: int, name: str, operation: str, arguments: list[Any]) -> None:
        """Carry one call out and tell what came of it."""
        try:
            self._line.tell("answer", number, await self._do(name, operation, arguments), None)
        except NotReady as error:
            self._line.tell("answer", number, None, f"NotReady: {error}")

    async def _do(self, name: str, operation: str, arguments: list[Any]) -> Any:
        if operation == "make":
            spec = msgspec.convert(arguments[0], SessionSpec)
            self._outlets[name] = RelayOutlet(self._line, name)
            self._sessions[name] = self._library.session(spec, self._outlets[name])
            self._outlets[name].account = self._sessions[name].account
            return None
        session = self._sessions[name]
        match operation:
            case "start":
                return await session.start()
            case "pair_phone":
                return await session.pair_phone(arguments[0])
            case "send":
                return await session.send(arguments[0], msgspec.convert(arguments[1], Outgoing))
            case "ask_group":
                return await session.ask_group(arguments[0])
            case "find":
                return await session.find(arguments[0])
            case "logout":
                return await session.logout()
            case "stop":
                return await session.stop()
            case "break":
                self._outlets[name].broken = arguments[0]
                return None
        raise ValueError(f"no operation {operation}")


async def main(line: socket.socket) -> None:
    """Serve until the parent closes its end."""
    loop = asyncio.get_running_loop()
    install_hooks(loop)
    with tempfile.TemporaryDirectory() as directory:
        slots = Slots.create(Path(directory) / "slots")
        child = Child(whatsapp.load(slots), Line(line))
    while (frame := await asyncio.to_thread(read_frame, line)) is not None:
        spawn("call", child.answer(*frame))


if __name__ == "__main__":
    os.umask(0o077)
    with socket.socket(fileno=int(sys.argv[1])) as parent:
        asyncio.run(main(parent))
        os._exit(0)
