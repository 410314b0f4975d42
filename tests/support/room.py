"""The supervisor room on a temporary directory, with a journal in the place of the mailboxes.

Owns the wiring tests share. Read `orchestrator/supervisor/supervisor.py` for the room.
"""

from __future__ import annotations

import contextlib
import itertools
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path

from orchestrator.clock import SystemClock
from orchestrator.ports import FromSession, HostEvent, SessionGone
from orchestrator.supervisor.endings import Limits
from orchestrator.supervisor.incidents import Route, Verdict
from orchestrator.supervisor.supervisor import Options, Supervisor
from orchestrator.supervisor.worker_process import Launch
from orchestrator.tasks import TaskFailure, Tasks
from sessions.model import SessionEvent
from sessions.session import SessionSpec
from tests.support.waiting import until

FAULTY = "tests.support.faulty_worker"

QUICK = Limits(start_s=1.0, hung_s=2.0, ping_s=0.3, stop_s=1.0, turn_s=0.5, evacuate_s=1.0)
"""Limits for tests of what happens when they are reached."""


@dataclass
class Journal:
    """Takes what mailboxes take, and commits at once unless told to hold back."""

    hold_back: bool = False
    events: list[tuple[str, HostEvent]] = field(default_factory=list)
    uncommitted: list[FromSession] = field(default_factory=list)

    def on_host_event(self, bot: str, event: HostEvent) -> None:
        self.events.append((bot, event))
        if isinstance(event, FromSession):
            if self.hold_back:
                self.uncommitted.append(event)
            else:
                event.committed()

    def release(self) -> None:
        """Commit what was held back, in order."""
        waiting, self.uncommitted = self.uncommitted, []
        for event in waiting:
            event.committed()

    def of(self, bot: str) -> list[HostEvent]:
        return [event for name, event in self.events if name == bot]

    def told(self, bot: str) -> list[SessionEvent]:
        return [event.frame.event for event in self.of(bot) if isinstance(event, FromSession)]

    def kinds(self, bot: str) -> list[str]:
        return [type(event).__name__ for event in self.told(bot)]

    def gone(self, bot: str) -> list[SessionGone]:
        return [event for event in self.of(bot) if isinstance(event, SessionGone)]

    async def until_told(self, bot: str, kind: str, timeout_s: float = 30.0) -> None:
        await until(lambda: kind in self.kinds(bot), timeout_s, f"{kind} of {bot}")

    async def until_gone(self, bot: str, timeout_s: float = 30.0) -> SessionGone:
        await until(lambda: self.gone(bot), timeout_s, f"the end of {bot}")
        return self.gone(bot)[-1]


@dataclass
class Room:
    """One supervisor and its journal."""

    data: Path
    host: Supervisor
    journal: Journal
    failures: list[TaskFailure]
    tasks: Tasks
    _numbers: itertools.count[int] = field(default_factory=itertools.count)

    def spec(
        self, bot: str, manners: str = "steady", *, account_jid: str | None = "x", proxy: str | None = None
    ) -> SessionSpec:
        """Return a fresh incarnation; `manners` is the device name, which the faulty worker acts on."""
        devices = self.data / "devices" / bot
        devices.mkdir(mode=0o700, parents=True, exist_ok=True)
        incarnation = f"inc_{bot}_{self.data.name[-4:]}_{next(self._numbers)}"
        return SessionSpec(bot, incarnation, str(devices / "device.db"), account_jid, manners, proxy)

    def pids(self) -> set[int]:
        """Processes of this supervisor's workers."""
        return {worker.process.pid for worker in self.host._workers.all.values() if worker.process is not None}

    def warm_pid(self) -> int | None:
        """The process kept ready, once it is up."""
        spare = self.host._workers.spare()
        return spare[1].pid if spare is not None and spare[1] is not None else None

    def worker_of(self, bot: str) -> str:
        return self.host._seats[bot].worker.id


async def reachable(_route: Route) -> Verdict:
    """A probe that always finds WhatsApp."""
    return "ok"


@contextlib.asynccontextmanager
async def room(
    data: Path,
    *,
    module: str = FAULTY,
    journal: Journal | None = None,
    bots_per_worker: int = 20,
    start_rate: float = 1000.0,
    limits: Limits = QUICK,
    probe: Callable[[Route], Awaitable[Verdict]] = reachable,
    phones: Path | None = None,
    spool_max_bytes: int = 8 * 1024 * 1024,
    driver: str = "simulated",
) -> AsyncIterator[Room]:
    """Run a supervisor; at the end it is closed, and must have had no failed task."""
    journal = journal or Journal()
    tasks = Tasks()
    failures: list[TaskFailure] = []
    tasks.failures.listen(failures.append)
    launch = Launch(data / "run", data / "spool", driver, spool_max_bytes, phones, module)
    host = Supervisor(Options(launch, bots_per_worker, start_rate, limits), SystemClock(), tasks, probe_route=probe)
    host.attach(journal)
    await host.start_up()
    try:
        yield Room(data, host, journal, failures, tasks)
    finally:
        await host.close()
        await tasks.close()
    assert not failures, failures


def temporary_data() -> tempfile.TemporaryDirectory[str]:
    """A short path: unix sockets of phones have room for about 100 characters."""
    return tempfile.TemporaryDirectory(prefix="wa")
