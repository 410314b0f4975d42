"""The loopback server with the real neonize: linking by QR and by code, and chatting.

Owns the proof that the server speaks what the library understands. It must never know the orchestrator. Neighbours to
read next: ``test_loopback_real_endings.py``, ``loopback/server.py``, ``loopback/real_child.py`` (the bare program these
tests run).
"""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from tests.loopback.devices import LinkedDevice
from tests.loopback.pairing import PairingRefused
from tests.loopback.phone import Contact, Phone
from tests.loopback.real_process import RealProcess, link
from tests.loopback.server import LoopbackServer

pytest_plugins = ("tests.loopback.fixtures",)

# neonize's enum Receipt.ReceiptType.
RECEIPT_DELIVERED, RECEIPT_READ = 1, 4


async def test_a_scanned_qr_code_links_and_515_is_followed_by_a_login(
    wa: LoopbackServer, child: RealProcess, phone: Phone, tmp_path: Path
) -> None:
    """Six refs are offered; after the scan: pair-success, countersignature, 515, login, prekeys, active, in order."""
    device = await link(child, phone, tmp_path / "bot.db")
    wanted = [
        *("refs_sent", "refs_accepted", "pair_success_sent", "pair_signed", "restart_sent"),
        *("login", "prekeys_stored", "active", "offline_sent"),
    ]
    assert [entry.kind for entry in wa.ledger.entries() if entry.kind in wanted] == wanted
    assert wa.ledger.entries("refs_sent")[0].data["count"] == 6
    assert device.prekeys_left > 500
    assert phone.devices == [device]


async def test_a_typed_code_links(wa: LoopbackServer, child: RealProcess, phone: Phone, tmp_path: Path) -> None:
    """The code that the library shows, typed on the phone of that number, links the bot just as a QR code does."""
    await child.call("start", "bot", store=str(tmp_path / "bot.db"))
    await child.wait("qr", "bot")
    code = await child.call("pair_phone", "bot", number=phone.number)
    device = await phone.enter_code(code)
    await child.wait("Connected", "bot")
    await device.wait_online()
    assert wa.ledger.count("restart_sent", phone=phone.number, device=device.number) == 1


async def test_a_wrong_code_is_refused_and_the_right_one_still_links(
    wa: LoopbackServer, child: RealProcess, phone: Phone, tmp_path: Path
) -> None:
    """A code of the right form but with other characters doesn't link; nothing is countersigned."""
    await child.call("start", "bot", store=str(tmp_path / "bot.db"))
    await child.wait("qr", "bot")
    code = await child.call("pair_phone", "bot", number=phone.number)
    wrong = code[:-1] + ("A" if code[-1] != "A" else "B")
    with pytest.raises(PairingRefused):
        await phone.enter_code(wrong)
    assert phone.devices == []
    assert wa.ledger.count("pair_success_sent") == 0


async def test_a_tampered_pairing_is_refused_by_the_library(
    wa: LoopbackServer, child: RealProcess, phone: Phone, tmp_path: Path
) -> None:
    """An HMAC under another secret: the library answers hmac-mismatch, its login status is error, no device exists."""
    wa.faults.tamper_pairing = True
    await child.call("start", "bot", store=str(tmp_path / "bot.db"))
    code = await child.wait("qr", "bot")
    with pytest.raises(PairingRefused, match="hmac-mismatch"):
        await phone.scan(code["data"])
    status = await child.wait("login_status", "bot")
    assert status["status"] == "error"
    assert phone.devices == []


@pytest.mark.parametrize("addressing", ["lid", "pn"])
async def test_a_text_from_a_contact_arrives_and_is_receipted(
    wa: LoopbackServer, child: RealProcess, phone: Phone, ada: Contact, device: LinkedDevice, addressing: str
) -> None:
    """Addressed by LID or by number, the text reaches Python with both addresses, and its receipt reaches Ada."""
    message_id = await ada.send_text(phone, "hello", "lid" if addressing == "lid" else "pn")
    message = await child.wait("Message", "bot")
    own, other = (ada.lid_jid, ada.pn_jid) if addressing == "lid" else (ada.pn_jid, ada.lid_jid)
    assert (message["id"], message["text"], message["fromMe"]) == (message_id, "hello", False)
    assert (message["sender"], message["senderAlt"]) == (str(own), str(other))
    await wa.ledger.wait("message_received", id=message_id)
    assert [(one.message_id, one.device) for one in ada.receipts] == [(message_id, device.number)]
    assert device.waiting == 0


@pytest.mark.parametrize("addressing", ["lid", "pn"])
async def test_a_text_to_a_contact_arrives_and_its_receipts_come_back(
    wa: LoopbackServer, child: RealProcess, ada: Contact, phone: Phone, device: LinkedDevice, addressing: str
) -> None:
    """Sent to a LID or a number, Ada can read it, so can the own phone; delivered then read come back and are acked."""
    to = ada.lid_jid if addressing == "lid" else ada.pn_jid
    message_id = await child.call("send", "bot", to=str(to), text="hi Ada")
    received = await ada.wait_text("hi Ada")
    assert (received.message_id, received.sender, received.device) == (message_id, phone.number, device.number)
    assert [one.text for one in phone.received] == ["hi Ada"]
    ada.mark_read(message_id)
    for type_, seen_as in (("", RECEIPT_DELIVERED), ("read", RECEIPT_READ)):
        await wa.ledger.wait("receipt_acked", id=message_id, type=type_)
        receipt = await child.wait("Receipt", "bot", where=lambda event, seen=seen_as: event["type"] == seen)  # type: ignore[misc]
        assert receipt["ids"] == [message_id]
    assert device.waiting == 0


async def test_a_conversation_leaves_prekey_messages_behind(
    child: RealProcess, phone: Phone, ada: Contact, device: LinkedDevice
) -> None:
    """After one message each way both sides use the established session, ten turns long."""
    for turn in range(10):
        await ada.send_text(phone, f"ping {turn}")
        await child.wait("Message", "bot", where=lambda event, turn=turn: event["text"] == f"ping {turn}")  # type: ignore[misc]
        await child.call("send", "bot", to=str(ada.lid_jid), text=f"pong {turn}")
        await ada.wait_text(f"pong {turn}")
    assert [sent.cipher_type for sent in ada.signal.sent] == ["pkmsg"] + ["msg"] * 9


async def test_a_bot_that_marks_read_is_seen_reading(
    wa: LoopbackServer, child: RealProcess, phone: Phone, ada: Contact, device: LinkedDevice
) -> None:
    """mark_read in the library becomes a read receipt for that message at its sender."""
    message_id = await ada.send_text(phone, "read me")
    await child.wait("Message", "bot")
    await child.call("mark_read", "bot", id=message_id, chat=str(ada.lid_jid))
    entry = await wa.ledger.wait("read_from_device", id=message_id)
    assert entry.data["type"] == "read"
    assert "read" in [one.type for one in ada.receipts]


async def test_what_was_sent_while_away_comes_at_the_next_login(
    wa: LoopbackServer, child: RealProcess, phone: Phone, ada: Contact, device: LinkedDevice, tmp_path: Path
) -> None:
    """Texts for a device that is away wait, come in order and marked offline at its login, and are forgotten then."""
    await child.call("stop", "bot")
    await wa.ledger.wait("disconnected", phone=phone.number)
    ids = [await ada.send_text(phone, f"away {number}") for number in range(5)]
    assert device.waiting == 5
    mark, seen = len(wa.ledger), len(child.events)
    await child.call("start", "bot", store=str(tmp_path / "bot.db"), jid=str(device.pn_jid))
    done = await child.wait("OfflineSyncCompleted", "bot", after=seen)
    assert done["count"] == 5
    await wa.ledger.wait_count(5, "message_received", after=mark)
    messages = [event["id"] for event in child.events[seen:] if event["event"] == "Message"]
    assert messages == ids
    assert [entry.data["offline"] for entry in wa.ledger.entries("message_sent", after=mark)] == [1] * 5
    assert device.waiting == 0


async def test_a_message_without_a_receipt_is_sent_again(
    wa: LoopbackServer, child: RealProcess, phone: Phone, ada: Contact, device: LinkedDevice
) -> None:
    """A message whose receipt was lost with the connection comes again; the library makes one event of both."""
    mark = len(wa.ledger)
    message_id = await ada.send_text(phone, "once")
    device.abort()
    await wa.ledger.wait("offline_sent", after=mark)
    await wa.ledger.wait("message_received", id=message_id)
    assert wa.ledger.count("message_sent", id=message_id) == 2
    last = await ada.send_text(phone, "last")
    await child.wait("Message", "bot", where=lambda event: event["id"] == last)
    assert [event["id"] for event in child.events if event["event"] == "Message"] == [message_id, last]


async def test_a_refused_message_fails_at_the_sender(child: RealProcess, ada: Contact, device: LinkedDevice) -> None:
    """An error in the ack makes send_message fail, and the contact receives nothing."""
    ada.refuse_with = "463"
    with pytest.raises(RuntimeError, match="463"):
        await child.call("send", "bot", to=str(ada.lid_jid), text="unwanted")
    assert ada.received == []


async def test_who_is_on_whatsapp_is_known_by_number(child: RealProcess, ada: Contact, device: LinkedDevice) -> None:
    """A contact's number is on WhatsApp, a stranger's isn't."""
    assert await child.call("is_on_whatsapp", "bot", number=f"+{ada.number}") == [True]
    assert await child.call("is_on_whatsapp", "bot", number="+15559999999") == [False]


async def test_a_device_that_lost_its_session_asks_again_and_gets_the_text(
    wa: LoopbackServer, child: RealProcess, phone: Phone, ada: Contact, device: LinkedDevice, tmp_path: Path
) -> None:
    """A text the bot can't decrypt is asked for by a retry receipt and arrives in a fresh session, once."""
    await ada.send_text(phone, "first")
    await child.wait("Message", "bot")
    await child.call("send", "bot", to=str(ada.lid_jid), text="so that the session leaves pkmsg")
    await ada.wait_text()
    with sqlite3.connect(tmp_path / "bot.db") as store:
        store.execute("DELETE FROM whatsmeow_sessions")
    device.abort()
    await child.wait("Disconnected", "bot")
    await device.wait_online()
    message_id = await ada.send_text(phone, "second")
    await wa.ledger.wait("message_retry", id=message_id)
    message = await child.wait("Message", "bot", where=lambda event: event["id"] == message_id)
    assert message["text"] == "second"


async def test_bots_write_to_each_other(child: RealProcess, wa: LoopbackServer, tmp_path: Path) -> None:
    """A bot's text for another bot's account reaches that account's phone and its linked device."""
    phones = [wa.add_account(), wa.add_account()]
    for index, phone in enumerate(phones):
        await link(child, phone, tmp_path / f"{index}.db", bot=str(index))
    await child.call("send", "0", to=str(phones[1].pn_jid), text="hello bot")
    message = await child.wait("Message", "1")
    assert (message["text"], message["senderAlt"]) == ("hello bot", f"{phones[0].number}:1@s.whatsapp.net")
    await phones[1].wait_text("hello bot")


async def test_twenty_bots_link_and_each_gets_its_own_text(
    wa: LoopbackServer, child: RealProcess, ada: Contact, tmp_path: Path
) -> None:
    """Twenty accounts in one process, one contact: nobody gets another's message."""
    phones = [wa.add_account() for _ in range(20)]
    for index, phone in enumerate(phones):
        await link(child, phone, tmp_path / f"{index}.db", bot=str(index))
    for index, phone in enumerate(phones):
        await ada.send_text(phone, f"for {index}")
    for index in range(20):
        await child.wait("Message", str(index))
    texts = {event["bot"]: event["text"] for event in child.events if event["event"] == "Message"}
    assert texts == {str(index): f"for {index}" for index in range(20)}


async def test_two_bots_on_one_account_see_the_same_chat(
    wa: LoopbackServer, child: RealProcess, phone: Phone, ada: Contact, device: LinkedDevice, tmp_path: Path
) -> None:
    """Both linked devices get Ada's text; what one sends the other sees as its own account's, in Ada's chat."""
    second = await link(child, phone, tmp_path / "second.db", bot="second")
    assert [one.number for one in phone.devices] == [device.number, second.number]
    message_id = await ada.send_text(phone, "for both")
    for bot in ("bot", "second"):
        assert (await child.wait("Message", bot))["id"] == message_id
    await child.call("send", "second", to=str(ada.lid_jid), text="from the second")
    copy = await child.wait("Message", "bot", where=lambda event: event["text"] == "from the second")
    assert (copy["fromMe"], copy["chat"]) == (True, str(ada.lid_jid))
    await ada.wait_text("from the second")
