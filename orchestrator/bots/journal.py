"""What a mailbox has to commit: entries gathered over a batch, written in one transaction, then told to those who wait.

Owns the way into the bus: nothing is carried out, acknowledged or answered before it is durable, and a bus that refuses
is asked again until it takes it. It must never know why something is told. Read `bot.py` for who fills it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import msgspec
import structlog

from orchestrator.bus.bus import Bus, Duplicate, Entry, Source, StatePut
from orchestrator.errors import Refused
from orchestrator.model import Event
from orchestrator.ports import FleetMetrics, FromSession
from orchestrator.tasks import Failures

_log = structlog.get_logger("bots")

_AGAIN_FIRST_S = 0.25
_AGAIN_MOST_S = 5.0


class Journal:
    """One mailbox's entries that are not durable yet."""

    def __init__(self, bus: Bus, metrics: FleetMetrics, failures: Failures, user: str, bot: str) -> None:
        self._bus = bus
        self._failures = failures
        self._metrics = metrics
        self._user = user
        self._bot = bot
        self._entries: list[Entry] = []
        self._after: list[Callable[[], None]] = []
        self._reasons: dict[str, str] = {}
        self.blocked = False
        """The bus refuses at present."""

    @property
    def size(self) -> int:
        """Entries and steps that wait."""
        return len(self._entries) + len(self._after)

    def tell(
        self,
        event: Event | None,
        puts: tuple[StatePut, ...] = (),
        dedupe: str | None = None,
        reason: str | None = None,
        also: tuple[str, ...] = (),
        rows: tuple[bytes, ...] = (),
    ) -> None:
        """Append one entry; `reason` is the code a status has, for the log, `also` and `rows` what `Entry` has."""
        if event is not None and reason is not None:
            self._reasons[event.id] = reason
        self._entries.append(Entry(self._user, event, puts, None, dedupe, self._bot, also, rows))

    def then(self, step: Callable[[], None]) -> None:
        """Call `step` once everything appended so far is durable; it must not wait or raise."""
        self._after.append(step)

    def source(self, item: FromSession, since: int) -> None:
        """Mark what was appended since `since` (a `mark`) as the effect of a spooled event: the mark is on the last."""
        frame = item.frame
        if frame.ordinal is None:
            self._after.append(item.committed)
            return
        source = Source(item.worker, frame.incarnation, frame.ordinal)
        if len(self._entries) == since:
            self._entries.append(Entry(self._user, None, (), source, None, self._bot))
        else:
            self._entries[-1] = msgspec.structs.replace(self._entries[-1], source=source)
        self._after.append(item.committed)

    def mark(self) -> int:
        """Return where the next entry goes."""
        return len(self._entries)

    def cut(self, mark: int) -> None:
        """Take back what was appended since the mark."""
        del self._entries[mark:]

    async def flush(self) -> None:
        """Make everything durable, then take the steps that waited for it."""
        entries, after = self._entries, self._after
        self._entries, self._after = [], []
        if entries:
            outcomes = await self._commit(entries)
            for entry, outcome in zip(entries, outcomes, strict=True):
                if entry.event is not None:
                    self._count(entry.event, duplicate=isinstance(outcome, Duplicate))
            self._reasons.clear()
        for step in after:
            step()

    async def _commit(self, entries: list[Entry]) -> list[object]:
        wait_s = _AGAIN_FIRST_S
        while True:
            try:
                outcomes = await self._bus.commit(entries)
                self.blocked = False
                return list(outcomes)
            except Refused as refused:
                if refused.code != "storage_unavailable":
                    raise
            except Exception as error:  # a bug below: loud, and what waits is neither lost nor told before its time
                if not self.blocked:
                    self._failures.report("commit", error)
            self.blocked = True
            _log.warning("Bot waits for storage", botId=self._bot, entries=len(entries))
            await asyncio.sleep(wait_s)
            wait_s = min(_AGAIN_MOST_S, wait_s * 2)

    def _count(self, event: Event, *, duplicate: bool) -> None:
        if duplicate:
            self._metrics.suppressed("redelivered")
            return
        self._metrics.event(event.name, event.type)
        match event.name:
            case "message_sync":
                _log.debug("Message sync", botId=self._bot, userId=self._user, type=event.type)
            case "whatsapp_connection_event":
                _log.info("WhatsApp connection event", botId=self._bot, userId=self._user, type=event.type)
            case "bot_status_update":
                _log.info(
                    "Bot status update", botId=self._bot, userId=self._user, type=event.type,
                    status=event.status, statusVersion=event.status_version,
                    reason=self._reasons.pop(event.id, None),
                )  # fmt: skip
            case "connection_update":
                pass
