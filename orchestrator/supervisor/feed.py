"""Events of one worker's spool on their way to the mailboxes, and the marks that free its space on their way back.

Owns the back-pressure: when mailboxes are slow, the worker's socket is not read and its events wait in its spool. It
must never know what an event means. Read `ledger.py` for the account it keeps, `spools.py` for what happens to the
spool of a dead worker.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from orchestrator.ports import FromSession, HostEvent
from orchestrator.supervisor.ledger import Entry, Ledger
from sessions.wire import EventFrame, SpoolCommitted, ToWorker

MARK_EVERY_S = 0.02
"""Marks go back in batches: one frame for all that became durable in this time."""

HIGH_FRAMES, HIGH_BYTES = 2_000, 4 * 1024 * 1024
"""Handed over and not yet durable: above this the socket is not read."""
URGENT_FACTOR = 8
"""The limits while somebody waits for an answer of this worker (a mailbox that waits for `stop` commits nothing)."""


class Source(Protocol):
    """The process the events come from."""

    def send(self, frame: ToWorker) -> None: ...

    def pause(self) -> None: ...

    def resume(self) -> None: ...


class Feed:
    """The way of one spool's events, first from its living worker, then from the process that drains it."""

    def __init__(self, worker: str, spool: Path, deliver: Callable[[str, HostEvent], None]) -> None:
        """Hand over through `deliver(bot, event)`, in the name of `worker`."""
        self.worker = worker
        self.spool = spool
        self.settled: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        """Everything the spool held is in the journal; set only after `finish`."""
        self._deliver = deliver
        self._ledger = Ledger()
        self._source: Source | None = None
        self._marks_wanted = False
        self._flush_planned = False
        self._finished = False
        self._urgent = 0
        self._durable: asyncio.Future[None] | None = None

    @property
    def waiting_frames(self) -> int:
        """Handed over, not yet durable."""
        return self._ledger.frames

    def attach(self, source: Source | None, *, wants_marks: bool) -> None:
        """Say where events come from now; a draining process has no use for marks."""
        self._source, self._marks_wanted = source, wants_marks

    def take(self, frame: EventFrame, size: int) -> bool:
        """Hand one event over; False when it was handed over before.

        Args:
            size: bytes it takes on the wire: what it costs while it waits.
        """
        if frame.ordinal is None:
            self._deliver(frame.bot, FromSession(frame, self.worker, _nothing))
            return True
        entry = self._ledger.hand(frame.incarnation, frame.ordinal, size)
        if entry is None:
            return False
        self._deliver(frame.bot, FromSession(frame, self.worker, lambda: self._committed(entry)))
        self._steer()
        return True

    def urgent(self, change: int) -> None:
        """Somebody begins (+1) or ceases (-1) to wait for an answer of the worker."""
        self._urgent += change
        self._steer()

    def durable(self) -> asyncio.Future[None]:
        """Return a future that is done as soon as everything handed over is durable and the worker was told so."""
        if self._durable is None or self._durable.done():
            self._durable = asyncio.get_running_loop().create_future()
        self._flush()
        return self._durable

    def finish(self) -> None:
        """Nothing more will come: `settled` is set as soon as everything is durable."""
        self._finished = True
        self._source = None
        self._flush()

    def _committed(self, entry: Entry) -> None:
        self._ledger.commit(entry)
        if not self._flush_planned:
            self._flush_planned = True
            asyncio.get_running_loop().call_later(MARK_EVERY_S, self._flush)

    def _flush(self) -> None:
        self._flush_planned = False
        marks = self._ledger.take_marks()
        if self._source is not None and self._marks_wanted:
            for incarnation, ordinal in marks.items():
                self._source.send(SpoolCommitted(incarnation, ordinal))
        self._steer()
        if self._ledger.frames == 0 and self._durable is not None and not self._durable.done():
            self._durable.set_result(None)
        if self._finished and self._ledger.frames == 0 and not self.settled.done():
            self.settled.set_result(None)

    def _steer(self) -> None:
        if self._source is None:
            return
        factor = URGENT_FACTOR if self._urgent else 1
        load = max(self._ledger.frames / HIGH_FRAMES, self._ledger.bytes / HIGH_BYTES) / factor
        if load >= 1.0:
            self._source.pause()
        elif load <= 0.5:
            self._source.resume()


def _nothing() -> None:
    """What was never spooled needs no mark."""
