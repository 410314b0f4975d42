"""What the library says in words rather than events: login statuses, why `connect` ended, why a send failed.

Owns the reading of those texts, nothing else. Pure and total: a text never seen before gets the careful answer. The
words are whatsmeow's and Go's as found in the library of neonize 0.5.2; what matters in them is pinned by the tests.
Texts may hold phone numbers and addresses, so none is handed on as it is. Read `translate.py` next.
"""

from __future__ import annotations

import re

from sessions.kinds import LOGIN_STATUS
from sessions.model import (
    ClientOutdated,
    CodesExpired,
    ConnectFailed,
    NotSent,
    NotSentCause,
    PairFailed,
    PasskeyRequired,
    ProtocolNote,
    PumpDied,
    QrOffered,
    ScannedWithoutMultidevice,
    SendOutcome,
    SendRejected,
    SendUnknown,
    Sent,
    SessionEvent,
    StartCause,
    StartFailed,
    TemporarilyBanned,
    Unrecognised,
)

QR_CODES = 6
QR_FIRST_S = 60
QR_NEXT_S = 20
"""WhatsApp sends six codes; the first is shown 60 s, the others 20 s (whatsmeow qrchan.go)."""

RESTRICTED = 463
"""The account may not write to this person at the moment."""

_DETAIL_CHARS = 200
_PRIVATE = re.compile(r"\S+://\S+|\S*@\S+|\+?\d[\d\s-]{4,}\d")
_NUMBER = re.compile(r"server returned error (\d{1,6})\b")


def qr_offered(code: str, index: int) -> QrOffered:
    """Make the event for the `index`th code (from 1) of an attempt."""
    return QrOffered(code, index, QR_CODES, QR_FIRST_S if index == 1 else QR_NEXT_S)


def harmless(text: str) -> str:
    """Return one line for the log: addresses, JIDs and numbers of six digits or more are blanked, the rest is cut."""
    return _PRIVATE.sub("…", " ".join(text.split()))[:_DETAIL_CHARS]


def login_status(text: str) -> SessionEvent:
    """Read a status of the QR channel (whatsmeow qrchan.go), which neonize hands to a callback of its own.

    `success` is a `ProtocolNote`: the pairing itself arrives as an event.
    """
    match text:
        case "success":
            return ProtocolNote("login_success")
        case "timeout":
            return CodesExpired()
        case "err-client-outdated":
            return ClientOutdated()
        case "err-scanned-without-multidevice":
            return ScannedWithoutMultidevice()
        case "passkey-request" | "passkey-confirmation":
            return PasskeyRequired()
        case "error" | "err-unexpected-state":
            return PairFailed(text)
        case _:
            return Unrecognised(LOGIN_STATUS)


def task_ended(error: str | None, *, connected: bool) -> SessionEvent:
    """Say what it means that the library's connect call returned while the session was wanted.

    Args:
        error: the text of what it raised; None when it ended without one.
        connected: the session had been connected before; a first dial that fails ends the call too.
    """
    text = error or ""
    if "neonize.ConnectFailure.Reason" in text:
        # The encoder has no name for the number, leaves a required field empty, and the pump ends (measured).
        return ConnectFailed(0)
    if "neonize.TemporaryBan.Code" in text:
        return TemporarilyBanned(0, None)
    if connected or not text or "required field neonize." in text:
        return PumpDied(harmless(text) or "the library's call returned")
    return StartFailed(start_cause(text))


def start_cause(text: str) -> StartCause:
    """Read why a first dial failed; the library wraps Go's own network errors.

    A SOCKS proxy that says it can't get through is no trouble of its own. An HTTP proxy's refusal is the reason phrase
    alone, behind the address; what answers in another protocol is no proxy (all measured on 0.5.2).
    """
    lower = text.lower()
    if "socks connect" in lower and any(mark in lower for mark in _SOCKS_NO_WAY):
        return "whatsapp_unreachable"
    if any(mark in lower for mark in ("socks", "proxy", "malformed http", "bad gateway")) or _REFUSED_BY_PROXY.search(
        text
    ):
        return "proxy_failed"
    if any(mark in lower for mark in ("lookup ", "no such host", "server misbehaving")):
        return "dns_failed"
    if any(mark in lower for mark in ("x509:", "tls:", "certificate")):
        return "tls_failed"
    if any(mark in lower for mark in ("timeout", "timed out", "deadline exceeded")):
        return "timed_out"
    return "whatsapp_unreachable"


_SOCKS_NO_WAY = (
    "unknown error host unreachable",
    "unknown error network unreachable",
    "unknown error connection refused",
    "unknown error ttl expired",
)
_REFUSED_BY_PROXY = re.compile(r'": (?!EOF)[A-Z][A-Za-z -]*$')


def sent(message_id: str, timestamp: int) -> Sent:
    """Make the outcome of an acknowledged send; `timestamp` in seconds or milliseconds."""
    return Sent(message_id, to_ms(timestamp))


def to_ms(timestamp: int) -> int:
    """Return milliseconds since the epoch: the library gives some times in seconds, some in milliseconds.

    Below 10^11 it is seconds (that many milliseconds ended in 1973, that many seconds end in the year 5138).
    """
    return timestamp * 1000 if 0 <= timestamp < 100_000_000_000 else max(timestamp, 0)


def send_outcome(error: str) -> SendOutcome:
    """Read why a send failed (whatsmeow send.go, request.go): the one thing that matters is whether it was written.

    Errors of the preparation are wrapped in what was being prepared. The same words bare, or after `message send`, come
    from waiting for the answer of a message that had been written, and so prove nothing: `SendUnknown`. So does every
    text not known here.
    """
    number = _NUMBER.match(error)
    if number is not None:
        code = int(number[1])
        return SendRejected("restricted" if code == RESTRICTED else "rejected", code)
    if "timed out waiting for message send response" in error or "before message send" in error:
        return SendUnknown()
    if error.startswith(_REFUSED):
        return SendRejected("rejected")
    if error.startswith(_GROUP_MEMBERS) and is_not_in_group(error):
        return SendRejected("not_in_group")
    for beginning, cause in _NOT_WRITTEN:
        if error.startswith(beginning):
            return NotSent("not_connected" if _is_connection(error) else cause)
    if error.startswith("failed to send message node: "):
        return NotSent("not_connected") if error.endswith(_CLOSED) else SendUnknown()
    return SendUnknown()


def is_not_in_group(error: str) -> bool:
    """Tell whether WhatsApp said that the account is not in the group asked for, or that there is none (errors.go)."""
    return error.endswith(("you're not participating in that group", "that group does not exist"))


_GROUP_MEMBERS = "failed to get group members: "
"""The list of members is asked for before anything of a group's message is written (send.go)."""

_CLOSED = ("websocket not connected", "frame socket is closed")
"""Found closed before anything was handed to it; other write errors may come after a part has gone out."""

_REFUSED = (
    "can't send message to unknown server",
    "message recipient must be",
    "sending to non-status broadcast lists",
    "invalid inline bot ID",
)

_NOT_WRITTEN: tuple[tuple[str, NotSentCause], ...] = (
    ("client is nil", "gone"),
    ("the store doesn't contain a device JID", "gone"),
    ("no LID found for", "no_lid"),
    ("failed to get LID for PN", "no_lid"),
    ("failed to get user info for", "no_lid"),
    ("failed to get group members", "not_connected"),
    ("failed to get broadcast list members", "not_connected"),
    ("failed to get device list", "encryption"),
    ("failed to fetch LID mappings", "encryption"),
    ("failed to fetch prekeys", "encryption"),
    ("failed to prefetch sessions", "encryption"),
    ("failed to save cached sessions", "encryption"),
    ("failed to marshal", "encryption"),
    ("failed to encrypt", "encryption"),
    ("failed to create sender key", "encryption"),
    ("failed to clear untrusted identity", "encryption"),
    ("failed to process prekey bundle", "encryption"),
    ("can't encrypt message for device", "encryption"),
    ("cipher encryption failed", "encryption"),
    ("failed to refresh media connections", "media"),
    ("failed to upload", "media"),
)


def _is_connection(error: str) -> bool:
    return any(
        mark in error
        for mark in ("websocket not connected", "frame socket is closed", "websocket disconnected", "timed out", "EOF")
    )
