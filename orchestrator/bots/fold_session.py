"""What a session tells and how it ends: the lifecycle table's verdicts carried out. Pure.

Owns statuses of linked bots, the ladder of `degraded`, retries and the move to the pool. It must never know the library
or a process. Read `sessions/lifecycle.py` for the verdicts, `orchestrator/supervisor/policy.py` for crashes.
"""

from __future__ import annotations

from typing import assert_never, get_args

from orchestrator.bots import fold_end, fold_link, moves
from orchestrator.bots.frames import frame_data, stream_error_label
from orchestrator.bots.moves import Told
from orchestrator.bots.record import Ending
from orchestrator.bots.step import TOLD_RETRIES, WATCHDOGS, Step
from orchestrator.errors import ban_text
from orchestrator.model import Reason, Repair, Status
from orchestrator.supervisor import child, policy
from sessions import lifecycle, model
from sessions.lifecycle import Verdict

FIRST_SYNC_QUIET_S = 30.0
"""A newly started bot moves to the pool when its first sync was quiet for so long."""
FIRST_SYNC_MOST_S = 600.0

FIRST_REPAIR = Repair(1, 3, "reconnect")
"""The library is still at it."""
REPAIRS: dict[moves.Timer, Repair] = {
    "keepalive_new_client": Repair(2, 3, "new_client"),
    "keepalive_new_worker": Repair(3, 3, "new_worker"),
}
"""What begins when this watchdog runs out."""

UNREACHED = child.ChildSpec(backoff_cap_s=60.0)
"""Starts of a linked bot that find no network: nobody's fault, and it should be back soon after the network is."""


def told(step: Step, event: Told) -> None:
    """Take one lifecycle event of a session."""
    session = step.s.session
    current = step.holds(event.incarnation)
    linking = session.purpose == "link" if current and session is not None else step.private.candidate is not None
    verdict = lifecycle.judge(event.event, linking=linking)
    if not current:
        _past(step, verdict, event)
    elif session is not None and session.purpose in {"logout", "reject"}:
        _while_leaving(step, verdict, event)
    else:
        _present(step, verdict, event)


def _past(step: Step, verdict: Verdict, event: Told) -> None:
    """An incarnation that is over left this in its spool: history for the log, except what holds for the device."""
    match event.event:
        case model.PairSucceeded():
            fold_link.paired(step, verdict, event, current=False)
        case model.LoggedOut() if step.is_linked():
            _tell(step, verdict, event)
            _unlinked(step, verdict)
        case model.TemporarilyBanned() if step.s.session is None:
            _tell(step, verdict, event)
            _follow(step, verdict, event.at_ms)
            _name_cause(step, event.event)
        case _:
            _tell(step, verdict, event)


def _name_cause(step: Step, event: model.SessionEvent) -> None:
    """Say why WhatsApp banned the account, where it said so."""
    reason = step.bot.reason
    if isinstance(event, model.TemporarilyBanned) and reason is not None and reason.code == "temporary_ban":
        step.set_bot(reason=Reason(reason.code, ban_text(event.code), event.code))


def _while_leaving(step: Step, verdict: Verdict, event: Told) -> None:
    """The session is there only to be unlinked."""
    session = step.s.session
    assert session is not None
    if isinstance(event.event, model.Connected):
        if not step.s.logout_asked:
            step.set(logout_asked=True)
            step.do(moves.AskLogout(session.incarnation))
    elif isinstance(event.event, model.LoggedOut):
        fold_end.logout_over(step, confirmed=True)
    elif not isinstance(verdict.next, lifecycle.Keep | lifecycle.Watch | lifecycle.WithdrawCode):
        fold_end.logout_over(step, confirmed=False)


def _present(step: Step, verdict: Verdict, event: Told) -> None:
    match event.event:
        case model.QrOffered():
            fold_link.offered(step, event.at_ms, event.event)
        case model.PairSucceeded():
            fold_link.paired(step, verdict, event, current=True)
        case model.Connected():
            connected(step, event.event)
        case model.Disconnected() if step.bot.status == "pairing":
            return  # WhatsApp restarts the stream after pairing (515): never an error, never a frame.
        case model.StartFailed() if verdict.status == "starting":
            fold_link.unreachable(step, step.unreached(verdict.reason))
        case model.CodesExpired() | model.Disconnected() if fold_link.nothing_offered(step):
            # The library tells a closed connection like codes used up.
            fold_link.unreachable(step, "whatsapp_unreachable")
        case model.KeepaliveRestored():
            step.set(keepalive_open=False)
            _tell(step, verdict, event)
            if step.bot.status == "degraded":
                _heal(step)
        case _:
            _tell(step, verdict, event)
            if isinstance(event.event, model.KeepaliveTimeout):
                step.set(keepalive_open=True)
            _follow(step, verdict, event.at_ms)
            _name_cause(step, event.event)


def _tell(step: Step, verdict: Verdict, event: Told) -> None:
    """Publish the verdict's frame."""
    if isinstance(event.event, model.StreamError):
        label = stream_error_label(event.event.code)
        step.do(moves.CountStreamError(label, verdict.row.expected))
    if verdict.frame is not None:
        step.tell(verdict.frame, frame_data(event.event, verdict, event.at_ms))


def connected(step: Step, event: model.Connected) -> None:
    """The bot is up. A second `Connected` while it was connected (515, the move) is nobody's news."""
    session, status = step.s.session, step.bot.status
    if session is None or session.purpose == "link":
        return  # An account without PairSucceeded: it follows in order, or never.
    if step.s.moving_since_s is not None:
        step.do(moves.MovedToPool(step.now.mono_s - step.s.moving_since_s))
    elif status != "connected":
        step.tell("whatsapp_connected", {"account": event.account})
    step.status("connected")
    step.disarm(*WATCHDOGS)
    step.set(
        history=policy.came_up(step.s.history, step.now.mono_s),
        keepalive_open=False, climbing=False, unreached=0, moving_since_s=None,
    )  # fmt: skip
    if step.bot.link is not None:
        step.set_bot(link=None)
    if step.bot.account != event.account:
        step.set_bot(account=event.account)
    if not step.private.proxy_proved:
        step.set_private(proxy_proved=True)
    step.arm("healthy", child.BOT.healthy_s)
    if session.placement != "pool" and "move" not in step.s.timers:
        step.arm("move", FIRST_SYNC_QUIET_S)
        step.arm("move_latest", FIRST_SYNC_MOST_S)


def _heal(step: Step) -> None:
    step.status("connected")
    step.set(history=policy.came_up(step.s.history, step.now.mono_s))
    step.arm("healthy", child.BOT.healthy_s)


def watchdog(step: Step, name: moves.Timer) -> None:
    """A watchdog ran out: the library had its time."""
    match name:
        case "pairing" | "reconnect" | "stream_error" | "keepalive_new_client" | "keepalive_new_worker":
            step.disarm(name)
            verdict = lifecycle.watchdog(name)
            if name == "keepalive_new_worker":
                step.set(climbing=False)
            _follow(step, verdict, step.now.wall_ms)
            if name in REPAIRS and step.bot.status == "degraded":
                step.set_bot(repair=REPAIRS[name])
        case "move" | "move_latest":
            move(step)
        case "healthy":
            step.disarm("healthy")
            step.set(history=policy.came_up(step.s.history, step.now.mono_s))
            step.set_bot(restarts=0)
        case "logout":
            step.disarm("logout")
            fold_end.logout_over(step, confirmed=False)
        case _:
            assert_never(name)


def move(step: Step) -> None:
    """Move a bot whose first sync is over to the pool: stop here, start there, no status change."""
    session, timers = step.s.session, step.s.timers
    if session is None or step.bot.status != "connected" or session.stage != "up":
        step.disarm("move", "move_latest")
        return
    quiet_at = step.now.heard_s + FIRST_SYNC_QUIET_S
    latest = timers.get("move_latest", step.now.mono_s) <= step.now.mono_s
    if not latest and quiet_at > step.now.mono_s:
        step.arm("move", quiet_at - step.now.mono_s)
        return
    if step.now.sending:
        step.arm("move", 1.0)
        if latest:
            step.arm("move_latest", 1.0)
        return
    step.set(moving_since_s=step.now.mono_s)
    step.end_session()
    step.want("run")


# --- what a verdict asks for ---------------------------------------------------------------------------------


def _follow(step: Step, verdict: Verdict, at_ms: int) -> None:
    """Carry out a verdict's next step for a bot that is, or was, up."""
    if verdict.status is not None and verdict.status != "connected":
        step.set(history=policy.went_down(step.s.history, step.now.mono_s), moving_since_s=None)
        step.disarm("healthy")
    match verdict.next:
        case lifecycle.Keep():
            _settle_status(step, verdict)
        case lifecycle.WithdrawCode():
            fold_link.withdrawn(step)
        case lifecycle.Watch(after_s=after_s, name=name):
            if step.s.climbing:
                return
            _settle_status(step, verdict)
            timer: moves.Timer | None = _timer(name)
            if timer is not None and timer not in step.s.timers:
                step.arm(timer, after_s)
                if timer == "keepalive_new_client" and step.bot.status == "degraded":
                    step.set_bot(repair=FIRST_REPAIR)
        case lifecycle.Restart() as wanted:
            _restart(step, verdict, wanted)
        case lifecycle.Retry() as wanted:
            _retry(step, verdict, wanted, at_ms)
        case lifecycle.Park() as wanted:
            _park(step, verdict, wanted, at_ms)
        case lifecycle.End():
            _end(step, verdict)
        case lifecycle.HoldFleet():
            step.set(want=None, climbing=False)
            step.forget_attempt()
            _settle_status(step, verdict)
            step.end_session()
        case _:
            assert_never(verdict.next)


def _timer(name: lifecycle.Watchdog) -> moves.Timer | None:
    match name:
        case "pairing" | "reconnect" | "stream_error" | "keepalive_new_client" | "keepalive_new_worker":
            return name
        case "callback_stuck" | "phone_not_seen" | "worker_died":
            return None
        case _:
            assert_never(name)


def _settle_status(step: Step, verdict: Verdict, retry_at: int | None = None) -> None:
    if verdict.status is None:
        return
    status = to_status(verdict.status)
    step.status(status, verdict.reason, retry_at=retry_at)


_STATUSES: dict[str, Status] = {name: name for name in get_args(Status)}


def to_status(name: str) -> Status:
    """Read a status of the lifecycle table; a test compares the two vocabularies."""
    return _STATUSES[name]


def _restart(step: Step, verdict: Verdict, wanted: lifecycle.Restart) -> None:
    unreached = isinstance(verdict.next, lifecycle.Restart) and verdict.row.number in {29, 30}
    spec = UNREACHED if unreached else child.BOT
    decision = policy.next(step.s.history, child.Retry(wanted.after_s), step.now.mono_s, step.now.random, spec)
    assert isinstance(decision, policy.Restart)
    if unreached:
        step.set(unreached=step.s.unreached + 1)
        step.quiet = step.s.unreached > TOLD_RETRIES
    delay_s = decision.at - step.now.mono_s
    own = wanted.own_worker or (verdict.row.number == 8)
    status = to_status(verdict.status or "reconnecting")
    if status == "connecting" and step.bot.status in {"reconnecting", "degraded"}:
        status = step.bot.status
    step.set(history=decision.history, climbing=wanted.then is not None)
    step.end_session()
    reason = step.unreached(verdict.reason) if unreached else verdict.reason
    step.status(status, reason, retry_at=step.retry_at(delay_s) if delay_s > 0 else None)
    if wanted.then is not None:
        timer = _timer(wanted.then.name)
        assert timer is not None
        step.arm(timer, wanted.then.after_s)
    step.want("run", delay_s, own=own)


def _retry(step: Step, verdict: Verdict, wanted: lifecycle.Retry, at_ms: int) -> None:
    """An expected ending that may be tried again only a few times."""
    key = str(verdict.row.number)
    before = step.private.endings.get(key)
    close = before is not None and at_ms - before.at_ms < wanted.within_s * 1000
    count = before.count + 1 if before is not None and close else 1
    step.set_private(endings={**step.private.endings, key: Ending(count, at_ms)})
    step.set(climbing=False)
    step.end_session()
    if count > len(wanted.delays_s):
        _give_up(step, to_status(wanted.finally_status), verdict.reason)
        return
    delay_s = wanted.delays_s[count - 1] + step.now.random * wanted.jitter_s
    _settle_status(step, verdict, step.retry_at(delay_s))
    step.want("run", delay_s)


def _give_up(step: Step, status: Status, reason: str | None) -> None:
    """No more tries of its own, except the slow probe of `failed`."""
    if status == "failed":
        step.status(status, reason, retry_at=step.retry_at(child.BOT.slow_probe_s))
        step.want("run", child.BOT.slow_probe_s)
    else:
        step.set(want=None)
        step.status(status, reason)


def _park(step: Step, verdict: Verdict, wanted: lifecycle.Park, at_ms: int) -> None:
    until_ms = at_ms + round(wanted.until_in_s * 1000)
    again_ms = until_ms + round((wanted.settle_s + wanted.jitter_s * step.now.random) * 1000)
    delay_s = max(0.0, (again_ms - step.now.wall_ms) / 1000)
    step.set(climbing=False)
    step.end_session()
    step.status(to_status(verdict.status or "banned"), verdict.reason, retry_at=again_ms, until=until_ms)
    if step.bot.desired == "running":
        step.want("run", delay_s)


def _end(step: Step, verdict: Verdict) -> None:
    session = step.s.session
    if verdict.row.number in {17, 18, 19, 20, 39}:
        _unlinked(step, verdict)
    elif session is not None and session.purpose == "link":
        fold_link.over(step, verdict)
    else:
        step.set(want=None, climbing=False)
        _settle_status(step, verdict)
        step.end_session()


def _unlinked(step: Step, verdict: Verdict) -> None:
    """The keys are gone; only a person can link again."""
    running = step.s.session
    fold_end.forget_device(step)
    if running is not None and running.purpose == "link":
        return  # A new attempt is under way already: this was about the device before it.
    step.set(want=None, climbing=False)
    _settle_status(step, verdict)
    step.end_session()
