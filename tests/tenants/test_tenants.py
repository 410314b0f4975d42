"""Fifty thousand random steps of two tenants and an operator: nobody sees what is another's, nor does anybody else."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

import pytest
import uvloop

from tests.tenants.serve import PLANTS
from tests.tenants.world import World, the_seed, world

STEPS = int(os.environ.get("TENANTS_STEPS", "50000"))
"""More are run by `TENANTS_STEPS=1000000`, one certain run by `TENANTS_SEED`."""


async def _run(directory: Path, seed: int) -> tuple[World, float]:
    async with world(directory, seed) as made:
        for person in made.people[:2]:
            while len(made.memories[person.name].told["linked"]) < 1:
                await made.tend(person, made.memories[person.name])
        began = time.perf_counter()
        await made.run(STEPS)
        took_s = time.perf_counter() - began
        await made.finish()
        return made, took_s


@pytest.mark.system
def test_nothing_of_one_reaches_another(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Names, texts, numbers, ids, codes, tokens and proxies of one are in no answer, frame or stream of another, names
    and texts in no log, nothing at all in metrics; operators see whom they ask about."""
    seed = the_seed()
    made, took_s = uvloop.run(_run(tmp_path, seed))
    with capsys.disabled():
        line = {
            "seed": seed,
            "steps": made.steps,
            "s": round(took_s, 1),
            "seen": dict(made.witness.seen),
            "told": made.told,
        }
        print(f"\ntenants {json.dumps(line)}\n  {json.dumps(dict(sorted(made.statuses.items())))}")
    assert made.witness.findings == [], f"TENANTS_SEED={seed}: {made.witness.findings[:3]}"
    assert made.steps >= STEPS
    seen = made.witness.seen
    for name in ("ada", "bob"):
        assert seen[f"{name} planted"] > STEPS / 10, "it hardly saw what is its own"
        admitted, frames, streamed = made.told[name]
        assert admitted > 10 and frames > STEPS / 100 and streamed > STEPS / 100
    assert seen["root of others"] > STEPS / 50, "the operator did not look"
    assert {404, 403, 410, 422} <= set(made.statuses)
    document = made.offered
    never = sorted(document - set(made.asked))
    assert len(never) < len(document) / 2, f"these never succeeded: {never}"


@pytest.mark.system
@pytest.mark.parametrize("planted", sorted(PLANTS))
def test_a_planted_leak_is_found(tmp_path: Path, planted: str) -> None:
    """The search is sharp: each of these mistakes is found, within a few hundred steps mostly."""

    async def run() -> World:
        async with world(tmp_path, 7, planted) as made:
            for person in made.people[:2]:
                await made.begin(person)
            while not made.witness.findings and made.steps < 6000:
                await made.run(200)
                await made.finish()
            return made

    made = uvloop.run(run())
    assert made.witness.findings, made.steps
