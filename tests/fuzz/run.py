"""Runs targets over many made-up values and says what was found: `python -m tests.fuzz [INPUTS] [SEED]`.

Owns counting, timing and the report. It must never know a target.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Callable
from dataclasses import dataclass

from tests.fuzz.live import LIVE
from tests.fuzz.maker import Maker
from tests.fuzz.targets import TARGETS

SLOWEST_S = 5.0
"""An input that keeps a reader busy for so long is a hang, also on a machine that does much else."""
LIVE_SHARE = 0.02
"""Of all inputs, so many go over real connections to each live target."""
SHARES = {"settings": 0.25, "spools": 0.25}
"""Less than one share for those that read files."""


@dataclass(frozen=True, slots=True)
class Ran:
    """What one target did."""

    name: str
    inputs: int
    took_s: float
    slowest_ms: float


class Finding(AssertionError):
    """A value that was not answered as promised."""


def run(name: str, target: Callable[[Maker], None], inputs: int, seed: int) -> Ran:
    """Give a target that many values.

    Raises:
        Finding: names target, seed and number; `replay` makes the same value again.
    """
    slowest, began = 0.0, time.perf_counter()
    for number in range(inputs):
        at = time.perf_counter()
        try:
            target(Maker(seed * 1_000_003 + number))
        except BaseException as error:
            raise Finding(f"replay({name!r}, {seed}, {number}): {type(error).__name__}: {str(error)[:300]}") from error
        slowest = max(slowest, time.perf_counter() - at)
    if slowest > SLOWEST_S:
        raise Finding(f"{name}, seed {seed}: one input took {slowest:.1f} s")
    return Ran(name, inputs, time.perf_counter() - began, slowest * 1000)


def replay(name: str, seed: int, number: int) -> None:
    """Give a target one value again."""
    TARGETS[name](Maker(seed * 1_000_003 + number))


def run_all(inputs: int, seed: int) -> list[Ran]:
    """Share so many inputs out among all targets, live ones too."""
    live = int(inputs * LIVE_SHARE)
    share = (inputs - live * len(LIVE)) / sum(SHARES.get(name, 1.0) for name in TARGETS)
    found = [run(name, target, math.ceil(share * SHARES.get(name, 1.0)), seed) for name, target in TARGETS.items()]
    return [*found, *(run_live(name, live, seed) for name in LIVE)]


def run_live(name: str, inputs: int, seed: int) -> Ran:
    """Send that many values over real connections."""
    began = time.perf_counter()
    asyncio.run(LIVE[name](seed, inputs))
    return Ran(name, inputs, time.perf_counter() - began, 0.0)


def report(ran: list[Ran]) -> str:
    """A table for people."""
    lines = [
        f"{one.name:12}{one.inputs:9,} inputs {one.took_s:7.1f} s, slowest {one.slowest_ms:6.1f} ms" for one in ran
    ]
    return "\n".join(
        [*lines, f"{'all':12}{sum(one.inputs for one in ran):9,} inputs {sum(one.took_s for one in ran):7.1f} s"]
    )
