"""Translation of messages and receipts: who, where, what, and the finished JSON of it."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest

from sessions import model, translate
from tests.support.library_events import OWN, body, info, message, proto, source
from tests.test_sessions_model import EXAMPLES

TEXT = body(conversation="hello")


@pytest.mark.parametrize(
    ("where", "names"),
    [
        (source("22@lid", "22:3@lid", "33:3@s.whatsapp.net"), ("22@lid", "33@s.whatsapp.net") * 2),
        (source("33@s.whatsapp.net", "33:3@s.whatsapp.net", "22:3@lid"), ("22@lid", "33@s.whatsapp.net") * 2),
        (source("33@s.whatsapp.net", "33@s.whatsapp.net"), ("33@s.whatsapp.net", "33@s.whatsapp.net") * 2),
        (source("22@lid", "22@lid"), ("22@lid", None) * 2),
        (source("7-8@g.us", "22:3@lid", "33@s.whatsapp.net"), ("7-8@g.us", None, "22@lid", "33@s.whatsapp.net")),
        (source("status@broadcast", "33@s.whatsapp.net"),
         ("status@broadcast", None, "33@s.whatsapp.net", "33@s.whatsapp.net")),
        (source("33@s.whatsapp.net", OWN.jid, "", "22@lid", from_me=True),
         ("22@lid", "33@s.whatsapp.net", "100000000000001@lid", "4915550001111@s.whatsapp.net")),
        (source("22@lid", str(OWN.lid), "", "33@s.whatsapp.net", from_me=True),
         ("22@lid", "33@s.whatsapp.net", "100000000000001@lid", "4915550001111@s.whatsapp.net")),
        (source("4915550001111@s.whatsapp.net", OWN.jid, from_me=True),
         ("100000000000001@lid", "4915550001111@s.whatsapp.net") * 2),
    ],
    ids=["lid", "pn-with-lid", "pn", "lid-alone", "group", "status", "own-to-pn", "own-to-lid", "own-to-self"],
)  # fmt: skip
def test_people(where: Any, names: tuple[str | None, ...]) -> None:
    """Chat and sender are named by their LID when it is known, else by the phone; the phone form stands beside."""
    event = message(TEXT, where)
    assert isinstance(event, model.MessageReceived)
    assert (event.chat, event.chat_pn, event.sender, event.sender_pn) == names
    assert event.from_me == where.IsFromMe


def test_text() -> None:
    """A plain text has its words, name and time; a header has no words."""
    event = message(TEXT)
    assert event == model.MessageReceived(
        "22@lid", "33@s.whatsapp.net", "22@lid", "33@s.whatsapp.net", False, "3EB0AA", "text", 1_790_000_000_123,
        model.Content("hello", (), None, "Ada"),
    )  # fmt: skip
    header = translate.header(event)
    assert isinstance(header, model.MessageReceived) and header.content is None
    assert b"hello" not in msgspec.msgpack.encode(header) and b"Ada" not in msgspec.msgpack.encode(header)
    assert json.loads(translate.frame_data(event)) == {
        "chat": "22@lid", "chatPn": "33@s.whatsapp.net", "sender": "22@lid", "senderPn": "33@s.whatsapp.net",
        "fromMe": False, "messageId": "3EB0AA", "kind": "text", "pushName": "Ada", "sentAt": 1_790_000_000_123,
        "text": "hello",
    }  # fmt: skip


def test_extended_text() -> None:
    """Mentions and the quoted message come along; what a stranger writes into them is kept as text."""
    context = {"stanzaID": "3A01", "participant": "44:2@s.whatsapp.net", "mentionedJID": ["22:1@lid", "<script>"]}
    event = message(body(extendedTextMessage={"text": "see", "contextInfo": context}))
    assert isinstance(event, model.MessageReceived)
    assert event.content == model.Content(
        "see", ("22@lid", "<script>"), model.Quoted("3A01", "44@s.whatsapp.net"), "Ada"
    )
    data = json.loads(translate.frame_data(event))
    assert data["mentions"] == ["22@lid", "<script>"]
    assert data["quoted"] == {"messageId": "3A01", "sender": "44@s.whatsapp.net"}


@pytest.mark.parametrize(
    "content",
    [
        body(listMessage={"title": "choose"}),
        body(pollUpdateMessage={"pollCreationMessageKey": {"ID": "P"}}),
        body(locationMessage={"degreesLatitude": float("nan")}),
        body(reactionMessage={"text": "👍"}),
        body(protocolMessage={"type": 0}),
        body(protocolMessage={"type": 3, "key": {"ID": "X"}}),
        body(protocolMessage={"type": 14}),
        body(editedMessage={}),
    ],
    ids=["list", "vote", "nowhere", "reaction-to-nothing", "revoke-of-nothing", "timer", "edit-of-nothing", "edited"],
)
def test_other_kinds_are_unrecognised(content: Any) -> None:
    """Whatever a person did that this version has no record for arrives, as unrecognised, without content."""
    event = message(content)
    assert isinstance(event, model.MessageReceived)
    assert event.kind == "unrecognised"
    assert event.content == model.Content(push_name="Ada")
    assert "text" not in json.loads(translate.frame_data(event))


@pytest.mark.parametrize(
    ("content", "note"),
    [
        (body(senderKeyDistributionMessage={"groupID": "7-8@g.us"}), "sender_key"),
        (body(protocolMessage={"type": 6}), "protocol"),
        (body(), "empty"),
        (body(messageContextInfo={"messageSecret": b"x"}), "empty"),
    ],
    ids=["sender-key", "key-share", "empty", "context-only"],
)
def test_messages_without_content_are_notes(content: Any, note: str) -> None:
    """Sender keys and bookkeeping are notes, never messages: a first group message arrives as two events."""
    assert message(content) == model.ProtocolNote(note)


def test_text_beside_a_sender_key_is_a_text() -> None:
    """Keys that travel with a text don't hide it."""
    event = message(body(conversation="hello", senderKeyDistributionMessage={"groupID": "7-8@g.us"}))
    assert isinstance(event, model.MessageReceived) and event.kind == "text"


def test_peer_messages_are_notes() -> None:
    """What the own phone tells its devices is no message."""
    own = source("4915550001111@s.whatsapp.net", OWN.jid, from_me=True)
    peer = proto("Message", Info=info(own, category="peer"), Message=TEXT)
    assert translate.translate(17, peer, OWN) == model.ProtocolNote("peer")


# --- receipts ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("number", "kind", "from_me"),
    [
        (1, "delivered", False), (2, "sender", False), (3, "retry", False), (4, "read", False), (5, "read", True),
        (6, "played", False), (7, "played", True), (8, "server_error", False), (9, "inactive", False),
    ],
)  # fmt: skip
def test_receipt(number: int, kind: str, from_me: bool) -> None:
    """Every receipt type has its kind; what one's own devices read is from_me. Times in seconds become milliseconds."""
    where = source("22@lid", "22:3@lid", "33@s.whatsapp.net")
    receipt = proto("Receipt", MessageSource=where, MessageIDs=["A", "B"], Timestamp=1_790_000_000, Type=number)
    event = translate.translate(18, receipt, OWN)
    assert isinstance(event, model.ReceiptReceived)
    assert (event.chat, event.chat_pn, event.sender) == ("22@lid", "33@s.whatsapp.net", "22@lid")
    assert (event.message_ids, event.kind, event.from_me, event.at_ms) == (
        ("A", "B"), kind, from_me, 1_790_000_000_000,
    )  # fmt: skip
    assert json.loads(translate.frame_data(event)) == {
        "chat": "22@lid", "chatPn": "33@s.whatsapp.net", "sender": "22@lid", "messageIds": ["A", "B"], "kind": kind,
        "fromMe": from_me, "at": 1_790_000_000_000,
    }  # fmt: skip


@pytest.mark.parametrize("number", [10, 11])
def test_peer_receipts_are_notes(number: int) -> None:
    """Receipts between one's own devices are counted, not shown."""
    receipt = proto("Receipt", MessageSource=source("22@lid", "22@lid"), MessageIDs=["A"], Timestamp=1, Type=number)
    assert translate.translate(18, receipt, OWN) == model.ProtocolNote("peer_receipt")


def test_own_played_receipt_hides_behind_server_error() -> None:
    """The encoder writes played-self as server-error; from one's own device it is played."""
    own = source("22@lid", str(OWN.lid), from_me=True)
    receipt = proto("Receipt", MessageSource=own, MessageIDs=["A"], Timestamp=1, Type=8)
    event = translate.translate(18, receipt, OWN)
    assert isinstance(event, model.ReceiptReceived) and event.kind == "played"


def test_undecryptable() -> None:
    """A message that couldn't be read says whose it was."""
    event = translate.translate(44, proto("UndecryptableMessage", Info=info(source("22@lid", "22:1@lid"))), OWN)
    assert event == model.Undecryptable("22@lid", "22@lid", "3EB0AA")
    assert json.loads(translate.frame_data(event)) == {"chat": "22@lid", "sender": "22@lid", "messageId": "3EB0AA"}


def test_only_content_has_finished_json() -> None:
    """The mailbox makes every other frame from the header."""
    for event in EXAMPLES:
        beside = model.MessageRevoked | model.ReceiptReceived | model.Undecryptable
        secret = model.MessageReceived | model.ReactionReceived | model.MessageEdited | model.HistoryReceived
        assert bool(translate.frame_data(event)) == isinstance(event, beside | secret)
        assert (translate.header(event) is event) != isinstance(event, secret)
