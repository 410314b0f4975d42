"""The device file: where WhatsApp's keys of one bot lie, how the library is told to open it, what we read in it.

Owns the path's form, the DSN and the one query. It must never know the library's calls. The library's SQLite and ours
are two copies in one process, and closing a file drops all of a process's POSIX locks on it (sqlite.org/howtocorrupt,
2.2): so the file is read before the library opens it, and in a child process when the library ever had it open here.
Read `whatsapp_session.py` next.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
import subprocess
import sys
from pathlib import Path
from urllib.parse import quote

import msgspec

from sessions.model import LID_SERVER, Account, Jid

_OPTIONS = (
    # The names the driver's long forms have are kept out: neonize appends `?_foreign_keys=on`, which `_z` swallows.
    "_fk=1",
    "_journal_mode=WAL",
    "_synchronous=NORMAL",
    "_busy_timeout=10000",
    "_txlock=immediate",
    "_z=",
)
_QUERY = "SELECT jid, lid, push_name FROM whatsmeow_device"
_HAS_TABLE = "SELECT 1 FROM sqlite_master WHERE name = 'whatsmeow_device'"
_BUSY_S = 5.0
_QUERY_TIMEOUT_S = 10.0
_LID = "SELECT lid FROM whatsmeow_lid_map WHERE pn = ?"
_HAS_LIDS = "SELECT 1 FROM sqlite_master WHERE name = 'whatsmeow_lid_map'"
_opened: set[str] = set()


class DeviceUnreadable(Exception):
    """The device file is there and can't be read; the message holds no path and no key."""


def dsn(device_file: str) -> str:
    """Return what the library takes as its database name: WAL (four times its message rate, measured), foreign keys.

    Raises:
        ValueError: not an absolute path (the library would take some names for another kind of database).
    """
    if not Path(device_file).is_absolute():
        raise ValueError("a device file is named by its absolute path")
    return f"{quote(device_file)}?{'&'.join(_OPTIONS)}"


def prepare(device_file: str) -> None:
    """Make directory (0700) and file (0600) if they are missing; SQLite gives its side files the mode of the file.

    Raises:
        OSError: they can't be made.
    """
    path = Path(device_file)
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
    _opened.add(device_file)


def find(device_file: str, account_jid: str) -> Account | None:
    """Return the account of this device if the file holds its keys; blocks, call it before the library opens the file.

    Raises:
        DeviceUnreadable: the file is locked or damaged: nothing is known about the keys.
    """
    if not Path(device_file).exists():
        return None
    wanted = Jid.parse(account_jid)
    rows = _read_elsewhere(device_file, _HAS_TABLE, _QUERY) if device_file in _opened else _read(device_file)
    for jid, lid, push_name in msgspec.convert(rows, list[Row]):
        with contextlib.suppress(ValueError):
            held = Jid.parse(jid)
            if held == wanted:
                hidden = str(Jid.parse(lid)) if lid else None
                return Account(str(held), hidden, held.user, push_name or None)
    return None


def lid(device_file: str, phone: str) -> str | None:
    """Return the LID form the library knows a phone number (digits) by; blocks for some 30 ms.

    Raises:
        DeviceUnreadable: the file is locked or damaged.
    """
    if not phone.isdecimal():
        return None
    rows = _read_elsewhere(device_file, _HAS_LIDS, _LID, phone)
    return next((f"{row[0]}@{LID_SERVER}" for row in rows if isinstance(row[0], str) and row[0].isdecimal()), None)


Row = tuple[str, str | None, str | None]


def _read(device_file: str) -> list[list[object]]:
    try:
        with contextlib.closing(sqlite3.connect(_uri(device_file), uri=True, timeout=_BUSY_S)) as database:
            if not database.execute(_HAS_TABLE).fetchone():
                return []
            return [[str(jid), lid, name] for jid, lid, name in database.execute(_QUERY)]
    except sqlite3.Error as error:
        raise DeviceUnreadable(type(error).__name__) from None


def _read_elsewhere(device_file: str, has_table: str, query: str, *values: str) -> list[list[object]]:
    # The standard library alone, without site packages: such a child is up and done in some 30 ms.
    code = (
        "import json,sqlite3,sys;d=sqlite3.connect(sys.argv[1],uri=True,timeout=float(sys.argv[2]))\n"
        "print(json.dumps(list(d.execute(sys.argv[4],sys.argv[5:])) if d.execute(sys.argv[3]).fetchone() else []))"
    )
    try:
        done = subprocess.run(
            [sys.executable, "-I", "-S", "-c", code, _uri(device_file), str(_BUSY_S), has_table, query, *values],
            capture_output=True,
            timeout=_QUERY_TIMEOUT_S,
            check=True,
        )
        return msgspec.json.decode(done.stdout, type=list[list[object]])
    except (OSError, subprocess.SubprocessError, msgspec.MsgspecError) as error:
        raise DeviceUnreadable(type(error).__name__) from None


def _uri(device_file: str) -> str:
    return f"file:{quote(device_file)}?mode=rw"
