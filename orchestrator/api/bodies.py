"""What callers send with an action, from a decoded body to what the fleet and the outbox take: for REST and the socket.

Owns the checks that need more than one field. Pure. The socket's commands come in as plain data (`Bodies`), REST's
bodies decoded. It must never know who asked. Read `routes_bots.py` next.
"""

from __future__ import annotations

from typing import TypeVar

import msgspec

from orchestrator.api import schema
from orchestrator.errors import invalid
from orchestrator.ports import LinkRequest
from sessions.model import Outgoing, OutgoingText

T = TypeVar("T")


def link_request(body: schema.Link) -> LinkRequest:
    """Refuses `invalid_field`."""
    if body.method == "code" and body.phone is None:
        raise invalid("phone", "phone: the method code needs the phone number that will type the code")
    return LinkRequest(
        method=body.method,
        phone=None if body.phone is None else schema.digits("phone", body.phone),
        expected_phone=None if body.expected_phone is None else schema.digits("expectedPhone", body.expected_phone),
    )


def outgoing(body: schema.SendMessage) -> Outgoing:
    """Return what the outbox takes."""
    return OutgoingText(body.to, body.text)


class Bodies:
    """Implements `ports.Bodies` over the schemas of REST."""

    def message(self, raw: object) -> Outgoing:
        return outgoing(_read(raw, schema.SendMessage))

    def link(self, raw: object) -> LinkRequest:
        return link_request(_read(raw, schema.Link))

    def phone(self, raw: object) -> str:
        return schema.digits("phone", _read(raw, schema.AskPairingCode).phone)


def _read(raw: object, kind: type[T]) -> T:
    try:
        return msgspec.convert(raw, kind)
    except msgspec.ValidationError as error:
        raise schema.validation_problem(error) from None
