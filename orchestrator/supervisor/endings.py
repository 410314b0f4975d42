"""How seats and workers end: asked to, moved out of a condemned worker, or by a death nobody asked for.

Owns the order of an ending: the process is dead, its spool is handed over, then the mailbox is told. It must never know
what a mailbox makes of it. Read `seats.py` for the records, `quarantine.py` for who is kept apart afterwards.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import structlog

from orchestrator.ports import HostEvent, SessionGone, WorkerLost
from orchestrator.supervisor import quarantine
from orchestrator.supervisor.awake import Awake
from orchestrator.supervisor.outages import Outages
from orchestrator.supervisor.seats import Ending, Seat, Worker
from orchestrator.supervisor.spools import Spools
from orchestrator.supervisor.workers import Workers
from orchestrator.tasks import Tasks
from sessions.model import SendUnknown
from sessions.wire import Stop

_log = structlog.get_logger("supervisor")


@dataclass(frozen=True, slots=True)
class Limits:
    """How long things may take, in seconds of waking time."""

    turn_s: float = 1.5
    """A stop waits so long for the start or stop under way in its worker; the gate in the worker opens after 1 s."""
    stop_s: float = 5.0
    """A worker that has not let go of a bot by then is condemned."""
    evacuate_s: float = 2.5
    """Its healthy bots are moved out for so long, then it is killed."""
    arrive_s: float = 0.5
    """The next one is moved when the last is up elsewhere, or after this."""
    whole_stop_s: float = 9.5
    """`Host.stop` returns after this, whatever hangs."""
    start_s: float = 15.0
    """A start that has reported nothing by then condemns its worker."""
    hung_s: float = 15.0
    """A worker that answers nothing for so long is killed."""
    ping_s: float = 5.0
    stuck_s: float = 30.0
    """A callback that has not returned for so long is a dead event pump."""


class Endings:
    """Ends seats and workers."""

    def __init__(
        self,
        limits: Limits,
        workers: Workers,
        spools: Spools,
        outages: Outages,
        awake: Awake,
        tasks: Tasks,
        seats: dict[str, Seat],
        deliver: Callable[[str, HostEvent], None],
    ) -> None:
        """`seats` is the room's table of who sits where; `deliver(bot, event)` reaches the mailboxes."""
        self.crashes = 0
        """Sessions that ended with the death of a worker nobody had asked to end."""
        self.deaths = 0
        """Such deaths of workers, and those condemned."""
        self.lost_by_number: Counter[int] = Counter()
        """The same by the number of the worker."""
        self.on_lost: Callable[[WorkerLost], None] = lambda _: None
        """Told of each of them; must not wait or raise."""
        self._limits = limits
        self._workers = workers
        self._spools = spools
        self._outages = outages
        self._awake = awake
        self._tasks = tasks
        self._seats = seats
        self._deliver = deliver
        self._arrivals: dict[str, asyncio.Future[None]] = {}
        self._moving = False

    async def stop(self, seat: Seat) -> None:
        """End a seat as asked; returns when no process holds its bot and its events were handed over, or in 10 s."""
        until = self._awake.now() + self._limits.whole_stop_s
        seat.ending = "asked"
        if not seat.stopping:
            seat.stopping = True
            if seat.worker.kind == "linking":
                self._kill(seat.worker)
            elif not await self._stop_session(seat, self._limits.turn_s, self._limits.stop_s):
                # A start that still keeps everybody else out is to blame before the one that could not be stopped.
                starting = (other for other in seat.worker.seats.values() if not other.reported.done())
                self.condemn(seat.worker, next(starting, seat))
        await self._awake.wait([seat.gone], max(0.0, until - self._awake.now()))

    def condemn(self, worker: Worker, culprit: Seat | None) -> None:
        """Let a worker take no more bots, move its healthy ones out, then kill it. `culprit` is who did not let go."""
        if worker.retired or worker.up.gone.done():
            return
        worker.closed = worker.retired = True
        self._lost(worker, "condemned", None)
        _log.warning("Worker condemned", worker=worker.id, bots=len(worker.seats))
        if culprit is not None and len(worker.seats) > 1:
            self._workers.quarantine = quarantine.isolate(self._workers.quarantine, culprit.bot, self._awake.now())
        self._tasks.spawn("evacuate worker", self._evacuate(worker, culprit))

    def hung(self, worker: Worker) -> None:
        """A worker answers nothing: kill it."""
        _log.warning("Worker killed: no answer", worker=worker.id, bots=len(worker.seats))
        self._mark(worker, "killed_hung")
        worker.closed = True
        worker.up.kill()

    def spool_failed(self, worker: Worker) -> None:
        """A worker's spool is full or broken: it has disconnected its sessions. End it; its space is freed by the drain."""
        _log.error("Worker's spool failed", worker=worker.id)
        for seat in worker.seats.values():
            seat.stopping = True
        self._mark(worker, "storage_unavailable")
        self._workers.retire(worker)

    def stopped(self, worker: Worker, seat: Seat, clean: bool) -> None:
        """A session ended. One that nobody asked for is told as gone; one that kept its lock condemns the worker."""
        if seat.stopping or worker.retired:
            return
        seat.stopping = True
        seat.ending = "crashed"
        if clean:
            # Nobody else had a part in it: as if it had died alone.
            self._tell(seat, suspect=False, alone=True)
            self._leave(seat)
        else:
            self.condemn(worker, seat)

    def arrived(self, bot: str) -> None:
        """A bot's start is over."""
        arrival = self._arrivals.pop(bot, None)
        if arrival is not None and not arrival.done():
            arrival.set_result(None)

    def let_share_again(self) -> None:
        """Move one bot whose quarantine is over back to the pool, if there is one."""
        self._workers.quarantine, over = quarantine.release(self._workers.quarantine, self._awake.now())
        for bot in over:
            seat = self._seats.get(bot)
            apart = seat is not None and seat.wish == "pool" and (seat.worker.kind == "own" or seat.worker.group)
            if seat is not None and apart and not seat.stopping and seat.reported.done():
                self._tasks.spawn("move bot to pool", self._move(seat))

    async def see_off(self, worker: Worker) -> None:
        """Wait for a worker's death, then settle what it leaves, in order: spool, sends, seats."""
        status = await worker.up.gone
        worker.closed = True
        seats = list(worker.seats.values())
        noted = {note.bot for note in worker.up.notes()}
        if not worker.retired:
            self._judge(worker, noted, status)
        worker.fail_calls()
        worker.feed.attach(None, wants_marks=False)
        if all(seat.stopped.done() and seat.stopped.result() for seat in seats):
            # `Stopped` comes after every spooled event of its incarnation: nothing is left that was not handed over.
            self._spools.discard(worker.feed)
        else:
            await self._spools.drain(worker.feed, list(worker.seats), worker.take_event)
        worker.fail_sends(SendUnknown())
        for seat in seats:
            self._tell(seat, suspect=seat.bot in noted, alone=len(seats) == 1)
            self._leave(seat)
        worker.up.forget()
        self._workers.gone(worker)
        worker.gone.set_result(None)

    def _judge(self, worker: Worker, noted: set[str], status: int) -> None:
        """A death nobody asked for: count it, and keep apart whoever may have caused it."""
        hung = any(seat.ending == "killed_hung" for seat in worker.seats.values())
        self._lost(worker, "no_answer" if hung else "died", status)
        self.crashes += len(worker.seats)
        self._mark(worker, "crashed")
        now = self._awake.now()
        self._workers.quarantine = quarantine.after_death(self._workers.quarantine, worker.seats, noted, now)
        suspects = len(noted & set(worker.seats))
        _log.warning("Worker lost", worker=worker.id, bots=len(worker.seats), suspects=suspects, status=status)

    def _lost(self, worker: Worker, cause: Literal["died", "condemned", "no_answer"], status: int | None) -> None:
        self.deaths += 1
        self.lost_by_number[worker.number] += 1
        self.on_lost(WorkerLost(worker.number, cause, status, tuple(worker.seats)))

    def _mark(self, worker: Worker, ending: Ending) -> None:
        for seat in worker.seats.values():
            seat.ending = seat.ending or ending

    def _kill(self, worker: Worker) -> None:
        worker.closed = worker.retired = True
        worker.up.kill()

    async def _evacuate(self, worker: Worker, culprit: Seat | None) -> None:
        until = self._awake.now() + self._limits.evacuate_s
        for seat in list(worker.seats.values()):
            left_s = until - self._awake.now()
            up = seat.started.done() and seat.reported.done()
            if seat is culprit or seat.stopping or not up:
                continue
            if left_s <= 0 or worker.up.gone.done():
                break
            seat.stopping = True
            seat.ending = "condemned"
            arrival = self._arrivals[seat.bot] = asyncio.get_running_loop().create_future()
            if not await self._stop_session(seat, None, left_s):
                break
            await self._awake.wait([arrival], min(self._limits.arrive_s, max(0.0, until - self._awake.now())))
            self._arrivals.pop(seat.bot, None)
        self._mark(worker, "condemned")
        worker.up.kill()

    async def _move(self, seat: Seat) -> None:
        seat.stopping = True
        seat.ending = "condemned"
        if not await self._stop_session(seat, self._limits.turn_s, self._limits.stop_s):
            self.condemn(seat.worker, seat)

    async def _stop_session(self, seat: Seat, turn_s: float | None, stop_s: float) -> bool:
        """Ask the worker to stop one session; True when the bot is free. `turn_s` None does not wait for a turn."""
        worker = seat.worker
        mine = False
        if not seat.reported.done():
            # Its own start has the turn; the session only has to be with the library before it can be taken away.
            await self._awake.wait([seat.started], turn_s or 0.0)
        elif turn_s is not None:
            mine = await self._turn(worker, turn_s)
        worker.feed.urgent(+1)
        try:
            if not seat.stopped.done():
                worker.up.send(Stop(seat.bot, seat.incarnation))
            await self._awake.wait([seat.stopped, seat.gone], stop_s)
        finally:
            worker.feed.urgent(-1)
            if mine:
                worker.turn.release()
        if seat.gone.done():
            return True
        if worker.up.gone.done() or not seat.stopped.done() or not seat.stopped.result():
            return False
        self._tell(seat, suspect=False, alone=False)
        self._leave(seat)
        return True

    async def _turn(self, worker: Worker, turn_s: float) -> bool:
        try:
            async with asyncio.timeout(turn_s):
                return await worker.turn.acquire()
        except TimeoutError:
            return False

    def _tell(self, seat: Seat, *, suspect: bool, alone: bool) -> None:
        if seat.ending not in {None, "asked"} and not seat.gone.done():
            cause = seat.ending
            assert cause is not None and cause != "asked"
            self._deliver(seat.bot, SessionGone(seat.incarnation, cause, suspect, alone))

    def _leave(self, seat: Seat) -> None:
        if seat.gone.done():
            return
        seat.worker.seats.pop(seat.bot, None)
        if self._seats.get(seat.bot) is seat:
            del self._seats[seat.bot]
        self._outages.gone(seat.bot, asked=seat.ending == "asked")
        seat.leave()
        self._workers.vacated(seat.worker)
