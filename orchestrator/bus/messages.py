"""Stored messages: what one is, which are read together, and what a back end keeps of them. Pure.

Owns the records of the table and the size of a page. Read `conversation.py` next for what events do to them,
`message_rows.py` for the table.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Protocol

from orchestrator.bus.bus import Before, StoredMessage
from orchestrator.bus.plan import MARGIN_BYTES

PAGE_BYTES = 1024 * 1024
"""Of one page of messages; a single larger one goes alone."""


@dataclass(frozen=True, slots=True)
class Row:
    """A stored message as a back end keeps it."""

    seq: int
    """Of its event, within its log; of a past message (from `places.FIRST_PAST` on) its own."""
    bot: str
    chat: str
    sent_at_ms: int
    stored_at_ms: int
    id: str
    """Its event's."""
    at: int
    """Its event's."""
    data: bytes
    message_id: str | None
    """WhatsApp's; None of a send that WhatsApp has not taken."""
    job: str | None = None
    """The send it was made by."""

    @property
    def shown(self) -> StoredMessage:
        """The message as readers get it."""
        return StoredMessage(self.id, self.bot, self.at, Before(self.sent_at_ms, self.seq), self.data)


@dataclass(frozen=True, slots=True)
class Kept:
    """A change that is kept beside the messages: it came before its message, or it is somebody's newest reaction."""

    target: str
    """Id of the message it is about; whether it is that very message is decided when both are there."""
    type: str
    """`edited`, `revoked` or `reaction`."""
    person: str
    """Chat and person in one text: one change of a type for each is kept."""
    stored_at_ms: int
    data: bytes
    """Its event's."""


class Table(Protocol):
    """The messages of one log, inside a transaction that is the event's own."""

    def forms(self, bot: str, address: str) -> Collection[str]:
        """Return every address known for the person or group behind one, itself included."""
        ...

    def learn(self, bot: str, lid: str, pn: str) -> None:
        """Note that two addresses are one person's."""
        ...

    def by_id(self, bot: str, message_id: str) -> list[Row]:
        """Return the messages with an id of WhatsApp's: one, unless a sender chose one that was there."""
        ...

    def by_job(self, bot: str, job: str) -> Row | None:
        """Return the message a send made."""
        ...

    def next_past(self) -> int:
        """Return the `seq` of the next past message, `places.FIRST_PAST` or above."""
        ...

    def put(self, row: Row) -> None:
        """Write a message, replacing the one of its `seq`."""
        ...

    def kept(self, bot: str, target: str) -> list[Kept]:
        """Return the changes kept for a message id."""
        ...

    def keep(self, bot: str, change: Kept) -> None:
        """Keep a change, replacing the one of its target, type and person."""
        ...

    def drop(self, bot: str, change: Kept) -> None:
        """Forget a change that was kept."""
        ...


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
