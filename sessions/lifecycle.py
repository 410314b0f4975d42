"""What the library told us, and what follows: the table of every lifecycle signal, and `judge`, which reads it.

Owns the meaning of each signal: status, reason, what a person can do, who retries and when. Pure: no I/O, no clock, no
history; counting (how often, since when) is the caller's. It must never know the library or a process. Read
`lifecycle_rows.py` next for the table itself, `orchestrator/bots/` for the one who carries verdicts out.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import assert_never

from sessions import model
from sessions.lifecycle_rows import (
    BAN_UNKNOWN_S,
    CALLBACK_STUCK_S,
    CONTENT,
    KEEPALIVE_DEGRADED_AT,
    KEEPALIVE_NEW_CLIENT_S,
    KEEPALIVE_NEW_WORKER_S,
    OWN_ROWS,
    PAIRING_S,
    PHONE_NOT_SEEN_S,
    RECONNECT_S,
    ROWS,
    STREAM_ERROR_S,
    USER_ACTIONS,
    End,
    HoldFleet,
    Keep,
    Next,
    Park,
    Restart,
    Retry,
    Row,
    Watch,
    Watchdog,
    WithdrawCode,
    row,
)

__all__ = [
    "BAN_UNKNOWN_S",
    "CALLBACK_STUCK_S",
    "CONTENT",
    "KEEPALIVE_DEGRADED_AT",
    "KEEPALIVE_NEW_CLIENT_S",
    "KEEPALIVE_NEW_WORKER_S",
    "OWN_ROWS",
    "PAIRING_S",
    "PHONE_NOT_SEEN_S",
    "RECONNECT_S",
    "ROWS",
    "STREAM_ERROR_S",
    "USER_ACTIONS",
    "End",
    "HoldFleet",
    "Keep",
    "Next",
    "Park",
    "Restart",
    "Retry",
    "Row",
    "Verdict",
    "Watch",
    "Watchdog",
    "WithdrawCode",
    "judge",
    "row",
    "watchdog",
]

# Numbers of a refused login (`<failure reason=…>`, whatsmeow types/events/events.go) that have a row of their own.
_BAD_USER_AGENT = 409
_REFUSED = frozenset({400, 501})
_OVERLOADED = frozenset({500, 503})


@dataclass(frozen=True, slots=True)
class Verdict:
    """What one signal means for the bot."""

    row: Row
    status: str | None
    """The bot's next status; None leaves it (and its reason and action) as it is."""
    reason: str | None
    """Code for `Bot.reason`; with `status` None it is added to the present status when set."""
    user_action: str | None
    """What a person can do in this status."""
    frame: str | None
    """Type of the `whatsapp_connection_event` to publish; None for none."""
    next: Next


def judge(event: model.SessionEvent, *, linking: bool) -> Verdict:
    """Say what an event of a session means; total over the union.

    Args:
        linking: the session was started without an account and `PairSucceeded` has not come yet.

    Content (messages, receipts, send outcomes) is judged by the row `CONTENT`: it changes nothing.
    """
    match event:
        case model.Disconnected() if linking:
            return _verdict(row(3))
        case model.KeepaliveTimeout(error_count=count) if count < KEEPALIVE_DEGRADED_AT:
            return _unchanged(row(14))
        case model.LoggedOut():
            return _logged_out(event)
        case model.TemporarilyBanned(expires_in_s=expires_in_s):
            return _banned(expires_in_s)
        case model.ConnectFailed(reason=number):
            return _verdict(row(_row_of_refusal(number)))
        case model.StartFailed(cause=cause):
            return _start_failed(cause, linking=linking)
        case model.PumpDied() if linking:
            return _verdict(row(5))
        case _:
            return _verdict(_plain_row(event))


def _plain_row(event: model.SessionEvent) -> Row:
    """The row of an event whose fields change nothing about its meaning; one line per kind."""
    match event:
        case model.QrOffered():
            return row(1)
        case model.CodesExpired():
            return row(2)
        case model.PairSucceeded():
            return row(4)
        case model.PairFailed():
            return row(5)
        case model.ScannedWithoutMultidevice():
            return row(6)
        case model.PasskeyRequired():
            return row(7)
        case model.Connected():
            return row(10)
        case model.OfflineSync():
            return row(11)
        case model.Disconnected():
            return row(13)
        case model.KeepaliveTimeout():
            return row(14)
        case model.KeepaliveRestored():
            return row(15)
        case model.LoggedOut():
            return row(17)
        case model.TemporarilyBanned():
            return row(21)
        case model.ClientOutdated():
            return row(22)
        case model.ConnectFailed():
            return row(25)
        case model.StreamReplaced():
            return row(27)
        case model.StreamError():
            return row(28)
        case model.StartFailed():
            return row(29)
        case model.Undecryptable():
            return row(31)
        case model.SecretRotated():
            return row(33)
        case model.PumpDied():
            return row(38)
        case model.KeysMissing():
            return row(39)
        case model.MessageReceived() | model.ReceiptReceived() | model.SendFinished():
            return CONTENT
        case model.ReactionReceived() | model.MessageEdited() | model.MessageRevoked() | model.HistoryReceived():
            return CONTENT
        case model.GroupChanged() | model.GroupKnown() | model.PresenceChanged() | model.CallChanged():
            return CONTENT
        case model.ProtocolNote() | model.Unrecognised():
            return CONTENT
        case _:
            assert_never(event)


def watchdog(name: Watchdog) -> Verdict:
    """Say what it means that a watchdog of the caller ran out, or that the caller saw what no event tells.

    A `Watch` of a verdict names the watchdog and its time. `phone_not_seen`, `callback_stuck` and `worker_died` are
    started by nobody's verdict: the caller measures the first two itself, the third is the supervisor's word.
    """
    match name:
        case "pairing":
            return _verdict(row(8))
        case "reconnect":
            return _ran_out(row(13), "reconnecting", Restart(None, counts=False))
        case "stream_error":
            return _ran_out(row(28), "reconnecting", Restart(None, counts=False))
        case "keepalive_new_client":
            later = KEEPALIVE_NEW_WORKER_S - KEEPALIVE_NEW_CLIENT_S
            then = Watch(later, "keepalive_new_worker")
            return _ran_out(row(14), "degraded", Restart(0.0, counts=False, then=then))
        case "keepalive_new_worker":
            return _ran_out(row(14), "degraded", Restart(0.0, counts=False, own_worker=True))
        case "callback_stuck":
            return _verdict(row(38))
        case "phone_not_seen":
            return _verdict(row(35))
        case "worker_died":
            return _verdict(row(37))
        case _:
            assert_never(name)


def _verdict(found: Row, *, status: str | None = None, reason: str | None = None, next_: Next | None = None) -> Verdict:
    chosen = status or found.status
    return Verdict(
        found,
        chosen,
        reason or found.reason,
        USER_ACTIONS.get(chosen) if chosen else found.user_action,
        found.frame,
        next_ or found.next,
    )


def _unchanged(found: Row) -> Verdict:
    """The frame is published, and that is all."""
    return Verdict(found, None, None, None, found.frame, Keep())


def _ran_out(found: Row, status: str, restart: Restart) -> Verdict:
    """The library had its time and it is the caller's turn; the signal's own frame was published when it came."""
    return Verdict(found, status, found.reason, None, None, restart)


def _logged_out(event: model.LoggedOut) -> Verdict:
    match event.reason:
        case "main_device_gone":
            return _verdict(row(19))
        case "account_banned":
            return _verdict(row(20))
        case "unlinked_on_phone" | "other":
            return _verdict(row(18 if event.on_connect else 17))
        case _:
            assert_never(event.reason)


def _banned(expires_in_s: int | None) -> Verdict:
    found = row(21)
    assert isinstance(found.next, Park)
    if expires_in_s is None or expires_in_s < 0:
        return _verdict(found)
    return _verdict(found, next_=Park(float(expires_in_s), found.next.settle_s, found.next.jitter_s))


def _row_of_refusal(number: int) -> int:
    if number == _BAD_USER_AGENT:
        return 23
    if number in _REFUSED:
        return 24
    return 16 if number in _OVERLOADED else 25


def _start_failed(cause: model.StartCause, *, linking: bool) -> Verdict:
    status = "starting" if linking else "connecting"
    if cause == "timed_out":
        return _verdict(row(30), status=status)
    return _verdict(row(29), status=status, reason=cause)
