"""The sockets that are there: from `auth` to admission, pump and closing; timers, counters, the three log lines.

Owns the register of live sockets. It must never know Socket.IO: a client is a `Line`. Read `gateway.py` next, the only
file that does.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Coroutine
from dataclasses import dataclass
from typing import Any, Literal

import structlog

from orchestrator.errors import Refused
from orchestrator.gateway.clerk import Clerk
from orchestrator.gateway.command import accepted, rejected
from orchestrator.gateway.desk import Desk
from orchestrator.gateway.ports import Line
from orchestrator.gateway.protocol import (
    Closing,
    ConnectAuth,
    Resume,
    Stamp,
    closing_frame,
    is_terminal,
    parse_auth,
    parse_resume,
    parse_token,
    token_expiring_frame,
)
from orchestrator.gateway.pump import Pump, PumpParts
from orchestrator.gateway.rate import Rate
from orchestrator.gateway.tenure import Tenure, TenureParts, ending_of, verified
from orchestrator.model import Principal, new_id
from orchestrator.ports import Rechecks, Tokens
from orchestrator.tasks import Tasks

_log = structlog.get_logger("gateway")

_WENT = {
    "client disconnect": "client_disconnect",
    "transport close": "transport_close",
    "transport error": "transport_error",
    "ping timeout": "ping_timeout",
}
"""How a client went, in Engine.IO's words and in ours."""

_RETRY_AFTER_S: dict[Closing, float] = {"server_draining": 1.0, "internal": 5.0}
_FLUSH_S = 1.0
"""Longest time given to a closing frame of a client that does not read."""


@dataclass(slots=True)
class Live:
    """One user's one socket."""

    socket: str
    user: str
    line: Line
    pump: Pump
    tenure: Tenure
    acks: bool
    idle: Rate
    """Of messages that change nothing."""
    task: asyncio.Task[None] | None = None
    ignored: int = 0
    """Messages that changed nothing."""


class LiveSockets:
    """One per gateway. Every method runs on the loop's thread."""

    def __init__(self, parts: PumpParts, clerk: Clerk, tokens: Tokens, rechecks: Rechecks | None, tasks: Tasks) -> None:
        self._parts = parts
        self._clerk = clerk
        self._tasks = tasks
        asking = asyncio.Semaphore(parts.settings.rechecks_at_once)
        self._tenure = TenureParts(tokens, rechecks, parts.clock, tasks, parts.settings, asking)
        self._requests: dict[str, Rate] = {}
        self._swept = parts.clock.monotonic()
        self._desk = Desk(parts.settings.admission, parts.clock, tasks, self._end_former)
        self._live: dict[str, Live] = {}
        self._per_user: Counter[str] = Counter()
        self._doubled: set[str] = set()
        self._closings: set[asyncio.Task[Any]] = set()
        self._draining = False

    # --- in -----------------------------------------------------------------------------------------------------

    async def connect(self, socket: str, line: Line, raw_auth: object) -> None:
        """Check the token and ask admission; return when the socket is its user's.

        Raises:
            Refused: any refusal of the contract; it has been counted and logged.
        """
        user: str | None = None
        try:
            if self._draining:
                raise Refused("server_draining", retry_after_s=_RETRY_AFTER_S["server_draining"])
            auth = parse_auth(raw_auth)
            principal = await verified(self._tenure.tokens, auth.token, self._parts.settings.verify_timeout_s)
            user = principal.user
            if auth.user is not None and not principal.answers_to(auth.user):
                raise Refused("user_mismatch")
            await self._admit(socket, line, auth, principal)
        except Refused as refused:
            self._parts.metrics.refused(refused.code)
            _log.info("Unified WebSocket refused", code=refused.code, userId=user, socketId=socket)
            raise

    async def _admit(self, socket: str, line: Line, auth: ConnectAuth, principal: Principal) -> None:
        user = principal.user
        if line.wire.ended:
            raise Refused("already_connected")  # it went while its token was checked: nobody hears this
        present = await self._desk.enter(user, socket, line.wire, auth.proof, auth.takeover)
        if self._draining or line.wire.ended or self._desk.present(user) != socket:
            # Between the decision and this line it went, or somebody else was admitted, or the server began to end.
            self._desk.left(user, socket)
            raise Refused("server_draining" if self._draining else "already_connected")
        self._live[socket] = self._made(socket, line, auth, principal, present.connection_id)
        self._live[socket].tenure.begin()
        self._count(user, 1)
        _log.info("Unified WebSocket connected", userId=user, socketId=socket)

    def _made(self, socket: str, line: Line, auth: ConnectAuth, principal: Principal, connection_id: str) -> Live:
        settings, user = self._parts.settings, principal.user
        tenure = Tenure(
            self._tenure,
            principal,
            auth.token,
            acks=auth.acks,
            close=lambda ending: self.close(socket, ending),
            expiring=lambda expires_at_ms: self._tell_expiring(line, expires_at_ms),
        )
        pump = Pump(self._parts, line, user, connection_id, auth.resume, acks=auth.acks, greeted=tenure.greeted)
        return Live(socket, user, line, pump, tenure, auth.acks, Rate(settings.idle_messages, settings.rate_window_s))

    def _tell_expiring(self, line: Line, expires_at_ms: int) -> None:
        stamp = Stamp(new_id("evt"), self._parts.clock.wall_ms())
        self._tasks.spawn("gateway notice", line.send("connection_update", token_expiring_frame(stamp, expires_at_ms)))

    def confirmed(self, socket: str) -> None:
        """The client has been told that it is connected: begin to deliver."""
        live = self._live.get(socket)
        if live is not None and live.task is None:
            live.task = self._tasks.spawn("gateway pump", self._pump(live))

    async def _pump(self, live: Live) -> None:
        code: Closing | None = "internal"  # also for whatever is raised: reported by `Tasks`, told to the client
        try:
            code = await live.pump.run()
        except Refused:
            code = "internal"
        except asyncio.CancelledError:
            code = None
            raise
        finally:
            live.task = None  # it ends here: nobody needs to cancel it
            if code is not None:
                self.close(live.socket, code)

    # --- while it is there --------------------------------------------------------------------------------------

    async def event(self, socket: str, name: str, argument: object) -> bytes | None:
        """Take an event from the client; return the acknowledgement's finished JSON, if any. Unknown ones are counted.

        What has an order (`ack`, `resync`) is done before this first waits.
        """
        live = self._live.get(socket)
        if live is None:
            return None
        now = self._parts.clock.monotonic()
        if name not in {"command", "resync", "refresh_token"}:
            self._take_idle(live, name, argument, now)
            return None
        if not self._rate_of(live.user, now).allows(now):
            self.close(socket, "flood")
            return None
        match name:
            case "resync":
                live.pump.resync(parse_resume(argument) or Resume("", 0))
                return None
            case "refresh_token":
                return await self._refreshed(live, argument)
            case _:
                return await self._clerk.answer(live.user, argument)

    def _take_idle(self, live: Live, name: str, argument: object, now: float) -> None:
        """Take an `ack`, or an event this version does not know."""
        if name == "ack" and live.acks:
            acknowledged = parse_resume(argument)
            if acknowledged is None:
                self.close(live.socket, "protocol_error", "ack without a position")
                return
            if live.pump.acknowledge(acknowledged.position):
                return
        live.ignored += 1
        if not live.idle.allows(now):
            self.close(live.socket, "flood")

    async def _refreshed(self, live: Live, argument: object) -> bytes:
        """Go on with the token sent, or say why not; a proof that failed ends the socket."""
        token = parse_token(argument)
        try:
            if token is None:
                raise Refused("unauthorized")
            principal = await live.tenure.refresh(token)
        except Refused as refused:
            ending = ending_of(refused)
            if ending is not None:
                self.close(live.socket, ending)
            return rejected(refused)
        return accepted({"expiresAt": principal.expires_at_ms})

    def _rate_of(self, user: str, now: float) -> Rate:
        """The rate of a user's requests: it outlives the socket, not the time it is about."""
        settings = self._parts.settings
        if now - self._swept >= settings.rate_window_s:
            self._swept = now
            self._requests = {name: rate for name, rate in self._requests.items() if not rate.idle(now)}
        return self._requests.setdefault(user, Rate(settings.requests, settings.rate_window_s))

    def is_live(self, socket: str) -> bool:
        """Whether it is its user's socket now."""
        return socket in self._live

    # --- out ----------------------------------------------------------------------------------------------------

    def gone(self, socket: str, reason: str) -> None:
        """A socket ended by itself. One that the server has closed is no longer in the register: nothing happens."""
        live = self._live.get(socket)
        if live is not None:
            self._forget(live, _WENT.get(reason, "transport_close"))
            self._desk.left(live.user, socket)

    def close(self, socket: str, code: Closing, detail: str | None = None) -> None:
        """End a live socket: its delivery stops in this very step, `closing` is the last thing written to it."""
        live = self._live.get(socket)
        if live is None:
            return
        self._forget(live, code)
        self._desk.left(live.user, socket)
        self._spawn_closing(self._say_goodbye(live.line, code, detail))

    async def drain(self) -> None:
        """Refuse newcomers and close every socket `server_draining`; return when they are closed."""
        self._draining = True
        for socket in list(self._live):
            self.close(socket, "server_draining")
        if self._closings:
            await asyncio.wait(self._closings, timeout=self._parts.settings.drain_s)

    def _end_former(
        self, socket: str, why: Literal["taken_over", "superseded", "dead"], probe_began: float | None
    ) -> None:
        live = self._live.get(socket)
        if live is None:
            return
        metrics = self._parts.metrics
        if why != "dead":
            (metrics.taken_over if why == "taken_over" else metrics.superseded)()
            self._forget(live, why)
            self._spawn_closing(self._say_goodbye(live.line, why))
            return
        if probe_began is not None and live.line.wire.received_at > probe_began:
            metrics.replaced()
        self._forget(live, "ping_timeout")
        self._spawn_closing(live.line.abort())

    def _forget(self, live: Live, code: str) -> None:
        """Stop its delivery at once and take it out of the register; the next socket may be admitted in this step."""
        del self._live[live.socket]
        if live.task is not None:
            live.task.cancel()
        live.tenure.end()
        self._parts.metrics.closed(code)
        self._count(live.user, -1)
        extra = {"ignoredEvents": live.ignored} if live.ignored else {}
        _log.info("Unified WebSocket closed", code=code, userId=live.user, socketId=live.socket, **extra)

    async def _say_goodbye(self, line: Line, code: Closing, detail: str | None = None) -> None:
        stamp = Stamp(new_id("evt"), self._parts.clock.wall_ms())
        await line.send("connection_update", closing_frame(stamp, code, detail, _RETRY_AFTER_S.get(code)))
        if is_terminal(code):
            await line.disconnect()
        await line.finish(_FLUSH_S)

    def _spawn_closing(self, work: Coroutine[Any, Any, None]) -> None:
        task = self._tasks.spawn("gateway closing", work)
        self._closings.add(task)
        task.add_done_callback(self._closings.discard)

    def _count(self, user: str, change: int) -> None:
        self._per_user[user] += change
        if self._per_user[user] > 1:
            self._doubled.add(user)
        else:
            self._doubled.discard(user)
        if not self._per_user[user]:
            del self._per_user[user]
        self._parts.metrics.sockets(len(self._live))
        self._parts.metrics.duplicate_users(len(self._doubled))
