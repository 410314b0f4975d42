"""The contract of `Session`, third part: every kind of message both ways, and what people do to messages.

Owns the rules about kinds. Read `session_messages.py` for texts, `session_suite.py` for how to run all.
"""

from __future__ import annotations

from typing import Any, get_args

import msgspec

from sessions import model
from tests.contracts.session_harness import Harness
from tests.contracts.session_steps import check_spooling, linked
from tests.support.kinds import EXAMPLES, VCARD

OUTGOING: list[tuple[model.Outgoing, dict[str, Any]]] = [
    (model.OutgoingText("", "yes @1", model.Quoted("3A01", "22@lid"), ("55@lid",)),
     {"type": "text", "text": "yes @1", "quoted": {"messageId": "3A01", "sender": "22@lid"}, "mentions": ["55@lid"]}),
    (model.OutgoingReaction("", "3A01", "👍"), {"type": "reaction", "message_id": "3A01", "emoji": "👍"}),
    (model.OutgoingReaction("", "3A01", "", None, from_me=True),
     {"type": "reaction", "message_id": "3A01", "emoji": "", "from_me": True}),
    (model.OutgoingEdit("", "3A01", "new words"), {"type": "edit", "message_id": "3A01", "text": "new words"}),
    (model.OutgoingRevoke("", "3A01"), {"type": "revoke", "message_id": "3A01"}),
    (model.OutgoingLocation("", 52.5, -13.25, "Here", "Road 1"),
     {"type": "location", "latitude": 52.5, "longitude": -13.25, "name": "Here", "address": "Road 1"}),
    (model.OutgoingContact("", "Bob", VCARD), {"type": "contact", "name": "Bob", "vcard": VCARD}),
    (model.OutgoingPoll("", "When?", ("Mon", "Tue"), 1),
     {"type": "poll", "question": "When?", "options": ["Mon", "Tue"], "selectable": 1}),
]  # fmt: skip
assert {type(one) for one, _ in OUTGOING} == set(get_args(model.Outgoing)) - {model.OutgoingMedia}
"""Files have `session_media.py`."""


class SessionKinds:
    """Every kind both ways."""

    async def test_kinds_in(self, harness: Harness) -> None:
        """A message of each kind arrives with its kind and what it says, metadata only for files."""
        _, outlet, _ = await linked(harness)
        for number, (kind, content) in enumerate(EXAMPLES, start=1):
            message_id = await harness.say(kind, content)
            event = await outlet.wait(model.MessageReceived, count=number)
            assert (event.message_id, event.kind, event.chat) == (message_id, kind, harness.contact_lid)
            assert event.content is not None
            assert msgspec.structs.replace(event.content, push_name=None) == content
        check_spooling(outlet)

    async def test_reply_in(self, harness: Harness) -> None:
        """A reply names the message it answers and whom it mentions."""
        _, outlet, _ = await linked(harness)
        await harness.reply("yes", "3A01", harness.contact_lid, ("55@lid",))
        event = await outlet.wait(model.MessageReceived)
        assert event.content is not None and event.content.text == "yes"
        assert event.content.quoted == model.Quoted("3A01", harness.contact_lid)
        assert event.content.mentions == ("55@lid",)

    async def test_changes_in(self, harness: Harness) -> None:
        """Reactions, edits and revokes arrive as such, name their message, and never as a message of their own."""
        _, outlet, _ = await linked(harness)
        target = await harness.text("frist")
        await outlet.wait(model.MessageReceived)
        reacted = await harness.change("reaction", target, "👍")
        reaction = await outlet.wait(model.ReactionReceived)
        assert (reaction.message_id, reaction.target_id, reaction.emoji) == (reacted, target, "👍")
        await harness.change("reaction", target, "")
        assert (await outlet.wait(model.ReactionReceived, count=2)).emoji == ""
        edited = await harness.change("edited", target, "first")
        edit = await outlet.wait(model.MessageEdited)
        assert (edit.message_id, edit.target_id) == (edited, target)
        assert edit.content == model.Content("first")
        revoked = await harness.change("revoked", target)
        revoke = await outlet.wait(model.MessageRevoked)
        assert (revoke.message_id, revoke.target_id) == (revoked, target)
        for event in (reaction, edit, revoke):
            assert (event.chat, event.chat_pn) == (harness.contact_lid, harness.contact_pn)
            assert (event.sender, event.sender_pn) == (harness.contact_lid, harness.contact_pn)
            assert not event.from_me
        assert len(outlet.of(model.MessageReceived)) == 1
        check_spooling(outlet)

    async def test_kinds_out(self, harness: Harness) -> None:
        """Each kind of send is Sent, and the contact reads exactly what was meant."""
        session, outlet, _ = await linked(harness)
        for number, (outgoing, words) in enumerate(OUTGOING):
            outcome = await session.send(f"job_{number}", msgspec.structs.replace(outgoing, to=harness.contact_pn))
            assert isinstance(outcome, model.Sent), outgoing
            assert await harness.next_words() == (outcome.message_id, words)
        check_spooling(outlet)
