"""The mailbox's part around messages: names of groups, changes of groups, presence, calls.

Owns the shell around `group_names.py`, `calls.py` and `presences.py`: what is learnt is durable with the event that told
it, presence is announced and never stored. It must never know a bot's lifecycle. Read `bot.py` for who calls it.
"""

from __future__ import annotations

import msgspec

from orchestrator.bots import content, group_names
from orchestrator.bots.calls import Calls
from orchestrator.bots.group_names import GroupNames, KnownGroup
from orchestrator.bots.journal import Journal
from orchestrator.bots.people import People
from orchestrator.bots.presences import Presences
from orchestrator.bots.room import Room
from orchestrator.bus.bus import StatePut
from orchestrator.model import Event, new_id, to_json
from sessions import model
from sessions.model import GROUP_SERVER

_known = msgspec.json.Decoder(KnownGroup)


class Around:
    """Of one bot."""

    def __init__(self, room: Room, user: str, bot: str, who: People, journal: Journal) -> None:
        self._room = room
        self._user = user
        self._bot = bot
        self._who = who
        self._journal = journal
        self._names: GroupNames | None = None
        """None before the first event of a group: what is stored is read then."""
        self._calls = Calls()
        self._presences = Presences()

    async def prepare(self, event: content.Content) -> None:
        """Read what is known of the groups before the first event that is about one."""
        if self._names is None and _group_of(event) is not None:
            prefix = group_names.key(self._bot, "")
            values = (await self._room.bus.snapshot(self._user, prefix)).values
            known = {key.removeprefix(prefix): _known.decode(value) for key, value in values.items()}
            self._names = GroupNames(known)

    def data(self, event: content.Content, data: bytes, at_ms: int) -> bytes:
        """Return the finished `data` of an event that is told; `data` is what its session made of it."""
        match event:
            case model.CallChanged():
                return to_json(self._calls.told(event))
            case model.GroupChanged():
                named = next((one.subject for one in event.changes if one.subject is not None), self._name(event.chat))
                changes = tuple(self._canonical(change) for change in event.changes)
                return to_json(GroupData(event.chat, named, event.sender, event.at_ms or at_ms, changes))
            case model.GroupKnown(info=model.GroupChange() as info):
                return to_json(GroupData(event.chat, info.subject, None, at_ms, (self._canonical(info),)))
            case model.MessageReceived() if (name := self._name(event.chat)) is not None:
                return data[:-1] + b',"chatName":' + to_json(name) + b"}"
            case _:
                return data

    def puts(self, event: content.Content) -> tuple[StatePut, ...]:
        """Return what an event teaches about names, to be stored with it."""
        if self._names is None:
            return ()
        now_ms = self._room.clock.wall_ms()
        match event:
            case model.GroupChanged():
                subjects = [one.subject for one in event.changes if one.subject is not None]
                learnt = self._names.learn(event.chat, subjects[-1], now_ms) if subjects else []
            case model.GroupKnown(outcome="found", info=model.GroupChange(subject=str(subject))):
                learnt = self._names.learn(event.chat, subject, now_ms)
            case model.GroupKnown(outcome="not_in_group"):
                learnt = self._names.learn(event.chat, None, now_ms)
            case _:
                return ()
        return tuple(
            StatePut(group_names.key(self._bot, chat), to_json(known) if known is not None else None)
            for chat, known in learnt
        )

    def not_told(self, event: content.Content) -> None:
        """Keep what an answer that nobody is told teaches: that the account is not in the group."""
        if isinstance(event, model.GroupKnown):
            if puts := self.puts(event):
                self._journal.tell(None, puts)
            self.after(event)

    def after(self, event: content.Content) -> None:
        """Ask about groups whose names are not known, one at a time; nothing waits for the answer."""
        chat = _group_of(event)
        if self._names is None or chat is None:
            return
        clock = self._room.clock
        if isinstance(event, model.GroupKnown):
            self._names.answered(chat, clock.monotonic(), found_out=event.outcome != "failed")
        elif isinstance(event, model.MessageReceived):
            self._names.met(chat, clock.monotonic(), clock.wall_ms())
        wanted = self._names.next(clock.monotonic())
        if wanted is not None:
            self._journal.then(lambda: self._room.host.ask_group(self._bot, wanted))

    def show(self, event: content.Content, at_ms: int) -> None:
        """Announce what is never stored: who is there or types."""
        assert isinstance(event, model.PresenceChanged), "nothing else is only shown"
        told = self._presences.told(event, at_ms, self._room.clock.wall_ms())
        if told is None:
            self._room.metrics.suppressed("presence")
            return
        frame = Event(
            self._user, self._bot, "message_sync", "presence", new_id("evt"), self._room.clock.wall_ms(), to_json(told)
        )
        key = f"{self._bot}/presence/{event.chat}/{event.sender}"
        self._room.bus.announce(self._user, key, frame, told.expires_at)
        self._room.metrics.event("message_sync", "presence")

    def _canonical(self, change: model.GroupChange) -> model.GroupChange:
        """Name people as everything else does; members keep their phone forms beside."""
        names = tuple(self._who.canonical(name) for name in change.participants)
        listed = change.members
        if listed is not None:
            forms = [self._who.forms(member.id) for member in listed]
            listed = tuple(
                msgspec.structs.replace(member, id=form.canonical, pn=form.pn if form.pn != form.canonical else None)
                for member, form in zip(listed, forms, strict=True)
            )
        return msgspec.structs.replace(change, participants=names, members=listed)

    def _name(self, chat: str) -> str | None:
        return self._names.name(chat) if self._names is not None else None


class GroupData(msgspec.Struct, frozen=True, rename="camel"):
    """`data` of a `group` frame."""

    chat: str
    chat_name: str | None
    sender: str | None
    """Who did it; None when WhatsApp does not say, and for an answer to a question of ours (`info`)."""
    at: int
    changes: tuple[model.GroupChange, ...]


def _group_of(event: content.Content) -> str | None:
    """Return the group an event is about, if it is one whose name matters."""
    if isinstance(event, model.MessageReceived | model.GroupChanged | model.GroupKnown):
        return event.chat if event.chat.endswith(f"@{GROUP_SERVER}") else None
    return None
