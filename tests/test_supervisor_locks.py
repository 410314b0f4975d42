"""Locks on real files and real processes: they pass with the descriptor, and only a leftover is killed."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from orchestrator.supervisor import locks
from orchestrator.supervisor.locks import Held, Holder


@contextmanager
def holding(path: Path, *, name_it: bool = True, seconds: float = 60.0) -> Iterator[subprocess.Popen[bytes]]:
    """A process that holds the lock by an inherited descriptor, as a worker does."""
    fd = locks.open_lock(path)
    assert fd is not None
    sleeper = subprocess.Popen([sys.executable, "-c", f"import time; time.sleep({seconds})"], pass_fds=(fd,))
    if name_it:
        locks.name_holder(fd, Holder(sleeper.pid, locks.started_at(sleeper.pid) or 0))
    os.close(fd)
    try:
        yield sleeper
    finally:
        sleeper.kill()
        sleeper.wait()


def test_a_lock_outlives_who_took_it(tmp_path: Path) -> None:
    """Closing our descriptor does not let go while another process has it; its death does."""
    path = tmp_path / "bot.lock"
    with holding(path) as sleeper:
        assert locks.open_lock(path) is None
        sleeper.kill()
        sleeper.wait()
        fd = locks.open_lock(path)
        assert fd is not None
        os.close(fd)
    assert path.stat().st_mode & 0o777 == 0o600


async def test_a_leftover_is_killed_after_its_time(tmp_path: Path) -> None:
    """A holder that is not ours has its time to go, and is then killed."""
    path = tmp_path / "bot.lock"
    with holding(path) as sleeper:
        begun = time.monotonic()
        fd = await locks.take(path, lambda _pid: False, leave_s=0.3)
        assert time.monotonic() - begun >= 0.3
        assert sleeper.wait(5) == -9
        os.close(fd)


async def test_one_that_goes_by_itself_is_waited_for(tmp_path: Path) -> None:
    """A holder that ends in time is not killed."""
    path = tmp_path / "bot.lock"
    with holding(path, seconds=0.2) as sleeper:
        os.close(await locks.take(path, lambda _pid: False, leave_s=5.0))
        assert sleeper.wait(5) == 0


async def test_our_own_worker_is_never_killed(tmp_path: Path) -> None:
    """A start does not kill a worker of the running supervisor: it is told that the bot is held."""
    path = tmp_path / "bot.lock"
    with holding(path) as sleeper:
        with pytest.raises(Held):
            await locks.take(path, lambda pid: pid == sleeper.pid, leave_s=0.1)
        assert sleeper.poll() is None


async def test_a_reused_process_id_is_not_killed(tmp_path: Path) -> None:
    """A process that was started at another time than the file says is somebody else."""
    path = tmp_path / "bot.lock"
    with holding(path) as sleeper:
        started = locks.started_at(sleeper.pid)
        assert started is not None
        path.write_bytes(b'{"pid":%d,"started":%d}' % (sleeper.pid, started - 1))
        with pytest.raises(Held):
            await locks.take(path, lambda _pid: False, leave_s=0.1)
        assert sleeper.poll() is None


@pytest.mark.parametrize("text", [b"", b"{", b'{"pid":"x"}', b"\xff"])
def test_an_unreadable_holder_is_nobody(tmp_path: Path, text: bytes) -> None:
    """A file that says nothing sensible names no process to kill."""
    path = tmp_path / "bot.lock"
    path.write_bytes(text)
    assert locks.holder(path) is None
    assert locks.holder(tmp_path / "missing") is None


def test_start_times_tell_processes_apart() -> None:
    """The start time is that of the process table, and a dead process has none."""
    ours = locks.started_at(os.getpid())
    assert ours is not None
    ticks = os.sysconf("SC_CLK_TCK")
    uptime_s = float(Path("/proc/uptime").read_text().split()[0])
    assert 0 <= uptime_s - ours / ticks < 24 * 3600 * 365
    child = subprocess.Popen([sys.executable, "-c", ""])
    child.wait()
    assert locks.started_at(child.pid) is None
