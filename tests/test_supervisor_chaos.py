"""The room under random commands and kills: whatever the order, each event once, in order, and nobody left holding."""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import signal
from pathlib import Path

import pytest

from orchestrator.ports import FromSession, Placement, SessionGone, StartRefused
from orchestrator.supervisor import locks
from tests.support.room import Journal, Room, room

BOTS = [f"bot_{number}" for number in range(6)]
MANNERS = ["steady", "flood 300", "flood 300", "die", "die unnoted"]


async def command(there: Room, dice: random.Random) -> None:
    """Do one thing to one bot, or to one worker."""
    bot = dice.choice(BOTS)
    match dice.choice(["start", "start", "start", "stop", "kill", "start and stop"]):
        case "start":
            await start(there, bot, dice)
        case "stop":
            await there.host.stop(bot)
        case "kill":
            pids = sorted(there.pids())
            if pids:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(dice.choice(pids), signal.SIGKILL)
        case "start and stop":
            starting = asyncio.ensure_future(start(there, bot, dice))
            await asyncio.sleep(dice.random() * 0.1)
            await there.host.stop(bot)
            await starting


async def start(there: Room, bot: str, dice: random.Random) -> None:
    wishes: list[Placement] = ["pool", "pool", "own", "linking"]
    wish = dice.choice(wishes)
    with contextlib.suppress(StartRefused):
        await there.host.start(there.spec(bot, dice.choice(MANNERS)), wish)


def check(journal: Journal, bot: str) -> None:
    """Ordinals without gap or repeat, incarnations one after the other, nothing after an incarnation's end."""
    seen: dict[str, int] = {}
    over: set[str] = set()
    for event in journal.of(bot):
        if isinstance(event, SessionGone):
            over.add(event.incarnation)
            continue
        assert isinstance(event, FromSession)
        incarnation, ordinal = event.frame.incarnation, event.frame.ordinal
        assert incarnation not in over, "an event came after the incarnation's end"
        assert incarnation not in seen or list(seen)[-1] == incarnation, "an old incarnation came back"
        assert ordinal == seen.get(incarnation, 0) + 1
        seen[incarnation] = ordinal


@pytest.mark.parametrize("seed", [1, 2, 3])
async def test_random_commands_and_kills(tmp_path: Path, seed: int) -> None:
    """Several actors at once, bots on two workers' worth of pool, kills in between; then everything is stopped."""
    dice = random.Random(seed)
    async with room(tmp_path, bots_per_worker=3) as there:

        async def actor(number: int) -> None:
            mine = random.Random(seed * 100 + number)
            for _ in range(12):
                await command(there, mine)
                await asyncio.sleep(mine.random() * 0.05)

        # A mailbox makes one call at a time for its bot; several actors break even that, and nothing may follow from it.
        async with asyncio.timeout(100):
            await asyncio.gather(*(actor(number) for number in range(3)))
            for bot in dice.sample(BOTS, len(BOTS)):
                await there.host.stop(bot)
        for bot in BOTS:
            check(there.journal, bot)
            descriptor = locks.open_lock(tmp_path / "run" / f"{bot}.lock")
            assert descriptor is not None, "somebody still holds a stopped bot"
            os.close(descriptor)
    assert not list((tmp_path / "run").glob("*.slots"))
    assert not list((tmp_path / "run").glob("*.worker"))
