"""A reader between memory and log: what it keeps, when it reads on, how it merges."""

from __future__ import annotations

import asyncio

import pytest

from orchestrator.bus.bus import Committed
from orchestrator.bus.reader import PAGE_BYTES, PAGE_ITEMS, Item, Page, Reader, Readers, chain, cut
from orchestrator.errors import Refused
from orchestrator.model import Event, Position
from tests.contracts.bus_suite import event


class Log:
    """A log whose pages come when the test lets them."""

    def __init__(self, count: int = 0) -> None:
        self.items: list[Item] = [(seq, event(seq)) for seq in range(1, count + 1)]
        self.fetches: list[tuple[int, int]] = []
        self.gate = asyncio.Event()
        self.gate.set()

    async def fetch(self, after: int, upto: int) -> Page:
        self.fetches.append((after, upto))
        await self.gate.wait()
        return cut([item for item in self.items if after < item[0] <= upto], PAGE_ITEMS, upto)

    def append(self, reader: Reader, count: int = 1) -> None:
        head = len(self.items)
        fresh = [(seq, event(seq)) for seq in range(head + 1, head + count + 1)]
        self.items += fresh
        reader.push(fresh, head + count)

    def reader(self, after: int = 0) -> Reader:
        return Reader(Position("log", after), len(self.items), self.fetch, (), lambda: 0)


async def seqs(reader: Reader, count: int) -> list[int]:
    found: list[int] = []
    async with asyncio.timeout(5):
        while len(found) < count:
            found += [one.position.seq for one in await reader.read() if isinstance(one, Committed)]
    return found


async def test_a_reader_that_keeps_up_never_reads_the_log() -> None:
    """Live delivery is from memory alone."""
    log = Log(5)
    reader = log.reader(after=5)
    for number in range(6, 100):
        log.append(reader)
        assert await seqs(reader, 1) == [number]
    assert log.fetches == []


async def test_what_is_committed_while_a_page_is_read_is_merged() -> None:
    """Attach first, read second: the page and what came meanwhile join without gap or overlap, in one fetch."""
    log = Log(5)
    log.gate.clear()
    reader = log.reader(after=2)
    reading = asyncio.ensure_future(seqs(reader, 6))
    await asyncio.sleep(0)
    log.append(reader)
    log.append(reader, 2)
    log.gate.set()
    assert await reading == [3, 4, 5, 6, 7, 8]
    assert log.fetches == [(2, 5)]


async def test_a_cancelled_page_is_read_again() -> None:
    """A read cancelled inside a fetch, with commits before and after, loses nothing."""
    log = Log(3)
    log.gate.clear()
    reader = log.reader()
    reading = asyncio.ensure_future(reader.read())
    await asyncio.sleep(0)
    log.append(reader)
    reading.cancel()
    await asyncio.sleep(0)
    log.append(reader)
    log.gate.set()
    assert await seqs(reader, 5) == [1, 2, 3, 4, 5]


@pytest.mark.parametrize("during_fetch", [False, True])
async def test_memory_holds_a_bounded_part(during_fetch: bool) -> None:
    """However much is committed unread, a reader holds two pages at most, and reads the rest from the log."""
    log = Log(1)
    reader = log.reader(after=0 if during_fetch else 1)
    log.gate.clear()
    reading = asyncio.ensure_future(reader.read()) if during_fetch else None
    await asyncio.sleep(0)
    for _ in range(50):
        log.append(reader, 40)
        assert reader.held <= 2 * PAGE_ITEMS
    log.gate.set()
    first = [one.position.seq for one in await reading if isinstance(one, Committed)] if reading is not None else []
    assert first + await seqs(reader, 2001 - (not during_fetch) - len(first)) == list(range(2 - during_fetch, 2002))


async def test_a_reader_overtaken_by_retention_is_told() -> None:
    """A refusal of the log (`position_expired`) reaches the reader's caller, every time it asks."""

    async def expired(after: int, upto: int) -> Page:
        raise Refused("position_expired")

    reader = Reader(Position("log", 0), 5, expired, (), lambda: 0)
    for _ in range(2):
        with pytest.raises(Refused):
            await reader.read()


async def test_closing_inside_a_fetch_ends_the_read() -> None:
    """A reader closed while its page is being read returns empty and keeps nothing."""
    log = Log(3)
    log.gate.clear()
    reader = log.reader()
    reading = asyncio.ensure_future(reader.read())
    await asyncio.sleep(0)
    reader.close()
    log.gate.set()
    assert list(await reading) == []
    assert reader.held == 0


async def test_a_closed_reader_is_let_go() -> None:
    """Readers that come and go leave nothing behind, in any order of closing."""
    readers = Readers(lambda: 0)
    log = Log()
    first = readers.attach("ana", Position("log", 0), 0, log.fetch)
    first.close()
    second = readers.attach("ana", Position("log", 0), 0, log.fetch)
    first.close()
    readers.push("ana", [(1, event(1))], 1)
    assert await seqs(second, 1) == [1]
    readers.close()
    assert list(await second.read()) == []


def test_a_page_ends_by_count_or_by_bytes() -> None:
    """A page holds at most `limit` events and about PAGE_BYTES, but always one; its end says what it covers."""
    small: list[Item] = [(seq, event(seq)) for seq in range(1, 6)]
    assert cut(small, 5, 9) == Page(small, 9)
    assert cut(small, 3, 9) == Page(small[:3], 3)
    assert cut([], 3, 9) == Page([], 9)
    large: list[Item] = [(seq, event(seq, data=b"x" * PAGE_BYTES)) for seq in (2, 4)]
    assert cut(large, 5, 9) == Page(large[:1], 2)
    assert cut(large[1:], 5, 9) == Page(large[1:], 9)


def test_a_chain_names_the_one_before() -> None:
    """Each event names the position before it in what was read, not in the log."""
    items: list[tuple[int, Event]] = [(4, event(4)), (9, event(9))]
    assert [(one.prev.seq, one.position.seq) for one in chain(items, Position("log", 2))] == [(2, 4), (4, 9)]
