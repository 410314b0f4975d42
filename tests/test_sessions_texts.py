"""What the library says in words: login statuses, ended connects, failed sends."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sessions import kinds, model, texts
from sessions.model import NotSent, SendOutcome, SendRejected, SendUnknown, SessionEvent

# Texts as the library writes them, with numbers and addresses as they occur.
SENDS: list[tuple[str, SendOutcome]] = [
    ("client is nil", NotSent("gone")),
    ("the store doesn't contain a device JID", NotSent("gone")),
    ("no LID found for 4915550001111@s.whatsapp.net from server", NotSent("no_lid")),
    ("failed to get LID for PN 4915550001111@s.whatsapp.net: database is locked", NotSent("no_lid")),
    (
        "failed to get user info for 4915550001111@s.whatsapp.net to fill LID cache: failed to send usync query: "
        "websocket not connected",
        NotSent("not_connected"),
    ),
    (
        "failed to get user info for 4915550001111@s.whatsapp.net to fill LID cache: info query timed out",
        NotSent("not_connected"),
    ),
    ("failed to get group members: info query timed out", NotSent("not_connected")),
    (
        "failed to get device list: failed to send usync query: websocket disconnected before info query returned "
        "response",
        NotSent("not_connected"),
    ),
    ("failed to prefetch sessions: database is locked", NotSent("encryption")),
    ("can't encrypt message for device: no signal session established with 22:0", NotSent("encryption")),
    ("failed to marshal message: proto: broken", NotSent("encryption")),
    ("failed to send message node: websocket not connected", NotSent("not_connected")),
    ("failed to send message node: frame socket is closed", NotSent("not_connected")),
    ("failed to send message node: failed to write msg: write tcp 10.0.0.1: broken pipe", SendUnknown()),
    ("timed out waiting for message send response", SendUnknown()),
    ("websocket disconnected before message send returned response", SendUnknown()),
    ("websocket disconnected before message send (retry) returned response", SendUnknown()),
    ("websocket not connected", SendUnknown()),
    ("frame socket is closed", SendUnknown()),
    ("context canceled", SendUnknown()),
    ("", SendUnknown()),
    ("something nobody has seen", SendUnknown()),
    ("server returned error 463", SendRejected("restricted", 463)),
    ("server returned error 479", SendRejected("rejected", 479)),
    ("can't send message to unknown server example", SendRejected("rejected")),
    ("message recipient must be a user JID with no device part", SendRejected("rejected")),
]


@pytest.mark.parametrize(("text", "outcome"), SENDS, ids=[text[:60] or "empty" for text, _ in SENDS])
def test_send_outcome(text: str, outcome: SendOutcome) -> None:
    """NotSent only where nothing can have been written; an acknowledged error is final; all else is unknown."""
    assert texts.send_outcome(text) == outcome


@given(st.text(max_size=80))
def test_unknown_words_prove_nothing(text: str) -> None:
    """A text never seen before is neither "not sent" nor a refusal."""
    outcome = texts.send_outcome(f"surprise: {text}")
    assert outcome == SendUnknown()


@pytest.mark.parametrize(
    ("status", "event"),
    [
        ("success", model.ProtocolNote("login_success")),
        ("timeout", model.CodesExpired()),
        ("error", model.PairFailed("error")),
        ("err-unexpected-state", model.PairFailed("err-unexpected-state")),
        ("err-client-outdated", model.ClientOutdated()),
        ("err-scanned-without-multidevice", model.ScannedWithoutMultidevice()),
        ("passkey-request", model.PasskeyRequired()),
        ("passkey-confirmation", model.PasskeyRequired()),
        ("a new one", model.Unrecognised(kinds.LOGIN_STATUS)),
    ],
)
def test_login_status(status: str, event: SessionEvent) -> None:
    """Every status of the QR channel has its event."""
    assert texts.login_status(status) == event


@pytest.mark.parametrize(
    ("error", "connected", "event"),
    [
        ("proto: required field neonize.ConnectFailure.Reason not set", True, model.ConnectFailed(0)),
        ("proto: required field neonize.ConnectFailure.Reason not set", False, model.ConnectFailed(0)),
        ("proto: required field neonize.TemporaryBan.Code not set", True, model.TemporarilyBanned(0, None)),
        ("proto: required field neonize.Receipt.Type not set", True,
         model.PumpDied("proto: required field neonize.Receipt.Type not set")),
        ("proto: required field neonize.Receipt.Type not set", False,
         model.PumpDied("proto: required field neonize.Receipt.Type not set")),
        (None, True, model.PumpDied("the library's call returned")),
        (None, False, model.PumpDied("the library's call returned")),
        ("dial tcp: lookup web.whatsapp.com: no such host", False, model.StartFailed("dns_failed")),
        ("dial tcp 127.0.0.1:9: connect: connection refused", False, model.StartFailed("whatsapp_unreachable")),
        ("tls: failed to verify certificate: x509: certificate signed by unknown authority", False,
         model.StartFailed("tls_failed")),
        ("proxyconnect tcp: dial tcp: lookup proxy.example: no such host", False, model.StartFailed("proxy_failed")),
        ("socks connect tcp proxy:1080->web.whatsapp.com:443: unknown error", False,
         model.StartFailed("proxy_failed")),
        ("failed to WebSocket dial: Bad Gateway", False, model.StartFailed("proxy_failed")),
        ("dial tcp 1.2.3.4:443: i/o timeout", False, model.StartFailed("timed_out")),
        ("noise handshake failed: timed out waiting for handshake response", False, model.StartFailed("timed_out")),
    ],
)  # fmt: skip
def test_task_ended(error: str | None, connected: bool, event: SessionEvent) -> None:
    """An ended connect is a refusal without a name, a dead pump, or a first dial that failed, by its words."""
    assert texts.task_ended(error, connected=connected) == event


@given(st.text(max_size=40), st.sampled_from(["4915550001111", "+49 155 5000 1111", "http://u:p@proxy:80", "1:2@lid"]))
def test_details_hold_no_numbers(text: str, secret: str) -> None:
    """What is kept of a text for the log holds no number, address or credential, and is one line."""
    kept = texts.harmless(f"{text} {secret} failed\nsecond line")
    assert secret not in kept and "0001111" not in kept and "u:p" not in kept
    assert "\n" not in kept
    assert len(kept) <= 200


@pytest.mark.parametrize(
    ("told", "expected"),
    [(1_790_000_000, 1_790_000_000_000), (1_790_000_000_123, 1_790_000_000_123), (0, 0), (-62135596800000, 0)],
)
def test_times_are_milliseconds(told: int, expected: int) -> None:
    """Seconds and milliseconds are told apart by size; Go's zero time is 0."""
    assert texts.to_ms(told) == expected
