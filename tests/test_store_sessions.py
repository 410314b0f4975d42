"""Cookie sessions and local users, as rows."""

from __future__ import annotations

from collections.abc import AsyncIterator
from hashlib import sha256
from pathlib import Path

import pytest

from orchestrator.clock import ManualClock
from orchestrator.store.database import Database
from orchestrator.store.sessions import SessionRow, Sessions, Users


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
async def database(tmp_path: Path, clock: ManualClock) -> AsyncIterator[Database]:
    opened = await Database.open(tmp_path / "orchestrator.db", clock)
    yield opened
    await opened.close()


def hashed(cookie: str) -> bytes:
    return sha256(cookie.encode()).digest()


async def test_a_session_is_found_until_it_is_revoked(database: Database, clock: ManualClock) -> None:
    """A session is found by its hash alone, as it was stored, until it is revoked; revoking twice is fine."""
    sessions, now_ms = Sessions(database, clock), clock.wall_ms()
    await sessions.add(hashed("a"), "ana", True, now_ms + 1000)
    await sessions.add(hashed("b"), "ben", False, now_ms + 2000)
    assert await sessions.get(hashed("a")) == SessionRow("ana", True, now_ms, now_ms + 1000)
    assert await sessions.get(hashed("c")) is None
    for _ in range(2):
        await sessions.revoke(hashed("a"))
        assert await sessions.get(hashed("a")) is None
    assert await sessions.get(hashed("b")) == SessionRow("ben", False, now_ms, now_ms + 2000)


async def test_all_sessions_of_a_user_can_be_revoked(database: Database, clock: ManualClock) -> None:
    """`revoke_all` ends one user's sessions and nobody else's."""
    sessions, later = Sessions(database, clock), clock.wall_ms() + 1000
    for cookie, user in (("a", "ana"), ("b", "ana"), ("c", "ben")):
        await sessions.add(hashed(cookie), user, False, later)
    await sessions.revoke_all("ana")
    found = [await sessions.get(hashed(cookie)) for cookie in "abc"]
    assert [row.user if row else None for row in found] == [None, None, "ben"]


async def test_expired_sessions_are_removed_in_time(database: Database, clock: ManualClock) -> None:
    """An expired session is kept at most until the next one is added."""
    sessions = Sessions(database, clock)
    await sessions.add(hashed("a"), "ana", False, clock.wall_ms() + 1000)
    clock.advance(1.0)
    assert await sessions.get(hashed("a")) is not None
    await sessions.add(hashed("b"), "ana", False, clock.wall_ms() + 1000)
    assert await sessions.get(hashed("a")) is None
    assert await sessions.get(hashed("b")) is not None


async def test_sessions_survive_a_restart(tmp_path: Path, clock: ManualClock) -> None:
    """A restart signs nobody out, and what was revoked stays revoked."""
    for cookies in ("", "b"):
        database = await Database.open(tmp_path / "again.db", clock)
        sessions = Sessions(database, clock)
        if not cookies:
            await sessions.add(hashed("a"), "ana", False, clock.wall_ms() + 1000)
            await sessions.add(hashed("b"), "ana", False, clock.wall_ms() + 1000)
            await sessions.revoke(hashed("a"))
        found = [await sessions.get(hashed(cookie)) is not None for cookie in "ab"]
        assert found == [False, True]
        await database.close()


async def test_users_keep_what_they_were_first(database: Database, clock: ManualClock) -> None:
    """`ensure` stores a user once and answers with what is stored; operators are listed by name."""
    users = Users(database, clock)
    assert await users.operators() == []
    answers = [await users.ensure(*who) for who in (("zoe", True), ("ben", False), ("local", True), ("ben", True))]
    assert answers == [True, False, True, False]
    assert await users.operators() == ["local", "zoe"]
