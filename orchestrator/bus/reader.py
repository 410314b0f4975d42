"""One reader of one user's log: replay, then live, merged by position; and the announcements beside it.

Owns who reads what is new, and how much of it memory may hold: a reader that falls behind is not buffered for, it
reads on from the log. It must never know where the log is kept: a back end hands in `fetch`. Read `plan.py` for the
way in.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass

from orchestrator.bus.bus import Announced, Committed, Delivery
from orchestrator.bus.plan import MARGIN_BYTES
from orchestrator.model import Event, Position

PAGE_ITEMS = 256
PAGE_BYTES = 256 * 1024
"""What is read from the log, and held for a reader, at a time; a single larger event goes alone."""

Item = tuple[int, Event]


@dataclass(frozen=True, slots=True)
class Page:
    """A piece of a log. `covered` is the sequence number up to which nothing else is there."""

    items: list[Item]
    covered: int


Fetch = Callable[[int, int], Awaitable[Page]]
"""`fetch(after, upto)`: the events with after < seq <= upto, as many as a page holds, oldest first.

Raises Refused `position_expired` when `after` is below the floor.
"""


def cut(rows: Iterable[Item], limit: int, upto: int) -> Page:
    """Take one page by count and bytes, at least one event. `rows` holds everything up to `upto`, or more than
    `limit` of it."""
    items: list[Item] = []
    size = 0
    for seq, event in rows:
        size += len(event.data) + MARGIN_BYTES
        if items and (size > PAGE_BYTES or len(items) >= limit):
            return Page(items, items[-1][0])
        items.append((seq, event))
    return Page(items, upto)


def chain(items: Sequence[Item], after: Position) -> list[Committed]:
    """Give events read from the log their places, each naming the one before it."""
    chained: list[Committed] = []
    for seq, event in items:
        position = Position(after.epoch, seq)
        chained.append(Committed(position, after, event, replayed=True))
        after = position
    return chained


class Reader:
    """A `Subscription`. One `read` at a time."""

    def __init__(
        self, after: Position, head: int, fetch: Fetch, current: Sequence[Announced], now_ms: Callable[[], int]
    ) -> None:
        self._position = after
        self._fetch = fetch
        self._now_ms = now_ms
        self._attached = head
        self._head = head
        self._ahead: deque[Item] = deque()  # everything after the last one taken, up to _covered
        self._covered = after.seq
        self._taken = after.seq
        self._ahead_bytes = 0
        self._tail: list[Item] | None = None  # what is committed while a page is being read
        self._announced: dict[str, tuple[int, Announced]] = {one.key: (head, one) for one in current}
        self._wake = asyncio.Event()
        self._closed = False
        self.on_close: Callable[[], None] = lambda: None

    @property
    def position(self) -> Position:
        """The last position handed out, or where the subscription started."""
        return self._position

    @property
    def held(self) -> int:
        """How many events memory holds for this reader: never more than two pages, however far behind it is."""
        return len(self._ahead) + len(self._tail or ())

    async def read(self, limit: int = 256) -> Sequence[Delivery]:
        """Wait until something is there; return it oldest first. Empty only when closed."""
        while not self._closed:
            if taken := self._take(limit):
                return taken
            if self._covered < self._head:
                await self._fill()
            else:
                self._wake.clear()
                await self._wake.wait()
        return []

    def close(self) -> None:
        """Detach; a waiting `read` returns an empty sequence."""
        if not self._closed:
            self._closed = True
            self._ahead.clear()
            self._tail = None
            self._announced.clear()
            self._wake.set()
            self.on_close()

    # --- told by the back end -------------------------------------------------------------------------------

    def push(self, items: Sequence[Item], head: int) -> None:
        """Take note of events just committed: keep them when they fit and follow on, else only that they exist."""
        size = sum(len(event.data) + MARGIN_BYTES for _, event in items)
        fits = self._ahead_bytes + size <= PAGE_BYTES and len(self._ahead) + len(items) <= PAGE_ITEMS
        if self._covered == self._head and fits:
            self._ahead.extend(items)
            self._ahead_bytes += size
            self._covered = head
        elif self._tail is not None:
            self._tail.extend(items)
            if len(self._tail) > PAGE_ITEMS or sum(len(event.data) for _, event in self._tail) > PAGE_BYTES:
                self._tail = None
        self._head = head
        self._wake.set()

    def show(self, announced: Announced) -> None:
        """Hand the announcement out after what was committed before it; it replaces an unread one of its key."""
        self._announced.pop(announced.key, None)
        self._announced[announced.key] = (self._head, announced)
        self._wake.set()

    def hide(self, key: str) -> None:
        """Don't hand the announcement out any more."""
        self._announced.pop(key, None)

    def forget(self, bot: str) -> None:
        """Drop an erased bot's events and announcements that were not read yet."""
        self._ahead = deque(item for item in self._ahead if item[1].bot != bot)
        self._ahead_bytes = sum(len(event.data) + MARGIN_BYTES for _, event in self._ahead)
        if self._tail is not None:
            self._tail = [item for item in self._tail if item[1].bot != bot]
        for key in [key for key, (_, one) in self._announced.items() if one.event.bot == bot]:
            del self._announced[key]

    # --- inside -----------------------------------------------------------------------------------------------

    def _take(self, limit: int) -> list[Delivery]:
        taken: list[Delivery] = []
        while len(taken) < limit:
            if not self._ahead:
                self._taken = self._covered
            if (announced := self._due()) is not None:
                taken.append(announced)
            elif self._ahead:
                seq, event = self._ahead.popleft()
                self._ahead_bytes -= len(event.data) + MARGIN_BYTES
                before, self._position = self._position, Position(self._position.epoch, seq)
                self._taken = seq
                taken.append(Committed(self._position, before, event, replayed=seq <= self._attached))
            else:
                break
        return taken

    def _due(self) -> Announced | None:
        """Return the oldest announcement whose turn it is: all that was committed before it has been handed out."""
        while self._announced:
            key = next(iter(self._announced))
            after, announced = self._announced[key]
            if after > self._taken and not (self._ahead and self._ahead[0][0] > after):
                return None
            del self._announced[key]
            if announced.expires_at_ms > self._now_ms():
                return announced
        return None

    async def _fill(self) -> None:
        """Read the next page from the log, collecting what is committed meanwhile (attach first, read second)."""
        upto = self._head
        self._tail = []
        try:
            page = await self._fetch(self._covered, upto)
            if self._closed:
                return
            self._keep(page.items)
            self._covered = page.covered
            if page.covered >= upto and self._tail is not None:
                self._keep(self._tail)
                self._covered = self._head
        finally:
            self._tail = None

    def _keep(self, items: Sequence[Item]) -> None:
        self._ahead.extend(items)
        self._ahead_bytes += sum(len(event.data) + MARGIN_BYTES for _, event in items)


class Readers:
    """All readers and current announcements, by user. Synchronous; one per bus."""

    def __init__(self, now_ms: Callable[[], int]) -> None:
        self._now_ms = now_ms
        self._readers: dict[str, set[Reader]] = {}
        self._announced: dict[str, dict[str, Announced]] = {}

    def attach(self, user: str, after: Position, head: int, fetch: Fetch) -> Reader:
        """Start a reader; from now on `push` reaches it."""
        reader = Reader(after, head, fetch, self._current(user), self._now_ms)
        readers = self._readers.setdefault(user, set())
        readers.add(reader)

        def detach() -> None:
            readers.discard(reader)
            if not readers and self._readers.get(user) is readers:
                del self._readers[user]

        reader.on_close = detach
        return reader

    def push(self, user: str, items: Sequence[Item], head: int) -> None:
        """Hand newly committed events to the user's readers."""
        for reader in self._readers.get(user, ()):
            reader.push(items, head)

    def announce(self, user: str, announced: Announced) -> None:
        """See `Bus.announce`."""
        current = self._announced.setdefault(user, {})
        current.pop(announced.key, None)
        current[announced.key] = announced
        for reader in self._readers.get(user, ()):
            reader.show(announced)

    def withdraw(self, user: str, key: str) -> None:
        """See `Bus.withdraw`."""
        current = self._announced.get(user)
        if current is not None and current.pop(key, None) is not None and not current:
            del self._announced[user]
        for reader in self._readers.get(user, ()):
            reader.hide(key)

    def announced(self, user: str, key: str) -> Announced | None:
        """See `Bus.announced`."""
        return next((one for one in self._current(user) if one.key == key), None)

    def forget(self, user: str, bot: str) -> None:
        """Drop an erased bot's announcements and unread events."""
        for one in self._current(user):
            if one.event.bot == bot:
                self.withdraw(user, one.key)
        for reader in self._readers.get(user, ()):
            reader.forget(bot)

    def close(self) -> None:
        """Close every reader."""
        for readers in list(self._readers.values()):
            for reader in list(readers):
                reader.close()

    def _current(self, user: str) -> list[Announced]:
        """Return what has not expired, and let go of what has."""
        current = self._announced.get(user)
        if current is None:
            return []
        now_ms = self._now_ms()
        for key in [key for key, one in current.items() if one.expires_at_ms <= now_ms]:
            del current[key]
        if not current:
            del self._announced[user]
        return list(current.values())


class Announcing:
    """The part of a `Bus` that no log has to do with: what is shown and never stored."""

    _readers: Readers

    def announce(self, user: str, key: str, event: Event, expires_at_ms: int) -> None:
        """See `Bus.announce`."""
        self._readers.announce(user, Announced(key, event, expires_at_ms))

    def withdraw(self, user: str, key: str) -> None:
        """See `Bus.withdraw`."""
        self._readers.withdraw(user, key)

    def announced(self, user: str, key: str) -> Announced | None:
        """See `Bus.announced`."""
        return self._readers.announced(user, key)
