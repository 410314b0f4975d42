"""A stored message as REST shows it: the `data` of its event, and what has happened to it since.

Owns the documented shape only; a body goes out as it is stored and is not looked into. Pure. Read `routes_messages.py`
next.
"""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from msgspec import UNSET, UnsetType

from orchestrator.model import SendError, SendState
from sessions.model import ContactCard, Location, Media, MessageKind, Poll, Quoted

Ms = Annotated[int, msgspec.Meta(description="milliseconds since the epoch, UTC")]


class StoredReaction(msgspec.Struct, frozen=True, rename="camel"):
    """What one person made of a message; their newest, and none they took back."""

    sender: str
    sender_pn: str | None
    from_me: bool
    emoji: str
    at: Ms


class StoredData(msgspec.Struct, frozen=True, rename="camel"):
    """Who said what where. `chat` and `sender` are the LID form when it is known, else the phone form, which is beside
    them; either finds the chat. Content members are there when the message has them, and gone once it is deleted."""

    chat: str
    chat_pn: str | None
    sender: str
    sender_pn: str | None
    from_me: bool
    message_id: str | None
    """Null of a send that WhatsApp has not taken."""
    kind: MessageKind
    sent_at: Ms
    """As WhatsApp says; of a send it has not taken, when it was queued."""
    push_name: str | None = None
    chat_name: str | UnsetType = UNSET
    """Of a group, as it was called then; not of its first message here, before the name was known."""
    text: str | UnsetType = UNSET
    mentions: list[str] | UnsetType = UNSET
    quoted: Quoted | UnsetType = UNSET
    media: Media | UnsetType = UNSET
    location: Location | UnsetType = UNSET
    contacts: list[ContactCard] | UnsetType = UNSET
    poll: Poll | UnsetType = UNSET
    edited_at: Ms | UnsetType = UNSET
    """Of the newest edit; text and mentions are its."""
    revoked_at: Ms | UnsetType = UNSET
    """Deleted for everyone."""
    revoked_by: str | UnsetType = UNSET
    """The admin of the group who deleted it, when that was not its author."""
    reactions: list[StoredReaction] | UnsetType = UNSET
    """Oldest first."""
    job_id: str | UnsetType = UNSET
    """The send that made it."""
    state: SendState | UnsetType = UNSET
    """Of a send, always; of what was written on the account's other devices, once a receipt came."""
    error: SendError | UnsetType | None = UNSET
    """Of a send, always: why it failed."""


class Message(msgspec.Struct, frozen=True, rename="camel"):
    """A stored message; `id` and `at` are those of its event: of type `message`, or, of a send, its first `send_result`."""

    id: str
    type: str
    bot_id: str
    at: int
    data: StoredData


class Messages(msgspec.Struct, frozen=True):
    """A page of stored messages, newest first; `next` goes into `before` to read older ones, null when there are none."""

    messages: list[Message]
    next: str | None


def stored(data: bytes) -> Any:
    """Return a message's finished JSON as it is."""
    return msgspec.Raw(data)
