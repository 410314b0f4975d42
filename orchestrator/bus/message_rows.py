"""The SQL of stored messages: written with their events, read newest first, let go after their time.

Functions that run inside a transaction, on the connection's thread. Owns the tables of migrations 0005 and 0007. It
decides nothing: `conversation.py` does. Read `sqlite.py` for who calls it.
"""

from __future__ import annotations

import heapq
import sqlite3
from collections.abc import Collection, Iterable, Iterator, Mapping
from operator import attrgetter

from orchestrator.bus import conversation
from orchestrator.bus.bus import Before, StoredMessage
from orchestrator.bus.messages import Kept, Row, whole_page
from orchestrator.bus.places import FIRST_PAST, SEQ_MASK, place
from orchestrator.bus.plan import Log
from orchestrator.model import Event

_COLUMNS = "place, bot, chat, sent_at, stored_at, id, at, data, message_id, job"


class MessageTable:
    """`messages.Table` over one log's rows."""

    def __init__(self, connection: sqlite3.Connection, log: int) -> None:
        self._connection = connection
        self._log = log
        self.written_ms: int | None = None
        """When something was stored here that has to be let go of one day."""
        self._past: int | None = None

    def forms(self, bot: str, address: str) -> Collection[str]:
        """See `Table.forms`."""
        return _forms(self._connection, self._log, bot, address)

    def learn(self, bot: str, lid: str, pn: str) -> None:
        """See `Table.learn`."""
        self._connection.execute(
            "INSERT INTO chat_forms VALUES (?, ?, ?, ?) ON CONFLICT (log, bot, lid) "
            "DO UPDATE SET pn = excluded.pn WHERE pn <> excluded.pn",
            (self._log, bot, lid, pn),
        )

    def by_id(self, bot: str, message_id: str) -> list[Row]:
        """See `Table.by_id`."""
        return self._rows("message_id = ?", bot, message_id)

    def by_job(self, bot: str, job: str) -> Row | None:
        """See `Table.by_job`."""
        return next(iter(self._rows("job = ?", bot, job)), None)

    def _rows(self, condition: str, bot: str, value: str) -> list[Row]:
        rows = self._connection.execute(
            f"SELECT {_COLUMNS} FROM messages WHERE log = ? AND bot = ? AND {condition}",  # noqa: S608
            (self._log, bot, value),
        )
        return [Row(row[0] & SEQ_MASK, *row[1:]) for row in rows]

    def next_past(self) -> int:
        """See `Table.next_past`."""
        if self._past is None:
            (last,) = self._connection.execute(
                "SELECT max(place) FROM messages WHERE place >= ? AND place < ?",
                (place(self._log, FIRST_PAST), place(self._log + 1, 0)),
            ).fetchone()
            self._past = FIRST_PAST - 1 if last is None else last & SEQ_MASK
        self._past += 1
        return self._past

    def put(self, row: Row) -> None:
        """See `Table.put`."""
        self.written_ms = row.stored_at_ms
        self._connection.execute(
            f"INSERT INTO messages (log, {_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) "  # noqa: S608
            "ON CONFLICT (place) DO UPDATE SET "
            "sent_at = excluded.sent_at, data = excluded.data, message_id = excluded.message_id",
            (
                self._log, place(self._log, row.seq), row.bot, row.chat, row.sent_at_ms, row.stored_at_ms, row.id, row.at,
                row.data, row.message_id, row.job,
            ),
        )  # fmt: skip

    def kept(self, bot: str, target: str) -> list[Kept]:
        """See `Table.kept`."""
        rows = self._connection.execute(
            "SELECT target, type, person, stored_at, data FROM message_changes WHERE log = ? AND bot = ? AND target = ?",
            (self._log, bot, target),
        )
        return [Kept(*row) for row in rows]

    def keep(self, bot: str, change: Kept) -> None:
        """See `Table.keep`."""
        self.written_ms = change.stored_at_ms
        self._connection.execute(
            "INSERT OR REPLACE INTO message_changes VALUES (?, ?, ?, ?, ?, ?, ?)",
            (self._log, bot, change.target, change.type, change.person, change.stored_at_ms, change.data),
        )

    def drop(self, bot: str, change: Kept) -> None:
        """See `Table.drop`."""
        self._connection.execute(
            "DELETE FROM message_changes WHERE log = ? AND bot = ? AND target = ? AND type = ? AND person = ?",
            (self._log, bot, change.target, change.type, change.person),
        )


def write_messages(
    connection: sqlite3.Connection,
    events: Iterable[tuple[str, int, Event]],
    rows: Mapping[tuple[str, int], Iterable[bytes]],
    logs: Mapping[str, Log],
    now_ms: int,
    oldest_ms: int,
) -> None:
    """Store what newly committed (user, seq, event) make of the messages, and the past ones that came with them."""
    tables: dict[int, MessageTable] = {}
    for user, seq, event in events:
        log = logs[user].number
        if log not in tables:
            tables[log] = MessageTable(connection, log)
        conversation.take(tables[log], seq, event, now_ms)
        conversation.take_past(tables[log], event, rows.get((user, seq), ()), now_ms, oldest_ms)
    connection.executemany(
        "UPDATE logs SET oldest_message_at = ? WHERE log = ? AND oldest_message_at IS NULL",
        [(table.written_ms, log) for log, table in tables.items() if table.written_ms is not None],
    )


def read_messages(
    connection: sqlite3.Connection, log: int, bot: str, chat: str | None, before: Before | None, limit: int
) -> list[StoredMessage]:
    """Read a page of a bot's messages, or of one chat's under both of its forms, newest first."""
    chats: Collection[str | None] = [None] if chat is None else _forms(connection, log, bot, chat)
    found = [_newest(connection, log, bot, form, before, limit) for form in chats]
    return whole_page(heapq.merge(*found, key=attrgetter("before"), reverse=True), limit)


def _forms(connection: sqlite3.Connection, log: int, bot: str, chat: str) -> Collection[str]:
    rows = connection.execute(
        "SELECT lid, pn FROM chat_forms WHERE log = ? AND bot = ? AND lid = ? "
        "UNION SELECT lid, pn FROM chat_forms WHERE log = ? AND bot = ? AND pn = ?",
        (log, bot, chat, log, bot, chat),
    )
    return {chat}.union(*rows)


def _newest(
    connection: sqlite3.Connection, log: int, bot: str, chat: str | None, before: Before | None, limit: int
) -> Iterator[StoredMessage]:
    conditions: list[str] = ["log = ?", "bot = ?"]
    values: list[str | int] = [log, bot]
    if chat is not None:
        conditions.append("chat = ?")
        values.append(chat)
    if before is not None:
        conditions.append("(sent_at, place) < (?, ?)")
        values += [before.sent_at_ms, place(log, before.seq)]
    rows = connection.execute(
        f"SELECT place, sent_at, id, at, data FROM messages WHERE {' AND '.join(conditions)} "  # noqa: S608
        "ORDER BY sent_at DESC, place DESC LIMIT ?",
        (*values, limit),
    )
    for where, sent_ms, event, at, data in rows:
        yield StoredMessage(event, bot, at, Before(sent_ms, where & SEQ_MASK), data)


def erase_messages(connection: sqlite3.Connection, log: int, bot: str, limit: int) -> int:
    """Remove some of a bot's messages and what is kept for them; return how many."""
    connection.execute("DELETE FROM chat_forms WHERE log = ? AND bot = ?", (log, bot))
    changes = connection.execute(
        "DELETE FROM message_changes WHERE (log, bot, target, type, person) IN "
        "(SELECT log, bot, target, type, person FROM message_changes WHERE log = ? AND bot = ? LIMIT ?)",
        (log, bot, limit),
    ).rowcount
    messages = connection.execute(
        "DELETE FROM messages WHERE place IN (SELECT place FROM messages WHERE log = ? AND bot = ? LIMIT ?)",
        (log, bot, limit),
    ).rowcount
    return max(changes, messages)


def logs_with_old_messages(connection: sqlite3.Connection, before_ms: int) -> list[int]:
    """Return every log that may hold messages stored before a time."""
    rows = connection.execute("SELECT log FROM logs WHERE oldest_message_at < ?", (before_ms,))
    return [log for (log,) in rows]


def prune_messages(connection: sqlite3.Connection, log: int, before_ms: int, limit: int) -> bool:
    """Remove some of a log's messages stored before a time; tell whether more are left."""
    live = _prune_range(connection, place(log, 0), place(log, FIRST_PAST), before_ms, limit)
    past = _prune_range(connection, place(log, FIRST_PAST), place(log + 1, 0), before_ms, limit)
    changes = _prune_changes(connection, log, before_ms, limit)
    found = (live, past, changes)
    oldest = min((at for at, _ in found if at is not None), default=None)
    connection.execute("UPDATE logs SET oldest_message_at = ? WHERE log = ?", (oldest, log))
    return any(more for _, more in found)


def _prune_range(
    connection: sqlite3.Connection, first: int, end: int, before_ms: int, limit: int
) -> tuple[int | None, bool]:
    """Remove some of the messages at these places, which lie in the order they were stored in; return when the oldest
    left was stored, and whether more may be due."""
    rows = connection.execute(
        "SELECT place, stored_at FROM messages WHERE place >= ? AND place < ? ORDER BY place LIMIT ?",
        (first, end, limit + 1),
    ).fetchall()
    stays = next((index for index, (_, stored_ms) in enumerate(rows[:limit]) if stored_ms >= before_ms), None)
    gone = rows[: limit if stays is None else stays]
    if gone:
        connection.execute("DELETE FROM messages WHERE place >= ? AND place <= ?", (first, gone[-1][0]))
    oldest_ms = rows[len(gone)][1] if len(rows) > len(gone) else None
    return oldest_ms, stays is None and oldest_ms is not None


def _prune_changes(connection: sqlite3.Connection, log: int, before_ms: int, limit: int) -> tuple[int | None, bool]:
    """Remove some of the changes kept too long; return when the oldest left was stored, and whether more are due."""
    connection.execute(
        "DELETE FROM message_changes WHERE (log, bot, target, type, person) IN "
        "(SELECT log, bot, target, type, person FROM message_changes WHERE log = ? AND stored_at < ? LIMIT ?)",
        (log, before_ms, limit),
    )
    (oldest_ms,) = connection.execute("SELECT min(stored_at) FROM message_changes WHERE log = ?", (log,)).fetchone()
    return oldest_ms, oldest_ms is not None and oldest_ms < before_ms
