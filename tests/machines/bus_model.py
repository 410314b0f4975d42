"""What a bus should do, as plain lists: the model the bus machine compares with.

Owns the model and the strategies; it must never know a back end. Read `test_bus_machine.py` next.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from hypothesis import strategies as st

from orchestrator.bus.bus import Duplicate, Entry, Outcome, Source, StatePut, Stored, Subscription
from orchestrator.clock import ManualClock
from orchestrator.model import Event, Position

USERS = ("ana", "ben")
BOTS = ("bot_a", "bot_b")
ANNOUNCED = st.sampled_from([f"{bot}/qr" for bot in BOTS])


@st.composite
def entries(draw: st.DrawFn) -> Entry:
    """One entry of one bot: most carry an event, some a value, a place in the spool, a dedupe key."""
    user, bot = draw(st.sampled_from(USERS)), draw(st.sampled_from(BOTS))
    size = draw(st.sampled_from([2, 2, 2, 2, 90_000, 300_000]))
    event = Event(user, bot, "message_sync", "message", "evt", draw(st.integers(0, 9)), b"x" * size)
    keys = st.sampled_from([f"bot/{bot}", f"private/{bot}", f"job/{bot}/1"])
    puts = draw(st.lists(st.builds(StatePut, keys, st.sampled_from([None, b"1", b"2"])), max_size=2))
    ordinal = draw(st.none() | st.integers(1, 12))
    return Entry(
        user,
        event if draw(st.integers(0, 5)) else None,
        tuple(puts),
        Source("wrk_1", f"inc_{user}_{bot}", ordinal) if ordinal is not None else None,
        draw(st.none() | st.sampled_from([f"{bot}/k1", f"{bot}/k2"])),
        bot,
    )


@dataclass
class Shown:
    """An announcement as the model keeps it."""

    key: str
    code: bytes
    bot: str
    expires_at_ms: int


@dataclass
class ModelReader:
    """A reader and what it still has to deliver, oldest first."""

    subscription: Subscription
    user: str
    position: Position
    attached: int
    expected: list[tuple[int, Event] | Shown]

    def forget_expired(self, now_ms: int) -> None:
        self.expected = [one for one in self.expected if not isinstance(one, Shown) or one.expires_at_ms > now_ms]

    def forget_key(self, key: str) -> None:
        self.expected = [one for one in self.expected if not isinstance(one, Shown) or one.key != key]

    def forget_bot(self, bot: str) -> None:
        self.expected = [one for one in self.expected if (one.bot if isinstance(one, Shown) else one[1].bot) != bot]


@dataclass
class ModelLog:
    """One user's side of the model."""

    epoch: str = ""
    head: int = 0
    floor: int = 0
    events: list[tuple[int, Event]] = field(default_factory=list)
    stored_ms: dict[int, int] = field(default_factory=dict)
    values: dict[str, bytes] = field(default_factory=dict)
    marks: dict[str, int] = field(default_factory=dict)
    dedupe: set[str] = field(default_factory=set)
    announced: dict[str, Shown] = field(default_factory=dict)


class Model:
    """All users, and the readers that are attached."""

    def __init__(self, clock: ManualClock) -> None:
        self.clock = clock
        self.logs = {user: ModelLog() for user in USERS}
        self.readers: list[ModelReader] = []

    def commit(self, entry: Entry) -> Outcome:
        """Carry out one entry by the words of `Bus.commit`."""
        log = self.logs[entry.user]
        if entry.source is not None:
            if entry.source.ordinal <= log.marks.get(entry.source.incarnation, 0):
                return Duplicate()
            log.marks[entry.source.incarnation] = entry.source.ordinal
        if entry.dedupe is not None:
            if entry.dedupe in log.dedupe:
                return Duplicate()
            log.dedupe.add(entry.dedupe)
        for put in entry.puts:
            log.values.pop(put.key, None)
            if put.value is not None:
                log.values[put.key] = put.value
        if entry.event is None:
            return Stored()
        log.head += 1
        log.events.append((log.head, entry.event))
        log.stored_ms[log.head] = self.clock.wall_ms()
        for reader in self.readers:
            if reader.user == entry.user:
                reader.expected.append((log.head, entry.event))
        return Position(log.epoch, log.head)

    def announce(self, user: str, shown: Shown) -> None:
        self.withdraw(user, shown.key)
        self.logs[user].announced[shown.key] = shown
        for reader in self.readers:
            if reader.user == user:
                reader.expected.append(shown)

    def withdraw(self, user: str, key: str) -> None:
        self.logs[user].announced.pop(key, None)
        for reader in self.readers:
            if reader.user == user:
                reader.forget_key(key)

    def erase(self, user: str, bot: str) -> None:
        log = self.logs[user]
        log.events = [one for one in log.events if one[1].bot != bot]
        log.values = {key: value for key, value in log.values.items() if key.split("/")[1] != bot}
        log.marks.pop(f"inc_{user}_{bot}", None)
        log.dedupe = {key for key in log.dedupe if not key.startswith(bot)}
        log.announced = {key: shown for key, shown in log.announced.items() if shown.bot != bot}
        for reader in self.readers:
            if reader.user == user:
                reader.forget_bot(bot)

    def cut(self, user: str, floor: int) -> None:
        """Let go of what the bus says is no longer kept, as far as nobody was promised more."""
        log = self.logs[user]
        assert log.floor <= floor <= log.head, "a floor only rises, and never above the head"
        log.floor = floor
        log.events = [one for one in log.events if one[0] > floor]

    def crash(self) -> None:
        self.readers = []
        for log in self.logs.values():
            log.announced = {}

    def attach(self, user: str, after: int, subscription: Subscription, now_ms: int) -> ModelReader:
        log = self.logs[user]
        expected: list[tuple[int, Event] | Shown] = [one for one in log.events if one[0] > after]
        expected += [shown for shown in log.announced.values() if shown.expires_at_ms > now_ms]
        reader = ModelReader(subscription, user, Position(log.epoch, after), log.head, expected)
        self.readers.append(reader)
        return reader
