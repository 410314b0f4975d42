"""What callers send with an action, from a decoded body to what the fleet and the outbox take: for REST and the socket.

Owns the checks that need more than one field. Pure. The socket's commands come in as plain data (`Bodies`), REST's
bodies decoded. It must never know who asked. Read `routes_bots.py` next.
"""

from __future__ import annotations

from typing import TypeVar

import msgspec
from msgspec import UNSET, UnsetType

from orchestrator.api import schema, schema_send
from orchestrator.errors import invalid
from orchestrator.ports import LinkRequest
from sessions.model import (
    FileKind,
    Outgoing,
    OutgoingContact,
    OutgoingEdit,
    OutgoingLocation,
    OutgoingMedia,
    OutgoingPoll,
    OutgoingReaction,
    OutgoingRevoke,
    OutgoingText,
    Quoted,
)

T = TypeVar("T")


def link_request(body: schema.Link) -> LinkRequest:
    """Refuses `invalid_field`."""
    if body.method == "code" and body.phone is None:
        raise invalid("phone", "phone: the method code needs the phone number that will type the code")
    return LinkRequest(
        method=body.method,
        phone=None if body.phone is None else schema.digits("phone", body.phone),
        expected_phone=UNSET if body.expected_phone is UNSET else expected_phone(body.expected_phone),
    )


def expected_phone(given: str | None) -> str | None:
    """Refuses `invalid_field`."""
    return None if given is None else schema.digits("expectedPhone", given)


def outgoing(body: schema_send.SendMessage) -> Outgoing:
    """Return what the outbox takes. Refuses `invalid_field` unless exactly one form is given, whole."""
    given = [form for form in schema_send.FORMS if getattr(body, form) is not UNSET]
    if not given:
        raise invalid("text", f"text: give one of {', '.join(schema_send.FORMS)}")
    if len(given) > 1:
        raise invalid(given[1], f"{given[1]}: give {given[0]} or {given[1]}, not both; each is a message of its own")
    for name, forms in schema_send.BESIDE.items():
        if getattr(body, name) is not UNSET and given[0] not in forms:
            raise invalid(name, f"{name}: this goes with {', '.join(forms)} only; leave it out")
    for kind in schema_send.FILES:
        file: schema_send.SendFile | UnsetType = getattr(body, kind)
        if file is not UNSET:
            return _file(body, kind, file)
    if body.text is not UNSET:
        return OutgoingText(body.to, body.text, _quoted(body.quoted), tuple(body.mentions or ()))
    if body.reaction is not UNSET:
        reaction = body.reaction
        return OutgoingReaction(body.to, reaction.message_id, reaction.emoji, reaction.sender or None)
    if body.edit is not UNSET:
        return OutgoingEdit(body.to, body.edit.message_id, body.edit.text)
    if body.revoke is not UNSET:
        return OutgoingRevoke(body.to, body.revoke.message_id)
    if body.location is not UNSET:
        place = body.location
        return OutgoingLocation(body.to, place.latitude, place.longitude, place.name or None, place.address or None)
    if body.contact is not UNSET:
        return OutgoingContact(body.to, body.contact.name, body.contact.vcard)
    assert body.poll is not UNSET
    return OutgoingPoll(body.to, body.poll.question, tuple(body.poll.options), body.poll.selectable)


def _file(body: schema_send.SendMessage, kind: FileKind, file: schema_send.SendFile) -> OutgoingMedia:
    if (file.media_id is UNSET) == (file.url is UNSET):
        raise invalid(f"{kind}.mediaId", f"{kind}.mediaId: give mediaId or url, one of them")
    given = {
        name: getattr(file, name)
        for name in ("url", "caption", "name", "seconds", "width", "height", "thumbnail")
        if getattr(file, name, UNSET) is not UNSET
    }
    return OutgoingMedia(
        body.to, kind, file.media_id or None, quoted=_quoted(body.quoted), mentions=tuple(body.mentions or ()), **given
    )


def _quoted(quote: schema_send.Quote | UnsetType) -> Quoted | None:
    return None if quote is UNSET else Quoted(quote.message_id, quote.sender or None)


class Bodies:
    """Implements `ports.Bodies` over the schemas of REST."""

    def message(self, raw: object) -> Outgoing:
        return outgoing(_read(raw, schema_send.SendMessage))

    def link(self, raw: object) -> LinkRequest:
        return link_request(_read(raw, schema.Link))

    def phone(self, raw: object) -> str:
        return schema.digits("phone", _read(raw, schema.AskPairingCode).phone)


def _read(raw: object, kind: type[T]) -> T:
    try:
        return msgspec.convert(raw, kind)
    except msgspec.ValidationError as error:
        raise schema.validation_problem(error, kind) from None
    except UnicodeError:  # a lone surrogate is no text
        raise invalid("body", "body: send valid Unicode") from None
