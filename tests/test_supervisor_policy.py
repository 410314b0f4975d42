"""Restart policy: the written rule, and a machine that checks it against every order of endings."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from orchestrator.supervisor import child, policy
from orchestrator.supervisor.child import BOT, ChildSpec
from orchestrator.supervisor.policy import History

JUST_BELOW_ONE = 0.999_999


def crash(history: History, now: float) -> policy.Decision:
    return policy.next(history, child.Crash(), now, 0.5)


def test_done_ends_the_child() -> None:
    """A child that ended as asked is left alone."""
    assert policy.next(History(), child.Done(), 5.0, 0.5) == policy.Done(History())


@pytest.mark.parametrize("until", [None, 123.0])
def test_park_passes_through(until: float | None) -> None:
    """An expected ending that waits for a person or a time is parked as it says."""
    decision = policy.next(History(), child.Park("banned", until), 5.0, 0.5)
    assert decision == policy.Park("banned", until, History())


def test_fixed_wait_is_kept() -> None:
    """A retry with a wait of its own comes after exactly that wait."""
    decision = policy.next(History(), child.Retry(30.0), 100.0, 0.7)
    assert isinstance(decision, policy.Restart)
    assert decision.at == 130.0


def test_the_fifth_crash_within_the_period_parks() -> None:
    """Four crashes in ten minutes are restarted, the fifth is parked as failed with a probe after half an hour."""
    history = History()
    for number in range(4):
        decision = crash(history, 100.0 * number)
        assert isinstance(decision, policy.Restart)
        history = decision.history
    decision = crash(history, 400.0)
    assert isinstance(decision, policy.Park)
    assert (decision.status, decision.until) == ("failed", 400.0 + 1800.0)


def test_crashes_older_than_the_period_are_forgotten() -> None:
    """Five crashes that do not fall within ten minutes never spend the budget."""
    history = History()
    for number in range(20):
        decision = crash(history, 151.0 * number)
        assert isinstance(decision, policy.Restart)
        history = decision.history


def test_a_failed_slow_probe_parks_again_at_once() -> None:
    """After the budget was spent, one more crash is enough, however long ago the others were."""
    history = History(crashes=(0.0,), spent=True)
    decision = crash(history, 10_000.0)
    assert isinstance(decision, policy.Park)
    assert decision.until == 11_800.0


def test_a_healthy_minute_ends_the_slow_probes() -> None:
    """A child that stayed up for a minute after its probe has its budget and its back-off again."""
    history = policy.came_up(History(crashes=(0.0,), tries=7, spent=True), 10_000.0)
    decision = policy.next(history, child.Crash(), 10_060.0, JUST_BELOW_ONE)
    assert isinstance(decision, policy.Restart)
    assert decision.at - 10_060.0 <= 2.0


def test_less_than_a_minute_resets_nothing() -> None:
    """A child that came up only briefly goes on with the back-off it had."""
    history = policy.came_up(History(tries=5), 1_000.0)
    decision = policy.next(history, child.Retry(), 1_059.0, JUST_BELOW_ONE)
    assert isinstance(decision, policy.Restart)
    assert decision.at - 1_059.0 > 60.0


def test_a_lost_link_credits_the_healthy_time_before_it() -> None:
    """Going down without ending settles the healthy minute; the time down does not count as healthy."""
    history = policy.went_down(policy.came_up(History(tries=5), 0.0), 90.0)
    assert (history.tries, history.up_since) == (0, None)
    again = policy.came_up(policy.came_up(history, 100.0), 130.0)
    assert again.up_since == 100.0


@given(tries=st.integers(0, 10_000), random=st.floats(0, 1, exclude_max=True), now=st.floats(0, 1e9))
def test_back_off_stays_within_its_bounds(tries: int, random: float, now: float) -> None:
    """The wait is a full jitter of two seconds, doubled with each try, and never above five minutes."""
    decision = policy.next(History(tries=tries), child.Retry(), now, random)
    assert isinstance(decision, policy.Restart)
    wait_s = decision.at - now
    assert -1e-6 <= wait_s <= min(300.0, 2.0 * 2.0 ** min(tries, 20)) + 1e-6
    assert wait_s == pytest.approx(random * min(300.0, 2.0 * 2.0 ** min(tries, 20)), abs=1e-6)


class PolicyMachine(RuleBasedStateMachine):
    """Random endings at random times, against the rule as it is written: only crashes are counted, by hand."""

    spec: ChildSpec = BOT

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0
        self.history = History()
        self.crashes: list[float] = []
        self.up_at: float | None = None
        self.spent = False

    def _keep(self, decision: policy.Decision) -> policy.Decision:
        if self.up_at is not None and self.now - self.up_at >= 60.0:
            self.spent = False
        self.up_at = None
        self.history = decision.history
        return decision

    @rule(seconds=st.floats(0.0, 700.0))
    def wait(self, seconds: float) -> None:
        self.now += seconds

    @precondition(lambda self: self.up_at is None)
    @rule()
    def come_up(self) -> None:
        self.history = policy.came_up(self.history, self.now)
        self.up_at = self.now

    @rule(exit=st.sampled_from([child.Retry(), child.Retry(0.0), child.Park("logged_out"), child.Done()]))
    def end_as_expected(self, exit: child.Exit) -> None:  # noqa: A002 - the policy's word
        before = self.history.crashes
        decision = self._keep(policy.next(self.history, exit, self.now, 0.5))
        assert decision.history.crashes == before, "an expected event never counts"
        assert not (isinstance(decision, policy.Park) and decision.status == "failed")

    @rule(random=st.floats(0, 1, exclude_max=True))
    def crash(self, random: float) -> None:
        decision = self._keep(policy.next(self.history, child.Crash(), self.now, random))
        self.crashes = [at for at in self.crashes if self.now - at < 600.0] + [self.now]
        if self.spent or len(self.crashes) >= 5:
            self.spent = True
            assert decision == policy.Park("failed", self.now + 1800.0, self.history)
        else:
            assert isinstance(decision, policy.Restart)
            assert self.now <= decision.at <= self.now + 300.0

    @invariant()
    def memory_is_bounded(self) -> None:
        assert len(self.history.crashes) <= 5


TestPolicyMachine = PolicyMachine.TestCase
