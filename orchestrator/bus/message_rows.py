"""The SQL of stored messages: written with their events, read newest first, let go after their time.

Functions that run inside a transaction, on the connection's thread. Owns the tables of migration 0005. It decides
nothing: `messages.py` does. Read `sqlite.py` for who calls it.
"""

from __future__ import annotations

import heapq
import sqlite3
from collections.abc import Collection, Iterable, Iterator, Mapping
from operator import attrgetter

from orchestrator.bus.bus import Before, StoredMessage
from orchestrator.bus.messages import fold, whole_page
from orchestrator.bus.places import SEQ_MASK, place
from orchestrator.bus.plan import Log
from orchestrator.model import Event


def write_messages(
    connection: sqlite3.Connection,
    events: Iterable[tuple[str, int, Event]],
    logs: Mapping[str, Log],
    now_ms: int,
) -> None:
    """Store the messages among newly committed (user, seq, event)."""
    rows: list[tuple[object, ...]] = []
    forms: set[tuple[int, str, str, str]] = set()
    for user, seq, event in events:
        if (folded := fold(event)) is None:
            continue
        log = logs[user].number
        head = (place(log, seq), log, folded.bot, folded.chat, folded.sent_at_ms, now_ms)
        rows.append((*head, event.id, event.at, event.data))
        if folded.chat_pn is not None:
            forms.add((log, folded.bot, folded.chat, folded.chat_pn))
    if not rows:
        return
    connection.executemany("INSERT INTO messages VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", rows)
    connection.executemany(
        "INSERT INTO chat_forms VALUES (?, ?, ?, ?) ON CONFLICT (log, bot, lid) "
        "DO UPDATE SET pn = excluded.pn WHERE pn <> excluded.pn",
        forms,
    )
    connection.executemany(
        "UPDATE logs SET oldest_message_at = ? WHERE log = ? AND oldest_message_at IS NULL",
        [(now_ms, log) for log in {row[1] for row in rows}],
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
    """Remove some of a bot's messages; return how many."""
    connection.execute("DELETE FROM chat_forms WHERE log = ? AND bot = ?", (log, bot))
    return connection.execute(
        "DELETE FROM messages WHERE place IN (SELECT place FROM messages WHERE log = ? AND bot = ? LIMIT ?)",
        (log, bot, limit),
    ).rowcount


def logs_with_old_messages(connection: sqlite3.Connection, before_ms: int) -> list[int]:
    """Return every log that may hold messages stored before a time."""
    rows = connection.execute("SELECT log FROM logs WHERE oldest_message_at < ?", (before_ms,))
    return [log for (log,) in rows]


def prune_messages(connection: sqlite3.Connection, log: int, before_ms: int, limit: int) -> bool:
    """Remove some of a log's messages stored before a time; tell whether more are left."""
    rows = connection.execute(
        "SELECT place, stored_at FROM messages WHERE place > ? AND place < ? ORDER BY place LIMIT ?",
        (place(log, 0), place(log + 1, 0), limit + 1),
    ).fetchall()
    stays = next((index for index, (_, stored_ms) in enumerate(rows[:limit]) if stored_ms >= before_ms), None)
    gone = rows[: limit if stays is None else stays]
    if gone:
        connection.execute("DELETE FROM messages WHERE place > ? AND place <= ?", (place(log, 0), gone[-1][0]))
    oldest_ms = rows[len(gone)][1] if len(rows) > len(gone) else None
    connection.execute("UPDATE logs SET oldest_message_at = ? WHERE log = ?", (oldest_ms, log))
    return stays is None and oldest_ms is not None
