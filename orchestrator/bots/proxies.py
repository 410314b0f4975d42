"""Whether a bot may use a proxy of its own: only public addresses, or what the operator lists in PROXY_ALLOW.

Owns that rule, so that nobody reaches the server's own network through a bot. It must never know a session. Sessions
resolve the name again when they connect: the check is made when the proxy is set, and says nothing about later.
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from collections.abc import Iterable
from urllib.parse import urlsplit

from orchestrator import errors
from orchestrator.settings import is_proxy

_RESOLVE_S = 5.0


async def check(proxy: str, allow: Iterable[str]) -> None:
    """Return when a bot may use this proxy.

    Raises:
        Refused: `invalid_field` naming `proxy` and the remedy; nothing of the address is in the message.
    """
    if not is_proxy(proxy):
        raise errors.invalid("proxy", "proxy has the form http://host:port or socks5://host:port.")
    parts = urlsplit(proxy)
    host, port = parts.hostname or "", parts.port or 0
    if permitted(host, port, [], allow):
        return
    try:
        async with asyncio.timeout(_RESOLVE_S):
            found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, TimeoutError):
        raise errors.invalid("proxy", "The proxy's host name could not be resolved.") from None
    if not permitted(host, port, [str(entry[4][0]) for entry in found], allow):
        raise errors.invalid("proxy", "proxy must have a public address, or be one the operator allows (PROXY_ALLOW).")


def permitted(host: str, port: int, addresses: list[str], allow: Iterable[str]) -> bool:
    """Tell whether a proxy may be used: listed by `host`, `host:port` or network (`10.0.0.0/8`), or public throughout."""
    listed = list(allow)
    if host in listed or f"{host}:{port}" in listed:
        return True
    networks = [ipaddress.ip_network(entry, strict=False) for entry in listed if _is_network(entry)]
    found = [ipaddress.ip_address(address.partition("%")[0]) for address in addresses]
    return bool(found) and all(
        address.is_global or any(address.version == network.version and address in network for network in networks)
        for address in found
    )


def _is_network(entry: str) -> bool:
    try:
        ipaddress.ip_network(entry, strict=False)
    except ValueError:
        return False
    return True
