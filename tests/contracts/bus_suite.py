"""The contract of `Bus`: one suite for every back end, which differ only in the `Features` they declare.

A test module subclasses the classes here and gives them a fixture `bench`. Owns the rules of writing, values and
dedupes; reading and announcing are in `bus_reading.py`. It must never know a back end.
"""

from __future__ import annotations

import asyncio
from typing import Protocol

import pytest

from orchestrator.bus.bus import Bus, Committed, Duplicate, Entry, LogState, Outcome, Source, StatePut, Stored
from orchestrator.bus.retention import Retention
from orchestrator.clock import ManualClock
from orchestrator.errors import Refused
from orchestrator.model import Event, Position

ANA, BEN = "ana", "ben"


class Bench(Protocol):
    """One back end under test."""

    clock: ManualClock

    @property
    def bus(self) -> Bus:
        """The bus, open."""
        ...

    async def limited(self, retention: Retention) -> Bus:
        """Another bus, empty, with these limits."""
        ...

    async def tidy(self, bus: Bus) -> None:
        """Let time's part of retention be done now."""
        ...

    async def reopen(self) -> Bus:
        """End as kill -9 does and open what is left; only asked of durable back ends."""
        ...


def event(number: int, *, user: str = ANA, bot: str | None = "bot_a", data: bytes = b"{}") -> Event:
    return Event(user, bot, "message_sync", "message", f"evt_{number}", 1_790_000_000_000 + number, data, None, None)


def entry(number: int, *, user: str = ANA, bot: str | None = "bot_a", data: bytes = b"{}") -> Entry:
    """An entry with nothing but an event."""
    return Entry(user, event(number, user=user, bot=bot, data=data))


def position(outcome: Outcome) -> Position:
    assert isinstance(outcome, Position), outcome
    return outcome


def start(state: LogState) -> Position:
    """The place before the first event a log still holds."""
    return state.floor


async def whole_log(bus: Bus, user: str = ANA) -> list[Committed]:
    """Read everything, page by page, checking that each event names the one before it."""
    found: list[Committed] = []
    after = start(await bus.state(user))
    while page := await bus.read(user, after):
        for committed in page:
            assert committed.prev == after
            after = committed.position
        found += page
    return found


async def numbers(bus: Bus, user: str = ANA) -> list[str]:
    return [committed.event.id for committed in await whole_log(bus, user)]


class CommitContract:
    """Order, values, dedupes, erasing, ending."""

    async def test_positions_rise_by_one_per_user(self, bench: Bench) -> None:
        """`seq` starts at 1 and rises by one per event in each user's own log."""
        outcomes = await bench.bus.commit([entry(1), entry(2, user=BEN), entry(3), entry(4)])
        outcomes += await bench.bus.commit([entry(5, user=BEN)])
        ana, ben = (await bench.bus.state(ANA)).head, (await bench.bus.state(BEN)).head
        assert [position(outcome).seq for outcome in outcomes] == [1, 1, 2, 3, 2]
        assert (ana, ben) == (outcomes[3], outcomes[4])
        assert ana.epoch != ben.epoch

    async def test_a_user_nobody_wrote_for_has_an_epoch(self, bench: Bench) -> None:
        """An empty log has an epoch, and keeps it when it is first written to."""
        before = await bench.bus.state("nobody")
        assert (before.head.seq, before.floor) == (0, before.head)
        (first,) = await bench.bus.commit([entry(1, user="nobody")])
        assert position(first) == Position(before.head.epoch, 1)

    async def test_order_within_and_between_calls(self, bench: Bench) -> None:
        """Order within a call, and between calls of one caller that awaits each, is kept."""

        async def caller(name: int) -> None:
            for step in range(5):
                await bench.bus.commit([entry(name * 100 + step * 10 + part) for part in range(3)])

        await asyncio.gather(*(caller(name) for name in range(1, 8)))
        log = await whole_log(bench.bus)
        assert [one.position.seq for one in log] == list(range(1, 7 * 5 * 3 + 1))
        for name in range(1, 8):
            mine = [one.event.at for one in log if (one.event.at - 1_790_000_000_000) // 100 == name]
            assert mine == sorted(mine)
            assert len(mine) == 15

    async def test_events_come_back_as_they_went_in(self, bench: Bench) -> None:
        """Every field of an event survives, whatever characters and bytes it holds, up to 1 MiB."""
        odd = "usér/\x00% _'\U0001f600"
        given = [
            Event(odd, None, "connection_update", "ready", "evt_1", 1, b"\x00\xff" * 10),
            Event(odd, "bot_a", "bot_status_update", "status", "evt_2", 2, b"{}", "connected", 7),
            Event(odd, "bot_b", "message_sync", "message", "evt_3", 3, b"x" * (1024 * 1024)),
        ]
        await bench.bus.commit([Entry(odd, one) for one in given])
        assert [committed.event for committed in await whole_log(bench.bus, odd)] == given

    async def test_an_entry_without_an_event_is_stored(self, bench: Bench) -> None:
        """An entry without an event writes its values and takes no position."""
        outcomes = await bench.bus.commit([Entry(ANA, None, (StatePut("bot/bot_a", b"1"),)), entry(1)])
        assert outcomes[0] == Stored()
        assert position(outcomes[1]).seq == 1
        assert (await bench.bus.snapshot(ANA)).values == {"bot/bot_a": b"1"}

    async def test_values_are_the_newest_per_key(self, bench: Bench) -> None:
        """The newest value per key counts, also within one call; None removes it."""
        puts = [("bot/bot_a", b"1"), ("bot/bot_b", b"1"), ("bot/bot_a", b"2"), ("job/bot_a/1", b"3")]
        await bench.bus.commit([Entry(ANA, None, (StatePut(key, value),)) for key, value in puts])
        await bench.bus.commit([Entry(BEN, None, (StatePut("bot/bot_a", b"ben"),))])
        removed = (StatePut("bot/bot_b", None), StatePut("gone", None), StatePut("both", b"x"), StatePut("both", None))
        await bench.bus.commit([Entry(ANA, None, removed)])
        assert (await bench.bus.snapshot(ANA)).values == {"bot/bot_a": b"2", "job/bot_a/1": b"3"}
        assert (await bench.bus.snapshot(BEN)).values == {"bot/bot_a": b"ben"}

    async def test_a_snapshot_takes_a_plain_prefix(self, bench: Bench) -> None:
        """A prefix is compared character by character: `_` and `%` mean themselves, case counts."""
        keys = ["bot/bot_a", "bot/botXa", "bot/%", "Bot/bot_a", "bot", "bot/bot_a\U0001f600"]
        await bench.bus.commit([Entry(ANA, None, tuple(StatePut(key, b"1") for key in keys))])
        assert set((await bench.bus.snapshot(ANA, "bot/bot_")).values) == {"bot/bot_a", "bot/bot_a\U0001f600"}
        assert set((await bench.bus.snapshot(ANA, "")).values) == set(keys)
        assert (await bench.bus.snapshot("nobody", "bot/")).values == {}

    async def test_a_snapshot_is_of_one_moment(self, bench: Bench) -> None:
        """Values and position of a snapshot agree while others write, and its position can be subscribed to."""

        async def write() -> None:
            for number in range(1, 101):
                put = StatePut("bot/bot_a", str(number).encode())
                await bench.bus.commit([Entry(ANA, event(number), (put,))])

        writing = asyncio.ensure_future(write())
        while not writing.done():
            snapshot = await bench.bus.snapshot(ANA)
            assert int(snapshot.values.get("bot/bot_a", b"0")) == snapshot.state.head.seq
            (await bench.bus.subscribe(ANA, snapshot.state.head)).close()
            await asyncio.sleep(0)
        await writing

    async def test_a_known_ordinal_is_a_duplicate(self, bench: Bench) -> None:
        """An ordinal at or below its incarnation's mark gets no position and writes nothing, also within one call."""

        def from_spool(number: int, ordinal: int, incarnation: str = "inc_1") -> Entry:
            put = StatePut("bot/bot_a", str(number).encode())
            return Entry(ANA, event(number), (put,), Source("wrk_1", incarnation, ordinal))

        outcomes = await bench.bus.commit([from_spool(1, 1), from_spool(2, 2), from_spool(3, 2)])
        outcomes += await bench.bus.commit([from_spool(4, 1), from_spool(5, 5), from_spool(6, 1, "inc_2")])
        outcomes += await bench.bus.commit([from_spool(7, 4)])
        assert [type(outcome) for outcome in outcomes] == [
            Position, Position, Duplicate, Duplicate, Position, Position, Duplicate,
        ]  # fmt: skip
        assert [await bench.bus.mark(name) for name in ("inc_1", "inc_2", "inc_3")] == [5, 1, 0]
        assert await numbers(bench.bus) == ["evt_1", "evt_2", "evt_5", "evt_6"]
        assert (await bench.bus.snapshot(ANA)).values == {"bot/bot_a": b"6"}

    async def test_a_known_key_writes_only_its_mark(self, bench: Bench) -> None:
        """What WhatsApp redelivers gets no position and no values, but its ordinal is marked."""

        def received(number: int, key: str | None, user: str = ANA) -> Entry:
            put, source = StatePut("bot/bot_a", str(number).encode()), Source("wrk_1", f"inc_{user}", number)
            return Entry(user, event(number, user=user), (put,), source, key)

        outcomes = await bench.bus.commit([received(1, "k"), received(2, "k"), received(3, None), received(4, None)])
        outcomes += await bench.bus.commit([received(5, "k"), received(1, "k", BEN)])
        assert [type(outcome) for outcome in outcomes] == [Position, Duplicate, Position, Position, Duplicate, Position]
        assert await bench.bus.mark(f"inc_{ANA}") == 5
        assert (await bench.bus.snapshot(ANA)).values == {"bot/bot_a": b"4"}

    async def test_a_duplicate_ordinal_does_not_use_up_its_key(self, bench: Bench) -> None:
        """An entry refused for its ordinal leaves its dedupe key unknown."""
        await bench.bus.commit([Entry(ANA, event(1), (), Source("wrk_1", "inc_1", 1), "first")])
        await bench.bus.commit([Entry(ANA, event(2), (), Source("wrk_1", "inc_1", 1), "second")])
        (outcome,) = await bench.bus.commit([Entry(ANA, event(3), (), Source("wrk_1", "inc_1", 2), "second")])
        assert isinstance(outcome, Position)

    async def test_scan_finds_every_users_values(self, bench: Bench) -> None:
        """`scan` yields every user's values under a prefix, however many there are."""
        wanted = {(f"user{number}", f"bot/bot_{number % 7}", b"%d" % number) for number in range(600)}
        await bench.bus.commit([Entry(user, None, (StatePut(key, value),)) for user, key, value in wanted])
        await bench.bus.commit([Entry(ANA, None, (StatePut("private/bot_a", b"no"), StatePut("bot", b"no")))])
        found = [row async for row in bench.bus.scan("bot/")]
        assert len(found) == len(wanted)
        assert set(found) == wanted

    async def test_erase_removes_a_bot_for_good(self, bench: Bench) -> None:
        """A deleted bot's events, values, dedupe keys and marks are gone; everybody else's stay."""
        kept, gone = Source("wrk_1", "inc_kept", 3), Source("wrk_1", "inc_gone", 3)
        values = ("bot/bot_a", "private/bot_a", "job/bot_a/1", "bot/bot_ab", "job/bot_b/bot_a")
        await bench.bus.commit(
            [
                Entry(ANA, event(1), tuple(StatePut(key, b"1") for key in values), gone, "key a"),
                Entry(ANA, event(2, bot="bot_b"), (), kept, "key b"),
                Entry(ANA, None, (), Source("wrk_1", "inc_quiet", 9), "key quiet", bot="bot_a"),
                Entry(BEN, event(3, user=BEN), (StatePut("bot/bot_a", b"ben"),), None, "key a"),
                entry(4),
            ]
        )
        head = (await bench.bus.state(ANA)).head
        await bench.bus.erase(ANA, "bot_a")
        assert await numbers(bench.bus) == ["evt_2"]
        assert (await bench.bus.state(ANA)).head == head
        assert set((await bench.bus.snapshot(ANA)).values) == {"bot/bot_ab", "job/bot_b/bot_a"}
        assert (await bench.bus.snapshot(BEN)).values == {"bot/bot_a": b"ben"}
        assert [await bench.bus.mark(name) for name in ("inc_gone", "inc_quiet", "inc_kept")] == [0, 0, 3]
        again = [
            Entry(ANA, event(number), dedupe=key) for number, key in ((5, "key a"), (6, "key b"), (7, "key quiet"))
        ]
        outcomes = await bench.bus.commit(again)
        assert outcomes == [Position(head.epoch, 4), Duplicate(), Position(head.epoch, 5)]

    async def test_erasing_what_is_not_there_is_fine(self, bench: Bench) -> None:
        """`erase` of an unknown bot or user changes nothing."""
        await bench.bus.commit([entry(1)])
        await bench.bus.erase(ANA, "bot_unknown")
        await bench.bus.erase("nobody", "bot_a")
        assert await numbers(bench.bus) == ["evt_1"]

    async def test_cancelling_the_committer_does_not_undo_the_write(self, bench: Bench) -> None:
        """A caller that is cancelled while it waits leaves its entry in the log, and others' too."""
        cancelled = asyncio.ensure_future(bench.bus.commit([entry(1)]))
        other = asyncio.ensure_future(bench.bus.commit([entry(2)]))
        await asyncio.sleep(0)
        cancelled.cancel()
        await other
        await bench.bus.commit([entry(3)])
        assert await numbers(bench.bus) == ["evt_1", "evt_2", "evt_3"]

    async def test_an_empty_call_is_fine(self, bench: Bench) -> None:
        """Committing nothing answers nothing."""
        assert await bench.bus.commit([]) == []

    async def test_closing_commits_what_waits_and_refuses_the_rest(self, bench: Bench) -> None:
        """`close` lets waiting commits finish, then refuses; closing again is fine."""
        waiting = [asyncio.ensure_future(bench.bus.commit([entry(number)])) for number in range(20)]
        await asyncio.sleep(0)
        await bench.bus.close()
        assert [position((await one)[0]).seq for one in waiting] == list(range(1, 21))
        with pytest.raises(Refused) as refused:
            await bench.bus.commit([entry(99)])
        assert refused.value.code == "server_draining"
        await bench.bus.close()


class DurableContract:
    """For back ends that declare `Features(durable=True)`."""

    async def test_what_was_acknowledged_survives(self, bench: Bench) -> None:
        """Events, epochs, values, marks and dedupe keys are there after kill -9, and the log goes on from there."""
        assert bench.bus.features.durable
        put = StatePut("bot/bot_a", b"1")
        await bench.bus.commit([Entry(ANA, event(1), (put,), Source("wrk_1", "inc_1", 4), "key"), entry(2)])
        untouched = await bench.bus.state("nobody")
        before = await whole_log(bench.bus)
        bus = await bench.reopen()
        assert await whole_log(bus) == before
        assert (await bus.snapshot(ANA)).values == {"bot/bot_a": b"1"}
        assert await bus.mark("inc_1") == 4
        assert await bus.state("nobody") == untouched
        outcomes = await bus.commit([Entry(ANA, event(3), dedupe="key"), entry(4)])
        assert outcomes == [Duplicate(), Position(before[0].position.epoch, 3)]

    async def test_an_erased_bot_stays_erased(self, bench: Bench) -> None:
        """What `erase` returned for is still gone after kill -9."""
        await bench.bus.commit([Entry(ANA, event(1), (StatePut("bot/bot_a", b"1"),), Source("w", "inc_1", 4), "key")])
        await bench.bus.erase(ANA, "bot_a")
        bus = await bench.reopen()
        assert await whole_log(bus) == []
        assert (await bus.snapshot(ANA)).values == {}
        assert await bus.mark("inc_1") == 0
        assert (await bus.state(ANA)).head.seq == 1
