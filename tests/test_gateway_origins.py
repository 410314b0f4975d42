"""The rule of CORS_ORIGINS."""

from __future__ import annotations

import pytest

from orchestrator.gateway.origins import is_allowed


@pytest.mark.parametrize(
    ("origin", "allowed"),
    [
        ("http://localhost:5173", True),
        ("http://127.0.0.1:3000", True),
        ("http://localhost", True),
        ("http://bots.example:8000", True),
        ("https://localhost:5173", False),
        ("http://localhost.evil.example:80", False),
        ("http://127.0.0.1.evil.example", False),
        ("http://evil.example", False),
        ("http://localhost:5173/path", False),
        ("null", False),
        ("", False),
    ],
)
def test_on_loopback_every_page_of_this_machine_may_connect(origin: str, allowed: bool) -> None:
    """Default while HOST is a loopback address: same origin, http://localhost:* and http://127.0.0.1:*."""
    assert is_allowed(origin, "bots.example:8000", (), loopback=True, tls_in_front=False) is allowed


@pytest.mark.parametrize(("origin", "allowed"), [("http://bots.example", True), ("http://localhost:5173", False)])
def test_elsewhere_only_the_same_origin_may(origin: str, allowed: bool) -> None:
    """Default on another HOST."""
    assert is_allowed(origin, "bots.example", (), loopback=False, tls_in_front=False) is allowed


@pytest.mark.parametrize(
    ("origin", "allowed"),
    [
        ("https://app.example", True),
        ("http://app.example", False),
        ("https://app.example:8443", False),
        ("http://dev.example:1234", True),
        ("http://dev.example", True),
        ("http://dev.example:x", False),
        ("http://localhost:5173", False),
        ("http://me.example", True),
    ],
)
def test_configured_origins_take_the_place_of_the_loopback_ones(origin: str, allowed: bool) -> None:
    """A list names whole origins, `:*` every port; our own page is always allowed."""
    listed = ("https://app.example", "http://dev.example:*")
    assert is_allowed(origin, "me.example", listed, loopback=True, tls_in_front=False) is allowed


@pytest.mark.parametrize(("origin", "allowed"), [("https://me.example", True), ("http://me.example", False)])
def test_behind_tls_our_own_page_is_https(origin: str, allowed: bool) -> None:
    """A proxy ends TLS, so the page's origin is https while we see http."""
    assert is_allowed(origin, "me.example", (), loopback=False, tls_in_front=True) is allowed


def test_without_a_host_header_nothing_is_the_same_origin() -> None:
    """HTTP/1.0 clients."""
    assert not is_allowed("http://evil.example", None, (), loopback=True, tls_in_front=False)
