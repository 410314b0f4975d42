"""Translation of every kind of content: what a person sent is found by its kind and members; what people do to messages
is told as such; all of it beside the header, never in it."""

from __future__ import annotations

import json
from typing import Any, get_args

import msgspec
import pytest
from google.protobuf.message import DecodeError
from hypothesis import given
from hypothesis import strategies as st

from sessions import compose, model, translate, translate_messages
from sessions.model import Content, Jid, Media
from tests.loopback import protobufs
from tests.support.library_events import body, message, source

FILE = {"mimetype": "image/jpeg", "fileLength": 1234, "width": 640, "height": 480}
SIZES = Media("image/jpeg", 1234, width=640, height=480)
PLACE = {"chat": "22@lid", "chatPn": "33@s.whatsapp.net", "sender": "22@lid", "senderPn": "33@s.whatsapp.net",
         "fromMe": False, "messageId": "3EB0AA"}  # fmt: skip

KINDS: list[tuple[Any, str, Content]] = [
    (body(imageMessage={**FILE, "caption": "look"}), "image", Content("look", media=SIZES)),
    (body(imageMessage=FILE), "image", Content(media=SIZES)),
    (body(videoMessage={"mimetype": "video/mp4", "fileLength": 9, "seconds": 3}), "video",
     Content(media=Media("video/mp4", 9, seconds=3))),
    (body(ptvMessage={"mimetype": "video/mp4", "seconds": 3}), "video", Content(media=Media("video/mp4", seconds=3))),
    (body(audioMessage={"mimetype": "audio/mpeg", "seconds": 60, "fileLength": 5}), "audio",
     Content(media=Media("audio/mpeg", 5, seconds=60))),
    (body(audioMessage={"mimetype": "audio/ogg; codecs=opus", "seconds": 2, "PTT": True}), "voice",
     Content(media=Media("audio/ogg; codecs=opus", seconds=2))),
    (body(documentMessage={"mimetype": "application/pdf", "fileLength": 7, "fileName": "../a.pdf", "caption": "bill"}),
     "document", Content("bill", media=Media("application/pdf", 7, "../a.pdf"))),
    (body(stickerMessage={"mimetype": "image/webp", "width": 512, "height": 512}), "sticker",
     Content(media=Media("image/webp", width=512, height=512))),
    (body(locationMessage={"degreesLatitude": 52.5, "degreesLongitude": -13.4, "name": "Here", "address": "Road 1"}),
     "location", Content(location=model.Location(52.5, -13.4, "Here", "Road 1"))),
    (body(liveLocationMessage={"degreesLatitude": 52.5, "degreesLongitude": 13.4, "caption": "on my way"}), "location",
     Content("on my way", location=model.Location(52.5, 13.4, live=True))),
    (body(contactMessage={"displayName": "Bob", "vcard": "BEGIN:VCARD"}), "contact",
     Content(contacts=(model.ContactCard("Bob", "BEGIN:VCARD"),))),
    (body(contactsArrayMessage={"contacts": [{"displayName": "A", "vcard": "1"}, {"displayName": "B", "vcard": "2"}]}),
     "contact", Content(contacts=(model.ContactCard("A", "1"), model.ContactCard("B", "2")))),
    *((body(**{name: {"name": "When?", "options": [{"optionName": "Mon"}, {"optionName": "Tue"}],
                      "selectableOptionsCount": 1}}), "poll", Content(poll=model.Poll("When?", ("Mon", "Tue"), 1)))
      for name in ("pollCreationMessage", "pollCreationMessageV2", "pollCreationMessageV3", "pollCreationMessageV5")),
]  # fmt: skip


@pytest.mark.parametrize(("content", "kind", "expected"), KINDS, ids=[f"{n}-{k[1]}" for n, k in enumerate(KINDS)])
def test_kinds(content: Any, kind: str, expected: Content) -> None:
    """Each kind has its name and what it says; the header has none of it."""
    event = message(content)
    assert isinstance(event, model.MessageReceived)
    assert event.kind == kind
    assert event.content == msgspec.structs.replace(expected, push_name="Ada")
    header = translate.header(event)
    assert isinstance(header, model.MessageReceived) and header.content is None
    data = json.loads(translate.frame_data(event))
    shown = {**msgspec.to_builtins(expected)}
    assert {key: value for key, value in data.items() if key in shown} == json.loads(msgspec.json.encode(shown))
    assert data["kind"] == kind and data["pushName"] == "Ada"


def test_every_kind_has_an_example() -> None:
    """The table has every kind but text and the unrecognised."""
    assert {kind for _, kind, _ in KINDS} == set(get_args(model.MessageKind)) - {"text", "unrecognised"}


def test_any_kind_may_answer() -> None:
    """A picture can quote and mention like a text."""
    context = {"stanzaID": "3A01", "participant": "44:2@s.whatsapp.net", "mentionedJID": ["55@lid"]}
    event = message(body(imageMessage={**FILE, "caption": "@55 this", "contextInfo": context}))
    assert isinstance(event, model.MessageReceived) and event.content is not None
    assert event.content.quoted == model.Quoted("3A01", "44@s.whatsapp.net")
    assert event.content.mentions == ("55@lid",)


# --- what is done to messages --------------------------------------------------------------------------------


@pytest.mark.parametrize("emoji", ["👍", ""], ids=["set", "taken-back"])
def test_reaction(emoji: str) -> None:
    """A reaction names its target; an empty emoji takes it back; the emoji is not in the header."""
    event = message(body(reactionMessage={"key": {"ID": "3A01", "fromMe": True}, "text": emoji}))
    assert isinstance(event, model.ReactionReceived)
    assert (event.message_id, event.target_id, event.emoji) == ("3EB0AA", "3A01", emoji)
    header = translate.header(event)
    assert isinstance(header, model.ReactionReceived) and header.emoji is None
    expected = {**PLACE, "targetId": "3A01", "at": 1_790_000_000_123, "emoji": emoji}
    assert json.loads(translate.frame_data(event)) == expected


def _edit(new: Any) -> Any:
    return {"key": {"ID": "3A01"}, "type": 14, "editedMessage": new}


@pytest.mark.parametrize(
    ("content", "is_edit", "target"),
    [
        (body(protocolMessage=_edit({"conversation": "new"})), True, "3A01"),
        (body(protocolMessage=_edit({"conversation": "new"})), False, "3A01"),
        (body(protocolMessage=_edit({"extendedTextMessage": {"text": "new"}})), True, "3A01"),
        (body(protocolMessage=_edit({"imageMessage": {"caption": "new"}})), True, "3A01"),
        (body(editedMessage={"message": {"protocolMessage": _edit({"conversation": "new"})}}), False, "3A01"),
        (body(conversation="new"), True, "3EB0AA"),
    ],
    ids=["library", "unmarked", "extended", "caption", "wrapped", "without-key"],
)
def test_edit(content: Any, is_edit: bool, target: str) -> None:
    """An edit never passes for a new text: it names its target and has the new words, however it is wrapped."""
    event = message(content, IsEdit=is_edit)
    assert isinstance(event, model.MessageEdited)
    assert (event.target_id, event.content) == (target, Content("new"))
    header = translate.header(event)
    assert isinstance(header, model.MessageEdited) and header.content is None
    expected = {**PLACE, "targetId": target, "at": 1_790_000_000_123, "text": "new"}
    assert json.loads(translate.frame_data(event)) == expected


def test_revoke() -> None:
    """A revoke names its target and has nothing else."""
    event = message(body(protocolMessage={"key": {"ID": "3A01"}, "type": 0}))
    assert isinstance(event, model.MessageRevoked) and event.target_id == "3A01"
    assert json.loads(translate.frame_data(event)) == {**PLACE, "targetId": "3A01", "at": 1_790_000_000_123}


def test_own_reaction_from_the_phone() -> None:
    """What the owner does on the phone is from_me, in the other side's chat."""
    own = source("33@s.whatsapp.net", "4915550001111:7@s.whatsapp.net", "", "22@lid", from_me=True)
    event = message(body(reactionMessage={"key": {"ID": "3A01"}, "text": "👍"}), own)
    assert isinstance(event, model.ReactionReceived)
    assert (event.from_me, event.chat, event.sender) == (True, "22@lid", "100000000000001@lid")


# --- both ways -----------------------------------------------------------------------------------------------

TO = Jid.parse("22@lid")
OUT: list[tuple[model.Outgoing, str, Content]] = [
    (model.OutgoingText("22@lid", "hi"), "text", Content("hi")),
    (model.OutgoingText("22@lid", "hi @55", model.Quoted("Q", None), ("55@lid",)), "text",
     Content("hi @55", ("55@lid",), model.Quoted("Q", "22@lid"))),
    (model.OutgoingLocation("22@lid", 1.5, -2.5, "n", None), "location",
     Content(location=model.Location(1.5, -2.5, "n"))),
    (model.OutgoingContact("22@lid", "Bob", "BEGIN:VCARD"), "contact",
     Content(contacts=(model.ContactCard("Bob", "BEGIN:VCARD"),))),
    (model.OutgoingPoll("22@lid", "When?", ("Mon", "Tue"), 0), "poll",
     Content(poll=model.Poll("When?", ("Mon", "Tue"), 0))),
]  # fmt: skip


@pytest.mark.parametrize(("outgoing", "kind", "content"), OUT, ids=lambda value: type(value).__name__)
def test_what_is_composed_is_read_back(outgoing: model.Outgoing, kind: str, content: Content) -> None:
    """The way out and the way in are each other's inverse."""
    made = compose.message(protobufs.e2e(), outgoing, TO, 1, b"s" * 32)
    assert translate_messages.read_content(made) == (kind, content)


def test_changes_are_composed_and_read_back() -> None:
    """Reactions, edits and revokes name the message they are about; an edit and a revoke are about one's own."""
    e2e = protobufs.e2e()
    reaction = message(compose.message(e2e, model.OutgoingReaction("22@lid", "M", "👍"), TO, 5, b""))
    assert isinstance(reaction, model.ReactionReceived) and (reaction.target_id, reaction.emoji) == ("M", "👍")
    edit = message(compose.message(e2e, model.OutgoingEdit("22@lid", "M", "new"), TO, 5, b""))
    assert isinstance(edit, model.MessageEdited) and (edit.target_id, edit.content) == ("M", Content("new"))
    made = compose.message(e2e, model.OutgoingRevoke("22@lid", "M"), TO, 5, b"")
    revoke = message(made)
    assert isinstance(revoke, model.MessageRevoked) and revoke.target_id == "M"
    assert made.protocolMessage.key.fromMe and made.protocolMessage.key.remoteJID == "22@lid"


@pytest.mark.parametrize(
    ("to", "from_me", "participant"), [("7-8@g.us", False, "22@lid"), ("7-8@g.us", True, ""), ("22@lid", False, "")]
)
def test_whose_message_a_reaction_is_about(to: str, from_me: bool, participant: str) -> None:
    """Only in a group, and only for others' messages, the key names the author (whatsmeow BuildMessageKey)."""
    outgoing = model.OutgoingReaction(to, "M", "👍", "22@lid", from_me)
    key = compose.message(protobufs.e2e(), outgoing, Jid.parse(to), 5, b"").reactionMessage.key
    assert (key.participant, key.fromMe, key.remoteJID) == (participant, from_me, to)


def test_poll_votes_have_a_key() -> None:
    """Votes are encrypted under a secret that travels with the poll."""
    made = compose.message(protobufs.e2e(), model.OutgoingPoll("22@lid", "?", ("a", "b"), 1), TO, 1, b"s" * 32)
    assert made.messageContextInfo.messageSecret == b"s" * 32


@given(st.binary(max_size=300))
def test_whatever_a_stranger_encodes_is_translated(raw: bytes) -> None:
    """Any bytes that parse as a message become an event whose JSON can be made."""
    content = body()
    try:
        content.ParseFromString(raw)
    except DecodeError:
        return
    event = message(content)
    assert json.loads(translate.frame_data(event) or b"{}") is not None
