"""SIGKILL of the supervisor alone: the next one takes over, nobody is held twice, and every event arrives once."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from orchestrator.supervisor import locks
from sessions.simulated_control import PhoneClient
from tests.support.room_child import read

BOTS = ("bot_a", "bot_b")


@pytest.fixture
def data() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="wa") as directory:
        yield Path(directory)


async def supervisor(data: Path, *bots: str, up: bool = True) -> asyncio.subprocess.Process:
    """Start a supervisor in a process of its own; return when its bots are up."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.support.room_child", str(data), str(data / "journal"), *bots),
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdout is not None
    if up:
        async with asyncio.timeout(20):
            assert await process.stdout.readuntil(b"up\n")
    return process


async def end(process: asyncio.subprocess.Process) -> None:
    if process.returncode is None:
        process.kill()
    await process.wait()


async def linked(data: Path) -> tuple[asyncio.subprocess.Process, dict[str, str]]:
    """A supervisor with two linked bots; returns it and their accounts."""
    first = await supervisor(data, *(f"{bot}=linking" for bot in BOTS))
    jids = {}
    for bot in BOTS:
        await PhoneClient(data / "p", bot).scan()
        jids[bot] = (await PhoneClient(data / "p", bot).connected())["jid"]
    return first, jids


async def test_nothing_is_lost_and_nobody_is_held_twice(data: Path) -> None:
    """Texts keep coming while the supervisor is killed, three times; each arrives once, in order, in one incarnation
    after the other; and a new worker has a bot only after the old one is dead."""
    process, jids = await linked(data)
    sent: dict[str, list[str]] = {bot: [] for bot in BOTS}
    holders: dict[str, list[int]] = {bot: [] for bot in BOTS}
    writing = True

    async def write(bot: str) -> None:
        phone = PhoneClient(data / "p", bot)
        while writing:
            sent[bot].append(await phone.text("4915199999999", "hello"))
            await asyncio.sleep(0.002)

    async def hold(bot: str) -> None:
        state = await PhoneClient(data / "p", bot).connected()
        if holders[bot] and holders[bot][-1] != state["pid"]:
            assert locks.started_at(holders[bot][-1]) is None, "the old holder is alive beside the new one"
        holders[bot].append(state["pid"])

    writers = [asyncio.ensure_future(write(bot)) for bot in BOTS]
    try:
        for _ in range(3):
            for bot in BOTS:
                await hold(bot)
            await asyncio.sleep(0.3)
            os.kill(process.pid, signal.SIGKILL)
            await process.wait()
            process = await supervisor(data, *(f"{bot}=pool={jids[bot]}" for bot in BOTS))
        for bot in BOTS:
            await hold(bot)
        writing = False
        await asyncio.gather(*writers)
        deadline = time.monotonic() + 20
        for bot in BOTS:
            while texts(data, bot) != sent[bot]:
                assert time.monotonic() < deadline, (len(texts(data, bot)), len(sent[bot]))
                await asyncio.sleep(0.05)
            assert len(set(holders[bot])) == 4
            check_order(data, bot)
    finally:
        for writer in writers:
            writer.cancel()
        await end(process)


async def test_a_holder_that_hangs_is_killed_by_the_next_supervisor(data: Path) -> None:
    """A worker that does not end with its supervisor keeps its bots until the next one has killed it."""
    process, jids = await linked(data)
    pids = {bot: (await PhoneClient(data / "p", bot).state())["pid"] for bot in BOTS}
    try:
        os.kill(pids["bot_a"], signal.SIGSTOP)
        os.kill(process.pid, signal.SIGKILL)
        await process.wait()
        begun = time.monotonic()
        process = await supervisor(data, *(f"{bot}=pool={jids[bot]}" for bot in BOTS))
        assert 3.5 < time.monotonic() - begun < 12.0
        for bot in BOTS:
            state = await PhoneClient(data / "p", bot).connected()
            assert state["pid"] != pids[bot]
            assert locks.started_at(pids[bot]) is None
    finally:
        await end(process)


async def test_two_supervisors_do_not_share_a_directory(data: Path) -> None:
    """A second supervisor on the same data directory gives up by itself and harms nobody."""
    process, _ = await linked(data)
    try:
        second = await supervisor(data, up=False)
        assert await asyncio.wait_for(second.wait(), 20) != 0
        for bot in BOTS:
            await PhoneClient(data / "p", bot).connected()
    finally:
        await end(process)


def texts(data: Path, bot: str) -> list[object]:
    """Ids of the messages in the journal, in its order."""
    return [
        line["detail"] for line in read(data / "journal") if line["bot"] == bot and line["event"] == "MessageReceived"
    ]


def check_order(data: Path, bot: str) -> None:
    """Ordinals of an incarnation come without a gap, and an incarnation is over when the next begins."""
    seen: dict[object, object] = {}
    for line in read(data / "journal"):
        if line["bot"] == bot:
            incarnation = line["incarnation"]
            assert incarnation in seen or line["ordinal"] == 1
            assert list(seen)[-1:] == [incarnation] or incarnation not in seen, "an old incarnation came back"
            assert line["ordinal"] == int(str(seen.get(incarnation, 0))) + 1
            seen[incarnation] = line["ordinal"]
