"""The shell of what operators see: reads the figures, writes a sample a minute, keeps incidents' past.

Owns the one task that samples and writes. A server that is killed loses at most the counts of its last minute; what was
written answers the same afterwards. It must never decide: that is `figures.py`'s and `log.py`'s.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

import msgspec

from orchestrator.clock import Clock
from orchestrator.errors import Refused
from orchestrator.model import new_id, to_json
from orchestrator.operations import figures, log
from orchestrator.operations.figures import Sample
from orchestrator.ports import (
    BotBrief,
    Figures,
    FleetHistory,
    FleetNow,
    Incident,
    IncidentList,
    Incidents,
    WorkerLost,
    WorkerNow,
    WorkerRoll,
)
from orchestrator.ports.operations import BotsNow, FlowNow, SocketsNow
from orchestrator.store.operations import IncidentRow, OperationRows
from orchestrator.tasks import Tasks

SAMPLE_S = 60.0
FIRST_S = 5.0
"""The first sample of a server comes early: a history begins with it."""
LOOK_S = 10.0
_WINDOW = 6
"""Looks that make up the minute the flow is told of."""
_DAY_MS = 86_400_000

NEEDS_OWNER = frozenset({
    "awaiting_scan", "login_expired", "passkey_required", "replaced", "logged_out", "blocked", "failed",
})  # fmt: skip
"""Statuses that wait for the bot's owner."""


@dataclass(frozen=True, slots=True)
class Sources:
    """Where figures are read."""

    figures: Figures
    incidents: Incidents
    roll: WorkerRoll
    bots: Callable[[], list[BotBrief]]
    waiting: Callable[[], tuple[int, int]]
    """(starts that wait for their turn, bytes in the spools)."""


@dataclass(frozen=True, slots=True)
class _Reading:
    at_s: float
    counts: dict[str, int]
    commit: list[tuple[float, int]]
    delivery: list[tuple[float, int]]


class Recorder:
    """Implements `ports.Operations`. `load` before anything else, then `begin`; `close` at the end."""

    def __init__(self, rows: OperationRows, sources: Sources, clock: Clock, tasks: Tasks) -> None:
        """Nothing runs before `begin`."""
        self._rows = rows
        self._sources = sources
        self._clock = clock
        self._tasks = tasks
        self._started_ms = clock.wall_ms()
        self._day: deque[Sample] = deque()
        """The samples of the last 24 h."""
        self._sampled: dict[str, int] = {}
        """Counters as they were at the last sample."""
        self._looks: deque[_Reading] = deque(maxlen=_WINDOW)
        self._log = log.Log()
        self._rang = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    async def load(self) -> tuple[int | None, list[Incident]]:
        """Read what the server before left.

        Returns:
            When it was last seen running (wall ms; None: never), and incidents it left open whose end only a new
            server can tell (`client_outdated`); all others ended with it.
        """
        now_ms = self._clock.wall_ms()
        seen_ms = await self._rows.last_sample_ms()
        self._day.extend(_sample.decode(data) for data in await self._rows.samples(now_ms - _DAY_MS))
        left = [_incident.decode(data) for data in await self._rows.open_incidents()]
        ended = [one for one in left if one.kind != "client_outdated"]
        over = [msgspec.structs.replace(one, until=max(one.since, seen_ms or one.since)) for one in ended]
        if over:
            await self._rows.put_incidents([_row(one) for one in over], now_ms)
        lasting = {one.id: one for one in left if one.kind == "client_outdated"}
        self._log = log.Log(lasting=lasting)
        return seen_ms, list(lasting.values())

    def begin(self) -> None:
        """Sample and write from here on."""
        self._sources.incidents.listen(self._incidents_changed)
        self._incidents_changed()
        self._task = self._tasks.spawn("record operations", self._run())

    async def close(self) -> None:
        """Write what is left: a last sample, and what is open."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])
        with suppress(Refused):
            await self._sample()
            await self._write()

    def lost(self, worker: WorkerLost) -> None:
        """A worker ended unasked. Called on the loop; does not wait."""
        self._log = log.lost(self._log, worker, self._clock.wall_ms(), new_id("icd"))
        self._rang.set()

    # --- ports.Operations ----------------------------------------------------------------------------------------

    def now(self) -> FleetNow:
        reading, sources = self._read(), self._sources
        bots = {bot.id: bot for bot in sources.bots()}
        day = figures.total([*self._samples_of_day(), figures.risen(self._sampled, reading.counts)])
        waiting, spool_bytes = sources.waiting()
        open_now, duplicates = sources.figures.sockets_now()
        return FleetNow(
            at=self._clock.wall_ms(),
            started_at=self._started_ms,
            bots=_bots_now(sources.figures.statuses()),
            workers=self._workers(bots),
            worker_restarts=day.get("worker_restarts", 0),
            session_crashes=day.get("crashes", 0),
            task_failures=day.get("task_failures", 0),
            starts_waiting=waiting,
            sockets=SocketsNow(
                open_now, duplicates, figures.labelled(day, "refused"), figures.labelled(day, "closed"),
                day.get("taken_over", 0), day.get("superseded", 0), day.get("replaced", 0), day.get("replayed", 0),
            ),
            flow=self._flow(reading, spool_bytes),
            outbox={str(state): count for state, count in sources.figures.jobs().items()},
            incidents=len(sources.incidents.open()),
        )  # fmt: skip

    async def history(self, hours: int) -> FleetHistory:
        now_ms = self._clock.wall_ms()
        stored = await self._rows.samples(now_ms - hours * 3_600_000 - figures.STEPS_MS[hours])
        samples = [*map(_sample.decode, stored), self._sample_now(self._read(), now_ms)]
        points = figures.steps(samples, hours, now_ms)
        shown = await self._shown(points[0].at)
        return FleetHistory(figures.STEPS_MS[hours], points, shown)

    async def incidents(self, hours: int) -> IncidentList:
        shown = await self._shown(self._clock.wall_ms() - hours * 3_600_000)
        return IncidentList(sum(one.until is None for one in shown), shown)

    async def _shown(self, ended_after_ms: int) -> list[Incident]:
        stored = [_incident.decode(data) for data in await self._rows.incidents(ended_after_ms)]
        return log.told(self._log, stored, self._sources.incidents.open(), ended_after_ms)

    # --- reading ---------------------------------------------------------------------------------------------------

    def _read(self) -> _Reading:
        found = self._sources.figures
        return _Reading(self._clock.monotonic(), dict(found.counts()), found.commit_buckets(), found.delivery_buckets())

    def _samples_of_day(self) -> list[dict[str, int]]:
        since_ms = self._clock.wall_ms() - _DAY_MS
        while self._day and self._day[0].at < since_ms:
            self._day.popleft()
        return [sample.counts for sample in self._day]

    def _flow(self, now: _Reading, spool_bytes: int) -> FlowNow:
        then = self._looks[0] if self._looks else _Reading(now.at_s, now.counts, now.commit, now.delivery)
        span_s = max(1.0, now.at_s - then.at_s)
        events = figures.risen(then.counts, now.counts).get("events", 0)
        return FlowNow(
            round(events / span_s, 1),
            _ms(figures.quantile(then.delivery, now.delivery, 0.95)),
            _ms(figures.quantile(then.commit, now.commit, 0.95)),
            round(self._sources.figures.loop_lag_s() * 1000, 1),
            spool_bytes,
        )

    def _workers(self, bots: dict[str, BotBrief]) -> list[WorkerNow]:
        return [
            WorkerNow(
                one.number, one.id, one.kind, one.state, one.since, one.memory_bytes, one.loop_lag_ms, one.spool_bytes,
                one.restarts, [bots[bot] for bot in one.bots if bot in bots],
            )
            for one in self._sources.roll.workers()
        ]  # fmt: skip

    def _sample_now(self, reading: _Reading, now_ms: int) -> Sample:
        found = self._sources.figures
        workers = sum(worker.kind != "spare" for worker in self._sources.roll.workers())
        counts = figures.risen(self._sampled, reading.counts)
        return Sample(now_ms, found.statuses(), workers, found.sockets_now()[0], counts)

    # --- writing ---------------------------------------------------------------------------------------------------

    def _incidents_changed(self) -> None:
        self._log = log.look(self._log, self._sources.incidents.open(), self._clock.wall_ms())
        if self._log.unwritten:
            self._rang.set()

    async def _run(self) -> None:
        sample_at_s = self._clock.monotonic() + FIRST_S
        while True:
            self._looks.append(self._read())
            self._incidents_changed()
            with suppress(Refused):  # the disk takes nothing at present: it is tried again, and others say so
                await self._write()
                if self._clock.monotonic() >= sample_at_s:
                    await self._sample()
                    # At whole minutes: each step of a history then holds the same number of samples.
                    sample_at_s = self._clock.monotonic() + SAMPLE_S - (self._clock.wall_ms() / 1000) % SAMPLE_S
            wait_s = min(LOOK_S, max(0.05, sample_at_s - self._clock.monotonic()))
            with suppress(TimeoutError):
                async with asyncio.timeout(wait_s):
                    await self._rang.wait()
            self._rang.clear()

    async def _sample(self) -> None:
        reading, now_ms = self._read(), self._clock.wall_ms()
        sample = self._sample_now(reading, now_ms)
        await self._rows.add_samples([(now_ms, to_json(sample))])
        self._sampled = reading.counts
        self._day.append(sample)

    async def _write(self) -> None:
        unwritten = dict(self._log.unwritten)
        if unwritten:
            await self._rows.put_incidents([_row(one) for one in unwritten.values()], self._clock.wall_ms())
            self._log = log.written(self._log, unwritten)


_sample: msgspec.json.Decoder[Sample] = msgspec.json.Decoder(Sample)
_incident: msgspec.json.Decoder[Incident] = msgspec.json.Decoder(Incident)


def _row(incident: Incident) -> IncidentRow:
    return IncidentRow(incident.id, incident.since, incident.until, to_json(incident))


def _bots_now(statuses: dict[str, int]) -> BotsNow:
    return BotsNow(
        sum(statuses.values()),
        statuses.get("connected", 0),
        sum(count for status, count in statuses.items() if status in NEEDS_OWNER),
        statuses,
    )


def _ms(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds * 1000, 2)
