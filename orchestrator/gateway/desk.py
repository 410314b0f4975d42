"""Carries admission's decisions out: waits for probes, hands out refusals, forgets who is gone.

Owns the state of every user's one socket in memory. It must never know Socket.IO; sockets are names, connections are
`Wire`s. Decisions are `admission.py`'s; read `pump.py` next.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Literal, assert_never

from orchestrator.clock import Clock
from orchestrator.errors import Refused
from orchestrator.gateway.admission import (
    Action,
    AdmissionEvent,
    AdmissionLimits,
    Admit,
    Ask,
    End,
    Gone,
    Newcomer,
    Observed,
    Present,
    Refuse,
    User,
    decide,
    is_idle,
)
from orchestrator.gateway.ports import Wire
from orchestrator.model import new_id
from orchestrator.tasks import Tasks

_LOOK_S = 0.1
"""A probed socket is looked at when it sends something, and this often."""

EndSocket = Callable[[str, Literal["taken_over", "superseded", "dead"], float | None], None]
"""Ends a former socket: (socket, why, when its probe began). Called inside the step; must not wait."""


class Desk:
    """One per gateway. All methods run on the loop's thread; every decision is one synchronous step."""

    def __init__(self, limits: AdmissionLimits, clock: Clock, tasks: Tasks, end: EndSocket) -> None:
        self._limits = limits
        self._clock = clock
        self._tasks = tasks
        self._end = end
        self._users: dict[str, User] = {}
        self._wires: dict[str, Wire] = {}
        self._waiting: dict[str, asyncio.Future[Present]] = {}
        self._swept = clock.monotonic()

    async def enter(self, user: str, socket: str, wire: Wire, proof: str | None, takeover: bool) -> Present:
        """Ask for the user's socket; return once it is given.

        Raises:
            Refused: `already_connected` (with `since`), `too_many_attempts` (with the time to wait).
        """
        self._sweep()
        present = self._users.get(user, User()).present
        me = Present(socket, new_id("con"), self._clock.wall_ms())
        answer: asyncio.Future[Present] = asyncio.get_running_loop().create_future()
        self._wires[socket], self._waiting[socket] = wire, answer
        outgoing = self._wires[present.socket].outgoing_bytes if present is not None else 0
        admitted = False
        try:
            self._step(user, Newcomer(me, proof, takeover, outgoing))
            await answer
            admitted = True
            return me
        finally:
            self._waiting.pop(socket, None)
            if not admitted:
                self.left(user, socket)

    def left(self, user: str, socket: str) -> None:
        """A socket ended by itself. Unknown ones are fine."""
        if user in self._users:
            self._step(user, Gone(socket))
        self._wires.pop(socket, None)

    def present(self, user: str) -> str | None:
        """The user's socket now."""
        present = self._users.get(user, User()).present
        return present.socket if present is not None else None

    def _step(self, user: str, event: AdmissionEvent) -> None:
        before = self._users.get(user, User())
        after, actions = decide(before, event, self._clock.monotonic(), self._limits)
        self._users[user] = after
        for action in actions:
            self._do(user, before, action)

    def _do(self, user: str, before: User, action: Action) -> None:
        match action:
            case Admit(socket=socket):
                present = self._users[user].present
                assert present is not None and present.socket == socket
                self._answer(socket, present)
            case Refuse(socket=socket):
                self._answer(socket, _refused(action))
            case Ask(socket=socket):
                self._tasks.spawn("gateway probe", self._probe(user, socket))
            case End(socket=socket, why=why):
                self._wires.pop(socket, None)
                self._end(socket, why, before.probe.started if before.probe is not None else None)
            case _:
                assert_never(action)

    def _answer(self, socket: str, answer: Present | Refused) -> None:
        future = self._waiting.get(socket)
        if future is None or future.done():
            return
        if isinstance(answer, Refused):
            future.set_exception(answer)
        else:
            future.set_result(answer)

    async def _probe(self, user: str, socket: str) -> None:
        """Ask the present socket for a sign of life and report what is seen until the probe is decided."""
        wire, probe = self._wires.get(socket), self._users.get(user, User()).probe
        if wire is None or probe is None:
            return  # gone before this task began
        await wire.ping()
        while (current := self._users.get(user, User()).probe) is not None and current.newcomer == probe.newcomer:
            self._step(user, Observed(wire.received_at, wire.outgoing_bytes))
            await wire.stirred(_LOOK_S)

    def _sweep(self) -> None:
        now = self._clock.monotonic()
        if now - self._swept < self._limits.window_s:
            return
        self._swept = now
        self._users = {user: state for user, state in self._users.items() if not is_idle(state, now, self._limits)}


def _refused(refuse: Refuse) -> Refused:
    extra: dict[str, object] = {} if refuse.since_ms is None else {"since": refuse.since_ms}
    return Refused(refuse.code, retry_after_s=refuse.retry_after_s, extra=extra)
