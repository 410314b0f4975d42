"""All bots: loaded at start-up, a mailbox each, asked by user. Implements `ports.Fleet` and `ports.HostListener`.

Owns the table of mailboxes and limits per user; each bot's own affairs are its mailbox's. It must never know a status.
Read `bot.py` next; `outbox.py` for sends.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from pathlib import Path

import msgspec

from orchestrator import errors, proxies
from orchestrator.bots import moves, outbox_fold, people, record
from orchestrator.bots.bot import Mailbox, deleting_key
from orchestrator.bots.files import BotFiles
from orchestrator.bots.histories import Past, newest_days
from orchestrator.bots.moves import BotState
from orchestrator.bots.outbox_book import Book
from orchestrator.bots.outbox_fold import StoredJob
from orchestrator.bots.record import Private
from orchestrator.bots.room import Accounts, DeviceFiles, Limits, Room
from orchestrator.bus.bus import Bus, Entry, StatePut
from orchestrator.clock import Clock
from orchestrator.errors import Refused
from orchestrator.fetching import Fetcher
from orchestrator.model import Bot, Event, Position, new_id, to_json
from orchestrator.ports import (
    BotBrief,
    BotPatch,
    FleetMetrics,
    FromSession,
    Host,
    HostEvent,
    Incidents,
    LinkRequest,
    NewBot,
    PairingCode,
    QrOnOffer,
)
from orchestrator.store.media import MediaFiles
from orchestrator.tasks import Tasks
from sessions.lifecycle import USER_ACTIONS

PAIRING_CODE_S = 40.0
"""To start a linking process, get the first code and ask for the pairing code."""
_TICK_S = 1.0
_AWAY_S = 1.0
_SWEEP_S = 3600.0
_BOOT_S = 5.0
"""For what is true of the stored bots now to be durable; a storage that takes nothing keeps nobody from serving."""
_CLOSE_S = 3.0
_NAME_MOST = 80


class BotFleet:
    """The fleet. `load`, attach to the host, `begin`; `close` after the host was closed."""

    def __init__(
        self,
        *,
        bus: Bus,
        host: Host,
        incidents: Incidents,
        clock: Clock,
        tasks: Tasks,
        metrics: FleetMetrics,
        devices_dir: Path,
        media_dir: Path | None = None,
        limits: Limits,
        svg: Callable[[str], str],
    ) -> None:
        """Build the room; nothing runs before `load`. `svg` draws a QR code."""
        self._bus = bus
        self._clock = clock
        self._tasks = tasks
        self._limits = limits
        self._mailboxes: dict[str, Mailbox] = {}
        self._running: dict[str, asyncio.Task[None]] = {}
        self._creating: dict[str, int] = {}
        self._deleting: list[str] = []
        self._seen_s = clock.monotonic()
        self._ticker: asyncio.Task[None] | None = None
        self._sweeper: asyncio.Task[None] | None = None
        stored = MediaFiles(media_dir or devices_dir.with_name("media"))
        self.files = BotFiles(stored, Fetcher(limits.media_allow), clock, limits.media_max)
        self._room = Room(
            bus, host, incidents, clock, tasks, metrics, DeviceFiles(devices_dir), self.files, Accounts(), limits, svg,
            self._forget, asyncio.Event(), self._look_at_clock,
        )  # fmt: skip
        incidents.listen(self._incidents_changed)

    # --- start and end ---

    async def load(self, seen_ms: int | None = None) -> None:
        """Read all bots; each has its mailbox from here on. Nothing is started before `begin`.

        When this returns nobody is shown a status of the process before, unless the storage takes nothing. `seen_ms` is
        when the process before was last seen running: what bots were from then on is `down`.
        """
        days = await newest_days(self._bus)
        await self.files.load()
        privates = {key.removeprefix("private/"): value async for _, key, value in self._bus.scan("private/")}
        jobs: dict[str, list[StoredJob]] = {}
        async for _, _, value in self._bus.scan("job/"):
            stored = outbox_fold.decode(value)
            jobs.setdefault(stored.job.bot_id, []).append(stored)
        known_people: dict[str, list[people.Person]] = {}
        async for _, key, value in self._bus.scan(people.PREFIX):
            known_people.setdefault(key.split("/", 2)[1], []).append(people.decode(value))
        async for _, _, value in self._bus.scan("bot/"):
            bot = msgspec.json.decode(value, type=Bot)
            known = privates.get(bot.id)
            private = record.decode(known) if known is not None else Private()
            past = Past(bot.id, days.get(bot.id), seen_ms)
            who = people.People(bot.id, known_people.get(bot.id, ()))
            self._open(BotState(bot, private), who, jobs.get(bot.id, ()), past)
        for user, key, _ in [row async for row in self._bus.scan("fleet/deleting/")]:
            bot_id = key.rpartition("/")[2]
            if bot_id in self._mailboxes:
                self._deleting.append(bot_id)
            else:
                await self._finish_deletion(user, bot_id)
        for mailbox in self._mailboxes.values():
            mailbox.post(moves.Boot())
        booted = [self._tasks.spawn("boot mailbox", mailbox.idle()) for mailbox in self._mailboxes.values()]
        if booted:
            await asyncio.wait(booted, timeout=_BOOT_S)
        self._ticker = self._tasks.spawn("fleet ticker", self._tick())
        self._sweeper = self._tasks.spawn("file sweeper", self._sweep())

    def begin(self) -> None:
        """Everything earlier workers left has been handed over: bring back what is wanted running."""
        for mailbox in list(self._mailboxes.values()):
            mailbox.post(moves.Recovered())
        self._room.ready.set()
        for bot_id in self._deleting:
            self._tasks.spawn("delete bot", self._mailboxes[bot_id].ask(moves.DeleteAsked()))
        self._deleting.clear()

    async def close(self) -> None:
        """Make durable what was told so far, then end all mailboxes. Idempotent."""
        if self._ticker is not None:
            self._ticker.cancel()
        if self._sweeper is not None:
            self._sweeper.cancel()
        waits = [self._tasks.spawn("close mailbox", mailbox.idle()) for mailbox in self._mailboxes.values()]
        if waits:
            await asyncio.wait(waits, timeout=_CLOSE_S)
        ending = [*self._running.values(), *waits]
        for task in ending:
            task.cancel()
        if ending:
            await asyncio.wait(ending)

    def _open(
        self, state: BotState, who: people.People, jobs: Iterable[StoredJob] = (), past: Past | None = None
    ) -> Mailbox:
        mailbox = self._mailboxes[state.bot.id] = Mailbox(
            self._room, state, Book(jobs, who.canonical, self._limits.sends), who, past
        )
        self._running[state.bot.id] = self._tasks.spawn("mailbox", mailbox.run())
        return mailbox

    def _forget(self, bot_id: str) -> None:
        self._mailboxes.pop(bot_id, None)
        self._running.pop(bot_id, None)

    async def _finish_deletion(self, user: str, bot_id: str) -> None:
        """Everything of the bot was removed, but nobody was told."""
        await self._bus.erase(user, bot_id)
        now_ms = self._clock.wall_ms()
        event = Event(
            user, bot_id, "bot_status_update", "deleted", new_id("evt"), now_ms, to_json({"id": bot_id}), "stopped"
        )
        await self._bus.commit([Entry(user, event, (StatePut(deleting_key(bot_id), None),))])

    # --- ports.HostListener, incidents, pauses ---

    def on_host_event(self, bot: str, event: HostEvent) -> None:
        mailbox = self._mailboxes.get(bot)
        if mailbox is not None:
            mailbox.on_host_event(event)
        elif isinstance(event, FromSession):
            event.committed()  # Of a bot that is erased: nobody is to keep it, and its spool may go.

    def _incidents_changed(self) -> None:
        for mailbox in self._mailboxes.values():
            state = mailbox.state
            incident = self._room.incidents.holding(state.private.proxy or self._limits.proxy, state.bot.id)
            held = mailbox.state.held_since_s is not None
            if incident is not None and not held:
                mailbox.post(moves.Held(incident.shown_as))
            elif incident is None and held:
                mailbox.post(moves.Released())

    async def _tick(self) -> None:
        while True:
            await asyncio.sleep(_TICK_S)
            self._look_at_clock()

    async def _sweep(self) -> None:
        """Erase files nobody needs: those a dead process left at once, then every hour what has expired."""
        while True:
            needed = [(bot, media) for bot, mailbox in self._mailboxes.items() for media in mailbox.sending.needed()]
            await self.files.sweep(needed, list(self._mailboxes))
            await asyncio.sleep(_SWEEP_S)

    def _look_at_clock(self) -> None:
        now_s = self._clock.monotonic()
        away_s = now_s - self._seen_s - _TICK_S
        self._seen_s = now_s
        if away_s > _AWAY_S:
            for mailbox in self._mailboxes.values():
                mailbox.post(moves.Away(away_s))

    # --- ports.Fleet ---

    async def bots(self, user: str) -> tuple[Position, list[Bot]]:
        snapshot = await self._bus.snapshot(user, "bot/")
        found = [self.fill(msgspec.json.decode(value, type=Bot)) for value in snapshot.values.values()]
        found.sort(key=lambda bot: (bot.created_at, bot.id))
        return snapshot.state.head, found

    async def bot(self, user: str, bot_id: str) -> Bot:
        return self.mailbox(user, bot_id).shown()

    async def create(self, user: str, new: NewBot) -> Bot:
        name = _checked_name("name", new.name)
        device_name = _checked_name("deviceName", new.device_name) if new.device_name else self._limits.device_name
        if new.id is not None and new.id in self._mailboxes:
            known = self.mailbox(user, new.id)
            return await known.ask(moves.StartAsked()) if new.start else known.shown()
        if new.proxy is not None:
            await proxies.check(new.proxy, self._limits.proxy_allow)
        owned = sum(mailbox.state.bot.user_id == user for mailbox in self._mailboxes.values())
        if owned + self._creating.get(user, 0) >= self._limits.bots_per_user:
            raise Refused("too_many_bots")
        self._creating[user] = self._creating.get(user, 0) + 1
        # A caller that goes away leaves a whole bot behind, or none.
        return await asyncio.shield(self._tasks.spawn("create bot", self._create(user, name, device_name, new)))

    async def _create(self, user: str, name: str, device_name: str, new: NewBot) -> Bot:
        now_ms = self._clock.wall_ms()
        bot = Bot(
            id=new.id or new_id("bot"), name=name, user_id=user, status="stopped", since=now_ms, status_version=1,
            reason=None, user_action=USER_ACTIONS["stopped"], retry_at=None, until=None, proved_at=None, desired="stopped",
            account=None, link=None, proxy=new.proxy is not None, device_name=device_name, script=None, restarts=0,
            created_at=now_ms, presence=new.presence,
        )  # fmt: skip
        private = Private(proxy=new.proxy, proxy_proved=new.proxy is None, expected_phone=new.expected_phone)
        event = Event(
            user, bot.id, "bot_status_update", "created", new_id("evt"), now_ms, to_json(bot), bot.status,
            bot.status_version,
        )  # fmt: skip
        puts = (StatePut(f"bot/{bot.id}", to_json(bot)), StatePut(f"private/{bot.id}", to_json(private)))
        try:
            await self._bus.commit([Entry(user, event, puts)])
        finally:
            self._creating[user] -= 1  # from the next line on it is counted by its mailbox
        mailbox = self._open(BotState(bot, private), people.People(bot.id))
        self._room.metrics.event("bot_status_update", "created")
        return await mailbox.ask(moves.StartAsked()) if new.start else mailbox.shown()

    async def patch(self, user: str, bot_id: str, patch: BotPatch) -> Bot:
        if patch.name is not msgspec.UNSET:
            patch = msgspec.structs.replace(patch, name=_checked_name("name", patch.name))
        if patch.device_name is not msgspec.UNSET:
            patch = msgspec.structs.replace(patch, device_name=_checked_name("deviceName", patch.device_name))
        mailbox = self.mailbox(user, bot_id)
        if isinstance(patch.proxy, str):
            await proxies.check(patch.proxy, self._limits.proxy_allow)
        return await mailbox.ask(moves.Patched(patch))

    async def start(self, user: str, bot_id: str) -> Bot:
        return await self.mailbox(user, bot_id).ask(moves.StartAsked())

    async def stop(self, user: str, bot_id: str) -> Bot:
        return await self.mailbox(user, bot_id).ask(moves.StopAsked())

    async def restart(self, user: str, bot_id: str) -> Bot:
        return await self.mailbox(user, bot_id).ask(moves.RestartAsked())

    async def link(self, user: str, bot_id: str, request: LinkRequest) -> Bot:
        if request.method == "code" and request.phone is None:
            raise errors.invalid("phone", "phone is needed for method code: digits with the country code.")
        return await self.mailbox(user, bot_id).ask(moves.LinkAsked(request))

    async def logout(self, user: str, bot_id: str) -> bool:
        mailbox = self.mailbox(user, bot_id)
        answer = mailbox.hands.wait_for_logout()
        try:
            await mailbox.ask(moves.LogoutAsked())
        except BaseException:
            answer.cancel()
            raise
        return await answer

    async def delete(self, user: str, bot_id: str) -> None:
        await self.mailbox(user, bot_id).ask(moves.DeleteAsked())

    async def qr(self, user: str, bot_id: str) -> QrOnOffer:
        offer = self.mailbox(user, bot_id).hands.qr
        if offer is None or offer.expires_at <= self._clock.wall_ms():
            raise Refused("no_code_on_offer")
        return offer

    async def pairing_code(self, user: str, bot_id: str, phone: str) -> PairingCode:
        mailbox = self.mailbox(user, bot_id)
        candidate, shown = mailbox.state.private.candidate, mailbox.hands.pairing_code
        on_offer = shown is not None and shown.expires_at > self._clock.wall_ms()
        if shown is not None and on_offer and candidate is not None and candidate.phone == phone:
            return shown
        answer = mailbox.hands.wait_for_code()
        try:
            await mailbox.ask(moves.LinkAsked(LinkRequest("code", phone)))
            async with asyncio.timeout(PAIRING_CODE_S):
                return await answer
        except TimeoutError:
            raise Refused("whatsapp_unavailable") from None
        finally:
            answer.cancel()

    def briefs(self) -> list[BotBrief]:
        """Return all bots of all users in short, for operators."""
        found = (mailbox.state.bot for mailbox in self._mailboxes.values())
        return [BotBrief(bot.id, bot.user_id, bot.name, bot.status) for bot in found]

    def fill(self, bot: Bot) -> Bot:
        mailbox = self._mailboxes.get(bot.id)
        return mailbox.fill(bot) if mailbox is not None else bot

    def mailbox(self, user: str, bot_id: str) -> Mailbox:
        """Return a user's bot. Refuses `not_found`, also for another user's."""
        mailbox = self._mailboxes.get(bot_id)
        if mailbox is None or mailbox.state.bot.user_id != user or mailbox.state.deleting:
            raise Refused("not_found")
        return mailbox


def _checked_name(field: str, name: str) -> str:
    text = name.strip()
    if not text or len(text) > _NAME_MOST or not text.isprintable():
        raise errors.invalid(field, f"{field} is a text of 1 to {_NAME_MOST} printable characters.")
    return text
