"""What goes over the user's socket, as records and their JSON: `auth`, refusals, frames, `ready`, `closing`, resume.

Pure: no socket, no bus, no clock. Frames of events are `orchestrator/frames.py`'s. It must never know how bytes leave.
Read `admission.py` next.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Literal, assert_never

import msgspec

from orchestrator import frames
from orchestrator.bus.bus import Announced, Committed, LogState
from orchestrator.errors import PROBLEMS, SOCKET, Refused
from orchestrator.frames import FRAME_MAX_BYTES, Frame
from orchestrator.model import Bot, Position

CONTRACT = 1
MESSAGE_MAX_BYTES = 64 * 1024
"""Greatest message a client may send."""

Terminal = Literal["taken_over", "superseded", "token_expired", "revoked", "protocol_error", "flood"]
Retryable = Literal["slow_consumer", "server_draining", "max_age", "internal"]
Closing = Terminal | Retryable
"""Why the server ends a socket: terminal is a Socket.IO disconnect, retryable closes the transport."""

_TERMINAL = frozenset({"taken_over", "superseded", "token_expired", "revoked", "protocol_error", "flood"})

Mode = Literal["live", "resumed", "snapshot"]
SnapshotReason = Literal["first", "expired", "epoch", "ahead"]


def is_terminal(code: Closing) -> bool:
    """Tell whether a client that is closed with this code must not come back by itself."""
    return code in _TERMINAL


# --- client → server --------------------------------------------------------------------------------------------


class Resume(msgspec.Struct, frozen=True, rename="camel"):
    """Where a client stands: what `resume`, `resync` and `ack` carry."""

    epoch: str
    seq: int
    connection_id: str | None = None

    @property
    def position(self) -> Position:
        """The same as a position of the log."""
        return Position(self.epoch, self.seq)


class ConnectAuth(msgspec.Struct, frozen=True):
    """The `auth` of a connection, checked for its shape only."""

    token: str
    user: str | None
    acks: bool
    takeover: bool
    resume: Resume | None
    proof: str | None
    """The connectionId of the socket it says it continues."""


def parse_auth(raw: object) -> ConnectAuth:
    """Read `auth`. Unknown or malformed members other than the token count as absent: newer clients may send more.

    Raises:
        Refused: `unauthorized` without a token; `user_mismatch` when `userId` is no text.
    """
    members = raw if isinstance(raw, dict) else {}
    token = members.get("token")
    if not isinstance(token, str) or not token:
        raise Refused("unauthorized")
    user = members.get("userId")
    if user is not None and not isinstance(user, str):
        raise Refused("user_mismatch")
    given = members.get("resume")
    proof = given.get("connectionId") if isinstance(given, dict) else None
    return ConnectAuth(
        token=token,
        user=user,
        acks=members.get("acks") is True,
        takeover=members.get("takeover") is True,
        resume=parse_resume(given),
        proof=proof if isinstance(proof, str) and proof.isascii() else None,
    )


def parse_resume(raw: object) -> Resume | None:
    """Read a `resume`, `resync` or `ack`; None when it names no position."""
    try:
        resume = msgspec.convert(raw, Resume)
    except (msgspec.ValidationError, UnicodeError):  # a lone surrogate is no text
        return None
    return resume if resume.seq >= 0 and resume.epoch else None


def parse_token(raw: object) -> str | None:
    """Read a `refresh_token` {token}; None when it holds none."""
    token = raw.get("token") if isinstance(raw, dict) else None
    return token if isinstance(token, str) and token else None


def refusal(refused: Refused) -> dict[str, object]:
    """Return `err.data` of the `connect_error`: {code, retryable, retryAfterMs?, message} and extras such as `since`."""
    data: dict[str, object] = {"code": refused.code, "retryable": refused.retryable, "message": refused.message}
    if refused.retry_after_s is not None:
        data["retryAfterMs"] = round(refused.retry_after_s * 1000)
    return data | refused.extra


# --- where delivery begins --------------------------------------------------------------------------------------


class Begin(msgspec.Struct, frozen=True):
    """How delivery to a client begins: `after` is the position it has, or None for the snapshot's."""

    mode: Mode
    after: Position | None
    reason: SnapshotReason | None = None
    missed: int | None = None
    """How many events a client that gets a snapshot will not see, when that is known."""


def begin(resume: Resume | None, state: LogState) -> Begin:
    """Decide between resuming and a snapshot: honoured when the epoch matches and floor ≤ seq ≤ head."""
    if resume is None:
        return Begin("snapshot", None, "first")
    if resume.epoch != state.head.epoch:
        return Begin("snapshot", None, "epoch")
    if resume.seq > state.head.seq:
        return Begin("snapshot", None, "ahead")
    if resume.seq < state.floor.seq:
        return Begin("snapshot", None, "expired", state.head.seq - resume.seq)
    return Begin("resumed", resume.position)


# --- server → client --------------------------------------------------------------------------------------------


_encode = msgspec.json.Encoder().encode


def delivery_frame(delivery: Committed | Announced) -> bytes:
    """Encode what the bus delivered: durable frames carry their position and the one before it, transient ones none."""
    match delivery:
        case Committed(position=position, prev=prev, event=event, replayed=replayed):
            return frames.durable(event, position, prev, replayed=replayed)
        case Announced(event=event):
            return frames.transient(event)
        case _:
            assert_never(delivery)


class Stamp(msgspec.Struct, frozen=True):
    """Id and time of a frame about the connection itself."""

    id: str
    at: int


def _update(stamp: Stamp, type_: str, data: object, *, truncated: bool = False) -> bytes:
    raw = msgspec.Raw(_encode(data))
    return _encode(Frame(id=stamp.id, type=type_, bot_id=None, at=stamp.at, data=raw, truncated=truncated))


class Ready(msgspec.Struct, frozen=True, rename="camel"):
    """`connection_update` `ready`. `from` is the `prev` of the first durable frame that follows."""

    epoch: str
    head: int
    floor: int
    from_: int = msgspec.field(name="from")
    mode: Mode
    connection_id: str
    server_time: int
    server_version: str
    reason: SnapshotReason | msgspec.UnsetType = msgspec.UNSET
    missed: int | msgspec.UnsetType = msgspec.UNSET
    window: int | msgspec.UnsetType = msgspec.UNSET
    """Frames a client with `acks` may leave unacknowledged."""
    contract: int = CONTRACT


def ready_frame(stamp: Stamp, ready: Ready) -> bytes:
    """Encode `ready`."""
    return _update(stamp, "ready", ready)


def snapshot_frames(
    stamp: Callable[[], Stamp],
    position: Position,
    bots: Iterable[Bot],
    reason: SnapshotReason | None = None,
    missed: int | None = None,
) -> Iterator[bytes]:
    """Encode `snapshot` {position, bots}; bots that do not fit its frame follow in `snapshot_rest` {position, bots}.

    Each but the last is `truncated` and says with `rest` how many bots are still to come.

    Args:
        stamp: Makes id and time of a frame.
        position: What the snapshot is true at; the next durable frame's `prev`.
        bots: The user's bots, live fields filled.
        reason: Why it is sent, when no `ready` has just said it.
        missed: How many events the client will not get, when that is known.
    """
    encoded = [_encode(bot) for bot in bots]
    head: dict[str, object] = {} if reason is None else {"reason": reason}
    if missed is not None:
        head["missed"] = missed
    type_, sent = "snapshot", 0
    while type_ == "snapshot" or sent < len(encoded):
        part = _fitting(encoded, sent)
        sent += len(part)
        rest = len(encoded) - sent
        data: dict[str, object] = {"position": position, "bots": part, **head}
        if rest:
            data["rest"] = rest
        yield _update(stamp(), type_, data, truncated=rest > 0)
        type_, head = "snapshot_rest", {}


_FRAME_BYTES = 512
"""At most so many bytes of a snapshot's frame are not its bots."""


def _fitting(encoded: Sequence[bytes], start: int) -> list[msgspec.Raw]:
    """As many as fit into one frame, and at least one."""
    size, end = _FRAME_BYTES, start
    while end < len(encoded):
        size += len(encoded[end]) + 1
        if size > FRAME_MAX_BYTES and end > start:
            break
        end += 1
    return [msgspec.Raw(one) for one in encoded[start:end]]


def replaying_frame(stamp: Stamp, after: Position) -> bytes:
    """Encode `replaying` {from}: what follows begins after this position."""
    return _update(stamp, "replaying", {"from": after.seq, "epoch": after.epoch})


def token_expiring_frame(stamp: Stamp, expires_at_ms: int) -> bytes:
    """Encode `token_expiring` {expiresAt}: time to send `refresh_token`."""
    return _update(stamp, "token_expiring", {"expiresAt": expires_at_ms})


def closing_frame(stamp: Stamp, code: Closing, detail: str | None = None, retry_after_s: float | None = None) -> bytes:
    """Encode `closing` {code, retryable, retryAfterMs?, message}: the last frame before the server ends a socket."""
    text = (SOCKET.get(code) or PROBLEMS[code]).text
    message = text if detail is None else f"{text} ({detail})"
    data: dict[str, object] = {"code": code, "retryable": not is_terminal(code), "message": message}
    if retry_after_s is not None:
        data["retryAfterMs"] = round(retry_after_s * 1000)
    return _update(stamp, "closing", data)


_POST_PACKETS = 16
_POST_KINDS = b"1345"
"""Engine.IO packets a client may post: close, pong, message, upgrade."""


def post_violation(body: bytes) -> str | None:
    """Say what is wrong with what a polling client posts, or None: packets of known kinds, not too many, in text."""
    packets = body.split(b"\x1e")
    if len(packets) > _POST_PACKETS:
        return "too many packets at once"
    if not all(packet[:1] and packet[:1] in _POST_KINDS for packet in packets):
        return "packet of an unknown kind"
    try:
        body.decode()
    except UnicodeDecodeError:
        return "text that is no UTF-8"
    return None


_RESERVED = frozenset({"connect", "disconnect", "*"})
"""Names a server library may take for its own handlers; no client library lets a program emit them."""


def violation(message: object, decode: Callable[[str], Any]) -> str | None:
    """Say what is wrong with a client's message, or None. The answer holds nothing of the message.

    Args:
        message: What arrived: text, or bytes of a binary message (this protocol has none).
        decode: Reads a Socket.IO packet; whatever it raises means that it cannot be read.
    """
    if not isinstance(message, str):
        return "binary message"
    if len(message) > MESSAGE_MAX_BYTES or len(message.encode()) > MESSAGE_MAX_BYTES:
        return "message over 64 KiB"
    kind, rest = message[:1], message[1:]
    if kind not in {"0", "1", "2", "3"}:
        return "packet of an unknown kind"
    try:
        data = decode(message)
    except (ValueError, TypeError, KeyError, IndexError, RecursionError):
        return "packet that cannot be read"
    if kind == "0" and not (data is None or isinstance(data, dict)):
        return "connect without an object"
    if kind == "2" and not (rest and isinstance(data, list) and data and isinstance(data[0], str)):
        return "event without a name"
    if kind == "2" and data[0] in _RESERVED:
        return "event with a reserved name"
    return None
