"""The incident *WhatsApp unreachable*, one per route, as a fold over what bots and probes tell. Pure.

A route is a way to WhatsApp: direct, the operator's proxy, a bot's own. Its incident opens when for 20 s no bot on it
is proved alive and at least half of at least three bots, or the route's probe, fail; it closes on a successful probe or
a bot proved alive, and when no bot wants the route any more. It must never know a socket, nor of a proxy's address more
than whether it is the same. Read `probe.py` for the probe, `outages.py` for the shell that runs this.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Literal, assert_never

Route = str | None
"""The proxy a session takes; None is the way without one. May hold credentials: never shown."""

Failure = Literal["dns_failed", "tls_failed", "proxy_failed", "whatsapp_unreachable"]
Verdict = Failure | Literal["ok"]

SILENT_S = 20.0
"""No bot proved alive for so long, before an incident opens."""
PROBE_EVERY_S = 5.0
"""Between probes of a route nobody is alive on, open or not."""
ENOUGH_BOTS = 3
"""Fewer failing bots than this prove nothing without a probe."""

Link = Literal["starting", "up", "failing"]


@dataclass(frozen=True, slots=True)
class Outage:
    """An open incident."""

    id: str
    since_ms: int
    cause: Failure
    """The probe's newest verdict; `whatsapp_unreachable` while none has failed."""


@dataclass(frozen=True, slots=True)
class RouteState:
    """One route with at least one bot, or probed a moment ago."""

    alive_at: float
    """When a bot on it was last proved alive, or, before the first proof, when the route came into use."""
    links: Mapping[str, Link] = field(default_factory=dict)
    probed_at: float = -math.inf
    probing: bool = False
    failed: Failure | None = None
    """The newest probe's verdict; None after a success or before the first."""
    outage: Outage | None = None

    @property
    def anybody_up(self) -> bool:
        """A bot with an open link and no open keepalive failure is proved alive."""
        return "up" in self.links.values()

    @property
    def failing(self) -> int:
        """How many bots on it fail."""
        return sum(link == "failing" for link in self.links.values())


@dataclass(frozen=True, slots=True)
class State:
    """All routes in use."""

    routes: Mapping[Route, RouteState] = field(default_factory=dict)


# --- what happened -------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class BotStarted:
    """A session was handed to a worker, to go this way, or was refused because of this way's incident: it waits."""

    bot: str
    route: Route


@dataclass(frozen=True, slots=True)
class BotAlive:
    """WhatsApp answered this bot."""

    bot: str


@dataclass(frozen=True, slots=True)
class BotFailed:
    """The bot's link is lost, its keepalive fails, or its first dial failed."""

    bot: str


@dataclass(frozen=True, slots=True)
class BotGone:
    """The bot's session is over. One that ended while failing still counts as failing until the bot starts again, is
    told to be stopped, or the route works again."""

    bot: str
    asked: bool
    """It was to end: it says nothing about the route."""


@dataclass(frozen=True, slots=True)
class Probed:
    """A probe of the route came back."""

    route: Route
    verdict: Verdict


@dataclass(frozen=True, slots=True)
class Tick:
    """Time passed."""


Input = BotStarted | BotAlive | BotFailed | BotGone | Probed | Tick

# --- what follows --------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Probe:
    """Probe this route now; tell `Probed` when it is back."""

    route: Route


@dataclass(frozen=True, slots=True)
class Opened:
    """The route's incident is open: hold its starts."""

    route: Route
    outage: Outage


@dataclass(frozen=True, slots=True)
class Closed:
    """The route's incident is over: let its starts go, slowly at first."""

    route: Route
    outage: Outage


Action = Probe | Opened | Closed


@dataclass(frozen=True, slots=True)
class At:
    """When, and how a new incident would be called."""

    now: float
    """Seconds in which this process ran."""
    wall_ms: int
    incident_id: str


def step(state: State, happened: Input, at: At) -> tuple[State, list[Action]]:
    """Fold one input in; return the next state and what follows, in order."""
    routes = dict(state.routes)
    match happened:
        case BotStarted(bot, route):
            _remove(routes, bot, keep=route)
            present = routes.get(route) or RouteState(at.now)
            if not present.links and present.outage is None:
                present = replace(present, alive_at=at.now, failed=None)
            links: dict[str, Link] = {**present.links, bot: "starting"}
            routes[route] = replace(present, links=links)
        case BotAlive(bot):
            _set(routes, bot, "up")
        case BotFailed(bot):
            _set(routes, bot, "failing", at.now)
        case BotGone(bot, asked):
            if asked or not _is_failing(routes, bot):
                _remove(routes, bot, at_s=at.now)
        case Probed(route, verdict):
            _probed(routes, route, verdict, at)
        case Tick():
            pass
        case _:
            assert_never(happened)
    return _settle(routes, at)


def failing_bots(state: RouteState) -> int:
    """How many bots an open incident of this route hits: all that are not up."""
    return sum(link != "up" for link in state.links.values())


def _probed(routes: dict[Route, RouteState], route: Route, verdict: Verdict, at: At) -> None:
    present = routes.get(route)
    if present is None:
        return
    if verdict == "ok":
        # The way works: whoever failed has to fail again to count.
        links: dict[str, Link] = {bot: "up" if link == "up" else "starting" for bot, link in present.links.items()}
        routes[route] = replace(present, probing=False, failed=None, links=links, alive_at=at.now)
        return
    outage = present.outage and replace(present.outage, cause=verdict)
    routes[route] = replace(present, probing=False, failed=verdict, outage=outage)


def _settle(routes: dict[Route, RouteState], at: At) -> tuple[State, list[Action]]:
    actions: list[Action] = []
    for route, present in list(routes.items()):
        current = replace(present, alive_at=at.now, failed=None) if present.anybody_up else present
        silent = at.now - current.alive_at >= SILENT_S
        failing = current.failing
        if current.outage is None:
            many_fail = len(current.links) >= ENOUGH_BOTS and failing * 2 >= len(current.links)
            if silent and (many_fail or (current.failed is not None and current.links)):
                outage = Outage(at.incident_id, at.wall_ms, current.failed or "whatsapp_unreachable")
                current = replace(current, outage=outage)
                actions.append(Opened(route, outage))
        elif current.alive_at == at.now or not current.links:
            actions.append(Closed(route, current.outage))
            current = replace(current, outage=None)
        # Without an outage only a failing bot is a reason to look; a bot that just starts will tell by itself.
        if _wants_probe(current, silent=silent) and not current.probing and at.now - current.probed_at >= PROBE_EVERY_S:
            current = replace(current, probing=True, probed_at=at.now)
            actions.append(Probe(route))
        routes[route] = current
        unused = not current.links and current.outage is None and not current.probing
        if unused and at.now - current.probed_at >= PROBE_EVERY_S:
            del routes[route]
    return State(routes), actions


def _wants_probe(route: RouteState, *, silent: bool) -> bool:
    if route.outage is not None:
        return True
    return not route.anybody_up and (route.failing > 0 or (silent and bool(route.links)))


def _is_failing(routes: dict[Route, RouteState], bot: str) -> bool:
    return any(route.links.get(bot) == "failing" for route in routes.values())


def _set(routes: dict[Route, RouteState], bot: str, link: Link, at_s: float | None = None) -> None:
    for route, present in routes.items():
        if bot in present.links:
            alive_at = at_s if at_s is not None and present.anybody_up else present.alive_at
            routes[route] = replace(present, links={**present.links, bot: link}, alive_at=alive_at)


def _remove(
    routes: dict[Route, RouteState], bot: str, *, keep: Route | Literal[False] = False, at_s: float | None = None
) -> None:
    for route, present in routes.items():
        if bot in present.links and (keep is False or route != keep):
            alive_at = at_s if at_s is not None and present.anybody_up else present.alive_at
            left = {other: link for other, link in present.links.items() if other != bot}
            routes[route] = replace(present, links=left, alive_at=alive_at)
