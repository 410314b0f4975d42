"""All sends of one bot in memory: which one goes next, which ends when, which a receipt belongs to. No I/O, no clock.

Owns order and pace: per chat first in, first out; at most one in flight; a chat whose head waits for its retry holds
back only itself. It must never know a session or the bus; its mailbox makes every change durable. Read
`outbox_fold.py` for the transitions, `outbox.py` for the port.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Callable, Iterable

from orchestrator.bots import outbox_fold
from orchestrator.bots.outbox_fold import StoredJob, waits_for_file
from orchestrator.bots.pace import UNPACED, Bucket, Pace
from sessions.model import ReceiptKind

KEEP_MS = 7 * 24 * 3_600_000
"""How long a send can be asked for after it was made."""
KEEP_MOST = 2_000
"""So many ended sends of a bot are kept, the newest; waiting ones always are."""

_EARLY_RECEIPTS = 256
"""Receipts kept that came before the send's own outcome (the spool has them in the order the library told them)."""


class Book:
    """The sends of one bot. Changed only through `put` and `drop`."""

    def __init__(
        self, jobs: Iterable[StoredJob] = (), chat_of: Callable[[str], str] = str, pace: Pace = UNPACED
    ) -> None:
        """Take up stored sends; `chat_of` names the chat that an address belongs to now (see `merge`)."""
        self._chat_of = chat_of
        self._bucket = Bucket(pace)
        self.jobs: dict[str, StoredJob] = {}
        self._chats: dict[str, deque[str]] = {}
        self._by_message: dict[str, str] = {}
        self._early: OrderedDict[str, ReceiptKind] = OrderedDict()
        self._order = 0
        for stored in sorted(jobs, key=lambda stored: stored.order):
            self.put(stored)

    def next_order(self) -> int:
        """Return the place of a new send: behind every other."""
        return self._order + 1

    def put(self, stored: StoredJob) -> None:
        """Take over a new or changed send."""
        job = stored.job
        before = self.jobs.get(job.id)
        self.jobs[job.id] = stored
        self._order = max(self._order, stored.order)
        if before is None and job.state == "queued":
            self._chats.setdefault(self._chat_of(job.to), deque()).append(job.id)
        elif before is not None and before.job.state == "queued" and job.state != "queued":
            self._leave(job.to, job.id)
        if job.message_id is not None and job.state not in outbox_fold.ENDED:
            self._by_message[job.message_id] = job.id
        elif job.message_id is not None:
            self._by_message.pop(job.message_id, None)

    def drop(self, job_id: str) -> None:
        """Forget a send."""
        stored = self.jobs.pop(job_id)
        if stored.job.state == "queued":
            self._leave(stored.job.to, job_id)
        if stored.job.message_id is not None:
            self._by_message.pop(stored.job.message_id, None)

    def merge(self, address: str) -> None:
        """Two addresses turned out to be one chat: the sends to both are one queue, in the order they were made."""
        if all(self.jobs[job_id].job.to != address for queue in self._chats.values() for job_id in queue):
            return
        waiting = [self.jobs[job_id] for queue in self._chats.values() for job_id in queue]
        self._chats = {}
        # The one that is on its way stays in front, whatever else its chat turns out to hold.
        for stored in sorted(waiting, key=lambda stored: (stored.handed is None, stored.order)):
            self._chats.setdefault(self._chat_of(stored.job.to), deque()).append(stored.job.id)

    def _leave(self, to: str, job_id: str) -> None:
        chat = self._chat_of(to)
        queue = self._chats[chat]
        queue.remove(job_id)
        if not queue:
            del self._chats[chat]

    # --- what goes next ---

    def in_flight(self) -> bool:
        """Whether a send is handed over and its outcome is not known."""
        return any(self.jobs[queue[0]].handed is not None for queue in self._chats.values())

    def next(self, now_ms: int) -> StoredJob | None:
        """Return the send to hand over now: the eldest head of a chat whose time has come.

        None while one is in flight (the library sends one message of a bot at a time), and ahead of the pace.
        """
        best: StoredJob | None = None
        for queue in self._chats.values():
            head = self.jobs[queue[0]]
            if head.handed is not None:
                return None
            if waits_for_file(head.outgoing):
                continue
            if head.not_before_ms <= now_ms and (best is None or head.order < best.order):
                best = head
        return best if best is not None and self._bucket.ready_ms(now_ms) <= now_ms else None

    def spend(self, now_ms: int) -> None:
        """The send of `next` is handed over: it counts for the pace, whatever becomes of it."""
        self._bucket.take(now_ms)

    def wake_ms(self, now_ms: int, *, sending: bool) -> int | None:
        """Return when to look again: the next end of a lifetime and, when sends may go, the next retry."""
        heads = [self.jobs[queue[0]] for queue in self._chats.values()]
        times = [head.job.expires_at for head in heads if head.handed is None]
        if sending and not any(head.handed is not None for head in heads):
            paced_ms = self._bucket.ready_ms(now_ms)
            due = [max(head.not_before_ms, paced_ms) for head in heads if not waits_for_file(head.outgoing)]
            times += [max(at_ms, now_ms + 1) for at_ms in due if at_ms > now_ms]
        return min(times, default=None)

    # --- what changed; the caller stores and then `put`s each ---

    def expired(self, now_ms: int) -> list[StoredJob]:
        """Return the sends whose lifetime is over, failed."""
        found: list[StoredJob] = []
        for queue in self._chats.values():
            for job_id in queue:
                stored = self.jobs[job_id]
                if stored.job.expires_at > now_ms:
                    break
                found.append(stored)
        return _changed(found, lambda stored: outbox_fold.fail(stored, "expired"))

    def failed(self, code: str, *, generation: int | None = None) -> list[StoredJob]:
        """Return every waiting send failed with `code`; with `generation` only those of an earlier account."""
        waiting = [self.jobs[job_id] for queue in self._chats.values() for job_id in queue]
        chosen = [stored for stored in waiting if generation is None or stored.generation < generation]
        return _changed(chosen, lambda stored: outbox_fold.fail(stored, code))

    def settled(self, running: str | None) -> list[StoredJob]:
        """Return, as unknown, the sends handed to incarnations that are over; everything those spooled is known."""
        heads = [self.jobs[queue[0]] for queue in self._chats.values()]
        lost = [head for head in heads if head.handed is not None and head.handed != running]
        return _changed(lost, outbox_fold.settle)

    def receipts(self, message_ids: Iterable[str], kind: ReceiptKind) -> list[StoredJob]:
        """Return the states a receipt takes sends through; one that is ahead of its send's outcome is kept for it."""
        found: list[StoredJob] = []
        for message_id in message_ids:
            job_id = self._by_message.get(message_id)
            if job_id is not None:
                found.append(self.jobs[job_id])
            elif self.in_flight():
                known = self._early.pop(message_id, None)
                self._early[message_id] = "read" if "read" in {known, kind} else kind
                if len(self._early) > _EARLY_RECEIPTS:
                    self._early.popitem(last=False)
        return [after for stored in found for after in outbox_fold.receipt(stored, kind)]

    def early_receipt(self, stored: StoredJob) -> tuple[StoredJob, ...]:
        """Return what a receipt that came before this send's own outcome makes of it."""
        kind = self._early.pop(stored.job.message_id or "", None)
        return outbox_fold.receipt(stored, kind) if kind is not None else ()

    def old(self, now_ms: int) -> list[str]:
        """Return the sends no longer kept: a week old, or behind the newest 2,000; none that waits to be sent."""
        gone = sorted(
            (stored for stored in self.jobs.values() if stored.job.state != "queued"), key=lambda stored: -stored.order
        )
        return [
            stored.job.id
            for place, stored in enumerate(gone)
            if place >= KEEP_MOST or now_ms - stored.job.at >= KEEP_MS
        ]


def _changed(found: list[StoredJob], step: Callable[[StoredJob], StoredJob]) -> list[StoredJob]:
    pairs = ((stored, step(stored)) for stored in found)
    return [after for before, after in pairs if after is not before]
