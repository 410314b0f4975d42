"""What may be sent, pure: every kind of send with its addresses resolved and its limits kept.

Owns the checks that hold whoever asks (REST, the socket, a script) and whose message a send is about. It must never know
a queue or a session. Read `outbox_fold.py` next for a send's life.
"""

from __future__ import annotations

import math
from typing import assert_never

import msgspec

from orchestrator import errors
from orchestrator.bots import outbox_media
from orchestrator.bots.outbox_fold import resolve
from sessions import model
from sessions.model import GROUP_SERVER, Account, Jid, Outgoing

MAX_TEXT = 65_536
"""Characters of one message: what WhatsApp's own clients let people write."""
MAX_EMOJI = 32
"""Characters of one reaction: an emoji with its joiners and skin tones."""
MAX_MENTIONS = 1024
MAX_VCARD = 32_768
MAX_LABEL = 255
"""Characters of a question, an answer, or the name of a place or person."""
OPTIONS = range(2, 13)
"""How many answers a poll has (WhatsApp's own clients)."""
MAX_ID = 128


def checked(outgoing: Outgoing, own: Account | None) -> Outgoing:
    """Return the send with canonical addresses, ready to store.

    Args:
        own: the bot's account: what it is asked to react to may be its own message.

    Raises:
        Refused: `invalid_field` naming the field as REST calls it, and the remedy; no content is repeated.
    """
    to = resolve(outgoing.to)
    match outgoing:
        case model.OutgoingText():
            _length("text", outgoing.text, MAX_TEXT)
            return msgspec.structs.replace(
                outgoing, to=to, quoted=_quoted(outgoing.quoted, to), mentions=_mentions(outgoing.mentions)
            )
        case model.OutgoingReaction():
            _message_id("reaction.messageId", outgoing.message_id)
            _length("reaction.emoji", outgoing.emoji, MAX_EMOJI, least=0)
            sender = _author("reaction.sender", outgoing.sender, to)
            return msgspec.structs.replace(outgoing, to=to, sender=sender, from_me=_is_own(sender, own))
        case model.OutgoingEdit():
            _message_id("edit.messageId", outgoing.message_id)
            _length("edit.text", outgoing.text, MAX_TEXT)
        case model.OutgoingRevoke():
            _message_id("revoke.messageId", outgoing.message_id)
        case model.OutgoingLocation():
            _between("location.latitude", outgoing.latitude, 90)
            _between("location.longitude", outgoing.longitude, 180)
            _length("location.name", outgoing.name or "", MAX_LABEL, least=0)
            _length("location.address", outgoing.address or "", MAX_LABEL, least=0)
        case model.OutgoingContact():
            _length("contact.name", outgoing.name, MAX_LABEL)
            _length("contact.vcard", outgoing.vcard, MAX_VCARD)
            if not outgoing.vcard.lstrip().upper().startswith("BEGIN:VCARD"):
                raise errors.invalid("contact.vcard", "contact.vcard: give a vCard; it begins with BEGIN:VCARD")
        case model.OutgoingPoll():
            _poll(outgoing)
        case model.OutgoingMedia():
            outbox_media.check(outgoing)
            return msgspec.structs.replace(
                outgoing, to=to, quoted=_quoted(outgoing.quoted, to), mentions=_mentions(outgoing.mentions)
            )
        case _:
            assert_never(outgoing)
    return msgspec.structs.replace(outgoing, to=to)


def _length(field: str, text: str, most: int, *, least: int = 1) -> None:
    if not least <= len(text) <= most:
        raise errors.invalid(field, f"{field}: give {least} to {most} characters")


def _message_id(field: str, message_id: str) -> None:
    if not (0 < len(message_id) <= MAX_ID and message_id.isascii() and message_id.isprintable()):
        raise errors.invalid(field, f"{field}: give the messageId of a message or of a send")


def _author(field: str, sender: str | None, to: str) -> str | None:
    """Whose message it is; in a group nobody can be assumed."""
    if sender is None:
        if Jid.parse(to).server == GROUP_SERVER:
            raise errors.invalid(field, f"{field}: in a group, say who sent that message")
        return None
    return _person(field, sender)


def _person(field: str, address: str) -> str:
    resolved = resolve(address, field)
    if Jid.parse(resolved).server == GROUP_SERVER:
        raise errors.invalid(field, f"{field}: give a person, not a group")
    return resolved


def _is_own(sender: str | None, own: Account | None) -> bool:
    if sender is None or own is None:
        return False
    forms = [Jid.parse(form).bare for form in (own.jid, own.lid) if form is not None]
    return Jid.parse(sender) in forms


def _quoted(quoted: model.Quoted | None, to: str) -> model.Quoted | None:
    if quoted is None:
        return None
    _message_id("quoted.messageId", quoted.message_id)
    return model.Quoted(quoted.message_id, _author("quoted.sender", quoted.sender, to))


def _mentions(mentions: tuple[str, ...]) -> tuple[str, ...]:
    if len(mentions) > MAX_MENTIONS:
        raise errors.invalid("mentions", f"mentions: give at most {MAX_MENTIONS} people")
    return tuple(_person("mentions", address) for address in mentions)


def _between(field: str, degrees: float, most: int) -> None:
    if not (math.isfinite(degrees) and -most <= degrees <= most):
        raise errors.invalid(field, f"{field}: give degrees from -{most} to {most}")


def _poll(poll: model.OutgoingPoll) -> None:
    _length("poll.question", poll.question, MAX_LABEL)
    if len(poll.options) not in OPTIONS:
        raise errors.invalid("poll.options", f"poll.options: give {OPTIONS.start} to {OPTIONS.stop - 1} answers")
    for option in poll.options:
        _length("poll.options", option, MAX_LABEL)
    if len(set(poll.options)) != len(poll.options):
        raise errors.invalid("poll.options", "poll.options: give answers that differ")
    if not 0 <= poll.selectable <= len(poll.options):
        raise errors.invalid("poll.selectable", "poll.selectable: give 0 (any number) to the number of answers")
