"""The hand that turns one input into an outcome: small moves on a bot's state, shared by the fold's files. Pure.

Owns what every change has in common: how a status is set, when a version rises, which deadlines end with a status, when
a wanted session is started. It must never know which input asked. Read `fold.py` next.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import msgspec

from orchestrator import errors
from orchestrator.bots.moves import (
    BotState,
    Draft,
    Effect,
    HideCodes,
    Moment,
    Outcome,
    Purpose,
    Session,
    StartHost,
    StopHost,
    Timer,
    Want,
)
from orchestrator.bots.record import Candidate, Private
from orchestrator.model import Bot, Reason, Status
from orchestrator.ports import Placement
from sessions.lifecycle import USER_ACTIONS

WATCHDOGS: frozenset[Timer] = frozenset(
    {"pairing", "reconnect", "stream_error", "keepalive_new_client", "keepalive_new_worker"}
)

TOLD_RETRIES = 5
"""So many retries in a row are told as events; the later ones change `retryAt` in memory only, or a bot without a
network would fill its user's log."""


HELD_RETRY_S = 5.0
"""What `retryAt` says during an incident: it may be over by then."""
HELD_STATUSES = frozenset({"starting", "connecting", "reconnecting"})
"""Statuses that say what they wait for."""


class Step:
    """One fold under way. Lives for one call of `fold`; the states it reads and leaves are immutable."""

    def __init__(self, state: BotState, now: Moment) -> None:
        self.before = state
        self.s = state
        self.now = now
        self.drafts: list[Draft] = []
        self.effects: list[Effect] = []
        self.quiet = False
        """A change of `retryAt` alone is not told."""

    # --- small moves ---

    @property
    def bot(self) -> Bot:
        return self.s.bot

    @property
    def private(self) -> Private:
        return self.s.private

    def set(self, **changes: Any) -> None:
        """Change fields of the state."""
        self.s = replace(self.s, **changes)

    def set_bot(self, **changes: Any) -> None:
        """Change fields of the public record."""
        self.set(bot=msgspec.structs.replace(self.s.bot, **changes))

    def set_private(self, **changes: Any) -> None:
        """Change fields of the private record."""
        self.set(private=msgspec.structs.replace(self.s.private, **changes))

    def do(self, *effects: Effect) -> None:
        """Append what is to be carried out once everything told is durable."""
        self.effects += effects

    def tell(self, kind: str, data: dict[str, object]) -> None:
        """Append a `whatsapp_connection_event`."""
        self.drafts.append(Draft("whatsapp_connection_event", kind, data))

    def arm(self, timer: Timer, after_s: float) -> None:
        """Set a deadline, replacing the one of this name."""
        self.set(timers={**self.s.timers, timer: self.now.mono_s + after_s})

    def disarm(self, *timers: Timer) -> None:
        """Drop deadlines; unknown ones are fine."""
        self.set(timers={name: at for name, at in self.s.timers.items() if name not in timers})

    def status(
        self, status: Status, reason: str | None = None, *, retry_at: int | None = None, until: int | None = None
    ) -> None:
        """Set the status and what belongs to it. Watchdogs end when the status changes."""
        bot = self.s.bot
        if bot.status != status:
            self.disarm(*WATCHDOGS)
        if bot.status == "awaiting_scan" and status != "awaiting_scan":
            self.hide_codes()
        known = Reason(reason, errors.REASONS[reason].text) if reason else None
        self.set_bot(
            status=status,
            since=bot.since if bot.status == status else self.now.wall_ms,
            reason=known,
            user_action=USER_ACTIONS[status],
            retry_at=retry_at,
            until=until,
            repair=bot.repair if bot.status == status else None,
        )

    def unreached(self, reason: str | None) -> str:
        """Return the reason to show after a dial that failed.

        A failed look-up can't be told from no network at all, and the operator's proxy is not the user's to mend: both
        are `whatsapp_unreachable` until an incident's probe names the step. A bot's own proxy is named at once.
        """
        if reason == "tls_failed" or (reason is not None and self.private.proxy is not None):
            return reason
        return "whatsapp_unreachable"

    def hide_codes(self) -> None:
        """Nothing is on offer any more."""
        if self.s.offer is not None or self.s.code_asked:
            self.do(HideCodes())
        self.set(offer=None, code_asked=False)

    # --- sessions ---

    def is_linked(self) -> bool:
        """Whether there is a device to log in as."""
        return self.private.device_file is not None and self.private.account_jid is not None

    def holds(self, incarnation: str) -> bool:
        """Whether this is the running session, not one on its way down or of the past."""
        session = self.s.session
        return session is not None and session.incarnation == incarnation and session.stage != "stopping"

    def end_session(self) -> None:
        """Stop the session, if there is one; `HostStopped` follows."""
        self.disarm(*WATCHDOGS, "move", "move_latest", "healthy")
        self.set(keepalive_open=False, logout_asked=False)
        session = self.s.session
        if session is not None and session.stage != "stopping":
            self.set(session=replace(session, stage="stopping"))
            self.do(StopHost())

    def want(self, purpose: Purpose, after_s: float = 0.0, *, own: bool = False) -> None:
        """Ask for the next session; it starts when none is there and the time has come."""
        self.set(want=Want(purpose, self.now.mono_s + after_s, own))

    def retry_at(self, after_s: float) -> int:
        """Return the wall time of something that far off."""
        return self.now.wall_ms + round(after_s * 1000)

    def forget_attempt(self) -> None:
        """The link attempt is over without a device. While its process is still there the candidate is kept: a scan that
        won the race against the end counts."""
        session = self.s.session
        if self.private.candidate is not None and (session is None or session.purpose != "link"):
            self.set_private(candidate=None)
        if self.s.bot.link is not None:
            self.set_bot(link=None)
        self.hide_codes()

    # --- the end of every fold ---

    def reconcile(self) -> None:
        """Start the wanted session when nothing is in its way."""
        state, want = self.s, self.s.want
        if state.session is not None or want is None or want.at_s > self.now.mono_s:
            return
        if state.held_since_s is not None:
            # Asked for while an incident holds starts: it waits, and says for what.
            if state.held_as and state.bot.reason is None and state.bot.status in HELD_STATUSES:
                self.status(state.bot.status, state.held_as, retry_at=self.retry_at(HELD_RETRY_S))
            return
        file, jid = self._device(want.purpose)
        if file is None:
            self.set(want=None)
            return
        placement = self._placement(want)
        fresh = self.now.fresh
        self.set(session=Session(fresh, want.purpose, placement, "starting"), want=None)
        candidate = self.private.candidate
        if want.purpose == "link" and candidate is not None:
            candidate = msgspec.structs.replace(candidate, incarnation=fresh)
        self.set_private(incarnation=fresh, candidate=candidate)
        if state.bot.retry_at is not None:
            # The retry is under way; the reason stays until it is known to have helped.
            self.set_bot(retry_at=None)
            self.quiet = True
        self.do(StartHost(fresh, placement, file, jid))

    def _device(self, purpose: Purpose) -> tuple[str | None, str | None]:
        if purpose == "link":
            return (self.private.candidate.file if self.private.candidate else None), None
        if not self.is_linked():
            return None, None
        return self.private.device_file, self.private.account_jid

    def _placement(self, want: Want) -> Placement:
        if want.purpose == "link":
            return "linking"
        unproved = self.private.proxy is not None and not self.private.proxy_proved
        return "own" if want.own or unproved or self.s.unreached > 0 or want.purpose == "logout" else "pool"

    def finish(self) -> Outcome:
        """Return what became of the input: versions raised, the change of the record told."""
        self.reconcile()
        old, new = self.before.bot, self.s.bot
        if _told(old) != _told(new) or (old.retry_at != new.retry_at and not self.quiet):
            self.set_bot(status_version=old.status_version + 1)
            self.drafts.append(Draft("bot_status_update", "status", None))
        elif _shown(old) != _shown(new):
            self.drafts.append(Draft("bot_status_update", "updated", None))
        return Outcome(self.s, tuple(self.drafts), tuple(self.effects))


def new_candidate(step: Step, method: str, phone: str | None) -> Candidate:
    """Return the next attempt's candidate: a number and a device file nobody had before."""
    number = step.private.attempt + 1
    suffix = step.now.fresh.rpartition("_")[2][:8]
    return Candidate(number, f"{number}-{suffix}.db", "code" if method == "code" else "qr", phone)


def _told(bot: Bot) -> tuple[object, ...]:
    """What a new version is made for."""
    return bot.status, bot.reason, bot.until, bot.link


def _shown(bot: Bot) -> tuple[object, ...]:
    """What is told without one; counters and times travel with the next event."""
    return bot.name, bot.proxy, bot.device_name, bot.account, bot.desired, bot.script, bot.presence, bot.repair
