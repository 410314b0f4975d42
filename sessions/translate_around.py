"""Groups, presence and calls out of the library's events. Pure; errors are `translate.py`'s to catch.

Owns the reading of neonize's GroupInfoEvent, JoinedGroup, GroupInfo, Presence, ChatPresence and Call* by their field
names (whatsmeow group.go, presence.go, call.go). It must never import the library. Read `around.py` next for the records.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from sessions import model, people, texts
from sessions.model import Account, GroupChange, SessionEvent

_COMPOSING, _AUDIO = 1, 2
_WORD_CHARS = 40


# --- groups --------------------------------------------------------------------------------------------------


def group_changed(message: Any, known: Account | None) -> SessionEvent:
    """Read event 22: one or more changes, in the order a reader would tell them."""
    sender = _who(message.Sender, None, known)[0] if message.HasField("Sender") else None
    changes = [*_members_changed(message, sender, known), *_words_changed(message), *_settings_changed(message)]
    changes += [GroupChange("unrecognised", reason=_word(change.Tag)) for change in message.UnknownChanges]
    if not changes:
        changes.append(GroupChange("unrecognised"))  # The library knows it and this encoding has no place for it.
    chat = _address(message.JID)
    at_ms = texts.to_ms(int(message.Timestamp))
    return model.GroupChanged(chat, sender, at_ms, tuple(changes), str(message.ParticipantVersionID))


def joined(message: Any, known: Account | None) -> SessionEvent:
    """Read event 21: the account is in a group it was not in before."""
    info = group_info(message.GroupInfo, known)
    owner, reason = people.jid(message.GroupInfo.OwnerJID), _word(str(message.Reason)) or None
    is_own = owner is not None and people.forms(owner, None, known)[0] in people.own(known)
    action: model.GroupAction = "created" if is_own and reason is None else "joined"
    described = GroupChange(
        action, me=True, subject=info.subject, description=info.description, members=info.members, reason=reason,
        locked=info.locked, announce=info.announce, seconds=info.seconds,
    )  # fmt: skip
    chat = _address(message.GroupInfo.JID)
    sender = _who(message.Sender, message.SenderPN, known)[0] if message.HasField("Sender") else None
    # The library tells no time of it.
    return model.GroupChanged(chat, sender, 0, (described,), str(message.GroupInfo.ParticipantVersionID))


def group_info(info: Any, known: Account | None) -> GroupChange:
    """Read what WhatsApp tells about a whole group."""
    members = tuple(_member(participant, known) for participant in info.Participants if not int(participant.Error))
    seconds = int(info.GroupEphemeral.DisappearingTimer) if info.GroupEphemeral.IsEphemeral else 0
    return GroupChange(
        "info",
        subject=str(info.GroupName.Name),
        description=str(info.GroupTopic.Topic),
        members=members,
        locked=bool(info.GroupLocked.isLocked),
        announce=bool(info.GroupAnnounce.IsAnnounce),
        seconds=seconds,
    )


def group_answer(chat: str, answer: Any, known: Account | None) -> model.GroupKnown:
    """Read what GetGroupInfo returned; never raises."""
    try:
        if answer.HasField("GroupInfo"):
            return model.GroupKnown(chat, "found", group_info(answer.GroupInfo, known))
        return model.GroupKnown(chat, "not_in_group" if texts.is_not_in_group(str(answer.Error)) else "failed")
    except (AttributeError, TypeError, ValueError):
        return model.GroupKnown(chat, "failed")


def _member(participant: Any, known: Account | None) -> model.GroupMember:
    forms = [people.jid(form) for form in (participant.LID, participant.PhoneNumber, participant.JID)]
    given = [form for form in forms if form is not None and form.user]
    canonical, pn = people.forms(given[0] if given else None, given[1] if len(given) > 1 else None, known)
    return model.GroupMember(canonical, pn if pn != canonical else None, bool(participant.IsAdmin))


def _members_changed(message: Any, sender: str | None, known: Account | None) -> Iterable[GroupChange]:
    own = people.own(known)
    for action, listed in (
        ("added", message.Join), ("removed", message.Leave), ("promoted", message.Promote), ("demoted", message.Demote),
    ):  # fmt: skip
        names = tuple(_who(jid, None, known)[0] for jid in listed)
        if not names:
            continue
        told: model.GroupAction = "left" if action == "removed" and names == (sender,) else action  # type: ignore[assignment]
        reason = _word(str(message.JoinReason)) or None if action == "added" else None
        yield GroupChange(told, names, me=any(name in own for name in names), reason=reason)


def _words_changed(message: Any) -> Iterable[GroupChange]:
    if message.HasField("Name"):
        yield GroupChange("subject", subject=str(message.Name.Name))
    if message.HasField("Topic"):
        yield GroupChange("description", description="" if message.Topic.TopicDeleted else str(message.Topic.Topic))


def _settings_changed(message: Any) -> Iterable[GroupChange]:
    if message.HasField("Locked"):
        yield GroupChange("locked", on=bool(message.Locked.isLocked))
    if message.HasField("Announce"):
        yield GroupChange("announce", on=bool(message.Announce.IsAnnounce))
    if message.HasField("Ephemeral"):
        timer = message.Ephemeral
        yield GroupChange("disappearing", seconds=int(timer.DisappearingTimer) if timer.IsEphemeral else 0)
    if message.NewInviteLink:
        yield GroupChange("invite_link", link=str(message.NewInviteLink))
    if message.HasField("Delete"):
        yield GroupChange("deleted", reason=_word(str(message.Delete.DeletedReason)) or None)
    if message.HasField("Link"):
        yield GroupChange("linked", group=_address(message.Link.Group.JID))
    if message.HasField("Unlink"):
        yield GroupChange("unlinked", group=_address(message.Unlink.Group.JID))


# --- presence ------------------------------------------------------------------------------------------------


def presence(message: Any, known: Account | None) -> SessionEvent:
    """Read event 20: somebody is there, or is not."""
    who, pn = _who(message.From, None, known)
    seen = int(message.LastSeen)
    state: model.PresenceState = "unavailable" if message.Unavailable else "available"
    return model.PresenceChanged(who, pn, who, pn, state, texts.to_ms(seen) if seen > 0 else None)


def chat_state(message: Any, known: Account | None) -> SessionEvent:
    """Read event 19: somebody types, records, or has stopped."""
    state: model.PresenceState = "paused"
    if int(message.State) == _COMPOSING:
        state = "recording" if int(message.Media) == _AUDIO else "typing"
    return model.PresenceChanged(*people.place(message.MessageSource, known), state)


# --- calls ---------------------------------------------------------------------------------------------------


def call_offer(message: Any, known: Account | None) -> SessionEvent:
    """Read event 36: one person calls."""
    video = any(part.Tag == "video" for part in message.data.Nodes)
    return _call(message, known, "offer", video=video, group=_group_of(message.data))


def call_notice(message: Any, known: Account | None) -> SessionEvent:
    """Read event 40: a call of a group."""
    return _call(message, known, "offer", video=str(message.media) == "video", group=_group_of(message.data))


def call_accepted(message: Any, known: Account | None) -> SessionEvent:
    """Read event 37: another device has taken it."""
    return _call(message, known, "accepted")


def call_ended(message: Any, known: Account | None) -> SessionEvent:
    """Read event 42."""
    return _call(message, known, "ended", reason=_word(str(message.reason)) or None)


def _call(
    message: Any,
    known: Account | None,
    state: model.CallState,
    *,
    video: bool | None = None,
    group: str | None = None,
    reason: str | None = None,
) -> SessionEvent:
    meta = message.basicCallMeta
    creator = meta.callCreator if people.jid(meta.callCreator) is not None else getattr(meta, "from")
    sender, pn = _who(creator, meta.callCreatorAlt, known)
    at_ms = texts.to_ms(int(meta.timestamp))
    own = sender in people.own(known)
    return model.CallChanged(str(meta.callID), sender, pn, own, group, video, state, reason, at_ms)


def _group_of(data: Any) -> str | None:
    for attribute in data.Attrs:
        if attribute.name == "group-jid":
            return _address(attribute.jid) if attribute.HasField("jid") else str(attribute.text)
    return None


def _address(proto: Any) -> str:
    jid = people.jid(proto)
    if jid is None:
        raise ValueError("no address")
    return str(jid)


def _who(proto: Any, other: Any, known: Account | None) -> tuple[str, str | None]:
    return people.forms(people.jid(proto), people.jid(other) if other is not None else None, known)


def _word(text: str) -> str:
    """A word of WhatsApp's, fit to be shown: what a stranger's client may have put there is kept short."""
    return "".join(letter for letter in text if letter.isprintable())[:_WORD_CHARS]
