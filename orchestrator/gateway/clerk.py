"""Carries the commands of clients out, each id once in 24 h, and says what was accepted.

Owns the meeting of a command with the fleet, the outbox and the store of answers. A command outlives the socket that
brought it; a client that comes back and sends it again gets the same answer. It must never know a socket. Read
`command.py` for the envelope, `orchestrator/store/idempotency.py` for what is kept.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Protocol, assert_never

import msgspec

from orchestrator.bus.bus import Bus
from orchestrator.clock import Clock
from orchestrator.errors import Refused
from orchestrator.gateway.command import Command, accepted, read_command, rejected
from orchestrator.ports import Bodies, Fleet, Outbox
from orchestrator.store.idempotency import Conflict, Fresh, Pending, Recorded, Reservation
from orchestrator.tasks import Tasks

_DONE = 200
_SECRET = b""
"""Kept instead of an answer that holds a secret."""


class Keys(Protocol):
    """What `store.idempotency.Idempotency` offers; its docstrings hold."""

    async def reserve(self, user: str, key: str, body_hash: bytes, now_ms: int) -> Reservation: ...

    async def record(self, user: str, key: str, status: int, body: bytes) -> None: ...

    async def release(self, user: str, key: str) -> None: ...

    def leave(self, user: str, key: str) -> None: ...


@dataclass(frozen=True, slots=True)
class ClerkParts:
    """What commands are carried out with."""

    fleet: Fleet
    outbox: Outbox
    keys: Keys
    bodies: Bodies


@dataclass(frozen=True, slots=True)
class _Running:
    digest: bytes
    answer: asyncio.Task[bytes]


class Clerk:
    """One per gateway. Answers are finished JSON of the acknowledgement's argument."""

    def __init__(self, parts: ClerkParts, bus: Bus, clock: Clock, tasks: Tasks) -> None:
        self._parts = parts
        self._bus = bus
        self._clock = clock
        self._tasks = tasks
        self._running: dict[tuple[str, str], _Running] = {}

    async def answer(self, user: str, raw: object) -> bytes:
        """Carry a command out, or find what became of it. Cancelling the caller does not undo or stop it.

        Returns:
            {ok: true, result} or {ok: false, error}; a refused command was not carried out, its id may be used again.
        """
        try:
            command = read_command(raw)
            return await self._once(user, command)
        except Refused as refused:
            return rejected(refused)

    async def _once(self, user: str, command: Command) -> bytes:
        name = (user, command.id)
        running = self._running.get(name)
        if running is None:
            task = self._tasks.spawn("gateway command", self._carry_out(user, command))
            running = self._running[name] = _Running(command.digest, task)
            task.add_done_callback(lambda _: self._running.pop(name))
        elif running.digest != command.digest:
            raise Refused("idempotency_conflict", _CONFLICT)
        return await asyncio.shield(running.answer)

    async def _carry_out(self, user: str, command: Command) -> bytes:
        try:
            return await self._reserved(user, command)
        except Refused as refused:
            return rejected(refused)

    async def _reserved(self, user: str, command: Command) -> bytes:
        key = f"command/{command.id}"
        reservation = await self._parts.keys.reserve(user, key, command.digest, self._clock.wall_ms())
        match reservation:
            case Recorded(body=body):
                return body if body != _SECRET else self._on_offer(user, command.bot)
            case Conflict():
                raise Refused("idempotency_conflict", _CONFLICT)
            case Pending():
                raise Refused("rate_limited", "This command is being carried out; ask again.", retry_after_s=1.0)
            case Fresh():
                return await self._fresh(user, key, command, reservation)
            case _:
                assert_never(reservation)

    async def _fresh(self, user: str, key: str, command: Command, fresh: Fresh) -> bytes:
        keys = self._parts.keys
        try:
            answer = accepted(await self._do(user, command, fresh))
        except Refused:
            await self._give_back(user, key)
            raise
        except BaseException:
            keys.leave(user, key)
            raise
        try:
            await keys.record(user, key, _DONE, _SECRET if command.action == "pairing_code" else answer)
        except BaseException:
            keys.leave(user, key)  # it is done, and the next attempt finds that
            raise
        return answer

    async def _give_back(self, user: str, key: str) -> None:
        """Nothing was done: the same id may try again, also when the store cannot be told so now."""
        try:
            await self._parts.keys.release(user, key)
        except Refused:
            self._parts.keys.leave(user, key)

    async def _do(self, user: str, command: Command, fresh: Fresh) -> object:
        fleet, outbox, bodies, bot = self._parts.fleet, self._parts.outbox, self._parts.bodies, command.bot
        match command.action:
            case "start":
                return await fleet.start(user, bot)
            case "stop":
                return await fleet.stop(user, bot)
            case "restart":
                # One that an earlier run may have begun is not begun again: that run's end was a restart as well.
                return await (fleet.bot if fresh.again else fleet.restart)(user, bot)
            case "logout":
                return {"unlinked": await fleet.logout(user, bot)}
            case "link":
                return await fleet.link(user, bot, bodies.link(command.fields))
            case "pairing_code":
                return await fleet.pairing_code(user, bot, bodies.phone(command.fields))
            case "send":
                job = "job_" + fresh.operation.removeprefix("op_")
                return await outbox.submit(user, bot, bodies.message(command.fields), job)
            case _:
                assert_never(command.action)

    def _on_offer(self, user: str, bot: str) -> bytes:
        """Answer a repeated `pairing_code`: codes are never stored, so it is the one on offer now, or none."""
        announced = self._bus.announced(user, f"{bot}/pairing_code")
        if announced is None:
            raise Refused("no_code_on_offer")
        return accepted(msgspec.Raw(announced.event.data))


_CONFLICT = "This id was used for another command. Use a new id."
