"""The bus in memory: for tests, simulations and script harnesses. It keeps every promise but durability.

Owns plain dictionaries behind `Bus`; it must never know SQLite. Read `sqlite.py` for the one that survives.
"""

from __future__ import annotations

import asyncio
import bisect
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from dataclasses import replace
from functools import partial

from orchestrator.bus import conversation
from orchestrator.bus.bus import (
    Before,
    Committed,
    Entry,
    Features,
    LogState,
    Outcome,
    Snapshot,
    StoredMessage,
)
from orchestrator.bus.memory_messages import MemoryMessages
from orchestrator.bus.plan import MARGIN_BYTES, Log, Mark, bot_of_key, check_position, decide
from orchestrator.bus.reader import PAGE_ITEMS, Announcing, Item, Page, Reader, Readers, chain, cut
from orchestrator.bus.retention import Retention, Standing, cut_log, overdue
from orchestrator.clock import Clock
from orchestrator.errors import Refused
from orchestrator.model import Position, new_id


class MemoryBus(Announcing):
    """A `Bus` without a disk."""

    features = Features(durable=False)

    def __init__(self, clock: Clock, retention: Retention | None = None) -> None:
        self._clock = clock
        self._retention = retention or Retention()
        self._readers = Readers(clock.wall_ms)
        self._logs: dict[str, Log] = {}
        self._events: dict[str, list[Item]] = {}
        self._stored_ms: dict[str, dict[int, int]] = {}
        self._bytes: dict[str, int] = {}
        self._messages: dict[str, MemoryMessages] = {}
        self._values: dict[str, dict[str, bytes]] = {}
        self._marks: dict[str, Mark] = {}
        self._dedupe: dict[tuple[str, str], str | None] = {}
        self._closed = False

    async def commit(self, entries: Sequence[Entry]) -> list[Outcome]:
        """See `Bus.commit`; nothing is durable."""
        if self._closed:
            raise Refused("server_draining")
        for entry in entries:
            self._log(entry.user)
        sources = {entry.source.incarnation for entry in entries if entry.source is not None}
        ordinals = {name: self._marks[name].ordinal for name in sources & self._marks.keys()}
        plan = decide(entries, self._logs, ordinals, self._dedupe.keys())
        self._marks |= plan.marks
        self._dedupe |= plan.dedupe
        for (user, key), value in plan.values.items():
            if value is None:
                self._values.get(user, {}).pop(key, None)
            else:
                self._values.setdefault(user, {})[key] = value
        fresh: dict[str, list[Item]] = {}
        for user, seq, event in plan.events:
            fresh.setdefault(user, []).append((seq, event))
        for user, items in fresh.items():
            log = self._logs[user]
            self._events.setdefault(user, []).extend(items)
            self._stored_ms.setdefault(user, {}).update(dict.fromkeys((seq for seq, _ in items), self._clock.wall_ms()))
            self._bytes[user] = self._bytes.get(user, 0) + _size(items)
            self._logs[user] = replace(log, head=items[-1][0])
            self._readers.push(user, items, items[-1][0])
            self._store_messages(user, items, plan.rows)
            if overdue(self._standing(user), self._retention):
                self._trim(user)
        await asyncio.sleep(0)  # let others run, as a commit that goes to a disk does
        return plan.outcomes

    async def snapshot(self, user: str, prefix: str = "") -> Snapshot:
        """See `Bus.snapshot`."""
        values = self._values.get(user, {})
        return Snapshot(self._log(user).state, {key: values[key] for key in sorted(values) if key.startswith(prefix)})

    async def state(self, user: str) -> LogState:
        """See `Bus.state`."""
        return self._log(user).state

    async def read(self, user: str, after: Position, limit: int = 256) -> list[Committed]:
        """See `Bus.read`."""
        log = self._log(user)
        check_position(log.state, after)
        page = await self._page(user, after.seq, log.head, limit)
        return chain(page.items, after)

    async def subscribe(self, user: str, after: Position) -> Reader:
        """See `Bus.subscribe`."""
        log = self._log(user)
        check_position(log.state, after)
        return self._readers.attach(user, after, log.head, partial(self._page, user))

    async def messages(
        self, user: str, bot: str, chat: str | None = None, before: Before | None = None, limit: int = 50
    ) -> list[StoredMessage]:
        """See `Bus.messages`."""
        table = self._messages.get(user)
        return table.page(bot, chat, before, limit) if table is not None else []

    async def scan(self, prefix: str) -> AsyncIterator[tuple[str, str, bytes]]:
        """See `Bus.scan`."""
        rows = [
            (user, key, value)
            for user, values in self._values.items()
            for key, value in values.items()
            if key.startswith(prefix)
        ]
        for row in sorted(rows):
            yield row

    async def mark(self, incarnation: str) -> int:
        """See `Bus.mark`."""
        mark = self._marks.get(incarnation)
        return mark.ordinal if mark is not None else 0

    async def erase(self, user: str, bot: str) -> None:
        """See `Bus.erase`."""
        gone = [item for item in self._events.get(user, []) if item[1].bot == bot]
        self._events[user] = [item for item in self._events.get(user, []) if item[1].bot != bot]
        self._bytes[user] = self._bytes.get(user, 0) - _size(gone)
        if user in self._messages:
            self._messages[user].erase(bot)
        values = self._values.get(user, {})
        for key in [key for key in values if bot_of_key(key) == bot]:
            del values[key]
        for kept in [kept for kept, owner in self._dedupe.items() if kept[0] == user and owner == bot]:
            del self._dedupe[kept]
        for name in [name for name, mark in self._marks.items() if mark.user == user and mark.bot == bot]:
            del self._marks[name]
        self._readers.forget(user, bot)

    async def tidy(self) -> None:
        """Let go of what retention keeps no longer; by itself it does so only when a log outgrows count or bytes."""
        for user in self._logs:
            self._trim(user)
        before_ms = self._clock.wall_ms() - self._retention.max_message_age_ms
        for table in self._messages.values():
            table.prune(before_ms)

    async def close(self) -> None:
        """See `Bus.close`."""
        self._closed = True
        self._readers.close()

    def _log(self, user: str) -> Log:
        log = self._logs.get(user)
        if log is None:
            log = self._logs[user] = Log(len(self._logs) + 1, new_id("log", 12), 0)
        return log

    def _store_messages(
        self, user: str, items: Sequence[Item], rows: Mapping[tuple[str, int], Iterable[bytes]]
    ) -> None:
        table = self._messages.setdefault(user, MemoryMessages())
        now_ms = self._clock.wall_ms()
        for seq, event in items:
            conversation.take(table, seq, event, now_ms)
            oldest_ms = now_ms - self._retention.max_message_age_ms
            conversation.take_past(table, event, rows.get((user, seq), ()), now_ms, oldest_ms)

    def _standing(self, user: str) -> Standing:
        log = self._logs[user]
        return Standing(log.head, log.floor, self._bytes.get(user, 0))

    def _trim(self, user: str) -> None:
        events, stored = self._events.get(user, []), self._stored_ms.get(user, {})
        rows = ((seq, len(event.data) + MARGIN_BYTES, stored[seq]) for seq, event in events)
        trimmed = cut_log(self._standing(user), rows, self._retention, self._clock.wall_ms(), len(events))
        self._events[user] = [item for item in events if item[0] > trimmed.floor]
        self._stored_ms[user] = {seq: at for seq, at in stored.items() if seq > trimmed.floor}
        self._bytes[user] = trimmed.size_bytes
        self._logs[user] = replace(self._logs[user], floor=trimmed.floor)

    async def _page(self, user: str, after: int, upto: int, limit: int = PAGE_ITEMS) -> Page:
        log = self._log(user)
        check_position(log.state, Position(log.epoch, after))
        events = self._events.get(user, [])
        start = bisect.bisect_right(events, after, key=lambda item: item[0])
        stop = bisect.bisect_right(events, upto, key=lambda item: item[0])
        return cut(events[start : min(stop, start + limit + 1)], limit, upto)


def _size(items: Sequence[Item]) -> int:
    return sum(len(event.data) + MARGIN_BYTES for _, event in items)
