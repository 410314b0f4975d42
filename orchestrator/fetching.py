"""Fetching a file from an address a user names, without lending anybody this server's place in its network.

Owns the one way out for such addresses: http and https only; every address a name leads to must be public, is checked
when it is resolved and again on the very socket that connects (so that a name which changes meanwhile leads nowhere
else), for each redirect anew; nothing of ours goes along, no cookies, credentials or referrer; sizes, times and redirects
are limited. It must never know a bot, nor repeat an address: they may hold secrets. Read `proxies.py` for what is public,
`orchestrator/bots/media.py` for who fetches.
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urljoin, urlsplit

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from yarl import URL

from orchestrator import proxies

MAX_URL: Final = 2048
REDIRECTS: Final = 5
CONNECT_S: Final = 10.0
SILENT_S: Final = 20.0
"""Between two pieces of an answer."""
TOTAL_S: Final = 300.0
_CHUNK: Final = 256 * 1024
_AGENT: Final = "whatsapp-bot-orchestrator"
_MOVED: Final = frozenset({301, 302, 303, 307, 308})
_LATER: Final = frozenset({408, 425, 429, 500, 502, 503, 504})


class FetchFailed(Exception):
    """The file was not fetched. The message is one sentence for people, and holds nothing of the address."""

    def __init__(self, text: str, *, again: bool = False) -> None:
        super().__init__(text)
        self.text = text
        self.again = again
        """Whether it may go better later."""


class _NotPublic(OSError):
    """An address that is not for everybody."""


_PRIVATE = "The address leads to a network that is not public; the operator can allow it (MEDIA_ALLOW)."


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer whose bytes are still to come."""

    size: int | None
    mimetype: str | None
    chunks: AsyncIterator[bytes]
    """Raises FetchFailed."""


def wrong(url: str) -> str | None:
    """Return what is certainly wrong with an address, for people, without asking anybody; None when nothing is."""
    if len(url) > MAX_URL or not url.isprintable() or " " in url:
        return f"give an address of at most {MAX_URL} characters, without spaces"
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        return "give an address such as https://example.com/picture.jpg"
    if parts.scheme not in {"http", "https"} or not host:
        return "give an address that begins with https:// or http://"
    if parts.username is not None or parts.password is not None:
        return "give an address without a user or password in it; signed addresses work"
    return None


def reachable(url: str, allow: Iterable[str]) -> bool:
    """Tell whether an address that names its host by number may be fetched; names are looked up later."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    try:
        ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return True
    return proxies.permitted(host, _port(url), [host], allow)


def _port(url: str) -> int:
    parts = urlsplit(url)
    return parts.port or (443 if parts.scheme == "https" else 80)


class _PublicOnly(AbstractResolver):
    """Looks names up, and finds nothing when one of the addresses is not public."""

    def __init__(self, allow: tuple[str, ...]) -> None:
        self._allow = allow

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        found = await asyncio.get_running_loop().getaddrinfo(host, port, family=family, type=socket.SOCK_STREAM)
        addresses = [str(entry[4][0]) for entry in found]
        if not proxies.permitted(host, port, addresses, self._allow):
            raise _NotPublic(_PRIVATE)
        return [
            ResolveResult(
                hostname=host, host=address, port=port, family=entry[0], proto=entry[2], flags=socket.AI_NUMERICHOST
            )
            for address, entry in zip(addresses, found, strict=True)
        ]

    async def close(self) -> None:
        """Nothing is open."""


class Fetcher:
    """Fetches files; `allow` names hosts and networks that are not public and may be asked all the same."""

    def __init__(self, allow: Iterable[str] = ()) -> None:
        self._allow = tuple(allow)

    @property
    def allow(self) -> tuple[str, ...]:
        """Hosts and networks that may be asked although they are not public."""
        return self._allow

    @asynccontextmanager
    async def get(self, url: str) -> AsyncIterator[Answer]:
        """Ask for a file.

        Raises:
            FetchFailed: it can't be had, or not now.
        """
        allowed: dict[str, str] = {}
        connector = aiohttp.TCPConnector(
            resolver=_PublicOnly(self._allow), use_dns_cache=False, force_close=True,
            socket_factory=lambda info: _socket(info, allowed, self._allow),
        )  # fmt: skip
        timeout = aiohttp.ClientTimeout(total=TOTAL_S, sock_connect=CONNECT_S, sock_read=SILENT_S)
        try:
            async with aiohttp.ClientSession(
                connector=connector, timeout=timeout, trust_env=False, cookie_jar=aiohttp.DummyCookieJar(),
                auto_decompress=False, headers={"User-Agent": _AGENT, "Accept": "*/*", "Accept-Encoding": "identity"},
            ) as session:  # fmt: skip
                for _ in range(REDIRECTS + 1):
                    problem = wrong(url)
                    if problem is not None or not reachable(url, self._allow):
                        raise FetchFailed(
                            _PRIVATE if problem is None else "The address leads to one that is not allowed."
                        )
                    allowed["host"] = urlsplit(url).hostname or ""
                    async with session.get(_as_given(url), allow_redirects=False) as response:
                        if response.status in _MOVED and "Location" in response.headers:
                            url = urljoin(url, response.headers["Location"])
                            continue
                        yield _answer(response)
                        return
            raise FetchFailed("The address leads on and on.")
        except (aiohttp.ClientError, TimeoutError, OSError, UnicodeError, ValueError) as error:
            raise _failed(error) from None


def _as_given(url: str) -> URL:
    """Signed addresses are good only letter by letter: nothing that can go as it is is written anew."""
    return URL(url, encoded=url.isascii())


def _socket(info: Any, allowed: dict[str, str], allow: tuple[str, ...]) -> socket.socket:
    """Make the socket for one address, unless that is not public: nothing was sent there yet."""
    family, kind, protocol, _, address = info
    if not proxies.permitted(allowed.get("host", ""), int(address[1]), [str(address[0])], allow):
        raise _NotPublic(_PRIVATE)
    return socket.socket(family, kind, protocol)


def _answer(response: aiohttp.ClientResponse) -> Answer:
    status = response.status
    if status != 200:
        raise FetchFailed(f"The address answered {status}.", again=status in _LATER)
    if response.headers.get("Content-Encoding", "identity").lower() != "identity":
        raise FetchFailed("The address answered with a packed file.")
    declared = response.headers.get("Content-Type")
    return Answer(response.content_length, declared, _chunks(response))


async def _chunks(response: aiohttp.ClientResponse) -> AsyncIterator[bytes]:
    try:
        async for chunk in response.content.iter_chunked(_CHUNK):
            yield chunk
    except (aiohttp.ClientError, TimeoutError, OSError) as error:
        raise _failed(error) from None


def _failed(error: BaseException) -> FetchFailed:
    inner = error.os_error if isinstance(error, aiohttp.ClientConnectorError) else error
    if isinstance(inner, _NotPublic) or isinstance(error, _NotPublic):
        return FetchFailed(_PRIVATE)
    if isinstance(error, aiohttp.ClientConnectorCertificateError | aiohttp.ClientSSLError):
        return FetchFailed("The address's certificate is not valid.")
    if isinstance(error, TimeoutError):
        return FetchFailed("The address did not answer in time.", again=True)
    if isinstance(error, aiohttp.ClientConnectorDNSError) or isinstance(inner, socket.gaierror):
        return FetchFailed("The address's name could not be resolved.", again=True)
    if isinstance(error, aiohttp.InvalidURL | ValueError | UnicodeError):
        return FetchFailed("The address is not one that can be asked.")
    return FetchFailed("The address could not be reached.", again=True)
