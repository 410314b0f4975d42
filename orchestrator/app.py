"""The composition root: the only file that builds rooms and names back ends; start in order, stop in reverse.

Order: database → bus → identity → supervisor → fleet and outbox → gateway and REST. Owns the process: its event loop,
its signals, its exit code. It must never hold a decision of a room.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import structlog
import uvloop

from orchestrator import log, proxies, qr
from orchestrator.api.bodies import Bodies
from orchestrator.api.http import Parts
from orchestrator.api.routes import make_app
from orchestrator.api.schema import UserLimits, Version
from orchestrator.auth import local
from orchestrator.auth.principal import AtConnect, Identity, open_local
from orchestrator.bots.alarms import Alarms
from orchestrator.bots.fleet import BotFleet
from orchestrator.bots.histories import BotHistories
from orchestrator.bots.media import BotMedia
from orchestrator.bots.outbox import BotOutbox
from orchestrator.bots.pace import Pace
from orchestrator.bots.room import Limits
from orchestrator.bus.sqlite import SqliteBus
from orchestrator.clock import SystemClock
from orchestrator.demo.phones import PlayedPhones
from orchestrator.errors import Refused
from orchestrator.gateway.clerk import ClerkParts
from orchestrator.gateway.gateway import Gateway
from orchestrator.listening import CannotStart, listen
from orchestrator.metrics import Metrics
from orchestrator.operations.recorder import Recorder, Sources
from orchestrator.settings import Settings, is_loopback
from orchestrator.store.database import Database, DatabaseRefused
from orchestrator.store.idempotency import Idempotency
from orchestrator.store.operations import OperationRows
from orchestrator.store.sessions import Sessions, Users
from orchestrator.supervisor.supervisor import DataDirInUse, Supervisor
from orchestrator.tasks import Tasks, install_hooks
from orchestrator.wiring import app_version, gateway_settings, issuer_of, options_of, phones_of, prober_of, retention_of

_log = structlog.get_logger("orchestrator")

STOP_S = 9.5
"""A clean stop takes at most 10 s; what hangs then is left to the workers' own end."""
LAG_EVERY_S = 1.0


class Show(Protocol):
    """What a demo adds to a server."""

    async def before(self, settings: Settings) -> None:
        """Fill the data directory, before anything opens it."""
        ...

    def begin(self, server: Running, tasks: Tasks) -> None:
        """Play; the server is ready."""
        ...

    def announce(self, server: Running) -> None:
        """Tell the person at the terminal."""
        ...


def serve(settings: Settings, show: Show | None = None) -> int:
    """Run the server until it is asked to stop; return the exit code: 0 clean, 1 could not start or stop."""
    log.set_up(settings.log_format, settings.log_level)
    os.umask(0o077)
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            return runner.run(_run(settings, show))
    except CannotStart as error:
        sys.stderr.write(f"{error}\n")
        return 1


async def _run(settings: Settings, show: Show | None) -> int:
    loop = asyncio.get_running_loop()
    asked = asyncio.Event()

    def ask() -> None:
        if asked.is_set():
            os._exit(1)  # the second Ctrl-C ends at once; workers end with their sockets
        asked.set()

    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, ask)
    tasks = Tasks()
    restore = install_hooks(tasks.failures, loop)
    try:
        if show is not None:
            await show.before(settings)
        async with running(settings, tasks) as server:
            if show is None:
                _announce(settings, server)
            else:
                show.announce(server)
                show.begin(server, tasks)
            await asked.wait()
            _log.info("Stopping")
            loop.call_later(STOP_S, os._exit, 1)
        _log.info("Stopped")
        return 0
    finally:
        restore()


@dataclass(frozen=True, slots=True)
class Running:
    """A server that serves: where it listens, and the one-time code for its first page."""

    url: str
    code: str
    data_dir: Path
    fleet: BotFleet
    outbox: BotOutbox


@contextlib.asynccontextmanager
async def running(settings: Settings, tasks: Tasks) -> AsyncIterator[Running]:
    """Build every room, serve, and take everything down in reverse.

    Raises:
        CannotStart: data directory, database, key file or port cannot be used; nothing is left running.
    """
    data_dir = settings.data_dir.absolute()
    clock, metrics = SystemClock(), Metrics()
    tasks.failures.listen(lambda failure: metrics.task_failed(failure.task))
    async with contextlib.AsyncExitStack() as stack:
        try:
            data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
            database = await Database.open(data_dir / "orchestrator.db", clock)
            stack.push_async_callback(database.close)
            bus = await SqliteBus.open(database, clock, tasks, metrics.committed, retention_of(settings))
            stack.push_async_callback(bus.close)
            Alarms(bus, clock, tasks, local.OPERATOR)
            issuer = issuer_of(settings, clock, tasks)
            if issuer is not None:
                stack.callback(issuer.close)
                issuer.warm()
            identity = await open_local(data_dir, Users(database, clock), Sessions(database, clock), clock, issuer)
            probe_route = prober_of(settings)
            supervisor = Supervisor(options_of(settings, data_dir), clock, tasks, probe_route=probe_route)
            fleet = _fleet(settings, data_dir, bus, supervisor, clock, tasks, metrics)
            recorder = _recorder(database, supervisor, fleet, metrics, clock, tasks)
            supervisor.attach(fleet, recorder.lost)
            seen_ms, left = await recorder.load()
            for incident in left:
                supervisor.incidents.reopen(incident)
            await fleet.load(seen_ms)
            await supervisor.start_up()
            stack.push_async_callback(tasks.close)
            stack.push_async_callback(fleet.close)
            stack.push_async_callback(supervisor.close)
            stack.push_async_callback(recorder.close)
        except (DatabaseRefused, DataDirInUse, ValueError, OSError, Refused) as error:
            raise CannotStart(_why(error, data_dir)) from None
        recovery = tasks.spawn("recovery", _recover(supervisor, fleet))
        outbox = BotOutbox(fleet)
        commands = ClerkParts(fleet, outbox, Idempotency(database), Bodies())
        gateway = Gateway(
            bus, commands, AtConnect(identity), clock, tasks, metrics, gateway_settings(settings), rechecks=identity
        )
        app = make_app(
            _parts(settings, fleet, bus, identity, database, tasks, metrics, supervisor, recovery, recorder),
            app_version(),
        )
        gateway.attach(app)
        url = await listen(settings, app, stack)
        stack.push_async_callback(gateway.drain)
        _watch(metrics, supervisor, tasks)
        recorder.begin()
        _leave_url(data_dir, url)
        code, _ = identity.code(local.OPERATOR, operator=True)
        yield Running(url, code, data_dir, fleet, outbox)


def _fleet(
    settings: Settings,
    data_dir: Path,
    bus: SqliteBus,
    supervisor: Supervisor,
    clock: SystemClock,
    tasks: Tasks,
    metrics: Metrics,
) -> BotFleet:
    return BotFleet(
        bus=bus,
        host=supervisor,
        incidents=supervisor.incidents,
        clock=clock,
        tasks=tasks,
        metrics=metrics,
        devices_dir=data_dir / "devices",
        media_dir=data_dir / "media",
        limits=Limits(
            settings.max_bots_per_user,
            settings.max_link_attempts_per_hour,
            Pace(settings.send_rate / 60, settings.send_burst),
            settings.proxy,
            settings.proxy_allow,
            settings.media_max,
            settings.media_allow,
        ),
        svg=qr.svg,
    )


def _recorder(
    database: Database, supervisor: Supervisor, fleet: BotFleet, metrics: Metrics, clock: SystemClock, tasks: Tasks
) -> Recorder:
    def waiting() -> tuple[int, int]:
        now = supervisor.statistics()
        return now.starts_waiting, now.spool_bytes

    sources = Sources(metrics, supervisor.incidents, supervisor.roll, fleet.briefs, waiting)
    return Recorder(OperationRows(database), sources, clock, tasks)


async def _recover(supervisor: Supervisor, fleet: BotFleet) -> None:
    """Bring bots back once everything that earlier workers left has been handed over."""
    await supervisor.recovered()
    fleet.begin()


def _parts(
    settings: Settings,
    fleet: BotFleet,
    bus: SqliteBus,
    identity: Identity,
    database: Database,
    tasks: Tasks,
    metrics: Metrics,
    supervisor: Supervisor,
    recovery: asyncio.Task[None],
    recorder: Recorder,
) -> Parts:
    clock, phones = SystemClock(), phones_of(settings)

    def version() -> Version:
        simulated = settings.driver == "simulated"
        return Version(app_version(), 1, settings.driver, supervisor.statistics().library, simulated, clock.wall_ms())

    async def proxy_check(proxy: str) -> bool:
        return await prober_of(settings)(await proxies.checked(proxy, settings.proxy_allow)) == "ok"

    def known_host(host: str) -> bool:
        return not settings.loopback or is_loopback(host.rsplit(":", 1)[0].strip("[]"))

    return Parts(
        fleet=fleet,
        outbox=BotOutbox(fleet),
        bus=bus,
        tokens=identity,
        sign_in=identity,
        keys=Idempotency(database),
        tasks=tasks,
        clock=clock,
        version=version,
        ready=lambda: None if recovery.done() else "starting",
        metrics=metrics.expose,
        known_host=known_host,
        open_metrics=settings.loopback,
        secure_cookie=settings.tls_in_front,
        proxy_check=proxy_check,
        files=BotMedia(fleet),
        histories=BotHistories(bus, fleet, clock),
        operations=recorder,
        limits=UserLimits(settings.max_bots_per_user, settings.max_link_attempts_per_hour),
        phones=PlayedPhones(phones) if phones is not None else None,
    )


def _watch(metrics: Metrics, supervisor: Supervisor, tasks: Tasks) -> None:
    def figures() -> tuple[int, int, int, list[str]]:
        now = supervisor.statistics()
        open_kinds = [kind for kind, count in now.incidents.items() for _ in range(count)]
        return sum(now.workers.values()), now.worker_restarts, now.spool_bytes, open_kinds

    metrics.watch(lambda: figures()[0], lambda: figures()[1], lambda: figures()[2], lambda: figures()[3])
    tasks.spawn("loop lag", _measure_lag(metrics))


async def _measure_lag(metrics: Metrics) -> None:
    loop = asyncio.get_running_loop()
    while True:
        began = loop.time()
        await asyncio.sleep(LAG_EVERY_S)
        metrics.loop_lag(max(0.0, loop.time() - began - LAG_EVERY_S))


def _leave_url(data_dir: Path, url: str) -> None:
    """Tell the command line beside us where we are."""
    path = data_dir / "run" / "url"
    beside = path.with_suffix(".new")
    beside.write_text(url + "\n")
    beside.replace(path)


def _announce(settings: Settings, address: Running) -> None:
    _log.info("Serving", url=address.url, driver=settings.driver, dataDir=str(settings.data_dir))
    if sys.stdout.isatty():
        # To the person at the terminal, never to a log: the code is a secret.
        sys.stdout.write(f"\n  Open {address.url}/#code={address.code}\n")
        sys.stdout.write("  (one use, 5 minutes; `orchestrator open` prints a fresh one)\n\n")
        sys.stdout.flush()
    else:
        _log.info("Run `orchestrator open` for an address that opens the page signed in")


def _why(error: Exception, data_dir: Path) -> str:
    if isinstance(error, DataDirInUse):
        return f"Another server is running on {data_dir}. Stop it, or name another directory with --data-dir."
    if isinstance(error, OSError):
        return f"The data directory {data_dir} cannot be used: {error.strerror or error}. --data-dir names another."
    return str(error)
