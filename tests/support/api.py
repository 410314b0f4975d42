"""The HTTP application in this process over real parts: tokens, sign-in, store, bus; the clock stands still.

For what needs no bots: the boundary, sessions, events, pages. Bots' routes are tested on a whole server
(`server.py`). Owns building and closing; it must never know a route.
"""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import aiohttp
from aiohttp import web
from aiohttp.test_utils import TestServer

from orchestrator import proxies
from orchestrator.api import openapi, routes
from orchestrator.api.http import TASKS, Parts, Route, boundary, handle
from orchestrator.api.schema import UserLimits, Version
from orchestrator.api.streams import STREAMS, Streams, StreamSettings
from orchestrator.auth.principal import Identity, open_local
from orchestrator.bus.memory import MemoryBus
from orchestrator.clock import ManualClock
from orchestrator.ports import Fleet, Histories, MediaRoom, Operations, Outbox
from orchestrator.store.database import Database
from orchestrator.store.idempotency import Idempotency
from orchestrator.store.sessions import Sessions, Users
from orchestrator.supervisor.probe import probe
from orchestrator.tasks import TaskFailure, Tasks
from tests.support.openapi import Contract
from tests.support.rest import Rest


@dataclass(slots=True)
class Api:
    """The running application and its parts."""

    rest: Rest
    """Nobody in particular; `rest.as_(token)` is somebody."""
    parts: Parts
    identity: Identity
    bus: MemoryBus
    clock: ManualClock
    failures: list[TaskFailure]
    streams: Streams
    missing: list[str]
    """What `readyz` says is missing: fill or empty it."""

    def token(self, user: str = "ada", *, operator: bool = False, ttl_s: int = 3600) -> str:
        """A token for a user."""
        return self.identity._tokens.issue(user, ttl_s, operator=operator)[0]

    def by(self, user: str = "ada", *, operator: bool = False) -> Rest:
        """REST as a user."""
        return self.rest.as_(self.token(user, operator=operator))

    @property
    def host(self) -> str:
        """What a browser sends as Host."""
        return self.rest.url.removeprefix("http://")


@contextlib.asynccontextmanager
async def serving(
    data_dir: Path,
    *extra: Route,
    open_metrics: bool = True,
    secure_cookie: bool = False,
    streams: StreamSettings | None = None,
    proxy_allow: tuple[str, ...] = (),
) -> AsyncIterator[Api]:
    """Serve REST, pages and OpenAPI (and `extra` routes at the root) on a loopback port."""
    clock, tasks = ManualClock(), Tasks()
    database = await Database.open(data_dir / "api.db", clock)
    sessions, users = Sessions(database, clock), Users(database, clock)
    identity = await open_local(data_dir, users, sessions, clock)
    bus = MemoryBus(clock)
    missing: list[str] = []
    hosts: set[str] = set()

    async def proxy_check(proxy: str) -> bool:
        return await probe(await proxies.checked(proxy, proxy_allow)) == "ok"

    parts = Parts(
        # No route these tests ask has to do with bots; one that did would fail loudly.
        fleet=cast(Fleet, None),
        outbox=cast(Outbox, None),
        bus=bus,
        tokens=identity,
        sign_in=identity,
        keys=Idempotency(database),
        tasks=tasks,
        clock=clock,
        version=lambda: Version("0.1.0", 1, "simulated", None),
        ready=lambda: missing[0] if missing else None,
        metrics=lambda: (b"orchestrator_sockets 0\n", "text/plain; version=0.0.4"),
        known_host=hosts.__contains__,
        open_metrics=open_metrics,
        secure_cookie=secure_cookie,
        proxy_check=proxy_check,
        files=cast(MediaRoom, None),
        histories=cast(Histories, None),
        operations=cast(Operations, None),
        limits=UserLimits(20, 10),
    )
    app = routes.make_app(parts, "0.1.0", streams=streams) if not extra else _bare(parts, extra)
    failures: list[TaskFailure] = []
    tasks.failures.listen(failures.append)
    server = TestServer(app, host="127.0.0.1")
    await server.start_server()
    hosts.update({f"127.0.0.1:{server.port}", f"localhost:{server.port}"})
    contract = None if extra else Contract(openapi.document(routes.all_routes(), "0.1.0"))
    try:
        async with aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as http:
            rest = Rest(http, f"http://127.0.0.1:{server.port}", None, contract)
            yield Api(rest, parts, identity, bus, clock, failures, app[STREAMS], missing)
    finally:
        await server.close()
        await tasks.close()
        await bus.close()
        await database.close()


def _bare(parts: Parts, extra: tuple[Route, ...]) -> web.Application:
    app = web.Application(middlewares=[boundary])
    app[TASKS] = parts.tasks
    app[STREAMS] = Streams()
    for route in extra:
        app.router.add_route(route.method, route.path, handle(parts, route))
    return app
