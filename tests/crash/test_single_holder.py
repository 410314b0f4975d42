"""At most one process ever holds a bot: seen from the kernel and from WhatsApp, while everything is killed and moved."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable

import pytest

from tests.crash import processes
from tests.crash.follower import Follower
from tests.crash.nemesis import Blow, Nemesis
from tests.crash.streams import Stream, Streams, journal, settled
from tests.crash.watch import Watch
from tests.e2e.journeys import linked
from tests.loopback.server import LoopbackServer
from tests.support.node_client import NodeClient
from tests.support.server import Server
from tests.support.waiting import until


@pytest.mark.slow
async def test_killed(server: Server, whatsapp: LoopbackServer, node: NodeClient, say: Callable[[str], None]) -> None:
    """Over every kind of death, no bot is held twice and no login pushes another one out."""
    blows: list[Blow] = ["worker", "hang", "again", "supervisor", "both"]
    follower = Follower(server, node)
    await follower.attach()
    with Watch(server.data_dir) as watch:
        streams = Streams([await _stream(server, whatsapp, number) for number in range(2)], 20.0)
        nemesis = Nemesis(server, whatsapp, streams, follower, random.Random(5))
        async with streams:
            for blow in blows:
                await nemesis.strike(blow)
        await settled(server, streams, whatsapp)
    _judge(watch, whatsapp, say)


async def test_restart_storm(server: Server, whatsapp: LoopbackServer, say: Callable[[str], None]) -> None:
    """Restarts, stops and starts ten at a time hold a bot once at most, and it ends up connected."""
    bot, _, device = await linked(server, whatsapp)
    with Watch(server.data_dir) as watch:
        for commands in (["restart"] * 10, ["stop", "start"] * 5, ["restart", "stop", "start", "restart"] * 3):
            await asyncio.gather(*(server.call("POST", f"/bots/{bot}/{command}", status=202) for command in commands))
            await server.call("POST", f"/bots/{bot}/start", status=202)  # whichever of the others came last
            await server.bot_until(bot, lambda seen: seen["status"] == "connected", 40)
            await until(lambda: device.online, what="the device to be online")
    assert whatsapp.ledger.count("login") >= 3
    _judge(watch, whatsapp, say)


@pytest.mark.slow
async def test_move_to_the_pool(
    server: Server, whatsapp: LoopbackServer, node: NodeClient, say: Callable[[str], None]
) -> None:
    """A newly linked bot moves to the pool after 30 quiet seconds: no status, no text lost, one holder at a time."""
    follower = Follower(server, node)
    await follower.attach()
    bot, phone, device = await linked(server, whatsapp)
    streams = Streams([Stream(whatsapp.add_contact(), phone, bot)], 20.0)
    (linking,) = processes.holders(server.data_dir)[bot]
    mark, version = len(whatsapp.ledger), (await server.call("GET", f"/bots/{bot}"))["statusVersion"]
    with Watch(server.data_dir) as watch:
        left = await whatsapp.ledger.wait("disconnected", 45, mark, phone=phone.number)
        await streams.burst(20)
        back = await whatsapp.ledger.wait("active", 20, left.number, phone=phone.number)
        found = await settled(server, streams, whatsapp)
    say(f"away from WhatsApp for {(back.at_s - left.at_s) * 1000:.0f} ms while moving to the pool; {found}")
    (pool,) = processes.holders(server.data_dir)[bot]
    assert pool != linking and linking not in processes.workers(server.data_dir)
    assert (await server.call("GET", f"/bots/{bot}"))["statusVersion"] == version
    assert not found.lost and not found.twice and not found.disorder and device.online
    await follower.compare(await journal(server))
    _judge(watch, whatsapp, say)


async def _stream(server: Server, whatsapp: LoopbackServer, number: int) -> Stream:
    bot, phone, _ = await linked(server, whatsapp, f"bot {number}")
    return Stream(whatsapp.add_contact(), phone, bot)


def _judge(watch: Watch, whatsapp: LoopbackServer, say: Callable[[str], None]) -> None:
    hands = [len(workers) for workers in watch.seen.values()]
    say(f"looked {watch.looks} times; workers that held each bot in turn: {hands}")
    assert watch.doubles == []
    assert watch.looks > 10 and all(watch.seen.values())
    assert whatsapp.ledger.count("replaced") == 0
