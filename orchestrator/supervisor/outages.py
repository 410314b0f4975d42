"""The shell around `incidents.py` and `outdated.py`: feeds them what sessions tell, runs probes, tells who waits.

Owns the open incidents. It must never know a process or a status. Read those two for the rules, `probe.py` for the
probe.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import structlog

from orchestrator.clock import Clock
from orchestrator.model import new_id
from orchestrator.ports import Incident, IncidentRoute
from orchestrator.ports.incidents import MOST_BOT_IDS
from orchestrator.supervisor import incidents, outdated
from orchestrator.supervisor.awake import Awake
from orchestrator.supervisor.incident_texts import OUTDATED, UNREACHABLE, shown_route
from orchestrator.supervisor.incidents import At, Closed, Opened, Outage, Probe, Route, RouteState, Verdict
from orchestrator.supervisor.outdated import Refusal
from orchestrator.tasks import Tasks
from sessions import model
from sessions.model import SessionEvent

_log = structlog.get_logger("supervisor")

_ALIVE = (
    model.QrOffered, model.ScannedWithoutMultidevice, model.PasskeyRequired, model.PairSucceeded, model.Connected,
    model.KeepaliveRestored, model.OfflineSync, model.MessageReceived, model.ReceiptReceived, model.StreamError,
    model.StreamReplaced, model.LoggedOut, model.TemporarilyBanned, model.ConnectFailed, model.ClientOutdated,
    model.ReactionReceived, model.MessageEdited, model.MessageRevoked,
)  # fmt: skip
"""Only WhatsApp's answer makes these."""
_ACCEPTED = (model.QrOffered, model.Connected)
"""WhatsApp took the library's version."""
_FAILED = (model.Disconnected, model.KeepaliveTimeout, model.StartFailed)


class Outages:
    """Implements `ports.Incidents`."""

    def __init__(
        self,
        clock: Clock,
        awake: Awake,
        tasks: Tasks,
        probe: Callable[[Route], Awaitable[Verdict]],
        on_closed: Callable[[], None],
        operators: Route = None,
        library: Callable[[], str | None] = lambda: None,
    ) -> None:
        """Probe routes with `probe`; call `on_closed` before the listeners when an incident is over. `operators` is the
        operator's default proxy, `library` the version in use once it is known."""
        self._clock = clock
        self._awake = awake
        self._tasks = tasks
        self._probe = probe
        self._on_closed = on_closed
        self._operators = operators
        self._library = library
        self._refusal: Refusal | None = None
        self._shown: dict[Route, Incident] = {}
        """Incidents as they are told, until something happens."""
        self._state = incidents.State()
        self._listeners: list[Callable[[], None]] = []

    def open(self) -> list[Incident]:
        found = [self.unreachable(route) for route in self._state.routes]
        refused = [_refused(self._refusal)] if self._refusal is not None else []
        return sorted((one for one in (*found, *refused) if one is not None), key=lambda incident: incident.since)

    def holding(self, proxy: str | None, bot: str | None = None) -> Incident | None:
        unreachable = self.unreachable(proxy)
        if unreachable is not None or self._refusal is None or not outdated.holds(self._refusal, bot):
            return unreachable
        return _refused(self._refusal)

    def unreachable(self, proxy: Route) -> Incident | None:
        """Return the open incident of this way to WhatsApp."""
        route = self._state.routes.get(proxy)
        if route is None or route.outage is None:
            return None
        if proxy not in self._shown:
            self._shown[proxy] = _incident(route, route.outage, shown_route(proxy, self._operators))
        return self._shown[proxy]

    def reopen(self, incident: Incident) -> None:
        """Go on with a *client outdated* that the server before this one left open; before anything starts."""
        refusal = Refusal(incident.id, incident.since, incident.library, tuple(incident.bot_ids))
        self._refuse(outdated.Reopened(refusal))

    def listen(self, listener: Callable[[], None]) -> None:
        self._listeners.append(listener)

    def started(self, bot: str, proxy: Route) -> None:
        """A session goes this way, or waits for it."""
        self._step(incidents.BotStarted(bot, proxy))

    def told(self, bot: str, event: SessionEvent) -> None:
        """A session told something."""
        if isinstance(event, _ALIVE):
            # Every message comes by here: one more proof of a bot that is up changes nothing.
            if not any(route.links.get(bot) == "up" for route in self._state.routes.values()):
                self._step(incidents.BotAlive(bot))
        elif isinstance(event, _FAILED):
            self._step(incidents.BotFailed(bot))
        if isinstance(event, model.ClientOutdated):
            self._refuse(outdated.Refused(bot))
        elif self._refusal is not None and isinstance(event, _ACCEPTED):
            self._refuse(outdated.Accepted())

    def held_back(self, bot: str, proxy: Route) -> None:
        """A start was refused because an incident holds it."""
        if self.unreachable(proxy) is not None:
            self.started(bot, proxy)
        else:
            self._refuse(outdated.HeldBack(bot))

    def failed(self, bot: str) -> None:
        """A session did not come to a first report in time."""
        self._step(incidents.BotFailed(bot))

    def gone(self, bot: str, *, asked: bool) -> None:
        """A session is over, as it should (`asked`) or not."""
        self._step(incidents.BotGone(bot, asked))

    def tick(self) -> None:
        """Let time count; about once a second."""
        self._step(incidents.Tick())
        if self._refusal is not None:
            self._refuse(outdated.Tick())

    def _step(self, happened: incidents.Input) -> None:
        at = At(self._awake.now(), self._clock.wall_ms(), new_id("icd"))
        self._state, actions = incidents.step(self._state, happened, at)
        self._shown.clear()
        changed = False
        for action in actions:
            match action:
                case Probe(route):
                    self._tasks.spawn("probe route", self._run_probe(route))
                case Opened(route, outage):
                    bots = len(self._state.routes[route].links)
                    _log.warning("Incident opened", kind="whatsapp_unreachable", cause=outage.cause, bots=bots)
                    changed = True
                case Closed(_, outage):
                    _log.info("Incident closed", kind="whatsapp_unreachable", open_ms=at.wall_ms - outage.since_ms)
                    self._on_closed()
                    changed = True
        if changed:
            self._tell()

    def _refuse(self, happened: outdated.Input) -> None:
        before = self._refusal
        at = outdated.At(self._awake.now(), self._clock.wall_ms(), self._library(), new_id("icd"))
        now = self._refusal = outdated.step(before, happened, at)
        if before is None and now is not None:
            _log.warning("Incident opened", kind="client_outdated", library=now.library)
        elif before is not None and now is None:
            _log.info("Incident closed", kind="client_outdated", open_ms=at.wall_ms - before.since_ms)
            self._on_closed()
        if (before is None) != (now is None) or (before and before.trying) != (now and now.trying):
            self._tell()

    def _tell(self) -> None:
        for listener in self._listeners:
            listener()

    async def _run_probe(self, route: Route) -> None:
        # A probe that raises is a bug of ours: reported where all are, and no reason to hold anybody's start.
        verdict: Verdict = "ok"
        try:
            verdict = await self._probe(route)
        finally:
            self._step(incidents.Probed(route, verdict))


def _incident(route: RouteState, outage: Outage, way: IncidentRoute) -> Incident:
    words = UNREACHABLE[outage.cause]
    return Incident(
        id=outage.id,
        kind="whatsapp_unreachable",
        since=outage.since_ms,
        bots=incidents.failing_bots(route),
        text=words.text,
        holds_starts=True,
        cause=outage.cause,
        title=words.title,
        action=words.action,
        route=way,
        bot_ids=[bot for bot, link in route.links.items() if link != "up"][:MOST_BOT_IDS],
    )


def _refused(refusal: Refusal) -> Incident:
    return Incident(
        id=refusal.id,
        kind="client_outdated",
        since=refusal.since_ms,
        bots=len(refusal.hit),
        text=OUTDATED.text,
        holds_starts=True,
        cause="client_outdated",
        title=OUTDATED.title,
        action=OUTDATED.action,
        bot_ids=list(refusal.hit[:MOST_BOT_IDS]),
        library=refusal.library,
    )
