"""The contract of `Bus`, continued: reading, subscribing, announcing. See `bus_suite.py`."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress

import pytest

from orchestrator.bus.bus import Announced, Bus, Committed, Delivery, Duplicate, Entry, StatePut, Subscription
from orchestrator.errors import Refused
from orchestrator.model import Event, Position
from tests.contracts.bus_suite import ANA, BEN, Bench, entry, event, numbers, position, start

TIMEOUT_S = 10.0


def qr(text: str, bot: str = "bot_a") -> Event:
    return Event(ANA, bot, "whatsapp_connection_event", "qr", "evt_qr", 0, text.encode())


def shown(deliveries: Sequence[Delivery]) -> list[str]:
    """Names of what was delivered: ids of events, codes of announcements."""
    return [one.event.id if isinstance(one, Committed) else one.event.data.decode() for one in deliveries]


async def read_until(
    subscription: Subscription, done: Callable[[list[Delivery]], bool], limit: int = 256
) -> list[Delivery]:
    """Read on until enough is there."""
    found: list[Delivery] = []
    async with asyncio.timeout(TIMEOUT_S):
        while not done(found):
            page = await subscription.read(limit)
            assert 1 <= len(page) <= limit
            found += page
    return found


async def nothing_more(subscription: Subscription, bus: Bus, number: int = 999) -> None:
    """Show that the reader has nothing left: the next thing it gets is an event committed now."""
    await bus.commit([entry(number)])
    async with asyncio.timeout(TIMEOUT_S):
        assert shown(await subscription.read()) == [f"evt_{number}"]


def check_chain(found: Sequence[Delivery], after: Position) -> None:
    """Each event names the one before it: no gap, no overlap."""
    for one in found:
        if isinstance(one, Committed):
            assert one.prev == after
            assert one.position.seq > after.seq
            after = one.position


class ReadContract:
    """Paging, subscribing, announcing."""

    async def test_read_pages_after_a_position(self, bench: Bench) -> None:
        """`read` returns what comes after a position, at most `limit`, each naming the one before it."""
        await bench.bus.commit([entry(number) for number in range(1, 8)])
        first = await bench.bus.read(ANA, start(await bench.bus.state(ANA)), 3)
        second = await bench.bus.read(ANA, first[-1].position, 100)
        assert shown(first + second) == [f"evt_{number}" for number in range(1, 8)]
        assert len(first) == 3
        check_chain(first + second, start(await bench.bus.state(ANA)))
        assert await bench.bus.read(ANA, second[-1].position) == []

    async def test_a_position_that_cannot_be_continued_is_refused(self, bench: Bench) -> None:
        """Another epoch and a position above head are `position_expired`, with epoch and floor, for both ways to read."""
        await bench.bus.commit([entry(1)])
        head = (await bench.bus.state(ANA)).head
        for wrong in (Position("log_other", 0), Position("log_other", 1), Position(head.epoch, 2)):
            for way in (bench.bus.read, bench.bus.subscribe):
                with pytest.raises(Refused) as refused:
                    await way(ANA, wrong)
                assert refused.value.code == "position_expired"
                assert refused.value.extra == {"epoch": head.epoch, "floor": 0, "head": 1}

    async def test_replay_then_live(self, bench: Bench) -> None:
        """A subscription replays what was there, marked so, and goes on live without a gap."""
        await bench.bus.commit([entry(1), entry(2), entry(3)])
        after = Position((await bench.bus.state(ANA)).head.epoch, 1)
        subscription = await bench.bus.subscribe(ANA, after)
        await bench.bus.commit([entry(4), entry(5, user=BEN)])
        found = await read_until(subscription, lambda found: len(found) >= 3)
        await bench.bus.commit([entry(6)])
        found += await read_until(subscription, lambda found: len(found) >= 1)
        assert shown(found) == ["evt_2", "evt_3", "evt_4", "evt_6"]
        assert [one.replayed for one in found if isinstance(one, Committed)] == [True, True, False, False]
        check_chain(found, after)
        assert subscription.position == (await bench.bus.state(ANA)).head
        subscription.close()

    @pytest.mark.parametrize("limit", [1, 7, 256])
    async def test_no_gap_and_no_overlap_while_others_write(self, bench: Bench, limit: int) -> None:
        """Readers that attach at any moment while events are committed get every event once, in order."""
        total = 400

        async def write(writer: int) -> None:
            for number in range(total // 4):
                await bench.bus.commit([entry(writer * 1000 + number, data=b"x" * (number * 37 % 3000))])

        async def follow(delay: int) -> list[Delivery]:
            for _ in range(delay):
                await asyncio.sleep(0)
            subscription = await bench.bus.subscribe(ANA, begin)
            found = await read_until(subscription, lambda found: len(found) >= total, limit)
            subscription.close()
            return found

        begin = start(await bench.bus.state(ANA))
        results = await asyncio.gather(*map(follow, range(0, 200, 20)), *map(write, range(4)))
        committed = await numbers(bench.bus)
        for found in results[:10]:
            assert found is not None
            check_chain(found, begin)
            assert shown(found) == committed

    async def test_cancelling_a_read_loses_nothing(self, bench: Bench) -> None:
        """A read cancelled at any moment leaves everything to the next one."""
        begin = start(await bench.bus.state(ANA))
        subscription = await bench.bus.subscribe(ANA, begin)
        found: list[Delivery] = []
        for number in range(50):
            reading = asyncio.ensure_future(subscription.read())
            committing = asyncio.ensure_future(bench.bus.commit([entry(number)]))
            for _ in range(number % 7):
                await asyncio.sleep(0)
            reading.cancel()
            with suppress(asyncio.CancelledError):
                found += await reading
            await committing
        found += await read_until(subscription, lambda more: len(found) + len(more) >= 50)
        assert shown(found) == [f"evt_{number}" for number in range(50)]
        check_chain(found, begin)

    async def test_a_reader_far_behind_catches_up(self, bench: Bench) -> None:
        """A reader that slept through more than memory holds for it reads on from the log."""
        begin = start(await bench.bus.state(ANA))
        subscription = await bench.bus.subscribe(ANA, begin)
        for group in range(40):
            await bench.bus.commit([entry(group * 100 + part, data=b"x" * 500) for part in range(50)])
        found = await read_until(subscription, lambda found: len(found) >= 2000)
        check_chain(found, begin)
        assert shown(found) == await numbers(bench.bus)
        await nothing_more(subscription, bench.bus, 99_999)

    async def test_large_events_come_a_few_at_a_time(self, bench: Bench) -> None:
        """Events of up to 1 MiB are delivered live and replayed, without one page holding them all."""
        begin = start(await bench.bus.state(ANA))
        live = await bench.bus.subscribe(ANA, begin)
        await bench.bus.commit([entry(number, data=b"x" * (1024 * 1024)) for number in range(6)])
        for subscription in (live, await bench.bus.subscribe(ANA, begin)):
            assert len(await subscription.read()) == 1
            rest = await read_until(subscription, lambda found: len(found) >= 5)
            assert shown(rest) == [f"evt_{number}" for number in range(1, 6)]

    async def test_an_erased_bot_leaves_no_gap(self, bench: Bench) -> None:
        """Readers, waiting or behind, go on over an erased bot's events: `prev` is the last event they were given."""
        await bench.bus.commit([entry(1), entry(2, bot="bot_b"), entry(3)])
        begin = start(await bench.bus.state(ANA))
        waiting, behind = await bench.bus.subscribe(ANA, begin), await bench.bus.subscribe(ANA, begin)
        found = await read_until(waiting, lambda found: len(found) >= 3)
        await bench.bus.commit([entry(4), entry(5, bot="bot_b"), entry(6)])
        await bench.bus.erase(ANA, "bot_a")
        await bench.bus.commit([entry(7, bot="bot_b")])
        found += await read_until(waiting, lambda found: len(found) >= 2)
        assert shown(found) == ["evt_1", "evt_2", "evt_3", "evt_5", "evt_7"]
        check_chain(found, begin)
        late = await read_until(behind, lambda found: len(found) >= 3)
        assert shown(late) == ["evt_2", "evt_5", "evt_7"]
        check_chain(late, begin)

    async def test_a_log_whose_end_was_erased_goes_on(self, bench: Bench) -> None:
        """A reader of a log whose newest events were erased waits, and gets the next one."""
        await bench.bus.commit([entry(1), entry(2)])
        await bench.bus.erase(ANA, "bot_a")
        subscription = await bench.bus.subscribe(ANA, start(await bench.bus.state(ANA)))
        await nothing_more(subscription, bench.bus)

    async def test_closing_a_subscription_ends_its_read(self, bench: Bench) -> None:
        """A waiting `read` returns empty when the subscription or the bus is closed; closing again is fine."""
        head = (await bench.bus.state(ANA)).head
        first, second = await bench.bus.subscribe(ANA, head), await bench.bus.subscribe(ANA, head)
        reads = [asyncio.ensure_future(one.read()) for one in (first, second)]
        await asyncio.sleep(0)
        first.close()
        first.close()
        await bench.bus.close()
        assert [list(await one) for one in reads] == [[], []]
        assert list(await first.read()) == []

    async def test_announcements_reach_present_and_coming_readers(self, bench: Bench) -> None:
        """An announcement goes to readers that are there, and to coming ones after replay and before live events."""
        await bench.bus.commit([entry(1)])
        begin = start(await bench.bus.state(ANA))
        present = await bench.bus.subscribe(ANA, begin)
        expires = bench.clock.wall_ms() + 20_000
        bench.bus.announce(ANA, "bot_a/qr", qr("code 1"), expires)
        coming = await bench.bus.subscribe(ANA, begin)
        await bench.bus.commit([entry(2)])
        for subscription in (present, coming):
            found = await read_until(subscription, lambda found: len(found) >= 3)
            assert shown(found) == ["evt_1", "code 1", "evt_2"]
            assert found[1] == Announced("bot_a/qr", qr("code 1"), expires)
            check_chain(found, begin)

    async def test_an_announcement_keeps_its_place_among_events(self, bench: Bench) -> None:
        """What was committed before an announcement is delivered before it, also to a reader that is behind."""
        begin = start(await bench.bus.state(ANA))
        subscription = await bench.bus.subscribe(ANA, begin)
        await bench.bus.commit([entry(number) for number in range(300)])
        bench.bus.announce(ANA, "bot_a/qr", qr("code"), bench.clock.wall_ms() + 20_000)
        await bench.bus.commit([entry(number) for number in range(300, 600)])
        found = await read_until(subscription, lambda found: len(found) >= 601)
        assert shown(found).index("code") == 300
        check_chain(found, begin)

    async def test_only_the_newest_announcement_of_a_key_is_delivered(self, bench: Bench) -> None:
        """An unread announcement that was replaced or withdrawn, or has expired, is not delivered."""
        head = (await bench.bus.state(ANA)).head
        subscription = await bench.bus.subscribe(ANA, head)
        now_ms = bench.clock.wall_ms()
        for key, code in (("bot_a/qr", "1"), ("bot_a/qr", "2"), ("bot_a/code", "3"), ("bot_b/qr", "4")):
            bench.bus.announce(ANA, key, qr(code), now_ms + 20_000)
        bench.bus.announce(ANA, "bot_c/qr", qr("5"), now_ms + 1_000)
        bench.bus.announce(BEN, "bot_a/qr", qr("6"), now_ms + 20_000)
        bench.bus.withdraw(ANA, "bot_a/code")
        bench.bus.withdraw(ANA, "unknown")
        bench.clock.advance(1.0)
        assert shown(await subscription.read()) == ["2", "4"]
        assert bench.bus.announced(ANA, "bot_c/qr") is None
        assert bench.bus.announced(ANA, "bot_a/code") is None
        current = bench.bus.announced(ANA, "bot_a/qr")
        assert current is not None
        assert current.event.data == b"2"
        await nothing_more(subscription, bench.bus)

    async def test_announcements_take_no_position_and_are_not_stored(self, bench: Bench) -> None:
        """Announcing changes neither head nor values, and an expired code reaches no coming reader."""
        head = (await bench.bus.state(ANA)).head
        bench.bus.announce(ANA, "bot_a/qr", qr("code"), bench.clock.wall_ms() + 60_000)
        assert (await bench.bus.snapshot(ANA)).values == {}
        assert (await bench.bus.state(ANA)).head == head
        bench.clock.advance(60.0)
        await nothing_more(await bench.bus.subscribe(ANA, head), bench.bus)

    async def test_an_erased_bots_announcements_are_withdrawn(self, bench: Bench) -> None:
        """Erasing a bot ends its announcements, read or not; other bots' stay."""
        subscription = await bench.bus.subscribe(ANA, (await bench.bus.state(ANA)).head)
        bench.bus.announce(ANA, "bot_a/qr", qr("a"), bench.clock.wall_ms() + 60_000)
        bench.bus.announce(ANA, "bot_b/qr", qr("b", "bot_b"), bench.clock.wall_ms() + 60_000)
        await bench.bus.erase(ANA, "bot_a")
        assert bench.bus.announced(ANA, "bot_a/qr") is None
        assert shown(await subscription.read()) == ["b"]

    async def test_duplicates_reach_no_reader(self, bench: Bench) -> None:
        """A duplicate, and an entry without an event, is not delivered."""
        subscription = await bench.bus.subscribe(ANA, (await bench.bus.state(ANA)).head)
        first = Entry(ANA, event(1), dedupe="key")
        quiet = Entry(ANA, None, (StatePut("bot/bot_a", b"1"),))
        outcomes = await bench.bus.commit([first, first, quiet])
        assert position(outcomes[0]).seq == 1
        assert outcomes[1] == Duplicate()
        assert shown(await subscription.read()) == ["evt_1"]
        await nothing_more(subscription, bench.bus)
