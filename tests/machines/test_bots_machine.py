"""A machine over the bot's fold: any order of commands, events, deaths and time, against a host that keeps its word."""

from __future__ import annotations

from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from orchestrator.bots import moves
from orchestrator.bots.fold import fold, wake_at
from orchestrator.bots.moves import BotState, Input, StartHost, StopHost
from orchestrator.bots.record import Private
from orchestrator.errors import Refused
from orchestrator.ports import LinkRequest, SessionGone
from sessions import model
from tests.support.bot_states import ACCOUNT, at, connected, fresh_bot
from tests.support.examples import examples

EXPECTED: list[model.SessionEvent] = [
    model.Connected(ACCOUNT), model.Disconnected(), model.KeepaliveTimeout(1), model.KeepaliveTimeout(3),
    model.KeepaliveRestored(), model.StreamError("500"), model.StreamReplaced(), model.TemporarilyBanned(101, 600),
    model.ConnectFailed(400), model.ConnectFailed(418), model.ClientOutdated(), model.OfflineSync(1, True),
    model.StartFailed("dns_failed"), model.PumpDied("x"), model.LoggedOut(False, "unlinked_on_phone"),
    model.LoggedOut(True, "account_banned"), model.KeysMissing(),
]  # fmt: skip
LINKING: list[model.SessionEvent] = [
    model.QrOffered("2@x", 1, 6, 60), model.QrOffered("2@y", 2, 6, 20), model.CodesExpired(),
    model.PairSucceeded(ACCOUNT), model.PairFailed("x"), model.PasskeyRequired(), model.ScannedWithoutMultidevice(),
    model.StartFailed("whatsapp_unreachable"), model.Disconnected(),
]  # fmt: skip
GONE = ["crashed", "killed_hung", "storage_unavailable", "start_timed_out", "condemned"]
PARKED = {"login_expired", "passkey_required", "logged_out", "blocked", "outdated", "stopped"}


class BotMachine(RuleBasedStateMachine):
    """The host's side is modelled: who runs, what start or stop is under way, who asks for what."""

    def __init__(self) -> None:
        super().__init__()
        self.now_s = 1_000.0
        self.running: str | None = None
        self.starting: str | None = None
        self.stopping = False
        self.linked_run = False
        self.deaths = 0
        self.gestures = 0

    @initialize(linked=st.booleans())
    def create(self, linked: bool) -> None:
        self.state = connected() if linked else BotState(fresh_bot(), Private())
        self.running = "inc_0" if linked else None

    def step(self, event: Input) -> None:
        """Fold one input and carry its effects out in the model."""
        before = self.state
        try:
            outcome = fold(before, event, at(self.now_s), tries_per_hour=10**6)
        except Refused:
            return
        self.state = outcome.state
        bot = self.state.bot
        told = [draft for draft in outcome.drafts if draft.type == "status"]
        assert bot.status_version - before.bot.status_version == len(told) <= 1
        assert (bot.status == before.bot.status) or told, "a status changed and nobody was told"
        for effect in outcome.effects:
            if isinstance(effect, StartHost):
                assert self.running is None and self.starting is None and not self.stopping, "two sessions of one bot"
                assert effect.account_jid is None or self.state.private.device_file == effect.file
                self.starting = effect.incarnation
            elif isinstance(effect, StopHost):
                assert self.running or self.starting or self.stopping
                self.stopping = True

    # --- people ---

    @rule(command=st.sampled_from([moves.StartAsked(), moves.RestartAsked(), moves.LinkAsked(LinkRequest())]))
    def asked_to_run(self, command: moves.Command) -> None:
        self.gestures += 1
        self.step(command)

    @rule(command=st.sampled_from([moves.StopAsked(), moves.StopAsked(), moves.LogoutAsked()]))
    def asked_to_end(self, command: moves.Command) -> None:
        self.step(command)

    # --- the host ---

    @precondition(lambda self: self.starting is not None)
    @rule(refused=st.sampled_from([None, None, None, "worker_crashed", "storage_unavailable", "superseded"]))
    def start_comes_back(self, refused: Any) -> None:
        incarnation, self.starting = self.starting, None
        assert incarnation is not None
        if self.stopping:
            self.step(moves.HostRefused(incarnation, "superseded"))
        elif refused is None:
            self.running = incarnation
            self.step(moves.HostStarted(incarnation))
        else:
            self.step(moves.HostRefused(incarnation, refused))

    @precondition(lambda self: self.starting is not None and not self.stopping)
    @rule()
    def start_succeeds(self) -> None:
        self.start_comes_back(None)
        self.session_comes_up()

    @precondition(lambda self: self.running is not None and not self.stopping)
    @rule()
    def session_comes_up(self) -> None:
        session, running = self.state.session, self.running
        assert session is not None and running is not None
        story: list[model.SessionEvent] = []
        if session.purpose == "link":
            story = [model.QrOffered("2@x", 1, 6, 60), model.PairSucceeded(ACCOUNT)]
        for event in (*story, model.Connected(ACCOUNT)):
            self.step(moves.Told(running, at(self.now_s).wall_ms, event))
        if session.purpose in {"link", "run"}:
            assert self.state.bot.status == "connected" and self.state.bot.reason is None

    @precondition(lambda self: self.stopping)
    @rule()
    def stop_comes_back(self) -> None:
        self.running, self.stopping = None, False
        if self.starting is not None:
            self.step(moves.HostRefused(self.starting, "superseded"))
            self.starting = None
        self.step(moves.HostStopped())

    @precondition(lambda self: self.running is not None)
    @rule(cause=st.sampled_from(GONE), alone=st.booleans())
    def session_dies(self, cause: Any, alone: bool) -> None:
        incarnation, self.running = self.running, None
        assert incarnation is not None
        crashes = self.state.history.crashes
        self.step(moves.Gone(SessionGone(incarnation, cause, True, alone)))
        if not (alone and cause in {"crashed", "killed_hung"}):
            assert len(self.state.history.crashes) <= len(crashes), "only a death alone in a worker counts"

    @precondition(lambda self: self.running is not None)
    @rule(data=st.data())
    def session_tells(self, data: st.DataObject) -> None:
        session = self.state.session
        linking = session is not None and session.purpose == "link"
        event = data.draw(st.sampled_from(LINKING if linking else EXPECTED))
        crashes = self.state.history.crashes
        assert self.running is not None
        self.step(moves.Told(self.running, at(self.now_s).wall_ms, event))
        assert len(self.state.history.crashes) <= len(crashes), "an expected event never counts"

    @rule(data=st.data())
    def the_past_tells(self, data: st.DataObject) -> None:
        status = self.state.bot.status
        event = data.draw(st.sampled_from([one for one in EXPECTED if not isinstance(one, model.LoggedOut)]))
        if not isinstance(event, model.TemporarilyBanned):
            self.step(moves.Told("inc_past", at(self.now_s).wall_ms, event))
            assert self.state.bot.status == status

    @precondition(lambda self: self.state.logout_asked)
    @rule(confirmed=st.booleans())
    def logout_answers(self, confirmed: bool) -> None:
        if self.state.session is not None:
            self.step(moves.LogoutDone(self.state.session.incarnation, confirmed))

    @rule(held=st.sampled_from([True, False, False]))
    def incident(self, held: bool) -> None:
        self.step(moves.Held("whatsapp_unreachable") if held else moves.Released())

    # --- time ---

    @rule(seconds=st.sampled_from([0.1, 3.0, 31.0, 95.0, 400.0, 4_000.0]))
    def time_passes(self, seconds: float) -> None:
        until = self.now_s + seconds
        for _ in range(200):
            due = wake_at(self.state)
            if due is None or due > until:
                break
            self.now_s = max(self.now_s, due)
            self.step(moves.Tick())
        else:
            raise AssertionError("a deadline that never ends")
        self.now_s = max(self.now_s, until)

    # --- always ---

    @invariant()
    def the_session_is_the_hosts(self) -> None:
        if not hasattr(self, "state"):
            return
        session = self.state.session
        known = session.incarnation if session is not None else None
        if self.running is not None and not self.stopping:
            assert known == self.running
        if session is None:
            assert self.running is None and self.starting is None and not self.stopping

    @invariant()
    def nothing_runs_that_should_not(self) -> None:
        if not hasattr(self, "state"):
            return
        state = self.state
        leaving = state.session is not None and state.session.purpose in {"logout", "reject"}
        if state.bot.status in PARKED and not leaving:
            assert state.want is None, "a parked bot comes back by itself"
            assert state.session is None or state.session.stage == "stopping"
        if state.bot.desired == "stopped" and state.want is not None:
            assert state.want.purpose == "logout"
        if state.bot.status == "logged_out":
            assert state.private.device_file is None

    @invariant()
    def nobody_waits_for_nothing(self) -> None:
        """A bot in a status that promises to go on has a session, a start to come, or a deadline."""
        if not hasattr(self, "state"):
            return
        state = self.state
        if state.bot.status in {"starting", "connecting", "reconnecting", "pairing", "degraded", "stopping", "banned"}:
            assert state.session is not None or state.want is not None, state.bot.status
        if state.bot.status in {"connecting", "reconnecting", "pairing", "degraded"} and state.want is None:
            session = state.session
            watched = bool(state.timers) or wake_at(state) is not None
            assert session is not None
            assert session.stage != "up" or watched or state.held_since_s is not None, state.bot.status


BotMachine.TestCase.settings = settings(max_examples=examples(150), stateful_step_count=40)
TestBotMachine = BotMachine.TestCase
