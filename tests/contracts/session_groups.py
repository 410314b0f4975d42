"""The contract of `Session`, fourth part: groups, presence, calls.

Owns the rules about them. Read `session_kinds.py` for messages, `group_harness.py` for what an implementation brings.
"""

from __future__ import annotations

from typing import Any

import pytest

from sessions import model, translate
from sessions.model import GroupChange
from tests.contracts.group_harness import Change
from tests.contracts.session_harness import Harness
from tests.contracts.session_steps import check_spooling, linked

OTHER = "120363000000009999@g.us"


class SessionGroups:
    """Messages of groups, and what happens around messages."""

    async def test_group_text_in(self, harness: Harness) -> None:
        """A text in a group is one message: chat the group, sender the member by both forms, whichever came first."""
        _, outlet, _ = await linked(harness)
        group = await harness.group()
        sent = [
            await group.write("hello all"),
            await group.write("from me too", by="bob"),
            await group.write("x", pn=True),
        ]
        await outlet.wait(model.MessageReceived, count=3)
        messages = outlet.of(model.MessageReceived)
        assert [one.message_id for one in messages] == sent
        assert [(one.chat, one.chat_pn) for one in messages] == [(group.chat, None)] * 3
        assert [(one.sender, one.sender_pn) for one in messages] == [group.ada, group.bob, group.ada]
        assert [one.content.text for one in messages if one.content] == ["hello all", "from me too", "x"]
        assert not any(one.from_me for one in messages)
        check_spooling(outlet)

    async def test_group_reply_and_changes_in(self, harness: Harness) -> None:
        """Replies, reactions, edits and revokes in a group name the group, their author and their message."""
        session, outlet, _ = await linked(harness)
        group = await harness.group()
        target = await group.write("frist")
        answer = await group.reply("yes", target, group.ada[0], (group.bob[0],))
        message = await outlet.wait(model.MessageReceived, count=2)
        assert message.message_id == answer and message.content is not None
        assert message.content.quoted == model.Quoted(target, group.ada[0])
        assert message.content.mentions == (group.bob[0],)
        await group.alter("reaction", target, "👍")
        await group.alter("edited", target, "first")
        await group.alter("revoked", target)
        reaction = await outlet.wait(model.ReactionReceived)
        edit = await outlet.wait(model.MessageEdited)
        revoke = await outlet.wait(model.MessageRevoked)
        for event in (reaction, edit, revoke):
            assert (event.chat, event.chat_pn, event.target_id) == (group.chat, None, target)
            assert (event.sender, event.sender_pn) == group.ada
        assert (reaction.emoji, edit.content) == ("👍", model.Content("first"))
        assert session.account() is not None

    async def test_group_kinds_out(self, harness: Harness) -> None:
        """What is sent to a group is read by every member: text, reply with mentions, reaction, edit, revoke."""
        session, outlet, _ = await linked(harness)
        group = await harness.group()
        wanted: list[tuple[model.Outgoing, dict[str, Any]]] = [
            (model.OutgoingText(group.chat, "hi all"), {"type": "text", "text": "hi all"}),
            (model.OutgoingText(group.chat, "yes @1", model.Quoted("3A01", group.bob[0]), (group.carl[0],)),
             {"type": "text", "text": "yes @1", "quoted": {"messageId": "3A01", "sender": group.bob[0]},
              "mentions": [group.carl[0]]}),
            (model.OutgoingReaction(group.chat, "3A01", "👍", group.bob[0]),
             {"type": "reaction", "message_id": "3A01", "emoji": "👍", "sender": group.bob[0]}),
            (model.OutgoingEdit(group.chat, "3EB0", "new"), {"type": "edit", "message_id": "3EB0", "text": "new"}),
            (model.OutgoingRevoke(group.chat, "3EB0"), {"type": "revoke", "message_id": "3EB0"}),
        ]  # fmt: skip
        for number, (outgoing, words) in enumerate(wanted):
            outcome = await session.send(f"job_{number}", outgoing)
            assert isinstance(outcome, model.Sent), outgoing
            assert await group.next_words() == [(outcome.message_id, words)] * 3
        check_spooling(outlet)

    async def test_group_receipts(self, harness: Harness) -> None:
        """Each member's receipt is one of its own, from the member, in the group's chat."""
        session, outlet, _ = await linked(harness)
        group = await harness.group()
        outcome = await session.send("job_1", model.OutgoingText(group.chat, "hi all"))
        assert isinstance(outcome, model.Sent)
        await group.next_words()
        for by in ("ada", "bob", "carl"):
            await group.receipt(outcome.message_id, "delivered", by=by)
        await group.receipt(outcome.message_id, "read", by="bob")
        await outlet.wait(model.ReceiptReceived, count=3, where=lambda one: one.kind == "delivered")
        read = await outlet.wait(model.ReceiptReceived, where=lambda one: one.kind == "read")
        receipts = outlet.of(model.ReceiptReceived)
        assert {(one.chat, one.chat_pn, one.message_ids) for one in receipts} == {
            (group.chat, None, (outcome.message_id,))
        }
        delivered = {one.sender for one in receipts if one.kind == "delivered"}
        assert delivered == {group.ada[0], group.bob[0], group.carl[0]}
        assert (read.sender, read.from_me) == (group.bob[0], False)

    async def test_not_in_group(self, harness: Harness) -> None:
        """A group the account is not in, or that isn't there, refuses for good and says so."""
        session, _, _ = await linked(harness)
        outcome = await session.send("job_1", model.OutgoingText(OTHER, "anybody?"))
        assert outcome == model.SendRejected("not_in_group")

    async def test_group_is_asked_about(self, harness: Harness) -> None:
        """A question about a group is answered by its name and members, or that the account is not in it; spooled."""
        session, outlet, _ = await linked(harness)
        group = await harness.group()
        await session.ask_group(group.chat)
        answer = await outlet.wait(model.GroupKnown)
        assert (answer.chat, answer.outcome) == (group.chat, "found") and answer.info is not None
        assert (answer.info.action, answer.info.subject) == ("info", "Team")
        assert answer.info.members is not None
        members = {(one.id, one.pn): one.admin for one in answer.info.members}
        assert members[group.ada] is True and members[group.bob] is False and len(members) == 4
        await session.ask_group(OTHER)
        gone = await outlet.wait(model.GroupKnown, count=2)
        assert (gone.chat, gone.outcome, gone.info) == (OTHER, "not_in_group", None)
        await session.ask_group(group.ada[0])
        await session.stop()
        await session.ask_group(group.chat)
        assert len(outlet.of(model.GroupKnown)) == 2
        check_spooling(outlet)

    async def test_group_changes(self, harness: Harness) -> None:
        """Every change of a group is told with who did it and whom it is about."""
        _, outlet, _ = await linked(harness)
        group = await harness.group()
        carl = (group.carl[0],)
        steps: list[tuple[Change, str, GroupChange, str]] = [
            ("rename", "Crew", GroupChange("subject", subject="Crew"), group.ada[0]),
            ("describe", "We row", GroupChange("description", description="We row"), group.ada[0]),
            ("describe", "", GroupChange("description", description=""), group.ada[0]),
            ("remove", "", GroupChange("removed", carl), group.ada[0]),
            ("add", "", GroupChange("added", carl, reason="invite"), group.ada[0]),
            ("promote", "", GroupChange("promoted", carl), group.ada[0]),
            ("demote", "", GroupChange("demoted", carl), group.ada[0]),
            ("leave", "", GroupChange("left", carl), group.carl[0]),
            ("announce", "", GroupChange("announce", on=True), group.ada[0]),
        ]
        for number, (what, text, expected, actor) in enumerate(steps, start=1):
            await group.change(what, text)
            event = await outlet.wait(model.GroupChanged, count=number)
            assert (event.chat, event.sender, event.changes) == (group.chat, actor, (expected,)), what
            assert event.at_ms > 1_600_000_000_000
        check_spooling(outlet)

    async def test_own_place_in_a_group(self, harness: Harness) -> None:
        """The account's own removal and return are told as such; its return with the whole group."""
        session, outlet, _ = await linked(harness)
        group = await harness.group()
        await group.change("remove_me")
        removed = (await outlet.wait(model.GroupChanged)).changes[0]
        assert (removed.action, removed.me) == ("removed", True)
        refused = await session.send("job_1", model.OutgoingText(group.chat, "still there?"))
        assert isinstance(refused, model.SendRejected)
        await group.change("join_me")
        joined = await outlet.wait(model.GroupChanged, count=2)
        change = joined.changes[0]
        assert (joined.chat, change.action, change.me, change.subject) == (group.chat, "joined", True, "Team")
        assert change.members is not None and len(change.members) == 4
        outcome = await session.send("job_2", model.OutgoingText(group.chat, "back again"))
        assert isinstance(outcome, model.Sent)

    async def test_presence(self, harness: Harness) -> None:
        """Who comes, goes, types and records is handed over as it happens, and never spooled."""
        _, outlet, _ = await linked(harness)
        group = await harness.group()
        states: tuple[model.PresenceState, ...] = ("available", "typing", "recording", "paused", "unavailable")
        for number, state in enumerate(states, start=1):
            await group.presence(state)
            event = await outlet.wait(model.PresenceChanged, count=number)
            assert (event.state, event.chat, event.sender) == (state, group.ada[0], group.ada[0])
        await group.presence("typing", here=True)
        event = await outlet.wait(model.PresenceChanged, count=6)
        assert (event.state, event.chat, event.chat_pn, event.sender) == ("typing", group.chat, None, group.ada[0])
        assert {entry.ordinal for entry in outlet.delivered if isinstance(entry.event, model.PresenceChanged)} == {None}
        assert not {entry.kind for entry in outlet.spooled} & translate.TRANSIENT
        assert not any(b"PresenceChanged" in entry.raw for entry in outlet.spooled)
        check_spooling(outlet)

    @pytest.mark.parametrize("video", [False, True], ids=["audio", "video"])
    async def test_call(self, harness: Harness, video: bool) -> None:
        """A call is told from its offer to its end: who calls, whether it is a video call, who took it, why it ended."""
        _, outlet, _ = await linked(harness)
        group = await harness.group()
        call_id = await group.call(video=video)
        offer = await outlet.wait(model.CallChanged)
        assert (offer.call_id, offer.state, offer.video, offer.group) == (call_id, "offer", video, None)
        assert (offer.sender, offer.sender_pn, offer.from_me) == (*group.ada, False)
        await group.take_call(call_id)
        taken = await outlet.wait(model.CallChanged, count=2)
        assert (taken.call_id, taken.state, taken.sender) == (call_id, "accepted", group.ada[0])
        await group.end_call(call_id, "timeout")
        ended = await outlet.wait(model.CallChanged, count=3)
        assert (ended.call_id, ended.state, ended.reason) == (call_id, "ended", "timeout")
        check_spooling(outlet)

    async def test_group_call(self, harness: Harness) -> None:
        """A call of a whole group names the group."""
        _, outlet, _ = await linked(harness)
        group = await harness.group()
        await group.call(video=True, here=True)
        offer = await outlet.wait(model.CallChanged)
        assert (offer.state, offer.video, offer.group, offer.sender) == ("offer", True, group.chat, group.ada[0])
