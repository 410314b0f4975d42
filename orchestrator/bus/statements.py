"""The bus's SQL: functions that run inside a transaction, on the connection's thread.

Owns writing and reading the tables of migration 0001. It decides nothing: `plan.py` does. Read `keeping.py` for how
rows go again, `sqlite.py` for who calls it.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Iterator, Mapping, Sequence
from hashlib import blake2b
from typing import TypeVar

from orchestrator.bus.bus import Entry, LogState, Snapshot
from orchestrator.bus.keeping import trim_log
from orchestrator.bus.message_rows import write_messages
from orchestrator.bus.places import SEQ_MASK, place
from orchestrator.bus.plan import MARGIN_BYTES, Log, Plan, bot_of_key, check_position, decide
from orchestrator.bus.reader import Page, cut
from orchestrator.bus.retention import Retention, Standing, overdue
from orchestrator.model import Event, Position

T = TypeVar("T")

_CHUNK = 64
_TRIM_LEAST = 64
_LAST_CHARACTER = "\U0010ffff"


def load_logs(connection: sqlite3.Connection) -> dict[str, Log]:
    """Read where every user's log stands."""
    rows = connection.execute("SELECT user, log, epoch, head, floor FROM logs")
    return {user: Log(number, epoch, head, floor) for user, number, epoch, head, floor in rows}


def renew_epochs(connection: sqlite3.Connection, epochs: Mapping[int, str]) -> None:
    """Give logs (number → epoch) new epochs."""
    connection.executemany("UPDATE logs SET epoch = ? WHERE log = ?", [(epoch, log) for log, epoch in epochs.items()])


def write_batch(
    connection: sqlite3.Connection,
    entries: Sequence[Entry],
    logs: Mapping[str, Log],
    created: Mapping[str, Log],
    retention: Retention,
    now_ms: int,
) -> Plan:
    """Decide and write one batch, and cut the logs it has made too long: at most twice as many events go as it wrote,
    and a few more. `logs` holds every user of it, `created` those that are new."""
    if created:
        rows = [(log.number, user, log.epoch) for user, log in created.items()]
        connection.executemany("INSERT INTO logs (log, user, epoch, head, floor) VALUES (?, ?, ?, 0, 0)", rows)
    marks = _marks(connection, {entry.source.incarnation for entry in entries if entry.source is not None})
    asked = [entry for entry in entries if entry.dedupe is not None]
    keys = {(entry.user, key) for entry in asked for key in (entry.dedupe, *entry.dedupe_also) if key is not None}
    plan = decide(entries, logs, marks, _known(connection, keys, logs))
    _write(connection, plan, logs, now_ms)
    write_messages(connection, plan.events, plan.rows, logs, now_ms, now_ms - retention.max_message_age_ms)
    budget = 2 * len(plan.events) + _TRIM_LEAST
    for user, standing in _grow(connection, plan, logs, now_ms).items():
        if overdue(standing, retention):
            plan.floors[user] = trim_log(connection, logs[user].number, retention, now_ms, budget).floor
            budget = max(_TRIM_LEAST, budget - (plan.floors[user] - standing.floor))
    return plan


def _grow(connection: sqlite3.Connection, plan: Plan, logs: Mapping[str, Log], now_ms: int) -> dict[str, Standing]:
    """Move the heads and count the bytes of what the batch wrote."""
    sizes = dict.fromkeys(plan.heads, 0)
    for user, _, event in plan.events:
        sizes[user] += len(event.data) + MARGIN_BYTES
    standings: dict[str, Standing] = {}
    for user, head in plan.heads.items():
        (row,) = connection.execute(
            "UPDATE logs SET head = ?, bytes = bytes + ?, oldest_at = coalesce(oldest_at, ?) WHERE log = ? "
            "RETURNING head, floor, bytes",
            (head, sizes[user], now_ms, logs[user].number),
        ).fetchall()
        standings[user] = Standing(*row)
    return standings


def _marks(connection: sqlite3.Connection, incarnations: Collection[str]) -> dict[str, int]:
    found: dict[str, int] = {}
    for chunk in _chunks(incarnations):
        holes = ",".join("?" * len(chunk))
        sql = f"SELECT incarnation, ordinal FROM marks WHERE incarnation IN ({holes})"  # noqa: S608
        found.update(connection.execute(sql, chunk))
    return found


def _known(
    connection: sqlite3.Connection, keys: Collection[tuple[str, str]], logs: Mapping[str, Log]
) -> set[tuple[str, str]]:
    rows = {(logs[user].number, _digest(key)): (user, key) for user, key in keys}
    found: set[tuple[str, str]] = set()
    for chunk in _chunks(rows):
        holes = ",".join(["(?,?)"] * len(chunk))
        # CROSS JOIN keeps the order of the loops: one look-up by primary key for each asked one.
        sql = (
            f"WITH asked (log, key) AS (VALUES {holes}) SELECT dedupe.log, dedupe.key "  # noqa: S608
            "FROM asked CROSS JOIN dedupe ON dedupe.log = asked.log AND dedupe.key = asked.key"
        )
        found.update(rows[log, key] for log, key in connection.execute(sql, [part for row in chunk for part in row]))
    return found


def _digest(key: str) -> bytes:
    return blake2b(key.encode(), digest_size=16).digest()


def _chunks(items: Collection[T]) -> Iterator[list[T]]:
    everything = list(items)
    for start in range(0, len(everything), _CHUNK):
        yield everything[start : start + _CHUNK]


def _write(connection: sqlite3.Connection, plan: Plan, logs: Mapping[str, Log], now_ms: int) -> None:
    number = {user: log.number for user, log in logs.items()}
    connection.executemany(
        "INSERT INTO events VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        [
            (place(number[user], seq), e.bot, e.name, e.type, e.id, e.at, e.data, e.status, e.status_version, now_ms)
            for user, seq, e in plan.events
        ],
    )
    if plan.values:
        _write_values(connection, plan, number)
    if plan.marks:
        connection.executemany(
            "INSERT INTO marks (incarnation, ordinal, worker, log, bot) VALUES (?, ?, ?, ?, ?) ON CONFLICT (incarnation) "
            "DO UPDATE SET ordinal = excluded.ordinal, bot = coalesce(excluded.bot, bot)",
            [(name, mark.ordinal, mark.worker, number[mark.user], mark.bot) for name, mark in plan.marks.items()],
        )
    if plan.dedupe:
        connection.executemany(
            "INSERT INTO dedupe (log, key, bot, at) VALUES (?, ?, ?, ?)",
            [(number[user], _digest(key), bot, now_ms) for (user, key), bot in plan.dedupe.items()],
        )


def _write_values(connection: sqlite3.Connection, plan: Plan, number: Mapping[str, int]) -> None:
    removed = [(number[user], key) for (user, key), value in plan.values.items() if value is None]
    if removed:
        connection.executemany("DELETE FROM latest WHERE log = ? AND key = ?", removed)
    connection.executemany(
        "INSERT INTO latest (log, key, bot, value) VALUES (?, ?, ?, ?) "
        "ON CONFLICT (log, key) DO UPDATE SET value = excluded.value",
        [
            (number[user], key, bot_of_key(key), value)
            for (user, key), value in plan.values.items()
            if value is not None
        ],
    )


def read_page(connection: sqlite3.Connection, user: str, log: int, after: Position, upto: int, limit: int) -> Page:
    """Read events with after < seq <= upto, at most a page of them. Refuses `position_expired`."""
    check_position(_state(connection, log), after)
    rows = connection.execute(
        "SELECT place, bot, name, type, id, at, data, status, status_version FROM events "
        "WHERE place > ? AND place <= ? ORDER BY place LIMIT ?",
        (place(log, after.seq), place(log, upto), limit + 1),
    )
    page = cut(((row[0] & SEQ_MASK, Event(user, *row[1:])) for row in rows), limit, upto)
    rows.close()
    return page


def read_snapshot(connection: sqlite3.Connection, log: int, prefix: str) -> Snapshot:
    """Read values under a prefix and where the log stands."""
    values = connection.execute(
        "SELECT key, value FROM latest WHERE log = ? AND key >= ? AND key < ? ORDER BY key",
        (log, prefix, prefix + _LAST_CHARACTER),
    )
    return Snapshot(_state(connection, log), dict(values))


def _state(connection: sqlite3.Connection, log: int) -> LogState:
    epoch, head, floor = connection.execute("SELECT epoch, head, floor FROM logs WHERE log = ?", (log,)).fetchone()
    return LogState(Position(epoch, floor), Position(epoch, head))


def scan_values(
    connection: sqlite3.Connection, prefix: str, after: tuple[str, int], limit: int
) -> list[tuple[str, int, str, bytes]]:
    """Read the next (key, log, user, value) under a prefix, in order of (key, log), after that one."""
    return connection.execute(
        "SELECT key, log, user, value FROM latest JOIN logs USING (log) "
        "WHERE (key, log) > (?, ?) AND key >= ? AND key < ? ORDER BY key, log LIMIT ?",
        (*after, prefix, prefix + _LAST_CHARACTER, limit),
    ).fetchall()


def read_mark(connection: sqlite3.Connection, incarnation: str) -> int:
    """Return the highest committed ordinal, or 0."""
    row = connection.execute("SELECT ordinal FROM marks WHERE incarnation = ?", (incarnation,)).fetchone()
    return row[0] if row is not None else 0
