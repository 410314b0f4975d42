"""From the library's threads to the supervisor: every event is in the spool first, and goes out in order, once.

Owns the way of an event after the session has translated it. It must never know the library or a socket. Two states: as
long as the supervisor keeps up, a delivered event is queued at once. When the queue is full, events are left where they
lie already, in the spool; once it has drained they are read back from there, until nothing is missing. So a slow
supervisor costs neither memory nor time in a callback. Read `worker_link.py` next for the queue.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Literal, Protocol

from sessions import model, translate, wire
from sessions.model import Account, SessionEvent
from sessions.spool import Record, Spool, SpoolFull, read
from sessions.worker_tasks import report

REFILL_RECORDS = 256
"""Read back at most this many in one go, so that the loop stays awake."""

SpoolCause = Literal["full", "write_failed"]


class Queue(Protocol):
    """Where frames go (`worker_link.Link`)."""

    @property
    def full(self) -> bool:
        """Whether events should wait in the spool for now."""
        ...

    @property
    def low(self) -> bool:
        """Whether there is room for events that waited."""
        ...

    def push_bytes(self, data: bytes) -> None:
        """Queue one encoded frame; never waits."""
        ...


@dataclass(slots=True)
class _Line:
    """One incarnation's way out."""

    bot: str
    incarnation: str
    account: Callable[[], Account | None] = lambda: None
    spooled: int = 0
    queued: int = 0
    """The highest ordinal that was queued: everything below was, too."""
    early: dict[int, bytes] = field(default_factory=dict)
    """Delivered before an earlier one, by another thread."""
    times: dict[int, int] = field(default_factory=dict)
    """When it was spooled, until it is delivered: what a drain would tell is what we tell."""
    ended: bool = False


class Relay:
    """The outlets of one worker's sessions."""

    def __init__(
        self,
        store: Spool,
        directory: str,
        queue: Queue,
        parsers: translate.Parsers,
        on_failure: Callable[[SpoolCause], None],
    ) -> None:
        """Relay from `store`, which lies in `directory`.

        Args:
            on_failure: called once, from the thread that met it, when the spool is over its limit or refuses.
        """
        self._store = store
        self._directory = directory
        self._queue = queue
        self._parsers = parsers
        self._on_failure = on_failure
        self._lock = threading.Lock()
        self._lines: dict[str, _Line] = {}
        self._behind = False
        self._records: Iterator[Record] | None = None
        self._failed = False

    @property
    def behind(self) -> bool:
        """Whether events are waiting in the spool for the supervisor."""
        return self._behind

    def outlet(self, bot: str, incarnation: str) -> BotOutlet:
        """Open the way out for one incarnation."""
        line = _Line(bot, incarnation)
        with self._lock:
            self._lines[incarnation] = line
        return BotOutlet(self, line)

    def ended(self, incarnation: str) -> None:
        """The session is over: what is remembered of it goes once its last event is in the journal."""
        with self._lock:
            line = self._lines.get(incarnation)
            if line is not None:
                line.ended = True
        self._forget(incarnation, 0)

    def committed(self, incarnation: str, ordinal: int) -> None:
        """The journal has everything of this incarnation up to `ordinal`. Raises OSError as `Spool.committed`."""
        self._store.committed(incarnation, ordinal)
        self._forget(incarnation, ordinal)

    def all_queued(self, incarnation: str) -> bool:
        """Whether every event of this incarnation that was spooled is on its way, none waits in the spool."""
        with self._lock:
            line = self._lines.get(incarnation)
            return line is None or line.queued >= line.spooled

    def _forget(self, incarnation: str, ordinal: int) -> None:
        with self._lock:
            line = self._lines.get(incarnation)
            if line is None or not line.ended or line.spooled > ordinal:
                return
            del self._lines[incarnation]
        self._store.forget(incarnation)

    # --- one event -------------------------------------------------------------------------------------------

    def spool(self, line: _Line, kind: int, raw: bytes) -> int:
        """See `Outlet.spool`."""
        try:
            ordinal, at_ms = self._store.append(line.bot, line.incarnation, kind, raw)
        except OSError as error:
            self._fail("full" if isinstance(error, SpoolFull) else "write_failed")
            raise
        with self._lock:
            line.spooled = max(line.spooled, ordinal)
            line.times[ordinal] = at_ms
        if self._store.full:
            self._fail("full")
        return ordinal

    def _fail(self, cause: SpoolCause) -> None:
        with self._lock:
            if self._failed:
                return
            self._failed = True
        self._on_failure(cause)

    def deliver(self, line: _Line, ordinal: int | None, at_ms: int, event: SessionEvent) -> None:
        """See `Outlet.deliver`."""
        with self._lock:
            if ordinal is None:
                if isinstance(event, model.PresenceChanged) and self._queue.full:
                    return  # A supervisor that can't follow is told what is true when it can.
                self._queue.push_bytes(_encode(line, None, at_ms, event))
                return
            at_ms = line.times.pop(ordinal, at_ms)
            if self._queue.full:
                self._fall_behind()
            if self._behind or ordinal <= line.queued:
                return
            line.early[ordinal] = _encode(line, ordinal, at_ms, event)
            while (frame := line.early.pop(line.queued + 1, None)) is not None:
                line.queued += 1
                self._queue.push_bytes(frame)

    def _fall_behind(self) -> None:
        self._behind = True
        for line in self._lines.values():
            line.early.clear()

    # --- catching up -----------------------------------------------------------------------------------------

    def refill(self) -> bool:
        """Queue what waited in the spool, as far as there is room. On the loop, when the queue is low.

        Returns:
            True when more is waiting and there is room for it: call again soon.
        """
        for _ in range(REFILL_RECORDS):
            if not self._behind or not self._queue.low:
                return False
            record = self._next_record()
            if record is None:
                self._catch_up()
                return self._behind
            line = self._lines.get(record.incarnation)
            if line is not None and record.ordinal > line.queued:
                self._queue_record(line, record)
        return True

    def _next_record(self) -> Record | None:
        try:
            if self._records is None:
                self._records = read(self._directory)
            record = next(self._records, None)
        except OSError:
            # A segment was freed between its listing and its reading: what it held is in the journal.
            record = None
        if record is None:
            self._records = None
        return record

    def _queue_record(self, line: _Line, record: Record) -> None:
        event: SessionEvent = model.Unrecognised(record.kind)
        try:
            event, _ = translate.from_raw(record.kind, record.raw, self._parsers, line.account())
        except Exception as error:
            report(f"translate {record.kind}", error)
        with self._lock:
            line.queued = record.ordinal
            self._queue.push_bytes(_encode(line, record.ordinal, record.at_ms, event))

    def _catch_up(self) -> None:
        with self._lock:
            if all(line.queued >= line.spooled for line in self._lines.values()):
                self._behind = False


class BotOutlet:
    """`Outlet` of one incarnation."""

    def __init__(self, relay: Relay, line: _Line) -> None:
        self._relay = relay
        self._line = line

    def knows(self, account: Callable[[], Account | None]) -> None:
        """Tell where the session's account can be asked for: events read back are translated with it."""
        self._line.account = account

    def spool(self, kind: int, raw: bytes) -> int:
        """See `Outlet.spool`."""
        return self._relay.spool(self._line, kind, raw)

    def deliver(self, ordinal: int | None, at_ms: int, event: SessionEvent) -> None:
        """See `Outlet.deliver`."""
        self._relay.deliver(self._line, ordinal, at_ms, event)


def _encode(line: _Line, ordinal: int | None, at_ms: int, event: SessionEvent) -> bytes:
    return wire.encode(event_frame(line.bot, line.incarnation, ordinal, at_ms, event))


def event_frame(
    bot: str, incarnation: str, ordinal: int | None, at_ms: int, event: SessionEvent
) -> wire.EventFrame:  # fmt: skip
    """Make the frame of an event: the header without bodies, and the finished JSON."""
    data = translate.frame_data(event)
    return wire.EventFrame(bot, incarnation, ordinal, at_ms, translate.header(event), data)
