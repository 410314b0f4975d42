"""Frames between a worker process and the supervisor: msgpack behind a 4-byte big-endian length, both ways.

Owns the frame records and their codec, nothing else: no socket, no process. The one thing outside the byte stream is
the lock descriptor of a `Start`, which travels as ancillary data (SCM_RIGHTS) on the first byte of that frame.
Read `worker.py` for the worker's end, `orchestrator/supervisor/workers.py` for the other.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal, TypeVar

import msgspec

from sessions.model import Found, Outgoing, SendOutcome, SessionEvent
from sessions.session import SessionSpec

MAX_FRAME_BYTES = 64 * 1024 * 1024
"""A frame above this is a bug or a broken stream: the connection ends."""

_LENGTH_BYTES = 4

# --- supervisor to worker ------------------------------------------------------------------------------------


class Start(msgspec.Struct, frozen=True, tag="start"):
    """Take up this incarnation. Carries the bot's lock descriptor. Answered by `Started`."""

    spec: SessionSpec


class Stop(msgspec.Struct, frozen=True, tag="stop"):
    """End this bot's session. Answered by `Stopped`."""

    bot: str
    incarnation: str


class PairPhone(msgspec.Struct, frozen=True, tag="pair_phone"):
    """Ask for a pairing code. Answered by `Result` with `code` or `error`."""

    call: int
    bot: str
    incarnation: str
    phone: str


class Send(msgspec.Struct, frozen=True, tag="send"):
    """Send one message. Answered by `Result` once the outcome is spooled; the outcome itself is an `EventFrame`."""

    call: int
    bot: str
    incarnation: str
    job: str
    outgoing: Outgoing


class AskGroup(msgspec.Struct, frozen=True, tag="ask_group"):
    """Ask WhatsApp about a group. No answer of its own: what is told is a spooled `GroupKnown`."""

    bot: str
    incarnation: str
    chat: str


class Find(msgspec.Struct, frozen=True, tag="find"):
    """Ask who is behind a phone number. Answered by `Result` with `found`."""

    call: int
    bot: str
    incarnation: str
    phone: str


class Logout(msgspec.Struct, frozen=True, tag="logout"):
    """Unlink at WhatsApp. Answered by `Result`, `ok` telling whether WhatsApp confirmed."""

    call: int
    bot: str
    incarnation: str


class SpoolCommitted(msgspec.Struct, frozen=True, tag="spool_committed"):
    """Everything of this incarnation up to `ordinal` is in the journal: its spool space may be reused."""

    incarnation: str
    ordinal: int


class Ping(msgspec.Struct, frozen=True, tag="ping"):
    """Answered by `Pong` from the worker's loop."""

    number: int


class Shutdown(msgspec.Struct, frozen=True, tag="shutdown"):
    """Stop every session, then exit."""


ToWorker = Start | Stop | PairPhone | Send | AskGroup | Find | Logout | SpoolCommitted | Ping | Shutdown

# --- worker to supervisor ------------------------------------------------------------------------------------


class Hello(msgspec.Struct, frozen=True, tag="hello"):
    """First frame: the worker is up and the library, if the driver has one, is loaded."""

    pid: int
    driver: Literal["whatsapp", "simulated"]
    library: str
    """Version of the driver's library, for `/api/v1/version`."""


class Started(msgspec.Struct, frozen=True, tag="started"):
    """`Session.start` returned: the library has taken the session up (its outcome arrives as events)."""

    bot: str
    incarnation: str


class Stopped(msgspec.Struct, frozen=True, tag="stopped"):
    """The session is over, its lock descriptor is closed, and every event it had spooled was sent before this.

    `clean` false: the library did not let go in time; the lock is kept, and only the end of this process frees it.
    """

    bot: str
    incarnation: str
    clean: bool


class EventFrame(msgspec.Struct, frozen=True, tag="event"):
    """One thing that happened: a typed header and, for what users see whole, finished JSON.

    The supervisor's parts read the header only; the gateway adds position and frame around `data`.
    """

    bot: str
    incarnation: str
    ordinal: int | None
    """None: never spooled (QR codes, presence)."""
    at_ms: int
    event: SessionEvent
    """Without bodies: `MessageReceived.content` is None here."""
    data: bytes = b""
    """The `data` of the user's frame as finished JSON (camelCase); empty when the mailbox makes it from the header."""


class Result(msgspec.Struct, frozen=True, tag="result"):
    """Answer to a numbered call."""

    call: int
    ok: bool
    code: str | None = None
    """A pairing code: a secret."""
    outcome: SendOutcome | None = None
    found: Found | None = None
    error: str | None = None
    """One line, no secrets."""


class Pong(msgspec.Struct, frozen=True, tag="pong"):
    """Heartbeat, in answer to `Ping` and on its own every 5 s."""

    number: int
    loop_lag_ms: int
    """How late the worker's own loop was, at worst, since the last one."""
    spool_bytes: int
    stuck_s: float
    """Age of the oldest callback from the library that has not returned; 30 s means a dead event pump."""


class SpoolFailed(msgspec.Struct, frozen=True, tag="spool_failed"):
    """The spool is over its limit or its disk refused: the worker has disconnected its sessions (`storage_unavailable`)."""

    cause: Literal["full", "write_failed"]


class Drained(msgspec.Struct, frozen=True, tag="drained"):
    """A draining worker has handed over every spooled event of the dead worker; it exits next."""

    records: int


FromWorker = Hello | Started | Stopped | EventFrame | Result | Pong | SpoolFailed | Drained


class FrameTooLarge(Exception):
    """The peer announced a frame above `MAX_FRAME_BYTES`: drop the connection."""


_Frame = TypeVar("_Frame")

_encoder = msgspec.msgpack.Encoder()
_to_worker: msgspec.msgpack.Decoder[ToWorker] = msgspec.msgpack.Decoder(ToWorker)
_from_worker: msgspec.msgpack.Decoder[FromWorker] = msgspec.msgpack.Decoder(FromWorker)


def encode(frame: ToWorker | FromWorker) -> bytes:
    """Return the frame with its length in front, ready to write."""
    body = _encoder.encode(frame)
    return len(body).to_bytes(_LENGTH_BYTES, "big") + body


def decode_to_worker(body: bytes) -> ToWorker:
    """Read one body the supervisor sent. Raises msgspec.DecodeError on anything else: drop the connection."""
    return _decoded(_to_worker, body)


def decode_from_worker(body: bytes) -> FromWorker:
    """Read one body a worker sent. Raises msgspec.DecodeError on anything else: drop the connection."""
    return _decoded(_from_worker, body)


def _decoded(decoder: msgspec.msgpack.Decoder[_Frame], body: bytes) -> _Frame:
    try:
        return decoder.decode(body)
    except UnicodeDecodeError:  # msgspec lets this one through
        raise msgspec.DecodeError("text that is no UTF-8") from None


class Splitter:
    """Cuts a byte stream into frame bodies; feeds may end anywhere."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    def feed(self, data: bytes) -> Iterator[bytes]:
        """Yield each body that is complete now, in order.

        Raises:
            FrameTooLarge: at the frame that announces too much; the stream is unusable from there on.
        """
        self._buffer += data
        start = 0
        while len(self._buffer) - start >= _LENGTH_BYTES:
            length = int.from_bytes(self._buffer[start : start + _LENGTH_BYTES], "big")
            if length > MAX_FRAME_BYTES:
                raise FrameTooLarge(f"a frame of {length} bytes; the limit is {MAX_FRAME_BYTES}")
            end = start + _LENGTH_BYTES + length
            if len(self._buffer) < end:
                break
            yield bytes(self._buffer[start + _LENGTH_BYTES : end])
            start = end
        del self._buffer[:start]
