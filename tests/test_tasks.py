"""Tasks: nothing started is lost, and every failure is told once, without its secrets."""

from __future__ import annotations

import asyncio
import gc
import threading

import pytest

from orchestrator.tasks import Failures, TaskFailure, Tasks, fingerprint, install_hooks


async def _fail(secret: str) -> None:
    raise ValueError(secret)


def _listening() -> tuple[Tasks, list[TaskFailure]]:
    tasks = Tasks()
    told: list[TaskFailure] = []
    tasks.failures.listen(told.append)
    return tasks, told


async def test_failure_is_told_once(capsys: pytest.CaptureFixture[str]) -> None:
    """A failing task is reported once with its name, kind and fingerprint, also when it is awaited; never its message."""
    tasks, told = _listening()
    task = tasks.spawn("mailbox", _fail("hunter2"))
    with pytest.raises(ValueError, match="hunter2"):
        await task
    assert [(failure.task, failure.kind) for failure in told] == [("mailbox", "ValueError")]
    assert "hunter2" not in str(told) and "hunter2" not in "".join(capsys.readouterr())


async def test_same_bug_same_fingerprint() -> None:
    """The same code path has the same fingerprint whatever the message."""
    prints = set()
    for text in ("one", "two"):
        try:
            await _fail(text)
        except ValueError as error:
            prints.add(fingerprint(error)[0])
    assert len(prints) == 1


async def test_reference_is_kept() -> None:
    """A task nobody holds is not collected before its end."""
    tasks, _ = _listening()
    done = asyncio.Event()

    async def work() -> None:
        await asyncio.sleep(0)
        done.set()

    tasks.spawn("work", work())
    gc.collect()
    await asyncio.wait_for(done.wait(), 1)
    await asyncio.sleep(0)
    assert tasks.statistics() == {}


async def test_close_cancels() -> None:
    """Close ends what still runs; cancellation is not a failure."""
    tasks, told = _listening()
    task = tasks.spawn("forever", asyncio.Event().wait())
    await tasks.close()
    assert task.cancelled() and told == []


async def test_hooks() -> None:
    """Failures of the loop and of threads end in the same place."""
    failures = Failures()
    told: list[TaskFailure] = []
    failures.listen(told.append)
    loop = asyncio.get_running_loop()
    restore = install_hooks(failures, loop)
    try:
        seen = asyncio.Event()

        def wake(_: TaskFailure) -> None:
            loop.call_soon_threadsafe(seen.set)

        failures.listen(wake)
        threading.Thread(target=lambda: 1 / 0, name="worker").start()
        await asyncio.wait_for(seen.wait(), 2)
        seen.clear()
        loop.call_soon(dict[str, str]().__getitem__, "missing")
        await asyncio.wait_for(seen.wait(), 2)
    finally:
        restore()
    assert {(failure.task, failure.kind) for failure in told} == {
        ("thread worker", "ZeroDivisionError"),
        ("loop", "KeyError"),
    }
