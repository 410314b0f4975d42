"""The parent's handle on a child process that runs the real neonize (``real_child.py``).

Owns starting, commanding, listening to and ending that process. It must never import neonize. Neighbour to read next:
``real_child.py``.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import os
import socket
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any, Protocol

from tests.loopback.devices import LinkedDevice
from tests.loopback.phone import Phone

Event = dict[str, Any]
_ROOT = Path(__file__).resolve().parent.parent.parent


class Network(Protocol):
    """The way to a loopback server, in this process or another."""

    @property
    def proxy_url(self) -> str: ...

    def env(self) -> dict[str, str]: ...


class RealProcess:
    """A running child. ``events`` holds all it reported, in order."""

    def __init__(
        self, process: asyncio.subprocess.Process, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self.process = process
        self.events: list[Event] = []
        self._reader = reader
        self._writer = writer
        self._numbers = itertools.count(1)
        self._calls: dict[int, asyncio.Future[Any]] = {}
        self._changed = asyncio.Condition()

    @classmethod
    @contextlib.asynccontextmanager
    async def start(cls, wa: Network, stderr: int | None = None) -> AsyncIterator[RealProcess]:
        """A child that uses this server; killed at the end; its stderr is ours unless given. library.LibraryNotPatchable
        as ``wa.env``."""
        own, theirs = socket.socketpair()
        # The server's proxy is given explicitly: Go must not find another one in the environment.
        base = {name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")}
        with theirs:
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "tests.loopback.real_child", str(theirs.fileno()), wa.proxy_url),
                cwd=_ROOT,
                env={**base, **wa.env()},
                pass_fds=(theirs.fileno(),),
                stdout=asyncio.subprocess.DEVNULL,
                stderr=stderr,
            )
        child = cls(process, *await asyncio.open_connection(sock=own, limit=1 << 20))
        listening = asyncio.get_running_loop().create_task(child._listen())
        try:
            yield child
        finally:
            if process.returncode is None:
                process.kill()
            await process.wait()
            await listening

    async def _listen(self) -> None:
        with contextlib.suppress(ConnectionError):
            while line := await self._reader.readline():
                record = json.loads(line)
                if "call" in record:
                    self._answered(record)
                    continue
                async with self._changed:
                    self.events.append(record)
                    self._changed.notify_all()
        self._writer.close()
        for future in self._calls.values():
            if not future.done():
                future.set_exception(ConnectionError("the child is gone"))
        self._calls.clear()

    def _answered(self, record: Event) -> None:
        future = self._calls.pop(record["call"])
        if future.done():
            return
        if "error" in record:
            future.set_exception(RuntimeError(record["error"]))
        else:
            future.set_result(record["result"])

    async def call(self, op: str, bot: str, timeout_s: float = 20.0, **arguments: Any) -> Any:
        """Carry a command out in the child; RuntimeError with the library's text, TimeoutError."""
        number = next(self._numbers)
        future = self._calls[number] = asyncio.get_running_loop().create_future()
        command = json.dumps({"call": number, "op": op, "bot": bot, **arguments})
        self._writer.write(command.encode() + b"\n")
        return await asyncio.wait_for(future, timeout_s)

    async def wait(
        self, name: str, bot: str, timeout_s: float = 15.0, where: Callable[[Event], bool] | None = None, after: int = 0
    ) -> Event:
        """The first event of that name from index ``after`` on, past or to come; TimeoutError names what came instead."""

        def find() -> Event | None:
            for event in self.events[after:]:
                if event["event"] == name and event["bot"] == bot and (where is None or where(event)):
                    return event
            return None

        try:
            async with self._changed:
                await asyncio.wait_for(self._changed.wait_for(lambda: find() is not None), timeout_s)
        except TimeoutError:
            seen = [event["event"] for event in self.events[after:] if event["bot"] == bot]
            raise TimeoutError(f"no {name} for {bot} in {timeout_s} s; seen: {seen}") from None
        found = find()
        assert found is not None
        return found


async def link(child: RealProcess, phone: Phone, store: Path, bot: str = "bot") -> LinkedDevice:
    """Start an unlinked bot, scan its first QR code, wait until both sides call it connected."""
    await child.call("start", bot, store=str(store))
    code = await child.wait("qr", bot)
    device = await phone.scan(code["data"])
    await child.wait("Connected", bot)
    await device.wait_online()
    return device
