"""The hands of a mailbox: effects of the fold carried out through the host, the bus's announcements and the disk.

Owns what is secret and short-lived (the QR and pairing code on offer) and those who wait for an answer. Calls that take
time run as tasks and come back as inputs. It must never decide. Read `moves.py` for the effects, `bot.py` for the loop.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any, TypeVar, assert_never

import structlog

from orchestrator.bots import moves
from orchestrator.bots.moves import BotState, Effect, Input
from orchestrator.errors import Refused
from orchestrator.model import Event, new_id, to_json
from orchestrator.ports import CallFailed, PairingCode, QrOnOffer, StartRefused
from sessions.model import QrOffered
from sessions.session import SessionSpec

if TYPE_CHECKING:
    from orchestrator.bots.room import Room

_log = structlog.get_logger("bots")

T = TypeVar("T")


class Hands:
    """Carries out effects of one bot."""

    def __init__(self, room: Room, user: str, bot: str, post: Callable[[Input], None]) -> None:
        self._room = room
        self._user = user
        self._bot = bot
        self._post = post
        self.qr: QrOnOffer | None = None
        """A secret."""
        self.pairing_code: PairingCode | None = None
        """A secret."""
        self._code: str | None = None
        self._for_code: list[asyncio.Future[PairingCode]] = []
        self._for_logout: list[asyncio.Future[bool]] = []

    # --- those who wait ---

    def wait_for_code(self) -> asyncio.Future[PairingCode]:
        """Return a future of the pairing code of the attempt that runs."""
        return _waiter(self._for_code)

    def wait_for_logout(self) -> asyncio.Future[bool]:
        """Return a future of the log-out's end."""
        return _waiter(self._for_logout)

    # --- effects ---

    def carry_out(self, effect: Effect, state: BotState, cause: Input) -> None:
        """Begin one effect; `cause` is the input that led to it. Never waits."""
        match effect:
            case moves.StartHost():
                self._start(effect, state)
            case moves.StopHost():
                self._spawn("stop session", self._stop_host(), moves.HostStopped())
            case moves.ShowQr(offer=offer):
                self._show_qr(offer, state, cause)
            case moves.HideCodes(qr_only=qr_only):
                self._hide(qr_only=qr_only)
            case moves.AskCode(incarnation=incarnation, phone=phone):
                failed = moves.CodeFailed(incarnation)
                self._spawn("ask pairing code", self._ask_code(incarnation, phone), failed)
            case moves.ShowCode(expires_ms=expires_ms):
                self._show_code(expires_ms, state)
            case moves.RefuseCode(code=code):
                _refuse(self._for_code, code)
            case moves.AskLogout(incarnation=incarnation):
                failed_ = moves.LogoutDone(incarnation, False)
                self._spawn("log out", self._ask_logout(incarnation), failed_)
            case moves.AnswerLogout(unlinked=unlinked):
                _answer(self._for_logout, unlinked)
            case moves.KeepFiles(names=names):
                self._room.tasks.spawn("destroy device files", self._room.devices.keep(self._bot, names))
            case moves.Crashed():
                self._room.metrics.session_crashed()
                _log.warning("Session crashed", botId=self._bot, userId=self._user)
            case moves.CountStreamError(code=code, expected=expected):
                self._room.metrics.stream_error(code, expected)
            case moves.MovedToPool(gap_s=gap_s):
                self._room.metrics.pool_move(gap_s)
            case moves.AccountChanged() | moves.Erase():
                pass  # The mailbox's own: sends, and the end.
            case _:
                assert_never(effect)

    def _spawn(self, name: str, work: Coroutine[Any, Any, None], failed: Input) -> None:
        self._room.tasks.spawn(name, work, on_failure=lambda _: self._post(failed))

    def _start(self, effect: moves.StartHost, state: BotState) -> None:
        path = self._room.devices.path(self._bot, effect.file)
        spec = SessionSpec(
            bot=self._bot,
            incarnation=effect.incarnation,
            device_file=str(path),
            account_jid=effect.account_jid,
            device_name=state.bot.device_name,
            proxy=state.private.proxy or self._room.limits.proxy,
            presence=state.bot.presence,
        )
        crashed = moves.HostRefused(effect.incarnation, "worker_crashed")
        self._spawn("start session", self._start_host(spec, effect), crashed)

    async def _start_host(self, spec: SessionSpec, effect: moves.StartHost) -> None:
        try:
            await self._room.host.start(spec, effect.placement)
        except StartRefused as refused:
            incident = self._room.incidents.holding(spec.proxy, self._bot)
            cause = incident.shown_as if incident is not None else None
            self._post(moves.HostRefused(spec.incarnation, refused.cause, cause))
        else:
            self._post(moves.HostStarted(spec.incarnation))

    async def _stop_host(self) -> None:
        await self._room.host.stop(self._bot)
        self._post(moves.HostStopped())

    async def _ask_code(self, incarnation: str, phone: str) -> None:
        try:
            self._code = await self._room.host.pair_phone(self._bot, phone)
        except CallFailed:
            self._post(moves.CodeFailed(incarnation))
        else:
            self._post(moves.CodeGot(incarnation))

    async def _ask_logout(self, incarnation: str) -> None:
        try:
            confirmed = await self._room.host.logout(self._bot)
        except CallFailed:
            confirmed = False
        self._post(moves.LogoutDone(incarnation, confirmed))

    # --- what is on offer ---

    def _show_qr(self, offer: moves.Offer, state: BotState, cause: Input) -> None:
        link = state.bot.link
        if link is None or not isinstance(cause, moves.Told) or not isinstance(cause.event, QrOffered):
            return
        code = cause.event.code
        self.qr = QrOnOffer(code, offer.index, offer.of, offer.expires_ms, link.attempt)
        data = {
            "qr": code,
            "svg": self._room.svg(code),
            "index": offer.index,
            "of": offer.of,
            "expiresAt": offer.expires_ms,
            "attempt": link.attempt,
        }
        self._announce("qr", data, offer.expires_ms, state)

    def _show_code(self, expires_ms: int, state: BotState) -> None:
        link, code = state.bot.link, self._code
        if link is None or code is None:
            return
        self._code = None
        self.pairing_code = PairingCode(code, expires_ms, link.attempt)
        self._announce("pairing_code", to_builtins(self.pairing_code), expires_ms, state)
        _answer(self._for_code, self.pairing_code)

    def _announce(self, kind: str, data: dict[str, object], expires_ms: int, state: BotState) -> None:
        now_ms = self._room.clock.wall_ms()
        event = Event(
            self._user, self._bot, "whatsapp_connection_event", kind, new_id("evt"), now_ms, to_json(data),
            status_version=state.bot.status_version,
        )  # fmt: skip
        self._room.bus.announce(self._user, f"{self._bot}/{kind}", event, expires_ms)
        self._room.metrics.event("whatsapp_connection_event", kind)
        _log.info("WhatsApp connection event", botId=self._bot, userId=self._user, type=kind)

    def _hide(self, *, qr_only: bool) -> None:
        self.qr = None
        self._room.bus.withdraw(self._user, f"{self._bot}/qr")
        if not qr_only:
            self._code = self.pairing_code = None
            self._room.bus.withdraw(self._user, f"{self._bot}/pairing_code")
            _refuse(self._for_code, "no_code_on_offer")

    def close(self) -> None:
        """The bot is gone: nobody is left waiting."""
        self._hide(qr_only=False)
        _answer(self._for_logout, False)


def to_builtins(code: PairingCode) -> dict[str, object]:
    """Return the frame's data."""
    return {"code": code.code, "expiresAt": code.expires_at, "attempt": code.attempt}


def _waiter(waiting: list[asyncio.Future[T]]) -> asyncio.Future[T]:
    future: asyncio.Future[T] = asyncio.get_running_loop().create_future()
    waiting.append(future)
    return future


def _answer(waiting: list[asyncio.Future[T]], value: T) -> None:
    for future in waiting:
        if not future.done():
            future.set_result(value)
    waiting.clear()


def _refuse(waiting: list[asyncio.Future[T]], code: str) -> None:
    for future in waiting:
        if not future.done():
            future.set_exception(Refused(code))
    waiting.clear()
