"""What of a session's content is told, and under which key WhatsApp's redeliveries are known. Pure.

Owns the types of `message_sync` that sessions make. It must never look into a body: `data` is finished JSON. Read
`bot.py` next for who commits it.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import msgspec

from sessions import model

Content = (
    model.MessageReceived
    | model.ReactionReceived
    | model.MessageEdited
    | model.MessageRevoked
    | model.ReceiptReceived
    | model.HistoryReceived
    | model.GroupChanged
    | model.GroupKnown
    | model.PresenceChanged
    | model.CallChanged
    | model.Undecryptable
    | model.ProtocolNote
    | model.Unrecognised
    | model.SendFinished
)
"""Events that change nothing about the bot itself."""

CONTENT: tuple[type[Content], ...] = (
    model.MessageReceived,
    model.ReactionReceived,
    model.MessageEdited,
    model.MessageRevoked,
    model.ReceiptReceived,
    model.HistoryReceived,
    model.GroupChanged,
    model.GroupKnown,
    model.PresenceChanged,
    model.CallChanged,
    model.Undecryptable,
    model.ProtocolNote,
    model.Unrecognised,
    model.SendFinished,
)


@dataclass(frozen=True, slots=True)
class Told:
    """One `message_sync` to commit."""

    type: str
    dedupe: str | None


@dataclass(frozen=True, slots=True)
class Shown:
    """A frame that is never stored: the newest of its kind, for a while."""

    type: str


@dataclass(frozen=True, slots=True)
class Counted:
    """Nothing to tell: counted under this name."""

    type: str


def classify(bot: str, event: Content) -> Told | Shown | Counted:
    """Say what is told of a content event. Keys hold (bot, type, canonical chat, sender, message id, receipt kind)."""
    match event:
        case model.MessageReceived(chat=chat, sender=sender, message_id=message_id):
            return Told("message", _key(bot, "message", chat, sender, message_id))
        case model.ReactionReceived(chat=chat, sender=sender, message_id=message_id):
            return Told("reaction", _key(bot, "reaction", chat, sender, message_id))
        case model.MessageEdited(chat=chat, sender=sender, message_id=message_id):
            return Told("edited", _key(bot, "edited", chat, sender, message_id))
        case model.MessageRevoked(chat=chat, sender=sender, message_id=message_id):
            return Told("revoked", _key(bot, "revoked", chat, sender, message_id))
        case model.ReceiptReceived(chat=chat, sender=sender, message_ids=ids, kind=kind):
            return Told("receipt", _key(bot, "receipt", chat, sender, *ids, kind))
        case model.Undecryptable(chat=chat, sender=sender, message_id=message_id):
            return Told("undecryptable", _key(bot, "undecryptable", chat, sender, message_id))
        case model.HistoryReceived():
            return Told("history", None)  # See `history_key`.
        case model.GroupChanged(at_ms=0, version=""):
            return Told("group", None)  # Nothing tells it from the same thing happening again.
        case model.GroupChanged(chat=chat, sender=sender, at_ms=at_ms, version=version, changes=changes):
            digest = hashlib.sha256(msgspec.json.encode(changes)).hexdigest()[:32]
            return Told("group", _key(bot, "group", chat, sender or "", str(at_ms), version, digest))
        case model.GroupKnown(outcome="found"):
            return Told("group", None)
        case model.GroupKnown():
            return Counted("group_unknown")
        case model.CallChanged(call_id=call_id, sender=sender, state=state):
            return Told("call", _key(bot, "call", sender, call_id, state))
        case model.PresenceChanged():
            return Shown("presence")
        case model.ProtocolNote():
            return Counted("protocol_note")
        case model.Unrecognised():
            return Counted("unrecognised")
        case model.SendFinished():
            return Counted("send_finished")


def history_key(bot: str, note: bytes, data: bytes) -> str:
    """Return the key of a part of a history. It has no id: the same content is the same part."""
    return _key(bot, "history", hashlib.sha256(note + b"\x1f" + data).hexdigest()[:32])


def history_rows(data: bytes) -> tuple[bytes, ...]:
    """Cut the messages of a history apart; none when it is no array."""
    try:
        return tuple(bytes(row) for row in _rows.decode(data))
    except (msgspec.DecodeError, UnicodeDecodeError):
        return ()


_rows = msgspec.json.Decoder(list[msgspec.Raw])


def members(event: Content) -> tuple[model.GroupMember, ...]:
    """Return the people of a group that an event tells whole."""
    match event:
        case model.GroupChanged(changes=changes):
            return tuple(member for change in changes for member in change.members or ())
        case model.GroupKnown(info=model.GroupChange(members=tuple(known))):
            return known
        case _:
            return ()


def _key(*parts: str) -> str:
    return "\x1f".join(parts)


def proves_life(event: model.SessionEvent) -> bool:
    """Whether WhatsApp must have answered, or spoken, for this to happen."""
    match event:
        case model.SendFinished(outcome=outcome):
            return isinstance(outcome, model.Sent | model.SendRejected)
        case (
            model.Disconnected()
            | model.KeepaliveTimeout()
            | model.StartFailed()
            | model.KeysMissing()
            | model.PumpDied()
            | model.CodesExpired()
            | model.PairFailed()
            | model.ConnectFailed()
            | model.GroupKnown(outcome="failed")
        ):
            return False
        case _:
            return True
