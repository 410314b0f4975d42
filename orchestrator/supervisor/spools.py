"""Spools whose worker is dead: drained by a process of their own, then deleted once the journal has everything.

Owns the directories under `spool/` from the death of their worker on. What a dead worker left is handed over before any
of its bots connects again. It must never know the records' format or meaning: the draining process decodes them. Read
`feed.py` for the way of the events, `supervisor.py` for who waits here.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import structlog

from orchestrator.model import new_id
from orchestrator.ports import HostEvent
from orchestrator.supervisor import locks
from orchestrator.supervisor.awake import Awake
from orchestrator.supervisor.feed import Feed
from orchestrator.supervisor.worker_process import Launch, SpawnFailed, WorkerProcess
from orchestrator.tasks import Tasks
from sessions.wire import Drained, EventFrame, FromWorker

_log = structlog.get_logger("supervisor")

EMPTY_SEGMENT_BYTES = 16
"""A segment of this size holds its header and no record (`sessions/spool.py`; a test holds the two together)."""
DRAIN_TRIES = 3
SILENT_S = 60.0
"""A draining process that says nothing for so long hangs."""
SIDE_BY_SIDE = 2
START_ROOM_BYTES = 32 * 1024 * 1024
"""Twice what makes a worker give up (`sessions/spool.py`), so that bots don't come and go on a disk that is nearly full:
each time they come, WhatsApp hands over what it kept, and the library confirms it before it is written down."""
SET_ASIDE = ".broken"
"""Ending of a directory that three processes could not drain: kept for a person, in nobody's way."""


class Spools:
    """All spools without a living worker."""

    def __init__(self, launch: Launch, awake: Awake, tasks: Tasks, deliver: Callable[[str, HostEvent], None]) -> None:
        """Hand over through `deliver(bot, event)`."""
        self._launch = launch
        self._awake = awake
        self._tasks = tasks
        self._deliver = deliver
        self._waiting: dict[str, int] = {}
        """Per bot, how many spools that may hold something of it are not handed over yet."""
        self._changed = asyncio.Condition()
        self._dead: dict[str, Feed] = {}
        self._deletions: dict[str, asyncio.Task[None]] = {}
        self._places = asyncio.Semaphore(SIDE_BY_SIDE)
        self._closing = False

    def feed(self, worker: str) -> Feed:
        """Make the feed of a worker about to be started."""
        return Feed(worker, self._launch.spool(worker), self._deliver)

    async def ready(self, bot: str) -> None:
        """Return when nothing of this bot is left in a dead worker's spool."""
        async with self._changed:
            await self._changed.wait_for(lambda: not self._waiting.get(bot))

    async def drain(self, feed: Feed, bots: Iterable[str], on_event: Callable[[EventFrame], None]) -> None:
        """Hand over what a dead worker left; return when that is done. Meanwhile `ready` waits for these bots.

        Args:
            on_event: sees each event that was not handed over before.
        """
        held = list(bots)
        for bot in held:
            self._waiting[bot] = self._waiting.get(bot, 0) + 1
        try:
            await self._drain(feed, on_event)
        finally:
            async with self._changed:
                for bot in held:
                    self._waiting[bot] -= 1
                    if not self._waiting[bot]:
                        del self._waiting[bot]
                self._changed.notify_all()

    def discard(self, feed: Feed) -> None:
        """Delete a spool as soon as all that was handed over is durable: nothing else is in it."""
        self._dead[feed.worker] = feed
        feed.finish()
        self._deletions[feed.worker] = self._tasks.spawn("delete spool", self._delete(feed))

    def leftovers(self) -> list[str]:
        """Name the workers of which earlier supervisors left something; before this one makes its first."""
        names = {path.stem for path in self._launch.run_dir.glob("*.worker")}
        names |= {path.name for path in self._launch.spool_dir.iterdir() if path.is_dir() and path.suffix != SET_ASIDE}
        return sorted(names)

    async def recover(self, names: Iterable[str]) -> None:
        """Hand over what these workers left; return when that is done.

        A worker ends by itself within 3 s of its supervisor's death; one that does not is killed.
        """
        for recovery in [self._tasks.spawn("recover spool", self._recover(name)) for name in names]:
            await recovery

    def bytes(self) -> int:
        """What the spools of dead workers hold on disk."""
        return sum(size_bytes(feed.spool) for feed in self._dead.values())

    def stop(self) -> None:
        """Drain no more: what is left is for the next start."""
        self._closing = True

    async def close(self, timeout_s: float) -> None:
        """Wait a moment for spools that are nearly done; the rest stays."""
        if self._deletions:
            await asyncio.wait(self._deletions.values(), timeout=timeout_s)

    async def _recover(self, name: str) -> None:
        lock = self._launch.lock(name)
        try:
            os.close(await locks.take(lock, lambda _pid: False))
        except locks.Held:
            _log.error("Leftover worker still alive", worker=name)
            return
        if self._launch.spool(name).is_dir():
            await self._drain(self.feed(name), lambda _frame: None)
        self._launch.slots(name).unlink(missing_ok=True)
        lock.unlink(missing_ok=True)

    async def _drain(self, feed: Feed, on_event: Callable[[EventFrame], None]) -> None:
        self._dead[feed.worker] = feed
        for _ in range(DRAIN_TRIES):
            if holds_nothing(feed.spool):
                break
            if self._closing:
                return
            async with self._places:
                if await self._run(feed, on_event):
                    break
        else:
            if self._closing:
                return
            await self._set_aside(feed)
        self.discard(feed)

    async def _run(self, feed: Feed, on_event: Callable[[EventFrame], None]) -> bool:
        """Let one process hand the spool over; True when it came to the end."""
        complete = False

        def on_frame(frame: FromWorker, size: int) -> None:
            nonlocal complete
            if isinstance(frame, EventFrame) and feed.take(frame, size):
                on_event(frame)
            elif isinstance(frame, Drained):
                complete = True

        try:
            process = await WorkerProcess.spawn(
                new_id("drn"), self._launch, self._awake, self._tasks, drain=feed.spool, on_frame=on_frame
            )
        except (SpawnFailed, OSError) as error:
            _log.error("Spool not drained", worker=feed.worker, error=type(error).__name__)
            await asyncio.sleep(1.0)
            return False
        feed.attach(process, wants_marks=False)
        try:
            while not await self._awake.wait([process.gone], SILENT_S / 4):
                if not process.paused and self._awake.now() - process.heard_at > SILENT_S:
                    process.kill()
        finally:
            feed.attach(None, wants_marks=False)
            process.kill()
            process.forget()
        return complete and process.gone.result() == 0

    async def _set_aside(self, feed: Feed) -> None:
        aside = feed.spool.with_name(feed.spool.name + SET_ASIDE)
        await asyncio.to_thread(feed.spool.rename, aside)
        _log.error("Spool set aside", worker=feed.worker, bytes=size_bytes(aside))

    async def _delete(self, feed: Feed) -> None:
        await feed.settled
        await asyncio.to_thread(shutil.rmtree, feed.spool, ignore_errors=True)
        del self._dead[feed.worker], self._deletions[feed.worker]


def has_room(spools: Path) -> bool:
    """Whether sessions may start, as far as the disk goes: it has room, and takes a write. Blocks for a moment."""
    try:
        disk = os.statvfs(spools)
        with tempfile.TemporaryFile(dir=spools) as probe:
            probe.write(bytes(4096))
            probe.flush()
    except OSError:
        return False
    return disk.f_bavail * disk.f_frsize >= START_ROOM_BYTES


def holds_nothing(spool: Path) -> bool:
    """Whether no record is in a spool's directory (or there is no directory): a look at sizes, without a process."""
    return all(size <= EMPTY_SEGMENT_BYTES for size in _sizes(spool))


def size_bytes(spool: Path) -> int:
    """What a spool's directory holds; 0 when there is none."""
    return sum(_sizes(spool))


def _sizes(spool: Path) -> Iterator[int]:
    """The size of each segment. The drain frees segments, and then the directory, while somebody looks."""
    try:
        paths = list(spool.iterdir())
    except (FileNotFoundError, NotADirectoryError):
        return
    for path in paths:
        with contextlib.suppress(FileNotFoundError):
            yield path.stat().st_size
