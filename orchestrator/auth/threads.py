"""A few threads of our own for a library that blocks; a call that hangs never holds up the end of the process.

Owns starting them and bringing results to the loop. `concurrent.futures` joins its threads when the process exits,
which a request that hangs would delay beyond the ten seconds a stop may take; these are daemons. It must never know
what runs in it. Read `firebase.py` next.
"""

from __future__ import annotations

import asyncio
import contextlib
import queue
import threading
from collections.abc import Callable
from typing import Any, TypeVar

T = TypeVar("T")

_Job = Callable[[], None]


class Threads:
    """A pool of daemon threads."""

    def __init__(self, name: str, count: int) -> None:
        self._jobs: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._count = count
        for number in range(count):
            threading.Thread(target=_work, args=(self._jobs,), name=f"{name} {number}", daemon=True).start()

    async def call(self, work: Callable[[], T], timeout_s: float) -> T:
        """Run `work` in a thread; return or raise what it does.

        Raises:
            TimeoutError: it took too long; the thread is busy until it ends by itself.
        """
        loop = asyncio.get_running_loop()
        done: asyncio.Future[T] = loop.create_future()

        def job() -> None:
            if done.cancelled():
                return  # nobody waits any more: don't even begin
            result: Any = None
            error: BaseException | None = None
            try:
                result = work()
            except Exception as raised:
                error = raised
            with contextlib.suppress(RuntimeError):  # the loop has ended
                loop.call_soon_threadsafe(_settle, done, result, error)

        self._jobs.put(job)
        async with asyncio.timeout(timeout_s):
            return await done

    def close(self) -> None:
        """Let the threads end after what they do now."""
        for _ in range(self._count):
            self._jobs.put(None)


def _work(jobs: queue.SimpleQueue[_Job | None]) -> None:
    while (job := jobs.get()) is not None:
        job()


def _settle(done: asyncio.Future[Any], result: object, error: BaseException | None) -> None:
    if done.done():
        return
    if error is None:
        done.set_result(result)
    else:
        done.set_exception(error)
