"""The codes users meet are the contract's: names, HTTP statuses and whether trying again can help. Adding is fine."""

from __future__ import annotations

import pytest

from orchestrator import errors
from orchestrator.gateway.protocol import is_terminal

PROBLEMS = {
    "invalid_field": 422, "unauthorized": 401, "token_expired": 401, "forbidden": 403, "not_found": 404,
    "no_code_on_offer": 409, "not_linked": 409, "idempotency_conflict": 409, "position_expired": 410,
    "payload_too_large": 413, "too_many_bots": 429, "too_many_link_attempts": 429, "too_many_attempts": 429,
    "storage_unavailable": 503, "auth_unavailable": 503, "server_draining": 503, "internal": 500,
    "method_not_allowed": 405, "not_acceptable": 406, "unsupported_media_type": 415, "rate_limited": 429,
}  # fmt: skip
REASONS = [
    "codes_expired", "pair_failed", "phone_without_multidevice", "passkey_required", "pairing_timeout", "connection_lost",
    "keepalive_lost", "server_restarting", "unlinked_on_phone", "main_device_gone", "account_banned", "temporary_ban",
    "client_outdated", "client_refused", "refused", "unknown_refusal", "stream_replaced", "stream_error",
    "phone_not_seen", "worker_crashed", "restart_budget_spent", "event_pump_dead", "keys_missing", "logged_out_by_user",
    "already_linked", "wrong_number", "whatsapp_unreachable", "dns_failed", "tls_failed", "proxy_failed",
    "storage_unavailable", "held_by_incident", "script_failed",
]  # fmt: skip
SENDS = ["not_on_whatsapp", "account_changed", "bot_deleted", "expired", "rejected", "restricted", "media_failed"]
PAIRS = ["already_linked", "wrong_number", "device_limit", "keys"]
REFUSALS = {
    "unauthorized": False, "token_expired": False, "user_mismatch": False, "already_connected": False,
    "too_many_attempts": True, "auth_unavailable": True, "server_draining": True,
}  # fmt: skip
TERMINAL = ["taken_over", "superseded", "token_expired", "revoked", "protocol_error", "flood"]
RETRYABLE = ["slow_consumer", "server_draining", "max_age", "internal"]


@pytest.mark.parametrize(("code", "http"), PROBLEMS.items())
def test_problems(code: str, http: int) -> None:
    """Each has its status; what a server cannot do now may be tried again."""
    entry = errors.PROBLEMS[code]
    assert (entry.name, entry.http) == (code, http)
    assert entry.retryable == (http in {500, 503} or (http == 429 and code != "too_many_bots"))


@pytest.mark.parametrize(
    ("table", "names"), [(errors.REASONS, REASONS), (errors.SEND_ERRORS, SENDS), (errors.PAIR_ERRORS, PAIRS)]
)
def test_closed_lists(table: dict[str, errors.Code], names: list[str]) -> None:
    """Every name of the contract is there, with a sentence for people."""
    assert set(names) <= set(table)
    for code in table.values():
        assert code.text.endswith(".") and "\n" not in code.text


@pytest.mark.parametrize(("code", "retryable"), REFUSALS.items())
def test_refusals_of_the_socket(code: str, retryable: bool) -> None:
    """`connect_error` says whether it is worth trying again."""
    assert errors.Refused(code).retryable == retryable


def test_closings_of_the_socket() -> None:
    """Terminal ones do not come back by themselves, the others do."""
    assert all(is_terminal(code) for code in TERMINAL)  # type: ignore[arg-type]
    assert not any(is_terminal(code) for code in RETRYABLE)  # type: ignore[arg-type]
    assert {*TERMINAL, *RETRYABLE} <= {*errors.SOCKET, *errors.PROBLEMS}
