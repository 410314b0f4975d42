"""What requests with an Idempotency-Key answered: the same request is carried out once and answered the same.

Owns rows only; it must never know HTTP or what an operation does. Its neighbour is `orchestrator/api/`.
"""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass

from orchestrator.model import new_id
from orchestrator.store.database import Database

KEEP_MS = 24 * 3600 * 1000


@dataclass(frozen=True, slots=True)
class Fresh:
    """Carry it out, then `record` (or `release` when nothing was done)."""

    operation: str
    """Name of this request for good, also for a later attempt after a crash: use it as the key of what is created, and
    a second attempt finds what the first one left."""
    again: bool
    """True when an earlier attempt began it and recorded no answer: the server died, or the attempt was left."""


@dataclass(frozen=True, slots=True)
class Conflict:
    """The key was used with another body: answer `idempotency_conflict`."""


@dataclass(frozen=True, slots=True)
class Pending:
    """The same request is being carried out at this moment."""


@dataclass(frozen=True, slots=True)
class Recorded:
    """It was carried out: answer this."""

    status: int
    body: bytes


Reservation = Fresh | Conflict | Pending | Recorded


class Idempotency:
    """Keys of one server's run. Every method may raise Refused `storage_unavailable`."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._run = new_id("run")
        self._left: set[tuple[str, str]] = set()

    async def reserve(self, user: str, key: str, body_hash: bytes, now_ms: int) -> Reservation:
        """Claim a key for one request, or tell what became of it; keys older than 24 h are forgotten on the way.

        Of several equal requests at once exactly one gets `Fresh`.
        """
        fresh = new_id("op")
        left = (user, key) in self._left
        self._left.discard((user, key))  # now, not after the write: of two equal requests at once only one may have it

        def work(connection: sqlite3.Connection) -> Reservation:
            connection.execute("DELETE FROM idempotency WHERE at <= ?", (now_ms - KEEP_MS,))
            row = connection.execute(
                "SELECT body_hash, operation, run, status, body FROM idempotency WHERE user = ? AND key = ?",
                (user, key),
            ).fetchone()
            if row is None:
                connection.execute(
                    "INSERT INTO idempotency (user, key, body_hash, operation, run, at) VALUES (?, ?, ?, ?, ?, ?)",
                    (user, key, body_hash, fresh, self._run, now_ms),
                )
                return Fresh(fresh, again=False)
            stored_hash, operation, run, status, body = row
            if stored_hash != body_hash:
                return Conflict()
            if status is not None:
                return Recorded(status, body)
            if run == self._run and not left:
                return Pending()
            connection.execute("UPDATE idempotency SET run = ? WHERE user = ? AND key = ?", (self._run, user, key))
            return Fresh(operation, again=True)

        reserved: Reservation | None = None
        try:
            reserved = await self._database.write(work)
        finally:
            if left and not isinstance(reserved, Fresh | Recorded):
                self._left.add((user, key))
        return reserved

    def leave(self, user: str, key: str) -> None:
        """Give up an attempt that may have done something: the next one gets the same `operation`."""
        self._left.add((user, key))

    async def record(self, user: str, key: str, status: int, body: bytes) -> None:
        """Store the answer, durable on return."""
        await self._run_sql(
            "UPDATE idempotency SET status = ?, body = ? WHERE user = ? AND key = ?", (status, body, user, key)
        )

    async def release(self, user: str, key: str) -> None:
        """Give an unanswered key back: nothing was done, and the same key may try again."""
        await self._run_sql("DELETE FROM idempotency WHERE user = ? AND key = ? AND status IS NULL", (user, key))

    async def _run_sql(self, sql: str, parameters: tuple[object, ...]) -> None:
        def work(connection: sqlite3.Connection) -> None:
            connection.execute(sql, parameters)

        await self._database.write(work)
