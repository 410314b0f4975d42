"""A gateway on a loopback port with a bus in memory, for tests that speak to it over real sockets.

Owns the HTTP server and the counters it fills. It must never look into the gateway: tests see what clients see, the
counters and the log.
"""

from __future__ import annotations

import contextlib
import tempfile
from collections import Counter
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

from aiohttp import web

from orchestrator.api.bodies import Bodies
from orchestrator.auth.local import LocalTokens
from orchestrator.bus.bus import Bus, Entry, StatePut
from orchestrator.bus.memory import MemoryBus
from orchestrator.clock import SystemClock
from orchestrator.gateway.clerk import ClerkParts
from orchestrator.gateway.gateway import Gateway
from orchestrator.gateway.ports import GatewaySettings
from orchestrator.model import Bot, Event, EventName, Position, Principal, new_id, to_json
from orchestrator.ports import Fleet, Outbox, Rechecks, Tokens
from orchestrator.store.database import Database
from orchestrator.store.idempotency import Idempotency
from orchestrator.tasks import TaskFailure, Tasks

KEY = b"k" * 32
USER = "ada"


@dataclass
class Counters:
    """The gateway's counters as plain numbers (a `GatewayMetrics`)."""

    count: int = 0
    refusals: Counter[str] = field(default_factory=Counter)
    closings: Counter[str] = field(default_factory=Counter)
    takeovers: int = 0
    successions: int = 0
    most_duplicates: int = 0
    replacements: int = 0
    delays_s: list[float] = field(default_factory=list)
    replays: int = 0

    def sockets(self, count: int) -> None:
        self.count = count

    def refused(self, code: str) -> None:
        self.refusals[code] += 1

    def closed(self, code: str) -> None:
        self.closings[code] += 1

    def taken_over(self) -> None:
        self.takeovers += 1

    def superseded(self) -> None:
        self.successions += 1

    def duplicate_users(self, count: int) -> None:
        self.most_duplicates = max(self.most_duplicates, count)

    def replaced(self) -> None:
        self.replacements += 1

    def delivered(self, seconds: float) -> None:
        self.delays_s.append(seconds)

    def replayed(self, count: int) -> None:
        self.replays += count


class CheckedTokens:
    """Real local tokens behind the `Tokens` interface."""

    def __init__(self) -> None:
        self.local = LocalTokens(KEY, SystemClock())

    async def verify(self, token: str) -> Principal:
        return self.local.verify(token)


class NoBots:
    """What a gateway asks of a fleet for delivery alone."""

    def __init__(self, fill: Callable[[Bot], Bot]) -> None:
        self.fill = fill


class GatewayServer:
    """One running gateway."""

    def __init__(self, port: int, bus: Bus, metrics: Counters, gateway: Gateway, failures: list[TaskFailure]) -> None:
        self.port = port
        self.bus = bus
        self.metrics = metrics
        self.gateway = gateway
        self.failures = failures
        """Bugs that surfaced; `running` asserts that there were none."""

    @classmethod
    @contextlib.asynccontextmanager
    async def running(
        cls,
        settings: GatewaySettings | None = None,
        *,
        tokens: Tokens | None = None,
        fill: Callable[[Bot], Bot] = lambda bot: bot,
        bus: Bus | None = None,
        fleet: Fleet | None = None,
        outbox: Outbox | None = None,
        rechecks: Rechecks | None = None,
    ) -> AsyncIterator[GatewayServer]:
        """Serve on a free loopback port; drain at the end and assert that no bug surfaced and no rule was broken.

        Without a `fleet` there are no bots to command: only `fill` is there.
        """
        clock, tasks, metrics = SystemClock(), Tasks(), Counters()
        failures: list[TaskFailure] = []
        tasks.failures.listen(failures.append)
        log = bus or MemoryBus(clock)
        directory = tempfile.TemporaryDirectory()
        database = await Database.open(Path(directory.name) / "keys.db", clock)
        commands = ClerkParts(
            fleet or cast(Fleet, NoBots(fill)), outbox or cast(Outbox, None), Idempotency(database), Bodies()
        )
        gateway = Gateway(
            log,
            commands,
            tokens or CheckedTokens(),
            clock,
            tasks,
            metrics,
            settings or GatewaySettings(server_version="test"),
            rechecks,
        )
        app = web.Application()
        gateway.attach(app)
        runner = web.AppRunner(app, shutdown_timeout=1.0)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        port = int(runner.addresses[0][1])
        try:
            yield cls(port, log, metrics, gateway, failures)
        finally:
            await gateway.drain()
            await runner.cleanup()
            await tasks.close()
            await log.close()
            await database.close()
            directory.cleanup()
        assert failures == []
        assert metrics.most_duplicates == 0
        assert metrics.replacements == 0
        assert metrics.count == 0
        assert not gateway._wires

    @property
    def url(self) -> str:
        return f"ws://localhost:{self.port}".replace("localhost", "127.0.0.1")

    def token(self, user: str = USER, ttl_s: int = 3600) -> str:
        """A valid token."""
        return CheckedTokens().local.issue(user, ttl_s, operator=False)[0]

    def connections(self) -> int:
        """How many connections the gateway holds, sockets or not: what must end at 0 for nothing to leak."""
        return len(self.gateway._wires)

    async def publish(
        self,
        type_: str = "message",
        data: object | None = None,
        *,
        name: EventName = "message_sync",
        user: str = USER,
        bot: str = "bot_a",
    ) -> Position:
        """Commit one event and return its position."""
        (outcome,) = await self.bus.commit([Entry(user, make_event(type_, data, name=name, user=user, bot=bot))])
        assert isinstance(outcome, Position)
        return outcome

    async def put_bot(self, bot: Bot) -> None:
        """Store a bot's record."""
        await self.bus.commit([Entry(bot.user_id, None, (StatePut(f"bot/{bot.id}", to_json(bot)),))])


def make_event(
    type_: str,
    data: object | None = None,
    *,
    name: EventName = "message_sync",
    user: str = USER,
    bot: str | None = "bot_a",
) -> Event:
    """Return an event of now."""
    return Event(
        user, bot, name, type_, new_id("evt"), SystemClock().wall_ms(), to_json(data if data is not None else {})
    )


def make_bot(bot_id: str = "bot_a", user: str = USER, created_at: int = 1) -> Bot:
    """Return a stopped bot's record."""
    return Bot(
        id=bot_id,
        name="Ada's bot",
        user_id=user,
        status="stopped",
        since=1,
        status_version=1,
        reason=None,
        user_action="start",
        retry_at=None,
        until=None,
        proved_at=None,
        desired="stopped",
        account=None,
        link=None,
        proxy=False,
        device_name="Bot",
        script=None,
        restarts=0,
        created_at=created_at,
    )
