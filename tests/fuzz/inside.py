"""What made-up values are put into behind the doors: wire frames, spools, the library's events.

Owns these three targets; see `targets.py` for what a target is.
"""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

import msgspec

from sessions import translate, wire
from sessions.model import Account
from sessions.spool import Damage, Record, Spool
from sessions.spool import read as read_spool
from sessions.wire import FrameTooLarge, Splitter
from tests.fuzz.maker import SECRET, Maker
from tests.support.library_events import CLASSES, OWN, parsers
from tests.test_sessions_wire import FROM_WORKER, TO_WORKER

_DIRECTORY = tempfile.TemporaryDirectory()

_FRAMES = [wire.encode(frame) for frame in (*TO_WORKER, *FROM_WORKER)]


def frames(maker: Maker) -> None:
    """The stream between worker and supervisor: frames, FrameTooLarge or DecodeError, and memory within what is sent."""
    stream = b"".join(maker.one(_FRAMES) for _ in range(maker.chance.randrange(1, 4)))
    data = maker.spoilt(stream)
    splitter = Splitter()
    cut = maker.chance.randrange(len(data) + 1)
    try:
        for part in (data[:cut], data[cut:]):
            for body in splitter.feed(part):
                for decode in (wire.decode_to_worker, wire.decode_from_worker):
                    try:
                        decode(body)
                    except msgspec.DecodeError as error:
                        assert SECRET not in str(error)
    except FrameTooLarge:
        return
    assert len(splitter._buffer) <= len(data)


def _segment(maker: Maker) -> bytes:
    """A whole segment of a few records."""
    directory = Path(tempfile.mkdtemp(dir=_DIRECTORY.name))
    spool = Spool.open(directory, 1 << 20)
    for number in range(maker.chance.randrange(1, 8)):
        spool.append(f"bot{number % 2}", "inc_1", maker.one((17, 18, -1)), maker.bytes(60))
    spool.close()
    (path,) = directory.glob("*.seg")
    return path.read_bytes()


_SPOILT = Path(tempfile.mkdtemp(dir=_DIRECTORY.name))


def _records(data: bytes, damage: list[Damage]) -> list[Record]:
    (_SPOILT / "00000001.seg").write_bytes(data)
    return list(read_spool(_SPOILT, damage.append))


_SEGMENTS = [(whole, _records(whole, [])) for whole in (_segment(Maker(seed)) for seed in range(12))]


def spools(maker: Maker) -> None:
    """A damaged segment: whole records of what was written and nothing else, in order, and the rest is reported."""
    whole, written = maker.one(_SEGMENTS)
    data = maker.spoilt(whole)
    damage: list[Damage] = []
    found = _records(data, damage)
    assert all(record in written for record in found), "a record nobody wrote"
    assert sum(one.length for one in damage) <= len(data)
    if not damage and found != written:
        assert found == written[: len(found)], "a record was left out and nobody was told"


_PARSERS = parsers()
_SEEDS: dict[int, list[bytes]] = {}
_KNOWN = (None, OWN, Account("spoilt", "spoilt", ""))


def _seeds(kind: int) -> list[bytes]:
    """Encoded events of a kind with everything in them set to something."""
    if kind not in _SEEDS:
        _SEEDS[kind] = [b"", *(_filled(_PARSERS[kind](b""), Maker(seed)) for seed in range(6))]
    return _SEEDS[kind]


def _filled(message: Any, maker: Maker, depth: int = 0) -> bytes:
    for field in message.DESCRIPTOR.fields:
        if depth == 0 or maker.chance.random() < 0.7:
            _fill(message, field, maker, depth)
    return bytes(message.SerializePartialToString()) if depth == 0 else b""


def _fill(message: Any, field: Any, maker: Maker, depth: int) -> None:
    repeated = field.is_repeated if hasattr(field, "is_repeated") else field.label == field.LABEL_REPEATED
    if field.message_type is not None:
        if depth > 3 or field.message_type.GetOptions().map_entry:
            return
        inner = getattr(message, field.name).add() if repeated else getattr(message, field.name)
        _filled(inner, maker, depth + 1)
        if not repeated:
            inner.SetInParent()
        return
    value: Any
    match field.cpp_type:
        case 9:
            value = (
                maker.one(("4915112345678", "s.whatsapp.net", "lid", "1@lid", "text", "é", ""))
                if field.type == 9
                else b"\x01"
            )
        case 7:
            value = True
        case 5 | 6:
            value = 1.5
        case 8:
            value = field.enum_type.values[maker.chance.randrange(len(field.enum_type.values))].number
        case _:
            value = maker.one((0, 1, 2, 17, 2**31 - 1))
    if repeated:
        getattr(message, field.name).append(value)
    else:
        setattr(message, field.name, value)


def events(maker: Maker) -> None:
    """The library's events as bytes, of any number: a record that can be sent on, whose JSON is JSON."""
    kind = maker.one(tuple(CLASSES)) if maker.chance.random() < 0.95 else maker.chance.randrange(-9, 60)
    raw = maker.bytes() if kind not in _PARSERS or maker.chance.random() < 0.05 else maker.one(_seeds(kind))
    if maker.chance.random() < 0.8:
        raw = maker.spoilt(raw)
    event, _ = translate.from_raw(kind, raw, _PARSERS, maker.one(_KNOWN))
    msgspec.msgpack.encode(translate.header(event))
    data = translate.frame_data(event)
    if data:
        json.loads(data)
