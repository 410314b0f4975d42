"""One look whether WhatsApp can be reached: TCP and TLS to its web address, going the way the sessions go.

Same proxy (HTTP CONNECT or SOCKS5), same trust store (`SSL_CERT_FILE` is read by both TLS libraries), and without a
proxy of ours the environment's, as the Go library does. Nothing is sent beyond the handshake, save by `ask_time`. It
must never know why somebody asks. Read `incidents.py` for what a verdict means.
"""

from __future__ import annotations

import asyncio
import base64
import socket
import ssl
import urllib.request
from email.parser import BytesParser
from email.utils import parsedate_to_datetime
from urllib.parse import SplitResult, unquote, urlsplit

from orchestrator.supervisor.incidents import Failure, Verdict

HOST = "web.whatsapp.com"
PORT = 443
TIMEOUT_S = 10.0

_SOCKS_UNREACHABLE = frozenset({3, 4, 5, 6})
"""RFC 1928 replies: network, host unreachable, connection refused, TTL expired."""
_GATEWAY_FAILED = frozenset({502, 503, 504})


class _Failed(Exception):
    """The probe ended with this verdict."""

    def __init__(self, verdict: Failure) -> None:
        self.verdict = verdict
        super().__init__(verdict)


async def probe(proxy: str | None, *, timeout_s: float = TIMEOUT_S) -> Verdict:
    """Try the route once and say what happened; never raises for anything the network does.

    Args:
        proxy: `http://` or `socks5://`, credentials allowed; None goes directly.
    """
    way = proxy or _environment_proxy()
    writer: asyncio.StreamWriter | None = None
    try:
        async with asyncio.timeout(timeout_s):
            _, writer = await _open(way)
            # Loading the system's certificates takes some 10 ms of CPU: not on the loop.
            context = await asyncio.to_thread(ssl.create_default_context)
            context.set_alpn_protocols(["http/1.1"])
            await writer.start_tls(context, server_hostname=HOST)
            return "ok"
    except _Failed as failed:
        return failed.verdict
    except (ssl.SSLError, ssl.CertificateError):
        return "tls_failed"
    except (OSError, TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
        return "whatsapp_unreachable"
    finally:
        if writer is not None:
            writer.transport.abort()


async def ask_time(proxy: str | None, *, timeout_s: float = TIMEOUT_S) -> int | None:
    """Return what time WhatsApp's web server says it is, wall ms to the second, going the way of `probe`; None when nobody
    says it. Never raises for anything the network does.

    The certificate is not looked at: it is the clock that is in doubt, and a wrong one would refuse every certificate.
    """
    writer: asyncio.StreamWriter | None = None
    try:
        async with asyncio.timeout(timeout_s):
            reader, writer = await _open(proxy or _environment_proxy())
            context = await asyncio.to_thread(ssl.create_default_context)
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
            await writer.start_tls(context, server_hostname=HOST)
            writer.write(f"HEAD / HTTP/1.1\r\nHost: {HOST}\r\nConnection: close\r\n\r\n".encode())
            answer = BytesParser().parsebytes(
                (await reader.readuntil(b"\r\n\r\n")).partition(b"\r\n")[2], headersonly=True
            )
            return round(parsedate_to_datetime(answer["Date"]).timestamp() * 1000)
    except (
        _Failed,
        OSError,
        TimeoutError,
        asyncio.IncompleteReadError,
        asyncio.LimitOverrunError,
        TypeError,
        ValueError,
    ):
        return None
    finally:
        if writer is not None:
            writer.transport.abort()


def _environment_proxy() -> str | None:
    if urllib.request.proxy_bypass(HOST):
        return None
    return urllib.request.getproxies().get("https")


async def _open(proxy: str | None) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    if proxy is None:
        try:
            await asyncio.get_running_loop().getaddrinfo(HOST, PORT, type=socket.SOCK_STREAM)
        except socket.gaierror:
            raise _Failed("dns_failed") from None
        return await asyncio.open_connection(HOST, PORT)
    try:
        parts = urlsplit(proxy)
        reader, writer = await asyncio.open_connection(parts.hostname, _port(parts))
    except (OSError, ValueError):
        raise _Failed("proxy_failed") from None
    try:
        if parts.scheme.startswith("socks5"):
            await _socks5(reader, writer, parts)
        else:
            await _connect(reader, writer, parts)
    except (OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
        writer.transport.abort()
        raise _Failed("proxy_failed") from None
    except (_Failed, asyncio.CancelledError):
        writer.transport.abort()
        raise
    return reader, writer


def _port(parts: SplitResult) -> int:
    if parts.port is not None:
        return parts.port
    return 1080 if parts.scheme.startswith("socks5") else 80


async def _connect(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, parts: SplitResult) -> None:
    lines = [f"CONNECT {HOST}:{PORT} HTTP/1.1", f"Host: {HOST}:{PORT}"]
    if parts.username is not None:
        pair = f"{unquote(parts.username)}:{unquote(parts.password or '')}".encode()
        lines.append(f"Proxy-Authorization: Basic {base64.b64encode(pair).decode()}")
    writer.write("\r\n".join([*lines, "", ""]).encode())
    answer = await reader.readuntil(b"\r\n\r\n")
    words = answer.split(b" ", 2)
    status = int(words[1]) if len(words) > 1 and words[1].isdigit() else 0
    if status in _GATEWAY_FAILED:
        raise _Failed("whatsapp_unreachable")
    if status != 200:
        raise _Failed("proxy_failed")


async def _socks5(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, parts: SplitResult) -> None:
    """Open the connection through a SOCKS5 proxy (RFC 1928), with user and password if there are any (RFC 1929)."""
    secret = parts.username is not None
    writer.write(b"\x05\x02\x00\x02" if secret else b"\x05\x01\x00")
    version, method = await reader.readexactly(2)
    if version != 5 or method not in ({0, 2} if secret else {0}):
        raise _Failed("proxy_failed")
    if method == 2:
        user, password = unquote(parts.username or "").encode()[:255], unquote(parts.password or "").encode()[:255]
        writer.write(bytes([1, len(user)]) + user + bytes([len(password)]) + password)
        if (await reader.readexactly(2))[1] != 0:
            raise _Failed("proxy_failed")
    name = HOST.encode()
    writer.write(b"\x05\x01\x00\x03" + bytes([len(name)]) + name + PORT.to_bytes(2, "big"))
    _, reply, _, kind = await reader.readexactly(4)
    if reply in _SOCKS_UNREACHABLE:
        raise _Failed("whatsapp_unreachable")
    if reply != 0:
        raise _Failed("proxy_failed")
    length = {1: 4, 4: 16}.get(kind) or (await reader.readexactly(1))[0]
    await reader.readexactly(length + 2)
