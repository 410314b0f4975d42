"""The worker processes: one kept warm, those for one bot, and the pool. Who gets which, who is brought up, who retires.

Owns the set of workers and who may share. It must never know why a bot starts or stops. Read `seats.py` for a worker,
`endings.py` for how one ends, `placement.py` and `quarantine.py` for the rules.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine

import structlog

from orchestrator.model import new_id
from orchestrator.ports import Placement
from orchestrator.supervisor import placement, quarantine
from orchestrator.supervisor.awake import Awake
from orchestrator.supervisor.placement import PoolWorker
from orchestrator.supervisor.quarantine import Quarantine
from orchestrator.supervisor.seats import Hooks, Worker
from orchestrator.supervisor.spools import Spools
from orchestrator.supervisor.worker_process import Launch, SpawnFailed, WorkerProcess
from orchestrator.tasks import Tasks
from sessions.wire import Shutdown

_log = structlog.get_logger("supervisor")

REFILL_S = 1.0
"""The next warm process waits so long, so that loading the library does not slow the start that took the last one."""
REFILL_CAP_S = 60.0
AT_ONCE = 2
"""Processes brought up at one time: each loads the library, which is all CPU."""
COMMIT_S = 1.0
"""A worker without sessions waits so long for its last events to become durable before it is told to exit."""
RETIRE_S = 3.0
IDLE_S = 60.0
"""A pool worker without bots ends after this."""


class Workers:
    """All workers of this supervisor."""

    def __init__(
        self,
        launch: Launch,
        bots_per_worker: int,
        awake: Awake,
        tasks: Tasks,
        spools: Spools,
    ) -> None:
        """`wire` comes before anything else."""
        self.all: dict[str, Worker] = {}
        self.quarantine = Quarantine()
        self.brought_up = 0
        """Processes that came up, the warm ones included."""
        self.library: str | None = None
        """Version of the driver's library, once a worker said it."""
        self._launch = launch
        self._limit = bots_per_worker
        self._awake = awake
        self._tasks = tasks
        self._spools = spools
        self._hooks: Hooks | None = None
        self._see_off: Callable[[Worker], Coroutine[None, None, None]] | None = None
        self._places = asyncio.Semaphore(AT_ONCE)
        self._spare: tuple[str, asyncio.Task[WorkerProcess | None]] | None = None
        self._spare_since_s = 0.0
        self._refill_timer: asyncio.TimerHandle | None = None
        self._failures = 0
        self._closing = False
        self._coming: dict[str, asyncio.Task[bool]] = {}

    def wire(self, hooks: Hooks, see_off: Callable[[Worker], Coroutine[None, None, None]]) -> None:
        """Say what frames mean to others, and who waits for a worker's death and settles what it leaves."""
        self._hooks, self._see_off = hooks, see_off

    def warm_up(self) -> None:
        """Bring up the spare process, unless it is there."""
        self._refill_timer = None
        if self._closing or self._spare is not None:
            return
        name = new_id("wrk")
        self._spare = (name, self._tasks.spawn("bring up spare", self._spawn(name)))
        self._spare_since_s = self._awake.now()

    async def place(self, bot: str, wish: Placement) -> Worker:
        """Choose or bring up the worker for a start; a seat is promised there until `settle` or `unpromise`.

        Raises:
            SpawnFailed: no process came up.
        """
        kind, group = self._kind(bot, wish)
        worker = self._in_pool(group) if kind == "pool" else None
        if worker is None:
            worker = self._open(kind, group)
        worker.promised += 1
        try:
            # Shielded: others may wait for the same process.
            if not await asyncio.shield(self._coming[worker.id]):
                raise SpawnFailed("no worker came up")
        except BaseException:
            self.unpromise(worker)
            raise
        return worker

    def unpromise(self, worker: Worker) -> None:
        """A promised seat was taken, or is not needed; a worker nobody needs any more retires."""
        worker.promised -= 1
        self.vacated(worker)

    def vacated(self, worker: Worker) -> None:
        """A seat became free: one-bot workers end with it, those of the pool may wait for the next."""
        if worker.seats or worker.promised:
            return
        worker.empty_since = self._awake.now()
        if worker.kind != "pool" and worker.process is not None:
            self.retire(worker)

    def retire(self, worker: Worker, timeout_s: float = RETIRE_S) -> None:
        """Let a worker stop what it has and exit: no new bots, and its death is no crash. Killed after `timeout_s`."""
        worker.closed = True
        if not worker.retired:
            worker.retired = True
            self._tasks.spawn("retire worker", self._retire(worker, timeout_s))

    def by_pid(self, pid: int) -> Worker | None:
        """Return our worker with this process id."""
        for worker in self.all.values():
            if worker.process is not None and worker.process.pid == pid:
                return worker
        return None

    def gone(self, worker: Worker) -> None:
        """A worker is dead and settled."""
        self.all.pop(worker.id, None)
        self._coming.pop(worker.id, None)

    def tick(self) -> None:
        """Retire what has long been idle; replace a spare that died."""
        now = self._awake.now()
        for worker in list(self.all.values()):
            empty = not worker.seats and not worker.promised and worker.process is not None
            if empty and not worker.closed and worker.empty_since is not None and now - worker.empty_since > IDLE_S:
                self.retire(worker)
        if self._spare is not None and self._spare[1].done():
            process = self._spare[1].result()
            if process is None or process.gone.done():
                self._spare = None
                if process is not None:
                    process.forget()
                    self._spools.discard(self._spools.feed(process.id))
                self._plan_refill()

    def close(self) -> asyncio.Task[None] | None:
        """Bring up no more; end the spare at once: no session is in it. Returns the task that sees it off, if any."""
        self._closing = True
        if self._refill_timer is not None:
            self._refill_timer.cancel()
        if self._spare is not None:
            coming, self._spare = self._spare[1], None
            return self._tasks.spawn("end spare", self._end_spare(coming))
        return None

    def spare(self) -> tuple[str, WorkerProcess | None, float] | None:
        """Return the warm process's name, itself once it is up, and when it was asked for (waking clock)."""
        if self._spare is None:
            return None
        name, coming = self._spare
        return name, coming.result() if coming.done() and not coming.cancelled() else None, self._spare_since_s

    def counts(self) -> dict[str, int]:
        """Workers by kind, the warm one as `spare`."""
        counts = {"linking": 0, "own": 0, "pool": 0, "spare": 1 if self._spare is not None else 0}
        for worker in self.all.values():
            counts[worker.kind] += 1
        return counts

    def _kind(self, bot: str, wish: Placement) -> tuple[Placement, str | None]:
        if wish != "pool":
            return wish, None
        kept_apart = quarantine.sentence(self.quarantine, bot, self._awake.now())
        if kept_apart is None:
            return "pool", None
        return ("own", None) if kept_apart.group is None else ("pool", kept_apart.group)

    def _in_pool(self, group: str | None) -> Worker | None:
        offers = [
            PoolWorker(worker.id, len(worker.seats) + worker.promised, worker.group)
            for worker in self.all.values()
            if worker.kind == "pool" and not worker.closed
        ]
        chosen = placement.choose(offers, self._limit, group)
        return self.all[chosen] if chosen is not None else None

    def _open(self, kind: Placement, group: str | None) -> Worker:
        spare, self._spare = self._spare, None
        if spare is None:
            name = new_id("wrk")
            spare = (name, self._tasks.spawn("spawn worker", self._spawn(name)))
        name, process = spare
        assert self._hooks is not None, "wire comes first"
        worker = Worker(name, kind, group, self._spools.feed(name), self._hooks)
        worker.number = placement.free_number(other.number for other in self.all.values())
        worker.since_s = self._awake.now()
        self.all[name] = worker
        self._coming[name] = self._tasks.spawn("bring up worker", self._bring_up(worker, process))
        self._plan_refill()
        return worker

    async def _bring_up(self, worker: Worker, coming: asyncio.Task[WorkerProcess | None]) -> bool:
        process = await coming
        if process is None or process.gone.done() or self._closing:
            worker.closed = True
            if process is not None:
                process.kill()
                await process.gone
                process.forget()
            self._spools.discard(worker.feed)
            self.gone(worker)
            worker.gone.set_result(None)
            return False
        worker.process = process
        process.on_frame = worker.take
        worker.feed.attach(process, wants_marks=True)
        assert self._see_off is not None, "wire comes first"
        self._tasks.spawn("see worker off", self._see_off(worker))
        return True

    async def _spawn(self, name: str) -> WorkerProcess | None:
        async with self._places:
            try:
                process = await WorkerProcess.spawn(name, self._launch, self._awake, self._tasks)
            except (SpawnFailed, OSError) as error:
                self._failures += 1
                _log.error("Worker did not start", worker=name, error=type(error).__name__, attempt=self._failures)
                return None
        self._failures = 0
        self.brought_up += 1
        self.library = process.hello.library if process.hello is not None else None
        return process

    def _plan_refill(self) -> None:
        if self._closing or self._spare is not None or self._refill_timer is not None:
            return
        wait_s = min(REFILL_CAP_S, REFILL_S * 2 ** min(self._failures, 10))
        self._refill_timer = asyncio.get_running_loop().call_later(wait_s, self.warm_up)

    async def _retire(self, worker: Worker, timeout_s: float) -> None:
        until = self._awake.now() + timeout_s
        if not worker.seats:
            # With its spool empty by the time it ends, no process has to look into it.
            await self._awake.wait([worker.feed.durable(), worker.up.gone], min(COMMIT_S, timeout_s))
        worker.feed.urgent(+1)
        worker.up.send(Shutdown())
        if not await self._awake.wait([worker.up.gone], max(0.0, until - self._awake.now())):
            worker.up.kill()

    async def _end_spare(self, coming: asyncio.Task[WorkerProcess | None]) -> None:
        process = await coming
        if process is not None:
            process.kill()
            await process.gone
            process.forget()
            self._spools.discard(self._spools.feed(process.id))
