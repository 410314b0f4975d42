"""What the browser side's own tests ask of a real server: tokens, events, codes on offer, refusals counted.

Owns a small HTTP server on a loopback port beside a simulated orchestrator; the tests in `orchestrator/web/test/real`
call it. It must never know what they test.
"""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import AsyncIterator
from typing import Any

from aiohttp import web

from orchestrator.auth import local
from tests.support.server import Json
from tests.support.simulated import Simulated

_MANY = 100
"""From so many events on they are messages of a phone: REST allows only so many changes at once."""
_users = itertools.count(1)


class WebControl:
    """Answers POST /NAME with what the method of that name returns; the body's members are its arguments."""

    def __init__(self, world: Simulated, url: str) -> None:
        self._world = world
        self.url = url

    @classmethod
    @contextlib.asynccontextmanager
    async def running(cls, world: Simulated) -> AsyncIterator[WebControl]:
        """Serve on a free loopback port."""
        app = web.Application()
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        control = cls(world, "")

        async def answer(request: web.Request) -> web.Response:
            work = getattr(control, f"do_{request.match_info['name']}")
            return web.json_response(await work(**await request.json()))

        app.router.add_post("/{name}", answer)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        control.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        try:
            yield control
        finally:
            await runner.cleanup()

    async def do_server(self) -> Json:
        """Where the orchestrator is."""
        return {"url": self._world.server.url}

    async def do_user(self) -> Json:
        """A user nobody was before, with one bot that does not run."""
        user = f"web_{next(_users)}"
        made = await self._world.by(user)("POST", "/bots", {"name": "Ada", "start": False})
        return {"user": user, "bot": made.ok(201)["id"]}

    async def do_token(self, user: str, ttl_s: int) -> Json:
        """A token of that user."""
        return {"token": local.issue(self._world.server.data_dir, user, ttl_s, operator=False)}

    async def do_publish(self, user: str, count: int) -> Json:
        """Make events; return the ids of all there are, oldest first."""
        rest = self._world.by(user)
        bot = str((await rest("GET", "/bots")).ok(200)["bots"][0]["id"])
        if count < _MANY:
            for number in range(count):
                (await rest("PATCH", f"/bots/{bot}", {"name": f"name {number} of {count}"})).ok(200)
            return {"ids": await self._events(user)}
        phone = self._world.phone(bot)
        (await rest("POST", f"/bots/{bot}/start", {})).ok(202)
        await phone.scan()
        await self._world.until(rest, bot, lambda seen: seen["status"] == "connected")
        before = len(await self._events(user))
        for number in range(count):
            await phone.text("4915100000001", f"message {number}")

        async def read() -> Json:
            return {"ids": await self._events(user)}

        return await self._world.server.poll(read, lambda seen: len(seen["ids"]) >= before + count)

    async def do_offer(self, user: str, bot: str) -> Json:
        """Begin to link: a code is on offer soon."""
        (await self._world.by(user)("POST", f"/bots/{bot}/start", {})).ok(202)
        return {}

    async def do_metric(self, name: str) -> Json:
        """The sum of a metric's samples."""
        return {"value": await self._world.server.metric(name)}

    async def _events(self, user: str) -> list[str]:
        rest = self._world.by(user)
        ids: list[str] = []
        query: dict[str, Any] = {"limit": 500}
        while True:
            page = (await rest("GET", "/events", **query)).ok(200)
            ids.extend(event["id"] for event in page["events"])
            if len(page["events"]) < query["limit"]:
                return ids
            query["after"] = f"{page['position']['epoch']}:{page['position']['seq']}"
