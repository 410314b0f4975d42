"""Frozen records of what can be sent: a closed union, stored in the outbox and carried over the worker's wire.

Owns the vocabulary of sends. Stored jobs outlive versions: members are added with a default, tags never change. It must
never know how WhatsApp encodes them. Import these from `model.py`. Read `compose.py` next for what becomes of them.
"""

from __future__ import annotations

import msgspec

from sessions.content import Quoted
from sessions.media import OutgoingMedia


class OutgoingText(msgspec.Struct, frozen=True, tag="text", omit_defaults=True):
    """A text message to one chat."""

    to: str
    text: str
    quoted: Quoted | None = None
    """The message it answers; without a sender it is the chat's other side's."""
    mentions: tuple[str, ...] = ()
    """Addresses of the people who are named in the text."""


class OutgoingReaction(msgspec.Struct, frozen=True, tag="reaction", omit_defaults=True):
    """A reaction to a message; an empty emoji takes it back."""

    to: str
    message_id: str
    emoji: str
    sender: str | None = None
    """Who wrote the message reacted to; None is the chat's other side."""
    from_me: bool = False
    """The message is the account's own."""


class OutgoingEdit(msgspec.Struct, frozen=True, tag="edit"):
    """New words for a text the account sent."""

    to: str
    message_id: str
    text: str


class OutgoingRevoke(msgspec.Struct, frozen=True, tag="revoke"):
    """Delete a message the account sent, for everyone."""

    to: str
    message_id: str


class OutgoingLocation(msgspec.Struct, frozen=True, tag="location", omit_defaults=True):
    """A place."""

    to: str
    latitude: float
    longitude: float
    name: str | None = None
    address: str | None = None


class OutgoingContact(msgspec.Struct, frozen=True, tag="contact"):
    """Somebody's card."""

    to: str
    name: str
    vcard: str


class OutgoingPoll(msgspec.Struct, frozen=True, tag="poll"):
    """A question with answers to choose from."""

    to: str
    question: str
    options: tuple[str, ...]
    selectable: int
    """How many answers one person may choose; 0 is any number."""


Outgoing = (
    OutgoingText
    | OutgoingReaction
    | OutgoingEdit
    | OutgoingRevoke
    | OutgoingLocation
    | OutgoingContact
    | OutgoingPoll
    | OutgoingMedia
)
"""Closed union: every `match` over it ends in `assert_never`."""
