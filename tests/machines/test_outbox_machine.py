"""A machine over the sends of one bot: any order of sends, outcomes, receipts, deaths and time."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import msgspec
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test

from orchestrator.bots import outbox_fold
from orchestrator.bots.outbox_book import Book
from orchestrator.bots.outbox_fold import StoredJob
from orchestrator.bots.pace import UNPACED, Pace
from orchestrator.model import to_json
from sessions.model import NotSent, OutgoingText, ReceiptKind, SendOutcome, SendRejected, SendUnknown, Sent
from tests.machines.planted import check_found
from tests.support.examples import examples

CHATS = ["1@s.whatsapp.net", "2@lid", "3@g.us", "4@s.whatsapp.net"]
LIDS = {"1@s.whatsapp.net": "2@lid", "4@s.whatsapp.net": "5@lid"}
"""Who may turn out to be whom."""
PACE = Pace(0.5, 3)
OUTCOMES = st.sampled_from(["sent", "sent", "not_connected", "no_lid", "rejected", "unknown"])
RANK = {"queued": 0, "sent": 1, "delivered": 2, "read": 3, "failed": 9, "unknown": 9}


class OutboxMachine(RuleBasedStateMachine):
    """Plays the mailbox (every change is stored, then put) and the sessions, which may die with a send inside."""

    kind: type[Book] = Book
    pace = UNPACED

    def __init__(self) -> None:
        super().__init__()
        self.known: dict[str, str] = {}
        """LIDs of phone forms, as learned."""
        self.handed_ms: list[int] = []
        """When this process handed one over."""
        self.book = self.kind((), self.chat, self.pace)
        self.disk: dict[str, bytes] = {}
        self.now_ms = 1_790_000_000_000
        self.incarnation = 1
        self.generation = 0
        self.handed: list[StoredJob] = []
        """Every call that entered a session."""
        self.inside: StoredJob | None = None
        """The call a living session has not answered."""
        self.may_go_again: set[str] = set()
        self.sent_ids: dict[str, str] = {}

    def chat(self, address: str) -> str:
        return self.known.get(address, address)

    def store(self, changed: list[StoredJob]) -> None:
        for stored in changed:
            before = self.book.jobs.get(stored.job.id)
            assert stored != before, "nothing changed, and it was told"
            if before is not None and before.job.state != stored.job.state:
                proved = before.job.state == "unknown"
                assert RANK[stored.job.state] > RANK[before.job.state] or proved, "a state went back"
            self.disk[stored.job.id] = to_json(stored)
            self.book.put(stored)

    @rule(chats=st.lists(st.sampled_from(CHATS), min_size=1, max_size=4))
    def submits(self, chats: list[str]) -> None:
        for chat in chats:
            self.submit(chat)

    def submit(self, chat: str) -> None:
        order = self.book.next_order()
        outgoing = OutgoingText(chat, "x")
        self.store([outbox_fold.queued(f"job{order}", "bot_1", outgoing, self.generation, order, self.now_ms)])

    @rule()
    def pump(self) -> None:
        stored = self.book.next(self.now_ms)
        if stored is None:
            return
        assert self.inside is None, "one at a time"
        job = stored.job
        same = [one for one in self.book.jobs.values() if self.chat(one.job.to) == self.chat(job.to)]
        waiting = [one for one in same if one.job.state == "queued" and one.order < stored.order]
        assert not waiting, "first in, first out, under both forms of a person"
        self.handed_ms.append(self.now_ms)
        if self.pace.per_s:
            burst = self.handed_ms[-1 - self.pace.burst :]
            gap_ms = burst[-1] - burst[0]
            assert len(burst) <= self.pace.burst or gap_ms >= 1000 / self.pace.per_s - 1, "faster than the pace"
        self.book.spend(self.now_ms)
        if any(one.job.id == job.id for one in self.handed):
            assert job.id in self.may_go_again, "sent twice"
            self.may_go_again.discard(job.id)
        self.store([outbox_fold.hand(stored, f"inc{self.incarnation}")])
        self.inside = self.book.jobs[job.id]
        self.handed.append(self.inside)

    @rule(address=st.sampled_from(sorted(LIDS)))
    def a_mapping_is_learned(self, address: str) -> None:
        if address not in self.known:
            self.known[address] = LIDS[address]
            self.book.merge(address)

    @precondition(lambda self: self.inside is None)
    @rule(address=st.sampled_from(sorted(LIDS)))
    def a_person_is_written_to_under_both_forms(self, address: str) -> None:
        """The first is to be tried again when the second comes."""
        self.submit(address)
        self.pump()
        if self.inside is not None:
            self.answers("no_lid")
        self.a_mapping_is_learned(address)
        self.submit(LIDS[address])
        self.pump()

    @precondition(lambda self: self.inside is not None)
    @rule(outcome=OUTCOMES)
    def answers(self, outcome: str) -> None:
        stored, self.inside = self.inside, None
        assert stored is not None
        result: SendOutcome
        if outcome == "sent":
            result = Sent(f"M-{stored.job.id}", 1)
            self.sent_ids[stored.job.id] = result.message_id
        elif outcome == "rejected":
            result = SendRejected("rejected", 479)
        elif outcome == "unknown":
            result = SendUnknown()
        else:
            result = NotSent("no_lid" if outcome == "no_lid" else "not_connected")
            self.may_go_again.add(stored.job.id)
        after = outbox_fold.outcome(self.book.jobs[stored.job.id], result, self.now_ms)
        self.store([after])
        self.store(list(self.book.early_receipt(after)))

    @precondition(lambda self: self.inside is None)
    @rule(chat=st.sampled_from(CHATS))
    def one_goes_out(self, chat: str) -> None:
        """What happens most of the time; by single rules alone few sends would ever get so far."""
        self.submit(chat)
        self.pump()
        if self.inside is not None:
            self.answers("sent")

    @rule(outcomes=st.lists(OUTCOMES, min_size=2, max_size=6))
    def a_session_works(self, outcomes: list[str]) -> None:
        """One after the other, as fast as it may."""
        for outcome in outcomes:
            if self.inside is None:
                self.pump()
            if self.inside is not None:
                self.answers(outcome)

    @precondition(lambda self: self.inside is not None)
    @rule(kind=st.sampled_from(["delivered", "read"]))
    def a_receipt_is_ahead(self, kind: Any) -> None:
        assert self.inside is not None
        assert self.book.receipts([f"M-{self.inside.job.id}"], kind) == []

    @rule(data=st.data(), kind=st.sampled_from(["delivered", "read", "played", "retry", "sender"]))
    def receipt(self, data: st.DataObject, kind: Any) -> None:
        self.receipts(
            data.draw(st.lists(st.sampled_from([*self.sent_ids.values(), "unknown"]), max_size=3, unique=True)), kind
        )

    @precondition(lambda self: self.sent_ids)
    @rule(data=st.data(), kind=st.sampled_from(["delivered", "read"]))
    def a_receipt_comes_twice(self, data: st.DataObject, kind: Any) -> None:
        """As from a phone and a browser."""
        message_id = data.draw(st.sampled_from([*self.sent_ids.values()]))
        for _ in range(2):
            self.receipts([message_id], kind)

    def receipts(self, ids: list[str], kind: Any) -> None:
        changed = self.book.receipts(ids, kind)
        proves = {"delivered": {"delivered"}, "read": {"delivered", "read"}, "played": {"delivered", "read"}}
        assert {stored.job.state for stored in changed} <= proves.get(kind, set()), "a receipt proves that much"
        self.store(changed)

    @rule()
    def the_session_dies(self) -> None:
        self.incarnation += 1
        self.inside = None
        self.store(self.book.settled(None))
        assert not self.book.in_flight()

    @rule()
    def the_supervisor_dies(self) -> None:
        """What is on disk is all there is; every spool is drained before the book goes on."""
        self.incarnation += 1
        self.inside = None
        self.handed_ms.clear()
        self.book = self.kind((outbox_fold.decode(value) for value in self.disk.values()), self.chat, self.pace)
        self.store(self.book.settled(None))

    @rule()
    def another_account(self) -> None:
        self.generation += 1
        self.store(self.book.failed("account_changed", generation=self.generation))

    @rule(seconds=st.sampled_from([1, 10, 400, 90_000]))
    def time_passes(self, seconds: int) -> None:
        self.now_ms += seconds * 1000
        self.store(self.book.expired(self.now_ms))

    @invariant()
    def every_end_is_final_and_keeps_no_body(self) -> None:
        for stored in self.book.jobs.values():
            if stored.job.state != "queued":
                assert stored.outgoing is None and stored.handed is None
            assert (stored.job.error is not None) == (stored.job.state == "failed")

    @invariant()
    def something_is_due_while_anything_waits(self) -> None:
        waiting = [stored for stored in self.book.jobs.values() if stored.job.state == "queued"]
        if waiting and not self.book.in_flight():
            ready = self.book.next(self.now_ms)
            assert ready is not None or self.book.wake_ms(self.now_ms, sending=True) is not None

    def teardown(self) -> None:
        """Left alone with a session that works, every send comes to an end."""
        self.the_session_dies()
        for _ in range(len(self.book.jobs) * 3 + 3):
            self.pump()
            if self.inside is not None:
                self.answers("sent")
            wake_ms = self.book.wake_ms(self.now_ms, sending=True)
            if wake_ms is not None:
                self.now_ms = max(self.now_ms, min(wake_ms, self.now_ms + 600_000))
                self.store(self.book.expired(self.now_ms))
        assert all(stored.job.state != "queued" for stored in self.book.jobs.values())


class PacedMachine(OutboxMachine):
    """The same, no faster than a pace."""

    pace = PACE


SETTINGS = settings(max_examples=examples(150), stateful_step_count=40)


def test_sends_end_in_order_and_once() -> None:
    """Whatever comes in whatever order: first in, first out in a chat, never twice, and everything comes to an end."""
    run_state_machine_as_test(OutboxMachine, settings=SETTINGS)
    run_state_machine_as_test(PacedMachine, settings=settings(SETTINGS, max_examples=examples(60)))


class _SendsBesides(Book):
    """The planted bug: one in flight holds back nobody else."""

    def next(self, now_ms: int) -> StoredJob | None:
        heads = [self.jobs[queue[0]] for queue in self._chats.values()]
        free = [head for head in heads if head.handed is None and head.not_before_ms <= now_ms]
        return min(free, key=lambda head: head.order, default=None)


class _TwoQueues(Book):
    """The planted bug: what waits under another form of an address stays a queue of its own."""

    def __init__(
        self, jobs: Iterable[StoredJob] = (), chat_of: Callable[[str], str] = str, pace: Pace = UNPACED
    ) -> None:
        del chat_of
        super().__init__(jobs, str, pace)

    def merge(self, address: str) -> None:
        """Forget it."""


class _KeepsGoing(Book):
    """The planted bug: nothing that is handed over counts for the pace."""

    def spend(self, now_ms: int) -> None:
        """Forget it."""


class _BelievesAnything(Book):
    """The planted bug: every receipt is one for delivery."""

    def receipts(self, message_ids: Iterable[str], kind: ReceiptKind) -> list[StoredJob]:
        return super().receipts(message_ids, "read" if kind == "read" else "delivered")


PLANTED = [_SendsBesides, _TwoQueues, _KeepsGoing, _BelievesAnything]


@pytest.mark.parametrize("planted", PLANTED)
def test_the_machine_finds_books_that_are_wrong(planted: type[Book]) -> None:
    """The rules are sharp enough: each of these bugs, planted, is found."""

    class Wrong(OutboxMachine):
        kind = planted
        pace = PACE if planted is _KeepsGoing else UNPACED

    check_found(Wrong)


# --- planted: each of these mistakes breaks a promise that the machine sees ---


def _noted_nowhere(stored: StoredJob, incarnation: str) -> StoredJob:
    """The call is made before it is written down that it is."""
    return msgspec.structs.replace(stored, tries=stored.tries + 1)


def _tried_again(stored: StoredJob) -> StoredJob:
    """A send whose outcome nobody knows is made once more."""
    return msgspec.structs.replace(stored, handed=None)


_outcome = outbox_fold.outcome


def _unknown_tried_again(stored: StoredJob, result: SendOutcome, now_ms: int) -> StoredJob:
    """The session's own "unknown" is taken for "not sent"."""
    return _outcome(stored, NotSent("gone") if isinstance(result, SendUnknown) else result, now_ms)


def _newest_first(book: Book, now_ms: int) -> StoredJob | None:
    """The newest send of a chat overtakes the others."""
    if book.in_flight():
        return None
    waiting = [one for one in book.jobs.values() if one.job.state == "queued" and one.not_before_ms <= now_ms]
    return max(waiting, key=lambda one: one.order, default=None)


def _every_receipt(stored: StoredJob, kind: ReceiptKind) -> tuple[StoredJob, ...]:
    """What a second receipt says is told again."""
    if stored.job.message_id is None or kind not in {"delivered", "read"}:
        return ()
    state: Any = kind
    return (msgspec.structs.replace(stored, job=msgspec.structs.replace(stored.job, state=state)),)


def _body_kept(stored: StoredJob, state: Any, *, message_id: str | None = None, error: Any = None) -> StoredJob:
    """What was sent stays in the database for ever."""
    job = msgspec.structs.replace(stored.job, state=state, message_id=message_id, error=error)
    return msgspec.structs.replace(stored, job=job, handed=None)


def _never_settled(book: Book, running: str | None) -> list[StoredJob]:
    """A send whose session died stays in flight, and with it the whole outbox."""
    return []


@pytest.mark.parametrize(
    ("target", "name", "bug"),
    [
        (outbox_fold, "hand", _noted_nowhere),
        (outbox_fold, "settle", _tried_again),
        (outbox_fold, "outcome", _unknown_tried_again),
        (Book, "next", _newest_first),
        (outbox_fold, "receipt", _every_receipt),
        (outbox_fold, "_end", _body_kept),
        (Book, "settled", _never_settled),
    ],
)
def test_the_machine_finds_planted_bugs(monkeypatch: pytest.MonkeyPatch, target: object, name: str, bug: Any) -> None:
    """The machine is sharp enough: each of these bugs, planted, is found."""
    monkeypatch.setattr(target, name, bug)
    check_found(OutboxMachine)
