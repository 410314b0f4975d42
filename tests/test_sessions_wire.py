"""Frames between worker and supervisor: each survives the stream however it is cut, and bad streams end cleanly."""

from __future__ import annotations

import typing

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from sessions import model, wire
from sessions.session import SessionSpec
from sessions.wire import EventFrame, FromWorker, Splitter, ToWorker
from tests.test_sessions_model import EXAMPLES

SPEC = SessionSpec("bot_a", "inc_1", "/data/devices/bot_a/1.db", None, "Device", None)

OUTGOING: list[model.Outgoing] = [
    model.OutgoingText("1@lid", "hello"),
    model.OutgoingText("1@lid", "hello", model.Quoted("M", "2@lid"), ("3@lid",)),
    model.OutgoingReaction("1@lid", "M", "👍", "2@lid", from_me=True),
    model.OutgoingEdit("1@lid", "M", "new"),
    model.OutgoingRevoke("1@lid", "M"),
    model.OutgoingLocation("1@lid", 1.5, -2.5, "n", "a"),
    model.OutgoingContact("1@lid", "Bob", "BEGIN:VCARD"),
    model.OutgoingPoll("1@lid", "?", ("a", "b"), 1),
    model.OutgoingMedia("1@lid", "image", "med_1", None, "/file", "image/png", 3, "look", thumbnail=b"\xff\xd8"),
]
TO_WORKER: list[ToWorker] = [
    wire.Start(SPEC),
    wire.Stop("bot_a", "inc_1"),
    wire.PairPhone(1, "bot_a", "inc_1", "4915550001111"),
    *[wire.Send(2, "bot_a", "inc_1", "job", outgoing) for outgoing in OUTGOING],
    wire.AskGroup("bot", "inc", "1@g.us"),
    wire.Find(4, "bot_a", "inc_1", "4915112345678"),
    wire.Logout(3, "bot_a", "inc_1"),
    wire.SpoolCommitted("inc_1", 7),
    wire.Ping(1),
    wire.Shutdown(),
]
FROM_WORKER: list[FromWorker] = [
    wire.Hello(4711, "simulated", "simulated"),
    wire.Started("bot_a", "inc_1"),
    wire.Stopped("bot_a", "inc_1", False),
    *[EventFrame("bot_a", "inc_1", 3, 5, event, b'{"a":1}') for event in EXAMPLES],
    EventFrame("bot_a", "inc_1", None, 5, model.QrOffered("code", 1, 6, 60)),
    wire.Result(1, True, code="ABCD-EFGH"),
    wire.Result(2, True, outcome=model.Sent("3EB0", 9)),
    wire.Result(4, True, found=model.Found(True, "77@lid")),
    wire.Pong(1, 3, 1000, 0.5),
    wire.SpoolFailed("full"),
    wire.Drained(12),
]


def test_every_frame_has_an_example() -> None:
    """The lists above hold each frame of both unions."""
    assert {type(outgoing) for outgoing in OUTGOING} == set(typing.get_args(model.Outgoing))
    assert {type(frame) for frame in TO_WORKER} == set(typing.get_args(ToWorker))
    assert {type(frame) for frame in FROM_WORKER} == set(typing.get_args(FromWorker))


def test_both_directions() -> None:
    """Each frame is itself again at the other end."""
    for to in TO_WORKER:
        assert [wire.decode_to_worker(body) for body in Splitter().feed(wire.encode(to))] == [to]
    for back in FROM_WORKER:
        assert [wire.decode_from_worker(body) for body in Splitter().feed(wire.encode(back))] == [back]


@given(st.lists(st.sampled_from(FROM_WORKER), max_size=8), st.data())
def test_cuts_don_t_matter(frames: list[FromWorker], data: st.DataObject) -> None:
    """However the stream is cut into reads, the same frames come out in the same order."""
    stream = b"".join(wire.encode(frame) for frame in frames)
    splitter, found, at = Splitter(), list[FromWorker](), 0
    while at < len(stream):
        step = data.draw(st.integers(1, len(stream) - at))
        found += [wire.decode_from_worker(body) for body in splitter.feed(stream[at : at + step])]
        at += step
    assert found == frames


def test_too_large_a_frame() -> None:
    """A frame above the limit ends the stream, after the whole ones before it."""
    splitter = Splitter()
    bodies: list[bytes] = []
    with pytest.raises(wire.FrameTooLarge):
        for body in splitter.feed(wire.encode(wire.Ping(1)) + (wire.MAX_FRAME_BYTES + 1).to_bytes(4, "big")):
            bodies.append(body)  # noqa: PERF402
    assert [wire.decode_to_worker(body) for body in bodies] == [wire.Ping(1)]


@given(st.binary(max_size=200))
@example(b"\x82\xa4type\xa4ping\xa6number\xa1\xff")
@example(b"\x82\xa4\xff\xff\xff\xff\xa4ping\xa6number\x01")
def test_foreign_bytes_are_a_decode_error(body: bytes) -> None:
    """Anything that is no frame is a DecodeError, which drops the connection, and nothing else."""
    for decode in (wire.decode_to_worker, wire.decode_from_worker):
        try:
            decode(body)
        except msgspec.DecodeError:
            continue
