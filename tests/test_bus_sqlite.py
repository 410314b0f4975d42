"""The durable bus passes the bus contract, and keeps the promises only a disk can break."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from orchestrator.bus.bus import Bus, Duplicate, Entry, Source, StatePut
from orchestrator.bus.reader import PAGE_ITEMS
from orchestrator.bus.retention import Retention
from orchestrator.bus.sqlite import SqliteBus
from orchestrator.clock import ManualClock
from orchestrator.errors import Refused
from orchestrator.model import Position
from tests.contracts.bus_changes import ChangeContract, DurableChangeContract
from tests.contracts.bus_history import DurableHistoryContract, HistoryContract
from tests.contracts.bus_messages import DurableMessageContract, MessageContract, message, whole_chat
from tests.contracts.bus_reading import ReadContract, nothing_more
from tests.contracts.bus_retention import RetentionContract
from tests.contracts.bus_suite import ANA, BEN, CommitContract, DurableContract, entry, event, numbers, position
from tests.support.bus import DurableBus


class SqliteBench:
    """A bus in a directory of its own."""

    def __init__(self, directory: Path) -> None:
        self.clock = ManualClock()
        self.files = DurableBus(directory, self.clock)

    @property
    def bus(self) -> SqliteBus:
        return self.files.bus

    async def limited(self, retention: Retention) -> SqliteBus:
        await self.files.close()
        self.files.retention = retention
        return await self.files.open()

    async def tidy(self, bus: Bus) -> None:
        assert bus is self.bus
        await self.bus.tidy()

    async def reopen(self) -> SqliteBus:
        return await self.files.crash()

    async def limit_pages(self, count: int | None) -> None:
        """Make the disk full for real as far as SQLite can tell, or give it room again."""

        def work(connection: sqlite3.Connection) -> None:
            (used,) = connection.execute("PRAGMA page_count").fetchone()
            connection.execute(f"PRAGMA max_page_count={used + count if count is not None else 2**31}")

        await self.files.database.write(work)


@pytest.fixture
async def bench(tmp_path: Path) -> AsyncIterator[SqliteBench]:
    made = SqliteBench(tmp_path)
    await made.files.open()
    yield made
    await made.files.close()
    assert made.files.failures == []


class TestCommit(CommitContract):
    """Writing."""


class TestRead(ReadContract):
    """Reading."""


class TestMessages(MessageContract):
    """Stored messages."""


class TestHistory(HistoryContract):
    """Past messages."""


class TestDurableHistory(DurableHistoryContract):
    """Past messages and kill -9."""


class TestChanges(ChangeContract):
    """Stored messages that change."""


class TestDurableChanges(DurableChangeContract):
    """What changed survives."""


class TestRetention(RetentionContract):
    """Letting go."""


class TestDurableMessages(DurableMessageContract):
    """Surviving."""


class TestDurable(DurableContract):
    """Surviving."""


async def test_waiting_commits_share_a_transaction(bench: SqliteBench) -> None:
    """Calls that wait are written together: 200 callers cost a handful of transactions."""
    await bench.bus.commit([entry(0)])
    written = []
    write = bench.files.database.write

    async def counting(work: object) -> object:
        written.append(work)
        return await write(work)  # type: ignore[arg-type]

    bench.files.database.write = counting  # type: ignore[assignment, method-assign]
    await asyncio.gather(*(bench.bus.commit([entry(number)]) for number in range(1, 201)))
    assert len(written) <= 3
    assert await numbers(bench.bus) == [f"evt_{number}" for number in range(201)]


async def test_a_full_disk_refuses_and_loses_nothing(bench: SqliteBench) -> None:
    """Commits on a full disk are refused as a whole and take no position; with room again they go on without a gap."""
    first = position((await bench.bus.commit([entry(1)]))[0])
    reader = await bench.bus.subscribe(ANA, first)
    await bench.limit_pages(0)
    big = Entry(ANA, event(2, data=b"x" * 100_000), (StatePut("bot/bot_a", b"2"),), Source("w", "inc", 1), "key")
    for _ in range(2):
        with pytest.raises(Refused) as refused:
            await bench.bus.commit([entry(3, user=BEN), big])
        assert (refused.value.code, refused.value.retryable) == ("storage_unavailable", True)
    assert await bench.bus.mark("inc") == 0
    assert (await bench.bus.snapshot(ANA)).values == {}
    await bench.limit_pages(None)
    outcomes = await bench.bus.commit([entry(3, user=BEN), big])
    assert outcomes[1] == Position(first.epoch, 2)
    assert position(outcomes[0]).seq == 1
    assert [one.position.seq for one in await reader.read() if not hasattr(one, "key")] == [2]
    assert await numbers(bench.bus) == ["evt_1", "evt_2"]


async def test_one_unwritable_entry_does_not_fail_others(bench: SqliteBench) -> None:
    """An entry SQLite cannot take fails its own call, with nothing of it written; calls in its group succeed."""
    poison = Entry(ANA, event(2), (StatePut("bot/\ud800", b"1"),))
    results = await asyncio.gather(
        bench.bus.commit([entry(1)]),
        bench.bus.commit([entry(9), poison]),
        bench.bus.commit([entry(3)]),
        return_exceptions=True,
    )
    assert isinstance(results[1], UnicodeEncodeError)
    assert await numbers(bench.bus) == ["evt_1", "evt_3"]
    await bench.bus.commit([entry(4)])
    assert await numbers(bench.bus) == ["evt_1", "evt_3", "evt_4"]


async def test_dedupe_keys_are_kept_thirty_days(bench: SqliteBench) -> None:
    """A key is known for 30 days, whatever happens to the server, and forgotten after."""
    received = Entry(ANA, event(1), dedupe="key")
    await bench.bus.commit([received])
    bench.clock.advance(29 * 86400)
    await bench.files.restart()
    assert await bench.bus.commit([received]) == [Duplicate()]
    bench.clock.advance(86400 + 1)
    await bench.files.restart()
    async with asyncio.timeout(10):
        while await bench.bus.commit([received]) == [Duplicate()]:
            await bench.bus.commit([entry(2, user=BEN)])  # until the tidier, started just now, had its turn
    assert (await numbers(bench.bus))[-1] == "evt_1"


async def test_a_sleeping_reader_holds_a_bounded_part_of_the_log(bench: SqliteBench) -> None:
    """The bus is the buffer: a reader that never reads holds at most a page in memory, whatever is committed."""
    reader = await bench.bus.subscribe(ANA, (await bench.bus.state(ANA)).head)
    for group in range(20):
        await bench.bus.commit([entry(group * 100 + part) for part in range(100)])
        assert reader.held <= PAGE_ITEMS
    reader.close()
    assert reader.held == 0


async def test_the_write_ahead_log_is_folded_in_beside_the_commits(bench: SqliteBench) -> None:
    """Under load the database file itself takes up what was committed, without waiting for 64 MB of log."""
    before = bench.files.path.stat().st_size
    async with asyncio.timeout(10):
        while bench.files.path.stat().st_size < before + 100_000:
            await bench.bus.commit([entry(number) for number in range(300)])


async def test_an_announcement_does_not_survive(bench: SqliteBench) -> None:
    """Codes are never written to the disk: after a restart there are none, and the file does not hold them."""
    bench.bus.announce(ANA, "bot_a/qr", event(1, data=b"the secret code"), bench.clock.wall_ms() + 60_000)
    head = position((await bench.bus.commit([entry(1)]))[0])
    await bench.files.restart()
    assert bench.bus.announced(ANA, "bot_a/qr") is None
    await nothing_more(await bench.bus.subscribe(ANA, head), bench.bus)
    for file in bench.files.path.parent.iterdir():
        assert b"the secret code" not in file.read_bytes()


async def test_erased_messages_are_overwritten(bench: SqliteBench) -> None:
    """After a deleted bot's erase and a clean stop, the data directory holds no trace of its messages."""
    await bench.bus.commit([entry(number, data=b"a private message %d" % number) for number in range(500)])
    await bench.bus.commit([message(number, number, "a private message@lid") for number in range(1000, 1500)])
    await bench.bus.commit([entry(900, bot="bot_b", data=b"somebody else's")])
    assert len(await whole_chat(bench.bus, 200)) == 500
    await bench.bus.erase(ANA, "bot_a")
    await bench.files.restart()
    everything = b"".join(file.read_bytes() for file in bench.files.path.parent.iterdir())
    assert b"a private message" not in everything
    assert b"somebody else's" in everything


async def test_what_waits_when_the_loop_is_torn_down_is_refused(bench: SqliteBench) -> None:
    """When the writing task is cancelled under it, a waiting commit is refused instead of waiting for ever."""
    waiting = [asyncio.ensure_future(bench.bus.commit([entry(number)])) for number in range(5)]
    await asyncio.sleep(0)
    await bench.files.tasks.close()
    results = await asyncio.gather(*waiting, return_exceptions=True)
    assert all(isinstance(one, Refused) and one.code == "server_draining" for one in results)
