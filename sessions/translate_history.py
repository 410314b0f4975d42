"""Past chats that the phone hands to a freshly linked device, into one record with its messages as finished JSON. Pure.

Owns the reading of waHistorySync.HistorySync and how much of one is taken: the newest messages up to `MAX_MESSAGES` and
`MAX_BYTES`, without thumbnails. It must never import the library. Read `translate_messages.py` for what a message holds,
`translate_frames.py` for the JSON.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import msgspec

from sessions import model, people, texts
from sessions.model import GROUP_SERVER, LID_SERVER, USER_SERVER, Account, Jid
from sessions.translate_frames import message_json
from sessions.translate_messages import read_content

KIND = 13
"""The library's event number."""
MAX_MESSAGES = 10_000
MAX_BYTES = 6 * 1024 * 1024
"""Of the messages taken from one part of a history: they travel in one frame and are stored in one transaction."""
MAX_RAW = 32 * 1024 * 1024
"""Bytes of a part that is spooled whole; of a larger one only the note is kept, so that no history fills the spool."""

_TYPES: dict[int, model.HistoryType] = {
    0: "initial", 1: "status", 2: "full", 3: "recent", 4: "push_names", 5: "other", 6: "on_demand",
}  # fmt: skip
_WRAPPERS = ("deviceSentMessage", "ephemeralMessage", "viewOnceMessage", "viewOnceMessageV2",
             "viewOnceMessageV2Extension", "documentWithCaptionMessage", "editedMessage")  # fmt: skip
"""Parts that hold the message itself; the library takes them off live messages (whatsmeow types/events UnwrapRaw)."""
_DEEPEST = 4
_CHANGES = frozenset({"protocolMessage", "reactionMessage", "encReactionMessage", "pollUpdateMessage",
                      "keepInChatMessage", "pinInChatMessage"})  # fmt: skip
"""What is said about another message: no message of its own."""
_PEOPLE = frozenset({LID_SERVER, USER_SERVER, GROUP_SERVER})
_ODD = (AttributeError, TypeError, ValueError, LookupError, ArithmeticError)

Past = tuple[model.MessageReceived, str | None]
"""A message and the name of its chat."""


def bounded(raw: bytes, parse: Callable[[bytes], Any]) -> bytes:
    """Return what is to be spooled of an event: all of it, or of a larger one than `MAX_RAW` the note alone."""
    if len(raw) <= MAX_RAW:
        return raw
    event = parse(raw)
    for name in ("conversations", "statusV3Messages", "pushnames", "recentStickers", "pastParticipants"):
        event.Data.ClearField(name)
    return bytes(event.SerializeToString())


def history(event: Any, known: Account | None) -> model.SessionEvent:
    """Read event 13. What is odd of it (a chat, a message) is left out; the rest is taken."""
    data = event.Data
    names = {str(one.ID): str(one.pushname) for one in data.pushnames}
    return taken(
        _TYPES.get(int(data.syncType), "other"),
        int(data.progress) if data.HasField("progress") else None,
        int(data.chunkOrder) if data.HasField("chunkOrder") else None,
        [past for chat in data.conversations for past in _chat(chat, names, known)],
    )


def taken(
    sync_type: model.HistoryType, progress: int | None, chunk: int | None, past: Iterable[Past]
) -> model.HistoryReceived:
    """Make the record: the newest messages that fit, oldest first, each once."""
    found = {(one.chat, one.message_id): (one, name) for one, name in past}
    newest = sorted(found.values(), key=lambda pair: pair[0].sent_at_ms, reverse=True)
    rows: list[bytes] = []
    size = 0
    for one, name in newest[:MAX_MESSAGES]:
        row = message_json(_light(one), name)
        size += len(row)
        if size > MAX_BYTES:
            break
        rows.append(row)
    chats = len({one.chat for one, _ in newest[: len(rows)]})
    return model.HistoryReceived(
        sync_type, progress, chunk, len(rows), chats, len(newest) - len(rows), tuple(reversed(rows))
    )


def _light(one: model.MessageReceived) -> model.MessageReceived:
    if one.content is None or one.content.media is None or one.content.media.thumbnail is None:
        return one
    media = msgspec.structs.replace(one.content.media, thumbnail=None)
    return msgspec.structs.replace(one, content=msgspec.structs.replace(one.content, media=media))


def _chat(chat: Any, names: dict[str, str], known: Account | None) -> list[Past]:
    try:
        address = Jid.parse(str(chat.ID)).bare
        others = [Jid.parse(str(form)).bare for form in (chat.lidJID, chat.pnJID) if form]
        where = (str(address), None) if address.server == GROUP_SERVER else _forms([address, *others], known)
        name = str(chat.name) or str(chat.displayName) or None
    except _ODD:
        return []
    if address.server not in _PEOPLE or not address.user:
        return []
    found: list[Past] = []
    for entry in chat.messages:
        try:
            one = _message(entry.message, where, names, known)
        except _ODD:
            continue
        if one is not None:
            found.append((one, name))
    return found


def _message(
    info: Any, where: tuple[str, str | None], names: dict[str, str], known: Account | None
) -> model.MessageReceived | None:
    body, message_id = _unwrapped(info.message), str(info.key.ID)
    at_ms = texts.to_ms(int(info.messageTimestamp))
    fields = {field.name for field, _ in body.ListFields()}
    if not message_id or at_ms <= 0 or int(info.messageStubType) or not fields or fields & _CHANGES:
        return None
    kind, content = read_content(body)
    if kind == "unrecognised" and fields <= {"senderKeyDistributionMessage", "messageContextInfo"}:
        return None
    from_me = bool(info.key.fromMe)
    sender, sender_pn = _sender(info, where, known, from_me=from_me)
    push_name = str(info.pushName) or names.get(sender) or names.get(sender_pn or "") or None
    content = msgspec.structs.replace(content, push_name=None if from_me and not info.pushName else push_name)
    return model.MessageReceived(*where, sender, sender_pn, from_me, message_id, kind, at_ms, content)


def _unwrapped(body: Any) -> Any:
    for _ in range(_DEEPEST):
        name = next((name for name in _WRAPPERS if body.HasField(name)), None)
        if name is None:
            return body
        body = getattr(body, name).message
    return body


def _sender(
    info: Any, where: tuple[str, str | None], known: Account | None, *, from_me: bool
) -> tuple[str, str | None]:
    """Who wrote it. An own message needs the account; without it the sender is unknown, an empty text."""
    if from_me:
        return _forms([Jid.parse(known.jid).bare], known) if known is not None else ("", None)
    participant = str(info.key.participant) or str(info.participant)
    return _forms([Jid.parse(participant).bare], known) if participant else where


def _forms(pair: list[Jid], known: Account | None) -> tuple[str, str | None]:
    found = [one for one in pair if one.user]
    lid = next((one for one in found if one.server == LID_SERVER), None)
    phone = next((one for one in found if one.server == USER_SERVER), None)
    return people.forms(lid or found[0], phone, known)
