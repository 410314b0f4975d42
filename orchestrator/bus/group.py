"""Group commit: callers hand in work and wait; one task writes everything that waits in one go.

Owns the queue and who waits for what. It must never know what is written: the back end hands in `write`. Read
`sqlite.py` next.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field

from orchestrator.bus.bus import Entry, Outcome
from orchestrator.bus.plan import MARGIN_BYTES
from orchestrator.errors import Refused
from orchestrator.tasks import Tasks

MAX_ENTRIES = 1024
MAX_BYTES = 8 * 1024 * 1024
"""Of one transaction: what comes after it would otherwise wait too long. A larger single call goes alone."""


@dataclass(frozen=True, slots=True)
class Call:
    """One `commit`, waiting. `user` alone (no entries) makes sure that the user has a log."""

    entries: Sequence[Entry]
    user: str | None = None
    done: asyncio.Future[list[Outcome]] = field(default_factory=asyncio.Future)

    def size(self) -> int:
        """Bytes it writes, roughly."""
        return sum(
            MARGIN_BYTES
            + (len(entry.event.data) if entry.event is not None else 0)
            + sum(len(put.value or b"") for put in entry.puts)
            + sum(MARGIN_BYTES + len(row) for row in entry.rows)
            for entry in self.entries
        )


@dataclass(frozen=True, slots=True)
class Erase:
    """One `erase`, waiting; it is carried out between groups, in order."""

    user: str
    bot: str
    done: asyncio.Future[None] = field(default_factory=asyncio.Future)


class Group:
    """The queue in front of one writer. Nothing a waiting caller does, cancelling included, takes its work out."""

    def __init__(
        self, write: Callable[[list[Call]], Awaitable[None]], erase: Callable[[Erase], Awaitable[None]]
    ) -> None:
        self._write = write
        self._erase = erase
        self._queue: deque[Call | Erase] = deque()
        self._wake = asyncio.Event()
        self._closing = False
        self._task: asyncio.Task[None] | None = None

    def start(self, tasks: Tasks) -> None:
        """Start the writing task."""
        self._task = tasks.spawn("bus writer", self._run())

    @property
    def ended(self) -> bool:
        """Whether nothing will be written any more."""
        return self._task is None or self._task.done()

    async def commit(self, entries: Sequence[Entry], user: str | None = None) -> list[Outcome]:
        """Write the entries with whatever else waits."""
        call = Call(entries, user)
        self._put(call)
        return await call.done

    async def erase(self, user: str, bot: str) -> None:
        """Erase after everything handed in before."""
        job = Erase(user, bot)
        self._put(job)
        await job.done

    async def close(self) -> None:
        """Write what waits, then end. Later work is refused `server_draining`."""
        self._closing = True
        self._wake.set()
        if self._task is not None:
            await asyncio.wait([self._task])

    def _put(self, job: Call | Erase) -> None:
        if self._closing:
            raise Refused("server_draining")
        self._queue.append(job)
        self._wake.set()

    async def _run(self) -> None:
        try:
            while True:
                while self._queue:
                    if isinstance(job := self._queue[0], Erase):
                        self._queue.popleft()
                        await self._guarded([job], self._erase(job))
                    else:
                        group = self._next_group()
                        await self._guarded(group, self._write(group))
                if self._closing:
                    return
                self._wake.clear()
                await self._wake.wait()
        finally:
            self._closing = True
            for job in self._queue:
                fail(job, Refused("server_draining"))

    async def _guarded(self, jobs: Sequence[Call | Erase], work: Awaitable[None]) -> None:
        """Whatever ends the work ends the wait of those whose work it was; the writer lives on."""
        try:
            await work
        except asyncio.CancelledError:
            for job in jobs:
                fail(job, Refused("server_draining"))
            raise
        except Exception as error:
            for job in jobs:
                fail(job, error)

    def _next_group(self) -> list[Call]:
        group: list[Call] = []
        entries = size = 0
        while self._queue and isinstance(call := self._queue[0], Call):
            entries += len(call.entries)
            size += call.size()
            if group and (entries > MAX_ENTRIES or size > MAX_BYTES):
                break
            self._queue.popleft()
            group.append(call)
        return group


def fail(job: Call | Erase, error: Exception) -> None:
    """Tell the waiting caller, unless it has gone."""
    if not job.done.done():
        job.done.set_exception(error)
