"""The body of `POST /bots/{id}/messages`: a closed set of forms, one for each kind of send.

Owns shapes; which form was meant is `bodies.py`'s to say, what its members may hold the outbox's. Pure. Read `bodies.py`
next.
"""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from msgspec import UNSET, UnsetType

from orchestrator.api.schema import Recipient, Text

MessageId = Annotated[
    str, msgspec.Meta(min_length=1, max_length=128, description="messageId of a message, or of a send once it is sent")
]
Person = Annotated[
    str, msgspec.Meta(min_length=1, max_length=128, description="a phone number, or …@s.whatsapp.net, …@c.us or …@lid")
]
Label = Annotated[str, msgspec.Meta(min_length=1, max_length=255, description="1 to 255 characters")]


class Quote(msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """The message that is answered; `sender` says who wrote it: left out, the chat's other side (groups need it)."""

    message_id: MessageId
    sender: Person | UnsetType = UNSET


class React(msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """React to a message; an empty emoji takes the reaction back. `sender` as in `Quote`; it may be the bot itself."""

    message_id: MessageId
    emoji: Annotated[str, msgspec.Meta(max_length=32)]
    sender: Person | UnsetType = UNSET


class Edit(msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """New words for a text the bot sent."""

    message_id: MessageId
    text: Text


class Revoke(msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """Delete a message the bot sent, for everyone."""

    message_id: MessageId


class SendLocation(msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """A place."""

    latitude: Annotated[float, msgspec.Meta(ge=-90, le=90)]
    longitude: Annotated[float, msgspec.Meta(ge=-180, le=180)]
    name: Label | UnsetType = UNSET
    address: Label | UnsetType = UNSET


class SendContact(msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """Somebody's card."""

    name: Label
    vcard: Annotated[str, msgspec.Meta(min_length=1, max_length=32_768, description="begins with BEGIN:VCARD")]


class SendPoll(msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """A question with answers; `selectable` is how many one person may choose, 0 any number."""

    question: Label
    options: Annotated[list[Label], msgspec.Meta(min_length=2, max_length=12)]
    selectable: Annotated[int, msgspec.Meta(ge=0, le=12)] = 1


class SendMessage(msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """Send one thing: exactly one of text, reaction, edit, revoke, location, contact and poll. `quoted` and `mentions`
    go with a text."""

    to: Recipient
    text: Text | UnsetType = UNSET
    quoted: Quote | UnsetType = UNSET
    mentions: Annotated[list[Person], msgspec.Meta(max_length=1024)] | UnsetType = UNSET
    reaction: React | UnsetType = UNSET
    edit: Edit | UnsetType = UNSET
    revoke: Revoke | UnsetType = UNSET
    location: SendLocation | UnsetType = UNSET
    contact: SendContact | UnsetType = UNSET
    poll: SendPoll | UnsetType = UNSET


FORMS = ("text", "reaction", "edit", "revoke", "location", "contact", "poll")
"""Members of which a body has exactly one."""
BESIDE_TEXT = ("quoted", "mentions")


def show_forms(component: dict[str, Any]) -> None:
    """Say in the JSON schema of `SendMessage` what its members alone don't: which go together."""
    component["oneOf"] = [{"required": [form]} for form in FORMS]
    component["dependentRequired"] = {name: ["text"] for name in BESIDE_TEXT}
