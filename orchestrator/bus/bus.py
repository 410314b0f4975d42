"""The bus's protocol, its promises, and the features a back end declares. `memory.py` and `sqlite.py` pass one suite.

Commit is the only place where order is made. Owns records and the interface; no I/O. It must never know a socket, a
session or a status. Read `sqlite.py` next.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Protocol

import msgspec

from orchestrator.model import Event, Position


class StatePut(msgspec.Struct, frozen=True):
    """The newest value under (user, key), written with the event it belongs to; never subject to retention."""

    key: str
    """`bot/<id>` the public record, `private/<id>` what only the fleet reads, `job/<bot>/<id>` a send,
    `group/<bot>/<chat>` what is known of a group."""
    value: bytes | None
    """None removes the key."""


class Source(msgspec.Struct, frozen=True):
    """Where a spooled event came from: the spool-to-journal dedupe."""

    worker: str
    incarnation: str
    ordinal: int
    """Rises within an incarnation; everything up to the highest committed one is a duplicate."""


class Entry(msgspec.Struct, frozen=True):
    """One atomic step of one user's log: all of it is committed, or none."""

    user: str
    event: Event | None
    """None writes values and marks only."""
    puts: tuple[StatePut, ...] = ()
    source: Source | None = None
    dedupe: str | None = None
    """Key of what WhatsApp may redeliver (bot, type, chat, sender, message id, receipt kind); None never repeats."""
    bot: str | None = None
    """Whose entry it is when it has no event, so that `erase` finds its mark and key; else the event's bot counts."""
    dedupe_also: tuple[str, ...] = ()
    """Other keys it may have been committed under before (a person's earlier address); looked up, never written."""
    rows: tuple[bytes, ...] = ()
    """Past messages (each finished JSON as a `message`'s `data`), stored with the event and without events of their own.
    One that is stored already (same bot, chat and id) stays as it is; one older than messages are kept is not stored."""


@dataclass(frozen=True, slots=True)
class Duplicate:
    """The entry was there before: it got no position and wrote nothing but its mark."""


@dataclass(frozen=True, slots=True)
class Stored:
    """An entry without an event was committed."""


Outcome = Position | Stored | Duplicate


@dataclass(frozen=True, slots=True)
class Committed:
    """An event with its place, as readers get it."""

    position: Position
    prev: Position
    """The position this reader was given before (or started after): equal to the reader's last, or there is a gap."""
    event: Event
    replayed: bool
    """True when it was committed before the reader attached."""


@dataclass(frozen=True, slots=True)
class Announced:
    """A value that is never stored (a QR or pairing code): the newest per key, until it expires or is withdrawn."""

    key: str
    event: Event
    expires_at_ms: int


Delivery = Committed | Announced


@dataclass(frozen=True, slots=True)
class LogState:
    """Where a user's log stands. `floor` is the position after which everything is kept (seq 0 when retention cut
    nothing yet); it only rises, and may reach the head. A user nobody wrote for yet has an epoch all the same."""

    floor: Position
    head: Position


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Values and the position they are true at, read together."""

    state: LogState
    values: dict[str, bytes]


@dataclass(frozen=True, slots=True, order=True)
class Before:
    """A place among stored messages, which lie by the time WhatsApp says they were sent, then by `seq`."""

    sent_at_ms: int
    seq: int
    """Of the message's event; 0 is before everything sent in that millisecond."""


@dataclass(frozen=True, slots=True)
class StoredMessage:
    """A message of a bot, kept longer than its event."""

    id: str
    """Its event's."""
    bot: str
    at: int
    before: Before
    """Its own place: pass it to read on with older ones."""
    data: bytes
    """Its event's: finished JSON."""


@dataclass(frozen=True, slots=True)
class Features:
    """What a back end promises beyond the suite's core; the suite asks these, never the back end's name."""

    durable: bool
    """A commit that returned survives kill -9 and power loss."""


class Subscription(Protocol):
    """One reader of one user's log: replay first, then live, no gap and no overlap.

    The bus is the buffer: a slow reader costs no memory beyond one batch, it reads on from the log.
    """

    async def read(self, limit: int = 256) -> Sequence[Delivery]:
        """Wait until something is there; return it oldest first, at most `limit` items.

        Safe to cancel: nothing is lost, the next call returns it. After replay, current announcements come before
        the first live event. An announcement withdrawn before it was read is not returned.

        Raises:
            Refused: `position_expired` (with floor, head and epoch) when retention overtook the reader, now and at every
                later call: close it, take a snapshot, subscribe at its head.
        """
        ...

    @property
    def position(self) -> Position:
        """The last position handed out, or where the subscription started."""
        ...

    def close(self) -> None:
        """Detach; a waiting `read` returns an empty sequence. Idempotent."""
        ...


class Bus(Protocol):
    """Durable per-user logs with the newest values beside them.

    Of each log the newest events are kept, by count, bytes and age, whichever is reached first (`Retention`); a log may
    be a 64th longer than its limits, or more until a large cut is done in steps; age is looked at every few minutes.
    What is cut is below `floor` at once: a reader gets every event after its position, or `position_expired`, never a
    gap. Values, announcements, marks and dedupe keys are never cut. A log nobody writes to and nobody reads costs its
    rows and nothing else. The epoch changes when a start finds the log restored, repaired or brought from elsewhere.
    """

    features: Features

    async def commit(self, entries: Sequence[Entry]) -> list[Outcome]:
        """Write entries in order; return when they are durable. One call is one transaction: all of its entries, or none
        (a duplicate entry writes its mark and does not undo the others). Several entries of one spooled event are one
        call with the `source` on the last of them.

        Calls are group-committed with others that wait; order within a call, and between calls of one caller that
        awaits each, is kept. `seq` rises by one per event in each user's log. An entry whose source ordinal is at or
        below its mark, or whose dedupe key is known, is a `Duplicate`.

        Cancelling the caller does not undo or hide the write.

        Raises:
            Refused: `storage_unavailable`: nothing of this call was written; try again. `server_draining` after `close`.
        """
        ...

    async def snapshot(self, user: str, prefix: str = "") -> Snapshot:
        """Read the user's values whose key starts with `prefix`, and the position, in one read transaction."""
        ...

    async def state(self, user: str) -> LogState:
        """Return where the user's log stands."""
        ...

    async def read(self, user: str, after: Position, limit: int = 256) -> list[Committed]:
        """Return committed events after a position, oldest first; empty means nothing newer yet.

        Raises:
            Refused: `position_expired` (with `floor`, `head`, `epoch`) when the epoch differs, the position is below
                floor (also one that `state` told as the floor a moment ago), or it is above head.
        """
        ...

    async def subscribe(self, user: str, after: Position) -> Subscription:
        """Attach a reader after a position. Same refusals as `read`."""
        ...

    def announce(self, user: str, key: str, event: Event, expires_at_ms: int) -> None:
        """Show a value to the user's present and coming readers until it expires, is replaced or withdrawn."""
        ...

    def withdraw(self, user: str, key: str) -> None:
        """End an announcement; unknown keys are fine."""
        ...

    def announced(self, user: str, key: str) -> Announced | None:
        """Return the current announcement under the key, if it has not expired."""
        ...

    async def messages(
        self, user: str, bot: str, chat: str | None = None, before: Before | None = None, limit: int = 50
    ) -> list[StoredMessage]:
        """Return a bot's stored messages, newest first by the time they were sent; empty means there are no older ones.

        A message is stored in the transaction of its event (`message_sync`, `message`; past ones with the `history` that
        brought them: their id is that event's and a number), is kept for days instead of
        hours, and goes with its bot. A page holds at most `limit` messages and 1 MiB, and at least one.

        Args:
            user: Whose.
            bot: Of which bot.
            chat: Of this chat only; where both forms of a person's address are known, either finds all of it.
            before: Only those before this place.
            limit: At most so many.
        """
        ...

    def scan(self, prefix: str) -> AsyncIterator[tuple[str, str, bytes]]:
        """Yield (user, key, value) of every user's values under a prefix, for start-up."""
        ...

    async def mark(self, incarnation: str) -> int:
        """Return the highest committed ordinal of an incarnation; 0 for an unknown one."""
        ...

    async def erase(self, user: str, bot: str) -> None:
        """Remove a deleted bot's events, messages, values, dedupe keys and marks for good. Readers see no gap."""
        ...

    async def close(self) -> None:
        """Commit what waits, then stop. Idempotent."""
        ...
