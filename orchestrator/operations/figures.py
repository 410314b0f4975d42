"""The arithmetic of what operators see: samples, what happened between two readings, quantiles, steps of time. Pure.

Owns the record of a sample and how samples become a history. It must never know who measures. Read `recorder.py` for
the shell.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import msgspec

from orchestrator.ports.operations import FleetPoint

STEPS_MS: Mapping[int, int] = {1: 60_000, 24: 600_000, 168: 3_600_000}
"""Step of a history by its hours."""


class Sample(msgspec.Struct, frozen=True, omit_defaults=True):
    """The fleet at one moment, and what was counted since the sample before it."""

    at: int
    statuses: dict[str, int] = {}
    workers: int = 0
    sockets: int = 0
    counts: dict[str, int] = {}
    """By name of `Figures.counts`; what did not happen is absent."""


def risen(before: Mapping[str, int], now: Mapping[str, int]) -> dict[str, int]:
    """Return by how much counters rose between two readings; those that did not are absent."""
    return {name: count - before.get(name, 0) for name, count in now.items() if count > before.get(name, 0)}


def total(counts: Iterable[Mapping[str, int]]) -> dict[str, int]:
    """Add counts up by name."""
    found: dict[str, int] = {}
    for one in counts:
        for name, count in one.items():
            found[name] = found.get(name, 0) + count
    return found


def labelled(counts: Mapping[str, int], name: str) -> dict[str, int]:
    """Return those of a labelled counter, by label."""
    return {key.partition(":")[2]: count for key, count in sorted(counts.items()) if key.startswith(f"{name}:")}


def quantile(before: Sequence[tuple[float, int]], now: Sequence[tuple[float, int]], share: float) -> float | None:
    """Return the value `share` of the observations between two readings of a histogram stay under.

    Args:
        before, now: (bound, observations up to it), rising, the last bound infinite; `before` may be empty.
        share: 0 to 1.

    Returns:
        Interpolated within its bucket; the last finite bound when it lies above that; None without observations.
    """
    earlier = dict(before)
    counts = [(bound, count - earlier.get(bound, 0)) for bound, count in now]
    everything = counts[-1][1] if counts else 0
    if everything <= 0:
        return None
    wanted = share * everything
    low, under = 0.0, 0
    for bound, count in counts:
        if count >= wanted:
            if bound == float("inf"):
                return low
            return low + (bound - low) * (wanted - under) / max(1, count - under)
        low, under = bound, count
    return low


def steps(samples: Iterable[Sample], hours: int, now_ms: int) -> list[FleetPoint]:
    """Return the last `hours` in steps, oldest first, ending with the step of `now_ms`.

    Each step shows one real moment of it, the one with the fewest connected bots, so that a short outage is still
    there in a long history; counts are those of the whole step.
    """
    step_ms = STEPS_MS[hours]
    count = hours * 3_600_000 // step_ms
    first_ms = now_ms - now_ms % step_ms - (count - 1) * step_ms
    found: list[list[Sample]] = [[] for _ in range(count)]
    for sample in samples:
        index = (sample.at - first_ms) // step_ms
        if 0 <= index < count:
            found[index].append(sample)
    return [_point(first_ms + index * step_ms, inside) for index, inside in enumerate(found)]


def _point(at_ms: int, inside: list[Sample]) -> FleetPoint:
    if not inside:
        return FleetPoint(at_ms, None, 0, 0, 0, 0)
    worst = min(inside, key=lambda one: (one.statuses.get("connected", 0), -one.at))
    counts = total(one.counts for one in inside)
    return FleetPoint(
        at_ms, worst.statuses, worst.workers, worst.sockets, counts.get("events", 0), counts.get("worker_restarts", 0)
    )
