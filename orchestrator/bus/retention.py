"""How much of a user's log is kept: by count, age and bytes, whichever comes first. Pure.

Owns the limits and the decision where a log is cut; no I/O, no clock. Values, announcements, marks and dedupe keys are
never its business. Read `plan.py` for the way in and `keeping.py` for the rows that go.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

_SLACK = 64
"""A log may grow past its limits by this part of them before it is cut, so that a cut is worth its work."""

Row = tuple[int, int, int]
"""(seq, bytes with margin, ms since the epoch when it was stored)."""


@dataclass(frozen=True, slots=True)
class Retention:
    """What is kept of each user's log; whichever limit is reached first cuts it. The newest event is cut by age alone."""

    max_events: int = 10_000
    max_age_ms: int = 72 * 3600 * 1000
    """Counted from when an event was committed, so that what waited in a spool is not cut on arrival."""
    max_bytes: int = 20 * 1024 * 1024
    """Data, and 200 bytes for each event."""
    max_message_age_ms: int = 90 * 24 * 3600 * 1000
    """Of stored messages, which the other limits don't concern."""


@dataclass(frozen=True, slots=True)
class Standing:
    """One log before it is cut."""

    head: int
    floor: int
    size_bytes: int


@dataclass(frozen=True, slots=True)
class Cut:
    """One log after it was cut: events up to `floor` go."""

    floor: int
    size_bytes: int
    oldest_ms: int | None
    """When the oldest event that stays was stored; None when none stays."""
    more: bool
    """The budget was used up: cut again."""


def overdue(log: Standing, retention: Retention) -> bool:
    """Tell whether a log has outgrown count or bytes by so much that cutting it pays. (Age is looked at now and then.)"""
    most_events = retention.max_events + retention.max_events // _SLACK
    return log.head - log.floor > most_events or log.size_bytes > retention.max_bytes + retention.max_bytes // _SLACK


def cut_log(log: Standing, rows: Iterable[Row], retention: Retention, now_ms: int, budget: int) -> Cut:
    """Decide what of a log goes.

    Args:
        log: The log as it stands.
        rows: Its events after the floor, oldest first; no more of them is taken than needed.
        retention: The limits.
        now_ms: Wall time.
        budget: At most so many events go at once.
    """
    last_surplus, stored_before_ms = log.head - retention.max_events, now_ms - retention.max_age_ms
    floor, size, gone = log.floor, log.size_bytes, 0
    for seq, row_bytes, stored_ms in rows:
        surplus = seq <= last_surplus or (size > retention.max_bytes and seq < log.head)
        if not surplus and stored_ms >= stored_before_ms:
            return Cut(max(floor, last_surplus), size, stored_ms, more=False)
        if gone == budget:
            return Cut(floor, size, stored_ms, more=True)
        floor, size, gone = seq, size - row_bytes, gone + 1
    return Cut(max(floor, last_surplus), 0, None, more=False)
