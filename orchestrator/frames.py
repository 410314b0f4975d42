"""What one event looks like to a client: the same bytes on the user's socket and on a stream of REST.

Pure. Owns the frame's members and its greatest size; wraps an event's finished `data` without encoding it again. It
must never know a connection or a bus. Read `gateway/protocol.py` and `api/streams.py` for who sends frames.
"""

from __future__ import annotations

import msgspec

from orchestrator.model import Event, Position

FRAME_MAX_BYTES = 64 * 1024


class Frame(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    """One frame; member order and names are the contract's."""

    id: str
    type: str
    bot_id: str | None
    at: int
    data: msgspec.Raw
    status: str | None = None
    epoch: str | None = None
    seq: int | None = None
    prev: int | None = None
    replayed: bool = False
    status_version: int | None = None
    truncated: bool = False


_encode = msgspec.json.Encoder().encode


def durable(event: Event, position: Position, prev: Position, *, replayed: bool) -> bytes:
    """Encode a committed event with its position and the one before it in what this client is given."""
    return _bounded(_frame(event, position.epoch, position.seq, prev.seq, replayed))


def transient(event: Event) -> bytes:
    """Encode what is never stored (a QR or pairing code): no position."""
    return _bounded(_frame(event))


def _frame(
    event: Event, epoch: str | None = None, seq: int | None = None, prev: int | None = None, replayed: bool = False
) -> Frame:
    return Frame(
        id=event.id,
        type=event.type,
        bot_id=event.bot,
        at=event.at,
        data=msgspec.Raw(event.data),
        status=event.status,
        epoch=epoch,
        seq=seq,
        prev=prev,
        replayed=replayed,
        status_version=event.status_version,
    )


def _bounded(frame: Frame) -> bytes:
    """Encode a frame; one over the limit keeps the small members of its data and says `truncated`."""
    text = _encode(frame)
    if len(text) <= FRAME_MAX_BYTES:
        return text
    kept = msgspec.Raw(_encode(_small_members(frame.data)))
    return _encode(msgspec.structs.replace(frame, data=kept, truncated=True))


_SMALL_BYTES = 1024


def _small_members(data: msgspec.Raw) -> dict[str, msgspec.Raw]:
    try:
        members = msgspec.json.decode(data, type=dict[str, msgspec.Raw])
    except msgspec.ValidationError:
        return {}
    kept: dict[str, msgspec.Raw] = {}
    size = 0
    for key, value in members.items():
        cost = len(key.encode()) + len(bytes(value))
        if len(bytes(value)) <= _SMALL_BYTES and size + cost <= FRAME_MAX_BYTES // 2:
            kept[key] = value
            size += cost
    return kept
