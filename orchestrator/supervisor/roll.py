"""The worker processes as operators see them: who is in which, since when, how big.

Owns the reading; it changes nothing. It must never know what a bot is. Read `workers.py` for the processes.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Literal

from orchestrator.clock import Clock
from orchestrator.ports import WorkerState
from orchestrator.supervisor.awake import Awake
from orchestrator.supervisor.endings import Endings
from orchestrator.supervisor.seats import Worker
from orchestrator.supervisor.worker_process import WorkerProcess
from orchestrator.supervisor.workers import Workers

_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")


class Roll:
    """Implements `ports.WorkerRoll`."""

    def __init__(self, workers: Workers, endings: Endings, awake: Awake, clock: Clock) -> None:
        self._workers = workers
        self._endings = endings
        self._awake = awake
        self._clock = clock

    def workers(self) -> list[WorkerState]:
        found = sorted((self._state(worker) for worker in self._workers.all.values()), key=lambda one: one.number)
        spare = self._workers.spare()
        if spare is not None:
            name, process, since_s = spare
            number = max((one.number for one in found), default=0) + 1
            state: Literal["coming", "up"] = "up" if process is not None else "coming"
            found.append(WorkerState(number, name, "spare", state, self._since(since_s), *_of_process(process), 0, ()))
        return found

    def _state(self, worker: Worker) -> WorkerState:
        process = worker.process
        state: Literal["coming", "up", "closing"] = "closing" if worker.closed else "up" if process else "coming"
        return WorkerState(
            worker.number, worker.id, worker.kind, state, self._since(worker.since_s), *_of_process(process),
            self._endings.lost_by_number[worker.number], tuple(worker.seats),
        )  # fmt: skip

    def _since(self, since_s: float) -> int:
        return self._clock.wall_ms() - round((self._awake.now() - since_s) * 1000)


def _of_process(process: WorkerProcess | None) -> tuple[int | None, int | None, int | None, int]:
    """(pid, resident bytes, loop lag in ms, bytes in the spool)."""
    if process is None:
        return None, None, None, 0
    pong = process.pong
    lag_ms, spool_bytes = (pong.loop_lag_ms, pong.spool_bytes) if pong is not None else (None, 0)
    return process.pid, _resident_bytes(process.pid), lag_ms, spool_bytes


def _resident_bytes(pid: int) -> int | None:
    """What Linux says of a process (proc(5), statm: pages, the second is resident); None elsewhere, or when it is gone."""
    try:
        return int(Path(f"/proc/{pid}/statm").read_text("ascii").split()[1]) * _PAGE_BYTES
    except (OSError, ValueError, IndexError):
        return None
