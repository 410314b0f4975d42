"""The rules of a batch, as a pure function; positions that cannot be continued."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.bus.bus import Duplicate, Entry, LogState, Source, StatePut, Stored
from orchestrator.bus.plan import Log, Mark, bot_of, bot_of_key, check_position, decide
from orchestrator.clock import ManualClock
from orchestrator.errors import Refused
from orchestrator.model import Position
from tests.contracts.bus_suite import event
from tests.machines.bus_model import USERS, Model, entries

LOGS = {"ana": Log(1, "log_a", 7), "ben": Log(2, "log_b", 0)}


def test_it_goes_on_from_what_is_known() -> None:
    """Heads, marks and known keys of before count; everything a batch writes is in its plan."""
    batch = [
        Entry("ana", event(1), (StatePut("bot/bot_a", b"1"),), Source("w", "inc_1", 3), "new"),
        Entry("ana", event(2), (), Source("w", "inc_1", 4), "known"),
        Entry("ana", event(3), (StatePut("bot/bot_a", None),), Source("w", "inc_2", 5)),
        Entry("ben", None, (StatePut("bot/bot_b", b"2"),), bot="bot_b"),
    ]
    plan = decide(batch, LOGS, {"inc_1": 2, "inc_2": 5}, {("ana", "known")})
    assert plan.outcomes == [Position("log_a", 8), Duplicate(), Duplicate(), Stored()]
    assert [(user, seq, one.id) for user, seq, one in plan.events] == [("ana", 8, "evt_1")]
    assert plan.values == {("ana", "bot/bot_a"): b"1", ("ben", "bot/bot_b"): b"2"}
    assert plan.marks == {"inc_1": Mark(4, "w", "ana", "bot_a")}
    assert plan.dedupe == {("ana", "new"): "bot_a"}
    assert plan.heads == {"ana": 8}


@given(st.lists(entries(), max_size=12), st.lists(st.integers(0, 12), max_size=4))
def test_how_a_batch_is_cut_makes_no_difference(batch: list[Entry], cuts: list[int]) -> None:
    """Deciding entries in one batch or in several, one after the other, comes to the same: what the model says."""
    model = Model(ManualClock())
    logs = {user: Log(number, "", 0) for number, user in enumerate(USERS)}
    marks: dict[str, int] = {}
    known: set[tuple[str, str]] = set()
    outcomes = []
    edges = sorted({0, len(batch), *(cut for cut in cuts if cut < len(batch))})
    for low, high in itertools.pairwise(edges):
        plan = decide(batch[low:high], logs, marks, known)
        outcomes += plan.outcomes
        marks |= {name: mark.ordinal for name, mark in plan.marks.items()}
        known |= plan.dedupe.keys()
        logs |= {user: Log(logs[user].number, "", head) for user, head in plan.heads.items()}
    assert outcomes == [model.commit(entry) for entry in batch]


def test_whose_an_entry_is() -> None:
    """An event's bot counts, else the entry's; a value belongs to the second part of its key."""
    assert bot_of(Entry("ana", event(1), bot="other")) == "bot_a"
    assert bot_of(Entry("ana", None, bot="bot_b")) == "bot_b"
    keys = ("bot/bot_a", "job/bot_a/job_1", "job/bot_a/bot_b/x", "settings", "")
    assert [bot_of_key(key) for key in keys] == ["bot_a", "bot_a", "bot_a", "", ""]


@pytest.mark.parametrize(("seq", "fine"), [(2, False), (3, True), (9, True), (10, False)])
def test_a_position_is_good_from_floor_to_head(seq: int, fine: bool) -> None:
    """Everything after `floor` is kept: floor and head themselves can be continued, nothing outside can."""
    state = LogState(Position("log_a", 3), Position("log_a", 9))
    if fine:
        check_position(state, Position("log_a", seq))
        return
    with pytest.raises(Refused) as refused:
        check_position(state, Position("log_a", seq))
    assert refused.value.extra == {"epoch": "log_a", "floor": 3, "head": 9}
