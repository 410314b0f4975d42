"""One Signal session: the X3DH secrets of both roles and the double ratchet with its skipped message keys.

Owns the key schedule of a single session between two identities; it must never know about prekey stores, several
sessions with one peer, or WhatsApp's messages. Nothing here changes a session unless the message was authentic.
Consecutive sends cost HMACs and one AES pass, no curve operation. Neighbour to read next: ``signal.py``.
"""

from __future__ import annotations

import hmac
from dataclasses import dataclass, field
from typing import NamedTuple

from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CBC

from tests.loopback.crypto import KeyPair, dh, hkdf, typed
from tests.loopback.signal_wire import (
    MAC_BYTES,
    InvalidMessage,
    SignalError,
    SignalMessage,
    encode_signal_message,
)

# libsignal's own limits: how far one chain may jump, and how many receiving chains it remembers.
MAX_SKIPPED_KEYS = 2000
MAX_RECEIVING_CHAINS = 5
_BLOCK_BYTES = 16
_DISCONTINUITY = b"\xff" * 32


class DuplicateMessage(SignalError):
    """A message whose key was used before: the same ciphertext came again."""


class MessageKeys(NamedTuple):
    """What one message is encrypted and authenticated with."""

    cipher: bytes
    mac: bytes
    iv: bytes


@dataclass(slots=True)
class Chain:
    """A symmetric chain: the key that message ``index`` is derived from, and seeds of the messages skipped so far."""

    key: bytes
    index: int = 0
    skipped: dict[int, bytes] = field(default_factory=dict)


@dataclass(slots=True)
class ReceivingChain:
    """The peer's chain under one of its ratchet keys."""

    ratchet: bytes
    chain: Chain


@dataclass(frozen=True, slots=True)
class PendingPreKey:
    """What every message repeats until the peer has answered: the peer's keys that were used, and our base key."""

    prekey_id: int | None
    signed_prekey_id: int
    base_key: bytes


@dataclass(slots=True)
class Session:
    """The state of one double ratchet; ``receiving`` is newest first, public keys are 32 raw bytes."""

    local_identity: bytes
    remote_identity: bytes
    base_key: bytes
    root_key: bytes
    send_ratchet: KeyPair
    sending: Chain
    previous_counter: int = 0
    receiving: list[ReceivingChain] = field(default_factory=list)
    pending: PendingPreKey | None = None

    def encrypt(self, plaintext: bytes) -> bytes:
        """The next SignalMessage of this session, MAC included."""
        chain = self.sending
        keys = derive_message_keys(message_seed(chain.key))
        body = encode_signal_message(
            self.send_ratchet.public, chain.index, self.previous_counter, _encrypt_cbc(keys, plaintext)
        )
        chain.key = next_chain_key(chain.key)
        chain.index += 1
        return body + _mac(keys, self.local_identity, self.remote_identity, body)

    def decrypt(self, message: SignalMessage) -> bytes:
        """The plaintext of a message, whichever order messages come in.

        InvalidMessage when it isn't from this session, DuplicateMessage when its key was used before; both leave
        the session as it was.
        """
        known = next((c.chain for c in self.receiving if c.ratchet == message.ratchet), None)
        if known is not None:
            return self._decrypt_in(known, message)
        try:
            root_key, receiving_key = _root_step(self.root_key, dh(self.send_ratchet.private, message.ratchet))
        except ValueError as error:
            raise InvalidMessage("unusable ratchet key") from error
        chain = Chain(receiving_key)
        plaintext = self._decrypt_in(chain, message)
        send_ratchet = KeyPair.generate()
        self.root_key, sending_key = _root_step(root_key, dh(send_ratchet.private, message.ratchet))
        self.receiving.insert(0, ReceivingChain(message.ratchet, chain))
        del self.receiving[MAX_RECEIVING_CHAINS:]
        self.previous_counter = max(self.sending.index - 1, 0)
        self.send_ratchet, self.sending = send_ratchet, Chain(sending_key)
        return plaintext

    def _decrypt_in(self, chain: Chain, message: SignalMessage) -> bytes:
        if message.counter < chain.index:
            seed = chain.skipped.get(message.counter)
            if seed is None:
                raise DuplicateMessage("message key already used")
            plaintext = self._open(seed, message)
            del chain.skipped[message.counter]
        else:
            if message.counter - chain.index > MAX_SKIPPED_KEYS:
                raise InvalidMessage("message too far ahead")
            key, skipped = chain.key, {}
            for index in range(chain.index, message.counter):
                skipped[index] = message_seed(key)
                key = next_chain_key(key)
            plaintext = self._open(message_seed(key), message)
            chain.key, chain.index = next_chain_key(key), message.counter + 1
            chain.skipped.update(skipped)
            while len(chain.skipped) > MAX_SKIPPED_KEYS:
                del chain.skipped[next(iter(chain.skipped))]
        self.pending = None
        return plaintext

    def _open(self, seed: bytes, message: SignalMessage) -> bytes:
        keys = derive_message_keys(seed)
        expected = _mac(keys, self.remote_identity, self.local_identity, message.authenticated)
        if not hmac.compare_digest(expected, message.mac):
            raise InvalidMessage("bad message authentication code")
        return _decrypt_cbc(keys, message.ciphertext)


def initiate(
    identity: KeyPair,
    base: KeyPair,
    remote_identity: bytes,
    remote_signed_prekey: bytes,
    remote_prekey: bytes | None,
) -> Session:
    """The initiator's session after X3DH (3 DHs, 4 with a one-time prekey); ValueError for an unusable public key.

    The receiver's signed prekey is its first ratchet key, so the initiator can already ratchet once. The caller
    sets ``pending``.
    """
    shared = dh(identity.private, remote_signed_prekey)
    shared += dh(base.private, remote_identity) + dh(base.private, remote_signed_prekey)
    if remote_prekey is not None:
        shared += dh(base.private, remote_prekey)
    root_key, receiving_key = _initial_keys(shared)
    send_ratchet = KeyPair.generate()
    root_key, sending_key = _root_step(root_key, dh(send_ratchet.private, remote_signed_prekey))
    return Session(
        local_identity=identity.public,
        remote_identity=remote_identity,
        base_key=base.public,
        root_key=root_key,
        send_ratchet=send_ratchet,
        sending=Chain(sending_key),
        receiving=[ReceivingChain(remote_signed_prekey, Chain(receiving_key))],
    )


def respond(
    identity: KeyPair,
    signed_prekey: KeyPair,
    prekey: KeyPair | None,
    remote_identity: bytes,
    remote_base: bytes,
) -> Session:
    """The receiver's session for a first message; its first authentic message is still to be decrypted.

    ValueError for an unusable public key.
    """
    shared = dh(signed_prekey.private, remote_identity)
    shared += dh(identity.private, remote_base) + dh(signed_prekey.private, remote_base)
    if prekey is not None:
        shared += dh(prekey.private, remote_base)
    root_key, sending_key = _initial_keys(shared)
    return Session(
        local_identity=identity.public,
        remote_identity=remote_identity,
        base_key=remote_base,
        root_key=root_key,
        send_ratchet=signed_prekey,
        sending=Chain(sending_key),
    )


def derive_message_keys(seed: bytes) -> MessageKeys:
    """Cipher key, MAC key and IV of the message whose seed this is."""
    material = hkdf(seed, None, b"WhisperMessageKeys", 80)
    return MessageKeys(cipher=material[:32], mac=material[32:64], iv=material[64:])


def _initial_keys(shared: bytes) -> tuple[bytes, bytes]:
    material = hkdf(_DISCONTINUITY + shared, None, b"WhisperText", 64)
    return material[:32], material[32:]


def _root_step(root_key: bytes, shared: bytes) -> tuple[bytes, bytes]:
    material = hkdf(shared, root_key, b"WhisperRatchet", 64)
    return material[:32], material[32:]


def message_seed(chain_key: bytes) -> bytes:
    """What the keys of a chain's present message are derived from."""
    return hmac.digest(chain_key, b"\x01", "sha256")


def next_chain_key(chain_key: bytes) -> bytes:
    """The chain key of the message after the present one."""
    return hmac.digest(chain_key, b"\x02", "sha256")


def _mac(keys: MessageKeys, sender: bytes, receiver: bytes, body: bytes) -> bytes:
    return hmac.digest(keys.mac, typed(sender) + typed(receiver) + body, "sha256")[:MAC_BYTES]


def _encrypt_cbc(keys: MessageKeys, plaintext: bytes) -> bytes:
    fill = _BLOCK_BYTES - len(plaintext) % _BLOCK_BYTES
    encryptor = Cipher(AES(keys.cipher), CBC(keys.iv)).encryptor()
    return encryptor.update(plaintext + bytes((fill,)) * fill) + encryptor.finalize()


def _decrypt_cbc(keys: MessageKeys, ciphertext: bytes) -> bytes:
    if not ciphertext or len(ciphertext) % _BLOCK_BYTES:
        raise InvalidMessage("ciphertext is not whole blocks")
    decryptor = Cipher(AES(keys.cipher), CBC(keys.iv)).decryptor()
    padded = decryptor.update(ciphertext) + decryptor.finalize()
    fill = padded[-1]
    if padded[-fill:] != bytes((fill,)) * fill:
        raise InvalidMessage("bad block padding")
    return padded[:-fill]
