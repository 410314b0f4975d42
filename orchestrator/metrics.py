"""Prometheus metrics, prefix `orchestrator_`: the rooms' counters in one registry. The one door to prometheus-client.

Owns names, labels and the exposition. Label values are names of closed lists, never ids or texts of others. The rooms
know only the protocols they call.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from typing import cast

from prometheus_client import (
    CONTENT_TYPE_LATEST,
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    disable_created_metrics,
    generate_latest,
)
from prometheus_client.core import CounterMetricFamily, Metric
from prometheus_client.registry import Collector

from orchestrator.model import EventName, SendState, Status

_FAST = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)


@dataclass(frozen=True, slots=True)
class Family:
    """One metric as a scraper names it."""

    name: str
    labels: tuple[str, ...]
    help: str


_LASTING = ("whatsapp_unreachable", "client_outdated")
"""Kinds of incidents that are open for a while."""
_RESTARTS = "Worker processes that ended unasked."


class _Read(Collector):
    """A counter that somebody else counts: read at every scrape."""

    def __init__(self, name: str) -> None:
        self.read: Callable[[], float] = lambda: 0.0
        self._name = name

    def collect(self) -> Iterable[Metric]:
        return [CounterMetricFamily(self._name, _RESTARTS, value=self.read())]


class Metrics:
    """All metrics of one server; implements the gateway's, the fleet's and the bus's protocols."""

    def __init__(self) -> None:
        disable_created_metrics()  # type: ignore[no-untyped-call]
        registry = self._registry = CollectorRegistry()
        self.families: list[Family] = []
        """What there is, for the docs."""

        def name_of(name: str, text: str, *labels: str) -> str:
            full = f"orchestrator_{name}"
            self.families.append(Family(full, labels, text))
            return full

        def counter(name: str, text: str, *labels: str) -> Counter:
            return Counter(name_of(f"{name}_total", text, *labels), text, labels, registry=registry)

        def gauge(name: str, text: str, *labels: str) -> Gauge:
            return Gauge(name_of(name, text, *labels), text, labels, registry=registry)

        def histogram(name: str, text: str) -> Histogram:
            return Histogram(name_of(name, text), text, registry=registry, buckets=_FAST)

        self._bots = gauge("bots", "Bots by status.", "status")
        self._workers = gauge("workers", "Worker processes.")
        self._worker_restarts = _Read(name_of("worker_restarts_total", _RESTARTS))
        registry.register(self._worker_restarts)
        self._session_crashes = counter("session_crashes", "Sessions that ended unasked.")
        self._stream_errors = counter("stream_errors", "Stream errors WhatsApp reported.", "code", "expected")
        self._task_failures = counter("task_failures", "Bugs that surfaced, by task.", "task")
        self._events = counter("events", "Events committed or announced.", "event", "type")
        self._suppressed = counter("events_suppressed", "What was counted instead of told.", "type")
        self._commit = histogram("event_commit_seconds", "A commit call, from entry to durable.")
        self._delivery = histogram("event_delivery_seconds", "From an event's own time to the write to the socket.")
        self._pool_move = histogram("pool_move_seconds", "How long a bot was away while it moved to the pool.")
        self._sockets = gauge("sockets", "Sockets that are some user's one socket.")
        self._refused = counter("sockets_refused", "Refused sockets.", "code")
        self._closed = counter("sockets_closed", "Closed sockets.", "code")
        self._taken_over = counter("sockets_taken_over", "Sockets closed by a takeover.")
        self._superseded = counter("sockets_superseded", "Sockets closed by their successor.")
        self._duplicate_users = gauge("socket_duplicate_users", "Users with more than one socket: must be 0.")
        self._replacements = counter("socket_replacements", "Live sockets dropped without being asked: must stay 0.")
        self._replayed = counter("replayed_events", "Events delivered from the log to a client that came back.")
        self._jobs = gauge("outbox_jobs", "Sends by state.", "state")
        self._loop_lag = gauge("loop_lag_seconds", "How late the supervisor's loop was, at worst, in the last 5 s.")
        self._spool = gauge("spool_bytes", "Bytes in the workers' spools.")
        self._incidents = gauge("incidents", "Open incidents.", "kind")
        for kind in _LASTING:
            self._incidents.labels(kind).set(0)

    # The gateway's.

    def sockets(self, count: int) -> None:
        self._sockets.set(count)

    def refused(self, code: str) -> None:
        self._refused.labels(code).inc()

    def closed(self, code: str) -> None:
        self._closed.labels(code).inc()

    def taken_over(self) -> None:
        self._taken_over.inc()

    def superseded(self) -> None:
        self._superseded.inc()

    def duplicate_users(self, count: int) -> None:
        self._duplicate_users.set(count)

    def replaced(self) -> None:
        self._replacements.inc()

    def delivered(self, seconds: float) -> None:
        self._delivery.observe(max(0.0, seconds))

    def replayed(self, count: int) -> None:
        self._replayed.inc(count)

    # The fleet's.

    def bot_moved(self, before: Status | None, after: Status | None) -> None:
        _move(self._bots, before, after)

    def event(self, name: EventName, kind: str) -> None:
        self._events.labels(name, kind).inc()

    def suppressed(self, kind: str) -> None:
        self._suppressed.labels(kind).inc()

    def session_crashed(self) -> None:
        self._session_crashes.inc()

    def stream_error(self, code: str, expected: bool) -> None:
        """`code` is a label of a closed set already (`stream_error_label`)."""
        self._stream_errors.labels(code, str(expected).lower()).inc()

    def job_moved(self, before: SendState | None, after: SendState | None) -> None:
        _move(self._jobs, before, after)

    def pool_move(self, gap_s: float) -> None:
        self._pool_move.observe(gap_s)

    # Read back, for operators (`ports.Figures`).

    def counts(self) -> dict[str, int]:
        found = {
            "events": sum(_values(self._events).values()),
            "crashes": sum(_values(self._session_crashes).values()),
            "task_failures": sum(_values(self._task_failures).values()),
            "worker_restarts": int(self._worker_restarts.read()),
            "taken_over": sum(_values(self._taken_over).values()),
            "superseded": sum(_values(self._superseded).values()),
            "replaced": sum(_values(self._replacements).values()),
            "replayed": sum(_values(self._replayed).values()),
        }
        found |= {f"refused:{code}": count for code, count in _values(self._refused).items()}
        found |= {f"closed:{code}": count for code, count in _values(self._closed).items()}
        return found

    def commit_buckets(self) -> list[tuple[float, int]]:
        return _buckets(self._commit)

    def delivery_buckets(self) -> list[tuple[float, int]]:
        return _buckets(self._delivery)

    def statuses(self) -> dict[str, int]:
        return {status: count for status, count in _values(self._bots).items() if count > 0}

    def jobs(self) -> dict[SendState, int]:
        return {cast(SendState, state): count for state, count in _values(self._jobs).items() if count > 0}

    def sockets_now(self) -> tuple[int, int]:
        return sum(_values(self._sockets).values()), sum(_values(self._duplicate_users).values())

    def loop_lag_s(self) -> float:
        return next(sample.value for metric in self._loop_lag.collect() for sample in metric.samples)

    # The bus's, the supervisor's and the server's own.

    def committed(self, seconds: float) -> None:
        """One commit call took this long."""
        self._commit.observe(seconds)

    def task_failed(self, task: str) -> None:
        """A bug surfaced in a task of this name."""
        self._task_failures.labels(task.split(" ", maxsplit=1)[0]).inc()

    def loop_lag(self, seconds: float) -> None:
        """How late the loop was, at worst, since the last call."""
        self._loop_lag.set(seconds)

    def watch(
        self,
        workers: Callable[[], float],
        restarts: Callable[[], float],
        spool_bytes: Callable[[], float],
        incidents: Callable[[], Iterable[str]],
    ) -> None:
        """Read the supervisor's own figures at every scrape."""
        self._workers.set_function(workers)
        self._worker_restarts.read = restarts
        self._spool.set_function(spool_bytes)
        for kind in _LASTING:
            self._incidents.labels(kind).set_function(partial(_count, incidents, kind))

    def expose(self) -> tuple[bytes, str]:
        """Return the exposition and its content type."""
        return generate_latest(self._registry), CONTENT_TYPE_LATEST


def _count(found: Callable[[], Iterable[str]], wanted: str) -> int:
    return sum(one == wanted for one in found())


def _values(metric: Counter | Gauge) -> dict[str, int]:
    """What a metric of at most one label says, by label (an empty one when it has none)."""
    return {
        next(iter(sample.labels.values()), ""): int(sample.value)
        for family in metric.collect()
        for sample in family.samples
    }


def _buckets(histogram: Histogram) -> list[tuple[float, int]]:
    return [
        (float(sample.labels["le"]), int(sample.value))
        for family in histogram.collect()
        for sample in family.samples
        if sample.name.endswith("_bucket")
    ]


def _move(gauge: Gauge, before: str | None, after: str | None) -> None:
    if before is not None:
        gauge.labels(before).dec()
    if after is not None:
        gauge.labels(after).inc()
