"""At most one process ever holds a bot: seen from the kernel and from WhatsApp, while everything is killed and moved."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable

from tests.crash.follower import Follower
from tests.crash.nemesis import Blow, Nemesis
from tests.crash.streams import Stream, Streams, settled
from tests.crash.watch import Watch
from tests.e2e.journeys import linked
from tests.loopback.server import LoopbackServer
from tests.support.node_client import NodeClient
from tests.support.server import Server
from tests.support.waiting import until


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
            mark = len(whatsapp.ledger)
            await asyncio.gather(*(server.call("POST", f"/bots/{bot}/{command}", status=202) for command in commands))
            await whatsapp.ledger.wait("login", 40, mark)
            await server.bot_until(bot, lambda seen: seen["status"] == "connected", 40)
            await until(lambda: device.online, what="the device to be online")
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
