"""The processes of one data directory as the kernel shows them: workers, who holds which bot, and their violent ends.

Owns looking at /proc and sending signals; it must never ask the server. Works while the supervisor is dead, too: a
worker is known by the data directory on its command line. Linux only, as the workers' parent-death signal is.
"""

from __future__ import annotations

import contextlib
import os
import re
import signal
from dataclasses import dataclass
from pathlib import Path

from sessions import spool

_MESSAGE = 17
"""The library's event number of a message (neonize events.py)."""
_MESSAGE_ID = re.compile(rb"3A[0-9A-F]{18}")
"""As the loopback WhatsApp's phones make them."""


@dataclass(frozen=True, slots=True)
class Worker:
    """One worker process. `name` is its id (`wrk_…`); "" for one that drains a dead worker's spool."""

    pid: int
    name: str


def workers(data_dir: Path) -> list[Worker]:
    """Every living process that hosts or drains sessions of this data directory, oldest first; zombies are not alive."""
    found = []
    marker = os.fsencode(f"{data_dir}/")
    for entry in Path("/proc").iterdir():
        if not entry.name.isdecimal():
            continue
        command = _bytes(entry / "cmdline").split(b"\0")
        if b"sessions.worker" in command and any(part.startswith(marker) for part in command):
            name = Path(os.fsdecode(command[command.index(b"--spool") + 1])).name if b"--spool" in command else ""
            found.append(Worker(int(entry.name), name))
    return sorted(found, key=lambda worker: worker.pid)


def holdings(data_dir: Path, worker: Worker) -> set[str]:
    """The bots whose lock this process has open: it holds them."""
    run = f"{data_dir}/run/"
    held = set()
    for entry in _listing(Path(f"/proc/{worker.pid}/fd")):
        try:
            target = str(entry.readlink())
        except OSError:
            continue  # closed between listing and reading
        if target.startswith(f"{run}bot_") and target.split(" ", maxsplit=1)[0].endswith(".lock"):
            held.add(target.removeprefix(run).split(".")[0])
    return held


def holders(data_dir: Path) -> dict[str, list[Worker]]:
    """Which workers hold which bot. Read one after the other: confirm what looks like two holders."""
    found: dict[str, list[Worker]] = {}
    for worker in workers(data_dir):
        for bot in holdings(data_dir, worker):
            found.setdefault(bot, []).append(worker)
    return found


def strike(worker: Worker, number: signal.Signals) -> bool:
    """Send a signal; False when the process is gone already."""
    with contextlib.suppress(ProcessLookupError):
        os.kill(worker.pid, number)
        return True
    return False


def spooled(data_dir: Path) -> set[str]:
    """Ids of the messages in all spools. Nobody may be deleting spools meanwhile: freeze or kill the supervisor first."""
    found: set[str] = set()
    for directory in (data_dir / "spool").iterdir():
        for record in spool.read(directory):
            match = _MESSAGE_ID.search(record.raw) if record.kind == _MESSAGE else None
            if match is not None:
                found.add(match.group().decode())
    return found


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        return b""  # it ended meanwhile


def _listing(path: Path) -> list[Path]:
    try:
        return list(path.iterdir())
    except OSError:
        return []
