"""Records the rooms share: bots as users see them, events, positions, send jobs. Shapes of the public contract.

Owns data only: no I/O, no clock, no decisions. Field names are camelCase on every wire. Read `ports/` next.
"""

from __future__ import annotations

import secrets
import string
from typing import Literal

import msgspec

from sessions.model import Account

Status = Literal[
    "stopped", "starting", "awaiting_scan", "pairing", "connecting", "connected", "degraded", "reconnecting",
    "stopping", "login_expired", "passkey_required", "replaced", "logged_out", "banned", "blocked", "outdated", "failed",
]  # fmt: skip

EventName = Literal["bot_status_update", "whatsapp_connection_event", "message_sync", "connection_update"]

_ID_ALPHABET = string.ascii_letters + string.digits


def new_id(prefix: str, length: int = 20) -> str:
    """Return `prefix_` and that many random letters or digits (20 hold 119 bits)."""
    letters = ""
    while len(letters) < length:  # one system call instead of one for each letter: every event has an id
        drawn = secrets.token_bytes(length + 8)
        letters += "".join(_ID_ALPHABET[byte % 62] for byte in drawn if byte < 248)  # 4 * 62: no letter is favoured
    return f"{prefix}_{letters[:length]}"


class Reason(msgspec.Struct, frozen=True):
    """Why the status is what it is: a code of `errors.REASONS` and its text."""

    code: str
    text: str
    number: int | None = None
    """WhatsApp's own number for the cause, of a ban where it gave one."""


class Link(msgspec.Struct, frozen=True, rename="camel"):
    """The link attempt that runs."""

    method: Literal["qr", "code"]
    attempt: int
    index: int | None = None
    of: int | None = None
    expires_at: int | None = None
    tries_left: int | None = None
    tries_renew_at: int | None = None


class Repair(msgspec.Struct, frozen=True):
    """How far the ladder of a `degraded` bot has come; its rungs are in `step`, one after the other."""

    n: int
    """Which one is under way, from 1."""
    of: int
    step: Literal["reconnect", "new_client", "new_worker"]
    """What is tried: the library reconnects by itself, the bot gets a new session, it gets a worker of its own."""


class Bot(msgspec.Struct, frozen=True, rename="camel"):
    """A bot as every answer and event shows it. One writer (its mailbox); `status_version` rises with every change of
    status and every new link attempt."""

    id: str
    name: str
    user_id: str
    status: Status
    since: int
    status_version: int
    reason: Reason | None
    user_action: str | None
    retry_at: int | None
    until: int | None
    proved_at: int | None
    desired: Literal["running", "stopped"]
    account: Account | None
    link: Link | None
    proxy: bool
    device_name: str
    script: str | None
    restarts: int
    created_at: int
    presence: bool = False
    """The bot is told who is there and types; for that it is seen as available itself."""
    tries_left: int | None = None
    """Link attempts left this hour, of a bot that is not linked; None of one that is. As `link.triesLeft`, which is there
    only while an attempt runs."""
    tries_renew_at: int | None = None
    """When the next one is given back."""
    repair: Repair | None = None
    """Of a bot that is `degraded` because its pings are not answered."""


class Position(msgspec.Struct, frozen=True, order=True):
    """A place in one user's log. Positions of different epochs cannot be compared: take a snapshot."""

    epoch: str
    seq: int
    """Of the last event seen; 0 is before the first."""

    def __str__(self) -> str:
        return f"{self.epoch}:{self.seq}"

    @classmethod
    def parse(cls, text: str) -> Position:
        """Read `EPOCH:SEQ`. Raises ValueError on anything else."""
        epoch, colon, seq = text.rpartition(":")
        if not (colon and epoch and seq.isdecimal() and seq.isascii() and len(seq) <= 18):
            raise ValueError("a position has the form EPOCH:SEQ")
        return cls(epoch, int(seq))


class Event(msgspec.Struct, frozen=True):
    """One thing a user is told. `data` is finished JSON: encoded once, where it arose."""

    user: str
    bot: str | None
    name: EventName
    type: str
    id: str
    """`evt_…`, the same for every delivery of this event."""
    at: int
    data: bytes
    status: str | None = None
    """Top level of `bot_status_update` frames."""
    status_version: int | None = None


class SendError(msgspec.Struct, frozen=True, omit_defaults=True):
    """Why a send failed."""

    code: str
    """Of `errors.SEND_ERRORS`."""
    text: str
    number: int | None = None
    """WhatsApp's own number, for `rejected` and `restricted`."""


SendState = Literal["queued", "sent", "delivered", "read", "failed", "unknown"]


class SendJob(msgspec.Struct, frozen=True, rename="camel"):
    """A durable send as users see it (REST answers and `send_result`)."""

    id: str
    bot_id: str
    to: str
    state: SendState
    message_id: str | None
    error: SendError | None
    at: int
    expires_at: int


class Principal(msgspec.Struct, frozen=True):
    """Who is calling, proved by a token or a session cookie."""

    user: str
    operator: bool
    expires_at_ms: int | None
    """When the proof ends; None never (session cookies are checked by their own store)."""
    name: str | None = None
    """The user as their issuer writes it, when that differs from `user`; clients may send either as `userId`."""
    account: str | None = None
    """Whom the issuer can be asked about as long as this is used; None when there is nobody to ask."""
    issued_at_ms: int | None = None

    def answers_to(self, user_id: str) -> bool:
        """Tell whether a `userId` that came with the proof names this user."""
        return user_id in {self.user, self.name}


def to_json(value: object) -> bytes:
    """Encode a record or plain data as compact JSON."""
    return _json.encode(value)


_json = msgspec.json.Encoder()
