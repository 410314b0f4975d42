"""Bugs as operators see them: a `task_failed` event in the operator's own log for each bug that surfaced.

Owns that event and its rate: the same bug (fingerprint) is told once a minute, with how often it was seen since. It
must never know what failed beyond its name, nor carry an exception's message. Read `orchestrator/tasks.py` for where
failures come from.
"""

from __future__ import annotations

import asyncio
import contextlib

from orchestrator.bus.bus import Bus, Entry
from orchestrator.clock import Clock
from orchestrator.errors import Refused
from orchestrator.model import Event, new_id, to_json
from orchestrator.tasks import TaskFailure, Tasks

EVERY_S = 60.0
"""Between two events about the same bug."""


class Alarms:
    """Tells one operator from the moment it is made; made on the loop."""

    def __init__(self, bus: Bus, clock: Clock, tasks: Tasks, operator: str) -> None:
        self._bus = bus
        self._clock = clock
        self._tasks = tasks
        self._operator = operator
        self._loop = asyncio.get_running_loop()
        self._told_at: dict[str, float] = {}
        self._untold: dict[str, int] = {}
        tasks.failures.listen(self._failed)

    def _failed(self, failure: TaskFailure) -> None:
        """Called on the thread of the failure."""
        with contextlib.suppress(RuntimeError):  # the loop has ended: the log line is all that is left to say
            self._loop.call_soon_threadsafe(self._take, failure)

    def _take(self, failure: TaskFailure) -> None:
        bug, now = failure.fingerprint, self._clock.monotonic()
        seen = self._untold.pop(bug, 0) + 1
        told_at = self._told_at.get(bug)
        if told_at is not None and now - told_at < EVERY_S:
            self._untold[bug] = seen
            return
        self._told_at[bug] = now
        self._tasks.spawn("tell operators", self._tell(failure, seen))

    async def _tell(self, failure: TaskFailure, count: int) -> None:
        data = {
            "task": failure.task, "kind": failure.kind, "fingerprint": failure.fingerprint, "where": failure.where,
            "count": count,
        }  # fmt: skip
        user, at_ms = self._operator, self._clock.wall_ms()
        event = Event(user, None, "bot_status_update", "task_failed", new_id("evt"), at_ms, to_json(data))
        try:
            await self._bus.commit([Entry(user, event)])
        except Refused:
            return  # The bus takes nothing at present; the log line and the counter have it.
