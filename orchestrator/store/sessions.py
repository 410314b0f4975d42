"""Who may sign in locally, and the cookie sessions they hold, by hash.

Owns rows only: it makes no cookie, knows no clock but the one handed in, and never sees a cookie's value. Its neighbour
is `orchestrator/auth/`, which does.
"""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass

from orchestrator.clock import Clock
from orchestrator.store.database import Database


@dataclass(frozen=True, slots=True)
class SessionRow:
    """A cookie session. The caller compares `expires_at_ms` with its clock."""

    user: str
    operator: bool
    created_at_ms: int
    expires_at_ms: int


class Sessions:
    """Cookie sessions by the hash of their value. Every method may raise Refused `storage_unavailable`."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    async def add(self, id_hash: bytes, user: str, operator: bool, expires_at_ms: int) -> None:
        """Store a session, durable on return; sessions that have expired are removed on the way."""
        now_ms = self._clock.wall_ms()

        def work(connection: sqlite3.Connection) -> None:
            connection.execute("DELETE FROM sessions WHERE expires_at <= ?", (now_ms,))
            connection.execute(
                "INSERT INTO sessions (id_hash, user, operator, created_at, expires_at) VALUES (?, ?, ?, ?, ?)",
                (id_hash, user, operator, now_ms, expires_at_ms),
            )

        await self._database.write(work)

    async def get(self, id_hash: bytes) -> SessionRow | None:
        """Return the session, expired or not; None when there is none (any more)."""

        def work(connection: sqlite3.Connection) -> SessionRow | None:
            row = connection.execute(
                "SELECT user, operator, created_at, expires_at FROM sessions WHERE id_hash = ?", (id_hash,)
            ).fetchone()
            return None if row is None else SessionRow(row[0], bool(row[1]), row[2], row[3])

        return await self._database.read(work)

    async def revoke(self, id_hash: bytes) -> None:
        """End a session, durable on return. Unknown ones are fine."""
        await self._delete("DELETE FROM sessions WHERE id_hash = ?", id_hash)

    async def revoke_all(self, user: str) -> None:
        """End every session of a user."""
        await self._delete("DELETE FROM sessions WHERE user = ?", user)

    async def _delete(self, sql: str, parameter: bytes | str) -> None:
        def work(connection: sqlite3.Connection) -> None:
            connection.execute(sql, (parameter,))

        await self._database.write(work)


class Users:
    """The people of local authentication. Every method may raise Refused `storage_unavailable`."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    async def ensure(self, user: str, operator: bool) -> bool:
        """Store the user if they are not there yet; return whether they are an operator (as stored first)."""
        now_ms = self._clock.wall_ms()

        def work(connection: sqlite3.Connection) -> bool:
            connection.execute("INSERT OR IGNORE INTO users VALUES (?, ?, ?)", (user, operator, now_ms))
            (stored,) = connection.execute("SELECT operator FROM users WHERE user = ?", (user,)).fetchone()
            return bool(stored)

        return await self._database.write(work)

    async def operators(self) -> list[str]:
        """Return the operators, in order of their names."""

        def work(connection: sqlite3.Connection) -> list[str]:
            return [user for (user,) in connection.execute("SELECT user FROM users WHERE operator = 1 ORDER BY user")]

        return await self._database.read(work)
