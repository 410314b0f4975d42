"""Frozen records of what people do in a chat: messages of every kind, reactions, edits, revokes.

Owns the vocabulary of content that arrives; `Content`, emojis and new texts are what only the owner may see. It must
never know how WhatsApp encodes them. Import these from `model.py`. Read `translate_messages.py` next for who makes them,
`outgoing.py` for what is sent.
"""

from __future__ import annotations

from typing import Literal

import msgspec

MessageKind = Literal[
    "text",
    "image",
    "video",
    "audio",
    "voice",
    "document",
    "sticker",
    "location",
    "contact",
    "poll",
    "unrecognised",
]


HistoryType = Literal["initial", "status", "full", "recent", "push_names", "other", "on_demand"]


class Quoted(msgspec.Struct, frozen=True, rename="camel"):
    """The message this one answers."""

    message_id: str
    sender: str | None


class Media(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    """What a message says about its file; the file itself is not fetched."""

    mimetype: str | None = None
    size: int | None = None
    """Bytes."""
    name: str | None = None
    """A document's file name, as its sender wrote it: never a path of ours."""
    seconds: int | None = None
    width: int | None = None
    height: int | None = None
    """Pixels."""
    thumbnail: bytes | None = None
    """A small JPEG its sender made, as it came (it is not looked at here); in JSON base64."""


class Location(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    """A place, or (`live`) where somebody was when they began to share it."""

    latitude: float
    longitude: float
    name: str | None = None
    address: str | None = None
    live: bool = False


class ContactCard(msgspec.Struct, frozen=True, rename="camel"):
    """Somebody's card."""

    name: str
    vcard: str


class Poll(msgspec.Struct, frozen=True, rename="camel"):
    """A question with answers to choose from."""

    question: str
    options: tuple[str, ...]
    selectable: int
    """How many answers one person may choose; 0 is any number."""


class Content(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    """What only the owner may see of a message: never in a header, a log or a metric."""

    text: str | None = None
    """The words; of media their caption."""
    mentions: tuple[str, ...] = ()
    quoted: Quoted | None = None
    push_name: str | None = None
    media: Media | None = None
    location: Location | None = None
    contacts: tuple[ContactCard, ...] = ()
    poll: Poll | None = None


class InChat(msgspec.Struct, frozen=True):
    """Where something was said, and by whom."""

    chat: str
    """Canonical: the LID form when known, else the phone form."""
    chat_pn: str | None
    sender: str
    sender_pn: str | None
    from_me: bool
    """It was sent from another device of the account."""
    message_id: str


class MessageReceived(InChat, frozen=True, tag=True):
    """A message arrived in a chat, or was sent from another device of the account."""

    kind: MessageKind
    sent_at_ms: int
    content: Content | None
    """None in a wire header: the body travels as finished JSON beside it."""


class Change(InChat, frozen=True):
    """Something happened to an earlier message; `message_id` is that of the change itself."""

    target_id: str
    """Of the message it happened to."""
    at_ms: int


class ReactionReceived(Change, frozen=True, tag=True):
    """Somebody reacted to a message, or (an empty emoji) took the reaction back."""

    emoji: str | None
    """None in a wire header."""


class MessageEdited(Change, frozen=True, tag=True):
    """Somebody gave an earlier message of theirs new words.

    That it is theirs is what they say: whoever applies it compares the senders, as WhatsApp's own clients do.
    """

    content: Content | None
    """The new words; None in a wire header."""


class MessageRevoked(Change, frozen=True, tag=True):
    """Somebody deleted a message for everyone: their own, or as a group's admin another's. Whoever applies it checks
    that, as WhatsApp's own clients do."""


class HistoryReceived(msgspec.Struct, frozen=True, tag=True):
    """The phone handed over a part of its past chats: a note, and the messages in it that were taken."""

    sync_type: HistoryType
    progress: int | None
    """Percent of that type, as the phone says."""
    chunk: int | None
    """Number of this part, as the phone says."""
    messages: int
    """How many were taken."""
    chats: int
    """Of how many chats."""
    left_out: int
    """Older ones beyond the limits (`translate_history.py`)."""
    rows: tuple[bytes, ...]
    """Each message as finished JSON, oldest first; none in a wire header, they travel in one array beside it."""
