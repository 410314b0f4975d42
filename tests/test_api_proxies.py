"""POST /proxy-checks: whether a proxy works, ten times an hour, and nothing else about the network behind us."""

from __future__ import annotations

import json
import socket
from pathlib import Path

import pytest

from orchestrator.errors import Refused
from orchestrator.proxies import checked, permitted
from tests.support.api import serving
from tests.test_supervisor_probe import certificate, http_proxy, listening, speak_tls

LOCAL = ("127.0.0.0/8",)


async def test_a_proxy_that_works(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A proxy through which WhatsApp answers is ok; the same key asks once."""
    trusted = certificate(tmp_path, "web.whatsapp.com")
    monkeypatch.setenv("SSL_CERT_FILE", str(trusted))
    async with (
        listening(http_proxy(b"HTTP/1.1 200 OK", lambda writer: speak_tls(writer, trusted))) as port,
        serving(tmp_path, proxy_allow=LOCAL) as api,
    ):
        for _ in range(2):
            answer = await api.by("ada")(
                "POST",
                "/proxy-checks",
                {"proxy": f"http://me:secret@127.0.0.1:{port}"},
                headers={"Idempotency-Key": "one"},
            )
            assert answer.ok(200) == {"ok": True, "code": None}
        fresh = await api.by("ada")("POST", "/proxy-checks", {"proxy": f"http://127.0.0.1:{port}"})
        assert (fresh.headers["RateLimit-Limit"], fresh.headers["RateLimit-Remaining"]) == ("10", "8")


async def test_every_failure_looks_the_same(tmp_path: Path) -> None:
    """Nobody there, a refusal, a gateway that fails, an unknown certificate: `proxy_failed` and nothing more."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        dead = free.getsockname()[1]
    unknown = certificate(tmp_path, "web.whatsapp.com")
    async with (
        listening(http_proxy(b"HTTP/1.1 407 Proxy Authentication Required")) as secret,
        listening(http_proxy(b"HTTP/1.1 502 Bad Gateway")) as broken,
        listening(http_proxy(b"HTTP/1.1 200 OK", lambda writer: speak_tls(writer, unknown))) as liar,
        serving(tmp_path, proxy_allow=LOCAL) as api,
    ):
        for port in (dead, secret, broken, liar):
            answer = await api.by("ada")("POST", "/proxy-checks", {"proxy": f"http://127.0.0.1:{port}"})
            assert answer.ok(200) == {"ok": False, "code": "proxy_failed"}


async def test_nothing_inside_is_reached(tmp_path: Path) -> None:
    """Private addresses and names that are none are refused in the same words, and nothing is connected to."""
    touched: list[int] = []

    async def touch(*_: object) -> None:
        touched.append(1)

    async with listening(touch) as port, serving(tmp_path) as api:
        ada = api.by("ada")
        said = set()
        for host in ("127.0.0.1", "localhost", "[::1]", "10.0.0.1", "169.254.169.254", "no-such-name.invalid", "a..b"):
            answer = await ada("POST", "/proxy-checks", {"proxy": f"http://{host}:{port}"})
            said.add(json.dumps(answer.refused("invalid_field", "proxy")))
        assert len(said) == 1 and not touched


async def test_ten_an_hour(tmp_path: Path) -> None:
    """The eleventh within an hour is refused; a wrong form costs nothing; users don't share."""
    async with serving(tmp_path) as api:
        ada = api.by("ada")
        (await ada("POST", "/proxy-checks", {"proxy": "ftp://x"})).refused("invalid_field", "proxy")
        for _ in range(10):
            (await ada("POST", "/proxy-checks", {"proxy": "http://10.0.0.1:1"})).refused("invalid_field", "proxy")
        refused = await ada("POST", "/proxy-checks", {"proxy": "http://10.0.0.1:1"})
        refused.refused("rate_limited")
        assert refused.headers["Retry-After"] == "3600"
        (await api.by("bob")("POST", "/proxy-checks", {"proxy": "http://10.0.0.1:1"})).refused("invalid_field", "proxy")
        api.clock.advance(3600)
        token = api.by("ada")
        (await token("POST", "/proxy-checks", {"proxy": "http://10.0.0.1:1"})).refused("invalid_field", "proxy")


async def test_the_address_that_was_checked_is_used() -> None:
    """The name is resolved once: what it leads to a moment later is not connected to."""
    assert await checked("http://localhost:80", ["127.0.0.0/8", "::1"]) in {"http://127.0.0.1:80", "http://[::1]:80"}
    assert await checked("socks5://me:p%40ss@localhost:80", (*LOCAL, "::1")) in {
        "socks5://me:p%40ss@127.0.0.1:80",
        "socks5://me:p%40ss@[::1]:80",
    }
    assert await checked("http://named:80", ["named"]) == "http://named:80"
    with pytest.raises(Refused):
        await checked("http://localhost:80", [])


@pytest.mark.parametrize(
    "address",
    ["::ffff:10.0.0.1", "64:ff9b::a00:1", "2002:a00:1::", "224.0.0.1", "ff02::1", "0.0.0.0", "100.64.0.1", "fe80::1%1"],
)
def test_ways_round_the_rule(address: str) -> None:
    """Addresses that carry a private one, multicast and shared ones are not public."""
    assert not permitted("x", 80, [address], [])
    assert not permitted("x", 80, ["8.8.8.8", address], [])
    assert permitted("x", 80, ["8.8.8.8", "2001:4860:4860::8888"], [])
