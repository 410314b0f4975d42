"""Every kind through the bots' room: what is told once, what may be sent, and that stored sends outlive a version."""

from __future__ import annotations

from pathlib import Path
from typing import get_args

import msgspec
import pytest

from orchestrator.bots import content, outbox_fold, outbox_kinds
from orchestrator.errors import Refused
from orchestrator.model import SendJob, to_json
from sessions import model
from sessions.model import Account, Outgoing
from tests.support.fleet_room import USER, FleetRoom, linked, run, settle

OWN = Account("4915550001111:7@s.whatsapp.net", "100000000000001:7@lid", "4915550001111")
TO = "+49 151 87654321"
CHAT = "4915187654321@s.whatsapp.net"
GROUP = "491511234567-1600000000@g.us"
RECEIPTS: tuple[model.ReceiptKind, ...] = ("delivered", "read")
VCARD = "BEGIN:VCARD\nVERSION:3.0\nFN:Bob\nEND:VCARD"

JPEG = b"\xff\xd8\xff\xe0" + b"j" * 100

GOOD: list[Outgoing] = [
    model.OutgoingText(TO, "hi"),
    model.OutgoingText(TO, "@49 hi", model.Quoted("3A01", TO), (TO,)),
    model.OutgoingReaction(TO, "3A01", "👍"),
    model.OutgoingEdit(TO, "3EB0", "new"),
    model.OutgoingRevoke(TO, "3EB0"),
    model.OutgoingLocation(TO, 52.5, -13.25, "Here", None),
    model.OutgoingContact(TO, "Bob", VCARD),
    model.OutgoingPoll(TO, "When?", ("Mon", "Tue"), 0),
    model.OutgoingMedia(
        TO,
        "video",
        "med_1",
        None,
        None,
        "video/mp4",
        9,
        "look @49",
        None,
        3,
        640,
        360,
        JPEG,
        model.Quoted("3A01", TO),
        (TO,),
    ),
]
assert {type(one) for one in GOOD} == set(get_args(Outgoing))

# --- what is told --------------------------------------------------------------------------------------------

PLACE = ("55@lid", None, "55@lid", None, False)
CHANGES: list[tuple[content.Content, str]] = [
    (model.ReactionReceived(*PLACE, "R1", "M1", 7, None), "reaction"),
    (model.MessageEdited(*PLACE, "E1", "M1", 7, None), "edited"),
    (model.MessageRevoked(*PLACE, "D1", "M1", 7), "revoked"),
]


def test_past_chats_are_told_once(tmp_path: Path) -> None:
    """A part of a history is one note without words; its messages are stored with it; the same part again is not told,
    and a body that is no array has no messages."""
    part = model.HistoryReceived("recent", 40, 2, 1, 1, 3, ())
    note = b'{"syncType":"recent","progress":40,"chunk":2,"messages":1,"chats":1,"leftOut":3}'

    async def scenario(room: FleetRoom) -> None:
        bot = await linked(room)
        sent_at = room.clock.wall_ms() - 60_000
        rows = to_json(
            [{"chat": "55@lid", "sender": "55@lid", "sentAt": sent_at, "messageId": "M1", "text": "long ago"}]
        )
        for data in (rows, rows, b"odd"):
            room.host.tell(bot, part, data)
        await settle()
        told = [one for one in await room.events() if one.type == "history"]
        assert [(one.name, one.data) for one in told] == [("message_sync", note)] * 2
        assert room.metrics.dropped["redelivered"] == 1
        (stored,) = await room.bus.messages(USER, bot)
        assert (stored.before.sent_at_ms, stored.data, stored.id) == (sent_at, rows[1:-1], f"{told[0].id}_1")

    run(tmp_path, scenario)


@pytest.mark.parametrize(("event", "kind"), CHANGES, ids=[kind for _, kind in CHANGES])
def test_changes_are_told_once(tmp_path: Path, event: content.Content, kind: str) -> None:
    """A reaction, edit or revoke is one `message_sync` of its type with the worker's JSON; a redelivery is not told."""

    async def scenario(room: FleetRoom) -> None:
        bot = await linked(room)
        for _ in range(2):
            room.host.tell(bot, event, b'{"targetId":"M1"}')
        await settle()
        told = [one for one in await room.events() if one.type == kind]
        assert [(one.name, one.data) for one in told] == [("message_sync", b'{"targetId":"M1"}')]
        assert room.metrics.dropped["redelivered"] == 1

    run(tmp_path, scenario)


def test_a_change_is_not_taken_for_a_message() -> None:
    """Two things of one id in one chat are two facts: their keys differ by type."""
    ids: list[content.Content] = [
        model.MessageReceived(*PLACE, "X", "text", 7, None),
        model.ReactionReceived(*PLACE, "X", "M1", 7, None),
        model.MessageEdited(*PLACE, "X", "M1", 7, None),
        model.MessageRevoked(*PLACE, "X", "M1", 7),
    ]
    told = [content.classify("bot", event) for event in ids]
    assert len({one.dedupe for one in told if isinstance(one, content.Told)}) == len(ids)


# --- what may be sent ----------------------------------------------------------------------------------------


# Files have test_bots_files.py.
@pytest.mark.parametrize(
    "outgoing", [one for one in GOOD if not isinstance(one, model.OutgoingMedia)], ids=lambda one: type(one).__name__
)
def test_every_kind_goes_through_all_states(tmp_path: Path, outgoing: Outgoing) -> None:
    """Each kind is stored, handed over with its canonical chat, and told queued, sent, delivered and read."""

    async def scenario(room: FleetRoom) -> None:
        bot = await linked(room)
        job = await room.outbox.submit(USER, bot, outgoing)
        assert job.to == CHAT
        await room.outbox.wait(USER, bot, job.id, 10)
        for kind in RECEIPTS:
            seen = model.ReceiptReceived("55@lid", None, "55@lid", (f"3EB0{job.id}",), kind, False, 1)
            room.host.tell(bot, seen, b"{}")
        await settle()
        assert await room.sends(job.id) == ["queued", "sent", "delivered", "read"]
        assert room.host.outgoing[job.id] == outbox_kinds.checked(outgoing, None)

    run(tmp_path, scenario)


@pytest.mark.parametrize("outgoing", GOOD, ids=lambda one: type(one).__name__)
def test_stored_sends_are_read_back(outgoing: Outgoing) -> None:
    """A job of each kind is itself again after the store."""
    job = SendJob("snd_1", "bot_1", CHAT, "queued", None, None, 1, 2)
    stored = outbox_fold.StoredJob(job, 1, 1, outbox_kinds.checked(outgoing, OWN))
    assert outbox_fold.decode(to_json(stored)) == stored


def test_a_job_of_the_first_version_is_read() -> None:
    """What was stored when there was nothing but text is still sent, and a text is still stored so."""
    first = (
        b'{"job":{"id":"snd_1","botId":"bot_1","to":"4915187654321@s.whatsapp.net","state":"queued","messageId":null,'
        b'"error":null,"at":1,"expiresAt":2},"order":1,"generation":1,"outgoing":{"type":"text",'
        b'"to":"4915187654321@s.whatsapp.net","text":"hello"},"tries":0,"handed":null,"not_before_ms":0}'
    )
    stored = outbox_fold.decode(first)
    assert stored.outgoing == model.OutgoingText(CHAT, "hello")
    assert to_json(stored) == first


WRONG: list[tuple[Outgoing, str]] = [
    (model.OutgoingText("12", "x"), "to"),
    (model.OutgoingText(TO, ""), "text"),
    (model.OutgoingText(TO, "x" * 65_537), "text"),
    (model.OutgoingText(TO, "x", model.Quoted("", None)), "quoted.messageId"),
    (model.OutgoingText(TO, "x", model.Quoted("A", "12")), "quoted.sender"),
    (model.OutgoingText(GROUP, "x", model.Quoted("A", None)), "quoted.sender"),
    (model.OutgoingText(TO, "x", None, (GROUP,)), "mentions"),
    (model.OutgoingText(TO, "x", None, (TO,) * 1025), "mentions"),
    (model.OutgoingReaction(TO, "é", "👍"), "reaction.messageId"),
    (model.OutgoingReaction(TO, "A", "x" * 33), "reaction.emoji"),
    (model.OutgoingReaction(GROUP, "A", "👍"), "reaction.sender"),
    (model.OutgoingEdit(TO, "", "x"), "edit.messageId"),
    (model.OutgoingEdit(TO, "A", ""), "edit.text"),
    (model.OutgoingRevoke(TO, "A\n"), "revoke.messageId"),
    (model.OutgoingLocation(TO, 90.1, 0), "location.latitude"),
    (model.OutgoingLocation(TO, 0, float("nan")), "location.longitude"),
    (model.OutgoingLocation(TO, 0, 0, "x" * 256), "location.name"),
    (model.OutgoingContact(TO, "", VCARD), "contact.name"),
    (model.OutgoingContact(TO, "Bob", "Bob, 0151"), "contact.vcard"),
    (model.OutgoingPoll(TO, "", ("a", "b"), 1), "poll.question"),
    (model.OutgoingPoll(TO, "?", ("a",), 1), "poll.options"),
    (model.OutgoingPoll(TO, "?", ("a", "a"), 1), "poll.options"),
    (model.OutgoingPoll(TO, "?", ("a", ""), 1), "poll.options"),
    (model.OutgoingPoll(TO, "?", ("a", "b"), 3), "poll.selectable"),
    (model.OutgoingMedia(TO, "audio", "med_1", caption="x"), "audio.caption"),
    (model.OutgoingMedia(TO, "image", "med_1", name="x"), "image.name"),
    (model.OutgoingMedia(TO, "sticker", "med_1", thumbnail=JPEG), "sticker.thumbnail"),
    (model.OutgoingMedia(TO, "image", "med_1", width=5), "image.width"),
    (model.OutgoingMedia(TO, "image", "med_1", mentions=(TO,)), "mentions"),
    (model.OutgoingMedia(GROUP, "image", "med_1", quoted=model.Quoted("A", None)), "quoted.sender"),
    (model.OutgoingMedia(TO, "image", "med_1", caption="x" * 1025), "image.caption"),
    (model.OutgoingMedia(TO, "document", "med_1", name="../0151"), "document.name"),
    (model.OutgoingMedia(TO, "voice", "med_1", seconds=-1), "voice.seconds"),
    (model.OutgoingMedia(TO, "video", "med_1", height=0), "video.height"),
    (model.OutgoingMedia(TO, "video", "med_1", thumbnail=b"0151"), "video.thumbnail"),
    (model.OutgoingMedia(TO, "video", "med_1", thumbnail=JPEG * 200), "video.thumbnail"),
]


@pytest.mark.parametrize(("outgoing", "field"), WRONG, ids=[f"{n}-{field}" for n, (_, field) in enumerate(WRONG)])
def test_what_may_not_be_sent(outgoing: Outgoing, field: str) -> None:
    """A refusal names the field first and never repeats what was in it."""
    with pytest.raises(Refused) as refused:
        outbox_kinds.checked(outgoing, OWN)
    assert (refused.value.code, refused.value.field) == ("invalid_field", field)
    assert refused.value.message.startswith(field) and "0151" not in refused.value.message


@pytest.mark.parametrize(
    ("sender", "from_me"),
    [(None, False), (TO, False), ("+4915550001111", True), ("100000000000001@lid", True)],
    ids=["nobody", "other", "own-phone", "own-lid"],
)
def test_whose_message_a_reaction_is_about(sender: str | None, from_me: bool) -> None:
    """The bot's own message is known by either form of its address."""
    checked = outbox_kinds.checked(model.OutgoingReaction(TO, "A", "👍", sender), OWN)
    assert isinstance(checked, model.OutgoingReaction) and checked.from_me is from_me


def test_addresses_beside_the_chat_are_canonical() -> None:
    """Authors and mentioned people are resolved like the chat."""
    checked = outbox_kinds.checked(model.OutgoingText(TO, "x", model.Quoted("A", TO), ("4915187654321@c.us",)), OWN)
    assert checked == model.OutgoingText(CHAT, "x", model.Quoted("A", CHAT), (CHAT,))
    assert msgspec.json.decode(msgspec.json.encode(checked), type=Outgoing) == checked
