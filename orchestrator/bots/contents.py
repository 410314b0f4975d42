"""What a session tells of people and messages, on its way into the journal: named canonically, told once.

Owns the shell around `content.py` (what is told) and `people.py` (who is who): a mapping that is new is stored in the
transaction of the event it came with, and told as one `identity` event when it merges two conversations. It must never
know a bot's lifecycle. Read `sending.py` for outcomes and receipts, `around.py` for groups, presence and calls.
"""

from __future__ import annotations

import msgspec

from orchestrator.bots import content, people
from orchestrator.bots.around import Around
from orchestrator.bots.journal import Journal
from orchestrator.bots.people import People
from orchestrator.bots.room import Room
from orchestrator.bots.sending import Sending
from orchestrator.bus.bus import StatePut
from orchestrator.model import Event, new_id, to_json
from sessions.model import HistoryReceived, HistoryType, ReceiptReceived, SendFinished, Sent
from sessions.wire import EventFrame


class HistoryData(msgspec.Struct, frozen=True, rename="camel"):
    """`data` of `history`: a part of the phone's past chats is in the store. No message's words are in it."""

    sync_type: HistoryType
    progress: int | None
    """Percent of that type, as the phone says."""
    chunk: int | None
    messages: int
    """Messages the part brought; those that were stored before, or are too old to keep, are among them."""
    chats: int
    left_out: int
    """Older ones of a part too large to take whole."""


class Contents:
    """The way of one bot's content events. Every change goes through the mailbox's journal."""

    def __init__(self, room: Room, user: str, bot: str, who: People, journal: Journal, sending: Sending) -> None:
        self._room = room
        self._user = user
        self._bot = bot
        self._who = who
        self._journal = journal
        self._sending = sending
        self._around = Around(room, user, bot, who, journal)

    async def prepare(self, event: content.Content) -> None:
        """Read what `take` of this event needs of the store, the first time."""
        await self._around.prepare(event)

    def take(self, event: content.Content, frame: EventFrame, *, rejected: bool) -> None:
        """Take one event of a session; `rejected` is another person's, linked by mistake: it is counted only."""
        if rejected:
            self._room.metrics.suppressed("rejected_account")
            return
        if isinstance(event, HistoryReceived):
            self._past(event, frame)
            return
        self.meet(event)
        for member in content.members(event):
            self.learn(member.id, member.pn)
        event, data = people.named(self._who, event, frame.data)
        told = content.classify(self._bot, event)
        if isinstance(told, content.Told):
            earlier = people.before(self._who, event)
            also = content.classify(self._bot, earlier) if earlier is not None else None
            keys = (also.dedupe,) if isinstance(also, content.Told) and also.dedupe is not None else ()
            data = self._around.data(event, data, frame.at_ms)
            puts = self._around.puts(event)
            self._journal.tell(self._event(told.type, data), puts, dedupe=told.dedupe, also=keys)
            for name in ("chat", "sender"):
                if (address := getattr(event, name, None)) is not None:
                    self._store(self._who.meet(address))
            self._around.after(event)
        elif isinstance(told, content.Shown):
            self._around.show(event, frame.at_ms)
        elif not isinstance(event, SendFinished):
            self._room.metrics.suppressed(told.type)
            self._around.not_told(event)
        if isinstance(event, ReceiptReceived):
            self._sending.receipts(event)
        elif isinstance(event, SendFinished):
            self._finished(event)

    def _past(self, event: HistoryReceived, frame: EventFrame) -> None:
        """Tell a part of the past by a note; its messages go to the store with it, in the forms the phone gave them
        (either form of a person finds them). The same part again is not told again."""
        note = to_json(
            HistoryData(event.sync_type, event.progress, event.chunk, event.messages, event.chats, event.left_out)
        )
        key = content.history_key(self._bot, note, frame.data)
        self._journal.tell(self._event("history", note), dedupe=key, rows=content.history_rows(frame.data))

    def meet(self, event: msgspec.Struct) -> None:
        """Learn who is who from any event of the session."""
        for one, other in people.pairs(event):
            self.learn(one, other)

    def learn(self, one: str | None, other: str | None) -> None:
        """Learn that two addresses are one person's."""
        learned = self._who.learn(one, other)
        if learned is None:
            return
        self._sending.merge(learned.pn)
        if learned.merges:
            self._journal.tell(self._event("identity", to_json(learned.identity())), (learned.put,))
        else:
            self._store(learned.put)

    def _finished(self, event: SendFinished) -> None:
        job = self._sending.job(event.job)
        if job is not None and isinstance(event.outcome, Sent):
            self.learn(event.outcome.lid, job.to)
        self._sending.finished(event)

    def _store(self, put: StatePut | None) -> None:
        if put is not None:
            self._journal.tell(None, (put,))

    def _event(self, kind: str, data: bytes) -> Event:
        now_ms = self._room.clock.wall_ms()
        return Event(self._user, self._bot, "message_sync", kind, new_id("evt"), now_ms, data)
