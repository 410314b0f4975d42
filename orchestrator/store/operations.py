"""Rows operators look back at: the fleet's samples and incidents, each kept for a bounded time.

Owns rows only; what is in them is their writer's. Its neighbour is `orchestrator/operations/`.
"""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass

from orchestrator.store.database import Database

KEEP_SAMPLES_MS = 170 * 3_600_000
"""A week, and the hour that has just begun."""
KEEP_INCIDENTS_MS = 90 * 86_400_000
MOST_INCIDENTS = 2_000


@dataclass(frozen=True, slots=True)
class IncidentRow:
    """One incident as it is stored."""

    id: str
    since_ms: int
    until_ms: int | None
    data: bytes


class OperationRows:
    """Samples and incidents. Every method may raise Refused `storage_unavailable`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add_samples(self, taken: list[tuple[int, bytes]]) -> None:
        """Store samples, (when, data), oldest first, durable on return; those that are too old are removed on the way."""

        def work(connection: sqlite3.Connection) -> None:
            connection.executemany("INSERT OR REPLACE INTO fleet_samples (at, data) VALUES (?, ?)", taken)
            connection.execute("DELETE FROM fleet_samples WHERE at < ?", (taken[-1][0] - KEEP_SAMPLES_MS,))

        await self._database.write(work)

    async def samples(self, since_ms: int) -> list[bytes]:
        """Return the samples from a time on, oldest first."""

        def work(connection: sqlite3.Connection) -> list[bytes]:
            rows = connection.execute("SELECT data FROM fleet_samples WHERE at >= ? ORDER BY at", (since_ms,))
            return [data for (data,) in rows]

        return await self._database.read(work)

    async def last_sample_ms(self) -> int | None:
        """Return when the newest sample was taken; None when there is none."""

        def work(connection: sqlite3.Connection) -> int | None:
            (at_ms,) = connection.execute("SELECT max(at) FROM fleet_samples").fetchone()
            return None if at_ms is None else int(at_ms)

        return await self._database.read(work)

    async def put_incidents(self, rows: list[IncidentRow], now_ms: int) -> None:
        """Store incidents, new ones and changed ones; those that are too old, or too many, are removed on the way."""

        def work(connection: sqlite3.Connection) -> None:
            connection.executemany(
                "INSERT OR REPLACE INTO incidents (id, since, until, data) VALUES (?, ?, ?, ?)",
                [(row.id, row.since_ms, row.until_ms, row.data) for row in rows],
            )
            connection.execute("DELETE FROM incidents WHERE until < ?", (now_ms - KEEP_INCIDENTS_MS,))
            connection.execute(
                "DELETE FROM incidents WHERE id IN (SELECT id FROM incidents WHERE until IS NOT NULL "
                "ORDER BY until DESC LIMIT -1 OFFSET ?)",
                (MOST_INCIDENTS,),
            )

        await self._database.write(work)

    async def incidents(self, ended_after_ms: int) -> list[bytes]:
        """Return the incidents that are open or ended after a time, newest first."""

        def work(connection: sqlite3.Connection) -> list[bytes]:
            rows = connection.execute(
                "SELECT data FROM incidents WHERE until IS NULL OR until > ? ORDER BY since DESC", (ended_after_ms,)
            )
            return [data for (data,) in rows]

        return await self._database.read(work)

    async def open_incidents(self) -> list[bytes]:
        """Return the incidents without an end, oldest first."""

        def work(connection: sqlite3.Connection) -> list[bytes]:
            rows = connection.execute("SELECT data FROM incidents WHERE until IS NULL ORDER BY since")
            return [data for (data,) in rows]

        return await self._database.read(work)
