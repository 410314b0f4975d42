"""What the ring's benchmark is made of: the loopback WhatsApp, the client under measure, and the library alone.

Owns processes and their lines; every one ends with its context. It must never judge a figure. Read `measure.py` next.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import shutil
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

from tests.loopback.real_process import RealProcess
from tests.support.node_client import NODE_DIR, install

ROOT = Path(__file__).resolve().parents[2]
LINE_MAX_BYTES = 1 << 26
WAIT_S = 30.0


class WhatsApp:
    """The loopback server in its own process."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self._turn = asyncio.Lock()
        self.proxy_url = ""
        self._env: dict[str, str] = {}

    @classmethod
    @contextlib.asynccontextmanager
    async def running(cls) -> AsyncIterator[WhatsApp]:
        """Start it; it ends when its standard input does."""
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "scripts.bench.whatsapp"),
            cwd=ROOT,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            limit=LINE_MAX_BYTES,
        )
        server = cls(process)
        try:
            way = await server.do("env")
            server.proxy_url, server._env = way["proxy"], way["env"]
            yield server
        finally:
            process.terminate()
            await process.wait()

    def env(self) -> dict[str, str]:
        """The environment of a process that loads the library."""
        return self._env

    async def do(self, command: str, **arguments: object) -> Any:
        """Carry out a command of `whatsapp.py`. RuntimeError with its reason."""
        assert self._process.stdin is not None and self._process.stdout is not None
        async with self._turn, asyncio.timeout(4 * WAIT_S):
            self._process.stdin.write(json.dumps({"do": command, **arguments}).encode() + b"\n")
            answer = json.loads(await self._process.stdout.readline())
        if "error" in answer:
            raise RuntimeError(f"{command}: {answer['error']}")
        return answer["result"]


class Client:
    """The real socket.io-client in Node, see `client.mjs`."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self.lines: list[dict[str, Any]] = []
        self._changed = asyncio.Condition()

    @classmethod
    @contextlib.asynccontextmanager
    async def connected(cls, url: str, token: str) -> AsyncIterator[Client]:
        """Connect and wait until it is ready."""
        await install()
        process = await asyncio.create_subprocess_exec(
            *(
                str(shutil.which("node")),
                str(ROOT / "scripts" / "bench" / "client.mjs"),
                str(NODE_DIR / "package.json"),
            ),
            *(url.replace("http://", "ws://"), token, "local"),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            limit=LINE_MAX_BYTES,
        )
        client = cls(process)
        reading = asyncio.get_running_loop().create_task(client._read())
        try:
            await client.line(lambda line: line["type"] == "ready")
            yield client
        finally:
            process.terminate()
            await process.wait()
            await reading

    async def _read(self) -> None:
        assert self._process.stdout is not None
        while raw := await self._process.stdout.readline():
            async with self._changed:
                self.lines.append(json.loads(raw))
                self._changed.notify_all()

    async def line(
        self, true: Callable[[dict[str, Any]], object], after: int = 0, timeout_s: float = WAIT_S
    ) -> dict[str, Any]:
        """The first line from number `after` on for which a condition holds."""
        async with asyncio.timeout(timeout_s), self._changed:
            while True:
                found = next((line for line in self.lines[after:] if true(line)), None)
                if found is not None:
                    return found
                await self._changed.wait()

    async def messages(self, count: int, timeout_s: float = WAIT_S) -> dict[str, float]:
        """Wait for that many messages since the last call; when each arrived, by id."""
        assert self._process.stdin is not None
        mark = len(self.lines)
        self._process.stdin.write(f"{count}\n".encode())
        taken = await self.line(lambda line: line["event"] == "taken", mark, timeout_s)
        assert taken["gaps"] == 0, "a frame's prev was not the one before it"
        return dict(taken["messages"])


@contextlib.asynccontextmanager
async def library(whatsapp: WhatsApp) -> AsyncIterator[RealProcess]:
    """A bare child process with the library and handlers that only note or count."""
    async with RealProcess.start(whatsapp, asyncio.subprocess.DEVNULL) as child:
        yield child
