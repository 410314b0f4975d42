"""What hits many bots at once, as those see it who wait for its end.

Implemented by the supervisor room; joined in `app.py`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, Protocol

import msgspec

IncidentKind = Literal["whatsapp_unreachable", "client_outdated", "worker_lost"]
"""The list is open: a client shows the title and text of a kind it does not know."""


class IncidentRoute(msgspec.Struct, frozen=True):
    """The way to WhatsApp it concerns."""

    kind: Literal["direct", "operator_proxy", "bot_proxy"]
    address: str | None = None
    """host:port of the proxy; never its credentials."""


class Incident(msgspec.Struct, frozen=True, rename="camel"):
    """What hits many bots at once, told once."""

    id: str
    kind: IncidentKind
    since: int
    bots: int
    """How many bots it hits; of one that is over, at its worst."""
    text: str
    """What is going on, in one or two sentences."""
    holds_starts: bool
    cause: str
    """The reason code its bots show: `whatsapp_unreachable`, `dns_failed`, `tls_failed` or `proxy_failed`;
    `client_outdated`; `worker_crashed`."""
    title: str = ""
    action: str | None = None
    """What an operator does about it; None: it ends by itself."""
    until: int | None = None
    """When it ended; None while it is open."""
    route: IncidentRoute | None = None
    """None: not about one way."""
    bot_ids: list[str] = []
    """The bots it hits, at most 200 of them."""
    library: str | None = None
    """For `client_outdated`: the version WhatsApp refuses."""

    @property
    def shown_as(self) -> str:
        """The reason code of a start it holds back."""
        return self.cause if self.kind == "whatsapp_unreachable" else "held_by_incident"


MOST_BOT_IDS = 200


class Incidents(Protocol):
    """The incidents that are open. Implemented by the supervisor room, which alone opens and closes them."""

    def open(self) -> list[Incident]:
        """Return what is open now, oldest first."""
        ...

    def holding(self, proxy: str | None, bot: str | None = None) -> Incident | None:
        """Return the open incident that holds this bot's starts: that of the route a session with this proxy takes (None:
        the one without a proxy), or one of all bots. While there is one, `Host.start` refuses `held_by_incident`, and
        watchdogs and budgets of the bots it holds stand still. A bot that is let through as a try is not held."""
        ...

    def listen(self, listener: Callable[[], None]) -> None:
        """Call `listener` on the loop after an incident opened or closed; it must not wait or raise."""
        ...
