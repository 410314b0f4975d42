"""Which pages may open a socket: the rule of the setting CORS_ORIGINS.

Pure. A browser sends `Origin` and cannot forge it; other programs send none and need only a token. It must never know
what happens to a refused one. Read `gateway.py` next.
"""

from __future__ import annotations

import re

_LOOPBACK_PAGES = re.compile(r"http://(localhost|127\.0\.0\.1)(:\d{1,5})?")
_ANY_PORT = ":*"


def is_allowed(
    origin: str, host: str | None, configured: tuple[str, ...], *, loopback: bool, tls_in_front: bool
) -> bool:
    """Tell whether a page of this origin may connect.

    Args:
        origin: The `Origin` header.
        host: The `Host` header: a page that this server itself served is always allowed.
        configured: CORS_ORIGINS; an entry may end in `:*` for every port.
        loopback: HOST is a loopback address: pages of this machine are allowed unless origins are configured.
        tls_in_front: A proxy ends TLS, so our own pages are `https`.
    """
    scheme = "https" if tls_in_front else "http"
    if host is not None and origin == f"{scheme}://{host}":
        return True
    if not configured:
        return loopback and _LOOPBACK_PAGES.fullmatch(origin) is not None
    return any(_matches(origin, entry) for entry in configured)


def _matches(origin: str, entry: str) -> bool:
    if not entry.endswith(_ANY_PORT):
        return origin == entry
    base = entry.removesuffix(_ANY_PORT)
    return origin == base or re.fullmatch(re.escape(base) + r":\d{1,5}", origin) is not None
