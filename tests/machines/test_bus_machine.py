"""Random operations on a bus, compared step by step with plain lists; and proof that the comparison finds bugs."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Coroutine, Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule, run_state_machine_as_test

from orchestrator.bus import memory
from orchestrator.bus.bus import Announced, Committed, Delivery, Entry
from orchestrator.bus.memory import MemoryBus
from orchestrator.bus.reader import Reader
from orchestrator.bus.retention import Retention
from orchestrator.bus.sqlite import SqliteBus
from orchestrator.clock import ManualClock
from orchestrator.errors import Refused
from orchestrator.model import Event, Position
from tests.machines import bus_bugs
from tests.machines.bus_model import ANNOUNCED, BOTS, USERS, Model, ModelReader, Shown, entries
from tests.machines.planted import check_found
from tests.support.bus import DurableBus

T = TypeVar("T")
SETTINGS = settings(suppress_health_check=list(HealthCheck), stateful_step_count=40)


def told_floor(refused: Refused) -> int:
    """The floor of a refusal that must be `position_expired`."""
    floor = refused.extra["floor"]
    assert refused.code == "position_expired"
    assert isinstance(floor, int)
    return floor


class BusMachine(RuleBasedStateMachine):
    """Subclasses say how the bus is opened, crashed and closed."""

    durable = False
    timeout_s = 10.0
    retention = Retention()

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.clock = ManualClock()
        self.model = Model(self.clock)
        self.bus: MemoryBus | SqliteBus = self.run(self.open())
        for user, log in self.model.logs.items():
            log.epoch = self.run(self.bus.state(user)).head.epoch

    async def open(self) -> MemoryBus | SqliteBus:
        raise AssertionError("a subclass opens the bus")

    async def crash(self) -> MemoryBus | SqliteBus:
        raise AssertionError("a subclass that is durable crashes the bus")

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        try:
            return self.runner.run(asyncio.wait_for(work, self.timeout_s))
        except TimeoutError:
            raise AssertionError("what the model expects never came") from None

    # --- writing -----------------------------------------------------------------------------------------------

    @rule(batch=st.lists(entries(), max_size=6))
    def commit(self, batch: list[Entry]) -> None:
        assert self.run(self.bus.commit(batch)) == [self.model.commit(entry) for entry in batch]
        self.see_floors()

    @rule(
        batches=st.lists(st.lists(entries(), min_size=1, max_size=3), min_size=2, max_size=6), index=st.integers(0, 9)
    )
    def commit_at_once(self, batches: list[list[Entry]], index: int) -> None:
        """Many callers at once, while a reader (if there is one) reads on and on."""
        reader = self.model.readers[index % len(self.model.readers)] if self.model.readers else None

        async def both() -> tuple[list[Any], list[list[Delivery]]]:
            commits = [asyncio.ensure_future(self.bus.commit(batch)) for batch in batches]
            following = asyncio.ensure_future(follow(reader))
            outcomes = await asyncio.gather(*commits)
            following.cancel()
            return outcomes, pages

        pages: list[list[Delivery]] = []
        if reader is not None:
            reader.forget_expired(self.clock.wall_ms())

        async def follow(reader: ModelReader | None) -> None:
            with suppress(Refused):  # overtaken: it is told so again when it reads on
                while reader is not None:
                    pages.append(list(await reader.subscription.read(3)))

        outcomes, _ = self.run(both())
        assert outcomes == [[self.model.commit(entry) for entry in batch] for batch in batches]
        self.see_floors()
        if reader is not None:
            self.compare(reader, [one for page in pages for one in page])

    @rule(user=st.sampled_from(USERS), count=st.sampled_from([255, 256, 257, 300]))
    def commit_many(self, user: str, count: int) -> None:
        """More than memory holds for a reader."""
        batch = [Entry(user, Event(user, "bot_a", "message_sync", "message", "e", n, b"{}")) for n in range(count)]
        assert self.run(self.bus.commit(batch)) == [self.model.commit(entry) for entry in batch]
        self.see_floors()

    @rule(user=st.sampled_from(USERS), bot=st.sampled_from(BOTS))
    def erase(self, user: str, bot: str) -> None:
        self.run(self.bus.erase(user, bot))
        self.model.erase(user, bot)

    # --- announcing ------------------------------------------------------------------------------------------

    @rule(user=st.sampled_from(USERS), key=ANNOUNCED, code=st.binary(max_size=2), ttl_s=st.sampled_from([0, 5, 60, 60]))
    def announce(self, user: str, key: str, code: bytes, ttl_s: int) -> None:
        bot, expires = key.split("/", maxsplit=1)[0], self.clock.wall_ms() + ttl_s * 1000
        self.bus.announce(user, key, Event(user, bot, "whatsapp_connection_event", "qr", "e", 0, code), expires)
        self.model.announce(user, Shown(key, code, bot, expires))

    @rule(user=st.sampled_from(USERS), index=st.integers(0, 3))
    def withdraw(self, user: str, index: int) -> None:
        current = [*self.model.logs[user].announced, "unknown"]
        key = current[index % len(current)]
        self.bus.withdraw(user, key)
        self.model.withdraw(user, key)

    @rule(user=st.sampled_from(USERS), key=ANNOUNCED)
    def scan_code(self, user: str, key: str) -> None:
        """A code that is gone before anybody reads it."""
        self.announce(user, key, b"scanned", 60)
        self.bus.withdraw(user, key)
        self.model.withdraw(user, key)

    @rule(seconds=st.sampled_from([1, 1, 5, 60]))
    def wait(self, seconds: int) -> None:
        self.clock.advance(seconds)

    # --- reading -----------------------------------------------------------------------------------------------

    @rule(user=st.sampled_from(USERS), back=st.integers(0, 300))
    def subscribe(self, user: str, back: int) -> None:
        log = self.model.logs[user]
        subscription = None
        while subscription is None:
            self.see_floor(user)
            after = max(log.floor, log.head - back)
            try:
                subscription = self.run(self.bus.subscribe(user, Position(log.epoch, after)))
            except Refused as refused:  # a bus that was just opened tidies by itself, also between the two questions
                assert after < told_floor(refused)
        self.model.attach(user, after, subscription, self.clock.wall_ms())

    @precondition(lambda self: self.model.readers)
    @rule(index=st.integers(0, 9), limit=st.sampled_from([1, 3, 256]))
    def read(self, index: int, limit: int) -> None:
        reader = self.model.readers[index % len(self.model.readers)]
        self.read_on(reader, limit)

    @precondition(lambda self: self.model.readers)
    @rule(index=st.integers(0, 9))
    def erase_what_a_reader_is_about_to_get(self, index: int) -> None:
        """What was fetched for a reader and not handed out goes with its bot."""
        reader = self.model.readers[index % len(self.model.readers)]
        self.read_on(reader, 1)
        bots = [one[1].bot for one in reader.expected if not isinstance(one, Shown)]
        if bots and bots[-1] is not None:
            self.erase(reader.user, bots[-1])

    @rule()
    def read_everything(self) -> None:
        for reader in list(self.model.readers):
            while self.read_on(reader, 256):
                pass

    def read_on(self, reader: ModelReader, limit: int) -> bool:
        reader.forget_expired(self.clock.wall_ms())
        if not reader.expected:
            if (refusal := self.run(self.waits(reader))) is not None:
                self.overtaken(reader, refusal)
            return False
        try:
            page = list(self.run(reader.subscription.read(limit)))
        except Refused as refused:
            self.overtaken(reader, refused)
            return False
        assert 1 <= len(page) <= limit
        self.compare(reader, page)
        return True

    def overtaken(self, reader: ModelReader, refused: Refused) -> None:
        """Only a reader that retention overtook is told so; it is told the floor, and ends."""
        state = self.run(self.bus.state(reader.user))
        assert reader.position.seq < told_floor(refused) <= state.floor.seq
        self.model.readers.remove(reader)
        reader.subscription.close()

    async def waits(self, reader: ModelReader) -> Refused | None:
        """A reader with nothing left to read waits, or is told that it was overtaken; giving up on it loses nothing."""
        reading = asyncio.ensure_future(reader.subscription.read())
        for _ in range(5):
            await asyncio.sleep(0)
        if not reading.cancel():
            with pytest.raises(Refused) as refused:
                reading.result()
            return refused.value
        return None

    def compare(self, reader: ModelReader, page: Iterable[Delivery]) -> None:
        for one in page:
            assert reader.expected, one
            expected = reader.expected.pop(0)
            if isinstance(expected, Shown):
                assert isinstance(one, Announced)
                assert (one.key, one.event.data) == (expected.key, expected.code)
            else:
                position = Position(reader.position.epoch, expected[0])
                assert one == Committed(position, reader.position, expected[1], expected[0] <= reader.attached)
                reader.position = position
        assert reader.subscription.position == reader.position

    @precondition(lambda self: self.model.readers)
    @rule(index=st.integers(0, 9))
    def close_reader(self, index: int) -> None:
        self.model.readers.pop(index % len(self.model.readers)).subscription.close()

    @rule(user=st.sampled_from(USERS), ahead=st.integers(1, 3))
    def read_what_cannot_be(self, user: str, ahead: int) -> None:
        log = self.model.logs[user]
        self.see_floor(user)
        for seq in (log.head + ahead, log.floor - ahead):
            with pytest.raises(Refused):
                self.run(self.bus.read(user, Position(log.epoch, seq)))

    # --- letting go --------------------------------------------------------------------------------------------

    def see_floors(self) -> None:
        for user in USERS:
            self.see_floor(user)

    def see_floor(self, user: str) -> None:
        """Follow the floor, and check that nothing was let go too early."""
        log, limits = self.model.logs[user], self.retention
        floor = self.run(self.bus.state(user)).floor.seq
        fresh_ms = self.clock.wall_ms() - limits.max_age_ms
        size = 0
        for seq, event in reversed(log.events):
            size += len(event.data) + 200
            if seq <= floor:
                full = log.head - seq >= limits.max_events or (size > limits.max_bytes and seq < log.head)
                assert full or log.stored_ms[seq] < fresh_ms, f"event {seq} was let go too early"
        self.model.cut(user, floor)

    @rule()
    def tidy(self) -> None:
        self.run(self.bus.tidy())
        fresh_ms = self.clock.wall_ms() - self.retention.max_age_ms
        for user, log in self.model.logs.items():
            self.see_floor(user)
            assert not log.events or log.stored_ms[log.events[0][0]] >= fresh_ms, "what is too old is still there"
            assert len(log.events) <= self.retention.max_events
            size = sum(len(event.data) + 200 for _, event in log.events)
            assert size <= self.retention.max_bytes or len(log.events) == 1

    # --- ending ------------------------------------------------------------------------------------------------

    @precondition(lambda self: self.durable)
    @rule()
    def kill(self) -> None:
        self.bus = self.run(self.crash())
        self.model.crash()

    @rule()
    def check(self) -> None:
        """Everything there is, against the model."""
        for user, log in self.model.logs.items():
            snapshot = self.run(self.bus.snapshot(user))
            assert snapshot.values == log.values
            assert snapshot.state.head == Position(log.epoch, log.head)
            found = self.run(self.read_all(user, log.epoch))
            self.see_floor(user)
            assert [(one.position.seq, one.event) for one in found if one.position.seq > log.floor] == log.events
            for bot in BOTS:
                name = f"inc_{user}_{bot}"
                assert self.run(self.bus.mark(name)) == log.marks.get(name, 0)

    async def read_all(self, user: str, epoch: str) -> list[Committed]:
        """Read from the floor on; again from the new one when the bus tidied by itself meanwhile."""
        while True:
            found: list[Committed] = []
            after = (await self.bus.state(user)).floor
            assert after.epoch == epoch
            try:
                while page := await self.bus.read(user, after):
                    found += page
                    after = page[-1].position
            except Refused as refused:
                assert after.seq < told_floor(refused)
            else:
                return found

    def teardown(self) -> None:
        try:
            self.check()
            self.read_everything()
        finally:
            self.run(self.end())
            self.runner.close()

    async def end(self) -> None:
        await self.bus.close()


class MemoryMachine(BusMachine):
    timeout_s = 1.0  # nothing here waits for a disk

    async def open(self) -> MemoryBus:
        return MemoryBus(self.clock, self.retention)


class SqliteMachine(BusMachine):
    durable = True

    async def open(self) -> SqliteBus:
        self.directory = tempfile.TemporaryDirectory()
        self.files = DurableBus(Path(self.directory.name), self.clock)
        self.files.retention = self.retention
        return await self.files.open()

    async def crash(self) -> SqliteBus:
        return await self.files.crash()

    async def end(self) -> None:
        await self.files.close()
        self.directory.cleanup()
        assert self.files.failures == []


TIGHT = Retention(max_events=150, max_age_ms=30_000, max_bytes=500_000)
"""So tight that most examples cut something."""


class TightMemoryMachine(MemoryMachine):
    retention = TIGHT


class TightSqliteMachine(SqliteMachine):
    retention = TIGHT


def test_memory_bus_behaves_like_plain_lists() -> None:
    """Whatever is done to the bus in memory, in whatever order, it answers as the model does."""
    run_state_machine_as_test(MemoryMachine, settings=settings(SETTINGS, max_examples=40))
    run_state_machine_as_test(TightMemoryMachine, settings=settings(SETTINGS, max_examples=60))


def test_sqlite_bus_behaves_like_plain_lists() -> None:
    """The same for the durable bus, killed and reopened on the way."""
    run_state_machine_as_test(SqliteMachine, settings=settings(SETTINGS, max_examples=20))
    run_state_machine_as_test(TightSqliteMachine, settings=settings(SETTINGS, max_examples=30))


@pytest.mark.parametrize(
    ("target", "name", "bug"),
    [
        (memory, "decide", bus_bugs.duplicates_keep_no_mark),
        (Reader, "forget", bus_bugs.nothing),
        (Reader, "hide", bus_bugs.nothing),
        (Reader, "push", bus_bugs.short_tail),
        (memory, "cut_log", bus_bugs.one_too_many),
        (memory, "check_position", bus_bugs.no_floor),
    ],
)
def test_the_machine_finds_planted_bugs(monkeypatch: pytest.MonkeyPatch, target: object, name: str, bug: Any) -> None:
    """The comparison is sharp enough: each of these bugs, planted, is found."""
    monkeypatch.setattr(target, name, bug)
    check_found(TightMemoryMachine if target is memory else MemoryMachine)
