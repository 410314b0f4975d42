"""The mailbox of one bot: one task, running or not, from start-up on. It alone writes the bot's record and its sends.

Owns order within a bot: items are folded one by one, what they tell is committed (a whole batch in one transaction),
and only then acknowledged, answered and carried out. It must never decide: that is `fold.py`'s. Read `journal.py` for
the way into the bus, `hands.py` for effects, `sending.py` for sends, `fleet.py` for who owns mailboxes.
"""

from __future__ import annotations

import asyncio
import random
from collections import deque

from orchestrator.bots import content, fold, live, moves
from orchestrator.bots.contents import Contents
from orchestrator.bots.fetches import FileFetched
from orchestrator.bots.finding import Finder
from orchestrator.bots.hands import Hands
from orchestrator.bots.histories import Past
from orchestrator.bots.items import Asked, Item, SendReturned, Submitted
from orchestrator.bots.journal import Journal
from orchestrator.bots.moves import BotState, Command, Draft, Input, Moment
from orchestrator.bots.outbox_book import Book
from orchestrator.bots.people import People
from orchestrator.bots.room import Room
from orchestrator.bots.sending import Sending, may_send, own_address
from orchestrator.bus.bus import StatePut
from orchestrator.errors import Refused
from orchestrator.model import Bot, Event, SendJob, new_id, to_json
from orchestrator.ports import FromSession, HostEvent
from sessions.model import Outgoing, PairSucceeded, SendOutcome

_JITTER = random.SystemRandom()

_MARKS = 64
"""Incarnations whose last ordinal is kept in memory; the bus knows the others."""
_BATCH = 256
"""Items folded before what they tell is committed."""


class Mailbox:
    """One bot. `post` from anywhere on the loop; `run` is its task."""

    def __init__(self, room: Room, state: BotState, book: Book, who: People, past: Past | None = None) -> None:
        self.state = state
        self._durable = state
        """What users are shown: never ahead of what the bus has."""
        self._room = room
        self._user = state.bot.user_id
        self._id = state.bot.id
        self._past = past or Past(self._id, None, None)
        self._queue: deque[Item] = deque()
        self._rang = asyncio.Event()
        self._idle = asyncio.Event()
        self._marks: dict[str, int] = {}
        self._proved_ms: int | None = None
        self._heard_s = 0.0
        self._ended = False
        self._journal = Journal(room.bus, room.metrics, room.tasks.failures, self._user, self._id)
        self.hands = Hands(room, self._user, self._id, self.post)
        self.sending = Sending(
            room, self._user, self._id, book, who, lambda: own_address(self.state), self._journal, self._send_returned,
            self.post,
        )  # fmt: skip
        self.finder = Finder(room, self._id, who)
        self.contents = Contents(room, self._user, self._id, who, self._journal, self.sending)
        room.metrics.bot_moved(None, state.bot.status)
        room.accounts.hold(self._id, linked_phone(state))

    # --- in ---

    def post(self, item: Item) -> None:
        """Put an item behind all others. Never waits."""
        self._queue.append(item)
        self._idle.clear()
        self._rang.set()

    def on_host_event(self, event: HostEvent) -> None:
        """Take what the supervisor room tells."""
        self.post(event if isinstance(event, FromSession) else moves.Gone(event))

    async def ask(self, command: Command) -> Bot:
        """Have a command carried out; return the record once that is durable. The caller's cancellation does not take
        the command back.

        Raises:
            Refused: nothing changed; `storage_unavailable` while the bus takes nothing.
        """
        await self._room.ready.wait()
        self._refuse_without_storage()
        answer: asyncio.Future[Bot] = asyncio.get_running_loop().create_future()
        self.post(Asked(command, answer))
        return await answer

    async def submit(self, outgoing: Outgoing, job_id: str | None) -> SendJob:
        """Queue a send, durably. Refuses `not_linked`."""
        self._refuse_without_storage()
        known = job_id is not None and self.sending.job(job_id) is not None
        found = None if known else await self.finder.find(outgoing.to, self.state)
        answer: asyncio.Future[SendJob] = asyncio.get_running_loop().create_future()
        self.post(Submitted(outgoing, job_id, answer, found))
        return await answer

    def _refuse_without_storage(self) -> None:
        if self._journal.blocked:
            raise Refused("storage_unavailable", retry_after_s=5.0)

    def _send_returned(self, job: str, incarnation: str, outcome: SendOutcome) -> None:
        self.post(SendReturned(job, incarnation, outcome))

    def shown(self) -> Bot:
        """Return the record as it is durable, with the fields kept in memory."""
        return self._filled(self._durable)

    def _filled(self, state: BotState, bot: Bot | None = None) -> Bot:
        limit, clock = self._room.limits.tries_per_hour, self._room.clock
        away_s = clock.monotonic() - state.moving_since_s if state.moving_since_s is not None else 0.0
        return live.filled(
            bot or state.bot, state, self._proved_ms, limit, clock.wall_ms(), stale=self._journal.blocked,
            moving_ms=round(away_s * 1000),
        )  # fmt: skip

    def fill(self, bot: Bot) -> Bot:
        """Return a record of this bot with the fields kept in memory; one of another version keeps its own."""
        if bot.status_version != self.state.bot.status_version:
            return bot
        return self._filled(self.state, bot)

    # --- the loop ---

    async def run(self) -> None:
        """Work until the bot is erased or the task is cancelled."""
        while not self._ended:
            await self._wait()
            await self._batch()

    async def idle(self) -> None:
        """Return when everything posted so far is durable."""
        await self._idle.wait()

    async def _wait(self) -> None:
        if self._queue:
            return
        due_s = self._due_in_s()
        self._rang.clear()
        self._idle.set()
        if due_s is None:
            await self._rang.wait()
        elif due_s > 0:
            timer = asyncio.get_running_loop().call_later(due_s, self._rang.set)
            try:
                await self._rang.wait()
            finally:
                timer.cancel()

    def _due_in_s(self) -> float | None:
        clock = self._room.clock
        times = []
        at_s = fold.wake_at(self.state)
        if at_s is not None:
            times.append(at_s - clock.monotonic())
        at_ms = self.sending.wake_ms(sending=may_send(self.state))
        if at_ms is not None:
            times.append((at_ms - clock.wall_ms()) / 1000)
        return min(times, default=None)

    async def _batch(self) -> None:
        for _ in range(_BATCH):
            if not self._queue:
                break
            await self._take(self._queue.popleft())
        self._room.look_at_clock()
        due_s = self._due_in_s()
        if due_s is not None and due_s <= 0 and not self._queue:
            self._fold(moves.Tick())
            self.sending.tick()
        self.sending.pump(self.state)
        await self._journal.flush()

    async def _take(self, item: Item) -> None:
        """One item. A bug in it is reported, and costs that item only."""
        mark = self._journal.mark()
        try:
            match item:
                case FromSession():
                    await self._frame(item)
                case Asked():
                    self._command(item)
                case Submitted():
                    self._submit(item)
                case SendReturned(job, incarnation, outcome):
                    self.sending.returned(job, incarnation, outcome)
                case FileFetched():
                    self.sending.fetched(item)
                case _:
                    self._fold(item)
        except Exception as error:  # the mailbox's boundary: everything else of this bot goes on
            self._room.tasks.failures.report("mailbox", error)
            self._journal.cut(mark)
            if isinstance(item, FromSession):
                self._journal.source(item, self._journal.mark())
            elif isinstance(item, Asked | Submitted) and not item.answer.done():
                item.answer.set_exception(Refused("internal"))

    # --- items ---

    async def _frame(self, item: FromSession) -> None:
        frame = item.frame
        if frame.ordinal is not None:
            known = self._marks.get(frame.incarnation)
            if known is None:
                known = await self._room.bus.mark(frame.incarnation)
            if frame.ordinal <= known:
                self._journal.then(item.committed)
                return
            self._marks[frame.incarnation] = frame.ordinal
            if len(self._marks) > _MARKS:
                del self._marks[next(iter(self._marks))]
        event = frame.event
        if content.proves_life(event):
            self._proved_ms = max(self._proved_ms or 0, frame.at_ms)
            self._heard_s = self._room.clock.monotonic()
        mark = self._journal.mark()
        if isinstance(event, content.CONTENT):
            await self.contents.prepare(event)
            self.contents.take(event, frame, rejected=frame.incarnation == self.state.private.rejected)
        else:
            taken = isinstance(event, PairSucceeded) and self._room.accounts.taken(self._id, event.account.phone)
            self._fold(moves.Told(frame.incarnation, frame.at_ms, event, taken))
            if frame.incarnation != self.state.private.rejected:
                self.contents.meet(event)
        self._journal.source(item, mark)

    def _command(self, item: Asked) -> None:
        try:
            self._fold(item.command)
        except Refused as refused:
            if not item.answer.done():
                item.answer.set_exception(refused)
            return
        self._journal.then(lambda: _resolve(item.answer, self.shown()))

    def _submit(self, item: Submitted) -> None:
        private = self.state.private
        if private.device_file is None or self.state.deleting:
            if not item.answer.done():
                item.answer.set_exception(Refused("not_found" if self.state.deleting else "not_linked"))
            return
        if item.found is not None:
            self.contents.learn(item.found.lid, item.outgoing.to)
        absent = item.found is not None and item.found.on_whatsapp is False
        job = self.sending.submit(item.outgoing, private.generation, item.job_id, absent=absent)
        self._journal.then(lambda: _resolve(item.answer, job))

    # --- the fold and what it leads to ---

    def _fold(self, event: Input) -> None:
        clock = self._room.clock
        now = Moment(
            clock.monotonic(), clock.wall_ms(), _JITTER.random(), new_id("inc"), self._heard_s, self.sending.in_flight
        )  # fmt: skip
        outcome = fold.fold(self.state, event, now, self._room.limits.tries_per_hour)
        before, self.state = self.state, outcome.state
        self._write(before, outcome.drafts)
        self._journal.then(lambda state=self.state: self._show(state))  # type: ignore[misc]
        if before.bot.status != self.state.bot.status:
            self._room.metrics.bot_moved(before.bot.status, self.state.bot.status)
        self._room.accounts.hold(self._id, linked_phone(self.state))
        self._settle_sends(event)
        for effect in outcome.effects:
            self._effect(effect, event)

    def _show(self, state: BotState) -> None:
        self._durable = state

    def _write(self, before: BotState, drafts: tuple[Draft, ...]) -> None:
        state = self.state
        puts: list[StatePut] = []
        if before.bot != state.bot:
            puts.append(StatePut(f"bot/{self._id}", to_json(state.bot)))
            puts += self._past.moved(before.bot, state.bot, self._room.clock.wall_ms())
        if before.private != state.private:
            puts.append(StatePut(f"private/{self._id}", to_json(state.private)))
        if state.deleting and not before.deleting:
            puts.append(StatePut(deleting_key(self._id), b"{}"))
        for draft in drafts[:-1]:
            self._journal.tell(self._event(draft))
        if drafts or puts:
            reason = state.bot.reason.code if state.bot.reason else None
            self._journal.tell(self._event(drafts[-1]) if drafts else None, tuple(puts), reason=reason)

    def _event(self, draft: Draft, data: bytes | None = None) -> Event:
        of_bot = draft.name == "bot_status_update"
        if data is None:
            data = to_json(self._filled(self.state) if of_bot else draft.data)
        bot = self.state.bot
        return Event(
            self._user, self._id, draft.name, draft.type, new_id("evt"), self._room.clock.wall_ms(), data,
            bot.status if of_bot else None, bot.status_version if of_bot else None,
        )  # fmt: skip

    def _settle_sends(self, event: Input) -> None:
        """After these inputs everything the session before had spooled is known."""
        match event:
            case moves.Recovered() | moves.HostStopped():
                self.sending.settle(None)
            case moves.HostStarted(incarnation=incarnation):
                self.sending.settle(incarnation)
            case moves.Gone():
                session = self.state.session
                self.sending.settle(session.incarnation if session else None)
            case _:
                pass

    def _effect(self, effect: moves.Effect, cause: Input) -> None:
        state = self.state
        if isinstance(effect, moves.AccountChanged):
            self.sending.fail("account_changed", state.private.generation)
        elif isinstance(effect, moves.Erase):
            self.sending.fail("bot_deleted")
            self._journal.then(self._erase_soon)
        else:
            self._journal.then(lambda: self.hands.carry_out(effect, state, cause))

    # --- the end ---

    def _erase_soon(self) -> None:
        self._ended = True
        self._room.tasks.spawn("erase bot", self._erase())

    async def _erase(self) -> None:
        """Remove everything of the bot, then tell `deleted`. Begun again at start-up when it did not come to its end."""
        await self._room.devices.erase(self._id)
        await self._room.files.erase_bot(self._id)
        await self._room.bus.erase(self._user, self._id)
        event = Event(
            self._user, self._id, "bot_status_update", "deleted", new_id("evt"), self._room.clock.wall_ms(),
            to_json({"id": self._id}), self.state.bot.status, self.state.bot.status_version + 1,
        )  # fmt: skip
        self._journal.tell(event, (StatePut(deleting_key(self._id), None),))
        await self._journal.flush()
        self.close()
        self._room.metrics.bot_moved(self.state.bot.status, None)
        self._room.accounts.hold(self._id, None)
        self._room.forget(self._id)

    def close(self) -> None:
        """Nobody is answered any more: those who wait are told."""
        self._ended = True
        self.hands.close()
        self.sending.close()
        for item in self._queue:
            if isinstance(item, Asked | Submitted) and not item.answer.done():
                item.answer.set_exception(Refused("not_found"))
            elif isinstance(item, FromSession):
                item.committed()  # Of a bot that is erased: nobody is to keep it.
        self._queue.clear()


def linked_phone(state: BotState) -> str | None:
    """Return the account this bot holds."""
    return state.private.account_phone if state.private.device_file is not None else None


def deleting_key(bot: str) -> str:
    """Return where a deletion under way is noted; not under the bot, whose values go first."""
    return f"fleet/deleting/{bot}"


def _resolve(answer: asyncio.Future[Bot] | asyncio.Future[SendJob], value: Bot | SendJob) -> None:
    if not answer.done():
        answer.set_result(value)  # type: ignore[arg-type]
