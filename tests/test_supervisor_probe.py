"""The probe against real sockets on loopback: each way WhatsApp can be out of reach has its verdict."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import datetime as dt
import socket
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from orchestrator.supervisor.probe import probe

Talk = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


def certificate(directory: Path, name: str) -> Path:
    """Make a certificate for `name` that signs itself; the file holds the key too."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = dt.datetime.now(dt.UTC)
    built = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(hours=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = directory / f"{name}.pem"
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path.write_bytes(private + built.public_bytes(serialization.Encoding.PEM))
    return path


@contextlib.asynccontextmanager
async def listening(talk: Talk) -> AsyncIterator[int]:
    """A server on loopback; yields its port."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            await talk(reader, writer)
        writer.transport.abort()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1]


async def speak_tls(writer: asyncio.StreamWriter, certificate_file: Path) -> None:
    """Be web.whatsapp.com from here on, until the other side leaves."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate_file)
    await writer.start_tls(context)
    await asyncio.sleep(0.2)


def http_proxy(answer: bytes, then: Callable[[asyncio.StreamWriter], Awaitable[None]] | None = None) -> Talk:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        request = await reader.readuntil(b"\r\n\r\n")
        assert request.startswith(b"CONNECT web.whatsapp.com:443 HTTP/1.1\r\n")
        writer.write(answer + b"\r\n\r\n")
        await writer.drain()
        if then is not None:
            await then(writer)

    return talk


@pytest.fixture
def trusted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A certificate of web.whatsapp.com that the environment's trust store knows."""
    path = certificate(tmp_path, "web.whatsapp.com")
    monkeypatch.setenv("SSL_CERT_FILE", str(path))
    return path


async def test_ok_through_a_proxy_with_the_same_trust_store(trusted: Path) -> None:
    """CONNECT, then TLS against the trust store of SSL_CERT_FILE: the way a session goes."""
    async with listening(http_proxy(b"HTTP/1.1 200 OK", lambda writer: speak_tls(writer, trusted))) as port:
        assert await probe(f"http://127.0.0.1:{port}") == "ok"


async def test_an_unknown_certificate_is_tls_failed(tmp_path: Path) -> None:
    """A certificate the trust store does not know fails the probe as it fails a session."""
    unknown = certificate(tmp_path, "web.whatsapp.com")
    async with listening(http_proxy(b"HTTP/1.1 200 OK", lambda writer: speak_tls(writer, unknown))) as port:
        assert await probe(f"http://127.0.0.1:{port}") == "tls_failed"


async def test_a_certificate_for_another_name_is_tls_failed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A trusted certificate of somebody else is no proof of WhatsApp."""
    other = certificate(tmp_path, "elsewhere.example")
    monkeypatch.setenv("SSL_CERT_FILE", str(other))
    async with listening(http_proxy(b"HTTP/1.1 200 OK", lambda writer: speak_tls(writer, other))) as port:
        assert await probe(f"http://127.0.0.1:{port}") == "tls_failed"


@pytest.mark.parametrize(
    ("answer", "verdict"),
    [
        (b"HTTP/1.1 407 Proxy Authentication Required", "proxy_failed"),
        (b"HTTP/1.1 403 Forbidden", "proxy_failed"),
        (b"HTTP/1.1 502 Bad Gateway", "whatsapp_unreachable"),
        (b"HTTP/1.1 504 Gateway Timeout", "whatsapp_unreachable"),
        (b"garbage", "proxy_failed"),
    ],
)
async def test_what_a_proxy_answers(answer: bytes, verdict: str) -> None:
    """A proxy that refuses is the proxy's fault; one that can't reach WhatsApp says so."""
    async with listening(http_proxy(answer)) as port:
        assert await probe(f"http://127.0.0.1:{port}") == verdict


async def test_a_dead_proxy() -> None:
    """Nobody listening at the proxy's address is the proxy's fault, and so is an address that is none."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    assert await probe(f"http://127.0.0.1:{port}") == "proxy_failed"
    assert await probe("http://127.0.0.1:99999") == "proxy_failed"


async def test_silence_ends_at_the_time_limit() -> None:
    """A way on which nothing answers is no way to WhatsApp; the probe does not wait for ever."""

    async def silent(_reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(5)

    async with listening(silent) as port:
        assert await probe(f"http://127.0.0.1:{port}", timeout_s=0.2) == "whatsapp_unreachable"


async def test_a_line_cut_in_the_handshake() -> None:
    """A connection that closes instead of speaking TLS does not reach WhatsApp."""
    async with listening(http_proxy(b"HTTP/1.1 200 OK")) as port:
        assert await probe(f"http://127.0.0.1:{port}") in {"whatsapp_unreachable", "tls_failed"}


async def test_credentials_are_sent_to_the_proxy(trusted: Path) -> None:
    """User and password of the address reach the proxy, decoded."""
    seen: list[bytes] = []

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        seen.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
        await speak_tls(writer, trusted)

    async with listening(talk) as port:
        assert await probe(f"http://me:p%40ss@127.0.0.1:{port}") == "ok"
    assert b"Proxy-Authorization: Basic " + base64.b64encode(b"me:p@ss") in seen[0]


def socks5(certificate_file: Path | None, *, reply: int = 0, password: bytes | None = None) -> Talk:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        _, count = await reader.readexactly(2)
        methods = await reader.readexactly(count)
        if password is not None:
            assert 2 in methods
            writer.write(b"\x05\x02")
            _, length = await reader.readexactly(2)
            await reader.readexactly(length)
            given = await reader.readexactly((await reader.readexactly(1))[0])
            writer.write(bytes([1, 0 if given == password else 1]))
            if given != password:
                await writer.drain()
                return
        else:
            writer.write(b"\x05\x00")
        assert await reader.readexactly(5) == b"\x05\x01\x00\x03\x10"
        assert await reader.readexactly(18) == b"web.whatsapp.com\x01\xbb"
        writer.write(bytes([5, reply, 0, 1]) + bytes(6))
        await writer.drain()
        if certificate_file is not None:
            await speak_tls(writer, certificate_file)

    return talk


async def test_socks5(trusted: Path) -> None:
    """A SOCKS5 proxy resolves the name itself, with or without a password."""
    async with listening(socks5(trusted)) as port:
        assert await probe(f"socks5://127.0.0.1:{port}") == "ok"
    async with listening(socks5(trusted, password=b"secret")) as port:
        assert await probe(f"socks5://me:secret@127.0.0.1:{port}") == "ok"
        assert await probe(f"socks5://me:wrong@127.0.0.1:{port}") == "proxy_failed"


@pytest.mark.parametrize(
    ("reply", "verdict"), [(4, "whatsapp_unreachable"), (5, "whatsapp_unreachable"), (2, "proxy_failed")]
)
async def test_socks5_replies(reply: int, verdict: str) -> None:
    """What the proxy says about the way behind it is told apart from what it says about itself."""
    async with listening(socks5(None, reply=reply)) as port:
        assert await probe(f"socks5://127.0.0.1:{port}") == verdict


async def test_the_environments_proxy_is_used_as_the_library_does(
    trusted: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without a proxy of ours the probe goes through HTTPS_PROXY, unless NO_PROXY names WhatsApp."""
    async with listening(http_proxy(b"HTTP/1.1 200 OK", lambda writer: speak_tls(writer, trusted))) as port:
        monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{port}")
        monkeypatch.delenv("https_proxy", raising=False)
        monkeypatch.delenv("no_proxy", raising=False)
        monkeypatch.delenv("NO_PROXY", raising=False)
        assert await probe(None) == "ok"
