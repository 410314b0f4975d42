"""What a worker does for its supervisor: one method per frame, the sessions by bot, the bots' locks.

Owns the sessions of this process and the order start → calls → stop for each. It must never know a driver's library or
the socket's bytes. Read `worker_relay.py` next for the way of events, `worker.py` for how it is put together.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Protocol, assert_never

from sessions import model, wire
from sessions.session import NotReady, Outlet, Session, SessionSpec
from sessions.slots import Slots
from sessions.spool import Spool
from sessions.worker_relay import Relay, SpoolCause
from sessions.worker_tasks import report, spawn

PONG_S = 5.0
_TICK_S = 0.25
_BEHIND_S = 0.01
_SHUTDOWN_S = 9.0
CALLBACK = "callback"
"""Notes of what the library calls, as opposed to what is called in it, begin with this word."""


class Driver(Protocol):
    """What makes sessions: the library, or the simulation."""

    @property
    def version(self) -> str:
        """The library's version."""
        ...

    def session(self, spec: SessionSpec, outlet: Outlet) -> Session:
        """Make one session."""
        ...

    def give_up(self) -> None:
        """The process is about to end: give up what has surely reached nobody. From a plain thread."""
        ...

    def hang_up(self, timeout_s: float) -> None:
        """Disconnect everything; from a plain thread, just before the end of the process."""
        ...


@dataclass(slots=True)
class _Held:
    session: Session
    spec: SessionSpec
    lock: int | None
    """The descriptor of the bot's lock: whoever has it open holds the bot."""


class Host:
    """Hosts sessions. All methods but `on_spool_failure` and `sends_in_flight` are for the loop's thread."""

    def __init__(
        self, driver: Driver, store: Spool, slots: Slots, push: Callable[[wire.FromWorker], None], ending: Ending
    ) -> None:
        """Take frames from `take` on; `relay` must be set before."""
        self._driver = driver
        self._store = store
        self._slots = slots
        self._push = push
        self._ending = ending
        self._held: dict[str, _Held] = {}
        self._sends = 0
        self._loop = asyncio.get_running_loop()
        self._lag_s = 0.0
        self._spool_failed = False
        self.relay: Relay

    def take(self, frame: wire.ToWorker, descriptor: int | None) -> None:
        """Carry out one frame. Returns at once; answers are frames."""
        if self._ending.near.is_set():
            return
        match frame:
            case wire.Start():
                spawn("start", self._start(frame.spec, descriptor))
            case wire.Stop():
                spawn("stop", self._stop(frame.bot, frame.incarnation))
            case wire.PairPhone():
                self._call(frame, "pair_phone", self._pair_phone(frame))
            case wire.Send():
                self._sends += 1
                self._call(frame, "send", self._send(frame))
            case wire.AskGroup():
                spawn("ask group", self._ask_group(frame))
            case wire.Find():
                self._call(frame, "find", self._find_person(frame))
            case wire.Logout():
                self._call(frame, "logout", self._logout(frame))
            case wire.SpoolCommitted():
                self._committed(frame)
            case wire.Ping():
                self._pong(frame.number)
            case wire.Shutdown():
                spawn("shutdown", self._shutdown())
            case _:
                assert_never(frame)

    def sends_in_flight(self) -> int:
        """How many sends were taken and have no outcome yet; callable from any thread."""
        return self._sends

    # --- start and stop --------------------------------------------------------------------------------------

    async def _start(self, spec: SessionSpec, lock: int | None) -> None:
        if spec.bot in self._held or self._spool_failed:
            # The supervisor starts a bot once, and none where nothing can be kept.
            _close(lock)
            self._push(wire.Stopped(spec.bot, spec.incarnation, clean=True))
            return
        outlet = self.relay.outlet(spec.bot, spec.incarnation)
        session = self._driver.session(spec, outlet)
        outlet.knows(session.account)
        self._held[spec.bot] = _Held(session, spec, lock)
        try:
            await session.start()
        except Exception as error:
            report("start", error)
            await self._stop(spec.bot, spec.incarnation)
            return
        self._push(wire.Started(spec.bot, spec.incarnation))

    async def _stop(self, bot: str, incarnation: str) -> None:
        held = self._find(bot, incarnation)
        clean = True
        if held is not None:
            clean = await held.session.stop()
            if clean and self._find(bot, incarnation) is held:
                _close(held.lock)
                del self._held[bot]
                self.relay.ended(incarnation)
        # The bot's next incarnation may start elsewhere at once: nothing of this one may come after that.
        while not self.relay.all_queued(incarnation):  # noqa: ASYNC110 - other threads queue, and this is rare
            await asyncio.sleep(_BEHIND_S)
        self._push(wire.Stopped(bot, incarnation, clean=clean))

    async def _shutdown(self) -> None:
        stops = [self._stop(held.spec.bot, held.spec.incarnation) for held in list(self._held.values())]
        try:
            async with asyncio.timeout(_SHUTDOWN_S):
                await asyncio.gather(*stops)
                await self._ending.flushed()
        except TimeoutError:
            report("shutdown", TimeoutError())
        os._exit(0)

    # --- calls -----------------------------------------------------------------------------------------------

    def _call(
        self, frame: wire.PairPhone | wire.Send | wire.Find | wire.Logout, name: str, work: Awaitable[wire.Result]
    ) -> None:
        async def answer() -> None:
            try:
                result = await work
            except NotReady as error:
                result = wire.Result(frame.call, ok=False, error=str(error))
            except Exception as error:
                report(name, error)
                result = wire.Result(frame.call, ok=False, error="the call failed inside the worker")
            finally:
                if isinstance(frame, wire.Send):
                    self._sends -= 1
            self._push(result)

        spawn(name, answer())

    async def _pair_phone(self, frame: wire.PairPhone) -> wire.Result:
        code = await self._session(frame.bot, frame.incarnation).pair_phone(frame.phone)
        return wire.Result(frame.call, ok=True, code=code)

    async def _send(self, frame: wire.Send) -> wire.Result:
        held = self._find(frame.bot, frame.incarnation)
        if held is None:
            return wire.Result(frame.call, ok=True, outcome=model.NotSent("gone"))
        outcome = await held.session.send(frame.job, frame.outgoing)
        return wire.Result(frame.call, ok=True, outcome=outcome)

    async def _ask_group(self, frame: wire.AskGroup) -> None:
        held = self._find(frame.bot, frame.incarnation)
        if held is not None:
            await held.session.ask_group(frame.chat)

    async def _find_person(self, frame: wire.Find) -> wire.Result:
        found = await self._session(frame.bot, frame.incarnation).find(frame.phone)
        return wire.Result(frame.call, ok=True, found=found)

    async def _logout(self, frame: wire.Logout) -> wire.Result:
        return wire.Result(frame.call, ok=await self._session(frame.bot, frame.incarnation).logout())

    def _find(self, bot: str, incarnation: str) -> _Held | None:
        held = self._held.get(bot)
        return held if held is not None and held.spec.incarnation == incarnation else None

    def _session(self, bot: str, incarnation: str) -> Session:
        held = self._find(bot, incarnation)
        if held is None:
            raise NotReady("this worker does not run that session")
        return held.session

    # --- spool and heartbeat ---------------------------------------------------------------------------------

    def _committed(self, frame: wire.SpoolCommitted) -> None:
        try:
            self.relay.committed(frame.incarnation, frame.ordinal)
        except OSError as error:
            # The space is freed with the next commit instead.
            report("committed", error)

    def on_spool_failure(self, cause: SpoolCause) -> None:
        """The spool takes nothing more: disconnect everything, so that WhatsApp keeps what comes next. Any thread."""
        self._spool_failed = True
        self._push(wire.SpoolFailed(cause))
        self._loop.call_soon_threadsafe(self._disconnect_all)

    def _disconnect_all(self) -> None:
        for held in self._held.values():
            spawn("disconnect", self._ended(held.session))

    async def _ended(self, session: Session) -> None:
        await session.stop()

    async def heartbeat(self) -> None:
        """Tell every `PONG_S` that the loop lives, and measure how late it was."""
        next_pong = self._loop.time() + PONG_S
        while True:
            due = self._loop.time() + _TICK_S
            await asyncio.sleep(_TICK_S)
            self._lag_s = max(self._lag_s, self._loop.time() - due)
            if self._loop.time() >= next_pong:
                next_pong = self._loop.time() + PONG_S
                self._pong(0)

    def _pong(self, number: int) -> None:
        now = time.monotonic()
        stuck = [now - note.since for note in self._slots.notes() if note.operation.startswith(CALLBACK)]
        self._push(wire.Pong(number, round(self._lag_s * 1000), self._store.size_bytes, max(stuck, default=0.0)))
        self._lag_s = 0.0


class Ending(Protocol):
    """What the host knows of the process's end."""

    @property
    def near(self) -> _Flag:
        """Set once no new call may be taken."""
        ...

    async def flushed(self) -> None:
        """Wait until what was pushed is with the kernel."""
        ...


class _Flag(Protocol):
    def is_set(self) -> bool: ...


def _close(descriptor: int | None) -> None:
    if descriptor is not None:
        os.close(descriptor)
