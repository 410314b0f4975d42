"""What people ask of a bot: start, stop, restart, link, log out, delete, patch. Pure; legal in every status.

Owns the meaning of commands. It must never know who asked or over which wire. Read `fold_link.py` for what a link
attempt does next, `fold_session.py` for sessions.
"""

from __future__ import annotations

from dataclasses import replace
from typing import assert_never

import msgspec

from orchestrator.bots import fold_link, moves, record
from orchestrator.bots.moves import Command
from orchestrator.bots.step import Step, new_candidate
from orchestrator.errors import Refused
from orchestrator.model import Link
from orchestrator.ports import BotPatch, LinkRequest
from orchestrator.supervisor.policy import History

LOGOUT_S = 15.0
"""To connect for a log-out, and be answered."""


def command(step: Step, asked: Command, tries_per_hour: int) -> None:
    """Carry out one command.

    Raises:
        Refused: nothing changes.
    """
    if step.s.deleting:
        raise Refused("not_found")
    if _leaving(step) and isinstance(asked, moves.StartAsked | moves.StopAsked | moves.RestartAsked | moves.LinkAsked):
        # A log-out is seconds from its end and cannot be taken back; its answer must not be lost.
        step.set_bot(desired="stopped" if isinstance(asked, moves.StopAsked) else step.bot.desired)
        return
    match asked:
        case moves.StartAsked():
            start(step, tries_per_hour)
        case moves.StopAsked():
            stop(step)
        case moves.RestartAsked():
            restart(step, tries_per_hour)
        case moves.LinkAsked(request=request):
            link(step, request, tries_per_hour)
        case moves.LogoutAsked():
            logout(step)
        case moves.DeleteAsked():
            delete(step)
        case moves.Patched(patch=changes):
            patch(step, changes)
        case _:
            assert_never(asked)


def start(step: Step, tries_per_hour: int) -> None:
    """Bring the bot up: as its account, or, not linked, with a link attempt. Does nothing to one that runs."""
    session, want = step.s.session, step.s.want
    step.set_bot(desired="running")
    if step.s.moving_since_s is not None:
        return
    if session is not None and session.stage != "stopping" and session.purpose in {"link", "run"}:
        return
    if step.bot.status in {"banned", "outdated"} and want is not None:
        return  # Trying before the ban ends makes it longer.
    if want is not None and step.bot.status in {"starting", "connecting", "reconnecting", "replaced", "failed"}:
        # A person's gesture is worth more than a back-off.
        step.set(want=replace(want, at_s=step.now.mono_s), history=History())
        return
    if step.is_linked():
        begin(step)
    else:
        begin_link(step, LinkRequest(), tries_per_hour)


def begin(step: Step) -> None:
    """Start the linked bot now, with a clean slate."""
    step.forget_attempt()
    step.disarm("logout")
    step.set(history=History(), unreached=0, climbing=False, moving_since_s=None)
    step.end_session()
    step.status("starting")
    step.want("run")


def begin_link(step: Step, request: LinkRequest, tries_per_hour: int) -> None:
    """Begin a link attempt a person asked for. Refuses `too_many_link_attempts`."""
    now_ms = step.now.wall_ms
    recent = record.within(step.private.attempts_ms, now_ms, record.HOUR_MS)
    left, renews_ms = record.tries(recent, tries_per_hour, now_ms)
    if left == 0:
        wait_s = (renews_ms - now_ms) / 1000 if renews_ms is not None else record.HOUR_MS / 1000
        raise Refused("too_many_link_attempts", retry_after_s=max(1.0, wait_s))
    step.set_private(attempts_ms=(*recent, now_ms))
    step.set_bot(desired="running")
    attempt(step, request)


def attempt(step: Step, request: LinkRequest) -> None:
    """Begin a link attempt: a number, a file and a process of its own."""
    step.hide_codes()
    step.end_session()
    _expect(step, request)
    candidate = new_candidate(step, request.method, request.phone)
    step.set_private(candidate=candidate, attempt=candidate.attempt)
    step.set(history=History(), unreached=0, climbing=False, moving_since_s=None)
    step.status("starting")
    step.set_bot(link=Link(candidate.method, candidate.attempt))
    step.disarm("logout")
    step.want("link")


def _expect(step: Step, request: LinkRequest) -> None:
    """Keep the number that is to link; a request that does not speak of one changes nothing."""
    if request.expected_phone is not msgspec.UNSET:
        step.set_private(expected_phone=request.expected_phone)


def stop(step: Step) -> None:
    """Take the bot down; a link attempt ends with it."""
    step.set_bot(desired="stopped")
    _quiesce(step)
    if step.s.session is None:
        step.status("stopped")
    else:
        step.status("stopping")
        step.end_session()


def _quiesce(step: Step) -> None:
    """Nothing is to be started or waited for any more."""
    step.set(want=None, climbing=False, moving_since_s=None, unreached=0)
    step.disarm("logout")
    if step.s.code_asked:
        step.do(moves.RefuseCode("no_code_on_offer"))
    step.forget_attempt()


def restart(step: Step, tries_per_hour: int) -> None:
    """Take the bot down and up again; a bot that is not linked gets a new attempt."""
    step.set_bot(desired="running")
    if step.is_linked():
        begin(step)
        return
    running = step.private.candidate
    request = LinkRequest()
    if running is not None:
        request = LinkRequest(running.method, running.phone)
    begin_link(step, request, tries_per_hour)


def link(step: Step, request: LinkRequest, tries_per_hour: int) -> None:
    """Begin a link attempt, or join the one that runs (a pairing code may be asked for beside a QR code).

    A bot that has just been linked stays so: the second of two clicks must not cost it the device.
    Refuses `no_code_on_offer` for a code that can't come.
    """
    if step.is_linked() and step.bot.status in {"pairing", "connected"}:
        if request.method == "code":
            raise Refused("no_code_on_offer", "The bot is linked. Log it out first to link another account.")
        return
    candidate = step.private.candidate
    if candidate is None or not _attempt_runs(step):
        begin_link(step, request, tries_per_hour)
        return
    step.set_bot(desired="running")
    _expect(step, request)
    if request.method == "code" and request.phone is not None and request.phone != candidate.phone:
        step.set_private(candidate=msgspec.structs.replace(candidate, method="code", phone=request.phone))
        step.set_bot(link=Link("code", candidate.attempt))
        step.set(code_asked=False)
        if step.s.offer is not None:
            step.do(moves.HideCodes(qr_only=True))
            fold_link.ask_code(step)


def _attempt_runs(step: Step) -> bool:
    session, want = step.s.session, step.s.want
    if session is not None and session.purpose == "link" and session.stage != "stopping":
        return True
    return want is not None and want.purpose == "link"


def logout(step: Step) -> None:
    """Unlink at WhatsApp, connecting for it if need be. Refuses `not_linked`."""
    if not step.is_linked():
        raise Refused("not_linked")
    if not _leaving(step):
        unlink(step)


def _leaving(step: Step) -> bool:
    session, want = step.s.session, step.s.want
    purposes = {session.purpose if session else None, want.purpose if want else None}
    return "logout" in purposes and "logout" in step.s.timers


def unlink(step: Step) -> None:
    """Ask WhatsApp to forget the device, through the session that runs or one started for it, within 15 s."""
    step.set(want=None, climbing=False, moving_since_s=None, unreached=0)
    step.arm("logout", LOGOUT_S)
    session = step.s.session
    if session is not None and session.purpose in {"link", "reject"}:
        step.forget_attempt()
        step.end_session()
    elif session is not None and session.stage != "stopping":
        step.set(session=replace(session, purpose="logout"))
        step.disarm("move", "move_latest", "healthy")
        if step.bot.status in {"connected", "degraded"}:
            step.set(logout_asked=True)
            step.do(moves.AskLogout(session.incarnation))
    if step.s.session is None or step.s.session.purpose != "logout":
        step.want("logout")
    step.status("stopping")


def delete(step: Step) -> None:
    """Log out if the bot is linked, then erase everything of it."""
    _quiesce(step)
    step.set_bot(desired="stopped")
    step.set(deleting=True)
    if step.is_linked():
        unlink(step)
    elif step.s.session is None:
        step.status("stopped")
        step.do(moves.Erase())
    else:
        step.status("stopping")
        step.end_session()


def patch(step: Step, changes: BotPatch) -> None:
    """Change name, device name, proxy or presence; what a session was started with holds until its next start."""
    if changes.name is not msgspec.UNSET:
        step.set_bot(name=changes.name)
    if changes.device_name is not msgspec.UNSET:
        step.set_bot(device_name=changes.device_name)
    if changes.presence is not msgspec.UNSET:
        step.set_bot(presence=changes.presence)
    if changes.proxy is not msgspec.UNSET and changes.proxy != step.private.proxy:
        step.set_private(proxy=changes.proxy, proxy_proved=changes.proxy is None)
        step.set_bot(proxy=changes.proxy is not None)
