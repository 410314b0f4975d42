"""Groups, presence and calls through the bots' room: names asked for once and kept, presence shown and never stored."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.bots import content, group_names
from orchestrator.bots.calls import Calls
from orchestrator.bots.group_names import GroupNames, KnownGroup
from orchestrator.bots.presences import BURST, PEOPLE_MOST, Presences
from orchestrator.bus.bus import Announced, Committed
from orchestrator.ports import BotPatch
from sessions import model
from sessions.model import CallChanged, GroupChange, GroupChanged, GroupKnown, MessageReceived, PresenceChanged
from tests.support.fleet_room import USER, FleetRoom, linked, run, settle

TEAM, CREW = "1203630001@g.us", "1203630002@g.us"


def told(number: int, chat: str = TEAM) -> MessageReceived:
    """Make a message in a group."""
    return MessageReceived(chat, None, "55@lid", None, False, f"M{number}", "text", 7, None)


def info(subject: str) -> GroupChange:
    """Make what WhatsApp tells of a group."""
    return GroupChange("info", subject=subject, members=(model.GroupMember("55@lid", None, True),))


async def data_of(room: FleetRoom, kind: str) -> list[dict[str, Any]]:
    """Return the data of what was told of one type."""
    await settle()
    return [json.loads(event.data) for event in await room.events() if event.type == kind]


# --- names ---------------------------------------------------------------------------------------------------


def test_a_group_is_asked_about_once(tmp_path: Path) -> None:
    """The first message of a group goes out at once, without a name, and has WhatsApp asked; what comes after the answer
    carries the name, also after a restart, which asks nothing; a new name is taken over."""

    async def scenario(room: FleetRoom) -> None:
        bot = await linked(room)
        for number in range(3):
            room.host.tell(bot, told(number), b'{"chat":"x"}')
        assert await data_of(room, "message") == [{"chat": "x"}] * 3
        assert room.host.asked == [(bot, TEAM)]
        room.host.tell(bot, GroupKnown(TEAM, "found", info("Team")))
        room.host.tell(bot, told(3), b'{"chat":"x"}')
        assert (await data_of(room, "message"))[3] == {"chat": "x", "chatName": "Team"}
        (group,) = await data_of(room, "group")
        assert (group["chat"], group["chatName"], group["sender"]) == (TEAM, "Team", None)
        assert group["changes"] == [{"action": "info", "subject": "Team", "members": [{"id": "55@lid", "admin": True}]}]
        await room.kill()
        await room.open()
        room.host.on_start = lambda bot: None
        await settle(5)
        room.host.tell(bot, model.Connected(model.Account("4915112345678:7@s.whatsapp.net", None, "4915112345678")))
        room.host.tell(bot, told(4), b'{"chat":"x"}')
        room.host.tell(bot, GroupChanged(TEAM, "55@lid", 9, (GroupChange("subject", subject='The "Crew"'),), "3"))
        room.host.tell(bot, told(5), b'{"chat":"x"}')
        named = await data_of(room, "message")
        assert [one.get("chatName") for one in named[4:]] == ["Team", 'The "Crew"']
        assert room.host.asked == [(bot, TEAM)]
        change = (await data_of(room, "group"))[-1]
        assert change == {
            "chat": TEAM, "chatName": 'The "Crew"', "sender": "55@lid", "at": 9,
            "changes": [{"action": "subject", "subject": 'The "Crew"'}],
        }  # fmt: skip

    run(tmp_path, scenario)


def test_groups_are_asked_about_one_at_a_time(tmp_path: Path) -> None:
    """However many groups write at once, one question is under way; one nothing could be told of waits its turn."""

    async def scenario(room: FleetRoom) -> None:
        bot = await linked(room)
        chats = [f"12036300{number}@g.us" for number in range(20)]
        for number, chat in enumerate(chats):
            room.host.tell(bot, told(number, chat), b"{}")
        await settle()
        assert room.host.asked == [(bot, chats[0])]
        room.host.tell(bot, GroupKnown(chats[0], "failed"))
        await settle()
        assert room.host.asked == [(bot, chats[0]), (bot, chats[1])]
        room.host.tell(bot, told(50, chats[0]), b"{}")
        room.host.tell(bot, GroupKnown(chats[1], "not_in_group"))
        await settle()
        assert [chat for _, chat in room.host.asked] == chats[:3]
        assert await data_of(room, "group") == []
        assert room.metrics.dropped["group_unknown"] == 2

    run(tmp_path, scenario)


def test_names_are_bounded() -> None:
    """The oldest names go first, and are taken out of the store; an answer that never came is given up."""
    names = GroupNames({})
    gone = [
        chat
        for number in range(group_names.KEEP_MOST + 3)
        for chat, known in names.learn(f"{number}@g.us", "x", number)
        if known is None
    ]
    assert gone == ["0@g.us", "1@g.us", "2@g.us"]
    assert names.name("0@g.us") is None and names.name("5@g.us") == "x"
    names.met("0@g.us", 10.0, 0)
    assert names.next(10.0) == "0@g.us" and names.next(10.0) is None
    names.met("0@g.us", 11.0, 0)
    assert names.next(10.0 + group_names.ANSWER_S) is None
    names.met("0@g.us", 10.0 + group_names.ANSWER_S, 0)
    assert names.next(10.0 + group_names.ANSWER_S) == "0@g.us"
    assert GroupNames({"a": KnownGroup(None, 0)}).name("a") is None


def test_not_in_group_is_remembered_for_a_day() -> None:
    """A group the account is not in is asked about again after a day, not before."""
    names = GroupNames({TEAM: KnownGroup(None, 1000)})
    names.met(TEAM, 0.0, 1000 + group_names.DAY_MS - 1)
    assert names.next(0.0) is None
    names.met(TEAM, 0.0, 1000 + group_names.DAY_MS)
    assert names.next(0.0) == TEAM


@given(st.lists(st.tuples(st.integers(0, 5), st.sampled_from(["met", "answer", "fail", "learn"]), st.floats(0, 40))))
def test_one_question_at_a_time(steps: list[tuple[int, str, float]]) -> None:
    """Whatever comes in whatever order, a second question is never asked while an answer may still come."""
    names, now_s = GroupNames({}), 0.0
    open_: tuple[str, float] | None = None
    for number, what, seconds in steps:
        now_s += seconds
        chat = f"{number}@g.us"
        match what:
            case "met":
                names.met(chat, now_s, 0)
            case "learn":
                names.learn(chat, "x", 0)
            case _:
                names.answered(chat, now_s, found_out=what == "answer")
                open_ = None if open_ is not None and open_[0] == chat else open_
        asked = names.next(now_s)
        if asked is not None:
            assert open_ is None or now_s - open_[1] >= group_names.ANSWER_S
            assert names.name(asked) is None
            open_ = (asked, now_s)


# --- what is told once ---------------------------------------------------------------------------------------


def test_group_changes_are_told_once(tmp_path: Path) -> None:
    """A redelivered change is dropped; the same change made again is told again."""

    async def scenario(room: FleetRoom) -> None:
        bot = await linked(room)
        first = GroupChanged(TEAM, "55@lid", 9, (GroupChange("added", ("66@lid",)),), "3")
        again = GroupChanged(TEAM, "55@lid", 9, (GroupChange("added", ("66@lid",)),), "5")
        for change in (first, first, again):
            room.host.tell(bot, change)
        assert len(await data_of(room, "group")) == 2
        assert room.metrics.dropped["redelivered"] == 1
        joined = GroupChanged(CREW, None, 0, (GroupChange("joined", me=True, subject="Crew"),))
        room.host.tell(bot, joined, at_ms=77)
        told_ = (await data_of(room, "group"))[-1]
        assert (told_["at"], told_["chatName"], told_["sender"]) == (77, "Crew", None)

    run(tmp_path, scenario)


def test_a_group_teaches_who_is_who(tmp_path: Path) -> None:
    """The members of a group are known by both forms from then on, and changes name them as everything else does."""

    async def scenario(room: FleetRoom) -> None:
        bot = await linked(room)
        phone = "491701234567@s.whatsapp.net"
        whole = GroupChange("info", subject="Team", members=(model.GroupMember("55@lid", phone),))
        room.host.tell(bot, GroupKnown(TEAM, "found", whole))
        room.host.tell(bot, GroupChanged(TEAM, phone, 9, (GroupChange("left", (phone,)),), "3"))
        change = (await data_of(room, "group"))[-1]
        assert (change["sender"], change["changes"]) == ("55@lid", [{"action": "left", "participants": ["55@lid"]}])

    run(tmp_path, scenario)


def test_what_becomes_of_each() -> None:
    """Presence is shown, never stored; answers that say nothing are counted; everything else is told."""
    kinds: list[content.Content] = [
        GroupChanged(TEAM, None, 9, (GroupChange("left"),), "3"), PresenceChanged("a", None, "a", None, "typing"),
        CallChanged("C", "a", None, False, None, True, "offer", None, 1), GroupKnown(TEAM, "found", info("x")),
        GroupKnown(TEAM, "not_in_group"), GroupKnown(TEAM, "failed"),
    ]  # fmt: skip
    became = [type(content.classify("bot", one)).__name__ for one in kinds]
    assert became == ["Told", "Shown", "Told", "Told", "Counted", "Counted"]
    assert [content.proves_life(one) for one in kinds] == [True, True, True, True, True, False]


@pytest.mark.parametrize("kind", ["delivered", "read"])
def test_a_group_send_is_the_first_members(tmp_path: Path, kind: model.ReceiptKind) -> None:
    """The first member's receipt makes a send delivered, or read; those of the others are told and change nothing."""

    async def scenario(room: FleetRoom) -> None:
        bot = await linked(room)
        job = await room.outbox.submit(USER, bot, model.OutgoingText(TEAM, "hi all"))
        await room.outbox.wait(USER, bot, job.id, 10)
        for number in range(3):
            seen = model.ReceiptReceived(TEAM, None, f"5{number}@lid", (f"3EB0{job.id}",), kind, False, 1)
            room.host.tell(bot, seen, b"{}")
            await settle()
            expected = ["queued", "sent", "delivered"] + (["read"] if kind == "read" else [])
            assert await room.sends(job.id) == expected
        assert len(await data_of(room, "receipt")) == 3

    run(tmp_path, scenario)


# --- presence ------------------------------------------------------------------------------------------------


def test_presence_is_announced(tmp_path: Path) -> None:
    """Who types is shown to who is connected and who comes soon after, without a position; never stored."""

    async def scenario(room: FleetRoom) -> None:
        bot = await linked(room)
        subscription = await room.bus.subscribe(USER, (await room.bus.state(USER)).head)
        for state in ("typing", "paused", "typing"):
            room.host.tell(bot, PresenceChanged("55@lid", "49@s.whatsapp.net", "55@lid", "49@s.whatsapp.net", state))
        await settle()
        (shown,) = [one for one in await subscription.read() if isinstance(one, Announced)]
        assert (shown.event.name, shown.event.type, shown.event.bot) == ("message_sync", "presence", bot)
        data = json.loads(shown.event.data)
        assert (data["chat"], data["sender"], data["state"]) == ("55@lid", "55@lid", "typing")
        assert data["expiresAt"] - room.clock.wall_ms() in range(24_000, 25_001)
        late = await room.bus.subscribe(USER, (await room.bus.state(USER)).head)
        assert [one.event.type for one in await late.read() if not isinstance(one, Committed)] == ["presence"]
        assert "presence" not in await room.types()
        assert room.metrics.events["presence"] == 3

    run(tmp_path, scenario)


def test_presence_is_a_bots_wish(tmp_path: Path) -> None:
    """A bot's sessions want presence when it does: from its creation on, or from the next start after a change."""

    async def scenario(room: FleetRoom) -> None:
        shy = await room.new()
        curious = await room.new(presence=True)
        assert (shy.presence, curious.presence) == (False, True)
        assert [spec.presence for spec, _ in room.host.starts] == [False, True]
        changed = await room.fleet.patch(USER, shy.id, BotPatch(presence=True))
        assert changed.presence and changed.status_version == (await room.see(shy.id)).status_version
        assert (await room.types())[-1] == "updated"
        await room.fleet.restart(USER, shy.id)
        await settle(5)
        assert room.host.starts[-1][0].presence

    run(tmp_path, scenario)


def test_presence_never_floods() -> None:
    """Repeats are no news, changes are told at ten a second at most after the first forty, few people are remembered."""
    presences = Presences()
    typing = PresenceChanged("55@lid", None, "55@lid", None, "typing")
    assert presences.told(typing, 1, 1_000) is not None
    assert presences.told(typing, 1, 2_000) is None
    assert presences.told(typing, 1, 10_000) is not None
    crowd = [PresenceChanged(f"{number}@lid", None, f"{number}@lid", None, "typing") for number in range(5_000)]
    shown = [presences.told(one, 1, 60_000 + number) for number, one in enumerate(crowd)]
    assert BURST <= sum(one is not None for one in shown) <= BURST + 51
    assert len(presences._last) <= PEOPLE_MOST


# --- calls ---------------------------------------------------------------------------------------------------


def call(state: model.CallState, reason: str | None = None, call_id: str = "C1", **members: Any) -> CallChanged:
    """Make one event of a call."""
    group, video = members.get("group"), members.get("video")
    return CallChanged(
        call_id, "55@lid", "49@s.whatsapp.net", members.get("from_me", False), group, video, state, reason, 5
    )


ENDS: list[tuple[list[CallChanged], list[str]]] = [
    ([call("offer"), call("ended")], ["offer", "missed"]),
    ([call("offer"), call("ended", "timeout")], ["offer", "missed"]),
    ([call("offer"), call("accepted"), call("ended")], ["offer", "accepted_elsewhere", "ended"]),
    ([call("offer"), call("ended", "accepted_elsewhere")], ["offer", "accepted_elsewhere"]),
    ([call("offer"), call("ended", "rejected_elsewhere")], ["offer", "ended"]),
    ([call("ended")], ["ended"]),
    ([call("ended", "timeout")], ["missed"]),
    ([call("offer", from_me=True), call("ended", from_me=True)], ["offer", "ended"]),
    ([call("offer"), call("offer", call_id="C2"), call("accepted"), call("ended", call_id="C2"), call("ended")],
     ["offer", "offer", "accepted_elsewhere", "missed", "ended"]),
]  # fmt: skip


@pytest.mark.parametrize(("events", "states"), ENDS)
def test_what_an_end_means(events: list[CallChanged], states: list[str]) -> None:
    """A call that ends and that nobody took was missed; one that another device took was not."""
    calls = Calls()
    assert [calls.told(event).state for event in events] == states


def test_calls_are_told(tmp_path: Path) -> None:
    """A call is told from its offer to its end, the end with what only the offer said; a redelivery is not told."""

    async def scenario(room: FleetRoom) -> None:
        bot = await linked(room)
        offer = call("offer", video=True, group=TEAM)
        for event in (offer, offer, call("ended", "timeout")):
            room.host.tell(bot, event)
        first, last = await data_of(room, "call")
        assert first == {
            "chat": TEAM, "sender": "55@lid", "senderPn": "49@s.whatsapp.net", "fromMe": False, "callId": "C1",
            "state": "offer", "video": True, "group": True, "at": 5,
        }  # fmt: skip
        assert last == {**first, "state": "missed", "reason": "timeout"}

    run(tmp_path, scenario)


def test_open_calls_are_bounded() -> None:
    """Calls whose end is never told are forgotten."""
    calls = Calls()
    for number in range(1_000):
        calls.told(call("offer", call_id=f"C{number}"))
        calls.told(call("accepted", call_id=f"C{number}"))
    assert len(calls._open) <= 64 and len(calls._taken) <= 64
