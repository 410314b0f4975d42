"""One worker process from spawn to exit: its command line and environment, the handshake, frames both ways, its death.

Owns the process and its socket. It must never know which bots are in it or why it is started. Read `workers.py` next
for who does.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import signal
import socket
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import structlog

import sessions
from orchestrator.supervisor import locks
from orchestrator.supervisor.awake import Awake
from orchestrator.supervisor.channel import Channel
from orchestrator.supervisor.stderr import Stderr
from orchestrator.tasks import Tasks
from sessions.slots import Note, Slots
from sessions.wire import FromWorker, Hello, Ping, Pong, ToWorker, decode_from_worker, encode

_log = structlog.get_logger("supervisor")

HELLO_S = 30.0
"""Loading the library takes 0.3 to 1.4 s of CPU; many at once on a small machine take longer."""
LINGER_S = 4.0
"""A worker whose socket closed is gone within 3 s by itself."""
LAST_WORDS_S = 5.0
"""For what a dead process left in its socket; the kernel has it already."""

SECRET_PREFIXES = ("ORCHESTRATOR_", "FIREBASE_", "GOOGLE_")
"""Variables a worker has no use for: the supervisor's settings and credentials."""


@dataclass(frozen=True, slots=True)
class Launch:
    """How worker processes are started."""

    run_dir: Path
    spool_dir: Path
    driver: str
    """`whatsapp` or `simulated`."""
    spool_max_bytes: int = 256 * 1024 * 1024
    phones_dir: Path | None = None
    """Where simulated sessions listen for their phones; only for that driver."""
    module: str = "sessions.worker"

    def spool(self, worker: str) -> Path:
        """The spool directory of a worker."""
        return self.spool_dir / worker

    def slots(self, worker: str) -> Path:
        """The slot file of a worker."""
        return self.run_dir / f"{worker}.slots"

    def lock(self, worker: str) -> Path:
        """The file a worker keeps locked as long as it lives."""
        return self.run_dir / f"{worker}.worker"

    def host_arguments(self, worker: str) -> list[str]:
        """What makes the process host sessions."""
        spool, slots = str(self.spool(worker)), str(self.slots(worker))
        phones = ["--phones", str(self.phones_dir)] if self.phones_dir is not None else []
        return ["--spool", spool, "--spool-max", str(self.spool_max_bytes), "--slots", slots, *phones]

    def drain_arguments(self, spool: Path) -> list[str]:
        """What makes the process hand over a dead worker's spool, and end."""
        return ["--drain", str(spool)]


class SpawnFailed(Exception):
    """The process ended, or said nothing, before it was up. The message is fit for a log."""


class WorkerProcess:
    """A process that is running, or was. Made by `spawn`."""

    def __init__(
        self, name: str, launch: Launch, awake: Awake, stderr: Stderr, process: asyncio.subprocess.Process
    ) -> None:
        """Use `spawn`."""
        self.id = name
        self.pid = process.pid
        self.started = locks.started_at(process.pid) or 0
        self.hello: Hello | None = None
        self.pong: Pong | None = None
        self.heard_at = awake.now()
        """When it last said anything, on the waking clock."""
        self.on_frame: Callable[[FromWorker, int], None] = lambda _frame, _size: None
        """Takes every frame but Hello and Pong, with its size in bytes; must not wait."""
        loop = asyncio.get_running_loop()
        self.gone: asyncio.Future[int] = loop.create_future()
        """The exit status, once the process is dead and everything it had said was taken."""
        self._launch = launch
        self._awake = awake
        self._stderr = stderr
        self._process = process
        self._greeted: asyncio.Future[None] = loop.create_future()
        self._ended: asyncio.Future[None] = loop.create_future()
        self._channel: Channel | None = None
        self._killed = False
        self._pings = 0

    @classmethod
    async def spawn(
        cls,
        name: str,
        launch: Launch,
        awake: Awake,
        tasks: Tasks,
        *,
        drain: Path | None = None,
        on_frame: Callable[[FromWorker, int], None] | None = None,
    ) -> WorkerProcess:
        """Start a process; return when it has said Hello (a draining one: at once).

        Args:
            name: the worker's id: of its spool, slots and lock.
            drain: hand over this spool instead of hosting sessions.
            on_frame: see the attribute; a draining process needs it from the start.

        Raises:
            SpawnFailed: it did not come up; nothing of it is left.
            OSError: no file, socket or process could be made.
        """
        arguments = launch.host_arguments(name) if drain is None else launch.drain_arguments(drain)
        stderr = Stderr(launch.run_dir)
        ours, theirs = socket.socketpair()
        lock = None
        try:
            lock = locks.open_lock(launch.lock(name))
            assert lock is not None, "worker ids are never used twice"
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-P", "-m", launch.module, "--fd", str(theirs.fileno())),
                *("--driver", launch.driver, *arguments),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.DEVNULL,  # the library prints pairing codes there
                stderr=stderr.fileno(),
                env=environment(dict(os.environ)),
                pass_fds=(theirs.fileno(), lock),
                start_new_session=True,  # Ctrl-C in the terminal is for the supervisor alone
            )
            worker = cls(name, launch, awake, stderr, process)
            locks.name_holder(lock, locks.Holder(worker.pid, worker.started))
        except BaseException:
            ours.close()
            stderr.close()
            launch.lock(name).unlink(missing_ok=True)
            raise
        finally:
            theirs.close()
            if lock is not None:
                os.close(lock)
        if on_frame is not None:
            worker.on_frame = on_frame
        worker._channel = Channel(ours, worker._body, worker._end)
        tasks.spawn("watch worker", worker._watch(tasks.spawn("wait for worker", process.wait())))
        if drain is None:
            await worker._greeting()
        return worker

    def send(self, frame: ToWorker, descriptor: int | None = None) -> None:
        """Write one frame, with a descriptor that is closed here once sent. A dead process takes it silently."""
        assert self._channel is not None, "spawn gave it a channel"
        self._channel.send(encode(frame), descriptor)

    def ping(self) -> None:
        """Ask for a Pong."""
        self._pings += 1
        self.send(Ping(self._pings))

    def pause(self) -> None:
        """Read no more from it."""
        if self._channel is not None:
            self._channel.pause()

    def resume(self) -> None:
        """Read on; the silence so far was ours."""
        if self._channel is not None and self._channel.paused:
            self.heard_at = self._awake.now()
            self._channel.resume()

    @property
    def paused(self) -> bool:
        """Not read from at present: its silence means nothing."""
        return self._channel is not None and self._channel.paused

    def kill(self) -> None:
        """Send SIGKILL; `gone` follows."""
        self._killed = True
        if self._process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                self._process.kill()

    def forget(self) -> None:
        """Remove the files of a dead process: slots and lock. Its spool is `spools.py`'s."""
        self._launch.slots(self.id).unlink(missing_ok=True)
        self._launch.lock(self.id).unlink(missing_ok=True)

    def bound_stderr(self) -> None:
        """Keep the stderr file small."""
        if not self.gone.done():
            self._stderr.bound()

    def notes(self) -> list[Note]:
        """Which bots are noted as being in the library."""
        return Slots.read(self._launch.slots(self.id))

    async def _greeting(self) -> None:
        try:
            up = await self._awake.wait([self._greeted, self.gone], HELLO_S)
        except asyncio.CancelledError:
            self.kill()
            raise
        if not up or not self._greeted.done():
            self.kill()
            status = await self.gone
            self.forget()
            # No session was started in it: nothing can be lost with its spool.
            shutil.rmtree(self._launch.spool(self.id), ignore_errors=True)
            raise SpawnFailed(f"worker ended with {describe(status)}" if up else "worker did not come up in time")

    def _body(self, body: bytes) -> None:
        frame = decode_from_worker(body)
        self.heard_at = self._awake.now()
        match frame:
            case Hello():
                self.hello = frame
                if not self._greeted.done():
                    self._greeted.set_result(None)
            case Pong():
                self.pong = frame
            case _:
                self.on_frame(frame, len(body))

    def _end(self) -> None:
        self._ended.set_result(None)

    async def _watch(self, exited: asyncio.Task[int]) -> None:
        """See the process and its socket to their ends, in whichever order they come."""
        ends: set[asyncio.Future[Any]] = {exited, self._ended}
        await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
        if not await self._awake.wait([exited], LINGER_S):
            self.kill()
        status = await exited
        self.resume()
        assert self._channel is not None, "spawn gave it a channel"
        if not await self._awake.wait([self._ended], LAST_WORDS_S):
            self._channel.close()
            await self._ended
        if status != 0 and not self._killed:
            cause, said = self._stderr.cause(), self._stderr.bytes_written
            _log.warning("Worker died", worker=self.id, status=describe(status), cause=cause, stderr_bytes=said)
        self._stderr.close()
        self.gone.set_result(status)


def environment(inherited: Mapping[str, str]) -> dict[str, str]:
    """Return the environment a worker gets: without our settings and credentials, with the way to our packages."""
    kept = {name: value for name, value in inherited.items() if not name.startswith(SECRET_PREFIXES)}
    # `-P` keeps the current directory off the path, so the packages are named; a private copy of a library, put on
    # the path by whoever started us, still comes first.
    home = str(Path(sessions.__file__).resolve().parent.parent)
    kept["PYTHONPATH"] = os.pathsep.join(part for part in (inherited.get("PYTHONPATH"), home) if part)
    return kept


def describe(status: int) -> str:
    """Say in a word how a process ended."""
    if status >= 0:
        return f"exit {status}"
    try:
        return signal.Signals(-status).name
    except ValueError:
        return f"signal {-status}"
