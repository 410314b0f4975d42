"""What hits many bots at once, as those see it who wait for its end.

Implemented by the supervisor room; joined in `app.py`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, Protocol

import msgspec


class Incident(msgspec.Struct, frozen=True, rename="camel"):
    """What hits many bots at once, told once."""

    id: str
    kind: Literal["whatsapp_unreachable"]
    since: int
    bots: int
    """How many bots it hits."""
    text: str
    holds_starts: bool
    cause: str
    """The reason code its bots show: `whatsapp_unreachable`, `dns_failed`, `tls_failed` or `proxy_failed`."""


class Incidents(Protocol):
    """The incidents that are open. Implemented by the supervisor room, which alone opens and closes them."""

    def open(self) -> list[Incident]:
        """Return what is open now, oldest first."""
        ...

    def holding(self, proxy: str | None) -> Incident | None:
        """Return the open incident of the route a session with this proxy takes (None: the one without a proxy). While
        there is one, `Host.start` refuses `held_by_incident`, and watchdogs and budgets of its bots stand still."""
        ...

    def listen(self, listener: Callable[[], None]) -> None:
        """Call `listener` on the loop after an incident opened or closed; it must not wait or raise."""
        ...
