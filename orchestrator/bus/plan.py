"""What one batch of entries does to the logs, decided before anything is written: the same for every back end.

Owns the rules of order and of both dedupes as a pure function; no I/O, no clock. It must never know where rows are
kept. Read `reader.py` for the way out and `sqlite.py` for the way to the disk.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field

from orchestrator.bus.bus import Duplicate, Entry, LogState, Outcome, Source, Stored
from orchestrator.errors import Refused
from orchestrator.model import Event, Position

MARGIN_BYTES = 200
"""What a row or frame costs beside its data, for byte limits."""


@dataclass(frozen=True, slots=True)
class Log:
    """One user's log as the writer knows it before a batch."""

    number: int
    """Short name of the log inside the back end."""
    epoch: str
    head: int
    floor: int = 0

    @property
    def state(self) -> LogState:
        return LogState(Position(self.epoch, self.floor), Position(self.epoch, self.head))


@dataclass(frozen=True, slots=True)
class Mark:
    """The highest ordinal of an incarnation, and whose it is."""

    ordinal: int
    worker: str
    user: str
    bot: str | None


@dataclass(slots=True)
class Plan:
    """Everything a batch writes. The back end writes it in one transaction, or not at all."""

    outcomes: list[Outcome] = field(default_factory=list)
    """One for each entry, in order."""
    events: list[tuple[str, int, Event]] = field(default_factory=list)
    """(user, seq, event), rising within each user."""
    rows: dict[tuple[str, int], tuple[bytes, ...]] = field(default_factory=dict)
    """(user, seq) → the past messages that come with that event."""
    values: dict[tuple[str, str], bytes | None] = field(default_factory=dict)
    """(user, key) → newest value; None removes."""
    marks: dict[str, Mark] = field(default_factory=dict)
    dedupe: dict[tuple[str, str], str | None] = field(default_factory=dict)
    """(user, key) → bot."""
    heads: dict[str, int] = field(default_factory=dict)
    floors: dict[str, int] = field(default_factory=dict)
    """Of the logs that retention cut after the batch; decided by the back end with `retention.py`."""


def decide(
    entries: Iterable[Entry],
    logs: Mapping[str, Log],
    marks: Mapping[str, int],
    known: Collection[tuple[str, str]],
) -> Plan:
    """Decide what a batch writes, in order; entries of the batch see those before them.

    Args:
        entries: The batch; every user in it has a log in `logs`.
        logs: The logs before the batch.
        marks: Highest committed ordinal of each incarnation in the batch; a missing one is 0.
        known: Those (user, dedupe key) of the batch that were committed before it.
    """
    plan = Plan()
    for entry in entries:
        plan.outcomes.append(_decide_one(entry, plan, logs, marks, known))
    return plan


def _decide_one(
    entry: Entry,
    plan: Plan,
    logs: Mapping[str, Log],
    marks: Mapping[str, int],
    known: Collection[tuple[str, str]],
) -> Outcome:
    bot = bot_of(entry)
    source = entry.source
    if source is not None:
        if source.ordinal <= _mark(source, plan, marks):
            return Duplicate()
        plan.marks[source.incarnation] = Mark(source.ordinal, source.worker, entry.user, bot)
    if entry.dedupe is not None:
        keys = [(entry.user, dedupe) for dedupe in (entry.dedupe, *entry.dedupe_also)]
        if any(key in known or key in plan.dedupe for key in keys):
            return Duplicate()
        plan.dedupe[keys[0]] = bot
    for put in entry.puts:
        plan.values[entry.user, put.key] = put.value
    if entry.event is None:
        return Stored()
    log = logs[entry.user]
    seq = plan.heads.get(entry.user, log.head) + 1
    plan.heads[entry.user] = seq
    plan.events.append((entry.user, seq, entry.event))
    if entry.rows:
        plan.rows[entry.user, seq] = entry.rows
    return Position(log.epoch, seq)


def _mark(source: Source, plan: Plan, marks: Mapping[str, int]) -> int:
    planned = plan.marks.get(source.incarnation)
    return planned.ordinal if planned is not None else marks.get(source.incarnation, 0)


def bot_of(entry: Entry) -> str | None:
    """Return whose entry it is, for `erase`."""
    return entry.event.bot if entry.event is not None else entry.bot


def bot_of_key(key: str) -> str:
    """Return the bot a value belongs to: the second part of its key (`job/<bot>/<id>`), or nothing."""
    return key.split("/", 2)[1] if "/" in key else ""


def check_position(state: LogState, after: Position) -> None:
    """Refuse a position the log cannot be read from without a gap.

    Raises:
        Refused: `position_expired`, with `epoch`, `floor` and `head` (sequence numbers) of the log.
    """
    if after.epoch == state.head.epoch and state.floor.seq <= after.seq <= state.head.seq:
        return
    extra: dict[str, object] = {"epoch": state.head.epoch, "floor": state.floor.seq, "head": state.head.seq}
    raise Refused("position_expired", extra=extra)
