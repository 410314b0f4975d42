"""The contract of `Session`, second half: texts both ways.

Owns the rules about messages and sends. Read `session_suite.py` for the first half and how to run both.
"""

from __future__ import annotations

import time

import pytest

from sessions import kinds, model
from sessions.model import OutgoingText
from tests.contracts.session_harness import Delivered, Harness, Spooled
from tests.contracts.session_steps import account_of, check_spooling, linked, resumed


class SessionMessages:
    """Texts both ways."""

    @pytest.mark.parametrize("addressing", ["lid", "pn"])
    async def test_text_in(self, harness: Harness, addressing: str) -> None:
        """A text is known by its LID form, the phone form beside it, whichever it was addressed by."""
        _, outlet, _ = await linked(harness)
        message_id = await harness.text("hello bot", "lid" if addressing == "lid" else "pn")
        event = await outlet.wait(model.MessageReceived)
        assert (event.message_id, event.kind, event.from_me) == (message_id, "text", False)
        assert (event.chat, event.chat_pn) == (harness.contact_lid, harness.contact_pn)
        assert (event.sender, event.sender_pn) == (harness.contact_lid, harness.contact_pn)
        assert event.content is not None and event.content.text == "hello bot"
        assert abs(event.sent_at_ms - time.time() * 1000) < 120_000
        check_spooling(outlet)

    async def test_text_in_without_a_lid(self, harness: Harness) -> None:
        """Where no LID is known the phone form is the chat's name."""
        _, outlet, _ = await linked(harness)
        await harness.text("hello bot", "no_lid")
        event = await outlet.wait(model.MessageReceived)
        phone = f"{harness.contact_without_lid}@s.whatsapp.net"
        assert (event.chat, event.chat_pn, event.sender) == (phone, phone, phone)

    async def test_from_me(self, harness: Harness) -> None:
        """What the owner writes on the phone arrives as from_me, in the contact's chat, sent by the own account."""
        session, outlet, _ = await linked(harness)
        message_id = await harness.write_on_phone("from my phone")
        event = await outlet.wait(model.MessageReceived)
        assert (event.message_id, event.from_me) == (message_id, True)
        assert (event.chat, event.chat_pn) == (harness.contact_lid, harness.contact_pn)
        assert event.sender_pn == f"{account_of(session).phone}@s.whatsapp.net"
        assert event.content is not None and event.content.text == "from my phone"

    async def test_odd_message(self, harness: Harness) -> None:
        """A kind this version doesn't know still arrives, as unrecognised, and the next text after it."""
        _, outlet, _ = await linked(harness)
        message_id = await harness.odd_message()
        event = await outlet.wait(model.MessageReceived)
        assert (event.message_id, event.kind) == (message_id, "unrecognised")
        await harness.text("still there?")
        await outlet.wait(model.MessageReceived, count=2)

    async def test_offline_texts_arrive_once(self, harness: Harness) -> None:
        """Texts sent while the session was stopped arrive at its next start, in order, each once."""
        session, first, _ = await linked(harness)
        account = account_of(session)
        await session.stop()
        sent = [await harness.text(f"while you were away {number}") for number in range(3)]
        again, outlet = await resumed(harness, account)
        await outlet.wait(model.MessageReceived, count=3)
        await harness.text("and now")
        await outlet.wait(model.MessageReceived, count=4)
        assert [event.message_id for event in outlet.of(model.MessageReceived)][:3] == sent
        assert not first.of(model.MessageReceived)
        await again.stop()
        _, third = await resumed(harness, account)
        await third.wait(model.Connected)
        await harness.text("third time")
        await third.wait(model.MessageReceived)
        assert len(third.of(model.MessageReceived)) == 1
        check_spooling(outlet)

    @pytest.mark.parametrize("form", ["phone", "lid"])
    async def test_text_out(self, harness: Harness, form: str) -> None:
        """A text sent is Sent, reaches the contact, and its receipts arrive as delivered and read."""
        session, outlet, _ = await linked(harness)
        to = harness.contact_pn if form == "phone" else harness.contact_lid
        outcome = await session.send("job_1", OutgoingText(to, "hello contact"))
        assert isinstance(outcome, model.Sent)
        assert abs(outcome.at_ms - time.time() * 1000) < 120_000
        assert await harness.next_text() == (outcome.message_id, "hello contact")
        await harness.receipt(outcome.message_id, "delivered")
        first = await outlet.wait(model.ReceiptReceived, where=lambda receipt: receipt.kind == "delivered")
        await harness.receipt(outcome.message_id, "read")
        second = await outlet.wait(model.ReceiptReceived, where=lambda receipt: receipt.kind == "read")
        for receipt in (first, second):
            assert receipt.message_ids == (outcome.message_id,)
            assert (receipt.chat, receipt.from_me) == (harness.contact_lid, False)
        check_spooling(outlet)

    async def test_outcome_is_spooled_before_it_is_told(self, harness: Harness) -> None:
        """When `send` returns, its outcome lies in the spool and was delivered as SendFinished of the job."""
        session, outlet, _ = await linked(harness)
        outcome = await session.send("job_7", OutgoingText(harness.contact_pn, "hello"))
        log = list(outlet.log)
        finished = [
            entry for entry in log if isinstance(entry, Delivered) and isinstance(entry.event, model.SendFinished)
        ]
        assert [entry.event for entry in finished] == [model.SendFinished("job_7", outcome)]
        written = [entry for entry in log if isinstance(entry, Spooled) and entry.kind == kinds.SEND_FINISHED]
        assert [entry.ordinal for entry in written] == [finished[0].ordinal]
        assert b"job_7" in written[0].raw and b"hello" not in written[0].raw

    async def test_not_on_whatsapp(self, harness: Harness) -> None:
        """A number that isn't on WhatsApp is refused for good."""
        session, outlet, _ = await linked(harness)
        outcome = await session.send("job_1", OutgoingText(f"{harness.absent}@s.whatsapp.net", "hello"))
        assert outcome == model.SendRejected("not_on_whatsapp")
        assert outlet.of(model.SendFinished) == [model.SendFinished("job_1", outcome)]

    @pytest.mark.parametrize(("number", "code"), [(463, "restricted"), (479, "rejected")])
    async def test_rejected(self, harness: Harness, number: int, code: str) -> None:
        """An acknowledgement with an error is a refusal with WhatsApp's number."""
        session, _, _ = await linked(harness)
        await harness.refuse_next_send(number)
        outcome = await session.send("job_1", OutgoingText(harness.contact_pn, "hello"))
        assert isinstance(outcome, model.SendRejected)
        assert (outcome.code, outcome.number) == (code, number)

    async def test_send_outside_its_life(self, harness: Harness) -> None:
        """Before start and after stop a send answers NotSent and touches nothing."""
        session, outlet = await harness.make_session(harness.spec())
        assert isinstance(await session.send("job_1", OutgoingText(harness.contact_pn, "early")), model.NotSent)
        assert await session.logout() is False
        assert outlet.log == []
        session, outlet, _ = await linked(harness)
        await session.stop()
        spooled = len(outlet.spooled)
        assert isinstance(await session.send("job_2", OutgoingText(harness.contact_pn, "late")), model.NotSent)
        assert await session.logout() is False
        assert len(outlet.spooled) == spooled

    async def test_disk_refuses(self, harness: Harness) -> None:
        """When the spool refuses, what can't be kept is not delivered either, and nothing raises."""
        session, outlet, _ = await linked(harness)
        outlet.broken = True
        await harness.text("nobody can keep this")
        assert await session.stop() in {True, False}
        assert not outlet.of(model.MessageReceived)
        check_spooling(outlet)
