"""Simulated people of the loopback WhatsApp: phone number, LID, Signal identity, and what they sent and received.

Owns what one person's phone does with texts: encrypt, decrypt, keep a log. It must never know stanzas, sockets or
who routes to whom. Neighbour to read next: ``phone.py``, which puts these ciphertexts on the wire.

API::

    SimulatedContact(phone, lid, *, name="", identity: KeyPair | None = None)       digits only, no "@..."
      .phone .lid .name .identity (KeyPair) .registration_id
      .pn_jid "4915…@s.whatsapp.net"   .lid_jid "1000…@lid"
      .bundle() -> signal.PreKeyBundle            the answer to ``encrypt get key``: a fresh one-time prekey each call
      .has_session(device) -> bool   .forget_session(device)
      .encrypt_text(device, bundle, text, *, message_id="") -> (type, ciphertext)
      .encrypt_message(device, bundle, message, *, message_id="") -> (type, ciphertext)    a waE2E.Message
      .encrypt_own_sent(device, bundle, destination_jid, text, *, message_id="") -> (type, ciphertext)
      .decrypt(device, type, ciphertext, *, message_id="") -> waE2E.Message                 SignalError when it can't
      .sent: list[SentMessage]   .received: list[ReceivedMessage]

``device`` is any string that names one companion device, always the same for the same device (its LID address,
"1000…:7@lid"). ``bundle`` is used only when there is no session with the device yet; NoSession when it is None then.
The account's own phone is SimulatedContact(..., identity=A) with A the ADV account key pair (``adv.py``): what the
bot sends to others reaches it as a DeviceSentMessage, whose text and destination are in its ``received`` log.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from google.protobuf.message import DecodeError

from tests.loopback import protobufs
from tests.loopback.crypto import KeyPair
from tests.loopback.signal import CipherType, InvalidMessage, NoSession, Party, PreKeyBundle, pad, unpad

PN_SERVER = "s.whatsapp.net"
LID_SERVER = "lid"


@dataclass(frozen=True, slots=True)
class SentMessage:
    """A message this person encrypted for a device; ``text`` is None when it isn't a text."""

    device: str
    message_id: str
    cipher_type: CipherType
    text: str | None


@dataclass(frozen=True, slots=True)
class ReceivedMessage:
    """A message this person could decrypt.

    ``message`` is the waE2E.Message as sent; ``text`` its text (that of the inner message for a DeviceSentMessage) or
    None; ``destination`` the chat a DeviceSentMessage was sent to, None for a message meant for this person.
    """

    device: str
    message_id: str
    cipher_type: str
    text: str | None
    destination: str | None
    message: Any

    @property
    def content(self) -> Any:
        """The message as a person sees it: the inner one of a DeviceSentMessage."""
        return _unwrap(self.message)[1]


def text_of(message: Any) -> str | None:
    """The text of a waE2E.Message, plain or with context; None for every other kind."""
    if message.HasField("conversation"):
        return str(message.conversation)
    if message.HasField("extendedTextMessage"):
        return str(message.extendedTextMessage.text)
    return None


def _unwrap(message: Any) -> tuple[str | None, Any]:
    """Destination and inner message of a DeviceSentMessage; None and the message itself for every other kind."""
    if not message.HasField("deviceSentMessage"):
        return None, message
    return str(message.deviceSentMessage.destinationJID), message.deviceSentMessage.message


class SimulatedContact:
    """One person with one phone (device 0). Not safe for use from several threads at once."""

    def __init__(self, phone: str, lid: str, *, name: str = "", identity: KeyPair | None = None) -> None:
        """``phone`` and ``lid`` are digits; the identity is drawn unless given."""
        if not (phone.isdigit() and lid.isdigit()):
            raise ValueError("phone and lid are digits, without server or plus sign")
        self.phone = phone
        self.lid = lid
        self.name = name
        self.sent: list[SentMessage] = []
        self.received: list[ReceivedMessage] = []
        self._party = Party(identity or KeyPair.generate())

    @property
    def identity(self) -> KeyPair:
        """The Signal identity key pair."""
        return self._party.identity

    @property
    def registration_id(self) -> int:
        """The Signal registration id of the phone."""
        return self._party.registration_id

    @property
    def pn_jid(self) -> str:
        """The address by phone number."""
        return f"{self.phone}@{PN_SERVER}"

    @property
    def lid_jid(self) -> str:
        """The address by LID, under which the client keys its session."""
        return f"{self.lid}@{LID_SERVER}"

    def bundle(self) -> PreKeyBundle:
        """Public keys for a device that wants to write to this person; a fresh one-time prekey at each call."""
        return self._party.bundle()

    def has_session(self, device: str) -> bool:
        """Whether a message to this device needs no bundle."""
        return self._party.has_session(device)

    def forget_session(self, device: str) -> None:
        """Lose the session, as a reinstalled phone does; the next message to the device needs a bundle."""
        self._party.forget(device)

    def encrypt_text(
        self, device: str, bundle: PreKeyBundle | None, text: str, *, message_id: str = ""
    ) -> tuple[CipherType, bytes]:
        """Type and ciphertext of a text for the device; NoSession without session and bundle, InvalidBundle."""
        return self.encrypt_message(device, bundle, protobufs.e2e().Message(conversation=text), message_id=message_id)

    def encrypt_own_sent(
        self, device: str, bundle: PreKeyBundle | None, destination_jid: str, text: str, *, message_id: str = ""
    ) -> tuple[CipherType, bytes]:
        """What the account's own phone tells its companion about a text it sent to ``destination_jid``."""
        e2e = protobufs.e2e()
        inner = e2e.DeviceSentMessage(destinationJID=destination_jid, message=e2e.Message(conversation=text))
        return self.encrypt_message(device, bundle, e2e.Message(deviceSentMessage=inner), message_id=message_id)

    def encrypt_message(
        self, device: str, bundle: PreKeyBundle | None, message: Any, *, message_id: str = ""
    ) -> tuple[CipherType, bytes]:
        """Type and ciphertext of any waE2E.Message for the device; errors as for ``encrypt_text``."""
        if not self._party.has_session(device):
            if bundle is None:
                raise NoSession("no session with this device and no bundle to start one")
            self._party.start(device, bundle)
        cipher_type, ciphertext = self._party.encrypt(device, pad(message.SerializeToString()))
        self.sent.append(SentMessage(device, message_id, cipher_type, text_of(_unwrap(message)[1])))
        return cipher_type, ciphertext

    def decrypt(self, device: str, cipher_type: str, ciphertext: bytes, *, message_id: str = "") -> Any:
        """The waE2E.Message in a ciphertext from the device, logged in ``received``.

        SignalError when it can't be decrypted (DuplicateMessage for the same ciphertext again); nothing is logged then.
        """
        message = protobufs.e2e().Message()
        plaintext = unpad(self._party.decrypt(device, cipher_type, ciphertext))
        try:
            message.ParseFromString(plaintext)
        except DecodeError as error:
            raise InvalidMessage("the plaintext is not a message") from error
        destination, content = _unwrap(message)
        self.received.append(ReceivedMessage(device, message_id, cipher_type, text_of(content), destination, message))
        return message
