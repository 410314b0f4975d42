"""The contract of `Bus` about letting go: limits by count, bytes and age, readers that are overtaken.

Part of the suite of `bus_suite.py`; it must never know a back end.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import replace

import pytest

from orchestrator.bus.bus import Bus, Duplicate, Entry, Source, StatePut
from orchestrator.bus.retention import Retention
from orchestrator.errors import Refused
from orchestrator.model import Position
from tests.contracts.bus_reading import check_chain, qr, read_until, shown
from tests.contracts.bus_suite import ANA, BEN, Bench, entry, event, numbers, start, whole_log

EVERYTHING = Retention(max_events=10**9, max_age_ms=10**15, max_bytes=10**12)
MARGIN_BYTES = 200


async def commit_each(bus: Bus, first: int, last: int, *, user: str = ANA, size: int = 2) -> None:
    """Commit events one by one."""
    for number in range(first, last + 1):
        await bus.commit([entry(number, user=user, data=b"x" * size)])


class RetentionContract:
    """What is kept, and what is said about the rest."""

    async def test_by_count(self, bench: Bench) -> None:
        """A log keeps its newest events, at least as many as the limit and at most a 64th more; others' logs are theirs."""
        bus = await bench.limited(replace(EVERYTHING, max_events=100))
        await commit_each(bus, 1, 3, user=BEN)
        for number in range(1, 301):
            await bus.commit([entry(number)])
            state = await bus.state(ANA)
            assert min(number, 100) <= state.head.seq - state.floor.seq <= 101
        floor = (await bus.state(ANA)).floor.seq
        assert await numbers(bus) == [f"evt_{number}" for number in range(floor + 1, 301)]
        assert await numbers(bus, BEN) == ["evt_1", "evt_2", "evt_3"]
        assert (await bus.state(BEN)).floor.seq == 0

    async def test_by_bytes(self, bench: Bench) -> None:
        """A log keeps its newest events up to the limit in bytes, and the newest one even when it alone is larger."""
        bus = await bench.limited(replace(EVERYTHING, max_bytes=10 * 1000))
        await commit_each(bus, 1, 50, size=1000 - MARGIN_BYTES)
        assert await numbers(bus) == [f"evt_{number}" for number in range(41, 51)]
        await commit_each(bus, 51, 51, size=20_000)
        assert await numbers(bus) == ["evt_51"]
        await commit_each(bus, 52, 52)
        assert await numbers(bus) == ["evt_52"]

    async def test_by_age(self, bench: Bench) -> None:
        """Events go when they are older than the limit, also those of a user nobody writes for; the log goes on."""
        bus = await bench.limited(replace(EVERYTHING, max_age_ms=3_600_000))
        await commit_each(bus, 1, 3)
        bench.clock.advance(1800)
        await commit_each(bus, 4, 5)
        bench.clock.advance(1801)
        await bench.tidy(bus)
        assert await numbers(bus) == ["evt_4", "evt_5"]
        bench.clock.advance(3600)
        await bench.tidy(bus)
        state = await bus.state(ANA)
        assert (state.floor.seq, state.head.seq) == (5, 5)
        assert await bus.commit([entry(6)]) == [Position(state.head.epoch, 6)]
        bench.clock.advance(1800)
        await bench.tidy(bus)
        assert await numbers(bus) == ["evt_6"]

    async def test_many_at_once(self, bench: Bench) -> None:
        """One call that is longer than the limit is committed whole; what is too much of it goes soon after."""
        bus = await bench.limited(replace(EVERYTHING, max_events=50))
        outcomes = await bus.commit([entry(number) for number in range(1, 2001)])
        assert len(outcomes) == 2000
        await bench.tidy(bus)
        assert await numbers(bus) == [f"evt_{number}" for number in range(1951, 2001)]

    async def test_only_events_go(self, bench: Bench) -> None:
        """Values, marks, dedupe keys and announcements are never subject to retention."""
        bus = await bench.limited(replace(EVERYTHING, max_events=5, max_age_ms=3_600_000))
        put = StatePut("bot/bot_a", b"1")
        await bus.commit([Entry(ANA, event(1), (put,), Source("wrk_1", "inc_1", 7), "key")])
        await commit_each(bus, 2, 50)
        bus.announce(ANA, "bot_a/qr", qr("code"), bench.clock.wall_ms() + 10**9)
        bench.clock.advance(7200)
        await bench.tidy(bus)
        assert await numbers(bus) == []
        assert (await bus.snapshot(ANA)).values == {"bot/bot_a": b"1"}
        assert await bus.mark("inc_1") == 7
        assert bus.announced(ANA, "bot_a/qr") is not None
        assert await bus.commit([Entry(ANA, event(60), dedupe="key")]) == [Duplicate()]

    async def test_positions_below_the_floor_are_refused(self, bench: Bench) -> None:
        """A position below the floor is `position_expired`, with floor, head and epoch; the floor itself is not."""
        bus = await bench.limited(replace(EVERYTHING, max_events=10))
        await commit_each(bus, 1, 30)
        floor, head = (await bus.state(ANA)).floor, (await bus.state(ANA)).head
        for way in (bus.read, bus.subscribe):
            with pytest.raises(Refused) as refused:
                await way(ANA, Position(floor.epoch, floor.seq - 1))
            assert refused.value.code == "position_expired"
            assert refused.value.extra == {"epoch": floor.epoch, "floor": floor.seq, "head": head.seq}
        assert (await bus.read(ANA, floor))[0].position.seq == floor.seq + 1
        assert (await bus.snapshot(ANA)).state == await bus.state(ANA)

    async def test_an_overtaken_reader_is_told(self, bench: Bench) -> None:
        """A reader whose next event is gone gets `position_expired` with the floor, every time it asks; never a gap."""
        bus = await bench.limited(replace(EVERYTHING, max_events=300))
        begin = (await bus.state(ANA)).head
        reader = await bus.subscribe(ANA, begin)
        await bus.commit([entry(number) for number in range(1, 301)])
        found = await read_until(reader, lambda found: len(found) >= 10, limit=10)
        await commit_each(bus, 301, 1200)
        with pytest.raises(Refused) as refused:
            while True:
                found += await reader.read(50)
        check_chain(found, begin)
        floor = (await bus.state(ANA)).floor
        assert refused.value.code == "position_expired"
        assert refused.value.extra == {"epoch": floor.epoch, "floor": floor.seq, "head": 1200}
        assert reader.position.seq < floor.seq
        with pytest.raises(Refused):
            await reader.read()
        reader.close()
        assert list(await reader.read()) == []

    async def test_replay_while_writing(self, bench: Bench) -> None:
        """While a log is written and cut all the time, readers get an unbroken chain, or `position_expired`: nothing else."""
        bus = await bench.limited(replace(EVERYTHING, max_events=120, max_bytes=100_000))
        total = 1500
        ended: list[str] = []

        async def write(writer: int) -> None:
            for number in range(total // 3):
                await bus.commit([entry(writer * 1000 + number, data=b"x" * (number * 37 % 3000))])

        async def follow(pause: int) -> None:
            while True:
                reader = await bus.subscribe(ANA, (await bus.snapshot(ANA)).state.head)
                after = reader.position
                try:
                    while after.seq < total:
                        page = await reader.read(40)
                        check_chain(page, after)
                        after = reader.position
                        for _ in range(pause):
                            await asyncio.sleep(0)
                    ended.append("read")
                    return
                except Refused as refused:
                    assert refused.code == "position_expired"
                    ended.append("expired")
                    if (await bus.state(ANA)).head.seq == total:
                        return
                finally:
                    reader.close()

        async def page_through() -> None:
            while (state := await bus.state(ANA)).head.seq < total:
                with suppress(Refused):
                    page = await bus.read(ANA, state.floor, 30)
                    check_chain(page, state.floor)
                    seqs = [one.position.seq for one in page]
                    assert seqs == list(range(state.floor.seq + 1, state.floor.seq + 1 + len(seqs)))
                await asyncio.sleep(0)

        async with asyncio.timeout(30):
            await asyncio.gather(*map(follow, (0, 1, 50, 400)), *map(write, range(3)), page_through())
        assert "read" in ended
        await bench.tidy(bus)
        log = await whole_log(bus)
        assert [one.position.seq for one in log] == list(range(log[0].position.seq, total + 1))

    async def test_erased_events_do_not_count(self, bench: Bench) -> None:
        """What a deleted bot wrote takes no room in bytes any more, and readers go over it and the floor."""
        bus = await bench.limited(replace(EVERYTHING, max_bytes=10 * 1000))
        for number in range(1, 9):
            await bus.commit([entry(number, bot=f"bot_{number % 2}", data=b"x" * (1000 - MARGIN_BYTES))])
        await bus.erase(ANA, "bot_1")
        await commit_each(bus, 9, 14, size=1000 - MARGIN_BYTES)
        kept = ["evt_2", "evt_4", "evt_6", "evt_8", *(f"evt_{number}" for number in range(9, 15))]
        assert await numbers(bus) == kept
        reader = await bus.subscribe(ANA, start(await bus.state(ANA)))
        assert shown(await read_until(reader, lambda found: len(found) >= 10)) == kept
        reader.close()
