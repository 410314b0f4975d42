"""*WhatsApp unreachable*: when it opens and closes, as a table, as a machine, and on virtual time with its shell."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from orchestrator.supervisor import incidents
from orchestrator.supervisor.awake import Awake
from orchestrator.supervisor.incidents import (
    Action,
    At,
    BotAlive,
    BotFailed,
    BotGone,
    BotStarted,
    Closed,
    Input,
    Opened,
    Probe,
    Probed,
    Route,
    State,
    Tick,
    Verdict,
)
from orchestrator.supervisor.outages import Outages
from orchestrator.tasks import Tasks
from sessions import model
from tests.support import virtual_time
from tests.support.virtual_time import VirtualClock


def fold(*steps: tuple[float, Input]) -> tuple[State, list[Action]]:
    """Fold timed inputs; return the end state and all actions but probes."""
    state, actions = State(), list[Action]()
    for now, happened in steps:
        state, more = incidents.step(state, happened, At(now, round(now * 1000), "icd"))
        actions += [action for action in more if not isinstance(action, Probe)]
    return state, actions


def names(actions: list[Action]) -> list[str]:
    return [type(action).__name__ for action in actions]


def test_one_bot_and_a_failed_probe_open_it_after_20_seconds() -> None:
    """A single bot proves nothing alone; with its route's probe failing too, the incident opens, not a second early."""
    steps: list[tuple[float, Input]] = [
        (0.0, BotStarted("a", None)),
        (0.1, BotFailed("a")),
        (0.2, Probed(None, "dns_failed")),
        (19.9, Tick()),
    ]
    assert fold(*steps)[1] == []
    state, actions = fold(*steps, (20.0, Tick()))
    assert names(actions) == ["Opened"]
    assert isinstance(actions[0], Opened)
    assert actions[0].outage.cause == "dns_failed"
    assert incidents.failing_bots(state.routes[None]) == 1


def test_one_bot_failing_with_a_good_probe_opens_nothing() -> None:
    """When the way works, a failing bot is its own business."""
    steps: list[tuple[float, Input]] = [(0.0, BotStarted("a", None)), (0.1, BotFailed("a"))]
    steps += [(float(second), Probed(None, "ok")) for second in range(1, 60, 5)]
    assert fold(*steps)[1] == []


def test_half_of_three_bots_open_it_without_a_probe() -> None:
    """Two failing of three are enough when the third is not up either."""
    steps: list[tuple[float, Input]] = [(0.0, BotStarted(bot, None)) for bot in "abc"]
    steps += [(1.0, BotFailed("a")), (1.0, BotFailed("b"))]
    assert names(fold(*steps, (20.0, Tick()))[1]) == ["Opened"]
    assert fold(*steps[:-1], (20.0, Tick()))[1] == [], "one of three is less than half"


def test_one_bot_alive_keeps_it_closed() -> None:
    """As long as one bot on the route is up nothing opens; the 20 s count from its loss."""
    steps: list[tuple[float, Input]] = [(0.0, BotStarted(bot, None)) for bot in "abcd"]
    steps += [(1.0, BotAlive("d")), *[(2.0, BotFailed(bot)) for bot in "abc"], (100.0, Tick()), (100.0, BotFailed("d"))]
    assert fold(*steps, (119.0, Tick()))[1] == []
    assert names(fold(*steps, (120.0, Tick()))[1]) == ["Opened"]


@pytest.mark.parametrize("ending", [Probed(None, "ok"), BotAlive("b"), BotGone("z", asked=True)])
def test_what_closes_it(ending: Input) -> None:
    """A good probe closes it, and a bot that is alive; somebody else's stop does not."""
    steps: list[tuple[float, Input]] = [(0.0, BotStarted(bot, None)) for bot in "abc"]
    steps += [*[(1.0, BotFailed(bot)) for bot in "abc"], (30.0, Tick())]
    expected = ["Opened"] if isinstance(ending, BotGone) else ["Opened", "Closed"]
    assert names(fold(*steps, (31.0, ending))[1]) == expected


def test_it_closes_when_nobody_wants_the_route() -> None:
    """With the last bot stopped by its owner there is no incident any more, and nothing is probed."""
    steps: list[tuple[float, Input]] = [
        (0.0, BotStarted("a", "http://p")),
        (1.0, BotFailed("a")),
        (2.0, Probed("http://p", "proxy_failed")),
        (30.0, Tick()),
        (31.0, Probed("http://p", "proxy_failed")),
        (32.0, BotGone("a", asked=True)),
        (40.0, Tick()),
    ]
    state, actions = fold(*steps)
    assert names(actions) == ["Opened", "Closed"]
    assert state.routes == {}


def test_routes_are_apart() -> None:
    """A dead proxy holds those behind it, and nobody else."""
    steps: list[tuple[float, Input]] = [
        (0.0, BotStarted("a", "http://p")),
        (0.0, BotStarted("b", None)),
        (1.0, BotFailed("a")),
        (1.0, BotAlive("b")),
        (2.0, Probed("http://p", "proxy_failed")),
        (60.0, Tick()),
    ]
    state, actions = fold(*steps)
    assert [action.route for action in actions if isinstance(action, Opened)] == ["http://p"]
    assert state.routes[None].outage is None


def test_a_session_that_ended_failing_still_counts() -> None:
    """Bots whose sessions gave up are still bots that do not reach WhatsApp, unless their owner stopped them."""
    steps: list[tuple[float, Input]] = []
    for bot in "abc":
        steps += [(0.0, BotStarted(bot, None)), (1.0, BotFailed(bot)), (1.5, BotGone(bot, asked=False))]
    assert names(fold(*steps, (20.0, Tick()))[1]) == ["Opened"]


class IncidentMachine(RuleBasedStateMachine):
    """Any order of inputs: nothing opens while a bot is up, probes are paced, no route is kept for nothing."""

    routes = st.sampled_from([None, "http://p"])
    bots = st.sampled_from(["a", "b", "c", "d"])

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0
        self.state = State()
        self.open: set[Route] = set()
        self.probing: dict[Route, float] = {}

    def _step(self, happened: Input) -> None:
        before = self.state
        self.state, actions = incidents.step(before, happened, At(self.now, 0, "icd"))
        for action in actions:
            match action:
                case Opened(route):
                    assert route not in self.open
                    assert not before.routes[route].anybody_up
                    self.open.add(route)
                case Closed(route):
                    self.open.remove(route)
                case Probe(route):
                    assert self.now - self.probing.get(route, -100.0) >= 5.0
                    self.probing[route] = self.now

    @rule(seconds=st.floats(0.0, 30.0))
    def wait(self, seconds: float) -> None:
        self.now += seconds
        self._step(Tick())

    @rule(bot=bots, route=routes)
    def start(self, bot: str, route: Route) -> None:
        self._step(BotStarted(bot, route))

    @rule(bot=bots)
    def alive(self, bot: str) -> None:
        self._step(BotAlive(bot))

    @rule(bot=bots)
    def fail(self, bot: str) -> None:
        self._step(BotFailed(bot))

    @rule(bot=bots, asked=st.booleans())
    def gone(self, bot: str, asked: bool) -> None:
        self._step(BotGone(bot, asked))

    @rule(route=routes, verdict=st.sampled_from(["ok", "dns_failed", "proxy_failed"]))
    def probed(self, route: Route, verdict: Verdict) -> None:
        self._step(Probed(route, verdict))

    @invariant()
    def open_ones_are_those_of_the_state(self) -> None:
        assert self.open == {route for route, state in self.state.routes.items() if state.outage is not None}

    @invariant()
    def no_incident_with_a_bot_up_or_without_bots(self) -> None:
        for route in self.open:
            assert not self.state.routes[route].anybody_up
            assert self.state.routes[route].links

    @invariant()
    def a_bot_is_on_one_route(self) -> None:
        everywhere = [bot for state in self.state.routes.values() for bot in state.links]
        assert len(everywhere) == len(set(everywhere))


TestIncidentMachine = IncidentMachine.TestCase


def test_the_shell_opens_probes_and_closes() -> None:
    """Listeners hear of the opening and the end; while it is open its route is probed every five seconds."""

    async def main(clock: VirtualClock) -> None:
        network: dict[Route, Verdict] = {None: "dns_failed"}
        probes: list[float] = []
        told: list[int] = []
        closed: list[float] = []

        async def probe(route: Route) -> Verdict:
            probes.append(clock.monotonic())
            return network[route]

        outages = Outages(clock, Awake(clock), Tasks(), probe, lambda: closed.append(clock.monotonic()))
        outages.listen(lambda: told.append(len(outages.open())))

        async def pass_time(seconds: int) -> None:
            for _ in range(seconds):
                await asyncio.sleep(1.0)
                outages.tick()

        outages.started("a", None)
        outages.told("a", model.StartFailed("dns_failed"))
        await pass_time(30)
        (incident,) = outages.open()
        assert (incident.kind, incident.cause, incident.bots) == ("whatsapp_unreachable", "dns_failed", 1)
        assert outages.holding(None) == incident
        assert outages.holding("http://p") is None
        assert len(probes) <= 30 / 5 + 1
        network[None] = "ok"
        await pass_time(6)
        assert outages.holding(None) is None
        assert told == [1, 0]
        assert len(closed) == 1

    virtual_time.run(main)
