"""The account of a spool and the feed around it: handed over once, marks up to the first gap, bounded memory."""

from __future__ import annotations

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from orchestrator.ports import FromSession, HostEvent
from orchestrator.supervisor.feed import HIGH_FRAMES, MARK_EVERY_S, URGENT_FACTOR, Feed
from orchestrator.supervisor.ledger import REMEMBERED, Ledger
from sessions.model import ProtocolNote
from sessions.wire import EventFrame, SpoolCommitted, ToWorker
from tests.support import virtual_time
from tests.support.virtual_time import VirtualClock
from tests.support.waiting import until


@given(order=st.permutations(range(1, 13)), stop=st.integers(0, 12))
def test_marks_reach_up_to_the_first_gap(order: list[int], stop: int) -> None:
    """In whatever order events become durable, the mark is the last one before the first that is not."""
    ledger = Ledger()
    entries = {ordinal: ledger.hand("inc", ordinal, 10) for ordinal in range(1, 13)}
    for ordinal in order[:stop]:
        entry = entries[ordinal]
        assert entry is not None
        ledger.commit(entry)
        ledger.commit(entry)
    done = set(order[:stop])
    expected = next(ordinal for ordinal in range(0, 13) if ordinal + 1 not in done)
    assert ledger.take_marks() == ({"inc": expected} if expected else {})
    assert ledger.take_marks() == {}
    assert (ledger.frames, ledger.bytes) == (12 - stop, 10 * (12 - stop))


def test_an_event_is_handed_over_once() -> None:
    """What came over the socket is left out when the spool is drained; incarnations are apart."""
    ledger = Ledger()
    assert ledger.hand("one", 1, 1) is not None
    assert ledger.hand("one", 2, 1) is not None
    assert ledger.hand("one", 1, 1) is None
    assert ledger.hand("one", 2, 1) is None
    assert ledger.hand("one", 3, 1) is not None
    assert ledger.hand("two", 1, 1) is not None


def test_incarnations_are_not_remembered_for_ever() -> None:
    """A long-lived worker's account does not grow with every start it has seen."""
    ledger = Ledger()
    for number in range(REMEMBERED + 10):
        entry = ledger.hand(f"inc{number}", 1, 1)
        assert entry is not None
        ledger.commit(entry)
    assert ledger.hand(f"inc{REMEMBERED + 9}", 1, 1) is None
    assert ledger.hand("inc0", 1, 1) is not None


class Recorder:
    """Stands where the worker process does."""

    def __init__(self) -> None:
        self.sent: list[ToWorker] = []
        self.paused = False

    def send(self, frame: ToWorker) -> None:
        self.sent.append(frame)

    def pause(self) -> None:
        self.paused = True

    def resume(self) -> None:
        self.paused = False


def frame(ordinal: int | None, incarnation: str = "inc") -> EventFrame:
    return EventFrame("bot", incarnation, ordinal, 0, ProtocolNote("x"))


def test_marks_go_back_in_batches(tmp_path: Path) -> None:
    """However many events become durable within a moment, one frame per incarnation tells the worker."""

    async def main(_: VirtualClock) -> None:
        events: list[HostEvent] = []
        source = Recorder()
        feed = Feed("wrk", tmp_path, lambda _bot, event: events.append(event))
        feed.attach(source, wants_marks=True)
        for ordinal in range(1, 101):
            assert feed.take(frame(ordinal), 10)
        assert feed.take(frame(1, "other"), 10)
        assert feed.take(frame(None), 10)
        for event in events:
            assert isinstance(event, FromSession)
            event.committed()
        await until(lambda: source.sent, MARK_EVERY_S * 10)
        assert source.sent == [SpoolCommitted("inc", 100), SpoolCommitted("other", 1)]

    virtual_time.run(main)


def test_slow_mailboxes_stop_the_reading_not_the_events(tmp_path: Path) -> None:
    """Above the limit the socket is not read, until half of it is durable; who waits for an answer gets more room."""

    async def main(_: VirtualClock) -> None:
        events: list[FromSession] = []
        source = Recorder()
        feed = Feed("wrk", tmp_path, lambda _bot, event: events.append(event))  # type: ignore[arg-type]
        feed.attach(source, wants_marks=True)
        for ordinal in range(1, HIGH_FRAMES + 1):
            assert not source.paused
            feed.take(frame(ordinal), 1)
        assert source.paused
        feed.urgent(+1)
        assert not source.paused
        for ordinal in range(HIGH_FRAMES + 1, HIGH_FRAMES * URGENT_FACTOR + 1):
            assert not source.paused
            feed.take(frame(ordinal), 1)
        assert source.paused
        feed.urgent(-1)
        for event in events[: HIGH_FRAMES * URGENT_FACTOR - HIGH_FRAMES // 2 - 1]:
            event.committed()
        await until(lambda: source.sent, 1.0)
        assert source.paused
        events[HIGH_FRAMES * URGENT_FACTOR - HIGH_FRAMES // 2 - 1].committed()
        await until(lambda: not source.paused, 1.0)

    virtual_time.run(main)


def test_a_dead_spool_is_settled_when_everything_is_durable(tmp_path: Path) -> None:
    """The spool may be deleted after the last event that was handed over is durable, not before."""

    async def main(_: VirtualClock) -> None:
        events: list[FromSession] = []
        feed = Feed("wrk", tmp_path, lambda _bot, event: events.append(event))  # type: ignore[arg-type]
        feed.take(frame(1), 1)
        feed.take(frame(2), 1)
        feed.finish()
        events[1].committed()
        await until(lambda: feed.waiting_frames == 1, 1.0)
        assert not feed.settled.done()
        events[0].committed()
        await until(feed.settled.done, 1.0)

    virtual_time.run(main)
