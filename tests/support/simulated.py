"""A whole server on the simulated driver for REST and command-line tests, and its bots' phones.

Owns one `orchestrator serve` process and users of it; every test takes a user of its own, so that tests share the
process and nothing else. It must never know what an answer should say. Read `server.py` and `rest.py` next.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import os
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import TypeVar

import aiohttp

from orchestrator.auth import local
from sessions.simulated_control import PhoneClient
from tests.support.openapi import Contract
from tests.support.rest import Rest
from tests.support.server import Json, Server

T = TypeVar("T")

_users = itertools.count(1)


class Simulated:
    """A running server and ways to reach it."""

    def __init__(self, server: Server, http: aiohttp.ClientSession, contract: Contract) -> None:
        self.server = server
        self._nobody = Rest(http, server.url, None, contract)

    def token(self, user: str, *, operator: bool = False) -> str:
        """A token for a user, as `orchestrator token` makes it."""
        return local.issue(self.server.data_dir, user, 3600, operator=operator)

    def by(self, user: str, *, operator: bool = False) -> Rest:
        """REST as a user; every answer is checked against OpenAPI."""
        return self._nobody.as_(self.token(user, operator=operator))

    def someone(self) -> Rest:
        """REST as a user nobody was before."""
        return self.by(f"user_{next(_users)}")

    def phone(self, bot: str) -> PhoneClient:
        """Who plays this bot's phone."""
        return PhoneClient(self.server.data_dir / "run" / "phones", bot)

    async def until(self, rest: Rest, bot: str, true: Callable[[Json], object], timeout_s: float = 30.0) -> Json:
        """Poll a bot's record until a condition holds; return it."""

        async def read() -> Json:
            return dict((await rest("GET", f"/bots/{bot}")).ok(200))

        return await self.server.poll(read, true, timeout_s)

    async def linked(self, rest: Rest, name: str = "support") -> str:
        """Create a bot and link it by scanning; return its id."""
        bot = str((await rest("POST", "/bots", {"name": name})).ok(201)["id"])
        await self.phone(bot).scan()
        await self.until(rest, bot, lambda seen: seen["status"] == "connected")
        return bot


async def eventually(true: Callable[[], T | None], what: str, timeout_s: float = 30.0) -> T:
    """Ask until the answer is true, of something in another process; return it."""
    try:
        async with asyncio.timeout(timeout_s):
            while True:
                if found := true():
                    return found
                await asyncio.sleep(0.02)
    except TimeoutError:
        raise AssertionError(f"waited {timeout_s:g} s in vain for {what}") from None


def clean_environment() -> dict[str, str]:
    """The tester's environment without settings of ours."""
    return {key: value for key, value in os.environ.items() if not key.startswith("ORCHESTRATOR_")}


@contextlib.asynccontextmanager
async def simulated(data_dir: Path, *options: str, kind: type[Server] = Server) -> AsyncIterator[Simulated]:
    """Run a server on the simulated driver."""
    async with (
        kind.running(data_dir, clean_environment(), "--driver", "simulated", *options) as server,
        aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as http,
    ):
        async with http.get(f"{server.url}/openapi.json") as answer:
            contract = Contract(await answer.json())
        yield Simulated(server, http, contract)
