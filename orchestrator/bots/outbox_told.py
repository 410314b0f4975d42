"""What users are told of a send beside its job: the message it is when it is queued, what it changed once it was sent.

Owns the members `message`, `change` and `sentAt` of `send_result`, from which the bus makes stored messages. Pure. It must
never know a queue. Read `sending.py` next for who asks.
"""

from __future__ import annotations

from typing import assert_never

import msgspec

from orchestrator.model import SendJob
from sessions import model
from sessions.model import Content, MessageKind, Outgoing


class SendResult(SendJob, frozen=True, rename="camel", omit_defaults=True):
    """`data` of `send_result`: the job, and once each the members below."""

    message: dict[str, object] | None = None
    """As `data` of a `message`; told when it is queued. None of a send that is about an earlier message."""
    change: dict[str, object] | None = None
    """As `data` of an `edited`, `revoked` or `reaction`, with its type; told when WhatsApp has taken it."""
    sent_at: int | None = None
    """When WhatsApp took it."""


class Forms(msgspec.Struct, frozen=True):
    """A person's or group's canonical address, and the phone form beside it when that is known."""

    canonical: str
    pn: str | None


def result(
    job: SendJob,
    *,
    message: dict[str, object] | None = None,
    change: dict[str, object] | None = None,
    sent_at: int | None = None,
) -> SendResult:
    """Return what is told of a job."""
    return SendResult(**msgspec.structs.asdict(job), message=message, change=change, sent_at=sent_at)


def message(outgoing: Outgoing, chat: Forms, own: Forms, now_ms: int) -> dict[str, object] | None:
    """Return the message a send is; None when it is about an earlier one."""
    match outgoing:
        case model.OutgoingText(text=text, mentions=mentions, quoted=quoted):
            return _message("text", Content(text=text, mentions=mentions, quoted=quoted), chat, own, now_ms)
        case model.OutgoingLocation(latitude=latitude, longitude=longitude, name=name, address=address):
            place = model.Location(latitude, longitude, name, address)
            return _message("location", Content(location=place), chat, own, now_ms)
        case model.OutgoingContact(name=name, vcard=vcard):
            return _message("contact", Content(contacts=(model.ContactCard(name, vcard),)), chat, own, now_ms)
        case model.OutgoingPoll(question=question, options=options, selectable=selectable):
            return _message("poll", Content(poll=model.Poll(question, options, selectable)), chat, own, now_ms)
        case model.OutgoingMedia(kind=kind):
            return _message(kind, _media(outgoing), chat, own, now_ms)
        case model.OutgoingReaction() | model.OutgoingEdit() | model.OutgoingRevoke():
            return None
        case _:
            assert_never(outgoing)


def change(outgoing: Outgoing, message_id: str, chat: Forms, own: Forms, at_ms: int) -> dict[str, object] | None:
    """Return what a send did to an earlier message; None when it is a message itself."""
    match outgoing:
        case model.OutgoingReaction(message_id=target, emoji=emoji):
            return _change("reaction", target, {"emoji": emoji}, message_id, chat, own, at_ms)
        case model.OutgoingEdit(message_id=target, text=text):
            return _change("edited", target, {"text": text}, message_id, chat, own, at_ms)
        case model.OutgoingRevoke(message_id=target):
            return _change("revoked", target, {}, message_id, chat, own, at_ms)
        case _:
            return None


def _media(outgoing: model.OutgoingMedia) -> Content:
    """What is known of a file when it is queued; of one that is still to be fetched, not its type and size."""
    media = model.Media(
        mimetype=outgoing.mimetype or None,
        size=outgoing.size or None,
        name=outgoing.name,
        seconds=outgoing.seconds,
        width=outgoing.width,
        height=outgoing.height,
        thumbnail=outgoing.thumbnail,
    )
    return Content(text=outgoing.caption, media=media, quoted=outgoing.quoted, mentions=outgoing.mentions)


def _message(kind: MessageKind, content: Content, chat: Forms, own: Forms, now_ms: int) -> dict[str, object]:
    head = {"messageId": None, "kind": kind, "pushName": None, "sentAt": now_ms}
    told: dict[str, object] = msgspec.to_builtins(content)
    return _place(chat, own) | head | told


def _change(
    kind: str, target: str, told: dict[str, object], message_id: str, chat: Forms, own: Forms, at_ms: int
) -> dict[str, object]:
    head = {"messageId": message_id, "targetId": target, "at": at_ms}
    return {"type": kind} | _place(chat, own) | head | told


def _place(chat: Forms, own: Forms) -> dict[str, object]:
    return {"chat": chat.canonical, "chatPn": chat.pn, "sender": own.canonical, "senderPn": own.pn, "fromMe": True}
