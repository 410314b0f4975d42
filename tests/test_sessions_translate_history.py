"""Translation of past chats: each message as a live one would be, what is odd left out, never an exception, bounded."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sessions import model, translate, translate_history
from sessions.model import Content, Media
from tests.loopback import protobufs
from tests.support.library_events import OWN, parsers

LID, PN, TEAM = "22@lid", "33@s.whatsapp.net", "1203630001@g.us"
ME, ME_PN = "100000000000001@lid", "4915550001111@s.whatsapp.net"
AT = 1_700_000_000


def info(message_id: str, at_s: int = AT, *, from_me: bool = False, **fields: Any) -> dict[str, Any]:
    """A waWeb.WebMessageInfo in its conversation."""
    participant = fields.pop("by", None)
    key = {"ID": message_id, "fromMe": from_me, "remoteJID": LID} | (
        {"participant": participant} if participant else {}
    )
    return {"message": {"key": key, "messageTimestamp": at_s, "message": {"conversation": message_id}} | fields}


def event(chats: list[dict[str, Any]], **fields: Any) -> Any:
    """The library's event 13."""
    kinds = protobufs.load("waHistorySync.WAWebProtobufsHistorySync_pb2")
    raw = kinds.HistorySync(**({"syncType": 3, "conversations": chats} | fields)).SerializeToString()
    found: Any = parsers()[translate_history.KIND](b"")
    found.Data.ParseFromString(raw)
    return found


def read(chats: list[dict[str, Any]], known: model.Account | None = OWN, **fields: Any) -> model.HistoryReceived:
    told = translate.translate(translate_history.KIND, event(chats, **fields), known)
    assert isinstance(told, model.HistoryReceived)
    return told


def rows(told: model.HistoryReceived) -> list[dict[str, Any]]:
    return [json.loads(row) for row in told.rows]


def direct(*messages: dict[str, Any], **fields: Any) -> dict[str, Any]:
    return {"ID": LID, "pnJID": PN, "name": "Ada", "messages": messages} | fields


def test_a_direct_chat() -> None:
    """Both sides of a chat, oldest first, under its LID form whichever it was stored by, with its and their names."""
    expected = {
        "chat": LID, "chatPn": PN, "sender": LID, "senderPn": PN, "fromMe": False, "messageId": "A", "kind": "text",
        "pushName": "ada!", "sentAt": AT * 1000, "text": "A", "chatName": "Ada",
    }  # fmt: skip
    mine = {"fromMe": True, "messageId": "B", "sender": ME, "senderPn": ME_PN, "chat": LID, "pushName": None}
    names = [{"ID": LID, "pushname": "ada!"}]
    for chat in ({"ID": LID, "pnJID": PN}, {"ID": PN, "lidJID": LID}):
        told = read([direct(info("B", AT + 1, from_me=True), info("A"), **chat)], pushnames=names)
        first, second = rows(told)
        assert first == expected
        assert {name: second[name] for name in mine} == mine


def test_a_group() -> None:
    """Each message of a group is its participant's, in the group's name."""
    chat = {"ID": TEAM, "name": "Team", "messages": [info("A", by="22:5@lid"), info("B", AT + 1, from_me=True)]}
    names = [(row["chat"], row["chatPn"], row["sender"], row["chatName"]) for row in rows(read([chat]))]
    assert names == [(TEAM, None, "22@lid", "Team"), (TEAM, None, ME, "Team")]


def test_the_note() -> None:
    """What the phone says of the part; a part without messages is a note too."""
    told = read([direct(info("A"))], syncType=0, progress=40, chunkOrder=2)
    assert note_of(told) == ("initial", 40, 2, 1, 1, 0)
    assert note_of(read([], syncType=4)) == ("push_names", None, None, 0, 0, 0)


def note_of(told: model.HistoryReceived) -> tuple[object, ...]:
    return (told.sync_type, told.progress, told.chunk, told.messages, told.chats, told.left_out)


MESSAGES: list[tuple[dict[str, Any], str, dict[str, Any]]] = [
    ({"extendedTextMessage": {"text": "hi"}}, "text", {"text": "hi"}),
    ({"ephemeralMessage": {"message": {"conversation": "soon gone"}}}, "text", {"text": "soon gone"}),
    ({"documentWithCaptionMessage": {"message": {"documentMessage": {"caption": "c", "fileName": "a.pdf"}}}},
     "document", {"text": "c", "media": {"name": "a.pdf"}}),
    ({"imageMessage": {"mimetype": "image/jpeg", "JPEGThumbnail": b"\xff\xd8\xff" + b"j" * 99}},
     "image", {"media": {"mimetype": "image/jpeg"}}),
    ({"listMessage": {"title": "choose"}}, "unrecognised", {}),
]  # fmt: skip


@pytest.mark.parametrize(("body", "kind", "beside"), MESSAGES, ids=[f"{one[1]}-{n}" for n, one in enumerate(MESSAGES)])
def test_kinds(body: dict[str, Any], kind: str, beside: dict[str, Any]) -> None:
    """Kinds are those of live messages, out of what they are wrapped in, without thumbnails."""
    (row,) = rows(read([direct(info("A", message=body))]))
    assert row["kind"] == kind
    assert {name: row[name] for name in ("text", "media") if name in row} == beside


def test_what_is_no_message() -> None:
    """Notices, changes of other messages, bodies without content, chats of nobody: left out; the rest is taken."""
    odd = [
        info("N", messageStubType=2), info("", AT), info("T", 0), info("E", message={}),
        info("R", message={"reactionMessage": {"text": "+", "key": {"ID": "A"}}}),
        info("P", message={"protocolMessage": {"type": 0, "key": {"ID": "A"}}}),
        info("K", message={"messageContextInfo": {"messageSecret": b"1"}}),
    ]  # fmt: skip
    chats = [{"ID": "status@broadcast", "messages": [info("S")]}, {"ID": "no address", "messages": [info("X")]}]
    told = read([*chats, direct(*odd, info("A"), info("A"))])
    assert [row["messageId"] for row in rows(told)] == ["A"]


def test_without_an_account() -> None:
    """Where nobody knows the account yet, own messages are taken all the same."""
    (row,) = rows(read([direct(info("B", from_me=True))], None))
    assert (row["chat"], row["fromMe"], row["sender"], row["senderPn"]) == (LID, True, "", None)


def test_only_the_newest_fit(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a part beyond the limits the newest are taken, and the others counted."""
    past = [(_text(number, "x" * 1000), None) for number in range(1, 31)]
    monkeypatch.setattr(translate_history, "MAX_MESSAGES", 20)
    told = translate_history.taken("full", None, None, past)
    assert [row["messageId"] for row in rows(told)] == [f"M{number}" for number in range(11, 31)]
    assert (told.messages, told.left_out) == (20, 10)
    monkeypatch.setattr(translate_history, "MAX_BYTES", 5500)
    told = translate_history.taken("full", None, None, past)
    assert [row["messageId"] for row in rows(told)] == [f"M{number}" for number in range(27, 31)]
    assert told.left_out == 26


def _text(number: int, text: str) -> model.MessageReceived:
    content = Content(text, media=Media(thumbnail=b"\xff\xd8\xff"))
    return model.MessageReceived(LID, PN, LID, PN, False, f"M{number}", "text", number, content)


def test_what_is_too_large_keeps_its_note(monkeypatch: pytest.MonkeyPatch) -> None:
    """A part too large for the spool is a note without messages; a smaller one stays as it came."""
    whole = event([direct(info("A"))], progress=30)
    raw, parse = whole.SerializeToString(), parsers()[translate_history.KIND]
    assert translate_history.bounded(raw, parse) is raw
    monkeypatch.setattr(translate_history, "MAX_RAW", len(raw) - 1)
    small = translate_history.bounded(raw, parse)
    told, _ = translate.from_raw(translate_history.KIND, small, parsers(), OWN)
    assert isinstance(told, model.HistoryReceived)
    assert note_of(told) == ("recent", 30, None, 0, 0, 0)


@given(st.binary(max_size=200), st.booleans())
def test_total(raw: bytes, whole: bool) -> None:
    """Bytes of any kind are an event, never an exception."""
    data = raw if not whole else event([direct(info("A"))]).SerializeToString() + raw
    told, _ = translate.from_raw(translate_history.KIND, data, parsers(), OWN)
    assert isinstance(told, model.HistoryReceived | model.Unrecognised)
