"""The durable bus is killed at random moments, and its log is torn: what was acknowledged is there, and all agrees."""

from __future__ import annotations

import asyncio
import random
import shutil
import sys
from pathlib import Path

import pytest

from orchestrator.bus.bus import Bus, Committed, Duplicate, Entry, StatePut
from orchestrator.clock import SystemClock
from orchestrator.model import Event
from tests.contracts.bus_suite import whole_log
from tests.crash.bus_writer import USERS, entry
from tests.support.bus import DurableBus

ROUNDS = 6
TIMEOUT_S = 30.0

Acknowledged = dict[str, dict[int, int]]
"""user → seq → number."""


async def run_and_kill(path: Path, incarnation: str, after_lines: int) -> Acknowledged:
    """Let a writer run until it has said so many lines, kill it, and return all that it said."""
    child = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.crash.bus_writer", str(path), incarnation, stdout=asyncio.subprocess.PIPE
    )
    assert child.stdout is not None
    said = b""
    async with asyncio.timeout(TIMEOUT_S):
        for _ in range(after_lines):
            line = await child.stdout.readline()
            assert line, "the writer ended by itself"
            said += line
        child.kill()
        said += await child.stdout.read()
        await child.wait()
    found: Acknowledged = {user: {} for user in USERS}
    for line in said[: said.rfind(b"\n") + 1].splitlines():
        user, seq, number = line.split()
        found[user.decode()][int(seq)] = int(number)
    return found


def number_of(committed: Committed) -> int:
    return int(committed.event.data)


async def check(bus: Bus, user: str, incarnation: str, acknowledged: dict[int, int], before: int) -> int:
    """Check one user's log after a kill; return its head."""
    log = await whole_log(bus, user)
    head = (await bus.state(user)).head
    assert [one.position.seq for one in log] == list(range(1, head.seq + 1))
    by_seq = {one.position.seq: number_of(one) for one in log}
    assert acknowledged.items() <= by_seq.items()
    assert min(acknowledged, default=before + 1) > before
    fresh = [number_of(one) for one in log if one.position.seq > before]
    assert sorted(fresh) == list(range(1, len(fresh) + 1)), "an event is missing or there twice"
    assert await bus.mark(f"{incarnation}_{user}") == max(fresh, default=0)
    if log:
        assert (await bus.snapshot(user)).values["bot/bot_a"] == b"%d" % by_seq[head.seq]
    again = [entry(user, f"{incarnation}_again_{user}", number) for number in fresh]
    keyed = [Entry(user, one.event, dedupe=f"{incarnation}_{user}/{number_of_entry(one)}") for one in again]
    assert await bus.commit(keyed) == [Duplicate()] * len(keyed)
    return head.seq


def number_of_entry(one: Entry) -> int:
    assert one.source is not None
    return one.source.ordinal


@pytest.mark.parametrize("seed", [1, 2])
async def test_kill_at_random_moments(tmp_path: Path, seed: int) -> None:
    """Everything acknowledged before SIGKILL is there after it; sequence, values, marks and dedupe keys agree."""
    chance = random.Random(seed)
    files = DurableBus(tmp_path, SystemClock())
    await files.open(tmp_path / "bus.db")
    heads = dict.fromkeys(USERS, 0)
    for number in range(ROUNDS):
        await files.close()
        acknowledged = await run_and_kill(tmp_path / "bus.db", f"inc{number}", chance.choice([1, 2, 30, 300, 1500]))
        await files.open(tmp_path / "bus.db")
        for user in USERS:
            heads[user] = await check(files.bus, user, f"inc{number}", acknowledged[user], heads[user])
    assert min(heads.values()) > 0
    await files.close()
    assert files.failures == []


async def test_a_torn_log_is_cut_at_a_whole_commit(tmp_path: Path) -> None:
    """However the write-ahead log is torn, the bus opens, and holds a prefix in which events, values and marks agree."""
    files = DurableBus(tmp_path / "whole", SystemClock())
    await files.open(tmp_path / "whole" / "bus.db")
    for number in range(1, 61, 2):
        await files.bus.commit([entry("ana", "inc", number), entry("ana", "inc", number + 1)])
    whole = (tmp_path / "whole" / "bus.db-wal").stat().st_size
    chance = random.Random(3)
    heads = []
    for cut in [*sorted(chance.randrange(whole) for _ in range(15)), whole]:
        torn = tmp_path / str(cut)
        torn.mkdir()
        shutil.copyfile(tmp_path / "whole" / "bus.db", torn / "bus.db")
        log = (tmp_path / "whole" / "bus.db-wal").read_bytes()
        (torn / "bus.db-wal").write_bytes(log[:cut])
        opened = DurableBus(torn, SystemClock())
        bus = await opened.open(torn / "bus.db")
        head = (await bus.state("ana")).head.seq
        assert head % 2 == 0
        assert [number_of(one) for one in await whole_log(bus, "ana")] == list(range(1, head + 1))
        assert (await bus.snapshot("ana")).values == ({"bot/bot_a": b"%d" % head} if head else {})
        assert await bus.mark("inc") == head
        heads.append(head)
        await opened.close()
    await files.close()
    assert heads == sorted(heads)
    assert heads[-1] == 60
    assert len(set(heads)) > 5


async def test_killed_while_it_is_first_opened(tmp_path: Path) -> None:
    """A process killed while the database is being made leaves something the next one can open."""
    for delay_s in (0.05, 0.2, 0.3, 0.4, 0.5):
        path = tmp_path / str(delay_s) / "bus.db"
        child = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "tests.crash.bus_writer", str(path), "inc", stdout=asyncio.subprocess.DEVNULL
        )
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(child.wait(), delay_s)
        child.kill()
        await child.wait()
        files = DurableBus(tmp_path, SystemClock())
        bus = await files.open(path)
        event = Event("cat", "bot_c", "message_sync", "message", "evt_1", 1, b"1")
        assert len(await bus.commit([Entry("cat", event, (StatePut("bot/bot_c", b"1"),))])) == 1
        await files.close()
