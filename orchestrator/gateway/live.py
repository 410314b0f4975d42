"""The sockets that are there: from `auth` to admission, pump and closing; timers, counters, the three log lines.

Owns the register of live sockets. It must never know Socket.IO: a client is a `Line`. Read `gateway.py` next, the only
file that does.
"""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from collections.abc import Coroutine
from dataclasses import dataclass, field
from typing import Any, Literal

import structlog

from orchestrator.errors import Refused
from orchestrator.gateway.desk import Desk
from orchestrator.gateway.ports import Line
from orchestrator.gateway.protocol import (
    COMMANDS_ABSENT,
    Closing,
    ConnectAuth,
    Resume,
    Stamp,
    closing_frame,
    is_terminal,
    parse_auth,
    parse_resume,
)
from orchestrator.gateway.pump import Pump, PumpParts
from orchestrator.model import Principal, new_id
from orchestrator.ports import Tokens
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
    task: asyncio.Task[None] | None = None
    timer: asyncio.TimerHandle | None = None
    requests: deque[float] = field(default_factory=deque)
    """Times of its latest `command` and `resync`."""
    ignored: int = 0
    """Events this version does not know."""


class LiveSockets:
    """One per gateway. Every method runs on the loop's thread."""

    def __init__(self, parts: PumpParts, tokens: Tokens, tasks: Tasks) -> None:
        self._parts = parts
        self._tokens = tokens
        self._tasks = tasks
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
            principal = await self._verified(auth.token)
            user = principal.user
            if auth.user is not None and auth.user != user:
                raise Refused("user_mismatch")
            await self._admit(socket, line, auth, principal)
        except Refused as refused:
            self._parts.metrics.refused(refused.code)
            _log.info("Unified WebSocket refused", code=refused.code, userId=user, socketId=socket)
            raise

    async def _verified(self, token: str) -> Principal:
        try:
            async with asyncio.timeout(self._parts.settings.verify_timeout_s):
                return await self._tokens.verify(token)
        except TimeoutError:
            raise Refused("auth_unavailable", retry_after_s=5.0) from None

    async def _admit(self, socket: str, line: Line, auth: ConnectAuth, principal: Principal) -> None:
        user = principal.user
        if line.wire.ended:
            raise Refused("already_connected")  # it went while its token was checked: nobody hears this
        present = await self._desk.enter(user, socket, line.wire, auth.proof, auth.takeover)
        if self._draining or line.wire.ended or self._desk.present(user) != socket:
            # Between the decision and this line it went, or somebody else was admitted, or the server began to end.
            self._desk.left(user, socket)
            raise Refused("server_draining" if self._draining else "already_connected")
        pump = Pump(self._parts, line, user, present.connection_id, auth.resume)
        live = self._live[socket] = Live(socket, user, line, pump)
        self._set_timer(live, auth.acks, principal)
        self._count(user, 1)
        _log.info("Unified WebSocket connected", userId=user, socketId=socket)

    def _set_timer(self, live: Live, acks: bool, principal: Principal) -> None:
        settings, loop = self._parts.settings, asyncio.get_running_loop()
        if acks and principal.expires_at_ms is not None:
            left_s = (principal.expires_at_ms - self._parts.clock.wall_ms()) / 1000 + settings.token_grace_s
            live.timer = loop.call_later(max(0.0, left_s), self.close, live.socket, "token_expired")
        else:
            live.timer = loop.call_later(settings.socket_max_age_s, self.close, live.socket, "max_age")

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

    def event(self, socket: str, name: str, argument: object) -> dict[str, Any] | None:
        """Take an event from the client; return the acknowledgement to give, if any. Unknown ones are counted."""
        live = self._live.get(socket)
        if live is None:
            return None
        if name not in {"command", "resync"}:
            live.ignored += 1
            return None
        if not self._within_rate(live):
            self.close(socket, "flood")
            return None
        if name == "command":
            return COMMANDS_ABSENT
        live.pump.resync(parse_resume(argument) or Resume("", 0))
        return None

    def _within_rate(self, live: Live) -> bool:
        settings, now = self._parts.settings, self._parts.clock.monotonic()
        while live.requests and live.requests[0] <= now - settings.requests_window_s:
            live.requests.popleft()
        live.requests.append(now)
        return len(live.requests) <= settings.requests

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
        if live.timer is not None:
            live.timer.cancel()
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
