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
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from importlib.metadata import version as installed_version
from pathlib import Path
from typing import assert_never

import structlog
import uvloop

from orchestrator import log, proxies, qr
from orchestrator.api.bodies import Bodies
from orchestrator.api.http import Parts
from orchestrator.api.routes import make_app
from orchestrator.api.schema import UserLimits, Version
from orchestrator.auth import local
from orchestrator.auth.issuer import Issuer
from orchestrator.auth.principal import AtConnect, Identity, open_local
from orchestrator.bots.alarms import Alarms
from orchestrator.bots.fleet import BotFleet
from orchestrator.bots.histories import BotHistories
from orchestrator.bots.outbox import BotOutbox
from orchestrator.bots.room import Limits
from orchestrator.bus.retention import Retention
from orchestrator.bus.sqlite import SqliteBus
from orchestrator.clock import SystemClock
from orchestrator.demo.phones import PlayedPhones
from orchestrator.demo.weather import prober
from orchestrator.errors import Refused
from orchestrator.gateway.clerk import ClerkParts
from orchestrator.gateway.gateway import Gateway
from orchestrator.gateway.ports import GatewaySettings
from orchestrator.listening import CannotStart, listen
from orchestrator.metrics import Metrics
from orchestrator.operations.recorder import Recorder, Sources
from orchestrator.settings import Settings, is_loopback
from orchestrator.store.database import Database, DatabaseRefused
from orchestrator.store.idempotency import Idempotency
from orchestrator.store.operations import OperationRows
from orchestrator.store.sessions import Sessions, Users
from orchestrator.supervisor.incidents import Route, Verdict
from orchestrator.supervisor.probe import probe
from orchestrator.supervisor.supervisor import DataDirInUse, Options, Supervisor
from orchestrator.supervisor.worker_process import Launch
from orchestrator.tasks import Tasks, install_hooks

_log = structlog.get_logger("orchestrator")

DISTRIBUTION = "whatsapp-bot-orchestrator"
STOP_S = 9.5
"""A clean stop takes at most 10 s; what hangs then is left to the workers' own end."""
LAG_EVERY_S = 1.0


def serve(settings: Settings) -> int:
    """Run the server until it is asked to stop; return the exit code: 0 clean, 1 could not start or stop."""
    log.set_up(settings.log_format, settings.log_level)
    os.umask(0o077)
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            return runner.run(_run(settings))
    except CannotStart as error:
        sys.stderr.write(f"{error}\n")
        return 1


async def _run(settings: Settings) -> int:
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
        async with running(settings, tasks) as address:
            _announce(settings, address)
            await asked.wait()
            _log.info("Stopping")
            loop.call_later(STOP_S, os._exit, 1)
        _log.info("Stopped")
        return 0
    finally:
        restore()


@dataclass(frozen=True, slots=True)
class Address:
    """Where the server listens, and the one-time code for its first page."""

    url: str
    code: str


@contextlib.asynccontextmanager
async def running(settings: Settings, tasks: Tasks) -> AsyncIterator[Address]:
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
            bus = await SqliteBus.open(database, clock, tasks, metrics.committed, _retention(settings))
            stack.push_async_callback(bus.close)
            Alarms(bus, clock, tasks, local.OPERATOR)
            issuer = _issuer(settings, clock, tasks)
            if issuer is not None:
                stack.callback(issuer.close)
                issuer.warm()
            identity = await open_local(data_dir, Users(database, clock), Sessions(database, clock), clock, issuer)
            probe_route = _prober(settings)
            supervisor = Supervisor(_options(settings, data_dir), clock, tasks, probe_route=probe_route)
            fleet = _fleet(settings, data_dir, bus, supervisor, clock, tasks, metrics)
            recorder = _recorder(database, supervisor, fleet, metrics, clock, tasks)
            supervisor.attach(fleet, recorder.lost)
            seen_ms, _ = await recorder.load()
            await fleet.load(seen_ms)
            await supervisor.start_up()
            stack.push_async_callback(tasks.close)
            stack.push_async_callback(fleet.close)
            stack.push_async_callback(supervisor.close)
            stack.push_async_callback(recorder.close)
        except (DatabaseRefused, DataDirInUse, ValueError, OSError, Refused) as error:
            raise CannotStart(_why(error, data_dir)) from None
        recovery = tasks.spawn("recovery", _recover(supervisor, fleet))
        commands = ClerkParts(fleet, BotOutbox(fleet), Idempotency(database), Bodies())
        gateway = Gateway(
            bus, commands, AtConnect(identity), clock, tasks, metrics, _gateway_settings(settings), rechecks=identity
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
        yield Address(url, identity.code(local.OPERATOR, operator=True)[0])


def _retention(settings: Settings) -> Retention:
    return Retention(
        max_events=settings.retain_events,
        max_age_ms=settings.retain_hours * 3_600_000,
        max_bytes=settings.retain_bytes,
        max_message_age_ms=settings.retain_messages_days * 86_400_000,
    )


def _issuer(settings: Settings, clock: SystemClock, tasks: Tasks) -> Issuer | None:
    """Name who else says who people are. Imported here: only who uses firebase-admin pays for it (35 ms, 3.5 MB)."""
    match settings.auth:
        case "firebase":
            from orchestrator.auth.firebase import FirebaseIssuer, FirebaseSettings  # noqa: PLC0415

            assert settings.firebase_project_id is not None  # checked with the settings
            return FirebaseIssuer(
                FirebaseSettings(
                    settings.firebase_project_id, settings.firebase_credentials, settings.firebase_user_claim
                ),
                clock,
                tasks,
            )
        case "jwt":
            from orchestrator.auth.jwt import JwtIssuer, JwtSettings  # noqa: PLC0415

            assert settings.jwt_issuer is not None  # checked with the settings
            return JwtIssuer(
                JwtSettings(
                    settings.jwks_url,
                    settings.jwt_issuer,
                    settings.jwt_audience,
                    settings.jwt_authorized_parties,
                    settings.jwt_user_claim,
                ),
                clock,
                tasks,
            )
        case "local":
            return None
        case _:
            assert_never(settings.auth)


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
        limits=Limits(
            settings.max_bots_per_user, settings.max_link_attempts_per_hour, settings.proxy, settings.proxy_allow
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


def app_version() -> str:
    """Return this distribution's version."""
    return installed_version(DISTRIBUTION)


def _phones(settings: Settings) -> Path | None:
    """Where the simulated phones are played; None where there is a WhatsApp."""
    return settings.data_dir.absolute() / "run" / "phones" if settings.driver == "simulated" else None


def _prober(settings: Settings) -> Callable[[Route], Awaitable[Verdict]]:
    phones = _phones(settings)
    return probe if phones is None else prober(phones)


def _options(settings: Settings, data_dir: Path) -> Options:
    phones = _phones(settings)
    if phones is not None:
        phones.mkdir(mode=0o700, parents=True, exist_ok=True)
    launch = Launch(data_dir / "run", data_dir / "spool", settings.driver, settings.spool_max, phones)
    return Options(launch, settings.bots_per_worker, settings.start_rate, proxy=settings.proxy)


def _gateway_settings(settings: Settings) -> GatewaySettings:
    return GatewaySettings(
        cors_origins=settings.cors_origins,
        loopback=settings.loopback,
        tls_in_front=settings.tls_in_front,
        socket_max_age_s=settings.socket_max_age,
        server_version=app_version(),
    )


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
    clock, phones = SystemClock(), _phones(settings)

    def version() -> Version:
        simulated = settings.driver == "simulated"
        return Version(app_version(), 1, settings.driver, supervisor.statistics().library, simulated, clock.wall_ms())

    async def proxy_check(proxy: str) -> bool:
        return await _prober(settings)(await proxies.checked(proxy, settings.proxy_allow)) == "ok"

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


def _announce(settings: Settings, address: Address) -> None:
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
