"""Messages, receipts and acks between companions and people: the stanzas and who gets them.

Owns the routing of what a device sends and the form of what it is sent; it must never know Signal sessions or iqs.
Facts: whatsmeow send.go, message.go, receipt.go. A device answers a decrypted message with a receipt, never an ack; it
acks receipts, notifications and what it can't decrypt. Neighbours to read next: ``phone.py``, ``devices.py``.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from tests.loopback import kinds
from tests.loopback.devices import LinkedDevice, QueueKey
from tests.loopback.ledger import Kind
from tests.loopback.nodes import GROUP_SERVER, LID_SERVER, Jid, Node, Value

if TYPE_CHECKING:
    from tests.loopback.phone import Addressing, Contact
    from tests.loopback.stanzas import Connection

_READ_TYPES = ("read", "read-self", "played", "played-self")


def message_node(sender: Contact, device: LinkedDevice, content: Any, addressing: Addressing, message_id: str) -> Node:
    """``<message>`` with a person's waE2E.Message encrypted for one device; SignalError when it has no usable keys."""
    known = sender.signal.has_session(device.address)
    bundle = None if known else device.take_bundle()
    cipher_type, ciphertext = sender.signal.encrypt_message(device.address, bundle, content, message_id=message_id)
    message_attrs, enc_attrs = kinds.stanza(content)
    attrs: dict[str, Value] = {
        "id": message_id,
        "t": str(sender.server.now_s()),
        "notify": sender.name,
        "addressing_mode": addressing,
        **message_attrs,
    }
    if addressing == "lid":
        attrs.update({"from": sender.lid_jid, "sender_pn": sender.pn_jid})
    else:
        attrs.update({"from": sender.pn_jid, "sender_lid": sender.lid_jid})
    return Node("message", attrs, (Node("enc", {"v": "2", "type": cipher_type, **enc_attrs}, ciphertext),))


def receipt_to_device(device: LinkedDevice, chat: Jid, message_id: str, type_: str, person: Contact) -> None:
    """Tell a device that a person got (type "") or read its message; kept until the device acks it.

    ``chat`` is the address the device used: the person's, or the group's.
    """
    attrs: dict[str, Value] = {"from": chat, "id": message_id, "t": str(device.phone.server.now_s())}
    participant = ""
    if chat.server == GROUP_SERVER:
        attrs.update(participant=person.lid_jid, participant_pn=person.pn_jid, addressing_mode="lid")
        participant = str(person.lid_jid)
    if type_:
        attrs["type"] = type_
    device.deliver(QueueKey("receipt", message_id, type_, participant), Node("receipt", attrs))


def from_device(connection: Connection, device: LinkedDevice, message: Node) -> None:
    """A companion sends a message: ack it, then hand each ciphertext to the device it is for."""
    server = connection.server
    message_id, to = message.text("id"), message.jid("to") or Jid("", "")
    parts = _ciphertexts(message, to)
    recipient, group = server.person(to), server.groups.get(str(to))
    refusal = recipient.refuse_with if recipient is not None else ""
    if to.server == GROUP_SERVER:
        refusal = group.refusal(device) if group is not None else "404"
    connection.record("message_from_device", id=message_id, to=to.server, devices=len(parts))
    if not server.faults.withhold_acks:
        attrs: dict[str, Value] = {"class": "message", "id": message_id, "from": to, "t": str(server.now_s())}
        if refusal:
            attrs["error"] = refusal
        elif group is not None and (phash := group.phash()) != message.text("phash"):
            attrs["phash"] = phash
        _acknowledge(connection, Node("ack", attrs), refusal)
    if refusal:
        return
    if group is not None:
        group.take(device, message, parts)
        return
    for target, enc in parts:
        _hand_over(device, message, to, target, enc)


def _acknowledge(connection: Connection, ack: Node, refusal: str) -> None:
    def send() -> None:
        connection.send(ack)
        connection.record("message_acked", id=ack.text("id"), error=refusal)

    delay_s = connection.server.faults.ack_delay_s
    if delay_s > 0:
        asyncio.get_running_loop().call_later(delay_s, send)
    else:
        send()


def _ciphertexts(message: Node, to: Jid) -> list[tuple[Jid, Node]]:
    listed = message.child("participants")
    if listed is None:
        enc = message.child("enc")
        return [(to, enc)] if enc is not None else []
    pairs = [(part.jid("jid"), part.child("enc")) for part in listed.children]
    return [(jid, enc) for jid, enc in pairs if jid is not None and enc is not None]


def _hand_over(sender: LinkedDevice, message: Node, to: Jid, target: Jid, enc: Node) -> None:
    person = sender.phone.server.person(target)
    message_id = message.text("id")
    if person is None:
        return
    if target.device == 0:
        person.receive(sender, message_id, enc, to.person)
        return
    account = sender.phone.server.phones.get(person.number)
    companion = account.device(target.device) if account is not None else None
    if companion is None:
        return
    by_lid = to.server == LID_SERVER
    attrs: dict[str, Value] = {
        "id": message_id,
        "t": str(sender.phone.server.now_s()),
        "type": message.text("type"),
        "notify": sender.phone.name,
        "addressing_mode": "lid" if by_lid else "pn",
        "from": sender.lid_jid if by_lid else sender.pn_jid,
    }
    attrs["sender_pn" if by_lid else "sender_lid"] = sender.pn_jid.person if by_lid else sender.lid_jid.person
    if companion.phone is sender.phone:
        attrs["recipient"] = to
    companion.deliver(QueueKey("message", message_id), Node("message", attrs, (enc,)))


def receipt_from_device(connection: Connection, device: LinkedDevice, receipt: Node) -> None:
    """A companion got, read or could not decrypt messages: ack the receipt, forget or resend the messages."""
    type_, first_id, to = receipt.text("type"), receipt.text("id"), receipt.jid("to") or Jid("", "")
    attrs: dict[str, Value] = {"class": "receipt", "id": first_id, "from": to}
    attrs.update({name: receipt.attrs[name] for name in ("type", "participant") if name in receipt.attrs})
    connection.send(Node("ack", attrs))
    listed = receipt.child("list")
    further = [item.text("id") for item in listed.children] if listed is not None else []
    author = (receipt.jid("participant") or to) if to.server == GROUP_SERVER else to
    for message_id in dict.fromkeys([first_id, *further]):
        _one_receipt(connection, device, author, message_id, type_)
        sender = connection.server.person(author)
        if type_ == "retry" and sender is not None:
            group = connection.server.groups.get(str(to))
            if group is not None:
                group.resend(sender, device, message_id)
            else:
                sender.resend(device, message_id)


def _one_receipt(connection: Connection, device: LinkedDevice, author: Jid, message_id: str, type_: str) -> None:
    sender = connection.server.person(author)
    if type_ in _READ_TYPES:
        connection.record("read_from_device", id=message_id, type=type_)
    else:
        device.confirm("message", message_id)
        connection.record("message_retry" if type_ == "retry" else "message_received", id=message_id, type=type_)
    if sender is None:
        return
    sender.note_receipt(device, message_id, type_)


def ack_from_device(device: LinkedDevice, ack: Node) -> None:
    """A companion confirms a receipt, a notification, or a message it could not decrypt."""
    class_, stanza_id = ack.text("class"), ack.text("id")
    if class_ in ("notification", "call"):
        device.confirm(class_, stanza_id)
        kind: Kind = "notification_acked" if class_ == "notification" else "call_acked"
        device.phone.server.ledger.record(kind, device.phone.number, device.number, id=stanza_id)
    elif class_ == "receipt":
        device.confirm("receipt", stanza_id, ack.text("type"), ack.text("participant"))
        device.phone.server.ledger.record(
            "receipt_acked", device.phone.number, device.number, id=stanza_id, type=ack.text("type")
        )
    else:
        device.phone.server.ledger.record("stanza", device.phone.number, device.number, tag=f"ack/{class_}")
