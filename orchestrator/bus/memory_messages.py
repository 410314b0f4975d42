"""Stored messages in memory: the table that `conversation.py` writes, for `memory.py`.

Owns plain dictionaries of one user's messages. It must never know SQLite. Read `message_rows.py` for the one that lasts.
"""

from __future__ import annotations

from collections.abc import Collection

from orchestrator.bus.bus import Before, StoredMessage
from orchestrator.bus.messages import Kept, Row, whole_page
from orchestrator.bus.places import FIRST_PAST


class MemoryMessages:
    """`messages.Table` of one user."""

    def __init__(self) -> None:
        self._rows: dict[int, Row] = {}
        self._next_past = FIRST_PAST
        self._kept: dict[tuple[str, str, str, str], Kept] = {}
        """By (bot, target, type, person)."""
        self._forms: dict[tuple[str, str], str] = {}
        """(bot, LID) → phone form."""

    def forms(self, bot: str, address: str) -> Collection[str]:
        """See `Table.forms`."""
        pairs = ({lid, pn} for (owner, lid), pn in self._forms.items() if owner == bot and address in {lid, pn})
        return {address}.union(*pairs)

    def learn(self, bot: str, lid: str, pn: str) -> None:
        """See `Table.learn`."""
        self._forms[bot, lid] = pn

    def by_id(self, bot: str, message_id: str) -> list[Row]:
        """See `Table.by_id`."""
        return [row for row in self._rows.values() if (row.bot, row.message_id) == (bot, message_id)]

    def by_job(self, bot: str, job: str) -> Row | None:
        """See `Table.by_job`."""
        return next((row for row in self._rows.values() if (row.bot, row.job) == (bot, job)), None)

    def next_past(self) -> int:
        """See `Table.next_past`."""
        self._next_past += 1
        return self._next_past - 1

    def put(self, row: Row) -> None:
        """See `Table.put`."""
        self._rows[row.seq] = row

    def kept(self, bot: str, target: str) -> list[Kept]:
        """See `Table.kept`."""
        return [kept for key, kept in self._kept.items() if key[:2] == (bot, target)]

    def keep(self, bot: str, change: Kept) -> None:
        """See `Table.keep`."""
        self._kept[bot, change.target, change.type, change.person] = change

    def drop(self, bot: str, change: Kept) -> None:
        """See `Table.drop`."""
        self._kept.pop((bot, change.target, change.type, change.person), None)

    def page(self, bot: str, chat: str | None, before: Before | None, limit: int) -> list[StoredMessage]:
        """See `Bus.messages`."""
        chats = None if chat is None else self.forms(bot, chat)
        mine = (row for row in self._rows.values() if row.bot == bot and (chats is None or row.chat in chats))
        older = [shown for shown in (row.shown for row in mine) if before is None or shown.before < before]
        return whole_page(sorted(older, key=lambda one: one.before, reverse=True), limit)

    def erase(self, bot: str) -> None:
        """Remove a bot's messages and everything kept for them."""
        self._rows = {seq: row for seq, row in self._rows.items() if row.bot != bot}
        self._kept = {key: kept for key, kept in self._kept.items() if key[0] != bot}
        self._forms = {key: pn for key, pn in self._forms.items() if key[0] != bot}

    def prune(self, before_ms: int) -> None:
        """Let go of what was stored before a time."""
        self._rows = {seq: row for seq, row in self._rows.items() if row.stored_at_ms >= before_ms}
        self._kept = {key: kept for key, kept in self._kept.items() if kept.stored_at_ms >= before_ms}
