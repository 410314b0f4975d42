"""Groups of the loopback WhatsApp: who is in, what is told when that changes, and messages for everybody by sender key.

Owns a group's members, settings and who knows whose sender key; it must never know sockets or how people answer. Facts:
whatsmeow group.go (metadata, w:gp2 notifications), send.go (sender keys go to every device with each message; phash),
retry.go. Neighbours to read next: ``sender_keys.py``, ``messages.py``, ``iqs.py``.

    group = wa.add_group("Team", ada, bob, phone)        the first is its creator and superadmin
    await group.send(ada, kinds.text("hello"))           to every linked device of every member
    group.rename(ada, "Crew"); group.add(ada, carl); group.remove(ada, bob); group.leave(bob); group.promote(ada, bob)
    group.describe(ada, "…"); group.set(ada, "announcement")     not_announcement, locked, unlocked, ephemeral …
    (await bob.wait_text("hi")).chat == str(group.jid)    what a bot sent to the group; receipts carry the participant
"""

from __future__ import annotations

import base64
import hashlib
from typing import TYPE_CHECKING, Any, Literal

from tests.loopback import kinds, protobufs
from tests.loopback.devices import LinkedDevice, QueueKey
from tests.loopback.nodes import GROUP_SERVER, Jid, Node, Value
from tests.loopback.phone import Addressing, Contact, Phone, new_message_id
from tests.loopback.sender_keys import ReceivingKey, SendingKey
from tests.loopback.signal_wire import SignalError, pad, unpad

if TYPE_CHECKING:
    from tests.loopback.server import LoopbackServer

Role = Literal["", "admin", "superadmin"]


class Group:
    """One group. All methods belong to the server's event loop."""

    def __init__(self, server: LoopbackServer, number: str, subject: str, members: tuple[Contact, ...]) -> None:
        """``number`` is the user part of its address; the first member has made it."""
        self.server = server
        self.jid = Jid(number, GROUP_SERVER)
        self.subject = subject
        self.description = ""
        self.members = list(members)
        self.roles: dict[str, Role] = {members[0].lid: "superadmin"}
        """By LID; nobody else has one."""
        self.announce_only = False
        self._made_s = server.now_s()
        self._own_keys: dict[str, SendingKey] = {}
        self._told: set[tuple[str, str]] = set()
        """(Member's number, device's address) that has been given the member's sender key."""
        self._known: dict[tuple[str, str], ReceivingKey] = {}
        """By (device's address, member's number): the key of a bot's device, as that member's phone knows it."""
        self._sent: dict[str, tuple[Any, Addressing]] = {}

    # --- what the server tells about it --------------------------------------------------------------------------

    def __contains__(self, person: object) -> bool:
        return person in self.members

    def node(self) -> Node:
        """``<group>``, as asked for and as told to who has been added."""
        creator = self.members[0] if self.members else None
        attrs: dict[str, Value] = {
            "id": self.jid.user, "subject": self.subject, "s_t": str(self._made_s), "creation": str(self._made_s),
            "addressing_mode": "lid", "p_v_id": "1", "a_v_id": "1", "size": str(len(self.members)),
        }  # fmt: skip
        if creator is not None:
            attrs.update(creator=creator.lid_jid, creator_pn=creator.pn_jid, s_o=creator.lid_jid)
        children = [self._participant(person) for person in self.members]
        if self.description:
            body = Node("body", {}, self.description.encode())
            children.append(Node("description", {"id": "1", "t": str(self._made_s)}, (body,)))
        if self.announce_only:
            children.append(Node("announcement"))
        return Node("group", attrs, tuple(children))

    def _participant(self, person: Contact) -> Node:
        attrs: dict[str, Value] = {"jid": person.lid_jid, "phone_number": person.pn_jid}
        role = self.roles.get(person.lid)
        if role:
            attrs["type"] = role
        return Node("participant", attrs)

    def refusal(self, device: LinkedDevice) -> str:
        """The error code a message of that device gets; empty when it may write."""
        if device.phone not in self:
            return "403"
        return "403" if self.announce_only and not self.roles.get(device.phone.lid) else ""

    def phash(self) -> str:
        """The hash of every device of every member, by which a sender knows that its list is the server's."""
        devices = [f"{jid.user}.0:{jid.device}@{jid.server}" for person in self.members for jid in _devices(person)]
        digest = hashlib.sha256("".join(sorted(devices)).encode()).digest()[:6]
        return "2:" + base64.b64encode(digest).decode().rstrip("=")

    # --- changes, by a member ------------------------------------------------------------------------------------

    def rename(self, actor: Contact, subject: str) -> None:
        """Give it another name."""
        self.subject = subject
        attrs: dict[str, Value] = {"subject": subject, "s_t": str(self.server.now_s()), "s_o": actor.lid_jid}
        self._notify(actor, Node("subject", attrs))

    def describe(self, actor: Contact, text: str) -> None:
        """Give it another description; an empty one takes it away."""
        self.description = text
        part = Node("body", {}, text.encode()) if text else Node("delete")
        self._notify(actor, Node("description", {"id": new_message_id()}, (part,)))

    def add(self, actor: Contact, *people: Contact) -> None:
        """Add people; an account that is new here is told of the whole group, everybody else of the people."""
        before = list(self.members)
        self.members += people
        for person in people:
            self._deliver(actor, Node("create", {"reason": "invite"}, (self.node(),)), [person])
        self._notify(actor, self._people("add", people, reason="invite"), before)

    def join(self, person: Contact) -> None:
        """Somebody comes in by the invite link."""
        before = list(self.members)
        self.members.append(person)
        self._notify(person, self._people("add", (person,), reason="invite"), before)

    def remove(self, actor: Contact, *people: Contact) -> None:
        """Remove people; they are told too."""
        before = list(self.members)
        self.members = [person for person in self.members if person not in people]
        self._own_keys.clear()
        self._told.clear()
        self._notify(actor, self._people("remove", people), before)

    def leave(self, person: Contact) -> None:
        """Somebody goes by himself."""
        self.remove(person, person)

    def promote(self, actor: Contact, *people: Contact) -> None:
        """Make people admins."""
        self.roles.update({person.lid: "admin" for person in people})
        self._notify(actor, self._people("promote", people))

    def demote(self, actor: Contact, *people: Contact) -> None:
        """Make admins ordinary members."""
        for person in people:
            self.roles.pop(person.lid, None)
        self._notify(actor, self._people("demote", people))

    def set(self, actor: Contact, tag: str, **attrs: str) -> None:
        """Change a setting: announcement, not_announcement, locked, unlocked, ephemeral (expiration), not_ephemeral,
        invite (code), delete (reason), or whatever a test makes up."""
        if tag in ("announcement", "not_announcement"):
            self.announce_only = tag == "announcement"
            attrs.setdefault("v_id", "2")
        self._notify(actor, Node(tag, dict(attrs)))

    def notify(self, actor: Contact, change: Node) -> None:
        """Tell every member's devices of a change that changes nothing here."""
        self._notify(actor, change)

    def _people(self, tag: str, people: tuple[Contact, ...], **attrs: str) -> Node:
        described = tuple([self._participant(person) for person in people])
        return Node(tag, {"v_id": "2", "prev_v_id": "1", **attrs}, described)

    def _notify(self, actor: Contact, change: Node, told: list[Contact] | None = None) -> None:
        self._deliver(actor, change, self.members if told is None else told)

    def _deliver(self, actor: Contact, change: Node, told: list[Contact]) -> None:
        for device in _companions(told):
            stanza_id = new_message_id()
            attrs: dict[str, Value] = {
                "from": self.jid, "type": "w:gp2", "id": stanza_id, "t": str(self.server.now_s()),
                "participant": actor.lid_jid, "participant_pn": actor.pn_jid, "notify": actor.name,
                "addressing_mode": "lid",
            }  # fmt: skip
            device.deliver(QueueKey("notification", stanza_id), Node("notification", attrs, (change,)))

    # --- from people to bots -------------------------------------------------------------------------------------

    async def send(
        self,
        sender: Contact,
        content: Any,
        addressing: Addressing = "lid",
        message_id: str = "",
        timeout_s: float = 10.0,
    ) -> str:
        """A member writes: one ciphertext for every linked device of every member; the message id.

        Devices that lack the sender's key are given it in the same stanza. TimeoutError when one uploads no keys.
        """
        message_id = message_id or new_message_id()
        devices = _companions(self.members)
        for device in devices:
            await device.wait_keys(timeout_s)
        self._sent[message_id] = (content, addressing)
        key = self._own_keys.setdefault(sender.number, SendingKey())
        distribution = key.distribution()
        shared = key.encrypt(pad(content.SerializeToString()))
        _, enc_attrs = kinds.stanza(content)
        for device in devices:
            parts = [Node("enc", {"v": "2", "type": "skmsg", **enc_attrs}, shared)]
            if (sender.number, device.address) not in self._told:
                self._told.add((sender.number, device.address))
                parts.insert(0, _personal(sender, device, self._distribution_message(distribution)))
            self._write(sender, device, message_id, content, addressing, parts)
        return message_id

    def forget_told(self, sender: Contact) -> None:
        """The sender's phone believes that everybody has its key, whoever lacks it: what a retry is for."""
        self._told.update((sender.number, device.address) for device in _companions(self.members))

    def resend(self, sender: Contact, device: LinkedDevice, message_id: str) -> None:
        """A device could not read a message: it gets it once more, alone, with the sender's key inside."""
        known = self._sent.get(message_id)
        if known is None:
            return
        content, addressing = known
        again = type(content)()
        again.CopyFrom(content)
        key = self._own_keys.setdefault(sender.number, SendingKey())
        again.MergeFrom(self._distribution_message(key.distribution()))
        sender.signal.forget_session(device.address)
        self._write(sender, device, message_id, content, addressing, [_personal(sender, device, again)])

    def _distribution_message(self, distribution: bytes) -> Any:
        told = {"groupID": str(self.jid), "axolotlSenderKeyDistributionMessage": distribution}
        return protobufs.e2e().Message(senderKeyDistributionMessage=told)

    def _write(
        self,
        sender: Contact,
        device: LinkedDevice,
        message_id: str,
        content: Any,
        addressing: Addressing,
        parts: list[Node],
    ) -> None:
        message_attrs, _ = kinds.stanza(content)
        attrs: dict[str, Value] = {
            "from": self.jid, "id": message_id, "t": str(self.server.now_s()), "notify": sender.name,
            "addressing_mode": addressing, **message_attrs,
        }  # fmt: skip
        if addressing == "lid":
            attrs.update(participant=sender.lid_jid, participant_pn=sender.pn_jid)
        else:
            attrs.update(participant=sender.pn_jid, participant_lid=sender.lid_jid)
        device.deliver(QueueKey("message", message_id), Node("message", attrs, tuple(parts)))

    # --- from bots to people -------------------------------------------------------------------------------------

    def take(self, sender: LinkedDevice, message: Node, parts: list[tuple[Jid, Node]]) -> None:
        """A linked device wrote: keys to whom they are for, then the one ciphertext to everybody."""
        message_id = message.text("id")
        shared = next((part for part in message.children if part.tag == "enc" and part.text("type") == "skmsg"), None)
        if shared is None:
            self._take_alone(sender, message, message_id)
            return
        for target, enc in parts:
            person = self.server.person(target)
            if person is not None and target.device == 0:
                self._learn(sender, person, enc)
            elif isinstance(person, Phone) and (companion := person.device(target.device)) is not None:
                self._forward(sender, companion, message, (enc, shared))
        for person in self.members:
            self._read(sender, person, message_id, shared)

    def _learn(self, sender: LinkedDevice, person: Contact, enc: Node) -> Any:
        try:
            content = person.signal.decrypt(sender.address, enc.text("type"), enc.data)
        except SignalError as error:
            self.server.ledger.record("message_undecryptable", person.number, why=type(error).__name__)
            return None
        if content.HasField("senderKeyDistributionMessage"):
            told = content.senderKeyDistributionMessage.axolotlSenderKeyDistributionMessage
            known = self._known.get((sender.address, person.number))
            fresh = ReceivingKey.read(told)
            if known is None or known.id != fresh.id:
                self._known[sender.address, person.number] = fresh
        return content

    def _read(self, sender: LinkedDevice, person: Contact, message_id: str, shared: Node) -> None:
        known = self._known.get((sender.address, person.number))
        ledger = self.server.ledger
        if known is None or person.loses_group_messages:
            ledger.record("message_undecryptable", person.number, id=message_id, why="NoSenderKey")
            self._ask_again(sender, person, message_id)
            return
        try:
            content = protobufs.e2e().Message.FromString(unpad(known.decrypt(shared.data)))
        except SignalError as error:
            ledger.record("message_undecryptable", person.number, id=message_id, why=type(error).__name__)
            return
        person.take(sender, message_id, content, self.jid)

    def _ask_again(self, sender: LinkedDevice, person: Contact, message_id: str) -> None:
        """Send the retry receipt of a member who can't read a message."""
        now = str(self.server.now_s())
        attrs: dict[str, Value] = {
            "from": self.jid, "participant": person.lid_jid, "participant_pn": person.pn_jid, "id": message_id,
            "type": "retry", "t": now, "addressing_mode": "lid",
        }  # fmt: skip
        retry = Node("retry", {"count": "1", "id": message_id, "t": now, "v": "1"})
        registration = Node("registration", {}, person.signal.registration_id.to_bytes(4, "big"))
        key = QueueKey("receipt", message_id, "retry", str(person.lid_jid))
        sender.deliver(key, Node("receipt", attrs, (retry, registration)))

    def _take_alone(self, sender: LinkedDevice, message: Node, message_id: str) -> None:
        """What a device sends to one member who asked for a retry."""
        to, enc = message.jid("participant"), message.child("enc")
        person = self.server.person(to) if to is not None else None
        if person is None or enc is None:
            return
        content = self._learn(sender, person, enc)
        if content is not None:
            content.ClearField("senderKeyDistributionMessage")
            person.take(sender, message_id, content, self.jid)

    def _forward(self, sender: LinkedDevice, to: LinkedDevice, message: Node, parts: tuple[Node, ...]) -> None:
        """The stanza for a member's own linked device."""
        phone = sender.phone
        attrs: dict[str, Value] = {
            "from": self.jid, "participant": sender.lid_jid, "participant_pn": phone.pn_jid, "addressing_mode": "lid",
            "id": message.text("id"), "type": message.text("type"), "t": str(self.server.now_s()), "notify": phone.name,
        }  # fmt: skip
        if edit := message.text("edit"):
            attrs["edit"] = edit
        to.deliver(QueueKey("message", message.text("id")), Node("message", attrs, parts))


def _devices(person: Contact) -> list[Jid]:
    linked = [device.lid_jid for device in person.devices] if isinstance(person, Phone) else []
    return [person.lid_jid, *linked]


def _companions(people: list[Contact]) -> list[LinkedDevice]:
    return [device for person in people if isinstance(person, Phone) for device in person.devices]


def _personal(sender: Contact, device: LinkedDevice, content: Any) -> Node:
    known = sender.signal.has_session(device.address)
    bundle = None if known else device.take_bundle()
    cipher_type, ciphertext = sender.signal.encrypt_message(device.address, bundle, content)
    return Node("enc", {"v": "2", "type": cipher_type}, ciphertext)
