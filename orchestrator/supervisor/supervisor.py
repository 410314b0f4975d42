"""The supervisor room as others see it: `ports.Host` over worker processes, with the watchdogs that keep it true.

Owns the table of who sits where and the order of a start: incident, old seat, leftovers, pace, lock, worker. It must
never know a bot's status or why it starts. Read `endings.py` for the way back, `workers.py` for the processes.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

import structlog

from orchestrator.clock import Clock
from orchestrator.ports import CallFailed, HostEvent, HostListener, Placement, StartRefused, WorkerLost
from orchestrator.supervisor import locks
from orchestrator.supervisor.awake import TICK_S, Awake
from orchestrator.supervisor.beginnings import Beginnings
from orchestrator.supervisor.endings import Endings, Limits
from orchestrator.supervisor.incidents import Route, Verdict
from orchestrator.supervisor.outages import Outages
from orchestrator.supervisor.pacing import Pace
from orchestrator.supervisor.probe import probe
from orchestrator.supervisor.roll import Roll
from orchestrator.supervisor.seats import Hooks, Seat, Worker
from orchestrator.supervisor.spools import Spools
from orchestrator.supervisor.starts import Starts
from orchestrator.supervisor.watch import Watch
from orchestrator.supervisor.worker_process import Launch
from orchestrator.supervisor.workers import Workers
from orchestrator.tasks import Tasks
from sessions.media import upload_s
from sessions.model import Found, NotSent, Outgoing, OutgoingMedia, SendOutcome, SendUnknown
from sessions.session import SessionSpec
from sessions.wire import AskGroup, EventFrame, Find, Logout, PairPhone, Result, Send

_log = structlog.get_logger("supervisor")

PAIR_PHONE_S = 20.0
FIND_S = 7.0
LOGOUT_S = 20.0
SEND_S = 90.0
"""The session itself gives a send 75 s."""
CLOSE_S = 6.5
"""For workers to stop their sessions and exit; what is left then is killed."""
KILLED_S = 1.0
SPOOLS_S = 0.5
"""For the last events to become durable; with the two above within 8 s."""
IN_USE_S = 2.0


@dataclass(frozen=True, slots=True)
class Options:
    """What the composition root decides."""

    launch: Launch
    bots_per_worker: int = 20
    start_rate: float = 20.0
    limits: Limits = field(default_factory=Limits)
    proxy: str | None = None
    """The operator's default for sessions: incidents name its route so."""


@dataclass(frozen=True, slots=True)
class Statistics:
    """Figures for `/metrics` and the fleet's page."""

    workers: dict[str, int]
    """By kind: linking, own, pool, spare."""
    worker_restarts: int
    """Workers that died or were condemned: each is replaced as its bots come back."""
    session_crashes: int
    spool_bytes: int
    starts_waiting: int
    incidents: dict[str, int]
    """Open ones by kind."""
    library: str | None
    """Version of the driver's library, once known."""


class DataDirInUse(Exception):
    """Another supervisor runs on this data directory."""


class Supervisor:
    """Implements `ports.Host`. `start_up` before anything else, `close` at the end."""

    def __init__(
        self,
        options: Options,
        clock: Clock,
        tasks: Tasks,
        *,
        probe_route: Callable[[Route], Awaitable[Verdict]] = probe,
    ) -> None:
        """Build the room; nothing runs before `start_up`."""
        self._launch = options.launch
        self._tasks = tasks
        self._awake = Awake(clock)
        self._listener: HostListener | None = None
        self._seats: dict[str, Seat] = {}
        self._starting: dict[str, asyncio.Task[StartRefused | None]] = {}
        self._starts = Starts(Pace(options.start_rate), clock)
        self.incidents = Outages(
            clock, self._awake, tasks, probe_route, self._starts.after_incident, options.proxy,
            lambda: self._workers.library,
        )  # fmt: skip
        self._spools = Spools(self._launch, self._awake, tasks, self._deliver)
        self._workers = Workers(self._launch, options.bots_per_worker, self._awake, tasks, self._spools)
        self._endings = Endings(
            options.limits, self._workers, self._spools, self.incidents, self._awake, tasks, self._seats, self._deliver
        )
        self._beginnings = Beginnings(
            self._launch, options.limits, self._workers, self._endings, self._spools, self._starts, self.incidents,
            self._awake, tasks, self._seats,
        )  # fmt: skip
        self._workers.wire(
            Hooks(self._on_event, self._endings.stopped, self._endings.spool_failed), self._endings.see_off
        )
        self._watch = Watch(options.limits, self._awake, self._workers, self._endings, self.incidents)
        self.roll = Roll(self._workers, self._endings, self._awake, clock)
        self._recovery: asyncio.Task[None] | None = None
        self._ticker: asyncio.Task[None] | None = None
        self._draining = False
        self._lock: int | None = None

    def attach(self, listener: HostListener, on_lost: Callable[[WorkerLost], None] = lambda _: None) -> None:
        """Say who takes the events, and who is told of workers that ended unasked; before `start_up`."""
        self._listener = listener
        self._endings.on_lost = on_lost

    async def start_up(self) -> None:
        """Claim the data directory, warm a worker up, and begin to hand over what earlier workers left.

        Raises:
            DataDirInUse: another supervisor runs there.
            OSError: the directories can't be made.
        """
        for directory in (self._launch.run_dir, self._launch.spool_dir):
            directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        try:
            self._lock = await locks.take(self._launch.run_dir / "supervisor.lock", lambda _pid: True, leave_s=IN_USE_S)
        except locks.Held:
            raise DataDirInUse from None
        self._recovery = self._tasks.spawn("recover spools", self._spools.recover(self._spools.leftovers()))
        self._ticker = self._tasks.spawn("supervisor ticker", self._tick())
        self._workers.warm_up()

    async def recovered(self) -> None:
        """Return when everything earlier workers left has been handed over; starts wait for it by themselves."""
        assert self._recovery is not None, "start_up comes first"
        await asyncio.shield(self._recovery)

    # --- ports.Host ----------------------------------------------------------------------------------------------

    async def start(self, spec: SessionSpec, placement: Placement) -> None:
        bot = spec.bot
        if self._draining:
            raise StartRefused("draining")
        if bot in self._starting:
            raise StartRefused("superseded")
        work = self._starting[bot] = self._tasks.spawn("start session", self._begin(spec, placement))
        try:
            refused = await work
        except asyncio.CancelledError:
            caller = asyncio.current_task()
            if caller is not None and caller.cancelling():
                # The caller is gone and so is its wish; whatever came to run is ended behind it.
                self._tasks.spawn("stop abandoned start", self.stop(bot))
                raise
            raise StartRefused("draining" if self._draining else "superseded") from None
        finally:
            if self._starting.get(bot) is work:
                del self._starting[bot]
        if refused is not None:
            raise refused

    async def stop(self, bot: str) -> None:
        starting = self._starting.get(bot)
        if starting is not None:
            starting.cancel()
            await asyncio.wait({starting})
        seat = self._seats.get(bot)
        if seat is not None:
            await self._endings.stop(seat)
        else:
            self.incidents.gone(bot, asked=True)

    async def pair_phone(self, bot: str, phone: str) -> str:
        seat = self._seat(bot)
        if seat is None:
            raise CallFailed("the session is not running")
        worker = seat.worker
        number, answer = worker.call()
        result = await self._ask(worker, PairPhone(number, bot, seat.incarnation, phone), answer, PAIR_PHONE_S)
        if result is None or not result.ok or result.code is None:
            raise CallFailed((result.error if result is not None else None) or "no pairing code was given")
        return result.code

    async def send(self, bot: str, job: str, outgoing: Outgoing) -> SendOutcome:
        seat = self._seat(bot)
        if seat is None:
            return NotSent("gone")
        worker = seat.worker
        number, answer = worker.call()
        spooled = worker.sending(job)
        worker.up.send(Send(number, bot, seat.incarnation, job, outgoing))
        limit_s = SEND_S + (upload_s(outgoing.size) if isinstance(outgoing, OutgoingMedia) else 0.0)
        try:
            await self._awake.wait([answer, spooled], limit_s)
            if not spooled.done() and answer.done() and answer.exception() is not None:
                # The process died: what it had spooled decides, and `see_off` settles the rest.
                await self._awake.wait([spooled], SEND_S)
        finally:
            worker.forget_call(number)
        if spooled.done():
            return spooled.result()
        spooled.cancel()
        if answer.done() and answer.exception() is None:
            result = answer.result()
            # A refusal without an outcome never reached the library.
            return result.outcome or (SendUnknown() if result.ok else NotSent("not_connected"))
        return SendUnknown()

    def ask_group(self, bot: str, chat: str) -> None:
        seat = self._seat(bot)
        if seat is not None:
            seat.worker.up.send(AskGroup(bot, seat.incarnation, chat))

    async def find(self, bot: str, phone: str) -> Found:
        seat = self._seat(bot)
        if seat is None:
            raise CallFailed("the session is not running")
        number, answer = seat.worker.call()
        result = await self._ask(seat.worker, Find(number, bot, seat.incarnation, phone), answer, FIND_S)
        if result is None or result.found is None:
            raise CallFailed("nobody could be asked")
        return result.found

    async def logout(self, bot: str) -> bool:
        seat = self._seat(bot)
        if seat is None:
            return False
        number, answer = seat.worker.call()
        try:
            result = await self._ask(seat.worker, Logout(number, bot, seat.incarnation), answer, LOGOUT_S)
        except CallFailed:
            return False
        return result is not None and result.ok

    def placement(self, bot: str) -> Placement | None:
        seat = self._seats.get(bot)
        if seat is None:
            return None
        # Who is kept apart by the quarantine is where it wants to be, as far as its mailbox goes.
        return seat.wish if seat.wish != "linking" else seat.worker.kind

    # --- the room's own ------------------------------------------------------------------------------------------

    def statistics(self) -> Statistics:
        """Return today's figures."""
        living = sum(
            worker.process.pong.spool_bytes
            for worker in self._workers.all.values()
            if worker.process is not None and worker.process.pong is not None
        )
        incidents: dict[str, int] = {}
        for incident in self.incidents.open():
            incidents[incident.kind] = incidents.get(incident.kind, 0) + 1
        return Statistics(
            workers=self._workers.counts(),
            worker_restarts=self._endings.deaths,
            session_crashes=self._endings.crashes,
            spool_bytes=living + self._spools.bytes(),
            starts_waiting=self._starts.waiting,
            incidents=incidents,
            library=self._workers.library,
        )

    async def close(self) -> None:
        """Stop every session cleanly and end all workers, within 8 s; what is not durable by then is for the next start.

        Idempotent. Starts are refused (`draining`) from here on, no `SessionGone` is told.
        """
        if self._draining:
            return
        self._draining = True
        for starting in list(self._starting.values()):
            starting.cancel()
        spare = self._workers.close()
        self._spools.stop()
        for worker in list(self._workers.all.values()):
            for seat in worker.seats.values():
                seat.stopping, seat.ending = True, "asked"
            if worker.process is None:
                continue
            if worker.kind == "linking":
                worker.closed = worker.retired = True
                worker.process.kill()
            else:
                self._workers.retire(worker, CLOSE_S)
        ends: list[asyncio.Future[None]] = [worker.gone for worker in self._workers.all.values()]
        if spare is not None:
            ends.append(spare)
        if ends and not await self._awake.wait_all(ends, CLOSE_S + KILLED_S):
            _log.error("Workers left behind", workers=sum(not end.done() for end in ends))
        await self._spools.close(SPOOLS_S)
        if self._ticker is not None:
            self._ticker.cancel()
        if self._lock is not None:
            os.close(self._lock)

    async def _begin(self, spec: SessionSpec, placement: Placement) -> StartRefused | None:
        """Start; a refusal is returned, because a task that raises is a bug that gets reported."""
        assert self._recovery is not None, "start_up comes first"
        try:
            await self._beginnings.start(spec, placement, self._recovery)
        except StartRefused as refused:
            return refused
        return None

    def _seat(self, bot: str) -> Seat | None:
        """The bot's seat, if calls to it can be answered."""
        seat = self._seats.get(bot)
        return seat if seat is not None and not seat.stopping and not seat.worker.up.gone.done() else None

    async def _ask(
        self, worker: Worker, frame: PairPhone | Find | Logout, answer: asyncio.Future[Result], timeout_s: float
    ) -> Result | None:
        """Make one numbered call; None when it was not answered in time. Raises CallFailed when the worker died."""
        worker.up.send(frame)
        worker.feed.urgent(+1)
        try:
            return answer.result() if await self._awake.wait([answer], timeout_s) else None
        finally:
            worker.feed.urgent(-1)
            worker.forget_call(frame.call)

    def _on_event(self, frame: EventFrame) -> None:
        self.incidents.told(frame.bot, frame.event)

    def _deliver(self, bot: str, event: HostEvent) -> None:
        assert self._listener is not None, "attach comes before start_up"
        self._listener.on_host_event(bot, event)

    async def _tick(self) -> None:
        while True:
            self._watch.tick()
            await asyncio.sleep(TICK_S)
