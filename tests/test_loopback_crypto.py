"""The loopback's curve primitives against published vectors, and XEdDSA against plain Ed25519 and libsignal's variant.

Owns the tests of ``tests/loopback/crypto.py`` alone; nothing here knows stanzas or sessions. Neighbour to read next:
``test_loopback_signal.py``.
"""

from __future__ import annotations

import hashlib

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from hypothesis import given
from hypothesis import strategies as st
from nacl import bindings

from tests.loopback.crypto import (
    KeyPair,
    clamp,
    dh,
    hkdf,
    montgomery_to_edwards,
    typed,
    untyped,
    xeddsa_sign,
    xeddsa_verify,
)

_ORDER = 2**252 + 27742317777372353535851937790883648493
_KEYS = st.binary(min_size=32, max_size=32)


def _libsignal_sign(private: bytes, message: bytes, nonce: int) -> tuple[bytes, int]:
    """A signature as libsignal makes it (scalar kept, Edwards sign in bit 7 of byte 63), and that sign."""
    scalar = int.from_bytes(clamp(private), "little") % _ORDER
    point = bindings.crypto_scalarmult_ed25519_base_noclamp(scalar.to_bytes(32, "little"))
    commitment = bindings.crypto_scalarmult_ed25519_base_noclamp(nonce.to_bytes(32, "little"))
    challenge = int.from_bytes(hashlib.sha512(commitment + point + message).digest(), "little")
    response = bytearray(((nonce + challenge * scalar) % _ORDER).to_bytes(32, "little"))
    response[31] |= point[31] & 0x80
    return commitment + bytes(response), point[31] >> 7


@pytest.mark.parametrize(
    ("scalar", "coordinate", "result"),
    [
        (
            "a546e36bf0527c9d3b16154b82465edd62144c0ac1fc5a18506a2244ba449ac4",
            "e6db6867583030db3594c1a424b15f7c726624ec26b3353b10a903a6d0ab1c4c",
            "c3da55379de9c6908e94ea4df28d084f32eccf03491c71f754b4075577a28552",
        ),
        (
            "4b66e9d4d1b4673c5ad22691957d6af5c11b6421e0ea01d42ca4169e7918ba0d",
            "e5210f12786811d3f4b7959d0538ae2c31dbe7106fc03c3efc4cd549c715a493",
            "95cbde9476e8907d7aade45cb4b873f88b595a68799fa152e6f8f7647aac7957",
        ),
    ],
)
def test_dh_is_x25519(scalar: str, coordinate: str, result: str) -> None:
    """``dh`` is X25519: the vectors of RFC 7748 section 5.2."""
    assert dh(bytes.fromhex(scalar), bytes.fromhex(coordinate)).hex() == result


def test_dh_iterated_vector() -> None:
    """A thousand chained X25519 steps end where RFC 7748 section 5.2 says."""
    scalar = coordinate = b"\x09" + bytes(31)
    for _ in range(1000):
        scalar, coordinate = dh(scalar, coordinate), scalar
    assert scalar.hex() == "684cf59ba83309552800ef566f2f4d3c1c3887c49360e3875f2eb94d99532c51"


def test_public_key_and_shared_secret_vector() -> None:
    """A private key's public half and the secret with a peer are those of RFC 7748 section 6.1."""
    bob = KeyPair.from_private(bytes.fromhex("5dab087e624a8a4b79e17f8b83800ee66f3bb1292618b6fd1c2f8b27ff88e0eb"))
    alice_public = bytes.fromhex("8520f0098930a754748b7ddcb43ef75a0dbf3a0d26381af4eba4a98eaa9b4e6a")
    assert bob.public.hex() == "de9edb7d7b7dc1b4d35b61c2ece435373f8343c85b78674dadfc7e146f882b4f"
    assert dh(bob.private, alice_public).hex() == "4a5d9d5ba4ce2de1728e3bf480350f25e07e21c947d19e3376f09b3c1e161742"


@pytest.mark.parametrize("public", [bytes(32), b"\x01" + bytes(31), b"short"])
def test_dh_refuses_useless_public_keys(public: bytes) -> None:
    """A low-order or short public key is an error, never a zero secret."""
    with pytest.raises(ValueError):
        dh(KeyPair.generate().private, public)


@pytest.mark.parametrize(
    ("ikm", "salt", "info", "result"),
    [
        (
            "0b" * 22,
            bytes(range(13)),
            bytes(range(0xF0, 0xFA)),
            "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865",
        ),
        (
            "0b" * 22,
            None,
            b"",
            "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d9d201395faa4b61a96c8",
        ),
    ],
)
def test_hkdf_vectors(ikm: str, salt: bytes | None, info: bytes, result: str) -> None:
    """``hkdf`` is HKDF-SHA256, no salt meaning zeros: test cases 1 and 3 of RFC 5869."""
    assert hkdf(bytes.fromhex(ikm), salt, info, 42).hex() == result


def test_verifies_a_signature_of_libsignal() -> None:
    """A signature of libsignal's own test suite, whose sign bit is set, verifies; one changed byte fails."""
    key = KeyPair.from_private(bytes.fromhex("c097248412e58bf05df487968205132794178e367637f5818f81e0e6ce73e865"))
    message = bytes.fromhex("05edce9d9c415ca78cb7252e72c2c4a554d3eb29485a0e1d503118d1a82d99fb4a")
    signature = bytes.fromhex(
        "5de88ca9a89b4a115da79109c67c9c7464a3e4180274f1cb8c63c2984e286dfb"
        "ede82deb9dcd9fae0bfbb821569b3d9001bd8130cd11d486cef047bd60b86e88"
    )
    assert key.public.hex() == "ab7e717d4a163b7d9a1d8071dfe9dcf8cdcd1cea3339b6356be84d887e322c64"
    assert signature[63] & 0x80
    assert xeddsa_verify(key.public, message, signature)
    for index in range(64):
        changed = signature[:index] + bytes([signature[index] ^ 1]) + signature[index + 1 :]
        assert not xeddsa_verify(key.public, message, changed)


@given(private=_KEYS, message=st.binary(max_size=200))
def test_signature_is_ed25519_under_the_converted_key(private: bytes, message: bytes) -> None:
    """Our signatures verify as plain Ed25519 under the converted key with sign 0, and leave the sign bit clear."""
    key = KeyPair.from_private(private)
    signature = key.sign(message)
    assert not signature[63] & 0x80
    Ed25519PublicKey.from_public_bytes(montgomery_to_edwards(key.public, 0)).verify(signature, message)
    assert xeddsa_verify(key.public, message, signature)


@given(private=_KEYS, message=st.binary(max_size=64), nonce=st.integers(1, _ORDER - 1))
def test_verifies_the_sign_bit_variant(private: bytes, message: bytes, nonce: int) -> None:
    """A signature made the client's way verifies whatever its point's sign, and fails with that sign bit changed."""
    signature, sign = _libsignal_sign(private, message, nonce)
    public = KeyPair.from_private(private).public
    assert signature[63] >> 7 == sign
    assert xeddsa_verify(public, message, signature)
    assert not xeddsa_verify(public, message, signature[:63] + bytes([signature[63] ^ 0x80]))


@given(private=_KEYS, other=_KEYS, message=st.binary(max_size=64), extra=st.binary(min_size=1, max_size=4))
def test_signature_binds_key_and_message(private: bytes, other: bytes, message: bytes, extra: bytes) -> None:
    """A signature fails for another message, and for another key."""
    key, other_key = KeyPair.from_private(private), KeyPair.from_private(other)
    signature = xeddsa_sign(private, message)
    assert not xeddsa_verify(key.public, message + extra, signature)
    assert xeddsa_verify(other_key.public, message, signature) == (other_key.public == key.public)


@given(public=st.binary(max_size=40), signature=st.binary(max_size=70))
def test_malformed_input_never_verifies(public: bytes, signature: bytes) -> None:
    """Keys and signatures of any length and content are refused with False, never with an error."""
    assert xeddsa_verify(public, b"message", signature) is False


def test_minus_one_has_no_edwards_form() -> None:
    """u = -1 and coordinates outside the field don't convert, so they verify nothing."""
    prime = 2**255 - 19
    for coordinate in (prime - 1, prime, prime + 1):
        public = coordinate.to_bytes(32, "little")
        with pytest.raises(ValueError):
            montgomery_to_edwards(public, 0)
        assert not xeddsa_verify(public, b"", bytes(64))


def test_typed_keys() -> None:
    """The type byte goes on and comes off; any other first byte or length is refused."""
    key = KeyPair.generate().public
    assert untyped(typed(key)) == key
    for wrong in (key, b"\x06" + key, typed(key) + b"\x00", b""):
        with pytest.raises(ValueError):
            untyped(wrong)


def test_repr_hides_the_private_key() -> None:
    """A key pair in a log or a failing assertion shows its public half only."""
    key = KeyPair.generate()
    assert key.private.hex() not in repr(key)
    assert str(key.private) not in repr(key)
