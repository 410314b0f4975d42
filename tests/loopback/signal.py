"""One Signal device of the loopback: its prekeys, and its sessions with any number of peers.

Owns prekey bundles, which session of a peer a message belongs to, and the pkmsg/msg distinction; the ratchet itself is
``ratchet.py``, the bytes ``signal_wire.py``. It must never know phone numbers, stanzas or WhatsApp's protobufs.
Neighbour to read next: ``contact.py``.

API (all keys are 32 raw bytes, see ``crypto.py``; ``peer`` is any string that names one device, always the same)::

    PreKeyBundle(registration_id, identity, signed_prekey_id, signed_prekey, signature, prekey_id, prekey)
      .verify() -> bool                       the last two are None when the server had no one-time prekey left
    Party(identity: KeyPair, registration_id: int | None = None)
      .bundle(with_prekey=True) -> PreKeyBundle      hands out a fresh one-time prekey at each call
      .start(peer, bundle)                           X3DH as initiator; InvalidBundle on a bad signature
      .has_session(peer) -> bool   .forget(peer)
      .encrypt(peer, plaintext) -> (type, ciphertext)     "pkmsg" until the peer answered, then "msg"
      .decrypt(peer, type, ciphertext) -> plaintext       in any order
    pad(message) / unpad(plaintext)           WhatsApp's padding inside the plaintext: 1..15 bytes of the pad length

Errors are SignalError(ValueError): InvalidBundle, InvalidMessage (malformed, unknown prekey or bad MAC),
DuplicateMessage (its key was used before), NoSession. A failed decrypt changes nothing.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from typing import Literal

from tests.loopback.crypto import KeyPair, typed, xeddsa_verify
from tests.loopback.ratchet import DuplicateMessage, PendingPreKey, Session, initiate, respond
from tests.loopback.signal_wire import (
    InvalidMessage,
    PreKeySignalMessage,
    SignalError,
    SignalMessage,
    decode_prekey_message,
    decode_signal_message,
    encode_prekey_message,
    pad,
    unpad,
)

__all__ = [
    "CipherType",
    "DuplicateMessage",
    "InvalidBundle",
    "InvalidMessage",
    "NoSession",
    "Party",
    "PreKeyBundle",
    "SignalError",
    "new_registration_id",
    "pad",
    "unpad",
]

CipherType = Literal["pkmsg", "msg"]
# libsignal's own limit of archived sessions per peer.
MAX_ARCHIVED_SESSIONS = 40
# Ids travel as 3 bytes; staying low leaves room for as many bundles as a test can ask for.
_FIRST_PREKEY_IDS = 1 << 22
_SIGNED_PREKEY_ID = 1


class InvalidBundle(SignalError):
    """A prekey bundle whose signature or keys are no good; the caller can't start a session with it."""


class NoSession(SignalError):
    """There is no session with this peer; the caller needs a bundle, or a pkmsg, first."""


@dataclass(frozen=True, slots=True)
class PreKeyBundle:
    """What a server hands out about a device: public keys of 32 raw bytes, ids below 2**24."""

    registration_id: int
    identity: bytes
    signed_prekey_id: int
    signed_prekey: bytes
    signature: bytes
    prekey_id: int | None = None
    prekey: bytes | None = None

    def verify(self) -> bool:
        """Whether the identity has signed the signed prekey."""
        return xeddsa_verify(self.identity, typed(self.signed_prekey), self.signature)


def new_registration_id() -> int:
    """A random registration id, 1 to 16380 as libsignal's key helper draws it."""
    return secrets.randbelow(16380) + 1


class Party:
    """One Signal device. Not safe for use from several threads at once."""

    def __init__(self, identity: KeyPair, registration_id: int | None = None) -> None:
        """A device with this identity and a fresh signed prekey; a registration id is drawn unless given."""
        self.identity = identity
        self.registration_id = new_registration_id() if registration_id is None else registration_id
        self._signed_prekey = KeyPair.generate()
        self._signature = identity.sign(typed(self._signed_prekey.public))
        self._prekeys: dict[int, KeyPair] = {}
        self._next_prekey_id = secrets.randbelow(_FIRST_PREKEY_IDS) + 1
        self._sessions: dict[str, list[Session]] = {}

    def bundle(self, with_prekey: bool = True) -> PreKeyBundle:
        """The device's public keys with a one-time prekey that nobody else was given (or without one)."""
        prekey_id, prekey = None, None
        if with_prekey:
            prekey_id, prekey = self._next_prekey_id, KeyPair.generate()
            self._prekeys[prekey_id] = prekey
            self._next_prekey_id += 1
        return PreKeyBundle(
            registration_id=self.registration_id,
            identity=self.identity.public,
            signed_prekey_id=_SIGNED_PREKEY_ID,
            signed_prekey=self._signed_prekey.public,
            signature=self._signature,
            prekey_id=prekey_id,
            prekey=prekey.public if prekey else None,
        )

    def has_session(self, peer: str) -> bool:
        """Whether messages to this peer can be encrypted without a bundle."""
        return peer in self._sessions

    def forget(self, peer: str) -> None:
        """Drop every session with the peer; its next message must be a pkmsg, ours needs a bundle."""
        self._sessions.pop(peer, None)

    def start(self, peer: str, bundle: PreKeyBundle) -> None:
        """Open a session as initiator and make it the peer's current one; InvalidBundle when the bundle is bad."""
        if not bundle.verify():
            raise InvalidBundle("signed prekey isn't signed by the identity")
        base = KeyPair.generate()
        try:
            session = initiate(self.identity, base, bundle.identity, bundle.signed_prekey, bundle.prekey)
        except ValueError as error:
            raise InvalidBundle("unusable public key") from error
        session.pending = PendingPreKey(bundle.prekey_id, bundle.signed_prekey_id, base.public)
        self._make_current(peer, session)

    def encrypt(self, peer: str, plaintext: bytes) -> tuple[CipherType, bytes]:
        """Type and ciphertext of the next message in the peer's current session; NoSession without one."""
        sessions = self._sessions.get(peer)
        if sessions is None:
            raise NoSession("no session with this peer")
        session = sessions[0]
        message = session.encrypt(plaintext)
        pending = session.pending
        if pending is None:
            return "msg", message
        first = PreKeySignalMessage(
            registration_id=self.registration_id,
            prekey_id=pending.prekey_id,
            signed_prekey_id=pending.signed_prekey_id,
            base_key=pending.base_key,
            identity=self.identity.public,
            message=message,
        )
        return "pkmsg", encode_prekey_message(first)

    def decrypt(self, peer: str, cipher_type: str, ciphertext: bytes) -> bytes:
        """The plaintext of a message from the peer, in any order; errors as in the module docstring."""
        if cipher_type == "msg":
            return self._decrypt_in_any(peer, decode_signal_message(ciphertext))
        if cipher_type != "pkmsg":
            raise InvalidMessage(f"unknown ciphertext type {cipher_type!r}")
        first = decode_prekey_message(ciphertext)
        inner = decode_signal_message(first.message)
        if any(session.base_key == first.base_key for session in self._sessions.get(peer, ())):
            return self._decrypt_in_any(peer, inner)
        session = self._respond(first)
        plaintext = session.decrypt(inner)
        if first.prekey_id is not None:
            del self._prekeys[first.prekey_id]
        self._make_current(peer, session)
        return plaintext

    def _respond(self, first: PreKeySignalMessage) -> Session:
        if first.signed_prekey_id != _SIGNED_PREKEY_ID:
            raise InvalidMessage("unknown signed prekey")
        prekey = None if first.prekey_id is None else self._prekeys.get(first.prekey_id)
        if first.prekey_id is not None and prekey is None:
            raise InvalidMessage("unknown or used one-time prekey")
        try:
            return respond(self.identity, self._signed_prekey, prekey, first.identity, first.base_key)
        except ValueError as error:
            raise InvalidMessage("unusable public key") from error

    def _decrypt_in_any(self, peer: str, message: SignalMessage) -> bytes:
        """Try the current session, then the archived ones; the one that fits becomes current."""
        sessions = self._sessions.get(peer)
        if sessions is None:
            raise NoSession("no session with this peer")
        failure: SignalError | None = None
        for session in sessions:
            try:
                plaintext = session.decrypt(message)
            except DuplicateMessage as error:
                failure = error
            except InvalidMessage as error:
                failure = failure or error
            else:
                self._make_current(peer, session)
                return plaintext
        raise failure or NoSession("no session with this peer")

    def _make_current(self, peer: str, session: Session) -> None:
        sessions = self._sessions.setdefault(peer, [])
        if sessions and sessions[0] is session:
            return
        sessions[:] = [session, *(other for other in sessions if other is not session)]
        del sessions[MAX_ARCHIVED_SESSIONS + 1 :]
