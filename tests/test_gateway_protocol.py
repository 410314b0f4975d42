"""Frames, refusals, resume and client messages as pure functions."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest

from orchestrator.bus.bus import Announced, Committed, LogState
from orchestrator.errors import PROBLEMS, SOCKET, Refused
from orchestrator.frames import FRAME_MAX_BYTES
from orchestrator.gateway import protocol
from orchestrator.gateway.protocol import (
    Begin,
    Ready,
    Resume,
    Stamp,
    begin,
    closing_frame,
    delivery_frame,
    parse_auth,
    parse_resume,
    ready_frame,
    refusal,
    replaying_frame,
    snapshot_frames,
    violation,
)
from orchestrator.model import Event, Position
from tests.support.gateway import make_bot, make_event

STAMP = Stamp("evt_1", 5)


def committed(event: Event, seq: int = 7, *, replayed: bool = False) -> Committed:
    return Committed(Position("e", seq), Position("e", seq - 1), event, replayed)


def test_a_durable_frame_carries_its_position_and_the_one_before_it() -> None:
    """`epoch`, `seq`, `prev` stand beside `type` and `botId` at the top level; nothing absent is written."""
    event = make_event("message", {"text": "hi"})
    assert json.loads(delivery_frame(committed(event))) == {
        "id": event.id,
        "type": "message",
        "botId": "bot_a",
        "at": event.at,
        "data": {"text": "hi"},
        "epoch": "e",
        "seq": 7,
        "prev": 6,
    }


def test_finished_json_is_not_encoded_again() -> None:
    """`data` goes out byte for byte, whatever its spacing and key order."""
    event = msgspec.structs.replace(make_event("message"), data=b'{"b" : 1.50,  "a":"\\u00e9"}')
    assert b'"data":{"b" : 1.50,  "a":"\\u00e9"}' in delivery_frame(committed(event))


def test_a_status_frame_carries_status_and_version_at_the_top() -> None:
    """`bot_status_update` also carries `status`; a replayed one says so."""
    event = msgspec.structs.replace(
        make_event("status", name="bot_status_update"), status="connected", status_version=3
    )
    frame = json.loads(delivery_frame(committed(event, replayed=True)))
    assert (frame["status"], frame["statusVersion"], frame["replayed"]) == ("connected", 3, True)


def test_an_announcement_carries_no_position() -> None:
    """Transient frames have neither epoch nor seq nor prev; those of a link attempt have their `statusVersion`."""
    event = msgspec.structs.replace(make_event("qr", {"attempt": 2}), status_version=4)
    frame = json.loads(delivery_frame(Announced("bot_a/qr", event, 99)))
    assert frame.keys() == {"id", "type", "botId", "at", "data", "statusVersion"}


def test_a_frame_over_64_kib_keeps_its_small_members_and_says_so() -> None:
    """`truncated: true`; what names the message stays, so that REST can be asked for the whole."""
    event = make_event("message", {"messageId": "m1", "chat": "c", "text": "x" * FRAME_MAX_BYTES})
    frame = delivery_frame(committed(event))
    assert len(frame) <= FRAME_MAX_BYTES
    told = json.loads(frame)
    assert told["truncated"] is True
    assert told["data"] == {"messageId": "m1", "chat": "c"}
    assert (told["seq"], told["prev"]) == (7, 6)


@pytest.mark.parametrize("data", [[0] * 40_000, {f"k{number}": "y" * 900 for number in range(200)}])
def test_any_large_data_is_cut_to_the_limit(data: object) -> None:
    """Lists, and objects of many small members, are cut as well."""
    frame = delivery_frame(committed(make_event("history", data)))
    assert len(frame) <= FRAME_MAX_BYTES
    assert json.loads(frame)["truncated"] is True


def test_ready_says_where_delivery_begins() -> None:
    """`from` is the `prev` of the first durable frame; members that do not apply are absent."""
    ready = Ready("e", 9, 2, from_=5, mode="resumed", connection_id="con_1", server_time=1, server_version="v")
    data = json.loads(ready_frame(STAMP, ready))["data"]
    assert data == {
        "epoch": "e", "head": 9, "floor": 2, "from": 5, "mode": "resumed",
        "connectionId": "con_1", "serverTime": 1, "serverVersion": "v", "contract": 1,
    }  # fmt: skip


def test_a_snapshot_goes_on_in_further_frames() -> None:
    """A frame is at most 64 KiB; the bots that do not fit follow at the same position, each bot once and in order."""
    (few,) = (json.loads(frame) for frame in snapshot_frames(lambda: STAMP, Position("e", 3), [make_bot()]))
    assert few["data"]["position"] == {"epoch": "e", "seq": 3}
    assert few["data"]["bots"][0]["id"] == "bot_a"
    assert few["type"] == "snapshot" and "truncated" not in few and "rest" not in few["data"]
    names = [f"bot_{number}" for number in range(500)]
    many = list(snapshot_frames(lambda: STAMP, Position("e", 3), map(make_bot, names), "expired", 7))
    assert all(len(frame) <= FRAME_MAX_BYTES for frame in many)
    first, *more = [json.loads(frame) for frame in many]
    assert (first["type"], first["data"]["reason"], first["data"]["missed"]) == ("snapshot", "expired", 7)
    assert len(more) > 1 and {frame["type"] for frame in more} == {"snapshot_rest"}
    assert [bot["id"] for frame in (first, *more) for bot in frame["data"]["bots"]] == names
    assert {frame["data"]["position"]["seq"] for frame in more} == {3}
    left = [frame["data"].get("rest", 0) for frame in (first, *more)]
    assert left == sorted(left, reverse=True) and left[-1] == 0
    assert [frame.get("truncated", False) for frame in (first, *more)] == [True] * len(more) + [False]


def test_replaying_says_from_where() -> None:
    """`replaying` {from}."""
    assert json.loads(replaying_frame(STAMP, Position("e", 4)))["data"] == {"from": 4, "epoch": "e"}


@pytest.mark.parametrize("code", ["taken_over", "superseded", "token_expired", "revoked", "protocol_error", "flood"])
def test_terminal_closings_are_not_retryable(code: protocol.Terminal) -> None:
    """The client must not come back by itself."""
    data = json.loads(closing_frame(STAMP, code))["data"]
    assert (data["code"], data["retryable"]) == (code, False)
    assert code in SOCKET or code in PROBLEMS


@pytest.mark.parametrize("code", ["slow_consumer", "server_draining", "max_age", "internal"])
def test_retryable_closings_say_so(code: protocol.Retryable) -> None:
    """The client comes back, after `retryAfterMs` when there is one."""
    data = json.loads(closing_frame(STAMP, code, None, 1.5))["data"]
    assert (data["code"], data["retryable"], data["retryAfterMs"]) == (code, True, 1500)


def test_a_refusal_tells_code_retry_and_extras() -> None:
    """`err.data` = {code, retryable, retryAfterMs?, message} and `since`."""
    told = refusal(Refused("too_many_attempts", retry_after_s=2.5))
    assert (told["code"], told["retryable"], told["retryAfterMs"]) == ("too_many_attempts", True, 2500)
    assert refusal(Refused("already_connected", extra={"since": 12}))["since"] == 12


STATE = LogState(floor=Position("e", 10), head=Position("e", 20))


@pytest.mark.parametrize(
    ("resume", "expected"),
    [
        (None, Begin("snapshot", None, "first")),
        (Resume("e", 10), Begin("resumed", Position("e", 10))),
        (Resume("e", 20), Begin("resumed", Position("e", 20))),
        (Resume("e", 9), Begin("snapshot", None, "expired", 11)),
        (Resume("e", 21), Begin("snapshot", None, "ahead")),
        (Resume("f", 15), Begin("snapshot", None, "epoch")),
    ],
)
def test_a_resume_is_honoured_between_floor_and_head(resume: Resume | None, expected: Begin) -> None:
    """Everything after `floor` is kept; the epoch must match; ahead of the head means that the server lost data."""
    assert begin(resume, STATE) == expected


@pytest.mark.parametrize("raw", [None, {}, [], "x", {"token": ""}, {"token": 5}, {"token": None}])
def test_auth_without_a_token_is_unauthorized(raw: object) -> None:
    """Whatever is sent instead of a token."""
    with pytest.raises(Refused) as refused:
        parse_auth(raw)
    assert refused.value.code == "unauthorized"


def test_auth_is_read_as_the_contract_says() -> None:
    """Members of newer clients are ignored, malformed ones count as absent."""
    auth = parse_auth(
        {"token": "t", "userId": "u", "acks": True, "resume": {"epoch": "e", "seq": 3, "connectionId": "c"}, "new": 1}
    )
    assert (auth.token, auth.user, auth.acks, auth.takeover, auth.proof) == ("t", "u", True, False, "c")
    assert auth.resume == Resume("e", 3, "c")
    odd = parse_auth({"token": "t", "acks": "yes", "takeover": 1, "resume": {"connectionId": "c"}})
    assert (odd.user, odd.acks, odd.takeover, odd.resume, odd.proof) == (None, False, False, None, "c")


@pytest.mark.parametrize("user", [5, True, {"a": 1}])
def test_a_user_id_that_is_no_text_is_a_mismatch(user: object) -> None:
    """It cannot be the token's user."""
    with pytest.raises(Refused) as refused:
        parse_auth({"token": "t", "userId": user})
    assert refused.value.code == "user_mismatch"


@pytest.mark.parametrize(
    "raw", [None, 4, {"epoch": "e"}, {"epoch": "e", "seq": -1}, {"epoch": "", "seq": 1}, {"epoch": 1, "seq": 1}]
)
def test_a_malformed_position_is_none(raw: object) -> None:
    """`resume` and `resync` need an epoch and a seq."""
    assert parse_resume(raw) is None


def read(text: str) -> Any:
    """Read the JSON after the packet's kind, as a Socket.IO library does for a packet without namespace or id."""
    return json.loads(text[1:]) if len(text) > 1 else None


@pytest.mark.parametrize("text", ["0", '0{"token":"t"}', "1", '2["resync",{}]', '2["command",1,2]', "3[]"])
def test_what_clients_may_send_passes(text: str) -> None:
    """Connect, disconnect, events, acknowledgements."""
    assert violation(text, read) is None


@pytest.mark.parametrize(
    "message",
    [
        b"\x00",
        {"parsed": "json"},
        True,
        "",
        "4{}",
        '51-["x",{}]',
        "61-[]",
        "7",
        "2{",
        "2",
        "2{}",
        "2[]",
        "2[5]",
        '2["connect",{}]',
        '2["disconnect","x"]',
        '2["*"]',
        "0[]",
        '0"token"',
        "2[" * 30_000,
        '2["x","' + "y" * (64 * 1024) + '"]',
        '2["x","' + "é" * (33 * 1024) + '"]',
    ],
)
def test_what_breaks_the_protocol_is_named(message: object) -> None:
    """Binary, oversized, unreadable and reserved: none reaches a handler, and the reason holds nothing of the message."""
    wrong = violation(message, read)
    assert wrong is not None
    assert len(wrong) < 40
