"""Restart policy: what follows when a child ended. Pure: (history, exit, now, random) in, decision out.

Each bot has a history of its own, so one that flaps pauses nobody else; expected endings never count against the
budget. It must never know why a bot exists or what a process is. Read `child.py` for the words, `pacing.py` for how
many restarts may go at once.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import assert_never

from orchestrator.model import Status
from orchestrator.supervisor import child
from orchestrator.supervisor.child import BOT, ChildSpec


@dataclass(frozen=True, slots=True)
class History:
    """What the policy remembers of one child. Immutable: every decision carries the next one. Times are those of the
    `now` passed in. A person's start or retry begins with a fresh one."""

    crashes: tuple[float, ...] = ()
    """Within the period, oldest first; at most `intensity` of them."""
    tries: int = 0
    """Restarts since the child was last up for a healthy minute: the exponent of the back-off."""
    up_since: float | None = None
    spent: bool = False
    """The budget was spent and no healthy minute has followed."""


@dataclass(frozen=True, slots=True)
class Restart:
    """Start the child again at `at`."""

    at: float
    history: History


@dataclass(frozen=True, slots=True)
class Park:
    """Leave the child down in this status; at `until`, when given, start it again."""

    status: Status
    until: float | None
    history: History


@dataclass(frozen=True, slots=True)
class Done:
    """The child ended as asked: nothing follows."""

    history: History


Decision = Restart | Park | Done


def came_up(history: History, now: float) -> History:
    """Note that the child is up (a bot: connected). Repeated calls keep the first time."""
    return history if history.up_since is not None else replace(history, up_since=now)


def went_down(history: History, now: float, spec: ChildSpec = BOT) -> History:
    """Note that the child is down but has not ended (a bot: reconnecting); a healthy minute before it is credited."""
    return replace(_settled(history, now, spec), up_since=None)


def next(history: History, exit: child.Exit, now: float, random: float, spec: ChildSpec = BOT) -> Decision:  # noqa: A001, A002 - the words of the design: policy.next(history, exit, now, random)
    """Decide what follows an ending.

    Args:
        history: of this child, from `History()` on.
        exit: how it ended.
        now: seconds on any one clock; the times decided are on the same one.
        random: drawn from [0, 1) by the caller: full jitter.
        spec: the kind of child.

    Returns:
        `Restart(at)`, `Park(status, until)` or `Done`, each with the history to keep.
    """
    history = went_down(history, now, spec)
    match exit:
        case child.Done():
            return Done(history)
        case child.Park(status, until):
            return Park(status, until, history)
        case child.Retry(after_s):
            return _restart(history, after_s, now, random, spec)
        case child.Crash():
            return _after_crash(history, now, random, spec)
    assert_never(exit)


def _after_crash(history: History, now: float, random: float, spec: ChildSpec) -> Decision:
    recent = (*(at for at in history.crashes if now - at < spec.period_s), now)
    history = replace(history, crashes=recent[-spec.intensity :])
    if history.spent or len(recent) >= spec.intensity:
        return Park("failed", now + spec.slow_probe_s, replace(history, spent=True))
    return _restart(history, None, now, random, spec)


def _restart(history: History, after_s: float | None, now: float, random: float, spec: ChildSpec) -> Restart:
    if after_s is None:
        # The exponent stops growing where the cap has long been reached, so that no float overflows.
        ceiling_s = min(spec.backoff_cap_s, spec.backoff_base_s * 2.0 ** min(history.tries, 32))
        after_s = random * ceiling_s
    return Restart(now + after_s, replace(history, tries=history.tries + 1))


def _settled(history: History, now: float, spec: ChildSpec) -> History:
    if history.up_since is not None and now - history.up_since >= spec.healthy_s:
        return replace(history, tries=0, spent=False)
    return history
