"""Simulated people: what they write can be read, what they read is logged, and the flood they can write.

Owns the tests of ``tests/loopback/contact.py``, with a bare Signal party in the companion's place. Neighbour to read
next: ``test_loopback_signal.py``.
"""

from __future__ import annotations

from typing import Any

import pytest

from tests.loopback import protobufs
from tests.loopback.contact import SimulatedContact
from tests.loopback.crypto import KeyPair
from tests.loopback.signal import DuplicateMessage, InvalidMessage, NoSession, Party, pad, unpad

_DEVICE = "100200300:7@lid"


def _contact(identity: KeyPair | None = None) -> SimulatedContact:
    return SimulatedContact("4915112345678", "200300400", name="Ada", identity=identity)


def _read(device: Party, contact: SimulatedContact, kind: str, ciphertext: bytes) -> Any:
    return protobufs.e2e().Message.FromString(unpad(device.decrypt(contact.lid_jid, kind, ciphertext)))


def _write(device: Party, contact: SimulatedContact, message: Any) -> tuple[str, bytes]:
    if not device.has_session(contact.lid_jid):
        device.start(contact.lid_jid, contact.bundle())
    return device.encrypt(contact.lid_jid, pad(message.SerializeToString()))


def test_text_both_ways() -> None:
    """A contact's text reaches the device as pkmsg, the answer is read and logged, and then the contact writes msg."""
    contact, device = _contact(), Party(KeyPair.generate())
    kind, ciphertext = contact.encrypt_text(_DEVICE, device.bundle(), "hello", message_id="A1")
    assert kind == "pkmsg"
    assert _read(device, contact, kind, ciphertext).conversation == "hello"
    answer = _write(device, contact, protobufs.e2e().Message(conversation="hi there"))
    assert contact.decrypt(_DEVICE, *answer, message_id="B1").conversation == "hi there"
    assert contact.encrypt_text(_DEVICE, None, "again", message_id="A2")[0] == "msg"
    assert [(sent.message_id, sent.cipher_type, sent.text) for sent in contact.sent] == [
        ("A1", "pkmsg", "hello"),
        ("A2", "msg", "again"),
    ]
    (received,) = contact.received
    assert (received.device, received.message_id, received.text, received.destination) == (
        _DEVICE,
        "B1",
        "hi there",
        None,
    )


def test_text_in_an_extended_message() -> None:
    """A text with context (a reply, a link) is logged as its text; a message without text as None."""
    e2e = protobufs.e2e()
    contact, device = _contact(), Party(KeyPair.generate())
    extended = e2e.Message(extendedTextMessage=e2e.ExtendedTextMessage(text="see https://example.org"))
    contact.decrypt(_DEVICE, *_write(device, contact, extended))
    contact.decrypt(_DEVICE, *_write(device, contact, e2e.Message(reactionMessage=e2e.ReactionMessage(text="+"))))
    assert [received.text for received in contact.received] == ["see https://example.org", None]


def test_the_accounts_own_phone() -> None:
    """The own phone writes under the account key, reads what the bot sent elsewhere, and tells what it sent itself."""
    account, device = KeyPair.generate(), Party(KeyPair.generate())
    phone, e2e = _contact(account), protobufs.e2e()
    assert phone.bundle().identity == account.public
    copy = e2e.DeviceSentMessage(destinationJID="300@lid", message=e2e.Message(conversation="to a friend"))
    phone.decrypt(_DEVICE, *_write(device, phone, e2e.Message(deviceSentMessage=copy)))
    assert (phone.received[0].text, phone.received[0].destination) == ("to a friend", "300@lid")
    own = _read(device, phone, *phone.encrypt_own_sent(_DEVICE, None, "300@lid", "from the phone"))
    assert own.deviceSentMessage.destinationJID == "300@lid"
    assert own.deviceSentMessage.message.conversation == "from the phone"
    assert phone.sent[0].text == "from the phone"


def test_what_cannot_be_read_is_not_logged() -> None:
    """A repeated ciphertext, or a plaintext that is no message, raises and leaves the log alone."""
    contact, device = _contact(), Party(KeyPair.generate())
    answer = _write(device, contact, protobufs.e2e().Message(conversation="once"))
    contact.decrypt(_DEVICE, *answer)
    with pytest.raises(DuplicateMessage):
        contact.decrypt(_DEVICE, *answer)
    with pytest.raises(InvalidMessage):
        contact.decrypt(_DEVICE, *device.encrypt(contact.lid_jid, pad(b"\xff\xff\xff")))
    assert len(contact.received) == 1


def test_a_session_needs_a_bundle_once() -> None:
    """Without a session a bundle is needed; once lost, the next message starts a session anew that the device reads."""
    contact, device = _contact(), Party(KeyPair.generate())
    with pytest.raises(NoSession):
        contact.encrypt_text(_DEVICE, None, "hello")
    first = contact.encrypt_text(_DEVICE, device.bundle(), "hello")
    contact.forget_session(_DEVICE)
    assert not contact.has_session(_DEVICE)
    with pytest.raises(NoSession):
        contact.encrypt_text(_DEVICE, None, "hello")
    anew = contact.encrypt_text(_DEVICE, device.bundle(), "anew")
    assert _read(device, contact, *anew).conversation == "anew"
    assert _read(device, contact, *first).conversation == "hello"


def test_sessions_are_per_device() -> None:
    """Two devices of one account have sessions of their own; neither reads the other's message."""
    contact, one, two = _contact(), Party(KeyPair.generate()), Party(KeyPair.generate())
    for_one = contact.encrypt_text("1:1@lid", one.bundle(), "for one")
    for_two = contact.encrypt_text("1:2@lid", two.bundle(), "for two")
    assert _read(one, contact, *for_one).conversation == "for one"
    assert _read(two, contact, *for_two).conversation == "for two"
    with pytest.raises(InvalidMessage):
        one.decrypt(contact.lid_jid, *contact.encrypt_text("1:2@lid", None, "not for one"))


def test_addresses() -> None:
    """A contact has an address by number and one by LID; anything but digits is refused."""
    contact = _contact()
    assert (contact.pn_jid, contact.lid_jid) == ("4915112345678@s.whatsapp.net", "200300400@lid")
    with pytest.raises(ValueError):
        SimulatedContact("+4915112345678", "200300400")
