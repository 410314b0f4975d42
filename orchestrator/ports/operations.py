"""What operators see: the fleet's figures now and over time, and what hit many bots at once.

Implemented by `operations/`; joined in `app.py`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, Protocol

import msgspec

from orchestrator.model import SendState, Status
from orchestrator.ports.incidents import Incident


class BotBrief(msgspec.Struct, frozen=True, rename="camel"):
    """A bot in short."""

    id: str
    user_id: str
    name: str
    status: Status


class WorkerNow(msgspec.Struct, frozen=True, rename="camel"):
    """One worker process; `ports.WorkerState` with the bots in it."""

    number: int
    """Of its place, from 1: what replaces a worker that ended takes the number over."""
    id: str
    kind: Literal["linking", "own", "pool", "spare"]
    """`linking`: for one link attempt. `own`: for one bot. `pool`: shared. `spare`: kept warm for the next start."""
    state: Literal["coming", "up", "closing"]
    since: int
    memory_bytes: int | None
    loop_lag_ms: int | None
    """How late its own loop was, at worst, within the last 5 s."""
    spool_bytes: int
    restarts: int
    """Processes of this number that ended unasked since the server started."""
    bots: list[BotBrief]


class BotsNow(msgspec.Struct, frozen=True, rename="camel"):
    """All bots by status."""

    total: int
    connected: int
    need_owner: int
    """Those whose status waits for their owner to act."""
    statuses: dict[str, int]
    """By status; those that no bot has are absent."""


class SocketsNow(msgspec.Struct, frozen=True, rename="camel"):
    """Users' sockets: now, and what happened to them in the last 24 h (also before a restart of the server)."""

    open: int
    duplicate_users: int
    """Users with more than one socket: must be 0."""
    refused: dict[str, int]
    """By code."""
    closed: dict[str, int]
    """By code, or by how the client went."""
    taken_over: int
    superseded: int
    replaced: int
    """Live sockets dropped without being asked: must stay 0."""
    replayed: int
    """Events delivered from the log to clients that came back."""


class FlowNow(msgspec.Struct, frozen=True, rename="camel"):
    """How events flow: over the last minute, None while there was none."""

    events_per_second: float
    delivery_p95_ms: float | None
    """From WhatsApp's word to the write to the socket."""
    commit_p95_ms: float | None
    loop_lag_ms: float
    """Of the supervisor, at worst, in the last seconds."""
    spool_bytes: int
    """What workers have written down and the bus has not taken yet."""


class FleetNow(msgspec.Struct, frozen=True, rename="camel"):
    """The fleet's figures."""

    at: int
    started_at: int
    """When this server started."""
    bots: BotsNow
    workers: list[WorkerNow]
    worker_restarts: int
    """In the last 24 h."""
    session_crashes: int
    """In the last 24 h."""
    task_failures: int
    """Bugs that surfaced in the last 24 h."""
    starts_waiting: int
    sockets: SocketsNow
    flow: FlowNow
    outbox: dict[str, int]
    """Sends by state."""
    incidents: int
    """Open ones."""


class FleetPoint(msgspec.Struct, frozen=True, rename="camel"):
    """One step of the fleet's history."""

    at: int
    """When it began."""
    statuses: dict[str, int] | None
    """Bots by status at its worst moment: when fewest were connected. None: the server did not run."""
    workers: int
    sockets: int
    events: int
    """Committed or announced in this step."""
    worker_restarts: int


class FleetHistory(msgspec.Struct, frozen=True, rename="camel"):
    """The fleet over time, oldest first, and the incidents of that time."""

    step_ms: int
    points: list[FleetPoint]
    incidents: list[Incident]


class IncidentList(msgspec.Struct, frozen=True, rename="camel"):
    """Incidents: open ones first, then the newest."""

    open: int
    incidents: list[Incident]


HISTORY_HOURS = (1, 24, 168)
"""Over which times a fleet's history can be asked for; each has about 60 to 170 steps."""


class Operations(Protocol):
    """For operators alone: it names bots of all users. Implemented by `operations/recorder.py`."""

    def now(self) -> FleetNow:
        """Return the figures of this moment."""
        ...

    async def history(self, hours: int) -> FleetHistory:
        """Return the last `hours`, one of `HISTORY_HOURS`."""
        ...

    async def incidents(self, hours: int) -> IncidentList:
        """Return what is open, and what was closed within the last `hours`."""
        ...


class Figures(Protocol):
    """The server's counters and gauges, read back. Implemented by `metrics.py`."""

    def counts(self) -> Mapping[str, int]:
        """Everything that only rises, by name; of labelled ones `name:label`."""
        ...

    def commit_buckets(self) -> list[tuple[float, int]]:
        """Return how many commit calls took at most so many seconds, for each bound; rising."""
        ...

    def delivery_buckets(self) -> list[tuple[float, int]]:
        """The same for deliveries to sockets."""
        ...

    def statuses(self) -> dict[str, int]:
        """Return how many bots are in each status that one is in."""
        ...

    def jobs(self) -> dict[SendState, int]:
        """Return how many sends are in each state that one is in."""
        ...

    def sockets_now(self) -> tuple[int, int]:
        """Return (sockets, users with more than one)."""
        ...

    def loop_lag_s(self) -> float:
        """Return how late the supervisor's loop was, at worst, in the last seconds."""
        ...
