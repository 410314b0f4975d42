"""A host without processes: keeps the written promises of `ports.Host`, and a test plays the phone and the crashes.

Owns who runs, ordinals and what is not yet committed (the spool); a crashed host hands that over again, as a drained
spool does. It must never know a status. Only for the mailbox's tests on virtual time; everything with processes runs on
the real supervisor room.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Literal

from orchestrator.ports import CallFailed, FromSession, HostListener, Incident, Placement, SessionGone, StartRefused
from sessions.model import (
    Account,
    Connected,
    Found,
    NotSent,
    Outgoing,
    PairSucceeded,
    PresenceChanged,
    QrOffered,
    SendFinished,
    SendOutcome,
    Sent,
    SessionEvent,
)
from sessions.session import SessionSpec
from sessions.wire import EventFrame

Cause = Literal["crashed", "killed_hung", "storage_unavailable", "start_timed_out", "condemned"]


@dataclass
class Running:
    """One session."""

    spec: SessionSpec
    placement: Placement
    ordinal: int = 0


@dataclass
class FakeIncidents:
    """Implements `ports.Incidents`; a test opens and closes."""

    incident: Incident | None = None
    let_through: str | None = None
    """The bot that is not held."""
    listeners: list[Callable[[], None]] = field(default_factory=list)

    def open(self) -> list[Incident]:
        return [self.incident] if self.incident else []

    def holding(self, proxy: str | None, bot: str | None = None) -> Incident | None:
        return None if bot is not None and bot == self.let_through else self.incident

    def listen(self, listener: Callable[[], None]) -> None:
        self.listeners.append(listener)

    def change(self, incident: Incident | None) -> None:
        """Open or close the one incident."""
        self.incident = incident
        for listener in self.listeners:
            listener()


class FakeHost:
    """Implements `ports.Host`."""

    def __init__(self) -> None:
        self.listener: HostListener | None = None
        self.incidents = FakeIncidents()
        self.running: dict[str, Running] = {}
        self.starts: list[tuple[SessionSpec, Placement]] = []
        self.on_start: Callable[[str], None] = lambda bot: None
        """What WhatsApp does with a session that starts."""
        self.refuse: list[StartRefused] = []
        """Starts to come that are refused."""
        self.start_gate = asyncio.Event()
        """Starts wait for it."""
        self.start_gate.set()
        self.sends: list[tuple[str, str, str, str]] = []
        """(bot, incarnation, job, text) of every call that entered a session."""
        self.outgoing: dict[str, Outgoing] = {}
        """What was handed over, by job."""
        self.on_send: Callable[[str, str], SendOutcome | None] = lambda bot, job: Sent(f"3EB0{job}", 1)
        """What becomes of a send; None never answers."""
        self.asked: list[tuple[str, str]] = []
        """(bot, group) of every question."""
        self.numbers_asked: list[str] = []
        """Phone numbers WhatsApp was asked about."""
        self.on_find: Callable[[str], Awaitable[Found]] = _knows_nothing
        self.logout_answer: bool | None = True
        self.logouts: list[str] = []
        self.stop_s = 0.02
        self.uncommitted: dict[str, list[tuple[str, EventFrame]]] = {}
        """Per bot, what a spool would still hold."""
        self._starting: dict[str, asyncio.Task[Literal[True]]] = {}

    # --- ports.Host ---

    async def start(self, spec: SessionSpec, placement: Placement) -> None:
        assert spec.bot not in self.running, "a session was started while another holds the bot"
        self._drain(spec.bot)
        work = self._starting[spec.bot] = asyncio.ensure_future(self.start_gate.wait())
        try:
            await work
        except asyncio.CancelledError:
            raise StartRefused("superseded") from None
        finally:
            self._starting.pop(spec.bot, None)
        if self.incidents.holding(spec.proxy, spec.bot) is not None:
            raise StartRefused("held_by_incident")
        if self.refuse:
            raise self.refuse.pop(0)
        assert spec.bot not in self.running, "a session was started while another holds the bot"
        self.running[spec.bot] = Running(spec, placement)
        self.starts.append((spec, placement))
        self.on_start(spec.bot)

    async def stop(self, bot: str) -> None:
        if (starting := self._starting.get(bot)) is not None:
            starting.cancel()
        await asyncio.sleep(self.stop_s)
        self.running.pop(bot, None)

    async def pair_phone(self, bot: str, phone: str) -> str:
        if bot not in self.running:
            raise CallFailed("the session is not running")
        return "ABCD-EFGH"

    async def send(self, bot: str, job: str, outgoing: Outgoing) -> SendOutcome:
        running = self.running.get(bot)
        if running is None:
            return NotSent("gone")
        self.outgoing[job] = outgoing
        self.sends.append((bot, running.spec.incarnation, job, getattr(outgoing, "text", "")))
        outcome = self.on_send(bot, job)
        if outcome is None:
            return await asyncio.get_running_loop().create_future()  # type: ignore[no-any-return]
        self.tell(bot, SendFinished(job, outcome))
        return outcome

    def ask_group(self, bot: str, chat: str) -> None:
        if bot in self.running:
            self.asked.append((bot, chat))

    async def find(self, bot: str, phone: str) -> Found:
        self.numbers_asked.append(phone)
        if bot not in self.running:
            raise CallFailed("the session is not running")
        return await self.on_find(phone)

    async def logout(self, bot: str) -> bool:
        self.logouts.append(bot)
        if self.logout_answer is None:
            await asyncio.sleep(20)
        return bool(self.logout_answer)

    def placement(self, bot: str) -> Placement | None:
        running = self.running.get(bot)
        return running.placement if running else None

    # --- the test's side ---

    def tell(self, bot: str, event: SessionEvent, data: bytes = b"", *, at_ms: int = 0, commit: bool = True) -> None:
        """Hand over one event of the running session; `commit` False loses the acknowledgement (a crash follows)."""
        running = self.running[bot]
        ordinal = None
        if not isinstance(event, QrOffered | PresenceChanged):
            running.ordinal += 1
            ordinal = running.ordinal
        frame = EventFrame(bot, running.spec.incarnation, ordinal, at_ms or self.wall_ms(), event, data)
        self._hand(bot, frame, keep=not commit)

    wall_ms: Callable[[], int] = staticmethod(lambda: 1)

    def _hand(self, bot: str, frame: EventFrame, *, keep: bool = False) -> None:
        held = (bot, frame)
        kept = self.uncommitted.setdefault(bot, [])
        if frame.ordinal is not None:
            kept.append(held)

        def committed() -> None:
            if held in kept and not keep:
                kept.remove(held)

        assert self.listener is not None
        self.listener.on_host_event(bot, FromSession(frame, "wrk_1", committed))

    def _drain(self, bot: str) -> None:
        for _, frame in self.uncommitted.pop(bot, []):
            self._hand(bot, frame)

    def recover(self) -> None:
        """Hand over what earlier workers left."""
        for bot in list(self.uncommitted):
            self._drain(bot)

    def die(self, bot: str, cause: Cause = "crashed", *, suspect: bool = True, alone: bool = True) -> None:
        """End the session without being asked to."""
        running = self.running.pop(bot)
        self._drain(bot)
        assert self.listener is not None
        self.listener.on_host_event(bot, SessionGone(running.spec.incarnation, cause, suspect, alone))

    def lose_everything(self) -> None:
        """The supervisor died: nothing runs, nothing is told."""
        self.running.clear()
        self._starting.clear()


async def _knows_nothing(_: str) -> Found:
    return Found(None)


def account(phone: str = "4915112345678", device: int = 7) -> Account:
    """Make an account."""
    return Account(jid=f"{phone}:{device}@s.whatsapp.net", lid="99887766@lid", phone=phone, push_name="Ada")


def link(host: FakeHost, bot: str, phone: str = "4915112345678") -> None:
    """Play a phone that scans the code on offer."""
    host.tell(bot, PairSucceeded(account(phone)))
    host.tell(bot, Connected(account(phone)))


def offer(host: FakeHost, bot: str, index: int = 1) -> None:
    """Play WhatsApp offering a code."""
    host.tell(bot, QrOffered(f"2@secret{index}", index, 6, 60 if index == 1 else 20))
