"""A worker that hosts sessions, and the seat each session has in it: who waits for what, resolved by its frames.

Owns these records and what a frame changes in them; it decides nothing. It must never know when a worker is started or
ended. Read `workers.py` for the pool, `endings.py` for how seats and workers end.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Literal, assert_never

from orchestrator.ports import CallFailed, Placement
from orchestrator.supervisor.feed import Feed
from orchestrator.supervisor.worker_process import WorkerProcess
from sessions.model import PairSucceeded, SendFinished, SendOutcome
from sessions.session import SessionSpec
from sessions.wire import (
    Drained,
    EventFrame,
    FromWorker,
    Hello,
    Logout,
    PairPhone,
    Pong,
    Result,
    SpoolFailed,
    Started,
    Stopped,
)

Ending = Literal["asked", "crashed", "killed_hung", "storage_unavailable", "start_timed_out", "condemned"]
"""Why a seat ends; all but `asked` are causes of `ports.SessionGone`."""


class Seat:
    """One incarnation of one bot in one worker."""

    def __init__(self, spec: SessionSpec, wish: Placement, worker: Worker) -> None:
        loop = asyncio.get_running_loop()
        self.spec = spec
        self.bot = spec.bot
        self.incarnation = spec.incarnation
        self.wish = wish
        """The placement that was asked for."""
        self.worker = worker
        self.ending: Ending | None = None
        self.stopping = False
        self.started: asyncio.Future[None] = loop.create_future()
        """The worker took the session up."""
        self.reported: asyncio.Future[None] = loop.create_future()
        """The session told something for the first time, or is over."""
        self.stopped: asyncio.Future[bool] = loop.create_future()
        """The session ended; True when its lock is free."""
        self.gone: asyncio.Future[None] = loop.create_future()
        """No process holds the bot by this seat, and all its events were handed over."""

    def settle(self) -> None:
        """The start is over, one way or the other."""
        _resolve(self.started)
        _resolve(self.reported)

    def leave(self) -> None:
        """The seat is over."""
        self.settle()
        _resolve(self.gone)


Call = PairPhone | Logout


class Worker:
    """One process for sessions, coming up, up, or on its way out."""

    def __init__(self, name: str, kind: Placement, group: str | None, feed: Feed, hooks: Hooks) -> None:
        self.id = name
        self.number = 0
        """Of its place, from 1: who replaces it takes the number over."""
        self.since_s = 0.0
        """When it was asked for, on the waking clock."""
        self.kind: Placement = kind
        """A linking worker becomes `own` when its attempt succeeds."""
        self.group = group
        """Of the quarantine; see `placement.py`."""
        self.feed = feed
        self.hooks = hooks
        self.process: WorkerProcess | None = None
        """None while it comes up."""
        self.seats: dict[str, Seat] = {}
        self.promised = 0
        """Starts on their way to a seat here."""
        self.turn = asyncio.Lock()
        """Held by the one start or stop under way: the library's tables allow no second."""
        self.closed = False
        """Takes no new bot."""
        self.retired = False
        """Told to end: its death is no crash."""
        self.empty_since: float | None = None
        self.gone: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        """The process is dead, its spool handed over, its seats told."""
        self._calls: dict[int, asyncio.Future[Result]] = {}
        self._sends: dict[str, asyncio.Future[SendOutcome]] = {}
        self._numbers = 0

    @property
    def up(self) -> WorkerProcess:
        """The process of a worker that has come up."""
        assert self.process is not None, "asked for before it was up"
        return self.process

    def call(self) -> tuple[int, asyncio.Future[Result]]:
        """Number a call; the future is its answer, or CallFailed when the worker dies."""
        self._numbers += 1
        future: asyncio.Future[Result] = asyncio.get_running_loop().create_future()
        self._calls[self._numbers] = future
        return self._numbers, future

    def forget_call(self, number: int) -> None:
        """Nobody waits for this call any more."""
        self._calls.pop(number, None)

    def sending(self, job: str) -> asyncio.Future[SendOutcome]:
        """Return the future of a send's outcome: settled by its spooled event, also from a dead worker's spool."""
        found = self._sends.get(job)
        if found is None:
            found = self._sends[job] = asyncio.get_running_loop().create_future()
            found.add_done_callback(lambda _: self._sends.pop(job, None))
        return found

    def take(self, frame: FromWorker, size: int) -> None:
        """Take one frame of the living process."""
        match frame:
            case EventFrame():
                if self.feed.take(frame, size):
                    self.take_event(frame)
            case Started(bot, incarnation):
                if (seat := self._seat(bot, incarnation)) is not None:
                    _resolve(seat.started)
            case Stopped(bot, incarnation, clean):
                if (seat := self._seat(bot, incarnation)) is not None:
                    seat.settle()
                    if not seat.stopped.done():
                        seat.stopped.set_result(clean)
                    self.hooks.on_stopped(self, seat, clean)
            case Result():
                self._answer(frame)
            case SpoolFailed():
                self.hooks.on_spool_failed(self)
            case Hello() | Pong() | Drained():
                pass
            case _:
                assert_never(frame)

    def take_event(self, frame: EventFrame) -> None:
        """See one event that was handed over, live or from the spool after the death."""
        seat = self._seat(frame.bot, frame.incarnation)
        if seat is not None:
            _resolve(seat.reported)
        match frame.event:
            case PairSucceeded() if self.kind == "linking":
                self.kind = "own"
            case SendFinished(job, outcome):
                if (sending := self._sends.get(job)) is not None and not sending.done():
                    sending.set_result(outcome)
            case _:
                pass
        self.hooks.on_event(frame)

    def fail_calls(self) -> None:
        """The process is dead: nobody answers. Sends wait for the spool."""
        for future in self._calls.values():
            if not future.done():
                future.set_exception(CallFailed("the session's process ended"))
        self._calls.clear()

    def fail_sends(self, outcome: SendOutcome) -> None:
        """The spool is drained: a send without an outcome in it has this one."""
        for future in list(self._sends.values()):
            if not future.done():
                future.set_result(outcome)

    def _seat(self, bot: str, incarnation: str) -> Seat | None:
        seat = self.seats.get(bot)
        return seat if seat is not None and seat.incarnation == incarnation else None

    def _answer(self, result: Result) -> None:
        future = self._calls.pop(result.call, None)
        if future is not None and not future.done():
            future.set_result(result)


class Hooks:
    """What frames mean to others than the seats; set once by the composition of the room."""

    def __init__(
        self,
        on_event: Callable[[EventFrame], None],
        on_stopped: Callable[[Worker, Seat, bool], None],
        on_spool_failed: Callable[[Worker], None],
    ) -> None:
        self.on_event = on_event
        self.on_stopped = on_stopped
        self.on_spool_failed = on_spool_failed


def _resolve(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)
