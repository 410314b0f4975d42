"""Bugs to plant in a bus: each must be found by the machine of `test_bus_machine.py`."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from orchestrator.bus.bus import Entry, LogState
from orchestrator.bus.plan import Plan, check_position, decide
from orchestrator.bus.reader import Reader
from orchestrator.bus.retention import Cut, Retention, Row, Standing, cut_log
from orchestrator.model import Position

_push = Reader.push


def duplicates_keep_no_mark(batch: Iterable[Entry], *known: Any) -> Plan:
    """The planted bug: the mark of an entry that is a duplicate by its key is forgotten."""
    plan = decide(batch, *known)
    last = {
        entry.source.incarnation: outcome for entry, outcome in zip(batch, plan.outcomes, strict=True) if entry.source
    }
    for name, outcome in last.items():
        if not isinstance(outcome, Position):
            plan.marks.pop(name, None)
    return plan


def nothing(*_: object) -> None:
    """The planted bug: what should happen does not."""


def short_tail(self: Reader, items: Any, head: int) -> None:
    """The planted bug: a reader that cannot hold what is new believes that it has it."""
    _push(self, items, head)
    self._covered = head


def one_too_many(log: Standing, rows: Iterable[Row], limits: Retention, now_ms: int, budget: int) -> Cut:
    """The planted bug: a log is cut one event too far."""
    cut = cut_log(log, rows, limits, now_ms, budget)
    return replace(cut, floor=min(log.head, cut.floor + 1)) if cut.floor > log.floor else cut


def no_floor(state: LogState, after: Position) -> None:
    """The planted bug: a reader that retention overtook reads on behind the gap."""
    check_position(replace(state, floor=Position(state.head.epoch, 0)), after)
