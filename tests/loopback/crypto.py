"""The curve and key-derivation primitives of the loopback WhatsApp: key pairs, DH, XEdDSA and HKDF.

Owns Curve25519 arithmetic on raw 32-byte keys and nothing else: it must never know nodes, stanzas, sessions or
protobufs. Every key is 32 raw little-endian bytes without the ``05`` type byte; ``typed()`` adds that byte where the
protocol wants it. Neighbour to read next: ``signal.py``, which builds sessions from these.

API::

    KeyPair.generate() / KeyPair.from_private(private)   .private .public (32 bytes each)   .sign(message)
    dh(private, public) -> 32 bytes                      ValueError for a low-order public key
    xeddsa_sign(private, message) -> 64 bytes            standard XEdDSA, bit 7 of byte 63 clear
    xeddsa_verify(public, message, signature) -> bool    accepts standard XEdDSA and libsignal's sign-bit variant
    hkdf(ikm, salt, info, length) -> bytes               HKDF-SHA256, salt None or b"" = 32 zero bytes
    hmac_sha256(key, data) -> 32 bytes
    typed(public) -> 33 bytes / untyped(key) -> 32 bytes  with and without the 05 type byte
    montgomery_to_edwards(public, sign_bit) -> 32 bytes  the Ed25519 form of a Curve25519 public key
"""

from __future__ import annotations

import hashlib
import hmac
import os
from dataclasses import dataclass

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from nacl import bindings
from nacl.exceptions import CryptoError

KEY_BYTES = 32
SIGNATURE_BYTES = 64
KEY_TYPE = b"\x05"

_FIELD_PRIME = 2**255 - 19
_GROUP_ORDER = 2**252 + 27742317777372353535851937790883648493
_LOW_255_BITS = (1 << 255) - 1
_SIGN_BIT = 0x80
# XEdDSA hash_1: the little-endian encoding of 2^256 - 2 keeps nonce hashing apart from challenge hashing.
_NONCE_PREFIX = b"\xfe" + b"\xff" * 31
_NO_SALT = bytes(KEY_BYTES)


def clamp(private: bytes) -> bytes:
    """The X25519 scalar of 32 random bytes (RFC 7748 section 5): multiple of 8, bit 254 set, bit 255 clear."""
    scalar = bytearray(private)
    scalar[0] &= 248
    scalar[31] = (scalar[31] & 127) | 64
    return bytes(scalar)


@dataclass(frozen=True, slots=True)
class KeyPair:
    """A Curve25519 key pair, both halves 32 raw bytes; the private half is always stored clamped."""

    private: bytes
    public: bytes

    @classmethod
    def generate(cls) -> KeyPair:
        """A fresh pair from the operating system's randomness."""
        return cls.from_private(os.urandom(KEY_BYTES))

    @classmethod
    def from_private(cls, private: bytes) -> KeyPair:
        """The pair of a known private key (32 bytes, clamped here); ValueError for another length."""
        if len(private) != KEY_BYTES:
            raise ValueError(f"a private key has {KEY_BYTES} bytes, not {len(private)}")
        scalar = clamp(private)
        return cls(private=scalar, public=bindings.crypto_scalarmult_base(scalar))

    def sign(self, message: bytes) -> bytes:
        """XEdDSA signature (64 bytes) of ``message`` with this key."""
        return xeddsa_sign(self.private, message)

    def __repr__(self) -> str:
        return f"KeyPair(public={self.public.hex()})"


def dh(private: bytes, public: bytes) -> bytes:
    """X25519 shared secret, 32 bytes (RFC 7748).

    ValueError when the public key has another length or is of low order (the secret would be zero); the caller
    treats that as a malformed message.
    """
    if len(public) != KEY_BYTES or len(private) != KEY_BYTES:
        raise ValueError("X25519 keys have 32 bytes")
    try:
        secret: bytes = bindings.crypto_scalarmult(private, public)
    except CryptoError as error:
        raise ValueError("low-order public key") from error
    return secret


def typed(public: bytes) -> bytes:
    """The 33-byte form (``05`` and the key) that Signal signs and hashes."""
    return KEY_TYPE + public


def untyped(key: bytes) -> bytes:
    """The 32 raw bytes of a 33-byte typed key; ValueError for anything else."""
    if len(key) != KEY_BYTES + 1 or key[:1] != KEY_TYPE:
        raise ValueError("not a typed Curve25519 key")
    return key[1:]


def montgomery_to_edwards(public: bytes, sign_bit: int) -> bytes:
    """The Ed25519 encoding of a Curve25519 public key: y = (u - 1) / (u + 1), sign bit as given (0 or 1).

    ValueError for u = -1, which has no Edwards form, and for u outside the field.
    """
    u = int.from_bytes(public, "little") & _LOW_255_BITS
    if u >= _FIELD_PRIME:
        raise ValueError("Montgomery coordinate outside the field")
    y = (u - 1) * pow(u + 1, -1, _FIELD_PRIME) % _FIELD_PRIME
    return (y | sign_bit << 255).to_bytes(KEY_BYTES, "little")


def _wide_mod_order(digest: bytes) -> int:
    return int.from_bytes(digest, "little") % _GROUP_ORDER


def xeddsa_sign(private: bytes, message: bytes) -> bytes:
    """Standard XEdDSA signature, 64 bytes: bit 7 of byte 63 is always clear.

    The scalar is negated when its Edwards point has sign 1, so the signature verifies as plain Ed25519 under
    ``montgomery_to_edwards(public, 0)`` (Signal's XEdDSA specification, section 2.3 and 2.4).
    """
    scalar = int.from_bytes(clamp(private), "little") % _GROUP_ORDER
    point = bindings.crypto_scalarmult_ed25519_base_noclamp(scalar.to_bytes(KEY_BYTES, "little"))
    if point[31] & _SIGN_BIT:
        scalar = _GROUP_ORDER - scalar
        point = point[:31] + bytes([point[31] & 0x7F])
    scalar_bytes = scalar.to_bytes(KEY_BYTES, "little")
    nonce = _wide_mod_order(
        hashlib.sha512(_NONCE_PREFIX + scalar_bytes + message + os.urandom(SIGNATURE_BYTES)).digest()
    )
    commitment = bindings.crypto_scalarmult_ed25519_base_noclamp(nonce.to_bytes(KEY_BYTES, "little"))
    challenge = _wide_mod_order(hashlib.sha512(commitment + point + message).digest())
    response = (nonce + challenge * scalar) % _GROUP_ORDER
    signature: bytes = commitment + response.to_bytes(KEY_BYTES, "little")
    return signature


def xeddsa_verify(public: bytes, message: bytes, signature: bytes) -> bool:
    """Whether the signature is ``public``'s over ``message``; malformed keys and signatures are False, never an error.

    libsignal keeps its scalar and puts the sign of its Edwards point into bit 7 of byte 63; standard XEdDSA leaves
    that bit clear. Reading the sign from there accepts both (whatsmeow's libsignal, ecc.VerifySignature).
    """
    if len(public) != KEY_BYTES or len(signature) != SIGNATURE_BYTES:
        return False
    try:
        edwards = montgomery_to_edwards(public, signature[63] >> 7)
        key = Ed25519PublicKey.from_public_bytes(edwards)
        key.verify(signature[:63] + bytes([signature[63] & 0x7F]), message)
    except (InvalidSignature, ValueError):
        return False
    return True


def hmac_sha256(key: bytes, data: bytes) -> bytes:
    """HMAC-SHA256, 32 bytes."""
    return hmac.digest(key, data, "sha256")


def hkdf(ikm: bytes, salt: bytes | None, info: bytes, length: int) -> bytes:
    """HKDF-SHA256 (RFC 5869) of ``length`` bytes (at most 8160); no salt means 32 zero bytes."""
    if length > 255 * 32:
        raise ValueError("HKDF-SHA256 gives at most 8160 bytes")
    pseudo_random_key = hmac.digest(salt or _NO_SALT, ikm, "sha256")
    block = output = b""
    counter = 1
    while len(output) < length:
        block = hmac.digest(pseudo_random_key, block + info + bytes((counter,)), "sha256")
        output += block
        counter += 1
    return output[:length]
