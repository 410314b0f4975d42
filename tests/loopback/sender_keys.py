"""Sender keys: how one person's messages reach a whole group. The group cipher of the Signal protocol, version 3.

Owns one sender's chain as its owner has it and as the others do; it must never know groups, people or stanzas. A chain
is told once, over each member's own session (``distribution``); every message after that is one ciphertext for all.
Facts: libsignal's group cipher as whatsmeow uses it (go.mau.fi/libsignal groups). Neighbour to read next: ``groups.py``.

    mine = SendingKey()            mine.distribution() -> bytes         mine.encrypt(plaintext) -> bytes
    theirs = ReceivingKey.read(distribution)                            theirs.decrypt(ciphertext) -> plaintext

Errors are SignalError: InvalidMessage (malformed, bad signature, another key), DuplicateMessage (used before).
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field

from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CBC

from tests.loopback.crypto import KeyPair, hkdf, hmac_sha256, typed, untyped, xeddsa_verify
from tests.loopback.ratchet import MAX_SKIPPED_KEYS, DuplicateMessage
from tests.loopback.signal_wire import VERSION, InvalidMessage, encode_varint, read_fields

_SIGNATURE_BYTES = 64
_BLOCK_BYTES = 16


def _step(chain_key: bytes) -> tuple[bytes, bytes]:
    """The seed of the present message, and the next chain key."""
    return hmac_sha256(chain_key, b"\x01"), hmac_sha256(chain_key, b"\x02")


def _keys(seed: bytes) -> tuple[bytes, bytes]:
    """Initialisation vector and cipher key."""
    material = hkdf(seed, None, b"WhisperGroup", 48)
    return material[:16], material[16:]


def _number(tag: int, value: int) -> bytes:
    return encode_varint(tag << 3) + encode_varint(value)


def _bytes(tag: int, value: bytes) -> bytes:
    return encode_varint(tag << 3 | 2) + encode_varint(len(value)) + value


class SendingKey:
    """One's own chain in one group."""

    def __init__(self) -> None:
        self._id = secrets.randbelow(1 << 31)
        self._signing = KeyPair.generate()
        self._chain_key = secrets.token_bytes(32)
        self._iteration = 0

    def distribution(self) -> bytes:
        """What the others need to read everything from here on."""
        body = _number(1, self._id) + _number(2, self._iteration) + _bytes(3, self._chain_key)
        return bytes((VERSION,)) + body + _bytes(4, typed(self._signing.public))

    def encrypt(self, plaintext: bytes) -> bytes:
        """One message for everybody who has the key."""
        seed, next_key = _step(self._chain_key)
        iv, key = _keys(seed)
        fill = _BLOCK_BYTES - len(plaintext) % _BLOCK_BYTES
        encryptor = Cipher(AES(key), CBC(iv)).encryptor()
        ciphertext = encryptor.update(plaintext + bytes((fill,)) * fill) + encryptor.finalize()
        body = bytes((VERSION,)) + _number(1, self._id) + _number(2, self._iteration) + _bytes(3, ciphertext)
        self._chain_key, self._iteration = next_key, self._iteration + 1
        return body + self._signing.sign(body)


@dataclass(slots=True)
class ReceivingKey:
    """Somebody else's chain in one group."""

    id: int
    iteration: int
    chain_key: bytes
    signing: bytes
    """Public key, 32 raw bytes."""
    skipped: dict[int, bytes] = field(default_factory=dict)

    @classmethod
    def read(cls, distribution: bytes) -> ReceivingKey:
        """Parse what the owner told; InvalidMessage."""
        fields = read_fields(_body(distribution), 0)
        match fields.get(1), fields.get(2, 0), fields.get(3), fields.get(4):
            case (int(number), int(iteration), bytes(chain_key), bytes(signing)):
                return cls(number, iteration, chain_key, untyped(signing))
            case _:
                raise InvalidMessage("a sender key lacks a field")

    def decrypt(self, message: bytes) -> bytes:
        """The plaintext of a message, whichever order messages come in; a failure changes nothing."""
        signed, signature = message[:-_SIGNATURE_BYTES], message[-_SIGNATURE_BYTES:]
        fields = read_fields(_body(signed), 0)
        number, iteration, ciphertext = fields.get(1), fields.get(2, 0), fields.get(3)
        if number != self.id or not isinstance(iteration, int) or not isinstance(ciphertext, bytes):
            raise InvalidMessage("a group message of another key, or malformed")
        if not xeddsa_verify(self.signing, signed, signature):
            raise InvalidMessage("a group message that its sender has not signed")
        return _decrypt(self._seed(iteration), ciphertext)

    def _seed(self, iteration: int) -> bytes:
        if iteration < self.iteration:
            seed = self.skipped.pop(iteration, None)
            if seed is None:
                raise DuplicateMessage("message key already used")
            return seed
        if iteration - self.iteration > MAX_SKIPPED_KEYS:
            raise InvalidMessage("message too far ahead")
        while True:
            seed, self.chain_key = _step(self.chain_key)
            self.iteration += 1
            if self.iteration > iteration:
                return seed
            self.skipped[self.iteration - 1] = seed


def _body(data: bytes) -> bytes:
    if not data or data[0] >> 4 != VERSION >> 4:
        raise InvalidMessage("not a version 3 group message")
    return data[1:]


def _decrypt(seed: bytes, ciphertext: bytes) -> bytes:
    if not ciphertext or len(ciphertext) % _BLOCK_BYTES:
        raise InvalidMessage("ciphertext is not whole blocks")
    iv, key = _keys(seed)
    decryptor = Cipher(AES(key), CBC(iv)).decryptor()
    padded = decryptor.update(ciphertext) + decryptor.finalize()
    fill = padded[-1]
    if not 1 <= fill <= _BLOCK_BYTES or padded[-fill:] != bytes((fill,)) * fill:
        raise InvalidMessage("bad block padding")
    return padded[:-fill]
