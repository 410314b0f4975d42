"""Translation of groups, presence and calls: every member found, own account known by either form, never an exception."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sessions import model, texts, translate, translate_around
from sessions.model import GroupChange, GroupMember
from tests.support.library_events import OWN, jid, parsers, proto, source

TEAM = "1203630001@g.us"
ADA, ADA_PN = "22@lid", "33@s.whatsapp.net"
ME, ME_PN = "100000000000001@lid", "4915550001111@s.whatsapp.net"
NAME = {"Name": "Team", "NameSetAt": 1, "NameSetBy": jid()}


def changed(**fields: Any) -> model.GroupChanged:
    """Translate event 22 with these members."""
    event = proto(
        "GroupInfoEvent", JID=jid(TEAM), Notify="Ada", Sender=jid(f"{ADA.replace('@', ':3@')}"), Timestamp=1_790_000_000,
        PrevParticipantsVersionID="1", ParticipantVersionID="2", JoinReason=fields.pop("reason", ""), **fields,
    )  # fmt: skip
    told = translate.translate(22, event, OWN)
    assert isinstance(told, model.GroupChanged)
    assert (told.chat, told.sender, told.at_ms, told.version) == (TEAM, ADA, 1_790_000_000_000, "2")
    return told


LINKS: tuple[tuple[str, model.GroupAction], ...] = (("Link", "linked"), ("Unlink", "unlinked"))
CHANGES: list[tuple[dict[str, Any], tuple[GroupChange, ...]]] = [
    ({"Join": [jid("44@lid")], "reason": "invite"}, (GroupChange("added", ("44@lid",), reason="invite"),)),
    ({"Join": [jid("44@lid"), jid(ME_PN)]}, (GroupChange("added", ("44@lid", ME), me=True),)),
    ({"Leave": [jid("44@lid")]}, (GroupChange("removed", ("44@lid",)),)),
    ({"Leave": [jid(ADA)]}, (GroupChange("left", (ADA,)),)),
    ({"Leave": [jid(ME)]}, (GroupChange("removed", (ME,), me=True),)),
    ({"Promote": [jid("44@lid")], "Demote": [jid("55@lid")]},
     (GroupChange("promoted", ("44@lid",)), GroupChange("demoted", ("55@lid",)))),
    ({"Name": NAME}, (GroupChange("subject", subject="Team"),)),
    ({"Topic": {"Topic": "We row", "TopicID": "1", "TopicSetAt": 1, "TopicSetBy": jid(), "TopicDeleted": False}},
     (GroupChange("description", description="We row"),)),
    ({"Topic": {"Topic": "old", "TopicID": "1", "TopicSetAt": 1, "TopicSetBy": jid(), "TopicDeleted": True}},
     (GroupChange("description", description=""),)),
    ({"Locked": {"isLocked": True}}, (GroupChange("locked", on=True),)),
    ({"Announce": {"IsAnnounce": False, "AnnounceVersionID": "1"}}, (GroupChange("announce", on=False),)),
    ({"Ephemeral": {"IsEphemeral": True, "DisappearingTimer": 86400}}, (GroupChange("disappearing", seconds=86400),)),
    ({"Ephemeral": {"IsEphemeral": False, "DisappearingTimer": 9}}, (GroupChange("disappearing", seconds=0),)),
    ({"NewInviteLink": "https://chat.whatsapp.com/x"}, (GroupChange("invite_link", link="https://chat.whatsapp.com/x"),)),
    ({"Delete": {"Deleted": True, "DeletedReason": "abuse"}}, (GroupChange("deleted", reason="abuse"),)),
    *(({name: {"Type": 1, "UnlinkReason": "", "Group": {"JID": jid("9@g.us"), "GroupName": NAME,
               "GroupIsDefaultSub": {"IsDefaultSubGroup": False}}}}, (GroupChange(action, group="9@g.us"),))
      for name, action in LINKS),
    ({"UnknownChanges": [proto("Node", Tag="jug\ngle" * 20)]},
     (GroupChange("unrecognised", reason=("juggle" * 20)[:40]),)),
    ({}, (GroupChange("unrecognised"),)),
]  # fmt: skip


@pytest.mark.parametrize(("fields", "expected"), CHANGES, ids=[str(number) for number in range(len(CHANGES))])
def test_group_changes(fields: dict[str, Any], expected: tuple[GroupChange, ...]) -> None:
    """Each change is told by what it did and to whom."""
    assert changed(**fields).changes == expected


def group(owner: str, **fields: Any) -> Any:
    """A whole group as the library tells it."""
    people = [(ADA, ADA_PN, True), ("", "66@s.whatsapp.net", False), (ME, ME_PN, False)]
    members = [
        proto("GroupParticipant", JID=jid(lid or pn), LID=jid(lid), PhoneNumber=jid(pn), IsAdmin=admin, IsSuperAdmin=False,
              DisplayName="", Error=0)
        for lid, pn, admin in people
    ]  # fmt: skip
    parts: dict[str, Any] = {
        "GroupName": NAME, "GroupLocked": {"isLocked": True}, "GroupAnnounce": {"IsAnnounce": False, "AnnounceVersionID": ""},
        "GroupTopic": {"Topic": "We row", "TopicID": "", "TopicSetAt": 1, "TopicSetBy": jid(), "TopicDeleted": False},
        "GroupEphemeral": {"IsEphemeral": True, "DisappearingTimer": 60}, "GroupIncognito": {"IsIncognito": False},
        "GroupParent": {"IsParent": False, "DefaultMembershipApprovalMode": ""},
        "GroupLinkedParent": {"LinkedParentJID": jid()}, "GroupIsDefaultSub": {"IsDefaultSubGroup": False},
    }  # fmt: skip
    return proto(
        "GroupInfo", JID=jid(TEAM), OwnerJID=jid(owner), OwnerPN=jid(), GroupCreated=1.0, ParticipantVersionID="7",
        Participants=members, **{**parts, **fields},
    )  # fmt: skip


MEMBERS = (
    GroupMember(ADA, ADA_PN, True), GroupMember("66@s.whatsapp.net"), GroupMember(ME, ME_PN),
)  # fmt: skip


def test_group_info() -> None:
    """A question's answer tells the whole group; an error tells whether the account is in it."""
    answer = translate_around.group_answer(TEAM, proto("GetGroupInfoReturnFunction", GroupInfo=group(ADA)), OWN)
    whole = GroupChange(
        "info", subject="Team", description="We row", members=MEMBERS, locked=True, announce=False, seconds=60
    )
    assert answer == model.GroupKnown(TEAM, "found", whole)
    for text, outcome in (
        ("you're not participating in that group", "not_in_group"), ("that group does not exist", "not_in_group"),
        ("info query returned status 429: rate-overlimit", "failed"), ("", "failed"),
    ):  # fmt: skip
        told = translate_around.group_answer(TEAM, proto("GetGroupInfoReturnFunction", Error=text), OWN)
        assert told == model.GroupKnown(TEAM, outcome)  # type: ignore[arg-type]
    assert translate_around.group_answer(TEAM, object(), OWN) == model.GroupKnown(TEAM, "failed")


@pytest.mark.parametrize(("owner", "reason", "action"), [(ME, "", "created"), (ME, "invite", "joined"), (ADA, "", "joined"),
                                                         ("", "", "joined")])  # fmt: skip
def test_joined(owner: str, reason: str, action: str) -> None:
    """Being added tells the whole group; a group the account itself made is `created`."""
    event = proto("JoinedGroup", Reason=reason, Type=reason, CreateKey="", GroupInfo=group(owner))
    told = translate.translate(21, event, OWN)
    assert isinstance(told, model.GroupChanged)
    assert (told.chat, told.sender, told.at_ms, told.version) == (TEAM, None, 0, "7")
    (change,) = told.changes
    assert (change.action, change.me, change.subject, change.reason) == (action, True, "Team", reason or None)
    assert change.members == MEMBERS


def test_presence() -> None:
    """Coming and going name the person; typing and recording the chat as well, which may be a group."""
    gone = proto("Presence", From=jid(ADA), Unavailable=True, LastSeen=1_790_000_000)
    assert translate.translate(20, gone, OWN) == model.PresenceChanged(
        ADA, None, ADA, None, "unavailable", 1_790_000_000_000
    )
    here = proto("Presence", From=jid(ADA), Unavailable=False, LastSeen=-62_135_596_800)
    assert translate.translate(20, here, OWN) == model.PresenceChanged(ADA, None, ADA, None, "available")
    for state, media, expected in ((1, 1, "typing"), (1, 2, "recording"), (2, 1, "paused")):
        direct = proto("ChatPresence", MessageSource=source(ADA, ADA, ADA_PN), State=state, Media=media)
        assert translate.translate(19, direct, OWN) == model.PresenceChanged(ADA, ADA_PN, ADA, ADA_PN, expected)  # type: ignore[arg-type]
    there = proto("ChatPresence", MessageSource=source(TEAM, ADA, ADA_PN), State=1, Media=1)
    assert translate.translate(19, there, OWN) == model.PresenceChanged(TEAM, None, ADA, ADA_PN, "typing")


def _call(name: str, *parts: str, attrs: dict[str, Any] | None = None, creator: str = ADA, **fields: Any) -> Any:
    meta = proto(
        "BasicCallMeta", timestamp=1_790_000_000, callCreator=jid(creator), callCreatorAlt=jid(ADA_PN), callID="C1"
    )
    getattr(meta, "from").CopyFrom(jid(ADA))
    listed = [{"name": key, **value} for key, value in (attrs or {}).items()]
    data = proto("Node", Tag="offer", Attrs=listed, Nodes=[proto("Node", Tag=part) for part in parts])
    if name in {"CallOffer", "CallAccept"}:
        fields["callRemoteMeta"] = {"remotePlatform": "android", "remoteVersion": "2"}
    return proto(name, basicCallMeta=meta, data=data, **fields)


def test_calls() -> None:
    """A call tells who calls, whether with video, which group, who ended it why; the account's own are its own."""

    def told(kind: int, event: Any) -> model.CallChanged:
        found = translate.translate(kind, event, OWN)
        assert isinstance(found, model.CallChanged)
        assert (found.call_id, found.at_ms) == ("C1", 1_790_000_000_000)
        return found

    audio, video = told(36, _call("CallOffer", "audio")), told(36, _call("CallOffer", "audio", "video"))
    assert (audio.state, audio.video, video.video, audio.group) == ("offer", False, True, None)
    assert (audio.sender, audio.sender_pn, audio.from_me) == (ADA, ADA_PN, False)
    assert told(36, _call("CallOffer", creator="")).sender == ADA
    assert told(36, _call("CallOffer", creator=ME_PN)).from_me
    for value in ({"jid": jid(TEAM)}, {"text": TEAM}):
        notice = told(40, _call("CallOfferNotice", attrs={"group-jid": value}, media="video", type="group"))
        assert (notice.state, notice.video, notice.group) == ("offer", True, TEAM)
    assert told(37, _call("CallAccept")).state == "accepted"
    ended = told(42, _call("CallTerminate", reason="timeout"))
    assert (ended.state, ended.reason, ended.video) == ("ended", "timeout", None)
    assert told(42, _call("CallTerminate", reason="")).reason is None
    assert translate.translate(43, proto("UnknownCallEvent", node=proto("Node", Tag="x")), OWN) == model.Unrecognised(
        43
    )


KINDS = (19, 20, 21, 22, 36, 37, 40, 42)
_PARSERS = parsers()


@given(st.sampled_from(KINDS), st.binary(max_size=200), st.booleans())
def test_total_over_bytes(kind: int, raw: bytes, known: bool) -> None:
    """Whatever bytes come under these numbers, one event comes out."""
    event, _ = translate.from_raw(kind, raw, _PARSERS, OWN if known else None)
    assert isinstance(event, model.GroupChanged | model.PresenceChanged | model.CallChanged | model.Unrecognised)


@pytest.mark.parametrize("kind", KINDS)
def test_total_over_empty_ones(kind: int) -> None:
    """An event without a single member is unrecognised, or what is left of it."""
    assert translate.translate(kind, object(), OWN) == model.Unrecognised(kind)
    empty = translate.from_raw(kind, b"", _PARSERS, OWN)[0]
    assert isinstance(empty, model.Unrecognised | model.PresenceChanged | model.GroupChanged | model.CallChanged)


def test_sends_to_foreign_groups_are_refused_for_good() -> None:
    """The list of members is asked for before anything is written; that the account is not in it is no reason to retry."""
    for end in ("you're not participating in that group", "that group does not exist"):
        assert texts.send_outcome(f"failed to get group members: {end}") == model.SendRejected("not_in_group")
    other = texts.send_outcome("failed to get group members: info query timed out")
    assert other == model.NotSent("not_connected")
    assert texts.send_outcome("you're not participating in that group") == model.SendUnknown()
