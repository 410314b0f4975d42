"""The finished JSON of what users see whole, and the header that travels without it. Pure.

Owns the shapes of `message_sync`'s data that sessions make: encoded once, here. It must never import the library. Read
`worker_relay.py` next for who asks, `content.py` for the records.
"""

from __future__ import annotations

import msgspec

from sessions import model
from sessions.model import SessionEvent


def header(event: SessionEvent) -> SessionEvent:
    """Return the event without what only the owner may see (bodies, emojis); it travels beside `frame_data`."""
    match event:
        case model.MessageReceived() | model.MessageEdited() if event.content is not None:
            return msgspec.structs.replace(event, content=None)
        case model.ReactionReceived() if event.emoji is not None:
            return msgspec.structs.replace(event, emoji=None)
        case model.HistoryReceived() if event.rows:
            return msgspec.structs.replace(event, rows=())
        case _:
            return event


def frame_data(event: SessionEvent) -> bytes:
    """Return the finished JSON `data` of a `message_sync` frame; empty for what the mailbox makes from the header.

    Needs the event with its body, before `header`.
    """
    match event:
        case model.MessageReceived():
            return _json.encode(_message_data(event))
        case model.ReactionReceived():
            return _json.encode(_change_data(event, emoji=event.emoji or ""))
        case model.MessageEdited():
            content = event.content or model.Content()
            mentions = content.mentions or msgspec.UNSET
            return _json.encode(_change_data(event, text=content.text or "", mentions=mentions))
        case model.HistoryReceived():
            return b"[" + b",".join(event.rows) + b"]"
        case model.MessageRevoked():
            return _json.encode(_change_data(event))
        case model.ReceiptReceived():
            return _json.encode(
                _ReceiptData(
                    event.chat, event.chat_pn, event.sender, event.message_ids, event.kind, event.from_me, event.at_ms
                )
            )
        case model.Undecryptable():
            return _json.encode(_UndecryptableData(event.chat, event.sender, event.message_id))
        case _:
            return b""


def message_json(event: model.MessageReceived, chat_name: str | None) -> bytes:
    """Return a past message as a live one's `data` is, with its chat's name when that is known."""
    return _json.encode(msgspec.structs.replace(_message_data(event), chat_name=chat_name or msgspec.UNSET))


_json = msgspec.json.Encoder()


class _InChat(msgspec.Struct, frozen=True, rename="camel"):
    chat: str
    chat_pn: str | None
    sender: str
    sender_pn: str | None
    from_me: bool
    message_id: str


class _MessageData(_InChat, frozen=True):
    kind: str
    push_name: str | None
    sent_at: int
    text: str | msgspec.UnsetType = msgspec.UNSET
    mentions: tuple[str, ...] | msgspec.UnsetType = msgspec.UNSET
    quoted: model.Quoted | msgspec.UnsetType = msgspec.UNSET
    media: model.Media | msgspec.UnsetType = msgspec.UNSET
    location: model.Location | msgspec.UnsetType = msgspec.UNSET
    contacts: tuple[model.ContactCard, ...] | msgspec.UnsetType = msgspec.UNSET
    poll: model.Poll | msgspec.UnsetType = msgspec.UNSET
    chat_name: str | msgspec.UnsetType = msgspec.UNSET


class _ChangeData(_InChat, frozen=True):
    target_id: str
    at: int
    emoji: str | msgspec.UnsetType = msgspec.UNSET
    text: str | msgspec.UnsetType = msgspec.UNSET
    mentions: tuple[str, ...] | msgspec.UnsetType = msgspec.UNSET


class _ReceiptData(msgspec.Struct, frozen=True, rename="camel"):
    chat: str
    chat_pn: str | None
    sender: str
    message_ids: tuple[str, ...]
    kind: str
    from_me: bool
    at: int


class _UndecryptableData(msgspec.Struct, frozen=True, rename="camel"):
    chat: str
    sender: str
    message_id: str


def _message_data(event: model.MessageReceived) -> _MessageData:
    content = event.content or model.Content()
    return _MessageData(
        event.chat,
        event.chat_pn,
        event.sender,
        event.sender_pn,
        event.from_me,
        event.message_id,
        event.kind,
        content.push_name,
        event.sent_at_ms,
        text=msgspec.UNSET if content.text is None else content.text,
        mentions=content.mentions or msgspec.UNSET,
        quoted=content.quoted or msgspec.UNSET,
        media=content.media or msgspec.UNSET,
        location=content.location or msgspec.UNSET,
        contacts=content.contacts or msgspec.UNSET,
        poll=content.poll or msgspec.UNSET,
    )


def _change_data(
    event: model.ReactionReceived | model.MessageEdited | model.MessageRevoked,
    *,
    emoji: str | msgspec.UnsetType = msgspec.UNSET,
    text: str | msgspec.UnsetType = msgspec.UNSET,
    mentions: tuple[str, ...] | msgspec.UnsetType = msgspec.UNSET,
) -> _ChangeData:
    return _ChangeData(
        event.chat,
        event.chat_pn,
        event.sender,
        event.sender_pn,
        event.from_me,
        event.message_id,
        event.target_id,
        event.at_ms,
        emoji,
        text,
        mentions,
    )
