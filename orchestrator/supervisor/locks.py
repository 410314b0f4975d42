"""Locks that outlive the supervisor: at most one process ever holds a bot, whoever is killed.

A lock is an flock on a file in `run/`, held by whatever process has a descriptor of that open file: a bot's goes to its
worker with the Start frame, a worker's own is inherited at its spawn. So the kernel lets go when the holder closes it
or dies, and by nothing else. The file says who holds it (process id and start time), for the one case in which a holder
is killed: it was left by an earlier supervisor and did not end by itself. Read `supervisor.py` for who takes them.
"""

from __future__ import annotations

import asyncio
import fcntl
import os
import signal
from collections.abc import Callable
from pathlib import Path

import msgspec
import structlog

_log = structlog.get_logger("supervisor")

POLL_S = 0.02
LEAVE_S = 4.0
"""A worker whose supervisor died is gone within 3 s by itself; one left after this is killed."""
KILLED_S = 2.0
"""How long a killed process may take to be gone."""


class Holder(msgspec.Struct, frozen=True):
    """Who holds a lock, as the lock file says."""

    pid: int
    started: int
    """In clock ticks since boot: with the pid, a process and not its successor."""


class Held(Exception):
    """Somebody has the lock and did not let go in time."""


def started_at(pid: int) -> int | None:
    """Return when a process was started, in clock ticks since boot (proc(5), field 22); None when there is none."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return None
    # The command, in brackets, may hold anything; the fields count from the last bracket on (state is the third).
    fields = text.rpartition(")")[2].split()
    return None if fields[0] in {"Z", "X"} else int(fields[19])


def open_lock(path: Path) -> int | None:
    """Open and lock a file (made with mode 0600); None while somebody else has it.

    Raises:
        OSError: the file can't be made.
    """
    fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(fd)
        return None
    except OSError:
        os.close(fd)
        raise
    return fd


def name_holder(fd: int, holder: Holder) -> None:
    """Write into a lock file who is about to hold it."""
    text = msgspec.json.encode(holder)
    os.ftruncate(fd, 0)
    os.pwrite(fd, text, 0)


def holder(path: Path) -> Holder | None:
    """Read who holds (or last held) a lock; None when the file does not say."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=Holder)
    except (OSError, msgspec.DecodeError):
        return None


async def take(path: Path, is_ours: Callable[[int], bool], *, leave_s: float = LEAVE_S) -> int:
    """Lock a file, waiting for a holder to let go; kill the holder if an earlier supervisor left it behind.

    Args:
        is_ours: whether a pid is a worker of this supervisor: such a one is never killed here.
        leave_s: how long a holder may take before it is killed.

    Returns:
        The descriptor, locked.

    Raises:
        Held: the holder is ours, can't be told, or did not die.
        OSError: the file can't be made.
    """
    fd = await _poll(path, leave_s)
    if fd is not None:
        return fd
    left = holder(path)
    if left is None or is_ours(left.pid) or started_at(left.pid) != left.started:
        raise Held
    _log.warning("Leftover worker killed", pid=left.pid)
    kill(left.pid)
    fd = await _poll(path, KILLED_S)
    if fd is None:
        raise Held
    return fd


def kill(pid: int) -> None:
    """Send SIGKILL; a process that is gone is fine."""
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return


async def _poll(path: Path, seconds: float) -> int | None:
    deadline = asyncio.get_running_loop().time() + seconds
    while (fd := open_lock(path)) is None:
        if asyncio.get_running_loop().time() >= deadline:
            return None
        await asyncio.sleep(POLL_S)
    return fd
