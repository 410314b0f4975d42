"""Model-based test of admission: sockets come, freeze, thaw, answer, leave and prove themselves in any order.

The model knows which sockets are really alive; the decisions see only what a server can see. Planted bugs must be
found, or the model proves nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test

from orchestrator.gateway.admission import (
    Action,
    AdmissionEvent,
    AdmissionLimits,
    Admit,
    Ask,
    End,
    Gone,
    Newcomer,
    Observed,
    Present,
    Refuse,
    User,
    decide,
)
from tests.machines.planted import check_found
from tests.support.examples import examples

LIMITS = AdmissionLimits()
TICK_S = 0.1
Decide = Callable[[User, AdmissionEvent, float, AdmissionLimits], tuple[User, tuple[Action, ...]]]


@dataclass
class Peer:
    """One client as it really is."""

    socket: Present
    came: float
    takeover: bool
    proof: str | None
    alive: bool = True
    last_received: float = 0.0
    outgoing: int = 0
    answer: Admit | Refuse | None = None
    frozen_since: float | None = None


class AdmissionMachine(RuleBasedStateMachine):
    """The world around `decide`."""

    decide: Decide = staticmethod(decide)

    def __init__(self) -> None:
        super().__init__()
        self.now = 1000.0
        self.user = User()
        self.peers: dict[str, Peer] = {}
        self.holders: list[str] = []
        """Sockets told that they are the user's and not ended since."""
        self.asked: str | None = None
        self.attempts: list[float] = []
        """When those came that count: all but the ones that were too many."""
        self.takeovers: list[float] = []
        self.number = 0

    # --- the shell ----------------------------------------------------------------------------------------------

    def step(self, event: AdmissionEvent) -> None:
        self.user, actions = self.decide(self.user, event, self.now, LIMITS)
        for action in actions:
            match action:
                case Admit(socket=socket):
                    self.answered(socket, action)
                    self.holders.append(socket)
                case Refuse(socket=socket):
                    self.answered(socket, action)
                case Ask(socket=socket):
                    assert socket in self.holders, "asked a socket that is not the user's"
                    self.asked = socket
                case End():
                    self.ended(action)
        if self.user.probe is None:
            self.asked = None

    def answered(self, socket: str, answer: Admit | Refuse) -> None:
        peer = self.peers[socket]
        assert peer.answer is None, "a newcomer was answered twice"
        peer.answer = answer
        if not (isinstance(answer, Refuse) and answer.code == "too_many_attempts"):
            self.attempts.append(peer.came)

    def ended(self, end: End) -> None:
        old = self.peers[end.socket]
        newcomer = self.peers[f"s{self.number}"]
        if end.why == "dead":
            assert not old.alive, "a live socket was dropped as dead"
        elif end.why == "taken_over":
            assert newcomer.takeover, "taken over by a socket that did not ask for it"
            self.takeovers.append(self.now)
        else:
            assert newcomer.proof == old.socket.connection_id, "superseded without proof"
        self.holders.remove(end.socket)

    def tick(self) -> None:
        """A tenth of a second: live peers answer what they are asked, drain what they were sent."""
        self.now += TICK_S
        for peer in self.peers.values():
            if peer.alive:
                peer.outgoing = 0
                if peer.socket.socket == self.asked:
                    peer.last_received = self.now
        if self.asked is not None:
            asked = self.peers[self.asked]
            self.step(Observed(asked.last_received, asked.outgoing))

    # --- what can happen ----------------------------------------------------------------------------------------

    @rule(takeover=st.booleans(), proof=st.sampled_from(["none", "right", "wrong", "waiting"]))
    def newcomer(self, takeover: bool, proof: str) -> None:
        self.number += 1
        socket = Present(f"s{self.number}", f"con{self.number}", int(self.now * 1000))
        holder = self.peers[self.holders[-1]] if self.holders else None
        waiting = self.user.probe.newcomer if self.user.probe is not None else None
        shown = {
            "none": None,
            "wrong": "con_of_nobody",
            "right": holder.socket.connection_id if holder else None,
            "waiting": waiting.connection_id if waiting else None,
        }[proof]
        peer = self.peers[socket.socket] = Peer(socket, self.now, takeover, shown, last_received=self.now)
        recent = [at for at in self.attempts if at > self.now - LIMITS.window_s]
        self.step(Newcomer(socket, shown, takeover, holder.outgoing if holder else 0))
        if holder is None and len(recent) < LIMITS.connects - 1:
            assert isinstance(peer.answer, Admit), "nobody was there and the newcomer was not admitted"

    @rule(ticks=st.integers(1, 60))
    def time_passes(self, ticks: int) -> None:
        for _ in range(ticks):
            self.tick()

    @rule(seconds=st.floats(1.5, 300))
    def the_server_itself_sleeps(self, seconds: float) -> None:
        """Its loop was away; what peers sent meanwhile is read only after the first look."""
        self.now += seconds
        if self.asked is not None:
            asked = self.peers[self.asked]
            self.step(Observed(asked.last_received, asked.outgoing))

    @precondition(lambda self: self.holders)
    @rule(outgoing=st.integers(0, 10_000))
    def freeze(self, outgoing: int) -> None:
        """The holder stops answering; what is on its way to it stays."""
        peer = self.peers[self.holders[-1]]
        peer.alive, peer.outgoing = False, outgoing

    @precondition(lambda self: self.holders)
    @rule(outgoing=st.sampled_from([0, 10_000]), ticks=st.sampled_from([10, 30, 60]))
    def a_newcomer_finds_it_frozen(self, outgoing: int, ticks: int) -> None:
        self.freeze(outgoing)
        self.newcomer(takeover=False, proof="none")
        self.time_passes(ticks)

    @precondition(lambda self: self.holders)
    @rule()
    def shrink(self) -> None:
        """A slow link takes a little."""
        peer = self.peers[self.holders[-1]]
        peer.outgoing = max(0, peer.outgoing - 100)

    @precondition(lambda self: self.holders)
    @rule()
    def thaw(self) -> None:
        self.peers[self.holders[-1]].alive = True

    @precondition(lambda self: self.holders)
    @rule()
    def holder_leaves(self) -> None:
        socket = self.holders.pop()
        self.step(Gone(socket))

    @precondition(lambda self: self.user.probe is not None)
    @rule()
    def waiting_one_leaves(self) -> None:
        assert self.user.probe is not None
        socket = self.user.probe.newcomer.socket
        self.peers[socket].answer = Refuse(socket, "already_connected")
        self.attempts.append(self.peers[socket].came)
        self.step(Gone(socket))

    # --- what must hold -----------------------------------------------------------------------------------------

    @invariant()
    def at_most_one_socket(self) -> None:
        assert len(self.holders) <= 1, f"{len(self.holders)} sockets at once"

    @invariant()
    def nobody_waits_for_long(self) -> None:
        """A dead socket never blocks: whoever waits is answered within 5 s in which the server ran."""
        for peer in self.peers.values():
            if peer.answer is None:
                probe = self.user.probe
                assert probe is not None and probe.newcomer == peer.socket, "a newcomer waits for nothing"
                waited = self.now - peer.came - probe.away
                assert waited <= LIMITS.shrinking_probe_s + TICK_S, f"a newcomer waits for {waited:.1f} s"

    @invariant()
    def rates_hold(self) -> None:
        oldest = self.now - LIMITS.window_s
        assert sum(1 for at in self.takeovers if at > oldest) <= LIMITS.takeovers, "too many takeovers"
        assert sum(1 for at in self.attempts if at > oldest) <= LIMITS.connects, "too many connects"


RUN = settings(max_examples=examples(150), stateful_step_count=40, suppress_health_check=list(HealthCheck))


def test_admission_keeps_its_promises() -> None:
    """Never two sockets, a live one is never dropped unasked, a dead one never blocks, rates hold."""
    run_state_machine_as_test(AdmissionMachine, settings=RUN)


def _believes_nobody(
    user: User, event: AdmissionEvent, now: float, limits: AdmissionLimits
) -> tuple[User, tuple[Action, ...]]:
    """Planted: the probe's answer is not looked at."""
    return decide(user, replace(event, last_received=0.0) if isinstance(event, Observed) else event, now, limits)


def _believes_everybody(
    user: User, event: AdmissionEvent, now: float, limits: AdmissionLimits
) -> tuple[User, tuple[Action, ...]]:
    """Planted: a buffer the kernel takes from counts as life for ever."""
    return decide(user, event, now, replace(limits, probe_s=1e9))


def _forgets_the_holder(
    user: User, event: AdmissionEvent, now: float, limits: AdmissionLimits
) -> tuple[User, tuple[Action, ...]]:
    """Planted: look-up and change are two steps, and somebody came in between."""
    return decide(replace(user, present=None) if isinstance(event, Newcomer) else user, event, now, limits)


def _takes_any_proof(
    user: User, event: AdmissionEvent, now: float, limits: AdmissionLimits
) -> tuple[User, tuple[Action, ...]]:
    """Planted: any connectionId is believed."""
    if isinstance(event, Newcomer) and event.proof is not None and user.present is not None:
        event = replace(event, proof=user.present.connection_id)
    return decide(user, event, now, limits)


def _counts_sleep(
    user: User, event: AdmissionEvent, now: float, limits: AdmissionLimits
) -> tuple[User, tuple[Action, ...]]:
    """Planted: time in which the server itself did not run counts against the probed socket."""
    return decide(user, event, now, replace(limits, away_s=1e9))


def _forgets_takeovers(
    user: User, event: AdmissionEvent, now: float, limits: AdmissionLimits
) -> tuple[User, tuple[Action, ...]]:
    """Planted: takeovers are not counted."""
    return decide(replace(user, takeovers=()), event, now, limits)


@pytest.mark.parametrize(
    "planted",
    [
        _believes_nobody,
        _believes_everybody,
        _forgets_the_holder,
        _takes_any_proof,
        _counts_sleep,
        _forgets_takeovers,
    ],
)
def test_the_model_finds_planted_bugs(planted: Decide) -> None:
    """Each of these mistakes breaks a promise that the model sees."""

    class Broken(AdmissionMachine):
        decide = staticmethod(planted)

    check_found(Broken)
