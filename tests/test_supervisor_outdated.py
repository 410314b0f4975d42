"""*Client outdated*: when starts are held, who may try, and what ends it; as a table, and on a whole server."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.ports import Incident
from orchestrator.supervisor import outdated
from orchestrator.supervisor.outdated import (
    TRY_EVERY_S,
    TRY_S,
    Accepted,
    At,
    HeldBack,
    Input,
    Refusal,
    Refused,
    Reopened,
    Tick,
)
from sessions.model import ClientOutdated, Connected
from tests.support.fake_host import account
from tests.support.fleet_room import USER, FleetRoom, linked, run, settle
from tests.support.simulated import simulated


def fold(*steps: tuple[float, Input], library: str | None = "0.5.2") -> Refusal | None:
    present: Refusal | None = None
    for now, happened in steps:
        present = outdated.step(present, happened, At(now, round(now * 1000), library, "icd_1"))
    return present


def test_one_refusal_holds_every_start() -> None:
    """The first 405 opens it, further ones are the same incident; its bots are those that were refused."""
    present = fold((5.0, Refused("a")), (6.0, Refused("b")), (7.0, Refused("a")), (8.0, HeldBack("c")))
    assert present is not None
    assert (present.since_ms, present.hit, present.waiting, present.library) == (5000, ("a", "b"), ("c",), "0.5.2")
    assert all(outdated.holds(present, bot) for bot in ("a", "b", "c", None))
    assert not outdated.holds(None, "a")
    assert fold((1.0, HeldBack("a")), (2.0, Tick()), (3.0, Accepted())) is None


def test_a_login_ends_it_and_so_does_another_version() -> None:
    """WhatsApp's word for this version, or a start-up with another one; the same version alone changes nothing."""
    assert fold((1.0, Refused("a")), (2.0, Accepted())) is None
    left = Refusal("icd_1", 1000, "0.5.2", ("a",))
    assert fold((0.0, Reopened(left)), (0.25, Tick()), library="0.5.3") is None
    assert fold((0.0, Reopened(left)), (0.25, Tick()), library=None) is not None, "no worker has said it yet"
    again = fold((0.0, Reopened(left)), (0.25, Tick()))
    assert again is not None and (again.id, again.since_ms, again.trying) == ("icd_1", 1000, "a"), "a try at once"


def test_one_at_a_time_tries_again() -> None:
    """Every quarter of an hour one bot is let through; who tells nothing within a minute makes room for the next."""
    steps: list[tuple[float, Input]] = [(0.0, Refused("a")), (1.0, Refused("b"))]
    assert (present := fold(*steps, (TRY_EVERY_S - 1, Tick()))) is not None and present.trying is None
    steps += [(TRY_EVERY_S, Tick())]
    assert (present := fold(*steps)) is not None and present.trying == "a"
    assert not outdated.holds(present, "a") and outdated.holds(present, "b")
    silent = fold(*steps, (TRY_EVERY_S + TRY_S, Tick()))
    assert silent is not None and silent.trying == "b"
    refused = fold(*steps, (TRY_EVERY_S + 2, Refused("a")), (TRY_EVERY_S + TRY_S + 2, Tick()))
    assert refused is not None and refused.trying is None, "the next one has its time"


@given(
    st.lists(
        st.tuples(
            st.floats(0.1, 1000.0),
            st.sampled_from([Refused("a"), Refused("b"), HeldBack("c"), Accepted(), Tick(), Tick()]),
        ),
        max_size=40,
    )
)
def test_whatever_comes_at_most_one_is_let_through(gaps: list[tuple[float, Input]]) -> None:
    """Two tries are never closer than their time, none is anybody who was neither refused nor held back, and a refusal
    always holds."""
    present, now, tried = None, 0.0, -TRY_EVERY_S
    for gap_s, happened in gaps:
        now += gap_s
        before, present = present, outdated.step(present, happened, At(now, round(now * 1000), "1", "icd"))
        if isinstance(happened, Refused):
            assert present is not None and outdated.holds(present, happened.bot)
        if isinstance(happened, Accepted):
            assert present is None
        if present is not None and present.trying is not None and (before is None or before.trying != present.trying):
            assert present.trying in {*present.hit, *present.waiting} and now - tried >= TRY_S
            tried = now


def incident() -> Incident:
    return Incident("icd_1", "client_outdated", 1, 1, "405", True, "client_outdated")


def test_bots_wait_and_come_back(tmp_path: Path) -> None:
    """A refused bot is `outdated`, one that would start says that it is held; running ones are left alone. One that is
    let through tries; when it is over all come back, the linked as their account and the others with a code."""

    async def scenario(room: FleetRoom) -> None:
        one, running = await linked(room), await linked(room, "4915112345679")
        waiting = (await room.new(start=False)).id
        room.host.tell(one, ClientOutdated())
        await settle()
        room.host.incidents.change(incident())
        await room.fleet.start(USER, waiting)
        seen = await room.see(waiting)
        assert (seen.status, seen.reason and seen.reason.code) == ("starting", "held_by_incident")
        assert seen.retry_at is not None
        refused = await room.see(one)
        assert (refused.status, refused.user_action) == ("outdated", "operator_upgrade")
        assert (await room.see(running)).status == "connected"
        starts = len(room.host.starts)
        await settle(3600)
        assert len(room.host.starts) == starts
        room.host.incidents.let_through = one
        room.host.incidents.change(incident())
        await settle()
        assert one in room.host.running and waiting not in room.host.running
        room.host.tell(one, ClientOutdated())
        room.host.incidents.let_through = None
        room.host.incidents.change(incident())
        await settle(3600)
        assert (await room.see(one)).status == "outdated" and one not in room.host.running
        room.host.incidents.change(None)
        await settle(1)
        assert {one, waiting} <= room.host.running.keys()
        room.host.tell(one, Connected(account()))
        assert (await room.see(one)).status == "connected"

    run(tmp_path, scenario)


@pytest.mark.system
async def test_an_operator_sees_it_until_it_ends(tmp_path: Path) -> None:
    """On a whole server: one incident with its bot and what to do; starts are held and say so; it survives a kill, and
    the first login of the next start ends it and brings everybody back."""
    async with simulated(tmp_path / "data") as world:
        boss = world.by("boss", operator=True)
        one, other = await world.linked(boss, "one"), await world.linked(boss, "other")
        (await boss("POST", f"/bots/{one}/simulate", {"play": "outdated"})).ok(204)
        await world.until(boss, one, lambda seen: seen["status"] == "outdated")

        async def incidents() -> dict[str, Any]:
            return dict((await boss("GET", "/incidents")).ok(200))

        found = await world.server.poll(incidents, lambda seen: seen["open"] == 1)
        (told,) = found["incidents"]
        assert (told["kind"], told["botIds"], told["holdsStarts"], told["until"]) == (
            "client_outdated",
            [one],
            True,
            None,
        )
        assert told["library"] == "simulated" and "newest version" in told["action"]
        new = (await boss("POST", "/bots", {"name": "new"})).ok(201)["id"]
        held = await world.until(boss, new, lambda seen: seen["reason"] is not None)
        assert (held["status"], held["reason"]["code"]) == ("starting", "held_by_incident")
        assert (await boss("GET", f"/bots/{other}")).ok(200)["status"] == "connected"
        assert 'orchestrator_incidents{kind="client_outdated"} 1.0' in await world.server.get("/metrics")
        await world.server.kill()
        await world.server.start()
        over = await world.server.poll(incidents, lambda seen: seen["incidents"][0]["until"] is not None)
        assert over["incidents"][0]["id"] == told["id"] and over["open"] == 0
        for bot in (one, other):
            await world.until(boss, bot, lambda seen: seen["status"] == "connected")
        await world.until(boss, new, lambda seen: seen["status"] == "awaiting_scan")
