"""Whether somebody may use a proxy of their own: only public addresses, or what the operator lists in PROXY_ALLOW.

Owns that rule, so that nobody reaches the server's own network through a bot or a check. It must never know a session
or a request. Sessions resolve the name again when they connect: for a bot the check is made when the proxy is set, and
says nothing about later; whoever connects at once uses the address that was checked (`checked`).
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

_Address = ipaddress.IPv4Address | ipaddress.IPv6Address
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")


async def check(proxy: str, allow: Iterable[str]) -> None:
    """Return when a bot may use this proxy. Refuses `invalid_field`, see `checked`."""
    await checked(proxy, allow)


async def checked(proxy: str, allow: Iterable[str]) -> str:
    """Return the proxy with the address that was found good in place of its name.

    Raises:
        Refused: `invalid_field` naming `proxy` and the remedy; nothing of the address is in the message, and a name
            that does not exist is told like one that leads inside.
    """
    if not is_proxy(proxy):
        raise errors.invalid("proxy", "proxy: give http://host:port or socks5://host:port")
    parts = urlsplit(proxy)
    host, port = parts.hostname or "", parts.port or 0
    if permitted(host, port, [], allow):
        return proxy
    try:
        async with asyncio.timeout(_RESOLVE_S):
            found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, TimeoutError, UnicodeError):
        found = []
    addresses = [str(entry[4][0]) for entry in found]
    if not permitted(host, port, addresses, allow):
        raise errors.invalid(
            "proxy", "proxy: the host must have a public address, or be one the operator allows (PROXY_ALLOW)"
        )
    at = f"[{addresses[0]}]" if ":" in addresses[0] else addresses[0]
    secret, sign, _ = parts.netloc.rpartition("@")
    return parts._replace(netloc=f"{secret}{sign}{at}:{port}").geturl()


def permitted(host: str, port: int, addresses: list[str], allow: Iterable[str]) -> bool:
    """Tell whether a proxy may be used: listed by `host`, `host:port` or network (`10.0.0.0/8`), or public throughout."""
    listed = list(allow)
    if host in listed or f"{host}:{port}" in listed:
        return True
    networks = [ipaddress.ip_network(entry, strict=False) for entry in listed if _is_network(entry)]
    found = [ipaddress.ip_address(address.partition("%")[0]) for address in addresses]
    return bool(found) and all(
        _is_public(address) or any(address.version == network.version and address in network for network in networks)
        for address in found
    )


def _is_public(address: _Address) -> bool:
    """An IPv6 address that carries an IPv4 one leads where that one leads."""
    if isinstance(address, ipaddress.IPv6Address):
        inner = address.ipv4_mapped or address.sixtofour
        if inner is None and address in _NAT64:
            inner = ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
        if inner is not None:
            return _is_public(inner)
    return address.is_global and not address.is_multicast


def _is_network(entry: str) -> bool:
    try:
        ipaddress.ip_network(entry, strict=False)
    except ValueError:
        return False
    return True
