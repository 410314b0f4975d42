"""The bytes of Signal messages: what is read, what is refused, and the padding inside.

Owns the tests of ``tests/loopback/signal_wire.py`` alone. Neighbour to read next: ``test_loopback_signal.py``.
"""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.loopback.signal_wire import (
    InvalidMessage,
    PreKeySignalMessage,
    decode_prekey_message,
    decode_signal_message,
    encode_prekey_message,
    encode_signal_message,
    pad,
    unpad,
)

_KEY_FIELD = b"\x0a\x21\x05" + bytes(range(32))
_COUNTERS = b"\x10\x07\x18\x02"


@pytest.mark.parametrize(
    "body",
    [
        _KEY_FIELD + _COUNTERS,
        _COUNTERS + b"\x22\x01x",
        b"\x0a\x21\x06" + bytes(32) + _COUNTERS + b"\x22\x01x",
        _KEY_FIELD + _COUNTERS + b"\x22\x09x",
        _KEY_FIELD + b"\x10\x80\x80\x80\x80\x10" + b"\x22\x01x",
        _KEY_FIELD + b"\x12\x01\x01" + b"\x22\x01x",
        _KEY_FIELD + b"\x22\x01x" + b"\x13",
        _KEY_FIELD + b"\x22\x01x" + b"\xff" * 11,
    ],
    ids=["no text", "no key", "key type", "overrun", "not uint32", "bytes for a number", "wire type", "varint"],
)
def test_malformed_wire_bytes(body: bytes) -> None:
    """A SignalMessage that lacks a field, has one of the wrong kind or runs over its end is refused."""
    with pytest.raises(InvalidMessage):
        decode_signal_message(b"\x33" + body + bytes(8))


def test_unknown_fields_are_read_over() -> None:
    """Fields a later version may add don't disturb the ones we know, and stay authenticated."""
    unknown = b"\x3d\x01\x02\x03\x04" + b"\x41" + bytes(8) + b"\x4a\x02hi" + b"\x50\x01"
    body = b"\x33" + _KEY_FIELD + unknown + _COUNTERS + b"\x22\x01x"
    message = decode_signal_message(body + b"12345678")
    assert (message.ratchet, message.counter, message.previous_counter) == (bytes(range(32)), 7, 2)
    assert (message.ciphertext, message.authenticated, message.mac) == (b"x", body, b"12345678")


_UINT32 = st.integers(0, 2**32 - 1)
_KEYS = st.binary(min_size=32, max_size=32)


@given(ratchet=_KEYS, counter=_UINT32, previous=_UINT32, ciphertext=st.binary(max_size=300))
def test_signal_message_round_trip(ratchet: bytes, counter: int, previous: int, ciphertext: bytes) -> None:
    """What is written is read back, whatever the sizes of its numbers and text."""
    body = encode_signal_message(ratchet, counter, previous, ciphertext)
    message = decode_signal_message(body + bytes(8))
    assert (message.ratchet, message.counter, message.previous_counter) == (ratchet, counter, previous)
    assert (message.ciphertext, message.authenticated) == (ciphertext, body)


@given(
    message=st.builds(
        PreKeySignalMessage,
        registration_id=_UINT32,
        prekey_id=st.none() | _UINT32,
        signed_prekey_id=_UINT32,
        base_key=_KEYS,
        identity=_KEYS,
        message=st.binary(max_size=300),
    )
)
def test_prekey_message_round_trip(message: PreKeySignalMessage) -> None:
    """What is written is read back, with a one-time prekey and without."""
    assert decode_prekey_message(encode_prekey_message(message)) == message


@given(message=st.binary(max_size=64))
def test_padding_round_trip(message: bytes) -> None:
    """Padding adds 1 to 15 bytes and comes off again."""
    padded = pad(message)
    assert 1 <= len(padded) - len(message) <= 15
    assert unpad(padded) == message


@pytest.mark.parametrize("plaintext", [b"", b"\x00", b"text\x10" + b"\x10" * 15, b"\x05\x05", b"text\x02\x03\x03"])
def test_bad_padding_is_refused(plaintext: bytes) -> None:
    """Padding of length 0, above 15, longer than the text or of unequal bytes is refused."""
    with pytest.raises(InvalidMessage):
        unpad(plaintext)
