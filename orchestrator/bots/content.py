"""What of a session's content is told, and under which key WhatsApp's redeliveries are known. Pure.

Owns the types of `message_sync` that sessions make. It must never look into a body: `data` is finished JSON. Read
`bot.py` next for who commits it.
"""

from __future__ import annotations

from dataclasses import dataclass

from sessions import model

Content = (
    model.MessageReceived
    | model.ReactionReceived
    | model.MessageEdited
    | model.MessageRevoked
    | model.ReceiptReceived
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
    model.Undecryptable,
    model.ProtocolNote,
    model.Unrecognised,
    model.SendFinished,
)


@dataclass(frozen=True, slots=True)
class Told:
    """One `message_sync` to commit."""

    type: str
    dedupe: str


@dataclass(frozen=True, slots=True)
class Counted:
    """Nothing to tell: counted under this name."""

    type: str


def classify(bot: str, event: Content) -> Told | Counted:
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
        case model.ProtocolNote():
            return Counted("protocol_note")
        case model.Unrecognised():
            return Counted("unrecognised")
        case model.SendFinished():
            return Counted("send_finished")


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
        ):
            return False
        case _:
            return True
