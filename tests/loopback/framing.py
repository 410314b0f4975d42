"""The bytes between TLS and Noise: HTTP heads, WebSocket messages, WhatsApp's length-prefixed frames. Pure.

Owns parsing and building of these three; it must never know sockets, ciphers or nodes. WhatsApp's frames are a byte
stream inside binary WebSocket messages (3-byte big-endian length, payload; message borders mean nothing), opened by
the client with ``WA 06 03``. Neighbour to read next: ``transport.py``.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass

from tests.loopback.tokens import DICTIONARY_VERSION

CLIENT_GREETING = b"WA\x06" + bytes((DICTIONARY_VERSION,))
MAX_HEAD_BYTES = 16_384
MAX_FRAME_BYTES = 1 << 24

_ACCEPT_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"  # RFC 6455 section 1.3
_FIN_BINARY = 0x82
_FIN_CLOSE = 0x88
_FIN_PONG = 0x8A
_OP_CONTINUATION, _OP_TEXT, _OP_BINARY, _OP_CLOSE, _OP_PING, _OP_PONG = 0, 1, 2, 8, 9, 10


class MalformedBytes(ValueError):
    """The peer's bytes don't follow the protocol; the caller drops the connection."""


@dataclass(frozen=True, slots=True)
class HttpHead:
    """A request line and its headers (names in lower case)."""

    method: str
    target: str
    headers: dict[str, str]


def split_head(buffer: bytes) -> tuple[HttpHead, bytes] | None:
    """The first HTTP head and the bytes after it; None while it is incomplete; MalformedBytes when it is none."""
    end = buffer.find(b"\r\n\r\n")
    if end < 0:
        if len(buffer) > MAX_HEAD_BYTES:
            raise MalformedBytes("an HTTP head without an end")
        return None
    lines = buffer[:end].decode("latin-1").split("\r\n")
    parts = lines[0].split(" ")
    if len(parts) != 3:
        raise MalformedBytes("not an HTTP request line")
    headers = {name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in lines[1:])}
    return HttpHead(parts[0], parts[1], headers), buffer[end + 4 :]


def upgrade_response(head: HttpHead) -> bytes:
    """The 101 answer to a WebSocket upgrade, no extension accepted; MalformedBytes when it is no upgrade."""
    key = head.headers.get("sec-websocket-key", "")
    if head.method != "GET" or head.headers.get("upgrade", "").lower() != "websocket" or not key:
        raise MalformedBytes("not a WebSocket upgrade")
    accept = base64.b64encode(hashlib.sha1(key.encode() + _ACCEPT_GUID).digest()).decode()
    return (
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        f"Sec-WebSocket-Accept: {accept}\r\n\r\n"
    ).encode()


def build_message(opcode_byte: int, payload: bytes) -> bytes:
    """One unmasked, unfragmented WebSocket message, as servers send them."""
    size = len(payload)
    if size < 126:
        return bytes((opcode_byte, size)) + payload
    if size < 1 << 16:
        return bytes((opcode_byte, 126)) + size.to_bytes(2, "big") + payload
    return bytes((opcode_byte, 127)) + size.to_bytes(8, "big") + payload


def build_frames(payloads: list[bytes]) -> bytes:
    """One binary message that carries all these frames."""
    return build_message(_FIN_BINARY, b"".join([part for data in payloads for part in (_frame_length(data), data)]))


def build_close(code: int) -> bytes:
    """A WebSocket close with that code (RFC 6455 section 7.4)."""
    return build_message(_FIN_CLOSE, code.to_bytes(2, "big"))


def build_pong(payload: bytes) -> bytes:
    """The answer to a WebSocket ping."""
    return build_message(_FIN_PONG, payload)


def _frame_length(payload: bytes) -> bytes:
    if len(payload) >= MAX_FRAME_BYTES:
        raise MalformedBytes("a frame has less than 16 MiB")
    return len(payload).to_bytes(3, "big")


def _unmask(payload: bytes, mask: bytes) -> bytes:
    size = len(payload)
    repeated = (mask * (size // 4 + 1))[:size]
    return (int.from_bytes(payload, "big") ^ int.from_bytes(repeated, "big")).to_bytes(size, "big")


@dataclass(frozen=True, slots=True)
class Data:
    """Bytes of WhatsApp's stream."""

    payload: bytes


@dataclass(frozen=True, slots=True)
class Ping:
    """The peer wants a pong with this payload."""

    payload: bytes


@dataclass(frozen=True, slots=True)
class Close:
    """The peer closes the WebSocket."""


class WebSocketReader:
    """Splits a client's bytes into ``Data``, ``Ping`` and ``Close``."""

    __slots__ = ("_buffer",)

    def __init__(self) -> None:
        self._buffer = bytearray()

    def feed(self, data: bytes) -> Iterator[Data | Ping | Close]:
        """What became complete with these bytes, in order; MalformedBytes for unmasked messages."""
        self._buffer += data
        while (message := self._next()) is not None:
            opcode, payload = message
            if opcode in (_OP_CONTINUATION, _OP_TEXT, _OP_BINARY):
                yield Data(payload)
            elif opcode == _OP_PING:
                yield Ping(payload)
            elif opcode == _OP_CLOSE:
                yield Close()
            elif opcode != _OP_PONG:
                raise MalformedBytes(f"unknown WebSocket opcode {opcode}")

    def _next(self) -> tuple[int, bytes] | None:
        buffer = self._buffer
        if len(buffer) < 2:
            return None
        if not buffer[1] & 0x80:
            raise MalformedBytes("clients mask their messages")
        size, at = buffer[1] & 0x7F, 2
        if size >= 126:
            width = 2 if size == 126 else 8
            if len(buffer) < 2 + width:
                return None
            size, at = int.from_bytes(buffer[2 : 2 + width], "big"), 2 + width
        if len(buffer) < at + 4 + size:
            return None
        payload = _unmask(bytes(buffer[at + 4 : at + 4 + size]), bytes(buffer[at : at + 4]))
        opcode = buffer[0] & 0x0F
        del buffer[: at + 4 + size]
        return opcode, payload


class FrameReader:
    """Splits WhatsApp's byte stream, greeting first, into frame payloads."""

    __slots__ = ("_buffer", "_greeted")

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._greeted = False

    def feed(self, data: bytes) -> Iterator[bytes]:
        """The frames that became complete; MalformedBytes when the stream doesn't begin with the greeting."""
        buffer = self._buffer
        buffer += data
        if not self._greeted:
            if len(buffer) < len(CLIENT_GREETING):
                return
            if not buffer.startswith(CLIENT_GREETING):
                raise MalformedBytes("another greeting, or another dictionary version")
            self._greeted = True
            del buffer[: len(CLIENT_GREETING)]
        while len(buffer) >= 3:
            end = 3 + int.from_bytes(buffer[:3], "big")
            if len(buffer) < end:
                return
            frame = bytes(buffer[3:end])
            del buffer[:end]
            yield frame
