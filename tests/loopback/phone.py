"""The people a test plays: contacts who chat with bots, and the phones of the accounts that bots are linked to.

Owns what a person does (send, read, scan, type a code, unlink); it must never know sockets or how stanzas are encoded.
Neighbours to read next: ``contact.py`` (their Signal sessions), ``messages.py`` (the stanzas), ``pairing.py``.
"""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from tests.loopback import kinds, messages, pairing
from tests.loopback.contact import SimulatedContact, text_of
from tests.loopback.crypto import KeyPair
from tests.loopback.devices import LinkedDevice, QueueKey
from tests.loopback.faults import LoginFailure
from tests.loopback.holds import Holds
from tests.loopback.ledger import Timeout
from tests.loopback.nodes import LID_SERVER, PN_SERVER, Jid, Node
from tests.loopback.signal import SignalError

if TYPE_CHECKING:
    from tests.loopback.server import LoopbackServer

Addressing = Literal["lid", "pn"]
# More companions than WhatsApp allows (4): a test may link as many as device numbers can say.
MAX_DEVICE_NUMBER = 99


@dataclass(frozen=True, slots=True)
class ReceivedText:
    """A message a person could read. ``text`` is None when it isn't a text; ``sender`` and ``device`` are the sending
    account's digits and device number; ``chat`` the address the sender used for this person."""

    message_id: str
    text: str | None
    sender: str
    device: int
    chat: str
    at_s: float
    content: Any = None
    """The waE2E.Message as a person sees it."""

    @property
    def words(self) -> kinds.Words:
        """The message in words, of whatever kind."""
        return kinds.in_words(self.content)


@dataclass(frozen=True, slots=True)
class ReceivedReceipt:
    """A bot's receipt for a message of this person. ``type``: "" or "inactive" = delivered, "read", "retry"."""

    message_id: str
    type: str
    sender: str
    device: int


@dataclass(frozen=True, slots=True)
class Prepared:
    """A message encrypted ahead of time; it must be sent, in the order of preparation."""

    device: LinkedDevice
    message_id: str
    node: Node


class Contact:
    """Somebody with WhatsApp on a phone and no companions."""

    def __init__(self, server: LoopbackServer, number: str, lid: str, name: str) -> None:
        self.server = server
        self.number = number
        self.lid = lid
        self.name = name
        self.pn_jid = Jid(number, PN_SERVER)
        self.lid_jid = Jid(lid, LID_SERVER)
        self.identity = KeyPair.generate()
        self.signal = SimulatedContact(number, lid, name=name, identity=self.identity)
        self.auto_receipts = True
        """Tell the sender "delivered" as soon as a message was decrypted."""
        self.auto_read = False
        """And "read" right after."""
        self.refuse_with = ""
        """The server refuses messages to this person with this error code (463, 479 …) in the ack."""
        self.loses_group_messages = False
        """The phone can't read what comes by sender key, and asks for each message again."""
        self.received: list[ReceivedText] = []
        self.receipts: list[ReceivedReceipt] = []
        self._sent: dict[str, tuple[Any, Addressing]] = {}

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.name!r})"

    async def send_text(
        self, to: Phone, text: str, addressing: Addressing = "lid", message_id: str = "", timeout_s: float = 10.0
    ) -> str:
        """Send a text to an account; see ``send``."""
        return await self.send(to, kinds.text(text), addressing, message_id, timeout_s)

    async def send(
        self, to: Phone, content: Any, addressing: Addressing = "lid", message_id: str = "", timeout_s: float = 10.0
    ) -> str:
        """Send a waE2E.Message of any kind to an account, that is to each of its linked devices; the message id.

        It is queued for devices that are away. TimeoutError when a device uploads no keys in time.
        """
        for device in to.devices:
            await device.wait_keys(timeout_s)
        message_id = message_id or new_message_id()
        for prepared in self.prepare(to, content, addressing, message_id):
            prepared.device.deliver(QueueKey("message", prepared.message_id), prepared.node)
        return message_id

    def prepare_text(
        self, to: Phone, text: str, addressing: Addressing = "lid", message_id: str = ""
    ) -> list[Prepared]:
        """Encrypt a text for each device of an account (which have uploaded keys) without sending it; see ``flood``."""
        return self.prepare(to, kinds.text(text), addressing, message_id)

    def prepare(self, to: Phone, content: Any, addressing: Addressing = "lid", message_id: str = "") -> list[Prepared]:
        """The same for a waE2E.Message of any kind."""
        message_id = message_id or new_message_id()
        self._sent[message_id] = (content, addressing)
        return [
            Prepared(device, message_id, messages.message_node(self, device, content, addressing, message_id))
            for device in to.devices
        ]

    async def flood(self, prepared: list[Prepared], per_second: float) -> float:
        """Send prepared messages at a steady rate (0: all at once); the seconds it took, to compare with the plan."""
        began = time.monotonic()
        done = 0
        while done < len(prepared):
            due = len(prepared) if not per_second else int((time.monotonic() - began) * per_second) + 1
            for message in prepared[done:due]:
                message.device.deliver(QueueKey("message", message.message_id), message.node)
            done = max(done, min(due, len(prepared)))
            await asyncio.sleep(max(1 / per_second, 0.002) if per_second else 0)
        return time.monotonic() - began

    def resend(self, device: LinkedDevice, message_id: str) -> None:
        """Encrypt a message anew in a fresh session, for a device that asked for a retry."""
        known = self._sent.get(message_id)
        if known is None:
            return
        self.signal.forget_session(device.address)
        node = messages.message_node(self, device, known[0], known[1], message_id)
        device.deliver(QueueKey("message", message_id), node)

    def mark_read(self, *message_ids: str) -> None:
        """Tell the senders that these received messages were read (one receipt each)."""
        for received in self.received:
            if received.message_id in message_ids:
                phone = self.server.phones[received.sender]
                device = phone.device(received.device)
                if device is not None:
                    messages.receipt_to_device(device, Jid.parse(received.chat), received.message_id, "read", self)

    async def wait_text(self, text: str | None = None, timeout_s: float = 10.0) -> ReceivedText:
        """The first received message with this text (any when None), past or to come; ledger.Timeout."""
        return await self._wait(lambda received: text is None or received.text == text, timeout_s)

    async def wait_kind(self, kind: str, timeout_s: float = 10.0) -> ReceivedText:
        """The first received message of a kind (the ``type`` of its words), past or to come; ledger.Timeout."""
        return await self._wait(lambda received: received.words["type"] == kind, timeout_s)

    async def _wait(self, wanted: Callable[[ReceivedText], bool], timeout_s: float) -> ReceivedText:
        deadline = time.monotonic() + timeout_s
        while True:
            mark = len(self.server.ledger)
            for received in self.received:
                if wanted(received):
                    return received
            left_s = deadline - time.monotonic()
            if left_s <= 0:
                raise Timeout(f"{self.name} received {len(self.received)} messages, not the one waited for")
            await self.server.ledger.wait("message_decrypted", left_s, mark, phone=self.number)

    def receive(self, sender: LinkedDevice, message_id: str, enc: Node, chat: Jid) -> None:
        """A ciphertext for this phone arrives from a companion of some account."""
        ledger = self.server.ledger
        try:
            self.signal.decrypt(sender.address, enc.text("type"), enc.data, message_id=message_id)
        except SignalError as error:
            ledger.record("message_undecryptable", self.number, id=message_id, why=type(error).__name__)
            return
        self.take(sender, message_id, self.signal.received[-1].content, chat)

    def take(self, sender: LinkedDevice, message_id: str, content: Any, chat: Jid) -> None:
        """A message from a companion of some account could be read."""
        number, device = sender.phone.number, sender.number
        self.received.append(
            ReceivedText(message_id, text_of(content), number, device, str(chat), time.time(), content)
        )
        self.server.ledger.record("message_decrypted", self.number, id=message_id, sender=sender.phone.number)
        self._acknowledge(sender, message_id, chat)

    def note_receipt(self, device: LinkedDevice, message_id: str, type_: str) -> None:
        """A device tells this person that it got or read a message."""
        self.receipts.append(ReceivedReceipt(message_id, type_, device.phone.number, device.number))

    def _acknowledge(self, sender: LinkedDevice, message_id: str, chat: Jid) -> None:
        if self.auto_receipts:
            messages.receipt_to_device(sender, chat, message_id, "", self)
        if self.auto_read:
            messages.receipt_to_device(sender, chat, message_id, "read", self)


class Phone(Contact):
    """The main phone of an account that bots are linked to. It is a person too: contacts and bots can write to it."""

    def __init__(self, server: LoopbackServer, number: str, lid: str, name: str) -> None:
        super().__init__(server, number, lid, name)
        self.devices: list[LinkedDevice] = []
        self.holds = Holds()
        """Which answers to this account's devices are kept back."""
        self.login_failure: LoginFailure | None = None
        """What logins of this account's devices get instead of success."""
        self._device_numbers = 0

    async def scan(self, qr_text: str) -> LinkedDevice:
        """Scan a QR code's text; the new device, once it was told to log in (515). PairingRefused."""
        return await pairing.scan(self, qr_text)

    def scan_without_multidevice(self, qr_text: str) -> None:
        """Scan with a WhatsApp that is too old to link devices. PairingRefused."""
        pairing.scan_without_multidevice(self, qr_text)

    def ask_for_passkey(self, qr_text: str) -> None:
        """Scan as an account that wants a passkey of new devices. PairingRefused."""
        pairing.ask_for_passkey(self, qr_text)

    async def enter_code(self, code: str) -> LinkedDevice:
        """Type a pairing code (with or without dash); as ``scan``. PairingRefused, also for a wrong code."""
        return await pairing.enter_code(self, code)

    def device(self, number: int) -> LinkedDevice | None:
        """The linked device of that number."""
        return next((device for device in self.devices if device.number == number), None)

    def unlink(self, device: LinkedDevice) -> None:
        """Remove a device on the phone: it is told (401, device_removed) when connected, refused (401) otherwise."""
        connection = device.connection
        self.forget(device)
        self.server.ledger.record("unlinked", self.number, device.number)
        if connection is not None:
            connection.stream_error("401", conflict="device_removed")

    def forget(self, device: LinkedDevice) -> None:
        """The device is no longer one of the account's; its connection is left as it is."""
        if device in self.devices:
            self.devices.remove(device)

    def new_device_number(self) -> int:
        """A device number that was never used in this account."""
        self._device_numbers += 1
        if self._device_numbers > MAX_DEVICE_NUMBER:
            raise pairing.PairingRefused("the account has used up its device numbers")
        return self._device_numbers

    def device_pn(self, number: int) -> Jid:
        """The phone-number address of a device."""
        return Jid(self.number, PN_SERVER, number)

    def device_lid(self, number: int) -> Jid:
        """The LID address of a device."""
        return Jid(self.lid, LID_SERVER, number)

    def _acknowledge(self, sender: LinkedDevice, message_id: str, chat: Jid) -> None:
        if sender.phone is not self:
            super()._acknowledge(sender, message_id, chat)


def new_message_id() -> str:
    """An id as phones make them."""
    return "3A" + secrets.token_hex(9).upper()
