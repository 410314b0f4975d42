"""A link attempt from its first code to the connected device. Pure.

Owns what QR codes, pairing codes, pair-success and the attempt's endings make of a bot: the device file switches in
the same step that tells `pair_success`, and nothing between scan and `connected` is an error. It must never know the
codes themselves. Read `fold_session.py` next for what a linked session does.
"""

from __future__ import annotations

from dataclasses import replace

import msgspec

from orchestrator.bots import moves
from orchestrator.bots.moves import Offer, Told
from orchestrator.bots.step import TOLD_RETRIES, Step, new_candidate
from orchestrator.model import Link
from sessions import model
from sessions.lifecycle import Verdict, Watch

_NEXT_CODES_S = 20
"""How long every code after the first lives (whatsmeow qrchan.go)."""

SHORT_RETRIES_S = (2.0, 4.0, 8.0, 15.0)
"""Between tries of an attempt that finds no network: a person is waiting for the code; the last one repeats."""

WRONG_ACCOUNT_S = 15.0
"""To connect with a device that must not stay, and unlink it."""


def offered(step: Step, at_ms: int, event: model.QrOffered) -> None:
    """Show one code. The status changes with the first one of the attempt only."""
    candidate = step.private.candidate
    if candidate is None:
        return
    expires_ms = at_ms + event.lives_s * 1000
    offer = Offer(event.index, event.of, expires_ms, expires_ms + (event.of - event.index) * _NEXT_CODES_S * 1000)
    first = step.s.offer is None
    step.set(offer=offer, unreached=0)
    if not candidate.offered:
        step.set_private(candidate=msgspec.structs.replace(candidate, offered=True))
    if first or step.bot.status != "awaiting_scan":
        step.status("awaiting_scan")
    if candidate.method == "qr":
        step.do(moves.ShowQr(offer))
    elif not step.s.code_asked:
        ask_code(step)


def ask_code(step: Step) -> None:
    """Ask for the pairing code of the attempt's phone."""
    session, candidate = step.s.session, step.private.candidate
    if session is None or candidate is None or candidate.phone is None:
        return
    step.set(code_asked=True)
    step.do(moves.AskCode(session.incarnation, candidate.phone))


def code_got(step: Step, incarnation: str) -> None:
    """Show the pairing code, if its attempt still waits for one."""
    if step.holds(incarnation) and step.s.offer is not None and step.s.code_asked:
        step.do(moves.ShowCode(step.s.offer.ends_ms))


def code_failed(step: Step, incarnation: str) -> None:
    """No pairing code: the attempt goes on with QR codes, the next of which is shown."""
    candidate = step.private.candidate
    if not step.holds(incarnation) or candidate is None:
        return
    step.set(code_asked=False)
    step.set_private(candidate=msgspec.structs.replace(candidate, method="qr", phone=None))
    step.set_bot(link=Link("qr", candidate.attempt))
    step.do(moves.RefuseCode("whatsapp_unavailable"))


def withdrawn(step: Step) -> None:
    """The QR code shown is void; the next one comes by itself."""
    step.do(moves.HideCodes(qr_only=True))


def paired(step: Step, verdict: Verdict, told: Told, *, current: bool) -> None:
    """Keys are saved: the attempt's file becomes the bot's device, or, for the wrong account, is unlinked again.

    Args:
        current: the session runs; False for what a dead or ending worker had spooled.
    """
    candidate, session = step.private.candidate, step.s.session
    event = told.event
    if candidate is None or candidate.incarnation != told.incarnation or not isinstance(event, model.PairSucceeded):
        return
    account = event.account
    wrong = None
    if told.taken:
        wrong = "already_linked"
    elif step.private.expected_phone not in {None, account.phone}:
        wrong = "wrong_number"
    if wrong is not None:
        step.set_private(rejected=told.incarnation)
        _refuse(step, wrong, account, current=current)
        return
    private = step.private
    other = private.account_phone is not None and private.account_phone != account.phone
    step.set_private(
        device_file=candidate.file,
        account_jid=account.jid,
        account_phone=account.phone,
        generation=private.generation + (1 if other else 0),
        candidate=None,
        expected_phone=None,
        endings={},
    )
    if other:
        step.do(moves.AccountChanged())
    step.do(moves.KeepFiles((candidate.file,)))
    step.tell("pair_success", {"account": account})
    step.hide_codes()
    step.set_bot(account=account, link=step.bot.link if current else None)
    if current and session is not None:
        step.set(session=replace(session, purpose="run"))
        step.status("pairing")
        assert isinstance(verdict.next, Watch)
        step.arm("pairing", verdict.next.after_s)


def _refuse(step: Step, code: str, account: model.Account, *, current: bool) -> None:
    """Unlink a device that must not stay: as soon as its stream is back after 515, at most 15 s."""
    step.tell("pair_error", {"code": code, "account": account})
    session = step.s.session
    if current and session is not None:
        step.set(session=replace(session, purpose="reject"))
    step.forget_attempt()
    if current:
        step.arm("logout", WRONG_ACCOUNT_S)
    step.status("login_expired", code)


def nothing_offered(step: Step) -> bool:
    """Whether an attempt runs that never had a code: nobody could have scanned, so nothing has expired."""
    session, candidate = step.s.session, step.private.candidate
    return session is not None and session.purpose == "link" and candidate is not None and not candidate.offered


def unreachable(step: Step, reason: str) -> None:
    """The attempt found no WhatsApp: try again soon, as the same attempt; a code comes by itself with the network."""
    tries = step.s.unreached
    delay_s = SHORT_RETRIES_S[min(tries, len(SHORT_RETRIES_S) - 1)]
    again(step, reason, delay_s)
    step.set(unreached=tries + 1)
    step.quiet = tries >= TOLD_RETRIES


def again(step: Step, reason: str | None, delay_s: float) -> None:
    """Try the attempt again; once a code was shown it is a new attempt, so that frames of the old one are dropped."""
    candidate = step.private.candidate
    if candidate is None:
        return
    step.hide_codes()
    step.end_session()
    step.status("starting", reason, retry_at=step.retry_at(delay_s))
    if candidate.offered:
        fresh = new_candidate(step, candidate.method, candidate.phone)
        step.set_private(candidate=fresh, attempt=fresh.attempt)
        step.set_bot(link=Link(fresh.method, fresh.attempt))
    step.want("link", delay_s)


def over(step: Step, verdict: Verdict) -> None:
    """The attempt ended without a device (codes used up, pairing failed, a passkey): a person decides what next."""
    if step.s.code_asked:
        step.do(moves.RefuseCode("no_code_on_offer"))
    step.forget_attempt()
    step.set(want=None, unreached=0)
    step.status("passkey_required" if verdict.status == "passkey_required" else "login_expired", verdict.reason)
    step.end_session()
