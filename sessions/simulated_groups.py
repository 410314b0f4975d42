"""Groups, presence and calls around a simulated bot: who is in, and what a test or a demo lets them do.

Owns the file of groups beside the bot's inbox (they outlive a session) and the people's moves in them. It must never
know the worker. Read `simulated_phone.py` for the people alone, `simulated_server.py` for the rules.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from sessions import model
from sessions.model import GROUP_SERVER, LID_SERVER, USER_SERVER, GroupChange, GroupMember, Jid
from sessions.simulated_store import TextIn, lid_of, new_message_id

if TYPE_CHECKING:
    from sessions.simulated_server import SimulatedServer


class PhoneError(Exception):
    """The phone can't do that now; the message says why."""


class SimulatedGroup(msgspec.Struct):
    """One group as it stands."""

    subject: str
    members: list[str]
    """Numbers, the bot's own among them while it is in."""
    admins: list[str]
    description: str = ""
    announce: bool = False
    locked: bool = False
    seconds: int = 0
    version: int = 1


class Groups:
    """The groups of one bot's account, kept in a file."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._groups: dict[str, SimulatedGroup] = {}
        if path.exists():
            self._groups = msgspec.json.decode(path.read_bytes(), type=dict[str, SimulatedGroup])

    def get(self, chat: str) -> SimulatedGroup | None:
        """Return a group by its address."""
        return self._groups.get(chat)

    def put(self, chat: str, group: SimulatedGroup) -> None:
        """Keep a new or changed group. Raises OSError."""
        self._groups[chat] = group
        self._path.write_bytes(msgspec.json.encode(self._groups))

    def answer(self, chat: str, own: str) -> model.GroupKnown:
        """Answer a question about a group as WhatsApp does for the account with this number."""
        group = self._groups.get(chat)
        if group is None or own not in group.members:
            return model.GroupKnown(chat, "not_in_group")
        return model.GroupKnown(chat, "found", described(group, "info"))


def described(group: SimulatedGroup, action: model.GroupAction) -> GroupChange:
    """Tell the whole group."""
    members = tuple(
        GroupMember(f"{lid_of(number)}@{LID_SERVER}", f"{number}@{USER_SERVER}", number in group.admins)
        for number in group.members
    )
    return GroupChange(
        action, me=action != "info", subject=group.subject, description=group.description, members=members,
        locked=group.locked, announce=group.announce, seconds=group.seconds,
    )  # fmt: skip


class SimulatedCircle:
    """The part of a simulated phone that plays groups, presence and calls. People are named by number."""

    _server: SimulatedServer

    # --- groups --------------------------------------------------------------------------------------------------

    def make_group(self, subject: str, members: Sequence[str], tell: bool = True) -> str:
        """Let the first of these contacts make a group with the others and the bot in it. Returns its address."""
        chat = str(Jid(f"1203630{secrets.randbelow(10**11):011d}", GROUP_SERVER))
        group = SimulatedGroup(subject, [*members, self._own()], list(members[:1]))
        self._server.groups.put(chat, group)
        if tell:
            self._told(chat, members[0], described(group, "joined"))
        return chat

    def group_text(
        self,
        group: str,
        sender: str,
        text: str,
        *,
        push_name: str | None = "Contact",
        mentions: tuple[str, ...] = (),
        quoted: str | None = None,
    ) -> str:
        """Let a member write to the group. Returns the message id; it waits while the bot is away."""
        text_in = TextIn(
            new_message_id(), sender, text, self._server.wall_ms(), push_name=push_name, mentions=tuple(mentions),
            quoted=quoted, group=group,
        )  # fmt: skip
        self._server.arrive(text_in)
        return text_in.message_id

    def group_rename(self, group: str, actor: str, subject: str) -> None:
        """Give the group another name."""
        found = self._group(group)
        found.subject = subject
        self._keep(group, found, actor, GroupChange("subject", subject=subject))

    def group_describe(self, group: str, actor: str, description: str) -> None:
        """Give it another description; an empty one takes it away."""
        found = self._group(group)
        found.description = description
        self._keep(group, found, actor, GroupChange("description", description=description))

    def group_add(self, group: str, actor: str, people: Sequence[str]) -> None:
        """Add people."""
        found = self._group(group)
        found.members += [number for number in people if number not in found.members]
        if self._own() in people:
            self._keep(group, found, actor, described(found, "joined"))
        else:
            self._keep(group, found, actor, self._change("added", people, reason="invite"))

    def group_remove(self, group: str, actor: str, people: Sequence[str]) -> None:
        """Remove people, or (`actor` alone) let somebody leave."""
        found = self._group(group)
        found.members = [number for number in found.members if number not in people]
        found.admins = [number for number in found.admins if number not in people]
        action: model.GroupAction = "left" if list(people) == [actor] else "removed"
        self._keep(group, found, actor, self._change(action, people))

    def group_promote(self, group: str, actor: str, people: Sequence[str]) -> None:
        """Make people admins."""
        found = self._group(group)
        found.admins += people
        self._keep(group, found, actor, self._change("promoted", people))

    def group_demote(self, group: str, actor: str, people: Sequence[str]) -> None:
        """Make admins ordinary members."""
        found = self._group(group)
        found.admins = [number for number in found.admins if number not in people]
        self._keep(group, found, actor, self._change("demoted", people))

    def group_announce(self, group: str, actor: str, on: bool = True) -> None:
        """Let only admins write, or everybody again."""
        found = self._group(group)
        found.announce = on
        self._keep(group, found, actor, GroupChange("announce", on=on))

    def _group(self, chat: str) -> SimulatedGroup:
        if self._server.state != "connected":
            raise PhoneError("the session is not connected")
        found = self._server.groups.get(chat)
        if found is None:
            raise PhoneError("there is no such group")
        return found

    def _keep(self, chat: str, group: SimulatedGroup, actor: str, change: GroupChange) -> None:
        group.version += 1
        self._server.groups.put(chat, group)
        self._told(chat, actor, change, str(group.version))

    def _told(self, chat: str, actor: str, change: GroupChange, version: str = "1") -> None:
        sender = f"{lid_of(actor)}@{LID_SERVER}"
        self._server.emit(model.GroupChanged(chat, sender, self._server.wall_ms(), (change,), version))

    def _change(self, action: model.GroupAction, people: Sequence[str], reason: str | None = None) -> GroupChange:
        names = tuple(f"{lid_of(number)}@{LID_SERVER}" for number in people)
        return GroupChange(action, names, me=self._own() in people, reason=reason)

    def _own(self) -> str:
        if self._server.account is None:
            raise PhoneError("no device is linked")
        return self._server.account.phone

    # --- presence and calls --------------------------------------------------------------------------------------

    def presence(
        self, sender: str, state: model.PresenceState, *, group: str | None = None, last_seen_ms: int | None = None
    ) -> None:
        """Let somebody come, go, type or record; in a group where one is named."""
        phone, lid = f"{sender}@{USER_SERVER}", f"{lid_of(sender)}@{LID_SERVER}"
        chat, chat_pn = (group, None) if group is not None else (lid, phone)
        self._server.pass_on(model.PresenceChanged(chat, chat_pn, lid, phone, state, last_seen_ms))

    def call(self, sender: str, *, video: bool = False, group: str | None = None) -> str:
        """Let somebody call. Returns the call's id."""
        call_id = new_message_id()
        self._called(call_id, sender, "offer", video=video, group=group)
        return call_id

    def take_call(self, sender: str, call_id: str) -> None:
        """Take somebody's call on the phone itself."""
        self._called(call_id, sender, "accepted")

    def end_call(self, sender: str, call_id: str, reason: str | None = None) -> None:
        """End somebody's call: it was over, or (`timeout`) nobody took it."""
        self._called(call_id, sender, "ended", reason=reason)

    def _called(
        self,
        call_id: str,
        sender: str,
        state: model.CallState,
        *,
        video: bool | None = None,
        group: str | None = None,
        reason: str | None = None,
    ) -> None:
        phone, lid = f"{sender}@{USER_SERVER}", f"{lid_of(sender)}@{LID_SERVER}"
        at_ms = self._server.wall_ms()
        self._server.emit(model.CallChanged(call_id, lid, phone, False, group, video, state, reason, at_ms))
