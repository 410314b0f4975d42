"""Messages folded from their events: which events are messages, and the little that is read of them. Pure.

Owns that fold; a body is stored as it came and never looked into further. Read `message_rows.py` next for the table.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import msgspec

from orchestrator.bus.bus import StoredMessage
from orchestrator.bus.plan import MARGIN_BYTES
from orchestrator.model import Event

PAGE_BYTES = 1024 * 1024
"""Of one page of messages; a single larger one goes alone."""


class _Body(msgspec.Struct, rename="camel"):
    """`data` of a `message_sync` `message`, as far as it is read here."""

    chat: str
    sent_at: int
    chat_pn: str | None = None


@dataclass(frozen=True, slots=True)
class Folded:
    """What the table needs to know of a message besides its event."""

    bot: str
    chat: str
    chat_pn: str | None
    sent_at_ms: int


def fold(event: Event) -> Folded | None:
    """Return what is stored of a message; None for every other event, and for a body that isn't a message's."""
    if event.bot is None or event.name != "message_sync" or event.type != "message":
        return None
    try:
        body = _decode(event.data)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
    if not -_MOST_MS < body.sent_at < _MOST_MS:
        return None
    return Folded(event.bot, body.chat, body.chat_pn if body.chat_pn != body.chat else None, body.sent_at)


def whole_page(messages: Iterable[StoredMessage], limit: int) -> list[StoredMessage]:
    """Take one page by count and bytes, at least one message."""
    page: list[StoredMessage] = []
    size = 0
    for message in messages:
        size += len(message.data) + MARGIN_BYTES
        if page and (size > PAGE_BYTES or len(page) >= limit):
            break
        page.append(message)
    return page


_MOST_MS = 1 << 53
_decode = msgspec.json.Decoder(_Body).decode
