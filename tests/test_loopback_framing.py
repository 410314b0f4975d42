"""WebSocket messages and WhatsApp frames: any split of the bytes gives the same frames; wrong bytes are refused."""

from __future__ import annotations

import itertools
import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.loopback.framing import (
    CLIENT_GREETING,
    Close,
    Data,
    FrameReader,
    MalformedBytes,
    Ping,
    WebSocketReader,
    build_frames,
    build_message,
    split_head,
    upgrade_response,
)


def masked(opcode: int, payload: bytes) -> bytes:
    """A client's WebSocket message, made from the server's by masking it."""
    plain = build_message(0x80 | opcode, payload)
    head, mask = bytearray(plain[: len(plain) - len(payload)]), os.urandom(4)
    head[1] |= 0x80
    return bytes(head) + mask + bytes(byte ^ mask[index % 4] for index, byte in enumerate(payload))


def chop(data: bytes, cuts: list[int]) -> list[bytes]:
    borders = [0, *sorted(cut % (len(data) + 1) for cut in cuts), len(data)]
    return [data[start:end] for start, end in itertools.pairwise(borders)]


@given(st.lists(st.binary(max_size=300), max_size=5), st.lists(st.integers(0, 5000), max_size=6))
def test_frames_come_out_whole_however_the_stream_is_cut(frames: list[bytes], cuts: list[int]) -> None:
    """Borders of TCP segments and WebSocket messages mean nothing to frames."""
    stream = CLIENT_GREETING + b"".join(len(frame).to_bytes(3, "big") + frame for frame in frames)
    reader = FrameReader()
    assert [frame for piece in chop(stream, cuts) for frame in reader.feed(piece)] == frames


@pytest.mark.parametrize("size", [0, 125, 126, 65535, 65536])
def test_messages_of_every_length_class_are_read_in_pieces(size: int) -> None:
    """7-bit, 16-bit and 64-bit lengths, unmasked correctly, also when they come byte by byte at first."""
    payload = os.urandom(size)
    raw = masked(2, payload)
    reader = WebSocketReader()
    events = [event for piece in (*[raw[i : i + 1] for i in range(12)], raw[12:]) for event in reader.feed(piece)]
    assert events == [Data(payload)]


def test_control_messages_are_told_apart() -> None:
    """Ping with its payload, pong ignored, close."""
    raw = masked(9, b"are you there") + masked(10, b"") + masked(8, b"\x03\xe8")
    assert list(WebSocketReader().feed(raw)) == [Ping(b"are you there"), Close()]


def test_an_unmasked_message_is_refused() -> None:
    """RFC 6455: a server must not take unmasked client messages."""
    with pytest.raises(MalformedBytes):
        list(WebSocketReader().feed(build_message(0x82, b"x")))


def test_another_dictionary_version_is_refused() -> None:
    """A client that greets with version 2 has another token table."""
    with pytest.raises(MalformedBytes):
        list(FrameReader().feed(b"WA\x06\x02"))


def test_several_frames_share_one_message() -> None:
    """What is sent in one turn leaves as one binary message: each frame with its own length."""
    assert build_frames([b"ab", b"c"]) == b"\x82\x09\x00\x00\x02ab\x00\x00\x01c"


def test_an_upgrade_is_answered_with_the_rfc_example() -> None:
    """The accept value of RFC 6455 section 1.3, no extension accepted."""
    raw = (
        b"GET /ws/chat HTTP/1.1\r\nUpgrade: websocket\r\nSec-WebSocket-Extensions: permessage-deflate\r\n"
        b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\nrest"
    )
    split = split_head(raw)
    assert split is not None
    head, rest = split
    answer = upgrade_response(head)
    assert rest == b"rest"
    assert b"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n" in answer
    assert b"Extensions" not in answer


@pytest.mark.parametrize("raw", [b"nonsense\r\n\r\n", b"x" * 20_000])
def test_what_is_no_http_is_refused(raw: bytes) -> None:
    """A head that isn't one, or never ends."""
    with pytest.raises(MalformedBytes):
        split_head(raw)
