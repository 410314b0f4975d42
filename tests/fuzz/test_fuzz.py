"""Fifty thousand made-up inputs: never a crash, a hang, a 500, or a secret in an error. `scripts/soak` runs a million."""

from __future__ import annotations

import os
import time

import pytest

from orchestrator.bots.outbox_fold import resolve
from tests.fuzz import targets
from tests.fuzz.live import LIVE
from tests.fuzz.maker import Maker
from tests.fuzz.run import LIVE_SHARE, Finding, replay, report, run, run_all, run_live

INPUTS = 50_000
SEED = int(os.environ.get("FUZZ_SEED", "1"))


@pytest.mark.system
def test_every_reader_answers_or_refuses(capsys: pytest.CaptureFixture[str]) -> None:
    """Frames, commands, tokens, addresses, bodies, settings, positions, headers, wire frames, spools, library events."""
    ran = run_all(INPUTS, SEED)
    assert sum(one.inputs for one in ran) >= INPUTS
    assert {one.name for one in ran} == {*targets.TARGETS, *LIVE}
    with capsys.disabled():
        print(f"\nfuzz, seed {SEED}\n{report(ran)}")


@pytest.mark.parametrize("name", sorted(targets.TARGETS))
def test_a_few_inputs(name: str) -> None:
    """The same, short: for plain pytest."""
    assert run(name, targets.TARGETS[name], 40, SEED + 1).inputs == 40


def test_a_planted_bug_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """A finding names what makes it happen again: nobody has to look for it twice."""

    def careless(text: str) -> str:
        return str(int(text)) if text[:1].isdigit() and "@" not in text else resolve(text)

    monkeypatch.setattr(targets, "resolve", careless)
    with pytest.raises(Finding, match="replay") as found:
        run("addresses", targets.addresses, 2000, 1)
    _, seed, number = str(found.value).partition("replay(")[2].partition(")")[0].split(", ")
    with pytest.raises((AssertionError, ValueError)):
        replay("addresses", int(seed), int(number))


def test_a_hang_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """Time counts as well."""
    monkeypatch.setattr("tests.fuzz.run.SLOWEST_S", 0.01)

    def slow(_: Maker) -> None:
        end = time.perf_counter() + 0.02
        while time.perf_counter() < end:
            pass

    with pytest.raises(Finding, match="took"):
        run("slow", slow, 2, 1)


def test_live_ones_take_part() -> None:
    """Real connections get their share too."""
    assert run_live("socket.io", 80, SEED + 1).inputs == 80
    assert 0 < LIVE_SHARE * len(LIVE) < 0.5
