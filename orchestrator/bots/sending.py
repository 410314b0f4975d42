"""The sending half of a mailbox: queued sends are handed to the session one at a time, outcomes and receipts stored.

Owns the shell around `outbox_book.py`. A send is noted as handed over, durably, before the session is asked: from then
on it is never sent a second time, whatever dies. It must never know a bot's lifecycle beyond "may send now". Read
`outbox.py` for the port.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable

import msgspec

from orchestrator.bots import files, outbox_fold, outbox_told
from orchestrator.bots.fetches import Fetches, FileFetched
from orchestrator.bots.journal import Journal
from orchestrator.bots.moves import BotState
from orchestrator.bots.outbox_book import Book
from orchestrator.bots.outbox_fold import StoredJob
from orchestrator.bots.people import People
from orchestrator.bots.room import Room
from orchestrator.bus.bus import StatePut
from orchestrator.model import Event, SendJob, new_id, to_json
from orchestrator.store.media import StoredMedia
from sessions.model import Jid, Outgoing, OutgoingMedia, ReceiptReceived, SendFinished, SendOutcome, SendUnknown, Sent

_SWEEP_MS = 3_600_000

Told = Callable[[FileFetched], None]

Returned = Callable[[str, str, SendOutcome], None]
"""(job, incarnation, outcome) of a call that came back."""


class Sending:
    """Sends of one bot. Every change goes through the mailbox's journal; waiters are told when it is durable."""

    def __init__(
        self,
        room: Room,
        user: str,
        bot: str,
        book: Book,
        who: People,
        own: Callable[[], str],
        journal: Journal,
        returned: Returned,
        told: Told,
    ) -> None:
        """Take over the sends of a book; `own` tells the account's address."""
        self._room = room
        self._user = user
        self._bot = bot
        self._book = book
        self._who = who
        self._own = own
        self._journal = journal
        self._returned = returned
        self._fetches = Fetches(room.files, room.tasks, bot, told)
        self._looked = False
        """The addresses that sends of an earlier process still hold are being fetched."""
        self._sweep_ms = room.clock.wall_ms()
        """When to look for sends that are no longer kept."""
        self._waiters: dict[str, list[asyncio.Future[SendJob]]] = {}
        for stored in book.jobs.values():
            room.metrics.job_moved(None, stored.job.state)

    # --- commands ---

    def submit(self, outgoing: Outgoing, generation: int, job_id: str | None, *, absent: bool = False) -> SendJob:
        """Queue one send to the canonical chat; the job of an id that exists is returned as it is.

        Args:
            absent: WhatsApp says that nobody is there: it fails at once.
        """
        known = self._book.jobs.get(job_id) if job_id is not None else None
        if known is not None:
            return known.job
        now_ms = self._room.clock.wall_ms()
        order = self._book.next_order()
        chat = self._who.forms(outgoing.to)
        outgoing = msgspec.structs.replace(outgoing, to=chat.canonical)
        stored = outbox_fold.queued(job_id or new_id("snd"), self._bot, outgoing, generation, order, now_ms)
        if (put := self._who.meet(chat.canonical)) is not None:
            self._journal.tell(None, (put,))
        self._store([stored], message=outbox_told.message(outgoing, chat, self._who.forms(self._own()), now_ms))
        if absent:
            self._store([outbox_fold.fail(stored, "not_on_whatsapp")])
        else:
            self._journal.then(lambda: self._fetches.begin(stored.job.id, outgoing))
        return self._book.jobs[stored.job.id].job

    def job(self, job_id: str) -> SendJob | None:
        """Return a send as it is."""
        stored = self._book.jobs.get(job_id)
        return stored.job if stored is not None else None

    def waiter(self, job_id: str) -> asyncio.Future[SendJob]:
        """Return a future of the send's next visible change."""
        future: asyncio.Future[SendJob] = asyncio.get_running_loop().create_future()
        self._waiters.setdefault(job_id, []).append(future)
        future.add_done_callback(lambda done: self._forget_waiter(job_id, done))
        return future

    def _forget_waiter(self, job_id: str, future: asyncio.Future[SendJob]) -> None:
        waiting = self._waiters.get(job_id, [])
        if future in waiting:
            waiting.remove(future)
        if not waiting:
            self._waiters.pop(job_id, None)

    # --- what sessions tell ---

    def finished(self, event: SendFinished) -> None:
        """A send's spooled outcome. A late one also corrects `unknown`: it is proof."""
        stored = self._book.jobs.get(event.job)
        if stored is None:
            return
        after = outbox_fold.outcome(stored, event.outcome, self._room.clock.wall_ms())
        if after is stored:
            return
        if isinstance(event.outcome, Sent) and stored.outgoing is not None:
            sent, chat = event.outcome, self._who.forms(stored.job.to)
            own = self._who.forms(self._own())
            change = outbox_told.change(stored.outgoing, sent.message_id, chat, own, sent.at_ms)
            self._store([after], change=change, sent_at=sent.at_ms)
        else:
            self._store([after])
        self._store(self._book.early_receipt(after))

    def merge(self, address: str) -> None:
        """An address turned out to be another name of a chat: its sends keep their order with the others'."""
        self._book.merge(address)

    def returned(self, job_id: str, incarnation: str, outcome: SendOutcome) -> None:
        """The call itself came back. The spooled outcome was first, if there is one; `unknown` waits for the session's
        end, when everything it spooled is known."""
        stored = self._book.jobs.get(job_id)
        if stored is None or stored.handed != incarnation or isinstance(outcome, SendUnknown):
            return
        self.finished(SendFinished(job_id, outcome))

    def fetched(self, event: FileFetched) -> None:
        """A send's file is there, or never will be."""
        stored, result = self._book.jobs.get(event.job), event.result
        outgoing = stored.outgoing if stored is not None else None
        if stored is None or not isinstance(outgoing, OutgoingMedia):
            if isinstance(result, StoredMedia):
                self._release(result.id)
        elif isinstance(result, StoredMedia):
            self._store([msgspec.structs.replace(stored, outgoing=files.named(outgoing, result))])
            self._journal.then(lambda: self._room.files.release_pin(self._bot, result.id))
        else:
            self._store([outbox_fold.fail(stored, "media_failed", result)])

    def _release(self, media: str) -> None:
        self._room.tasks.spawn("file of a send", self._room.files.ended(self._bot, media))

    def needed(self) -> list[str]:
        """Return the files of sends that are not over."""
        found = (stored.outgoing for stored in self._book.jobs.values())
        return [sent.media for sent in found if isinstance(sent, OutgoingMedia) and sent.media is not None]

    def receipts(self, event: ReceiptReceived) -> None:
        """Advance the sends a receipt of somebody else's device is about."""
        if not event.from_me:
            self._store(self._book.receipts(event.message_ids, event.kind))

    def settle(self, running: str | None) -> None:
        """Everything that incarnations other than `running` spooled is known."""
        self._store(self._book.settled(running))

    def fail(self, code: str, generation: int | None = None) -> None:
        """Give up waiting sends, all or those of an earlier account."""
        self._store(self._book.failed(code, generation=generation))

    # --- time ---

    def tick(self) -> None:
        """End lifetimes; forget what is older than a week."""
        now_ms = self._room.clock.wall_ms()
        self._store(self._book.expired(now_ms))
        if now_ms < self._sweep_ms:
            return
        self._sweep_ms = now_ms + _SWEEP_MS
        for job_id in self._book.old(now_ms):
            self._room.metrics.job_moved(self._book.jobs[job_id].job.state, None)
            self._book.drop(job_id)
            self._journal.tell(None, (StatePut(f"job/{self._bot}/{job_id}", None),))

    def wake_ms(self, *, sending: bool) -> int | None:
        """Return when something is due (wall)."""
        due_ms = self._book.wake_ms(self._room.clock.wall_ms(), sending=sending)
        if not self._book.jobs:
            return due_ms
        return self._sweep_ms if due_ms is None else min(due_ms, self._sweep_ms)

    @property
    def in_flight(self) -> bool:
        """Whether a send is handed over."""
        return self._book.in_flight()

    def pump(self, state: BotState) -> None:
        """Hand over the next send, if there is one and the bot may send."""
        if not self._looked:
            self._looked = True
            for waiting in self._book.jobs.values():
                self._fetches.begin(waiting.job.id, waiting.outgoing)
        if not may_send(state) or state.session is None:
            return
        now_ms = self._room.clock.wall_ms()
        stored = self._book.next(now_ms)
        if stored is None or stored.outgoing is None:
            return
        if stored.generation != state.private.generation:
            self.fail("account_changed", state.private.generation)
            return
        incarnation, outgoing, job_id = state.session.incarnation, stored.outgoing, stored.job.id
        self._book.spend(now_ms)
        self._store([outbox_fold.hand(stored, incarnation)])
        self._journal.then(lambda: self._send(job_id, incarnation, outgoing))

    def _send(self, job_id: str, incarnation: str, outgoing: Outgoing) -> None:
        async def call() -> None:
            whole = self._room.files.handed(self._bot, outgoing)
            self._returned(job_id, incarnation, await self._room.host.send(self._bot, job_id, whole))

        # A failure is a bug of ours: whether it was sent is then not known before the session ends.
        self._room.tasks.spawn("send", call())

    # --- out ---

    def _store(
        self,
        changed: Iterable[StoredJob],
        *,
        message: dict[str, object] | None = None,
        change: dict[str, object] | None = None,
        sent_at: int | None = None,
    ) -> None:
        for stored in changed:
            job = stored.job
            before = self._book.jobs.get(job.id)
            self._book.put(stored)
            if stored.outgoing is None and before is not None and before.outgoing is not None:
                self._over(before)
            put = StatePut(f"job/{self._bot}/{job.id}", to_json(stored))
            if before is not None and before.job == job:
                self._journal.tell(None, (put,))
                continue
            self._room.metrics.job_moved(before.job.state if before else None, job.state)
            now_ms = self._room.clock.wall_ms()
            data = to_json(outbox_told.result(job, message=message, change=change, sent_at=sent_at))
            event = Event(self._user, self._bot, "message_sync", "send_result", new_id("evt"), now_ms, data)
            self._journal.tell(event, (put,))
            self._journal.then(lambda job=job: self._tell_waiters(job))  # type: ignore[misc]

    def _over(self, before: StoredJob) -> None:
        """A send that can't be sent any more needs no file: once that is durable, what was fetched for it goes."""
        self._fetches.forget(before.job.id)
        if isinstance(before.outgoing, OutgoingMedia) and before.outgoing.media is not None:
            media = before.outgoing.media
            self._journal.then(lambda: self._release(media))

    def _tell_waiters(self, job: SendJob) -> None:
        for future in self._waiters.get(job.id, [])[:]:
            if not future.done():
                future.set_result(job)

    def close(self) -> None:
        """The bot is gone: its sends are no longer counted."""
        self._fetches.close()
        for stored in self._book.jobs.values():
            self._room.metrics.job_moved(stored.job.state, None)


def own_address(state: BotState) -> str:
    """Return the account's own address, without a device; empty when it was never linked."""
    account = state.bot.account
    if account is not None:
        return str(Jid.parse(account.lid or account.jid).bare)
    return str(Jid.parse(state.private.account_jid).bare) if state.private.account_jid else ""


def may_send(state: BotState) -> bool:
    """Whether sends may go: connected, here to stay."""
    session = state.session
    return (
        state.bot.status == "connected"
        and session is not None
        and session.purpose == "run"
        and session.stage != "stopping"
        and state.moving_since_s is None
    )
