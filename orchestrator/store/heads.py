"""How far a database had come, noted beside it, so that a start notices one that is older: restored, or repaired.

Owns that small file. It is written after what it counts is durable, so a database is never behind its own note; it may
be a second ahead of it. It must never know what is counted. Read `orchestrator/bus/sqlite.py` for who does.
"""

from __future__ import annotations

import os
from pathlib import Path

import msgspec


class _Note(msgspec.Struct, frozen=True):
    file: int
    """The database's inode: a copy put in its place, as backups do, has another."""
    count: int


def is_older(database: Path, count: int) -> bool:
    """Tell whether this is not the database that was last open here, or that one as it was some time before.

    Also true when nothing (readable) is noted: a database that came without its note was brought from elsewhere.

    Raises:
        OSError: the database's file cannot be looked at.
    """
    try:
        note = msgspec.json.decode(_beside(database).read_bytes(), type=_Note)
    except (OSError, msgspec.DecodeError):
        return True
    return note.file != database.stat().st_ino or count < note.count


def note(database: Path, count: int) -> None:
    """Note how far the database has come; durable on return, all of it or nothing.

    Raises:
        OSError: nothing was noted.
    """
    beside = _beside(database)
    fresh = beside.with_name(beside.name + ".new")
    data = msgspec.json.encode(_Note(database.stat().st_ino, count))
    file = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        os.write(file, data)
        os.fsync(file)
    finally:
        os.close(file)
    fresh.replace(beside)


def _beside(database: Path) -> Path:
    return database.with_name(database.name + ".heads")
