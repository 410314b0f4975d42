"""The exposition as a scraper reads it: the contract's names, and each of the type its name says."""

from __future__ import annotations

from prometheus_client.parser import text_string_to_metric_families

from orchestrator.metrics import Metrics

CONTRACT = {
    "bots", "workers", "worker_restarts_total", "session_crashes_total", "stream_errors_total", "task_failures_total",
    "events_total", "events_suppressed_total", "event_commit_seconds", "event_delivery_seconds", "sockets",
    "sockets_refused_total", "sockets_closed_total", "sockets_taken_over_total", "sockets_superseded_total",
    "socket_duplicate_users", "socket_replacements_total", "replayed_events_total", "outbox_jobs", "loop_lag_seconds",
    "spool_bytes", "incidents",
}  # fmt: skip
"""Section 7 of the contract."""


def exposed(metrics: Metrics) -> dict[str, str]:
    """Name to type of everything a scrape gets."""
    families = text_string_to_metric_families(metrics.expose()[0].decode())
    return {family.name + ("_total" if family.type == "counter" else ""): family.type for family in families}


def test_names_of_the_contract() -> None:
    """Every metric of the contract is there under its name, and what the docs list is what is exposed."""
    metrics = Metrics()
    assert {f"orchestrator_{name}" for name in CONTRACT} <= exposed(metrics).keys()
    assert {family.name for family in metrics.families} == exposed(metrics).keys()


def test_totals_are_counters() -> None:
    """A name ends in `_total` exactly when it is a counter, also when somebody else does the counting."""
    metrics = Metrics()
    metrics.watch(lambda: 1, lambda: 3, lambda: 0, lambda: [])
    assert all((kind == "counter") is name.endswith("_total") for name, kind in exposed(metrics).items())
    assert b"orchestrator_worker_restarts_total 3.0\n" in metrics.expose()[0]
