"""How a session comes to a seat: incident, old seat, leftovers, pace, lock, worker, turn, in this order.

Owns that order, and the watch over a start until its first report. It must never know why a bot starts. Read
`endings.py` for the way back.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import MutableMapping

import structlog

from orchestrator.ports import Placement, StartRefused
from orchestrator.supervisor import locks
from orchestrator.supervisor.awake import Awake
from orchestrator.supervisor.endings import Endings, Limits
from orchestrator.supervisor.outages import Outages
from orchestrator.supervisor.seats import Seat, Worker
from orchestrator.supervisor.spools import Spools, has_room
from orchestrator.supervisor.starts import Starts
from orchestrator.supervisor.worker_process import Launch, SpawnFailed
from orchestrator.supervisor.workers import Workers
from orchestrator.tasks import Tasks
from sessions.session import SessionSpec
from sessions.wire import Start

_log = structlog.get_logger("supervisor")


class Beginnings:
    """Brings sessions to their seats."""

    def __init__(
        self,
        launch: Launch,
        limits: Limits,
        workers: Workers,
        endings: Endings,
        spools: Spools,
        starts: Starts,
        outages: Outages,
        awake: Awake,
        tasks: Tasks,
        seats: MutableMapping[str, Seat],
    ) -> None:
        """`seats` is the room's table of who sits where."""
        self._launch = launch
        self._limits = limits
        self._workers = workers
        self._endings = endings
        self._spools = spools
        self._starts = starts
        self._outages = outages
        self._awake = awake
        self._tasks = tasks
        self._seats = seats

    async def start(self, spec: SessionSpec, wish: Placement, recovery: asyncio.Task[None]) -> None:
        """See `ports.Host.start`. Cancelling it leaves either nothing or a seat in the table.

        Args:
            recovery: hands over what earlier supervisors' workers left; nothing starts before that is done.
        """
        bot = spec.bot
        await asyncio.wait({recovery})
        if recovery.cancelled() or recovery.exception() is not None:
            raise StartRefused("storage_unavailable")
        if not await asyncio.to_thread(has_room, self._launch.spool_dir):
            raise StartRefused("storage_unavailable")
        self._refuse_if_held(spec)
        old = self._seats.get(bot)
        if old is not None:
            await self._endings.stop(old)
        await self._spools.ready(bot)
        await self._starts.turn(linking=wish == "linking")
        try:
            # An incident may have opened while this start waited for its turn.
            self._refuse_if_held(spec)
            seat = await self._sit(spec, wish)
        except BaseException:
            self._starts.finished()
            raise
        self._tasks.spawn("watch start", self._watch(seat))
        ends: set[asyncio.Future[None]] = {seat.started, seat.gone}
        await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)

    def _refuse_if_held(self, spec: SessionSpec) -> None:
        if self._outages.holding(spec.proxy, spec.bot) is not None:
            self._outages.held_back(spec.bot, spec.proxy)
            raise StartRefused("held_by_incident")

    async def _sit(self, spec: SessionSpec, wish: Placement) -> Seat:
        """Lock the bot and hand it to a worker whose turn it is; the worker's turn stays taken."""
        lock = await self._lock(spec.bot)
        try:
            worker = await self._worker(spec.bot, wish)
        except BaseException:
            os.close(lock)
            raise
        # No await from here on: the seat is in the tables, or nothing happened.
        try:
            locks.name_holder(lock, locks.Holder(worker.up.pid, worker.up.started))
        except OSError:
            os.close(lock)
            worker.turn.release()
            self._workers.unpromise(worker)
            raise StartRefused("storage_unavailable") from None
        seat = Seat(spec, wish, worker)
        self._seats[spec.bot] = worker.seats[spec.bot] = seat
        self._workers.unpromise(worker)
        worker.feed.urgent(+1)
        worker.up.send(Start(spec), lock)
        self._outages.started(spec.bot, spec.proxy)
        return seat

    async def _worker(self, bot: str, wish: Placement) -> Worker:
        """Return a worker with a seat promised and its turn taken."""
        while True:
            try:
                worker = await self._workers.place(bot, wish)
            except SpawnFailed:
                raise StartRefused("worker_crashed") from None
            try:
                await worker.turn.acquire()
            except BaseException:
                self._workers.unpromise(worker)
                raise
            if not worker.closed and not worker.up.gone.done():
                return worker
            # It died, or was condemned, while this start waited.
            worker.turn.release()
            self._workers.unpromise(worker)

    async def _lock(self, bot: str) -> int:
        path = self._launch.run_dir / f"{bot}.lock"
        try:
            return await locks.take(path, lambda pid: self._workers.by_pid(pid) is not None)
        except locks.Held:
            holder = locks.holder(path)
            ours = self._workers.by_pid(holder.pid) if holder is not None else None
            _log.error("Bot still held", bot=bot, ours=ours is not None)
            if ours is not None:
                self._endings.condemn(ours, None)
            raise StartRefused("superseded") from None
        except OSError:
            raise StartRefused("storage_unavailable") from None

    async def _watch(self, seat: Seat) -> None:
        """See a start to its first report; give back its turns. One that tells nothing condemns its worker."""
        worker = seat.worker
        up = [seat.started, seat.reported]
        try:
            in_time = await self._awake.wait_all(up, self._limits.start_s)
            if not in_time and not self._excused(seat):
                self._outages.failed(seat.bot)
                seat.ending = seat.ending or "start_timed_out"
                self._endings.condemn(worker, seat)
        finally:
            worker.feed.urgent(-1)
            worker.turn.release()
            self._starts.finished()
            self._endings.arrived(seat.bot)

    def _excused(self, seat: Seat) -> bool:
        """While nobody on its route reaches WhatsApp, watchdogs stand still: the session is up and keeps trying."""
        return seat.started.done() and self._outages.unreachable(seat.spec.proxy) is not None
