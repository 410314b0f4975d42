"""A worker process as its supervisor sees it: frames in, frames out, the bots' locks, its death.

Owns the process and the supervisor's end of its socket, played by a test. It must never know what the frames mean.
Read `sessions/wire.py` for them.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import itertools
import os
import signal
import socket
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import TypeVar

from sessions import model, wire
from sessions.session import SessionSpec

ROOT = Path(__file__).resolve().parents[2]
WAIT_S = 60.0
"""Deadline of every wait that names none; generous, because it is reached only by failing tests."""

Frame = TypeVar("Frame")
Event = TypeVar("Event", bound=model.SessionEvent)


class Lock:
    """A bot's lock as the supervisor makes it: held by whoever has the descriptor open."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def take(self) -> int:
        """Open and lock the file; BlockingIOError when somebody holds it."""
        descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            raise
        return descriptor

    @property
    def free(self) -> bool:
        """Whether nobody holds it."""
        try:
            os.close(self.take())
        except BlockingIOError:
            return False
        return True


class WorkerChild:
    """A running worker. `frames` holds all it said, in order."""

    def __init__(self, process: asyncio.subprocess.Process, line: socket.socket, directory: Path) -> None:
        """Use `start`."""
        self.process = process
        self.directory = directory
        self.frames: list[wire.FromWorker] = []
        self.reading = asyncio.Event()
        """Clear it to be a supervisor that does not read."""
        self.reading.set()
        self._line = line
        self._calls = itertools.count(1)
        self._changed = asyncio.Condition()
        self._listening = asyncio.get_running_loop().create_task(self._listen())

    @classmethod
    @contextlib.asynccontextmanager
    async def start(
        cls,
        directory: Path,
        driver: str = "simulated",
        environment: dict[str, str] | None = None,
        *,
        spool_max: int | None = None,
        name: str = "w1",
    ) -> AsyncIterator[WorkerChild]:
        """A worker that has said Hello; killed at the end."""
        arguments = ["--spool", str(directory / "spool" / name), "--slots", str(directory / f"{name}.slots")]
        if spool_max is not None:
            arguments += ["--spool-max", str(spool_max)]
        if driver == "simulated":
            arguments += ["--phones", str(directory / "phones")]
        async with cls.run(directory, driver, arguments, environment) as child:
            await child.wait(wire.Hello)
            yield child

    @classmethod
    @contextlib.asynccontextmanager
    async def run(
        cls, directory: Path, driver: str, arguments: list[str], environment: dict[str, str] | None = None
    ) -> AsyncIterator[WorkerChild]:
        """A process with this command line."""
        own, theirs = socket.socketpair()
        own.setblocking(False)
        with theirs:
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "sessions.worker", "--fd", str(theirs.fileno()), "--driver", driver),
                *arguments,
                cwd=ROOT,
                env=environment,
                pass_fds=(theirs.fileno(),),
            )
        child = cls(process, own, directory)
        try:
            yield child
        finally:
            if process.returncode is None:
                process.kill()
            await process.wait()
            child.reading.set()
            await child._listening
            own.close()

    @classmethod
    async def drain(
        cls, directory: Path, driver: str, environment: dict[str, str] | None = None, name: str = "w1"
    ) -> list[wire.EventFrame]:
        """What a draining worker hands over of a dead one's spool."""
        async with cls.run(directory, driver, ["--drain", str(directory / "spool" / name)], environment) as child:
            drained = await child.wait(wire.Drained)
            assert await asyncio.wait_for(child.process.wait(), WAIT_S) == 0
            events = [frame for frame in child.frames if isinstance(frame, wire.EventFrame)]
            assert drained.records == len(events)
            assert child.frames[-1] is drained
            return events

    async def _listen(self) -> None:
        loop = asyncio.get_running_loop()
        splitter = wire.Splitter()
        while True:
            await self.reading.wait()
            try:
                data = await loop.sock_recv(self._line, 256 * 1024)
            except OSError:
                data = b""
            if not data:
                return
            bodies = list(splitter.feed(data))
            async with self._changed:
                self.frames.extend(wire.decode_from_worker(body) for body in bodies)
                self._changed.notify_all()

    # --- saying ------------------------------------------------------------------------------------------------

    async def say(self, frame: wire.ToWorker, descriptor: int | None = None) -> None:
        """Send a frame; the descriptor goes with its first byte and is closed here."""
        data = wire.encode(frame)
        if descriptor is not None:
            socket.send_fds(self._line, [data[:1]], [descriptor])
            os.close(descriptor)
            data = data[1:]
        await asyncio.get_running_loop().sock_sendall(self._line, data)

    async def take_up(self, spec: SessionSpec) -> Lock:
        """Lock the bot and start it; return when it was taken up."""
        lock = Lock(self.directory / f"{spec.bot}.lock")
        await self.say(wire.Start(spec), lock.take())
        await self.wait(wire.Started, where=lambda frame: frame.incarnation == spec.incarnation)
        return lock

    async def stop(self, spec: SessionSpec, timeout_s: float = WAIT_S) -> bool:
        """Stop a session; whether it let go."""
        after = len(self.frames)
        await self.say(wire.Stop(spec.bot, spec.incarnation))
        stopped = await self.wait(
            wire.Stopped, where=lambda frame: frame.incarnation == spec.incarnation, after=after, timeout_s=timeout_s
        )
        return stopped.clean

    async def call(self, make: Callable[[int], wire.ToWorker], timeout_s: float = WAIT_S) -> wire.Result:
        """Make a numbered call; its result."""
        number = next(self._calls)
        await self.say(make(number))
        return await self.wait(wire.Result, where=lambda frame: frame.call == number, timeout_s=timeout_s)

    async def send(self, spec: SessionSpec, to: str, text: str, job: str = "job_1") -> wire.Result:
        """Send a text."""
        outgoing = model.OutgoingText(to, text)
        return await self.call(lambda number: wire.Send(number, spec.bot, spec.incarnation, job, outgoing))

    # --- hearing -----------------------------------------------------------------------------------------------

    async def wait(
        self,
        kind: type[Frame],
        *,
        where: Callable[[Frame], bool] = lambda _: True,
        after: int = 0,
        timeout_s: float = WAIT_S,
    ) -> Frame:
        """The first frame of a kind, past or to come, from index `after` on."""

        def found() -> Iterator[Frame]:
            return (frame for frame in self.frames[after:] if isinstance(frame, kind) and where(frame))

        await self._until(lambda: next(found(), None) is not None, kind.__name__, timeout_s)
        return next(found())

    async def _until(self, true: Callable[[], bool], what: str, timeout_s: float) -> None:
        async with self._changed:
            try:
                await asyncio.wait_for(self._changed.wait_for(true), timeout_s)
            except TimeoutError:
                names = [type(frame).__name__ for frame in self.frames][-20:]
                raise AssertionError(f"no {what} within {timeout_s} s; the last frames were {names}") from None

    async def event(
        self, kind: type[Event], incarnation: str | None = None, count: int = 1, timeout_s: float = WAIT_S
    ) -> Event:
        """The `count`-th event of a kind (of one incarnation)."""

        def seen() -> list[Event]:
            return [frame.event for frame in self.events(incarnation) if isinstance(frame.event, kind)]

        await self._until(lambda: len(seen()) >= count, f"{kind.__name__} number {count}", timeout_s)
        return seen()[count - 1]

    def events(self, incarnation: str | None = None) -> list[wire.EventFrame]:
        """Event frames so far."""
        return [
            frame
            for frame in self.frames
            if isinstance(frame, wire.EventFrame) and incarnation in {None, frame.incarnation}
        ]

    # --- ending ------------------------------------------------------------------------------------------------

    def hang_up(self) -> None:
        """Close the supervisor's end."""
        self._line.shutdown(socket.SHUT_RDWR)

    async def killed(self, number: int = signal.SIGKILL) -> int:
        """Kill it; its exit status, once everything it had said was taken."""
        self.process.send_signal(number)
        status = await asyncio.wait_for(self.process.wait(), WAIT_S)
        await asyncio.wait_for(self._listening, WAIT_S)
        return status

    async def ended_within(self, seconds: float) -> int:
        """Its exit status; AssertionError when it is still there after so long."""
        began = time.monotonic()
        try:
            return await asyncio.wait_for(self.process.wait(), seconds)
        except TimeoutError:
            raise AssertionError(f"the worker was still there after {time.monotonic() - began:.1f} s") from None
