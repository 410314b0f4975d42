"""Measures a storm: every user of a server loses the connection in the same moment and comes back at once.

The whole product runs as `orchestrator serve` in processes of its own, on loopback, with the simulated driver; the
clients are WebSockets in this process. Each one missed some events and resumes. Printed: how long until a client is
told `ready` and until it has everything it missed, as seen by the clients, from the moment all of them begin.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import resource
import signal
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import uvloop

from orchestrator.auth.local import issue

START_S = 30.0
WAIT_S = 60.0


@dataclass(slots=True)
class User:
    """One user with one bot, and what their page remembers."""

    name: str
    token: str
    bot: str = ""
    epoch: str = ""
    seq: int = 0
    missed: int = 0
    ready_s: float = 0.0
    whole_s: float = 0.0
    modes: list[str] = field(default_factory=list)


class Page:
    """One user's page: a Socket.IO client of a few lines."""

    def __init__(self, http: aiohttp.ClientSession, url: str, user: User) -> None:
        self._http = http
        self._url = url
        self._user = user
        self._socket: aiohttp.ClientWebSocketResponse | None = None

    async def connect(self, began: float) -> None:
        """Connect (with resume when there is a position) and read until everything that was missed is there."""
        user = self._user
        url = f"{self._url}/socket.io/?EIO=4&transport=websocket"
        self._socket = await self._http.ws_connect(url, max_msg_size=0)
        auth: dict[str, Any] = {"token": user.token, "userId": user.name, "acks": True}
        if user.epoch:
            auth["resume"] = {"epoch": user.epoch, "seq": user.seq}
        await self._socket.send_str("40" + json.dumps(auth))
        left = user.missed
        while left or not user.ready_s:
            frame = await self._frame()
            if frame["type"] == "ready":
                user.ready_s = time.perf_counter() - began
                user.modes.append(frame["data"]["mode"])
                user.epoch, user.seq = frame["data"]["epoch"], frame["data"]["from"]
            elif "seq" in frame:
                assert frame["prev"] == user.seq, "a gap, or a frame twice"
                user.seq = frame["seq"]
                left -= 1
        user.whole_s = time.perf_counter() - began

    async def _frame(self) -> dict[str, Any]:
        assert self._socket is not None
        while True:
            text = await self._socket.receive_str()
            if text.startswith("42"):
                frame: dict[str, Any] = json.loads(text[2:])[1]
                return frame
            if text.startswith("44"):
                raise AssertionError(f"refused: {text}")
            if text == "2":
                await self._socket.send_str("3")

    def drop(self) -> None:
        """Break the connection off without a goodbye."""
        assert self._socket is not None
        connection = self._socket._response.connection
        if connection is not None and connection.transport is not None:
            connection.transport.abort()


async def serve(directory: Path) -> tuple[asyncio.subprocess.Process, str]:
    """Start a server and return it with its address."""
    data = directory / "data"
    environment = {**os.environ, "ORCHESTRATOR_LOG_LEVEL": "warning"}
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "orchestrator", "serve", "--data-dir", str(data), "--port", "0", "--driver", "simulated",
        env=environment,
    )  # fmt: skip
    address = data / "run" / "url"
    deadline = time.monotonic() + START_S
    while not address.exists():
        if process.returncode is not None or time.monotonic() > deadline:
            raise RuntimeError("the server did not start")
        await asyncio.sleep(0.05)
    return process, address.read_text().strip()


async def each(users: Sequence[User], work: Any, at_once: int = 32) -> None:
    """Do something for every user, some at once."""
    gate = asyncio.Semaphore(at_once)

    async def one(user: User) -> None:
        async with gate:
            await work(user)

    await asyncio.gather(*(one(user) for user in users))


async def storm(http: aiohttp.ClientSession, url: str, users: list[User]) -> tuple[list[Page], float]:
    """Connect every user in the same moment; return their pages and how long it took until all were served."""
    pages = [Page(http, url, user) for user in users]
    for user in users:
        user.ready_s = 0.0
    began = time.perf_counter()
    async with asyncio.timeout(WAIT_S):
        await asyncio.gather(*(page.connect(began) for page in pages))
    return pages, time.perf_counter() - began


def figures(values: list[float]) -> dict[str, int]:
    """Percentiles in milliseconds."""
    cuts = statistics.quantiles(values, n=100)
    return {"p50_ms": round(cuts[49] * 1e3), "p99_ms": round(cuts[98] * 1e3), "max_ms": round(max(values) * 1e3)}


async def run(directory: Path, count: int, missed: int) -> dict[str, object]:
    """Make users and bots, let all connect, drop all, change their bots, let all come back at once."""
    process, url = await serve(directory)
    try:
        names = [f"user{number}" for number in range(count)]
        users = [User(name, issue(directory / "data", name, 3600, operator=False)) for name in names]
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=WAIT_S)
        connector = aiohttp.TCPConnector(limit=0)
        async with aiohttp.ClientSession(connector=connector, timeout=timeout) as http:

            async def create(user: User) -> None:
                user.bot = (await ask(http, "POST", f"{url}/api/v1/bots", user, {"name": "Shop", "start": False}))["id"]

            async def change(user: User) -> None:
                for number in range(missed):
                    await ask(http, "PATCH", f"{url}/api/v1/bots/{user.bot}", user, {"name": f"Shop {number}"})

            await each(users, create)
            pages, first_s = await storm(http, url, users)
            for page in pages:
                page.drop()
            await each(users, change)
            for user in users:
                user.missed = missed
            pages, again_s = await storm(http, url, users)
        assert all(user.modes == ["snapshot", "resumed"] for user in users), "somebody was not resumed"
        return {
            "clients": count,
            "missed_each": missed,
            "served": sum(1 for user in users if user.whole_s),
            "first_connect_all_s": round(first_s, 2),
            "reconnect_all_s": round(again_s, 2),
            "ready": figures([user.ready_s for user in users]),
            "whole": figures([user.whole_s for user in users]),
        }
    finally:
        process.send_signal(signal.SIGTERM)
        await process.wait()


async def ask(http: aiohttp.ClientSession, method: str, url: str, user: User, body: object) -> dict[str, Any]:
    headers = {"Authorization": f"Bearer {user.token}"}
    async with http.request(method, url, json=body, headers=headers) as answer:
        found: dict[str, Any] = await answer.json(content_type=None)
        if answer.status >= 400:
            raise RuntimeError(f"{method} {answer.status} {found.get('code')}")
        return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clients", type=int, default=1000)
    parser.add_argument("--missed", type=int, default=5, help="events each client missed")
    given = parser.parse_args()
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = given.clients * 2 + 200
    if soft < needed:
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(needed, hard), hard))
    with tempfile.TemporaryDirectory() as name:
        print(json.dumps(uvloop.run(run(Path(name), given.clients, given.missed))))


if __name__ == "__main__":
    main()
