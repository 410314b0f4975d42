"""The worker's own small `spawn`: the only place under `sessions/` that starts tasks and plain threads.

Owns keeping tasks alive and saying on stderr, once per code path, what failed: a fingerprint and a place, never a
message, since messages may hold bodies, numbers or codes. It must never know what the tasks do. Read `worker.py` next.
"""

from __future__ import annotations

import asyncio
import hashlib
import sys
import threading
import traceback
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

T = TypeVar("T")

_running: set[asyncio.Task[Any]] = set()
_said: set[str] = set()


def report(where: str, error: BaseException) -> None:
    """Write one line about a bug to stderr, the first time this code path fails; callable from any thread.

    The line holds `where`, the exception's class, 12 hex digits over class and code path, and the innermost file:line.
    """
    frames = traceback.extract_tb(error.__traceback__)
    path = [f"{frame.filename.rsplit('/', 1)[-1]}:{frame.name}" for frame in frames]
    digest = hashlib.sha256("|".join([where, type(error).__name__, *path]).encode()).hexdigest()[:12]
    if digest in _said:
        return
    _said.add(digest)
    place = f"{frames[-1].filename.rsplit('/', 1)[-1]}:{frames[-1].lineno}" if frames else "?"
    say(f"failed task={where} error={type(error).__name__} fingerprint={digest} where={place}")


def say(line: str) -> None:
    """Write one line to stderr, which the supervisor reads; a closed stderr is no failure."""
    try:
        sys.stderr.write(f"worker: {line}\n")
        sys.stderr.flush()
    except (OSError, ValueError):
        return


def spawn(name: str, work: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
    """Start a task, keep it alive until it ends and report its failure. Cancellation is no failure."""
    task = asyncio.get_running_loop().create_task(work, name=name)
    _running.add(task)
    task.add_done_callback(_ended)
    return task


def _ended(task: asyncio.Task[Any]) -> None:
    _running.discard(task)
    if not task.cancelled() and (error := task.exception()) is not None:
        report(task.get_name(), error)


def thread(name: str, work: Callable[[], None]) -> threading.Thread:
    """Start a daemon thread; a failure is reported. Library calls get one each: no pool that hung calls could fill."""

    def run() -> None:
        try:
            work()
        except Exception as error:
            report(name, error)

    started = threading.Thread(target=run, name=name, daemon=True)
    started.start()
    return started


def in_thread(name: str, work: Callable[[], T]) -> asyncio.Future[T]:
    """Run a blocking call in a thread of its own; the future is the running loop's.

    Giving the future up (a timeout, a cancellation) leaves the thread running; what it returns is dropped then.
    """
    loop = asyncio.get_running_loop()
    future: asyncio.Future[T] = loop.create_future()

    def settle(result: T | None, error: BaseException | None) -> None:
        if future.done():
            if error is not None:
                report(name, error)
        elif error is not None:
            future.set_exception(error)
        else:
            future.set_result(result)  # type: ignore[arg-type]

    def run() -> None:
        result: T | None = None
        failure: BaseException | None = None
        try:
            result = work()
        except Exception as error:
            failure = error
        try:
            loop.call_soon_threadsafe(settle, result, failure)
        except RuntimeError:
            return  # the loop is closed: nobody waits any more

    thread(name, run)
    return future


def install_hooks(loop: asyncio.AbstractEventLoop) -> None:
    """Send failures of the loop, of threads and of unraisable (ctypes) callbacks to `report`."""

    def on_loop(_: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        error = context.get("exception")
        report("loop", error if isinstance(error, BaseException) else RuntimeError(str(context.get("message"))))

    def on_thread(args: threading.ExceptHookArgs) -> None:
        if args.exc_value is not None and not isinstance(args.exc_value, SystemExit):
            report("thread", args.exc_value)

    def on_unraisable(args: sys.UnraisableHookArgs) -> None:
        if args.exc_value is not None:
            report("callback", args.exc_value)

    loop.set_exception_handler(on_loop)
    threading.excepthook = on_thread
    sys.unraisablehook = on_unraisable
