"""The lifecycle table and `judge`: every row, by number, and what no row may ever do."""

from __future__ import annotations

import typing

import pytest

from orchestrator.errors import REASONS
from orchestrator.model import Status
from sessions import lifecycle, model
from sessions.lifecycle import (
    CONTENT,
    OWN_ROWS,
    ROWS,
    USER_ACTIONS,
    End,
    HoldFleet,
    Keep,
    Park,
    Restart,
    Retry,
    Verdict,
    Watch,
    Watchdog,
    WithdrawCode,
    judge,
    row,
    watchdog,
)
from sessions.model import Account, SessionEvent

ACCOUNT = Account("4915550001111:7@s.whatsapp.net", None, "4915550001111")

FRAMES = {
    "qr", "pairing_code", "scanned_without_multidevice", "passkey_required", "pair_success", "pair_error",
    "whatsapp_connected", "whatsapp_disconnected", "stream_error", "keepalive_timeout", "keepalive_restored",
    "stream_replaced", "logged_out", "temporary_ban", "connect_failure", "client_outdated", "offline_sync",
    "login_expired",
}  # fmt: skip
"""The contract's types of `whatsapp_connection_event`."""

CONTENT_EVENTS: list[SessionEvent] = [
    model.MessageReceived("1@lid", None, "1@lid", None, False, "M", "text", 0, None),
    model.ReactionReceived("1@lid", None, "1@lid", None, False, "R", "M", 7, None),
    model.MessageEdited("1@lid", None, "1@lid", None, False, "E", "M", 7, None),
    model.MessageRevoked("1@lid", None, "1@lid", None, False, "D", "M", 7),
    model.ReceiptReceived("1@lid", None, "1@lid", ("M",), "read", False, 0),
    model.GroupChanged("1@g.us", None, 0, ()),
    model.GroupKnown("1@g.us", "failed"),
    model.PresenceChanged("1@lid", None, "1@lid", None, "typing"),
    model.CallChanged("C", "1@lid", None, False, None, None, "ended", None, 0),
    model.HistoryReceived("recent", None, None, 0, 0, 0, ()),
    model.SendFinished("job", model.SendUnknown()),
    model.ProtocolNote("sender_key"),
    model.Unrecognised(24),
]

REFUSED = Retry((60.0, 300.0, 900.0), 10.0, 3600.0, "failed")


def told(event: SessionEvent, *, linking: bool = False) -> Verdict:
    return judge(event, linking=linking)


# Each line: row number, the signal's verdict, and what the contract says follows from it.
CASES: list[tuple[int, Verdict, str | None, str | None, str | None, object]] = [
    (1, told(model.QrOffered("c", 1, 6, 60), linking=True), "awaiting_scan", None, "qr", Keep()),
    (2, told(model.CodesExpired(), linking=True), "login_expired", "codes_expired", "login_expired", End()),
    (3, told(model.Disconnected(), linking=True), "login_expired", "codes_expired", "login_expired", End()),
    (4, told(model.PairSucceeded(ACCOUNT), linking=True), "pairing", None, "pair_success", Watch(30.0, "pairing")),
    (5, told(model.PairFailed("hmac"), linking=True), "login_expired", "pair_failed", "pair_error", End()),
    (6, told(model.ScannedWithoutMultidevice(), linking=True), "awaiting_scan", "phone_without_multidevice",
     "scanned_without_multidevice", Keep()),
    (7, told(model.PasskeyRequired(), linking=True), "passkey_required", "passkey_required", "passkey_required",
     End()),
    (8, watchdog("pairing"), "connecting", "pairing_timeout", None, Restart(0.0, counts=False)),
    (10, told(model.Connected(ACCOUNT)), "connected", None, "whatsapp_connected", Keep()),
    (11, told(model.OfflineSync(3, done=False)), None, None, "offline_sync", Keep()),
    (13, told(model.Disconnected()), "reconnecting", "connection_lost", "whatsapp_disconnected",
     Watch(90.0, "reconnect")),
    (13, watchdog("reconnect"), "reconnecting", "connection_lost", None, Restart(None, counts=False)),
    (14, told(model.KeepaliveTimeout(1)), None, None, "keepalive_timeout", Keep()),
    (14, told(model.KeepaliveTimeout(2)), "degraded", "keepalive_lost", "keepalive_timeout",
     Watch(240.0, "keepalive_new_client")),
    (14, watchdog("keepalive_new_client"), "degraded", "keepalive_lost", None,
     Restart(0.0, counts=False, then=Watch(120.0, "keepalive_new_worker"))),
    (14, watchdog("keepalive_new_worker"), "degraded", "keepalive_lost", None,
     Restart(0.0, counts=False, own_worker=True)),
    (15, told(model.KeepaliveRestored()), "connected", None, "keepalive_restored", Keep()),
    (16, told(model.ConnectFailed(503)), "reconnecting", "server_restarting", None, Watch(90.0, "reconnect")),
    (17, told(model.LoggedOut(False, "unlinked_on_phone")), "logged_out", "unlinked_on_phone", "logged_out", End()),
    (18, told(model.LoggedOut(True, "unlinked_on_phone")), "logged_out", "unlinked_on_phone", "logged_out", End()),
    (18, told(model.LoggedOut(True, "other")), "logged_out", "unlinked_on_phone", "logged_out", End()),
    (19, told(model.LoggedOut(True, "main_device_gone")), "blocked", "main_device_gone", "logged_out", End()),
    (20, told(model.LoggedOut(True, "account_banned")), "blocked", "account_banned", "logged_out", End()),
    (21, told(model.TemporarilyBanned(101, 3600)), "banned", "temporary_ban", "temporary_ban",
     Park(3600.0, 300.0, 600.0)),
    (21, told(model.TemporarilyBanned(0, None)), "banned", "temporary_ban", "temporary_ban",
     Park(86400.0, 300.0, 600.0)),
    (22, told(model.ClientOutdated()), "outdated", "client_outdated", "client_outdated", HoldFleet()),
    (23, told(model.ConnectFailed(409)), "outdated", "client_refused", "connect_failure", HoldFleet()),
    (24, told(model.ConnectFailed(400)), "reconnecting", "refused", "connect_failure", REFUSED),
    (24, told(model.ConnectFailed(501)), "reconnecting", "refused", "connect_failure", REFUSED),
    (25, told(model.ConnectFailed(418)), "reconnecting", "unknown_refusal", "connect_failure", REFUSED),
    (25, told(model.ConnectFailed(0)), "reconnecting", "unknown_refusal", "connect_failure", REFUSED),
    (27, told(model.StreamReplaced()), "replaced", "stream_replaced", "stream_replaced",
     Retry((30.0,), 10.0, 600.0, "replaced")),
    (28, told(model.StreamError("")), "degraded", "stream_error", "stream_error", Watch(90.0, "stream_error")),
    (28, watchdog("stream_error"), "reconnecting", "stream_error", None, Restart(None, counts=False)),
    (29, told(model.StartFailed("dns_failed")), "connecting", "dns_failed", None, Restart(None, counts=False)),
    (29, told(model.StartFailed("proxy_failed"), linking=True), "starting", "proxy_failed", None,
     Restart(None, counts=False)),
    (30, told(model.StartFailed("timed_out")), "connecting", "whatsapp_unreachable", None,
     Restart(None, counts=False)),
    (31, told(model.Undecryptable("1@lid", "1@lid", "M")), None, None, None, Keep()),
    (33, told(model.SecretRotated()), None, None, None, WithdrawCode()),
    (35, watchdog("phone_not_seen"), None, "phone_not_seen", None, Keep()),
    (37, watchdog("worker_died"), "reconnecting", "worker_crashed", None, Restart(None, counts=True)),
    (38, told(model.PumpDied("x")), "reconnecting", "event_pump_dead", None, Restart(0.0, counts=False)),
    (38, watchdog("callback_stuck"), "reconnecting", "event_pump_dead", None, Restart(0.0, counts=False)),
    (5, told(model.PumpDied("x"), linking=True), "login_expired", "pair_failed", "pair_error", End()),
    (39, told(model.KeysMissing()), "logged_out", "keys_missing", "logged_out", End()),
]  # fmt: skip

SILENT = (9, 12, 26, 32, 34, 36)
"""Rows whose signal never reaches us with this library, or says nothing about the session."""


@pytest.mark.parametrize(
    ("number", "verdict", "status", "reason", "frame", "then"),
    CASES,
    ids=[f"row{case[0]}-{case[2] or 'unchanged'}-{index}" for index, case in enumerate(CASES)],
)
def test_row(
    number: int, verdict: Verdict, status: str | None, reason: str | None, frame: str | None, then: object
) -> None:
    """A signal has exactly the row, status, reason, frame and next step of the table."""
    assert verdict.row is row(number)
    assert (verdict.status, verdict.reason, verdict.frame, verdict.next) == (status, reason, frame, then)
    expected = "open_whatsapp" if number == 35 else USER_ACTIONS[status] if status else None
    assert verdict.user_action == expected


@pytest.mark.parametrize("number", SILENT, ids=[f"row{number}" for number in SILENT])
def test_silent_row(number: int) -> None:
    """A row that never reaches us changes nothing and publishes nothing."""
    silent = row(number)
    assert (silent.status, silent.reason, silent.frame, silent.next) == (None, None, None, Keep())


def test_every_row_has_a_case() -> None:
    """All 37 rows and our own are there, in order, and each is tested above."""
    assert [found.number for found in ROWS] == list(range(1, 38))
    assert {case[0] for case in CASES} | set(SILENT) == {found.number for found in (*ROWS, *OWN_ROWS)}


@pytest.mark.parametrize("event", CONTENT_EVENTS, ids=lambda event: type(event).__name__)
def test_content_changes_nothing(event: SessionEvent) -> None:
    """Messages, receipts and outcomes say nothing about the session."""
    verdict = judge(event, linking=False)
    assert verdict.row is CONTENT
    assert (verdict.status, verdict.reason, verdict.frame, verdict.next) == (None, None, None, Keep())


def test_judge_is_total() -> None:
    """Every record of the union has a verdict, linking or not."""
    seen = {type(event) for event in CONTENT_EVENTS}
    for number, verdict, *_ in CASES:
        assert verdict.row.number == number
    judged: list[SessionEvent] = [
        *CONTENT_EVENTS, model.QrOffered("c", 1, 6, 60), model.ScannedWithoutMultidevice(), model.PasskeyRequired(),
        model.CodesExpired(), model.PairSucceeded(ACCOUNT), model.PairFailed(""), model.Connected(ACCOUNT),
        model.Disconnected(), model.KeepaliveTimeout(9), model.KeepaliveRestored(), model.StreamError("x"),
        model.StreamReplaced(), model.LoggedOut(True, "other"), model.TemporarilyBanned(1, -5),
        model.ConnectFailed(12345), model.ClientOutdated(), model.OfflineSync(0, done=True), model.SecretRotated(),
        model.StartFailed("tls_failed"), model.KeysMissing(), model.PumpDied(""), model.Undecryptable("", "", ""),
    ]  # fmt: skip
    for event in judged:
        seen.add(type(event))
        for linking in (True, False):
            judge(event, linking=linking)
    assert seen == set(typing.get_args(SessionEvent))


def test_expected_never_counts() -> None:
    """Nothing expected uses the crash budget: not in the table, not in a verdict."""
    for found in (*ROWS, *OWN_ROWS):
        if found.expected and isinstance(found.next, Restart):
            assert not found.next.counts, found.number
    for number, verdict, *_ in CASES:
        if isinstance(verdict.next, Restart) and verdict.next.counts:
            assert number == 37
    assert [found.number for found in (*ROWS, *OWN_ROWS) if not found.expected] == [37]


def test_nothing_restarts_after_the_end() -> None:
    """Where a session is over for good the status is one only a person or an operator leaves."""
    final = {"login_expired", "passkey_required", "logged_out", "blocked"}
    for _, verdict, *_ in CASES:
        if isinstance(verdict.next, End):
            assert verdict.status in final
            assert verdict.row.retries == "user"
        if isinstance(verdict.next, HoldFleet):
            assert (verdict.status, verdict.row.retries) == ("outdated", "operator")
        if verdict.status in final:
            assert isinstance(verdict.next, End)


def test_codes_are_the_contracts() -> None:
    """Every status, reason and frame type of the table is in the contract's lists."""
    statuses = set(typing.get_args(Status))
    assert set(USER_ACTIONS) == statuses
    for found in (*ROWS, *OWN_ROWS):
        assert found.status is None or found.status in statuses
        assert found.reason is None or found.reason in REASONS
        assert found.frame is None or found.frame in FRAMES
        assert found.meaning.endswith("."), found.number
        if isinstance(found.next, Retry):
            assert found.next.finally_status in statuses
    for cause in typing.get_args(model.StartCause):
        assert judge(model.StartFailed(cause), linking=False).reason in REASONS


def test_every_watch_has_its_watchdog() -> None:
    """Whatever a verdict asks to watch has an answer when it runs out, and nothing watches for ever."""
    for name in typing.get_args(Watchdog):
        assert watchdog(name).row.number > 0
    for _, verdict, *_ in CASES:
        if isinstance(verdict.next, Watch):
            assert not isinstance(watchdog(verdict.next.name).next, Watch)


def test_numbers_outside_the_table() -> None:
    """There is no row 0 or 40 to ask for."""
    for number in (0, 40):
        with pytest.raises(KeyError):
            lifecycle.row(number)
