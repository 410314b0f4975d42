"""How sessions end and what the supervisor room answers: started, refused, gone, stopped, unlinked. Pure.

Owns crashes and the restart budget, and what is to be done when nothing holds the bot any more. It must never know a
process. Read `orchestrator/supervisor/policy.py` next for the budget.
"""

from __future__ import annotations

from dataclasses import replace
from typing import assert_never

from orchestrator.bots import fold_commands, fold_link, moves
from orchestrator.bots.step import HELD_RETRY_S, WATCHDOGS, Step
from orchestrator.ports import LinkRequest, SessionGone
from orchestrator.supervisor import child, policy
from sessions.lifecycle import RECONNECT_S

HELD_RACE_S = 2.0
"""Before a start is tried again whose incident was over when its refusal came."""
LONG_OUTAGE_S = 30.0
"""The library waits 0, 2, 4, … s between tries (whatsmeow client.go): after so long the next is more than 10 s away."""

_GONE_REASONS = {
    "crashed": "worker_crashed",
    "killed_hung": "worker_crashed",
    "storage_unavailable": "storage_unavailable",
    "start_timed_out": "whatsapp_unreachable",
    "condemned": "worker_crashed",
}


def started(step: Step, incarnation: str) -> None:
    """A worker took the session up; what it finds arrives as events."""
    session = step.s.session
    if session is None or session.incarnation != incarnation or session.stage == "stopping":
        return
    step.set(session=replace(session, stage="up"))
    if session.purpose != "run":
        return
    if step.bot.status in {"starting", "replaced", "banned", "failed", "outdated"}:
        reason = step.bot.reason.code if step.bot.reason and (step.s.unreached or step.bot.status == "failed") else None
        step.status("connecting", reason)
    if step.bot.status in {"connecting", "reconnecting"} or step.s.moving_since_s is not None:
        step.arm("reconnect", RECONNECT_S)


def refused(step: Step, event: moves.HostRefused) -> None:
    """The session could not be handed to a worker; nothing of it runs."""
    session = step.s.session
    if session is None or session.incarnation != event.incarnation or session.stage == "stopping":
        return  # A stop is under way: its end says what follows.
    step.set(session=None)
    if session.purpose in {"logout", "reject"}:
        logout_over(step, confirmed=False)
        return
    match event.cause:
        case "draining":
            step.set(want=None)  # The supervisor is ending; desired state brings the bot back at its next start.
        case "superseded":
            _come_back(step, session, None, child.Retry())  # Another process still holds the bot.
        case "storage_unavailable" | "worker_crashed" as cause:
            _come_back(step, session, cause, child.Retry())
        case "held_by_incident":
            step.want(session.purpose, 0.0 if event.holding else HELD_RACE_S)
            if event.holding is not None:
                held(step, event.holding)
        case _:
            assert_never(event.cause)


def gone(step: Step, event: SessionGone) -> None:
    """The session ended without being asked to. Only a death alone in a worker counts against the bot's budget."""
    session = step.s.session
    if session is None or session.incarnation != event.incarnation:
        return
    crashed = event.cause in {"crashed", "killed_hung"}
    if crashed:
        step.do(moves.Crashed())
        step.set_bot(restarts=step.bot.restarts + 1)
    if session.stage == "stopping":
        return
    step.set(session=None, keepalive_open=False, climbing=False)
    if session.purpose in {"logout", "reject"}:
        if session.purpose == "logout":
            logout_over(step, confirmed=False)
        step.disarm("logout")
        _clean(step)
        return
    if event.cause == "condemned" and step.bot.status == "connected":
        # Its worker was closed under it; the bot itself is well: moved on at once, like to the pool.
        step.set(moving_since_s=step.now.mono_s)
        step.want("run")
        return
    exit_ = child.Crash() if crashed and event.alone else child.Retry(0.0 if event.cause == "condemned" else None)
    # A start that hung once may hang again, and would keep the pool's gate shut for the others.
    _come_back(step, session, _GONE_REASONS[event.cause], exit_, own=event.cause == "start_timed_out")


def _come_back(step: Step, session: moves.Session, reason: str | None, exit_: child.Exit, *, own: bool = False) -> None:
    step.disarm("healthy", "move", "move_latest")
    step.set(moving_since_s=None)
    decision = policy.next(step.s.history, exit_, step.now.mono_s, step.now.random)
    step.set(history=decision.history)
    if isinstance(decision, policy.Done):
        return
    if isinstance(decision, policy.Park):
        delay_s = (decision.until or step.now.mono_s) - step.now.mono_s
        step.status("failed", "restart_budget_spent", retry_at=step.retry_at(delay_s))
        step.want("link" if session.purpose == "link" else "run", delay_s)
        return
    delay_s = decision.at - step.now.mono_s
    if session.purpose == "link":
        fold_link.again(step, reason, min(delay_s, fold_link.SHORT_RETRIES_S[-1]))
        return
    status = step.bot.status if step.bot.status in {"starting", "connecting"} else "reconnecting"
    step.status(status, reason, retry_at=step.retry_at(delay_s))
    step.want("run", delay_s, own=own)


def stopped(step: Step) -> None:
    """No process holds the bot any more."""
    session = step.s.session
    if session is not None and session.stage != "stopping":
        return  # A later start overtook the answer; cannot be while the mailbox makes one call at a time.
    step.set(session=None, keepalive_open=False, logout_asked=False)
    want = step.s.want
    if want is None or want.purpose != "link":
        step.forget_attempt()
    _clean(step)
    if step.s.deleting and not step.is_linked():
        step.do(moves.Erase())
    if step.bot.status == "stopping" and step.s.want is None:
        step.status("stopped")


def _clean(step: Step) -> None:
    """Destroy device files nothing names any more; nobody holds them now."""
    private = step.private
    keep = tuple(name for name in (private.device_file, private.candidate.file if private.candidate else None) if name)
    step.do(moves.KeepFiles(keep))


def logout_done(step: Step, event: moves.LogoutDone) -> None:
    """WhatsApp, or its silence, answered the log-out."""
    session = step.s.session
    if session is not None and session.incarnation == event.incarnation:
        logout_over(step, confirmed=event.confirmed)


def logout_over(step: Step, *, confirmed: bool) -> None:
    """The log-out is over, with WhatsApp's word or without it; the keys go either way."""
    session = step.s.session
    step.disarm("logout")
    if session is not None and session.purpose == "reject":
        step.end_session()
        return
    if session is not None and session.purpose != "logout":
        return
    step.set(want=None)
    forget_device(step)
    step.do(moves.AnswerLogout(confirmed))
    if step.s.deleting:
        if session is None:
            step.do(moves.Erase())
    else:
        step.status("logged_out", "logged_out_by_user")
    step.end_session()


def forget_device(step: Step) -> None:
    """The device's keys are gone: nothing to log in with."""
    step.set_private(device_file=None, account_jid=None, endings={})
    step.set_bot(account=None)


# --- incidents and pauses ------------------------------------------------------------------------------------


def held(step: Step, cause: str) -> None:
    """An incident is open on the bot's way: its starts and watchdogs stand still."""
    if step.s.held_since_s is None:
        step.set(held_since_s=step.now.mono_s)
    step.set(held_as=cause)
    if step.s.want is not None and step.bot.status in {"starting", "connecting", "reconnecting"}:
        step.status(step.bot.status, cause, retry_at=step.retry_at(HELD_RETRY_S))


def released(step: Step) -> None:
    """The incident is over: deadlines move by its length, waiting starts go now."""
    since_s, session, want = step.s.held_since_s, step.s.session, step.s.want
    if since_s is None:
        return
    shift(step, step.now.mono_s - since_s)
    step.set(held_since_s=None, held_as=None, unreached=0)
    if step.bot.status == "outdated" and step.bot.desired == "running" and want is None:
        _try_again(step)
        return
    if want is not None and step.bot.status in {"starting", "connecting", "reconnecting"}:
        step.want(want.purpose, own=want.own)
        return
    long = step.bot.status == "reconnecting" and step.now.wall_ms - step.bot.since >= LONG_OUTAGE_S * 1000
    if session is not None and session.purpose == "run" and long:
        # In the pool: the way was just proved, and a process for each of hundreds of bots would cost gigabytes at once.
        step.end_session()
        step.want("run")


def _try_again(step: Step) -> None:
    """WhatsApp may take the version again: as the account, or, where there is none, with a new code."""
    if step.is_linked():
        step.want("run")
    else:
        fold_commands.attempt(step, LinkRequest())


def shift(step: Step, seconds: float) -> None:
    """A watchdog counts only time in which the supervisor ran and the way to WhatsApp was there."""
    step.set(timers={name: at + seconds if name in WATCHDOGS else at for name, at in step.s.timers.items()})
