"""What one spool has handed over and what of it is in the journal. No I/O.

Owns two promises: an event is handed over once, whether it came over the socket or from the spool of a dead worker, and
spool space is freed only up to the first event that is not yet durable. It must never know an event's content. Read
`feed.py` next.
"""

from __future__ import annotations

from collections import deque

REMEMBERED = 4_096
"""Incarnations whose last ordinal is kept. One that is forgotten would be handed over again by a drain, and the journal
would know it as a duplicate."""


class Entry:
    """One event that was handed over."""

    __slots__ = ("committed", "incarnation", "ordinal", "size")

    def __init__(self, incarnation: str, ordinal: int, size: int) -> None:
        self.incarnation = incarnation
        self.ordinal = ordinal
        self.size = size
        self.committed = False


class Ledger:
    """The account of one worker's spool."""

    def __init__(self) -> None:
        self._pending: dict[str, deque[Entry]] = {}
        self._handed: dict[str, int] = {}
        self._marks: dict[str, int] = {}
        self.frames = 0
        """Handed over, not yet committed."""
        self.bytes = 0

    def hand(self, incarnation: str, ordinal: int, size: int) -> Entry | None:
        """Account for one event about to be handed over; None: it was handed over before, leave it."""
        if ordinal <= self._handed.get(incarnation, 0):
            return None
        self._handed[incarnation] = ordinal
        if len(self._handed) > REMEMBERED:
            del self._handed[next(iter(self._handed))]
        entry = Entry(incarnation, ordinal, size)
        self._pending.setdefault(incarnation, deque()).append(entry)
        self.frames += 1
        self.bytes += size
        return entry

    def commit(self, entry: Entry) -> None:
        """Account for one event that is durable now; calling it again changes nothing."""
        if entry.committed:
            return
        entry.committed = True
        self.frames -= 1
        self.bytes -= entry.size
        queue = self._pending[entry.incarnation]
        while queue and queue[0].committed:
            self._marks[entry.incarnation] = queue.popleft().ordinal
        if not queue:
            del self._pending[entry.incarnation]

    def take_marks(self) -> dict[str, int]:
        """Return, per incarnation, the ordinal up to which everything is durable, where that moved since last time."""
        marks, self._marks = self._marks, {}
        return marks
