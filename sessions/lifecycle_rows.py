"""The lifecycle table: one row per signal WhatsApp, the library or a watchdog can give, with what it means.

Owns the data `lifecycle.judge` reads: rows, next steps, durations, what a person can do in each status. Nothing here
decides. Numbers 1 to 37 are the rows the contract's reason codes refer to; a row whose signal never reaches us with
neonize 0.5.2 says so and changes nothing. Sources: whatsmeow (qrchan.go, pair.go, connectionevents.go, keepalive.go,
types/events/events.go) and runs of neonize 0.5.2 against a loopback server. Read `lifecycle.py` next.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

# --- durations -----------------------------------------------------------------------------------------------

PAIRING_S = 30.0
"""From `PairSucceeded` to `Connected`; when the reconnect after 515 fails, the library only logs it (connectionevents.go)."""
RECONNECT_S = 90.0
"""What the library's own reconnect gets before the session is restarted; it waits 0, 2, 4, … s between tries."""
STREAM_ERROR_S = 90.0
"""After an unknown stream error the socket may stay open with nobody logged in, for ever (measured)."""
KEEPALIVE_DEGRADED_AT = 2
"""Unanswered pings in a row from which the link counts as unproved; a ping goes out every 20 to 30 s."""
KEEPALIVE_NEW_CLIENT_S = 240.0
"""Since `degraded`: not before the library's own forced reconnect at 3 min (keepalive.go) has had its chance."""
KEEPALIVE_NEW_WORKER_S = 360.0
"""Since `degraded`."""
BAN_UNKNOWN_S = 24 * 3600.0
"""Assumed length of a temporary ban whose end WhatsApp did not tell; a guess."""
BAN_SETTLE_S = 300.0
BAN_JITTER_S = 600.0
"""A banned bot tries again 5 to 15 min after the ban's end."""
REFUSED_RETRIES_S = (60.0, 300.0, 900.0)
REPLACED_RETRY_S = 30.0
REPLACED_JITTER_S = 10.0
REPLACED_WINDOW_S = 600.0
"""A second replacement within this time is final: two that reconnect at once replace each other for ever."""
CALLBACK_STUCK_S = 30.0
"""A callback from the library that has not returned for this long means a dead event pump."""
PHONE_NOT_SEEN_S = 12 * 24 * 3600.0
"""WhatsApp unlinks devices when the phone was away for 14 days."""

# --- next steps ----------------------------------------------------------------------------------------------

Watchdog = Literal[
    "pairing", "reconnect", "stream_error", "keepalive_new_client", "keepalive_new_worker",
    "callback_stuck", "phone_not_seen", "worker_died",
]  # fmt: skip


@dataclass(frozen=True, slots=True)
class Keep:
    """Nothing to do; watchdogs go on as they are unless the status changed."""


@dataclass(frozen=True, slots=True)
class WithdrawCode:
    """The code on offer is void: withdraw it; the next one comes by itself."""


@dataclass(frozen=True, slots=True)
class Watch:
    """The library may heal this alone: when the status has not changed after `after_s`, ask `watchdog(name)`."""

    after_s: float
    name: Watchdog


@dataclass(frozen=True, slots=True)
class Restart:
    """Stop the session and start a new incarnation."""

    after_s: float | None
    """None: after the restart policy's own back-off."""
    counts: bool
    """Whether it uses the crash budget; never true of an expected row."""
    own_worker: bool = False
    """Start it in a worker of its own."""
    then: Watch | None = None
    """What to watch from the restart on, instead of what the new session's events ask for, until it is connected."""


@dataclass(frozen=True, slots=True)
class Retry:
    """The session is over; start it again, but only a few times.

    The n-th such ending (counting those less than `within_s` after the one before) waits the n-th delay plus up to
    `jitter_s`; when the delays are used up the bot takes `finally_status` and waits for a person. Uses no crash budget.
    """

    delays_s: tuple[float, ...]
    jitter_s: float
    within_s: float
    finally_status: str


@dataclass(frozen=True, slots=True)
class Park:
    """The session is over until a known time: start it once `until_in_s`, `settle_s` and up to `jitter_s` have passed."""

    until_in_s: float
    """From the event's own time; `Bot.until` is that instant."""
    settle_s: float
    jitter_s: float


@dataclass(frozen=True, slots=True)
class End:
    """The session is over; stop its process or slot, and wait for a person. Nothing restarts it by itself."""


@dataclass(frozen=True, slots=True)
class HoldFleet:
    """The session is over, and no bot may start until an operator upgrades: a fleet incident."""


Next = Keep | WithdrawCode | Watch | Restart | Retry | Park | End | HoldFleet

# --- rows ----------------------------------------------------------------------------------------------------

Retries = Literal["nobody", "library", "library, then supervisor", "supervisor", "user", "operator", "at `until`"]


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table."""

    number: int
    signal: str
    meaning: str
    """For people."""
    expected: bool
    """An expected event never uses the crash budget and never pages anybody."""
    status: str | None
    """None: unchanged."""
    reason: str | None
    retries: Retries
    frame: str | None
    """Type of the `whatsapp_connection_event`."""
    next: Next

    @property
    def user_action(self) -> str | None:
        """What a person can do in this row's status."""
        if self.status is None:
            return "open_whatsapp" if self.reason == "phone_not_seen" else None
        return USER_ACTIONS[self.status]


USER_ACTIONS: dict[str, str | None] = {
    "stopped": "start",
    "starting": None,
    "awaiting_scan": "scan",
    "pairing": None,
    "connecting": None,
    "connected": None,
    "degraded": None,
    "reconnecting": None,
    "stopping": None,
    "login_expired": "request_new_code",
    "passkey_required": "use_other_account",
    "replaced": "reconnect_here",
    "logged_out": "link_again",
    "banned": "wait",
    "blocked": "open_whatsapp",
    "outdated": "operator_upgrade",
    "failed": "retry",
}
"""`Bot.userAction` by status."""

_REFUSED = Retry(REFUSED_RETRIES_S, jitter_s=10.0, within_s=3600.0, finally_status="failed")
_REPLACED = Retry((REPLACED_RETRY_S,), REPLACED_JITTER_S, REPLACED_WINDOW_S, finally_status="replaced")
_BACK_OFF = Restart(None, counts=False)

ROWS: tuple[Row, ...] = (
    Row(1, "QR code", "A code is on offer.", True, "awaiting_scan", None, "nobody", "qr", Keep()),
    Row(2, "QR codes used up", "All codes were shown.", True, "login_expired", "codes_expired", "user",
        "login_expired", End()),
    Row(3, "closed before pairing", "WhatsApp ended the attempt; the library tells it like row 2.", True,
        "login_expired", "codes_expired", "user", "login_expired", End()),
    Row(4, "PairSuccess", "The phone confirmed; keys are saved.", True, "pairing", None, "supervisor",
        "pair_success", Watch(PAIRING_S, "pairing")),
    Row(5, "PairError", "Linking failed: the keys did not match, or the local store refused.", True,
        "login_expired", "pair_failed", "user", "pair_error", End()),
    Row(6, "QRScannedWithoutMultidevice", "The phone cannot link devices; the code stays valid.", True,
        "awaiting_scan", "phone_without_multidevice", "user", "scanned_without_multidevice", Keep()),
    Row(7, "PairPasskeyRequest", "The account asks for a passkey, which this library cannot give.", True,
        "passkey_required", "passkey_required", "user", "passkey_required", End()),
    Row(8, "stream:error 515, then silence", "WhatsApp restarts the stream after pairing; this time it did not come "
        "back. The device is saved, so a restart goes on where it ended.", True, "connecting", "pairing_timeout",
        "supervisor", None, Restart(0.0, counts=False)),
    Row(9, "ManualLoginReconnect", "Never happens: neonize does not offer the option.", True, None, None, "nobody",
        None, Keep()),
    Row(10, "Connected", "Authenticated and active.", True, "connected", None, "nobody", "whatsapp_connected", Keep()),
    Row(11, "OfflineSyncPreview, OfflineSyncCompleted", "What waited while the bot was away is delivered.", True,
        None, None, "nobody", "offline_sync", Keep()),
    Row(12, "HistorySync", "The phone sends its history; content, not lifecycle.", True, None, None, "nobody", None,
        Keep()),
    Row(13, "Disconnected", "The connection closed.", True, "reconnecting", "connection_lost",
        "library, then supervisor", "whatsapp_disconnected", Watch(RECONNECT_S, "reconnect")),
    Row(14, "KeepAliveTimeout", "Pings are not answered.", True, "degraded", "keepalive_lost",
        "library, then supervisor", "keepalive_timeout", Watch(KEEPALIVE_NEW_CLIENT_S, "keepalive_new_client")),
    Row(15, "KeepAliveRestored", "Pings are answered again.", True, "connected", None, "nobody",
        "keepalive_restored", Keep()),
    Row(16, "stream:error 503, failure 500 or 503", "WhatsApp's server restarts or is overloaded. The library "
        "normally shows a plain Disconnected.", True, "reconnecting", "server_restarting",
        "library, then supervisor", None, Watch(RECONNECT_S, "reconnect")),
    Row(17, "stream:error 401 device_removed", "The user removed the device on the phone; keys are gone.", True,
        "logged_out", "unlinked_on_phone", "user", "logged_out", End()),
    Row(18, "failure 401", "The device was removed while the bot was away; keys are gone.", True,
        "logged_out", "unlinked_on_phone", "user", "logged_out", End()),
    Row(19, "failure 403", "The phone was logged out, its number registered anew, or the account locked.", True,
        "blocked", "main_device_gone", "user", "logged_out", End()),
    Row(20, "failure 406", "The account is banned.", True, "blocked", "account_banned", "user", "logged_out", End()),
    Row(21, "failure 402 TemporaryBan", "The account is banned for a while.", True, "banned", "temporary_ban",
        "at `until`", "temporary_ban", Park(BAN_UNKNOWN_S, BAN_SETTLE_S, BAN_JITTER_S)),
    Row(22, "failure 405 ClientOutdated", "WhatsApp refuses this client version.", True, "outdated",
        "client_outdated", "operator", "client_outdated", HoldFleet()),
    Row(23, "failure 409 BadUserAgent", "WhatsApp refuses this client.", True, "outdated", "client_refused",
        "operator", "connect_failure", HoldFleet()),
    Row(24, "failure 400, 501", "WhatsApp refused the login without a reason we could act on.", True,
        "reconnecting", "refused", "supervisor", "connect_failure", _REFUSED),
    Row(25, "failure 413, 414, 415, 418, any new number", "WhatsApp refused the login; the library does not know "
        "the number and stops delivering events.", True, "reconnecting", "unknown_refusal", "supervisor",
        "connect_failure", _REFUSED),
    Row(26, "CATRefreshError", "Messenger only; never reaches us.", True, None, None, "nobody", None, Keep()),
    Row(27, "stream:error conflict replaced", "The same device is connected elsewhere.", True, "replaced",
        "stream_replaced", "supervisor", "stream_replaced", _REPLACED),
    Row(28, "unknown stream:error", "WhatsApp reported an error the library does not handle; the link is unproved.",
        True, "degraded", "stream_error", "library, then supervisor", "stream_error",
        Watch(STREAM_ERROR_S, "stream_error")),
    Row(29, "first dial failed", "WhatsApp could not be reached (name, connection, TLS or proxy).", True,
        "connecting", "whatsapp_unreachable", "supervisor", None, _BACK_OFF),
    Row(30, "first dial timed out", "Nothing answered; the library gives up after 10 to 60 s, or never.", True,
        "connecting", "whatsapp_unreachable", "supervisor", None, _BACK_OFF),
    Row(31, "UndecryptableMessage", "A message could not be decrypted; the library asks for it again.", True, None,
        None, "library", None, Keep()),
    Row(32, "IdentityChange", "A contact reinstalled WhatsApp, or its number moved to a LID.", True, None, None,
        "nobody", None, Keep()),
    Row(33, "RotateADVSecret", "The pairing secret changed: a code on offer is void.", True, None, None, "library",
        None, WithdrawCode()),
    Row(34, "NotifyAccountReachoutTimelock", "The account may not start new chats for a while. Not forwarded; shown "
        "by sends that fail `restricted`.", True, None, None, "nobody", None, Keep()),
    Row(35, "phone not seen for 12 days", "WhatsApp unlinks devices when the phone is away for 14 days.", True, None,
        "phone_not_seen", "user", None, Keep()),
    Row(36, "428, 408, 411, 440", "Names other libraries give to rows 13, 2, 6 and 27; never seen here.", True, None,
        None, "nobody", None, Keep()),
    Row(37, "worker died", "The session's process ended: a bug in the library or in us.", False, "reconnecting",
        "worker_crashed", "supervisor", None, Restart(None, counts=True)),
)  # fmt: skip
"""Rows 1 to 37, in order."""

OWN_ROWS: tuple[Row, ...] = (
    Row(38, "event pump dead", "The library stopped delivering events while it may still be connected.", True,
        "reconnecting", "event_pump_dead", "supervisor", None, Restart(0.0, counts=False)),
    Row(39, "keys missing", "The device file holds no keys for the account.", True, "logged_out", "keys_missing",
        "user", "logged_out", End()),
)  # fmt: skip
"""Signals that arise between the library and us."""

CONTENT = Row(0, "content", "Says nothing about the session itself.", True, None, None, "nobody", None, Keep())
"""Messages, receipts, send outcomes and what this version does not recognise."""

_BY_NUMBER = {row.number: row for row in (*ROWS, *OWN_ROWS)}


def row(number: int) -> Row:
    """Return a row by its number (1 to 39). Raises KeyError for another."""
    return _BY_NUMBER[number]
