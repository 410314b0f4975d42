"""Frozen records of what happens around messages: groups and their changes, presence, calls.

Owns that vocabulary. It must never know how WhatsApp encodes it. Import these from `model.py`. Read `translate_around.py`
next for who makes them, `content.py` for messages.
"""

from __future__ import annotations

from typing import Literal

import msgspec

GroupAction = Literal[
    "info", "created", "joined", "added", "removed", "left", "promoted", "demoted", "subject", "description", "locked",
    "announce", "disappearing", "invite_link", "deleted", "linked", "unlinked", "unrecognised",
]  # fmt: skip


class GroupMember(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    """One of a group's people."""

    id: str
    """Canonical: the LID form when known, else the phone form."""
    pn: str | None = None
    admin: bool = False


class GroupChange(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    """One change of a group; `action` says which members hold something.

    `info`, `created` and `joined` (the bot's account was added, or made the group) tell the whole group: subject,
    description, members, `locked`, `announce`, `seconds`. `added`, `removed`, `left` (by themselves), `promoted` and
    `demoted` have `participants`. `subject` and `description` have the new words. `locked` (only admins change the
    group) and `announce` (only admins write) have `on`, `disappearing` has `seconds` (0: off), `invite_link` has
    `link`, `linked` and `unlinked` have `group` (communities), `deleted` may have `reason`.
    """

    action: GroupAction
    participants: tuple[str, ...] = ()
    me: bool = False
    """The bot's own account is among the participants."""
    subject: str | None = None
    description: str | None = None
    """Empty: taken away."""
    on: bool | None = None
    seconds: int | None = None
    link: str | None = None
    group: str | None = None
    reason: str | None = None
    members: tuple[GroupMember, ...] | None = None
    locked: bool | None = None
    announce: bool | None = None


class GroupChanged(msgspec.Struct, frozen=True, tag=True):
    """Something about a group changed, or the account came into one."""

    chat: str
    sender: str | None
    """Who did it, canonical as far as told; None when WhatsApp does not say."""
    at_ms: int
    changes: tuple[GroupChange, ...]
    version: str = ""
    """WhatsApp's number of the list of members after it: tells two equal changes apart."""


class GroupKnown(msgspec.Struct, frozen=True, tag=True):
    """The answer to a question about a group (`Session.ask_group`)."""

    chat: str
    outcome: Literal["found", "not_in_group", "failed"]
    """`failed`: nothing is known; it may be asked again."""
    info: GroupChange | None = None


PresenceState = Literal["available", "unavailable", "typing", "recording", "paused"]


class PresenceChanged(msgspec.Struct, frozen=True, tag=True):
    """Somebody came, went, types or records. Never spooled: only the newest counts, and not for long."""

    chat: str
    """The person's chat, or the group they type in."""
    chat_pn: str | None
    sender: str
    sender_pn: str | None
    state: PresenceState
    last_seen_ms: int | None = None
    """With `unavailable`, when their privacy settings let it be known."""


CallState = Literal["offer", "accepted", "ended"]


class CallChanged(msgspec.Struct, frozen=True, tag=True):
    """Somebody calls, or a call was taken on another device, or is over. Calls can't be taken here."""

    call_id: str
    sender: str
    """Who calls."""
    sender_pn: str | None
    from_me: bool
    """The account itself calls, from its phone."""
    group: str | None
    """The group that is called, where that is told (only with the offer)."""
    video: bool | None
    """None: not told (only with the offer)."""
    state: CallState
    reason: str | None
    """Of the end, in WhatsApp's word (`timeout`, `accepted_elsewhere`, …)."""
    at_ms: int
