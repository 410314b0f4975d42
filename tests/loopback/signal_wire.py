"""The bytes of Signal protocol version 3: SignalMessage, PreKeySignalMessage and the plaintext's padding.

Owns the encoding alone; it must never know keys' private halves, sessions or who talks to whom. Written by hand
rather than with protobuf because the authenticated bytes must be kept exactly as received and because a flood of
inbound messages encodes thousands a second. Neighbour to read next: ``signal.py``.
"""

from __future__ import annotations

import os
from dataclasses import dataclass

from tests.loopback.crypto import KEY_BYTES, KEY_TYPE, untyped

VERSION = 0x33
MAC_BYTES = 8
MAX_PADDING_BYTES = 15
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
_UINT32_MAX = 0xFFFFFFFF
_VERSION_BYTE = bytes((VERSION,))
_RATCHET_FIELD = b"\x0a" + bytes((KEY_BYTES + 1,)) + KEY_TYPE

Field = int | bytes


class SignalError(ValueError):
    """A Signal message, bundle or session that can't be used; the caller answers as for an undecryptable message."""


class InvalidMessage(SignalError):
    """Malformed bytes, an unknown prekey, or an authentication code that doesn't match."""


@dataclass(frozen=True, slots=True)
class SignalMessage:
    """One ratchet message as received; ``authenticated`` is everything the 8-byte ``mac`` covers."""

    ratchet: bytes
    counter: int
    previous_counter: int
    ciphertext: bytes
    authenticated: bytes
    mac: bytes


@dataclass(frozen=True, slots=True)
class PreKeySignalMessage:
    """A first message: what the receiver needs for X3DH, and the serialized SignalMessage inside (``message``)."""

    registration_id: int
    prekey_id: int | None
    signed_prekey_id: int
    base_key: bytes
    identity: bytes
    message: bytes


def pad(message: bytes) -> bytes:
    """The message with 1 to 15 random-length padding bytes, each holding the pad length (whatsmeow padMessage)."""
    length = os.urandom(1)[0] % MAX_PADDING_BYTES + 1
    return message + bytes((length,)) * length


def unpad(plaintext: bytes) -> bytes:
    """The message without its padding; InvalidMessage when the padding isn't 1..15 equal bytes of its length."""
    length = plaintext[-1] if plaintext else 0
    if not 1 <= length <= MAX_PADDING_BYTES or plaintext[-length:] != bytes((length,)) * length:
        raise InvalidMessage("bad message padding")
    return plaintext[:-length]


def encode_varint(value: int) -> bytes:
    """A number as protobuf writes it."""
    encoded = bytearray()
    while value > 0x7F:
        encoded.append(value & 0x7F | 0x80)
        value >>= 7
    encoded.append(value)
    return bytes(encoded)


def encode_signal_message(ratchet: bytes, counter: int, previous_counter: int, ciphertext: bytes) -> bytes:
    """Version byte and fields of a SignalMessage, without the MAC that follows them on the wire."""
    return b"".join(
        (
            _VERSION_BYTE,
            _RATCHET_FIELD,
            ratchet,
            b"\x10",
            encode_varint(counter),
            b"\x18",
            encode_varint(previous_counter),
            b"\x22",
            encode_varint(len(ciphertext)),
            ciphertext,
        )
    )


def encode_prekey_message(message: PreKeySignalMessage) -> bytes:
    """Version byte and fields of a PreKeySignalMessage."""
    parts = [_VERSION_BYTE]
    if message.prekey_id is not None:
        parts += b"\x08", encode_varint(message.prekey_id)
    parts += b"\x12", encode_varint(KEY_BYTES + 1), KEY_TYPE, message.base_key
    parts += b"\x1a", encode_varint(KEY_BYTES + 1), KEY_TYPE, message.identity
    parts += b"\x22", encode_varint(len(message.message)), message.message
    parts += b"\x28", encode_varint(message.registration_id), b"\x30", encode_varint(message.signed_prekey_id)
    return b"".join(parts)


def decode_signal_message(data: bytes) -> SignalMessage:
    """Parse a SignalMessage with its trailing MAC; InvalidMessage when a required field is missing or malformed."""
    _check_version(data)
    if len(data) < 1 + MAC_BYTES:
        raise InvalidMessage("message too short")
    authenticated, mac = data[:-MAC_BYTES], data[-MAC_BYTES:]
    fields = read_fields(authenticated, 1)
    return SignalMessage(
        ratchet=_key(fields, 1),
        counter=_number(fields, 2),
        previous_counter=_number(fields, 3),
        ciphertext=_data(fields, 4),
        authenticated=authenticated,
        mac=mac,
    )


def decode_prekey_message(data: bytes) -> PreKeySignalMessage:
    """Parse a PreKeySignalMessage; InvalidMessage when a required field is missing or malformed."""
    _check_version(data)
    fields = read_fields(data, 1)
    return PreKeySignalMessage(
        registration_id=_number(fields, 5),
        prekey_id=_number(fields, 1) if 1 in fields else None,
        signed_prekey_id=_number(fields, 6),
        base_key=_key(fields, 2),
        identity=_key(fields, 3),
        message=_data(fields, 4),
    )


def _check_version(data: bytes) -> None:
    if not data or data[0] >> 4 != VERSION >> 4:
        raise InvalidMessage("not a version 3 message")


def _number(fields: dict[int, Field], number: int) -> int:
    value = fields.get(number, 0)
    if not isinstance(value, int) or value > _UINT32_MAX:
        raise InvalidMessage(f"field {number} is not a uint32")
    return value


def _data(fields: dict[int, Field], number: int) -> bytes:
    value = fields.get(number)
    if not isinstance(value, bytes):
        raise InvalidMessage(f"field {number} is missing")
    return value


def _key(fields: dict[int, Field], number: int) -> bytes:
    try:
        return untyped(_data(fields, number))
    except InvalidMessage:
        raise
    except ValueError as error:
        raise InvalidMessage(f"field {number} is not a typed public key") from error


def _read_varint(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        if at >= len(data) or shift > 63:
            raise InvalidMessage("malformed varint")
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
        shift += 7


def read_fields(data: bytes, at: int) -> dict[int, Field]:
    """Protobuf fields by number, last one wins; unknown fields are read over."""
    fields: dict[int, Field] = {}
    while at < len(data):
        tag, at = _read_varint(data, at)
        wire_type = tag & 7
        if wire_type == _VARINT:
            fields[tag >> 3], at = _read_varint(data, at)
            continue
        if wire_type == _BYTES:
            length, at = _read_varint(data, at)
        elif wire_type in (_FIXED64, _FIXED32):
            length = 8 if wire_type == _FIXED64 else 4
        else:
            raise InvalidMessage("unknown wire type")
        if at + length > len(data):
            raise InvalidMessage("field longer than the message")
        if wire_type == _BYTES:
            fields[tag >> 3] = data[at : at + length]
        at += length
    return fields
