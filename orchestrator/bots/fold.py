"""The bot as a fold: (state, input, now) → (state, what to tell, what to do). Pure; one function, one line per input.

Owns the dispatch, start-up and deadlines. It must never know a task, the bus or the host. Read `moves.py` for the
vocabulary, `fold_commands.py`, `fold_link.py`, `fold_session.py`, `fold_end.py` for the arms, `bot.py` for the shell.
"""

from __future__ import annotations

from typing import assert_never

from orchestrator.bots import fold_commands, fold_end, fold_link, fold_session, moves
from orchestrator.bots.moves import BotState, Input, Moment, Outcome
from orchestrator.bots.step import WATCHDOGS, Step
from orchestrator.ports import LinkRequest
from orchestrator.supervisor import child

TRIES_PER_HOUR = 10
"""MAX_LINK_ATTEMPTS_PER_HOUR, unless the settings say otherwise."""

_COMES_BACK = frozenset(
    {"stopped", "starting", "awaiting_scan", "pairing", "connecting", "connected", "degraded", "reconnecting",
     "stopping", "outdated"}
)  # fmt: skip
"""Statuses a bot that is to run leaves at start-up by itself; `outdated` because the new process may be the upgrade."""

_WAITS = frozenset({"banned", "replaced", "failed"})
"""Statuses that come back when their time has come."""


def fold(state: BotState, event: Input, now: Moment, tries_per_hour: int = TRIES_PER_HOUR) -> Outcome:
    """Take one input.

    Returns:
        The next state; the events to commit with it, in one transaction, together with the records that changed; and
        the effects to carry out in order, once that is durable.

    Raises:
        Refused: a command that cannot be; nothing changes.
    """
    step = Step(state, now)
    match event:
        case moves.Boot():
            _boot(step)
        case moves.Recovered():
            _recovered(step)
        case moves.Told():
            fold_session.told(step, event)
        case moves.Gone(gone=gone):
            fold_end.gone(step, gone)
        case moves.HostStarted(incarnation=incarnation):
            fold_end.started(step, incarnation)
        case moves.HostRefused():
            fold_end.refused(step, event)
        case moves.HostStopped():
            fold_end.stopped(step)
        case moves.CodeGot(incarnation=incarnation):
            fold_link.code_got(step, incarnation)
        case moves.CodeFailed(incarnation=incarnation):
            fold_link.code_failed(step, incarnation)
        case moves.LogoutDone():
            fold_end.logout_done(step, event)
        case moves.Held(cause=cause):
            fold_end.held(step, cause)
        case moves.Released():
            fold_end.released(step)
        case moves.Away(seconds=seconds):
            fold_end.shift(step, seconds)
        case moves.Tick():
            _tick(step)
        case (
            moves.StartAsked() | moves.StopAsked() | moves.RestartAsked() | moves.LinkAsked() | moves.LogoutAsked()
            | moves.DeleteAsked() | moves.Patched()
        ):  # fmt: skip
            fold_commands.command(step, event, tries_per_hour)
        case _:
            assert_never(event)
    return step.finish()


def wake_at(state: BotState) -> float | None:
    """Return when the next `Tick` is due (monotonic), None when nothing waits for time."""
    if state.held_since_s is not None:
        times = [at for name, at in state.timers.items() if name not in WATCHDOGS]
    else:
        times = list(state.timers.values())
        if state.want is not None and state.session is None:
            times.append(state.want.at_s)
    return min(times, default=None)


def _boot(step: Step) -> None:
    """Say at once what is true of a stored bot: nothing runs yet. What an earlier worker left may still say more."""
    bot = step.bot
    if bot.status not in _COMES_BACK:
        return
    if bot.desired == "stopped":
        step.status("stopped")
    else:
        step.status("starting")
    if bot.link is not None:
        step.set_bot(link=None)


def _recovered(step: Step) -> None:
    """What is wanted running comes back; what waits for time or a person goes on waiting."""
    bot = step.bot
    if bot.desired == "stopped":
        step.forget_attempt()
        return
    if bot.status in _COMES_BACK and step.is_linked():
        step.forget_attempt()
        step.want("run")
    elif bot.status in _COMES_BACK:
        before = step.private.candidate
        request = LinkRequest(before.method, before.phone) if before else LinkRequest()
        fold_commands.attempt(step, request)
    elif bot.status in _WAITS:
        probe_ms = step.retry_at(child.BOT.slow_probe_s) if bot.status == "failed" else None
        at_ms = bot.retry_at or probe_ms
        if at_ms is not None:
            purpose: moves.Purpose = "run" if step.is_linked() else "link"
            step.want(purpose, max(0.0, (at_ms - step.now.wall_ms) / 1000))


def _tick(step: Step) -> None:
    held = step.s.held_since_s is not None
    for name, at_s in sorted(step.s.timers.items(), key=lambda item: item[1]):
        if at_s <= step.now.mono_s and step.s.timers.get(name) == at_s and not (held and name in WATCHDOGS):
            fold_session.watchdog(step, name)
