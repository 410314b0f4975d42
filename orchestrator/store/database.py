"""The one SQLite file of a data directory: how it is opened, locked, migrated, written and read.

Owns connection rules, file modes and migrations, and is the only door to aiosqlite. It must never know what the tables
mean. Read `orchestrator/bus/sqlite.py` for its biggest user, `sessions.py` for a small one.
"""

from __future__ import annotations

import asyncio
import fcntl
import logging
import os
import sqlite3
from collections.abc import Callable
from contextlib import suppress
from importlib import resources
from pathlib import Path
from typing import TypeVar, cast

import aiosqlite
import structlog

from orchestrator.clock import Clock
from orchestrator.errors import Refused

_log = structlog.get_logger("store")

T = TypeVar("T")
Work = Callable[[sqlite3.Connection], T]

_APPLICATION_ID = 0x77626F74
"""`wbot`, in the file's header: tells our databases from another program's."""

_STORAGE_CODES = frozenset(
    {
        sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_NOMEM, sqlite3.SQLITE_READONLY,
        sqlite3.SQLITE_INTERRUPT, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_FULL,
        sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PROTOCOL, sqlite3.SQLITE_NOTADB,
    }
)  # fmt: skip
"""Primary result codes that are the disk's fault; any other one is a bug of ours and travels as it is."""


class DatabaseRefused(Exception):
    """The database cannot be used; nothing was changed. The text is one line for the operator, with the remedy."""


class Database:
    """One connection that writes and some that read, each on a thread of its own, so that readers never wait for a
    commit. Every function handed in runs in one transaction, in one hop to the thread."""

    def __init__(self, path: Path, lock: int, clock: Clock) -> None:
        self.path = path
        self._lock: int | None = lock
        self._clock = clock
        self._writer: aiosqlite.Connection | None = None
        self._readers: list[aiosqlite.Connection] = []
        self._idle: asyncio.LifoQueue[aiosqlite.Connection] = asyncio.LifoQueue()
        self._failing = False

    @classmethod
    async def open(cls, path: Path, clock: Clock, *, readers: int = 2) -> Database:
        """Open or create the database and bring it to this version's form.

        Guarantee: a new file has mode 0600, new directories above it 0700; one process at a time has it open; what a
        write returned for survives power loss (WAL, synchronous=FULL).

        Raises:
            DatabaseRefused: corrupt, from a newer version, another program's, not writable, or in use.
        """
        # It logs every call with its arguments at debug level, and those hold message bodies.
        logging.getLogger("aiosqlite").setLevel(logging.WARNING)
        lock = await asyncio.to_thread(_claim, path)
        database = cls(path, lock, clock)
        try:
            database._writer = await _connect(path, writing=True)
            await _hop(database._writer, lambda connection: _migrate(connection, path, clock.wall_ms()))
            for _ in range(readers):
                database._readers.append(await _connect(path, writing=False))
        except sqlite3.Error as error:
            await database.close()
            raise DatabaseRefused(_line(path, error)) from error
        except BaseException:
            await database.close()
            raise
        for reader in database._readers:
            database._idle.put_nowait(reader)
        return database

    async def write(self, work: Work[T]) -> T:
        """Run `work` on the writing connection in one transaction, durable on return; all of it or nothing.

        Writes are carried out one after the other, in the order of the calls. Cancelling the caller does not undo it.
        `work` runs on another thread: it must not touch what the loop changes.

        Raises:
            Refused: `storage_unavailable`: nothing was written; try again. Other exceptions of `work` travel as they
                are, and nothing was written either.
        """
        if self._writer is None:
            raise Refused("server_draining")
        try:
            result = await _hop(self._writer, lambda connection: _transact(connection, work))
        except sqlite3.Error as error:
            raise self._storage_failed(error) from error
        self._failing = False
        return result

    async def read(self, work: Work[T]) -> T:
        """Run `work` on a reading connection in one transaction: everything it reads is of one moment.

        Raises:
            Refused: `storage_unavailable`, as `write`.
        """
        if not self._readers:
            raise Refused("server_draining")
        reader = await self._idle.get()
        try:
            if not self._readers:
                raise Refused("server_draining")
            return await _hop(reader, lambda connection: _look(connection, work))
        except sqlite3.Error as error:
            raise self._storage_failed(error) from error
        finally:
            # Also after a cancelled wait: the next function simply queues on the thread behind the abandoned one.
            self._idle.put_nowait(reader)

    async def checkpoint(self) -> None:
        """Copy what was committed from the write-ahead log into the file, beside running writes.

        Left undone, the writer does it at 64 MB, inside some commit. A disk that fails here will fail a write.
        """
        if not self._readers:
            return
        reader = await self._idle.get()
        try:
            if self._readers:
                await _hop(reader, lambda connection: connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone())
        except sqlite3.Error as error:
            self._storage_failed(error)
        finally:
            self._idle.put_nowait(reader)

    async def close(self) -> None:
        """Let running functions end, fold the log into the file, and let go of it. Idempotent."""
        readers, self._readers = self._readers, []
        for reader in readers:
            await reader.close()
        writer, self._writer = self._writer, None
        if writer is not None:
            with suppress(sqlite3.Error):  # a failing disk must not keep us from stopping; the WAL holds everything
                await writer.close()
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def _storage_failed(self, error: sqlite3.Error) -> Exception:
        """Return what the caller gets; the first failure of a row is logged."""
        code = getattr(error, "sqlite_errorcode", 0) & 0xFF
        if code not in _STORAGE_CODES:
            return error
        if not self._failing:
            self._failing = True
            _log.error("Storage failed", database=self.path.name, error=getattr(error, "sqlite_errorname", "?"))
        return Refused("storage_unavailable", retry_after_s=1.0)


async def _hop(connection: aiosqlite.Connection, work: Work[T]) -> T:
    """Run a function on the connection's thread: one hop, where aiosqlite's public calls take one per statement.

    `_execute` and `_conn` are aiosqlite's own (0.22.1, pinned; a test fails when they move).
    """
    return cast(T, await connection._execute(work, connection._conn))  # type: ignore[no-untyped-call]


def _transact(connection: sqlite3.Connection, work: Work[T]) -> T:
    connection.execute("BEGIN IMMEDIATE")
    try:
        result = work(connection)
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise
    return result


def _look(connection: sqlite3.Connection, work: Work[T]) -> T:
    connection.execute("BEGIN")
    try:
        return work(connection)
    finally:
        if connection.in_transaction:
            connection.execute("ROLLBACK")


async def _connect(path: Path, *, writing: bool) -> aiosqlite.Connection:
    connection = await aiosqlite.connect(path, isolation_level=None, cached_statements=256)
    try:
        await _hop(connection, _rules if writing else _reading_rules)
    except BaseException:
        await connection.close()
        raise
    return connection


def _rules(connection: sqlite3.Connection) -> None:
    _reading_rules(connection, query_only=False)
    (mode,) = connection.execute("PRAGMA journal_mode=WAL").fetchone()
    if mode != "wal":
        raise sqlite3.OperationalError(f"journal mode {mode}: this file system cannot keep a write-ahead log")
    connection.execute("PRAGMA synchronous=FULL")
    connection.execute("PRAGMA secure_delete=ON")  # an erased bot's messages are overwritten, not just unlinked
    connection.execute(f"PRAGMA journal_size_limit={64 * 1024 * 1024}")
    connection.execute("PRAGMA cache_size=-16000")
    connection.execute("PRAGMA wal_autocheckpoint=16000")  # 64 MB; normally `checkpoint` keeps it far below


def _reading_rules(connection: sqlite3.Connection, query_only: bool = True) -> None:
    connection.execute("PRAGMA busy_timeout=5000")
    connection.execute("PRAGMA foreign_keys=ON")
    connection.execute("PRAGMA temp_store=MEMORY")
    connection.execute(f"PRAGMA query_only={'ON' if query_only else 'OFF'}")


def _claim(path: Path) -> int:
    """Make the file and its directory with tight modes, and take the lock that keeps a second process out."""
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        file = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            if os.fstat(file).st_mode & 0o077:
                os.fchmod(file, 0o600)
        finally:
            os.close(file)
        # A file of its own: SQLite's locks are lost when any descriptor of the database itself is closed.
        lock = os.open(path.with_name(path.name + ".lock"), os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise DatabaseRefused(f"{path} cannot be written ({error.strerror}): give this user access to it") from error
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(lock)
        raise DatabaseRefused(f"{path} is in use by another process: stop it, or use another data directory") from error
    return lock


def _line(path: Path, error: sqlite3.Error) -> str:
    match getattr(error, "sqlite_errorcode", 0) & 0xFF:
        case sqlite3.SQLITE_NOTADB | sqlite3.SQLITE_CORRUPT:
            return f"{path} is damaged or not a database ({error}): restore it from a backup, or move it away to start anew"
        case sqlite3.SQLITE_READONLY | sqlite3.SQLITE_CANTOPEN:
            return f"{path} cannot be written ({error}): give this user access to it"
        case sqlite3.SQLITE_FULL:
            return f"{path} cannot be written ({error}): free some disk space"
        case _:
            return f"{path} cannot be opened: {error}"


def migrations() -> list[tuple[int, str, str]]:
    """Return this version's migrations, (number, name, SQL), in order."""
    files = resources.files("orchestrator.store").joinpath("migrations").iterdir()
    found = [
        (int(file.name[:4]), file.name.removesuffix(".sql"), file.read_text("utf-8"))
        for file in files
        if file.name.endswith(".sql")
    ]
    return sorted(found)


def _migrate(connection: sqlite3.Connection, path: Path, now_ms: int) -> None:
    (application,) = connection.execute("PRAGMA application_id").fetchone()
    (tables,) = connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()
    if application != _APPLICATION_ID and tables:
        raise DatabaseRefused(f"{path} is another program's database: use another data directory")
    if not tables:
        script = "CREATE TABLE migrations (number INTEGER PRIMARY KEY, name TEXT NOT NULL, applied_at INTEGER NOT NULL)"
        _script(connection, f"{script} STRICT; PRAGMA application_id={_APPLICATION_ID};")
    applied = dict(connection.execute("SELECT number, name FROM migrations").fetchall())
    known = migrations()
    newer = applied.keys() - {number for number, _, _ in known}
    if newer:
        raise DatabaseRefused(
            f"{path} was written by a newer version (migration {max(newer)}, this one knows up to {known[-1][0]}): "
            "run that version, or restore a backup"
        )
    connection.execute(f"PRAGMA application_id={_APPLICATION_ID}")  # a write: shows now whether we may
    for number, name, sql in known:
        if number not in applied:
            values = f"({number}, '{name}', {now_ms})"  # our own files' names
            _script(connection, f"{sql}\nINSERT INTO migrations VALUES {values};")


def _script(connection: sqlite3.Connection, script: str) -> None:
    """Run several statements in one transaction."""
    try:
        connection.executescript(f"BEGIN IMMEDIATE;\n{script}\nCOMMIT;")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise
