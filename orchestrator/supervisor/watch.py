"""The watchdogs of the room, on one tick: heartbeats of workers, stuck callbacks, idle workers, quarantine, incidents.

Counts only time in which this process itself ran. It must never know what follows beyond naming it. Read `endings.py`
for what follows.
"""

from __future__ import annotations

from orchestrator.supervisor.awake import Awake
from orchestrator.supervisor.endings import Endings, Limits
from orchestrator.supervisor.outages import Outages
from orchestrator.supervisor.seats import Worker
from orchestrator.supervisor.workers import Workers

SLOW_TICK_S = 1.0


class Watch:
    """Looks after everything that can fall silent."""

    def __init__(self, limits: Limits, awake: Awake, workers: Workers, endings: Endings, outages: Outages) -> None:
        self._limits = limits
        self._awake = awake
        self._workers = workers
        self._endings = endings
        self._outages = outages
        self._pauses = 0
        self._slow_at = awake.now()
        self._pinged_at = awake.now()

    def tick(self) -> None:
        """Look once; call it every `TICK_S`."""
        now = self._awake.now()
        if self._awake.pauses != self._pauses:
            # We were away: what the workers said meanwhile waits in their sockets.
            self._pauses = self._awake.pauses
            for worker in self._workers.all.values():
                if worker.process is not None:
                    worker.process.heard_at = now
        ping = now - self._pinged_at >= self._limits.ping_s
        if ping:
            self._pinged_at = now
        for worker in list(self._workers.all.values()):
            self._look_at(worker, now, ping=ping)
        if now - self._slow_at >= SLOW_TICK_S:
            self._slow_at = now
            self._workers.tick()
            self._endings.let_share_again()
            self._outages.tick()

    def _look_at(self, worker: Worker, now: float, *, ping: bool) -> None:
        process = worker.process
        if process is None or process.gone.done():
            return
        process.bound_stderr()
        if process.paused:
            return
        if ping:
            process.ping()
        if now - process.heard_at > self._limits.hung_s:
            self._endings.hung(worker)
        elif process.pong is not None and process.pong.stuck_s >= self._limits.stuck_s:
            stuck = next((worker.seats[note.bot] for note in process.notes() if note.bot in worker.seats), None)
            self._endings.condemn(worker, stuck)
