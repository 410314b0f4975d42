"""Idempotency keys: a request is carried out once and answered the same."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from orchestrator.clock import ManualClock
from orchestrator.store.database import Database
from orchestrator.store.idempotency import KEEP_MS, Conflict, Fresh, Idempotency, Pending, Recorded

NOW = 1_790_000_000_000


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    opened = await Database.open(tmp_path / "orchestrator.db", ManualClock())
    yield opened
    await opened.close()


async def test_a_request_is_carried_out_once(database: Database) -> None:
    """Fresh, then pending, then the recorded answer; another body is a conflict throughout."""
    keys = Idempotency(database)
    first = await keys.reserve("ana", "k", b"body", NOW)
    assert isinstance(first, Fresh)
    assert not first.again
    assert await keys.reserve("ana", "k", b"body", NOW) == Pending()
    assert await keys.reserve("ana", "k", b"other", NOW) == Conflict()
    await keys.record("ana", "k", 202, b'{"id":1}')
    assert await keys.reserve("ana", "k", b"body", NOW) == Recorded(202, b'{"id":1}')
    assert await keys.reserve("ana", "k", b"other", NOW) == Conflict()


async def test_keys_belong_to_users(database: Database) -> None:
    """The same key of another user is another request."""
    keys = Idempotency(database)
    found = [await keys.reserve(user, "k", b"body", NOW) for user in ("ana", "ben")]
    assert isinstance(found[0], Fresh)
    assert isinstance(found[1], Fresh)
    assert found[0].operation != found[1].operation


async def test_of_equal_requests_at_once_one_is_fresh(database: Database) -> None:
    """Twenty equal requests at the same moment: one is carried out, nineteen are told that it is."""
    keys = Idempotency(database)
    found = await asyncio.gather(*(keys.reserve("ana", "k", b"body", NOW) for _ in range(20)))
    assert [type(one) for one in found].count(Fresh) == 1
    assert found.count(Pending()) == 19


async def test_keys_are_kept_a_day(database: Database) -> None:
    """After 24 h a key is forgotten, and not a millisecond before."""
    keys = Idempotency(database)
    await keys.reserve("ana", "k", b"body", NOW)
    await keys.record("ana", "k", 200, b"1")
    assert await keys.reserve("ana", "k", b"body", NOW + KEEP_MS - 1) == Recorded(200, b"1")
    assert isinstance(await keys.reserve("ana", "k", b"other", NOW + KEEP_MS), Fresh)


async def test_a_released_key_may_try_again(database: Database) -> None:
    """A request that did nothing gives its key back; a recorded answer cannot be released."""
    keys = Idempotency(database)
    await keys.reserve("ana", "k", b"body", NOW)
    await keys.release("ana", "k")
    assert isinstance(await keys.reserve("ana", "k", b"another body", NOW), Fresh)
    await keys.record("ana", "k", 200, b"1")
    await keys.release("ana", "k")
    assert await keys.reserve("ana", "k", b"another body", NOW) == Recorded(200, b"1")


async def test_a_request_cut_off_by_a_crash_is_taken_up_again(database: Database) -> None:
    """What an earlier run began and never answered is fresh again, once, under the same operation."""
    first = await Idempotency(database).reserve("ana", "k", b"body", NOW)
    assert isinstance(first, Fresh)
    after = Idempotency(database)
    assert await after.reserve("ana", "k", b"other", NOW) == Conflict()
    assert await after.reserve("ana", "k", b"body", NOW) == Fresh(first.operation, again=True)
    assert await after.reserve("ana", "k", b"body", NOW) == Pending()


async def test_an_attempt_given_up_is_taken_up_again_once(database: Database) -> None:
    """After `leave`, exactly one of many equal requests carries it out again, as the same operation; a request with
    another body doesn't use that up."""
    keys = Idempotency(database)
    first = await keys.reserve("ana", "k", b"body", NOW)
    assert isinstance(first, Fresh)
    keys.leave("ana", "k")
    assert await keys.reserve("ana", "k", b"other", NOW) == Conflict()
    found = await asyncio.gather(*(keys.reserve("ana", "k", b"body", NOW) for _ in range(5)))
    assert sorted(found, key=str) == [Fresh(first.operation, again=True), *[Pending()] * 4]
