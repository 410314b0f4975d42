"""Placement and quarantine: who shares a worker with whom, before and after a death."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.supervisor import quarantine
from orchestrator.supervisor.placement import PoolWorker, choose
from orchestrator.supervisor.quarantine import CLEAN_S, Quarantine, Sentence

BOTS = [f"bot_{number:02d}" for number in range(20)]


@pytest.mark.parametrize(
    ("workers", "group", "chosen"),
    [
        ([], None, None),
        ([PoolWorker("a", 3, None), PoolWorker("b", 4, None)], None, "b"),
        ([PoolWorker("a", 5, None), PoolWorker("b", 4, None)], None, "b"),
        ([PoolWorker("a", 5, None)], None, None),
        ([PoolWorker("a", 2, None), PoolWorker("b", 2, None)], None, "a"),
        ([PoolWorker("a", 1, "group1")], None, None),
        ([PoolWorker("a", 1, None), PoolWorker("b", 1, "group1")], "group1", "b"),
        ([PoolWorker("a", 1, None)], "group1", None),
    ],
)
def test_the_fullest_worker_with_room(workers: list[PoolWorker], group: str | None, chosen: str | None) -> None:
    """A bot goes to the fullest worker of its group that has room, else to a new one."""
    assert choose(workers, 5, group) == chosen


def test_suspects_come_back_alone_the_rest_is_free() -> None:
    """Those noted as being in the library are kept apart for an hour; the others may share at once."""
    state = quarantine.after_death(Quarantine(), BOTS, ["bot_03", "bot_07", "stranger"], 100.0)
    alone = [bot for bot in BOTS if quarantine.sentence(state, bot, 100.0) is not None]
    assert alone == ["bot_03", "bot_07"]
    assert quarantine.sentence(state, "bot_03", 100.0) == Sentence(None, 100.0)
    assert quarantine.sentence(state, "bot_03", 100.0 + CLEAN_S) is None
    assert "stranger" not in state.sentences


def test_without_suspects_the_bots_are_split_in_two() -> None:
    """When nobody was noted, two groups of equal size come back, each in a worker of its own."""
    state = quarantine.after_death(Quarantine(), BOTS, [], 0.0)
    groups = [state.sentences[bot].group for bot in BOTS]
    assert len(set(groups)) == 2
    assert groups.count(groups[0]) == 10


def test_a_death_alone_keeps_the_bot_alone() -> None:
    """A bot whose own worker died stays in one of its own."""
    assert quarantine.after_death(Quarantine(), ["bot_01"], [], 5.0).sentences == {"bot_01": Sentence(None, 5.0)}


def test_a_clean_hour_releases_and_a_new_death_prolongs() -> None:
    """The hour counts from the last thing that happened around the bot."""
    state = quarantine.isolate(Quarantine(), "bot_01", 0.0)
    state = quarantine.isolate(state, "bot_02", 0.0)
    state = quarantine.after_death(state, ["bot_02"], ["bot_02"], 1_800.0)
    state, over = quarantine.release(state, CLEAN_S)
    assert over == ["bot_01"]
    assert quarantine.release(state, CLEAN_S)[1] == []
    assert quarantine.release(state, CLEAN_S + 1_800.0) == (Quarantine({}, 0), ["bot_02"])


@given(count=st.integers(2, 40), killer=st.integers(0, 39))
def test_splitting_finds_the_killer(count: int, killer: int) -> None:
    """With no notes at all, a bot that kills each worker it is in ends up alone after log2(n) + 1 further deaths."""
    bots = [f"bot_{number:02d}" for number in range(count)]
    guilty = bots[killer % count]
    state, inside, deaths = Quarantine(), bots, 0
    while len(inside) > 1:
        state = quarantine.after_death(state, inside, [], float(deaths))
        deaths += 1
        group = state.sentences[guilty].group
        inside = [bot for bot in bots if bot == guilty or (group and state.sentences[bot].group == group)]
    assert inside == [guilty]
    assert deaths <= count.bit_length() + 1
