"""The SQL of letting go: what retention cuts from the logs, dedupe keys of 30 days ago, a deleted bot.

Functions that run inside a transaction, on the connection's thread, each of a bounded piece of work. Decides nothing:
`retention.py` does. Read `sqlite.py` for who calls it.
"""

from __future__ import annotations

import sqlite3
from itertools import starmap

from orchestrator.bus.places import SEQ_MASK, place
from orchestrator.bus.plan import MARGIN_BYTES
from orchestrator.bus.retention import Cut, Retention, Row, Standing, cut_log


def trim_log(connection: sqlite3.Connection, log: int, retention: Retention, now_ms: int, budget: int) -> Cut:
    """Cut a log to its limits, at most `budget` events of it."""
    standing = Standing(*connection.execute("SELECT head, floor, bytes FROM logs WHERE log = ?", (log,)).fetchone())
    rows = connection.execute(
        f"SELECT place, length(data) + {MARGIN_BYTES}, coalesce(stored_at, at) FROM events "  # noqa: S608
        "WHERE place > ? AND place < ? ORDER BY place",
        (place(log, standing.floor), place(log + 1, 0)),
    )
    cut = cut_log(standing, starmap(_row, rows), retention, now_ms, budget)
    rows.close()
    connection.execute(
        "DELETE FROM events WHERE place > ? AND place <= ?", (place(log, standing.floor), place(log, cut.floor))
    )
    connection.execute(
        "UPDATE logs SET floor = ?, bytes = ?, oldest_at = ? WHERE log = ?",
        (cut.floor, cut.size_bytes, cut.oldest_ms, log),
    )
    return cut


def _row(at: int, size: int, stored_ms: int) -> Row:
    return at & SEQ_MASK, size, stored_ms


def logs_to_trim(connection: sqlite3.Connection, retention: Retention, now_ms: int) -> list[tuple[str, int]]:
    """Return the (user, log) of every log that is over a limit."""
    return connection.execute(
        "SELECT user, log FROM logs WHERE oldest_at < ? OR head - floor > ? OR bytes > ?",
        (now_ms - retention.max_age_ms, retention.max_events, retention.max_bytes),
    ).fetchall()


def erase_bot(connection: sqlite3.Connection, log: int, bot: str) -> None:
    """Remove everything of a bot."""
    span = (place(log, 0), place(log + 1, 0), bot)
    mine = "FROM events WHERE place >= ? AND place < ? AND bot = ?"
    connection.execute(
        f"UPDATE logs SET bytes = bytes - (SELECT coalesce(sum(length(data) + {MARGIN_BYTES}), 0) {mine}) "  # noqa: S608
        "WHERE log = ?",
        (*span, log),
    )
    connection.execute(f"DELETE {mine}", span)
    for table in ("latest", "marks", "dedupe"):
        connection.execute(f"DELETE FROM {table} WHERE log = ? AND bot = ?", (log, bot))  # noqa: S608


def prune_dedupe(connection: sqlite3.Connection, before_ms: int, limit: int) -> int:
    """Remove some keys stored before a time; return how many."""
    return connection.execute(
        "DELETE FROM dedupe WHERE (log, key) IN (SELECT log, key FROM dedupe WHERE at < ? ORDER BY at LIMIT ?)",
        (before_ms, limit),
    ).rowcount
