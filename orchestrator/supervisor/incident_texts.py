"""What an incident is called, what it says and what an operator does about it. Pure.

Owns these texts, by kind and cause. It must never know how an incident opens or ends. Read `outages.py` for who shows
them.
"""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlsplit

from orchestrator.ports import IncidentRoute
from orchestrator.supervisor.incidents import Failure, Route


@dataclass(frozen=True, slots=True)
class Words:
    """An incident in words."""

    title: str
    text: str
    action: str


UNREACHABLE: dict[Failure, Words] = {
    "whatsapp_unreachable": Words(
        "WhatsApp cannot be reached",
        "WhatsApp does not answer. The way there is tried every 5 s; bots come back by themselves.",
        "Check this machine's network; `orchestrator doctor` tries every step of the way.",
    ),
    "dns_failed": Words(
        "WhatsApp's name cannot be resolved",
        "The name server does not answer for WhatsApp's name. It is tried every 5 s; bots come back by themselves.",
        "Check this machine's name server and network; `orchestrator doctor` tries every step of the way.",
    ),
    "tls_failed": Words(
        "No secure connection to WhatsApp",
        "WhatsApp's certificate is not accepted. It is tried every 5 s; bots come back by themselves.",
        "Check this machine's clock, and whether something on the way inspects TLS; `orchestrator doctor` tells.",
    ),
    "proxy_failed": Words(
        "A proxy does not work",
        "The proxy lets no connection through. It is tried every 5 s; its bots come back by themselves.",
        "Check the proxy's host, port, name and password.",
    ),
}

OUTDATED = Words(
    "WhatsApp refuses this version",
    "WhatsApp answers 405: the library is too old. New starts are held back; running bots are not touched.",
    "Install the newest version of this server and start it again. Until then one bot tries every 15 minutes, and the"
    " first that gets in ends this.",
)


def shown_route(route: Route, operators: Route) -> IncidentRoute:
    """Return a route as it may be shown: without a proxy's credentials.

    Args:
        route: The proxy, None for the way without one.
        operators: The operator's default proxy.
    """
    if route is None:
        return IncidentRoute("direct")
    parts = urlsplit(route)
    address = f"{parts.hostname}:{parts.port}" if parts.hostname and parts.port else None
    return IncidentRoute("operator_proxy" if route == operators else "bot_proxy", address)
