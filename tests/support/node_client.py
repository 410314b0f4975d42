"""The unmodified npm socket.io-client 4.8.1 in a Node child process, as an async Python class.

Owns starting, talking to and ending the child; every wait has a deadline. It must never know what the server should
do: tests say that. The Node side is `tests/node/driver.mjs`; `tests/node/package-lock.json` pins the client.

    async with NodeClient() as node:
        socket = await node.connect(url, token=token, user="local")
        ready = await socket.ready()
        frame = await socket.frame("message_sync", "message")
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import os
import shutil
import signal
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any

NODE_DIR = Path(__file__).resolve().parent.parent / "node"
WAIT_S = 30.0
"""Deadline of every wait that names none."""

Line = dict[str, Any]
"""One line of the driver: `{socket, happened, at, …}`; see `driver.mjs`."""
Frame = dict[str, Any]


async def install() -> None:
    """Install the pinned client with `npm ci` unless the lock file's own copy is there already."""
    lock = NODE_DIR / "package-lock.json"
    stamp = NODE_DIR / "node_modules" / ".package-lock.json"
    if stamp.exists() and stamp.stat().st_mtime >= lock.stat().st_mtime:
        return
    npm = shutil.which("npm")
    if npm is None:
        raise RuntimeError("npm is needed for the client tests and was not found on PATH")
    process = await asyncio.create_subprocess_exec(
        npm, "ci", "--no-audit", "--no-fund", "--silent", cwd=NODE_DIR, stdout=asyncio.subprocess.DEVNULL
    )
    if await asyncio.wait_for(process.wait(), 180) != 0:
        raise RuntimeError("npm ci failed in tests/node")


class NodeSocket:
    """One client socket inside a `NodeClient`: everything that happened to it, in order, and waits for more."""

    def __init__(self, client: NodeClient, name: str) -> None:
        self._client = client
        self.name = name
        self.log: list[Line] = []
        """All lines of this socket, oldest first."""
        self.frames: list[Frame] = []
        """All frames received so far, with the event's name under `event`."""

    def add(self, line: Line) -> None:
        """Take a line of the driver."""
        self.log.append(line)
        if line["happened"] == "event":
            self.frames.append({"event": line["event"], **line["args"][0]})

    def of(self, event: str, type: str | None = None) -> list[Frame]:  # noqa: A002
        """The frames received so far of one event (and type)."""
        return [frame for frame in self.frames if frame["event"] == event and type in {None, frame["type"]}]

    def happened(self, what: str) -> list[Line]:
        """The lines of one kind so far: open, connect, connect_error, disconnect, upgrade, reconnect_attempt, event."""
        return [line for line in self.log if line["happened"] == what]

    async def until(self, true: Callable[[], object], timeout_s: float = WAIT_S, what: str = "condition") -> None:
        """Wait until `true()` holds; it is asked again after every line of the child."""
        await self._client.until(true, timeout_s, f"{self.name}: {what}; last lines: {self.log[-4:]}")

    async def wait(self, what: str, timeout_s: float = WAIT_S, count: int = 1) -> Line:
        """Return the `count`-th line of a kind, waiting for it."""
        await self.until(lambda: len(self.happened(what)) >= count, timeout_s, f"{what} number {count}")
        return self.happened(what)[count - 1]

    async def frame(
        self,
        event: str,
        type: str | None = None,  # noqa: A002
        *,
        where: Callable[[Frame], object] = lambda _: True,
        timeout_s: float = WAIT_S,
        count: int = 1,
    ) -> Frame:
        """Return the `count`-th frame of an event (and type, and condition), waiting for it; earlier ones count."""

        def found() -> list[Frame]:
            return [frame for frame in self.of(event, type) if where(frame)]

        await self.until(lambda: len(found()) >= count, timeout_s, f"frame {event} {type or ''} number {count}")
        return found()[count - 1]

    async def ready(self, timeout_s: float = WAIT_S, count: int = 1) -> Frame:
        """Return the `data` of `connection_update` `ready`."""
        data = (await self.frame("connection_update", "ready", timeout_s=timeout_s, count=count))["data"]
        assert isinstance(data, dict)
        return data

    async def refused(self, timeout_s: float = WAIT_S) -> Frame:
        """Return `err.data` of the `connect_error`."""
        data = (await self.wait("connect_error", timeout_s))["data"]
        assert isinstance(data, dict), "the connect_error has no data: it did not come from the gateway"
        return data

    async def closing(self, timeout_s: float = WAIT_S) -> Frame:
        """Return the `data` of `connection_update` `closing`."""
        data = (await self.frame("connection_update", "closing", timeout_s=timeout_s))["data"]
        assert isinstance(data, dict)
        return data

    async def disconnected(self, timeout_s: float = WAIT_S) -> str:
        """Return the client's own reason for its end (`io server disconnect`, `transport close`, …)."""
        return str((await self.wait("disconnect", timeout_s))["reason"])

    def emit(self, event: str, *args: object) -> None:
        """Emit without asking for an acknowledgement."""
        self._client.command("emit", socket=self.name, event=event, args=args)

    async def call(self, event: str, *args: object, timeout_s: float = WAIT_S) -> Any:
        """Emit and return the acknowledgement's first argument."""
        return await self._client.answer("emit", timeout_s, socket=self.name, event=event, args=args)

    async def transport(self) -> str | None:
        """`polling` or `websocket`, as it is now."""
        name: str | None = await self._client.answer("transport", WAIT_S, socket=self.name)
        return name

    def disconnect(self) -> None:
        """End the socket from the client's side."""
        self._client.command("disconnect", socket=self.name)

    def reconnect(self, **auth: object) -> None:
        """Connect this same socket object again with another `auth`, as a user's click does."""
        self._client.command("reconnect", socket=self.name, auth=auth)


class NodeClient:
    """A Node process that may hold several sockets. `freeze` and `thaw` stop and continue the whole process."""

    def __init__(self) -> None:
        self._process: asyncio.subprocess.Process | None = None
        self._reader: asyncio.Task[None] | None = None
        self._sockets: dict[str, NodeSocket] = {}
        self._changed = asyncio.Condition()
        self._answers: dict[int, Any] = {}
        self._up = False
        self._ended = False
        self._numbers = itertools.count(1)

    async def __aenter__(self) -> NodeClient:
        await install()
        node = shutil.which("node")
        if node is None:
            raise RuntimeError("node is needed for the client tests and was not found on PATH")
        self._process = await asyncio.create_subprocess_exec(
            node,
            str(NODE_DIR / "driver.mjs"),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            limit=16 * 1024 * 1024,
        )
        self._reader = asyncio.get_running_loop().create_task(self._read())
        await self.until(lambda: self._up, 20.0, "node to start")
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        process, reader = self._process, self._reader
        assert process is not None and reader is not None
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()
        await reader

    @property
    def pid(self) -> int:
        """Process id of the Node child."""
        assert self._process is not None
        return self._process.pid

    async def connect(
        self,
        url: str,
        *,
        token: str,
        user: str,
        auth: dict[str, object] | None = None,
        options: dict[str, object] | None = None,
    ) -> NodeSocket:
        """Begin a connection with exactly the contract's options and return its socket without waiting.

        Args:
            url: The server, `ws://` or `http://`.
            token: Goes into `auth.token`.
            user: Goes into `auth.userId`.
            auth: Further members of `auth` (`clientId`, `acks`, `resume`, `takeover`).
            options: Further or other client options (`transports`, `reconnection`, `extraHeaders`, …).
        """
        name = f"s{next(self._numbers)}"
        socket = self._sockets[name] = NodeSocket(self, name)
        full = {"token": token, "userId": user, **(auth or {})}
        self.command(
            "connect",
            socket=name,
            url=url,
            options={"auth": full, "reconnection": False, "timeout": 20000, **(options or {})},
        )
        assert self._process is not None and self._process.stdin is not None
        await self._process.stdin.drain()
        return socket

    def freeze(self) -> None:
        """SIGSTOP the process: its sockets stay open and answer nothing, as a laptop that went to sleep."""
        os.kill(self.pid, signal.SIGSTOP)

    def thaw(self) -> None:
        """SIGCONT the process."""
        os.kill(self.pid, signal.SIGCONT)

    def command(self, command: str, **members: object) -> None:
        """Send one command line to the driver."""
        assert self._process is not None and self._process.stdin is not None
        self._process.stdin.write(json.dumps({"command": command, **members}).encode() + b"\n")

    async def answer(self, command: str, timeout_s: float, **members: object) -> Any:
        """Send a command that is answered and return the answer."""
        number = next(self._numbers)
        self.command(command, ack=number, **members)
        await self.until(lambda: number in self._answers, timeout_s, f"answer to {command} {members}")
        answer = self._answers.pop(number)
        return answer[0] if answer else None

    async def until(self, true: Callable[[], object], timeout_s: float, what: str) -> None:
        """Wait until `true()` holds; raises AssertionError at the deadline or when the child has ended."""
        try:
            async with asyncio.timeout(timeout_s), self._changed:
                await self._changed.wait_for(lambda: true() or self._ended)
        except TimeoutError:
            raise AssertionError(f"waited {timeout_s:g} s in vain for {what}") from None
        if not true():
            raise AssertionError(f"the Node process ended while waiting for {what}")

    async def _read(self) -> None:
        assert self._process is not None and self._process.stdout is not None
        async for raw in self._process.stdout:
            line: Line = json.loads(raw)
            async with self._changed:
                if line["happened"] == "up":
                    self._up = True
                elif line["happened"] == "ack":
                    self._answers[line["ack"]] = line["answer"]
                else:
                    self._sockets[line["socket"]].add(line)
                self._changed.notify_all()
        async with self._changed:
            self._ended = True
            self._changed.notify_all()
