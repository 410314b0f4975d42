"""Counters and gauges as the bots see them.

Implemented by `orchestrator/metrics.py`; joined in `app.py`.
"""

from __future__ import annotations

from typing import Protocol

from orchestrator.model import EventName, SendState, Status


class FleetMetrics(Protocol):
    """Counters and gauges of the bots' room. Called on the loop; must not wait and not raise. Implemented by
    `metrics.py`; label values are names of closed lists, never ids or texts of others."""

    def bot_moved(self, before: Status | None, after: Status | None) -> None:
        """One bot changed status (None: it did not exist, or is gone): `bots{status}`."""
        ...

    def event(self, name: EventName, kind: str) -> None:
        """One event was committed or announced: `events_total{event,type}`."""
        ...

    def suppressed(self, kind: str) -> None:
        """Something was counted instead of told (a redelivery, a note without content): `events_suppressed_total{type}`."""
        ...

    def session_crashed(self) -> None:
        """A session ended without being asked to: `session_crashes_total`."""
        ...

    def stream_error(self, code: str, expected: bool) -> None:
        """WhatsApp reported a stream error: `stream_errors_total{code,expected}`."""
        ...

    def job_moved(self, before: SendState | None, after: SendState | None) -> None:
        """One send changed state (None: it did not exist, or is no longer kept): `outbox_jobs{state}`."""
        ...

    def pool_move(self, gap_s: float) -> None:
        """A bot moved to the pool; it was not connected for `gap_s` seconds."""
        ...
