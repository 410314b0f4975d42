"""Nothing is lost that can be kept: texts stream in while workers and supervisor die, and the journal has each once."""

from __future__ import annotations

import asyncio
import os
import random
import signal
from collections import Counter
from collections.abc import Callable

import pytest

from tests.crash import processes
from tests.crash.follower import Follower
from tests.crash.nemesis import Blow, Nemesis
from tests.crash.seeds import soaked
from tests.crash.streams import Account, Stream, Streams, journal, messages, settled
from tests.crash.watch import Watch
from tests.e2e.journeys import linked
from tests.loopback.server import LoopbackServer
from tests.support.node_client import NodeClient
from tests.support.server import Server

PER_SECOND = 20.0
SUDDEN: set[Blow] = {"worker", "both", "again", "hang"}
"""Ways to die that leave the worker no time: only these may lose what the library has in hand."""
WINDOW = 2 * 100
"""What two bots' channels in the library hold at most (neonize main.go): confirmed, and not yet with us."""

PAUSE_S = 20.0

MANY: list[Blow] = [
    "worker", "worker", "worker", "worker", "supervisor", "supervisor", "supervisor", "both", "both", "again", "again",
    "freeze", "freeze", "hang",
]  # fmt: skip


async def _streams(server: Server, whatsapp: LoopbackServer) -> Streams:
    """Two bots, two contacts each."""
    found = []
    for number in range(2):
        bot, phone, _ = await linked(server, whatsapp, f"bot {number}")
        found += [Stream(whatsapp.add_contact(), phone, bot) for _ in range(2)]
    return Streams(found, PER_SECOND)


async def _endure(
    server: Server, whatsapp: LoopbackServer, node: NodeClient, blows: list[Blow], seed: int
) -> tuple[Account, Nemesis, Follower]:
    follower = Follower(server, node)
    await follower.attach()
    streams = await _streams(server, whatsapp)
    nemesis = Nemesis(server, whatsapp, streams, follower, random.Random(seed))
    with Watch(server.data_dir) as watch:
        async with streams:
            for blow in blows:
                await nemesis.strike(blow)
            await streams.more(40)
        found = await settled(server, streams, whatsapp)
    assert not watch.doubles and not whatsapp.ledger.count("replaced"), watch.doubles
    events = await journal(server)
    await follower.compare(events)
    unkept = nemesis.spooled - set(messages(events))
    assert not unkept, f"{len(unkept)} texts lay in a spool and are not in the journal"
    return found, nemesis, follower


def _judge(found: Account, nemesis: Nemesis, follower: Follower, say: Callable[[str], None]) -> None:
    say(str(found))
    say(f"seen in spools of the dead: {len(nemesis.spooled)}; resumes: {follower.resumes}; back after (s): ")
    say(", ".join(f"{struck.blow} {struck.back_s:.1f}" for struck in nemesis.blows))
    lost = Counter(nemesis.culprit(message_id) for message_id in found.confirmed_lost)
    say("lost at: " + (", ".join(f"{struck and struck.blow} {count}" for struck, count in lost.items()) or "no blow"))
    assert not found.twice
    assert not found.disorder
    assert found.sent == found.journalled + found.lost
    for struck, count in lost.items():
        assert struck is not None and struck.blow in SUDDEN, f"{count} texts lost at {struck}"
        assert count <= WINDOW, f"{count} texts lost at {struck}"


@pytest.mark.parametrize("seed", [1])
async def test_each_death_once(
    seed: int, server: Server, whatsapp: LoopbackServer, node: NodeClient, say: Callable[[str], None]
) -> None:
    """A worker, the supervisor, both, and a frozen worker, while texts stream in: each text once, in order."""
    blows: list[Blow] = ["worker", "supervisor", "freeze", "both"]
    found, nemesis, follower = await _endure(server, whatsapp, node, blows, seed)
    _judge(found, nemesis, follower, say)


@pytest.mark.slow
@pytest.mark.parametrize("seed", soaked(11))
async def test_many_deaths(
    seed: int, server: Server, whatsapp: LoopbackServer, node: NodeClient, say: Callable[[str], None]
) -> None:
    """The same a dozen times over in a random order, with a worker that only the next supervisor can end."""
    blows = [*MANY]
    random.Random(seed).shuffle(blows)
    found, nemesis, follower = await _endure(server, whatsapp, node, blows, seed)
    _judge(found, nemesis, follower, say)


@pytest.mark.slow
async def test_paused_supervisor(
    server: Server, whatsapp: LoopbackServer, node: NodeClient, say: Callable[[str], None]
) -> None:
    """A supervisor that stood still for 20 s accuses nobody: same workers, no status, and every text of meanwhile."""
    follower = Follower(server, node)
    await follower.attach()
    streams = await _streams(server, whatsapp)
    before = processes.holders(server.data_dir)
    mark = (await journal(server))[-1]["seq"]
    async with streams:
        await streams.more(40)
        os.kill(server.pid, signal.SIGSTOP)
        await streams.more(int(PAUSE_S * PER_SECOND * len(streams.all)), PAUSE_S * 2)
        os.kill(server.pid, signal.SIGCONT)
        began = asyncio.get_running_loop().time()
        await streams.more(40)
    found = await settled(server, streams, whatsapp)
    say(f"{found}; caught up {asyncio.get_running_loop().time() - began:.1f} s after a pause of {PAUSE_S:g} s")
    assert processes.holders(server.data_dir) == before
    events = await journal(server)
    assert {event["type"] for event in events if event["seq"] > mark} == {"message"}
    assert not found.lost and not found.twice and not found.disorder
    await follower.attach_again_if_dropped()
    await follower.compare(events)
