"""Incidents with their past: what is open now, what is over, and what has still to be written down. Pure.

Owns how an incident's record changes while it lasts and when it ends. It must never know who opens one. Read
`recorder.py` for the shell.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

import msgspec

from orchestrator.ports import Incident, WorkerLost
from orchestrator.ports.incidents import MOST_BOT_IDS

LOST_AGAIN_MS = 600_000
"""A worker of the same number that is lost again within this is the same trouble."""


@dataclass(frozen=True, slots=True)
class Log:
    """The incidents of this process."""

    lasting: Mapping[str, Incident] = field(default_factory=dict)
    """Open ones, at their worst so far."""
    lost: Mapping[int, tuple[Incident, int]] = field(default_factory=dict)
    """By number of the worker: its newest loss, and how often it was lost in a row."""
    unwritten: Mapping[str, Incident] = field(default_factory=dict)
    """What the store does not have yet."""


def look(log: Log, now_open: Iterable[Incident], now_ms: int) -> Log:
    """Fold in what is open now: new ones begin, missing ones end, those that grew are noted at their worst."""
    present = {incident.id: incident for incident in now_open}
    unwritten, lasting = dict(log.unwritten), dict(log.lasting)
    for name, incident in log.lasting.items():
        if name not in present:
            unwritten[name] = msgspec.structs.replace(incident, until=max(now_ms, incident.since))
            del lasting[name]
    for name, incident in present.items():
        before = lasting.get(name)
        if before is None or incident.bots > before.bots or incident.cause != before.cause:
            worst = incident if before is None or incident.bots > before.bots else _at_worst(incident, before)
            lasting[name] = unwritten[name] = worst
    return replace(log, lasting=lasting, unwritten=unwritten)


def _at_worst(now: Incident, before: Incident) -> Incident:
    return msgspec.structs.replace(now, bots=before.bots, bot_ids=before.bot_ids)


def lost(log: Log, worker: WorkerLost, now_ms: int, fresh: str) -> Log:
    """Fold in a worker that ended unasked. `fresh` is an unused incident id."""
    before, times = log.lost.get(worker.number, (None, 0))
    if before is not None and before.until is not None and now_ms - before.until < LOST_AGAIN_MS:
        name, since, times, bots = before.id, before.since, times + 1, max(before.bots, len(worker.bots))
    else:
        name, since, times, bots = fresh, now_ms, 1, len(worker.bots)
    incident = Incident(
        id=name, kind="worker_lost", since=since, bots=bots, text=_how(worker, times), holds_starts=False,
        cause="worker_crashed", title=f"Worker {worker.number} was lost", until=now_ms,
        action=_WHAT_NOW if times >= _OFTEN else None, bot_ids=list(worker.bots[:MOST_BOT_IDS]),
    )  # fmt: skip
    return replace(
        log, lost={**log.lost, worker.number: (incident, times)}, unwritten={**log.unwritten, name: incident}
    )


_OFTEN = 3
_WHAT_NOW = "Look for `Worker lost` in the log; BOTS_PER_WORKER=1 shows which bot does it."


def _how(worker: WorkerLost, times: int) -> str:
    match worker.cause:
        case "condemned":
            how = "It did not answer a start or stop in time and was ended."
        case "no_answer":
            how = "It answered nothing for 15 s and was killed."
        case _ if worker.status is not None and worker.status < 0:
            how = f"It was ended by signal {-worker.status}."
        case _:
            how = f"It exited with {worker.status}."
    bots = len(worker.bots)
    moved = "No bot was in it." if not bots else f"{bots} {'bot comes' if bots == 1 else 'bots come'} back elsewhere."
    again = f" {times} times in a row." if times > 1 else ""
    return f"{how} {moved}{again}"


def written(log: Log, stored: Mapping[str, Incident]) -> Log:
    """Note what the store has now; what changed meanwhile stays unwritten."""
    left = {name: one for name, one in log.unwritten.items() if stored.get(name) != one}
    return replace(log, unwritten=left)


def told(log: Log, stored: Iterable[Incident], now_open: Iterable[Incident], ended_after_ms: int) -> list[Incident]:
    """Return what to show: open ones first, then the newest; of each the newest that is known of it."""
    found = {one.id: one for one in stored}
    found |= log.unwritten
    for one in now_open:
        found[one.id] = one
    shown = [one for one in found.values() if one.until is None or one.until > ended_after_ms]
    return sorted(shown, key=lambda one: (one.until is not None, -one.since, one.id))
