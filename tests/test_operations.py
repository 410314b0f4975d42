"""What operators see: samples over time, quantiles of the last minute, incidents with their past, through restarts."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.clock import ManualClock
from orchestrator.metrics import Metrics
from orchestrator.operations import figures, log
from orchestrator.operations.figures import Sample
from orchestrator.operations.recorder import Recorder, Sources
from orchestrator.ports import BotBrief, Incident, WorkerLost, WorkerState
from orchestrator.store.database import Database
from orchestrator.store.operations import KEEP_SAMPLES_MS, MOST_INCIDENTS, IncidentRow, OperationRows
from orchestrator.tasks import Tasks

NOW = 1_790_000_000_000 - 1_790_000_000_000 % 3_600_000


def incident(name: str = "icd_1", since: int = NOW, bots: int = 3, until: int | None = None) -> Incident:
    return Incident(
        name, "whatsapp_unreachable", since, bots, "WhatsApp does not answer.", True, "whatsapp_unreachable",
        until=until, bot_ids=[f"bot_{n}" for n in range(bots)],
    )  # fmt: skip


@given(st.lists(st.floats(0.0001, 20.0), max_size=60), st.lists(st.floats(0.0001, 20.0), min_size=1, max_size=60))
def test_a_quantile_of_what_happened_in_between(old: list[float], new: list[float]) -> None:
    """The quantile lies in the bucket the true one lies in, of the new observations alone."""
    bounds = [0.001, 0.01, 0.1, 1.0, 10.0, float("inf")]

    def read(values: list[float]) -> list[tuple[float, int]]:
        return [(bound, sum(value <= bound for value in values)) for bound in bounds]

    told = figures.quantile(read(old), read(old + new), 0.95)
    assert told is not None
    index = max(0, -(-len(new) * 95 // 100) - 1)
    truth = sorted(new)[index]
    low = max((bound for bound in bounds if bound < truth), default=0.0)
    high = min(bound for bound in bounds if bound >= truth)
    assert low <= told <= min(high, 10.0)
    assert figures.quantile(read(old), read(old), 0.95) is None


def test_a_step_shows_its_worst_moment() -> None:
    """A short outage is still there in a long history; counts are the whole step's; a time without a server is empty."""
    samples = [
        Sample(NOW - 3_600_000 + 60_000 * n, {"connected": 20 if n != 7 else 2, "reconnecting": 18 * (n == 7)}, 2, 1,
               {"events": 10})
        for n in range(30)
    ]  # fmt: skip
    points = figures.steps(samples, 24, NOW)
    assert len(points) == 144 and points[-1].at == NOW
    assert [point.statuses for point in points[-8:]] == [
        None, {"connected": 2, "reconnecting": 18}, {"connected": 20, "reconnecting": 0},
        {"connected": 20, "reconnecting": 0}, None, None, None, None,
    ]  # fmt: skip
    assert [point.events for point in points[-7:-4]] == [100, 100, 100]
    assert [len(figures.steps(samples, hours, NOW)) for hours in (1, 24, 168)] == [60, 144, 168]


def test_an_incident_is_kept_at_its_worst_and_ends() -> None:
    """While it lasts it is remembered at its worst; when it is gone it has an end; both have to be written."""
    begun = log.look(log.Log(), [incident(bots=3)], NOW)
    worse = log.look(begun, [incident(bots=9)], NOW + 1)
    better = log.look(worse, [incident(bots=4)], NOW + 2)
    assert better.lasting["icd_1"].bots == 9
    stored = dict(better.unwritten)
    assert stored["icd_1"].bots == 9 and stored["icd_1"].until is None
    clean = log.written(better, stored)
    assert clean.unwritten == {}
    over = log.look(clean, [], NOW + 3)
    assert over.lasting == {} and over.unwritten["icd_1"].until == NOW + 3
    assert [one.until for one in log.told(over, list(stored.values()), [], 0)] == [NOW + 3]
    assert log.told(over, [], [], NOW + 3) == []
    changed = log.look(begun, [incident("icd_2", NOW + 5)], NOW + 5)
    assert [one.id for one in log.told(changed, [], [incident("icd_2", NOW + 5)], 0)] == ["icd_2", "icd_1"]


def test_a_worker_lost_again_and_again_is_one_trouble() -> None:
    """The same number within ten minutes is the same incident, and then says what to do; another is another."""
    lost = WorkerLost(8, "died", -6, ("bot_1", "bot_2"))
    state = log.lost(log.Log(), lost, NOW, "icd_1")
    assert state.unwritten["icd_1"].text == "It was ended by signal 6. 2 bots come back elsewhere."
    assert state.unwritten["icd_1"].title == "Worker 8 was lost" and state.unwritten["icd_1"].until == NOW
    for n in (1, 2):
        state = log.lost(state, lost, NOW + n * 500_000, f"icd_{n + 1}")
    assert list(state.unwritten) == ["icd_1"]
    assert state.unwritten["icd_1"].text.endswith("3 times in a row.") and state.unwritten["icd_1"].action
    state = log.lost(state, lost, NOW + 9_000_000, "icd_9")
    assert "icd_9" in state.unwritten
    ends = [WorkerLost(1, "condemned", None, ()), WorkerLost(1, "no_answer", -9, ()), WorkerLost(1, "died", 1, ())]
    texts = [log.lost(log.Log(), end, NOW, "icd_1").unwritten["icd_1"].text for end in ends]
    assert len(set(texts)) == 3 and all(text.endswith("No bot was in it.") for text in texts)


@dataclass
class World:
    """A server's sources as a test sets them."""

    metrics: Metrics = field(default_factory=Metrics)
    found: list[Incident] = field(default_factory=list)
    listeners: list[Callable[[], None]] = field(default_factory=list)
    seats: tuple[str, ...] = ("bot_1",)

    def open(self) -> list[Incident]:
        return self.found

    def holding(self, proxy: str | None, bot: str | None = None) -> Incident | None:
        return None

    def listen(self, listener: Callable[[], None]) -> None:
        self.listeners.append(listener)

    def workers(self) -> list[WorkerState]:
        return [
            WorkerState(1, "wrk_1", "pool", "up", NOW, 4711, 100, 2, 0, 0, self.seats),
            WorkerState(2, "wrk_2", "spare", "up", NOW, 4712, 90, None, 0, 0, ()),
        ]

    def briefs(self) -> list[BotBrief]:
        return [BotBrief("bot_1", "ada", "Shop", "connected"), BotBrief("bot_2", "eve", "Desk", "logged_out")]


@pytest.fixture
async def rows(tmp_path: Path) -> AsyncIterator[OperationRows]:
    database = await Database.open(tmp_path / "orchestrator.db", ManualClock(NOW))
    yield OperationRows(database)
    await database.close()


def recorder(rows: OperationRows, world: World, clock: ManualClock) -> Recorder:
    sources = Sources(world.metrics, world, world, world.briefs, lambda: (4, 1000))
    return Recorder(rows, sources, clock, Tasks())


async def test_the_figures_of_now(rows: OperationRows) -> None:
    """Bots by status, who is in which worker, what happened to sockets today, how fast events flow."""
    world, clock = World(), ManualClock(NOW)
    one = recorder(rows, world, clock)
    await one.load()
    world.metrics.bot_moved(None, "connected")
    world.metrics.bot_moved(None, "logged_out")
    world.metrics.sockets(63)
    world.metrics.refused("already_connected")
    world.metrics.closed("slow_consumer")
    world.metrics.replayed(8204)
    world.metrics.job_moved(None, "queued")
    for _ in range(100):
        world.metrics.committed(0.002)
        world.metrics.event("message_sync", "message")
    world.found = [incident()]
    now = one.now()
    assert (now.bots.total, now.bots.connected, now.bots.need_owner) == (2, 1, 1)
    assert now.bots.statuses == {"connected": 1, "logged_out": 1}
    assert [(worker.number, worker.kind, [bot.name for bot in worker.bots]) for worker in now.workers] == [
        (1, "pool", ["Shop"]), (2, "spare", []),
    ]  # fmt: skip
    assert (now.sockets.open, now.sockets.refused, now.sockets.closed) == (
        63, {"already_connected": 1}, {"slow_consumer": 1},
    )  # fmt: skip
    assert (now.sockets.replayed, now.sockets.replaced, now.sockets.duplicate_users) == (8204, 0, 0)
    assert (now.outbox, now.incidents, now.starts_waiting, now.flow.spool_bytes) == ({"queued": 1}, 1, 4, 1000)


async def test_the_past_outlives_the_server(rows: OperationRows) -> None:
    """What was sampled and what incidents there were is told the same by the next server; those the old one left open
    ended with it, except an outdated client, which only a new one can judge."""
    world, clock = World(), ManualClock(NOW)
    first = recorder(rows, world, clock)
    assert await first.load() == (None, [])
    first.begin()
    world.metrics.bot_moved(None, "connected")
    world.metrics.refused("already_connected")
    outdated = Incident("icd_2", "client_outdated", NOW, 1, "405", True, "client_outdated", library="1")
    world.found = [incident(), outdated]
    world.listeners[0]()
    first.lost(WorkerLost(1, "died", -6, ("bot_1",)))
    clock.advance(30)
    await first.close()
    told = await first.incidents(24)
    assert told.open == 2

    clock.advance(600)
    second = recorder(rows, World(), clock)
    seen_ms, left = await second.load()
    assert seen_ms == NOW + 30_000 and [one.id for one in left] == ["icd_2"]
    second.begin()
    shown = {one.kind: one for one in (await second.incidents(24)).incidents}
    assert shown["whatsapp_unreachable"].until == seen_ms
    assert shown["client_outdated"].until == NOW + 630_000, "nobody opened it again"
    assert shown["worker_lost"].bot_ids == ["bot_1"]
    assert second.now().sockets.refused == {"already_connected": 1}
    history = await second.history(1)
    assert next(point.statuses for point in history.points if point.statuses is not None) == {"connected": 1}
    assert {one.kind for one in history.incidents} == set(shown)
    await second.close()


async def test_what_is_kept_is_bounded(rows: OperationRows) -> None:
    """Samples go after a week; of incidents the newest are kept."""
    await rows.add_samples([(NOW, b"old")])
    await rows.add_samples([(NOW + KEEP_SAMPLES_MS + 1, b"new")])
    assert await rows.samples(0) == [b"new"]
    many = [IncidentRow(f"icd_{n}", NOW + n, NOW + n, b"%d" % n) for n in range(MOST_INCIDENTS + 5)]
    await rows.put_incidents(many, NOW)
    kept = await rows.incidents(0)
    assert len(kept) == MOST_INCIDENTS and b"4" not in kept and b"5" in kept
