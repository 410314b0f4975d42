"""The only place that starts tasks: each has a name, an owner that keeps it alive, and a place for its failure.

Failures of tasks, of the loop, of threads, of unraisable and ctypes callbacks all end in `Failures.report`: one log
line with a fingerprint, a counter, and whatever the composition root listens for. Read `log.py` next.
"""

from __future__ import annotations

import asyncio
import hashlib
import sys
import threading
import traceback
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from types import TracebackType
from typing import Any, TypeVar

import structlog

_log = structlog.get_logger("tasks")

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class TaskFailure:
    """One bug that surfaced, without its secrets: the message of the exception is not carried."""

    task: str
    kind: str
    """Class name of the exception."""
    fingerprint: str
    """12 hex digits over the class and the code path: the same bug has the same one."""
    where: str
    """file:line of the innermost frame."""


def fingerprint(error: BaseException) -> tuple[str, str]:
    """Return (fingerprint, innermost `file:line`) of an exception; equal for equal code paths."""
    frames = traceback.extract_tb(error.__traceback__)
    path = [f"{frame.filename.rsplit('/', 1)[-1]}:{frame.name}" for frame in frames]
    digest = hashlib.sha256("|".join([type(error).__name__, *path]).encode()).hexdigest()[:12]
    where = f"{frames[-1].filename.rsplit('/', 1)[-1]}:{frames[-1].lineno}" if frames else "?"
    return digest, where


class Failures:
    """Where every unexpected failure ends. Listeners are called on the loop's thread or the failing thread; they must
    not raise and not wait."""

    def __init__(self) -> None:
        self._listeners: list[Callable[[TaskFailure], None]] = []

    def listen(self, listener: Callable[[TaskFailure], None]) -> None:
        """Call `listener` for every failure from now on."""
        self._listeners.append(listener)

    def report(self, task: str, error: BaseException) -> None:
        """Log, count and announce one failure. The traceback is logged without the exception's message or values."""
        digest, where = fingerprint(error)
        failure = TaskFailure(task, type(error).__name__, digest, where)
        stack = [
            f"{frame.filename.rsplit('/', 1)[-1]}:{frame.lineno} {frame.name}"
            for frame in traceback.extract_tb(error.__traceback__)[-12:]
        ]
        _log.error("Task failed", task=task, error=failure.kind, fingerprint=digest, where=where, trace=stack)
        for listener in self._listeners:
            listener(failure)


class Tasks:
    """A registry of running tasks: keeps the reference, the name and the way a failure is reported.

    One per process; `spawn` is the only way to start a task (a lint rule forbids bare `create_task`).
    """

    def __init__(self, failures: Failures | None = None) -> None:
        self.failures = failures or Failures()
        self._running: set[asyncio.Task[Any]] = set()

    def spawn(
        self,
        name: str,
        work: Coroutine[Any, Any, T],
        *,
        on_failure: Callable[[BaseException], None] | None = None,
    ) -> asyncio.Task[T]:
        """Start `work`; the task is kept alive until it ends.

        A failure is reported once, then `on_failure` (if any) is called with it on the loop. Awaiting the task as well
        is fine and does not report twice. Cancellation is not a failure.
        """
        task = asyncio.get_running_loop().create_task(work, name=name)  # the one place, see the module docstring
        self._running.add(task)
        task.add_done_callback(lambda done: self._ended(done, on_failure))
        return task

    def _ended(self, task: asyncio.Task[Any], on_failure: Callable[[BaseException], None] | None) -> None:
        self._running.discard(task)
        if task.cancelled():
            return
        error = task.exception()
        if error is None:
            return
        self.failures.report(task.get_name(), error)
        if on_failure is not None:
            on_failure(error)

    async def close(self, timeout_s: float = 5.0) -> None:
        """Cancel what still runs and wait for it to end, at most `timeout_s`."""
        running = [task for task in self._running if task is not asyncio.current_task()]
        for task in running:
            task.cancel()
        if running:
            await asyncio.wait(running, timeout=timeout_s)

    def statistics(self) -> dict[str, int]:
        """How many tasks run under each name."""
        counts: dict[str, int] = {}
        for task in self._running:
            counts[task.get_name()] = counts.get(task.get_name(), 0) + 1
        return counts


def install_hooks(failures: Failures, loop: asyncio.AbstractEventLoop) -> Callable[[], None]:
    """Send failures of the loop, of threads and of unraisable callbacks (ctypes, `__del__`) to `failures`.

    Returns:
        A function that puts the previous hooks back.
    """

    def on_loop(_: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        error = context.get("exception")
        failures.report("loop", error if isinstance(error, BaseException) else RuntimeError("loop error"))

    def on_thread(args: threading.ExceptHookArgs) -> None:
        if args.exc_value is not None and not isinstance(args.exc_value, SystemExit):
            failures.report(f"thread {args.thread.name if args.thread else '?'}", args.exc_value)

    def on_unraisable(args: sys.UnraisableHookArgs) -> None:
        if args.exc_value is not None:
            failures.report("unraisable", args.exc_value)

    def on_uncaught(_: type[BaseException], error: BaseException, __: TracebackType | None) -> None:
        failures.report("main", error)

    before = (loop.get_exception_handler(), threading.excepthook, sys.unraisablehook, sys.excepthook)
    loop.set_exception_handler(on_loop)
    threading.excepthook, sys.unraisablehook, sys.excepthook = on_thread, on_unraisable, on_uncaught

    def restore() -> None:
        loop.set_exception_handler(before[0])
        threading.excepthook, sys.unraisablehook, sys.excepthook = before[1:]

    return restore
