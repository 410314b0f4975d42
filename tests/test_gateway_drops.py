"""Ten minutes of virtual time in which a client drops at random: what it applied is the journal, in order, once."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Sequence
from dataclasses import replace

import pytest

from orchestrator.auth.local import LocalTokens
from orchestrator.bus.bus import Committed, Delivery, Entry
from orchestrator.bus.memory import MemoryBus
from orchestrator.bus.reader import Reader
from orchestrator.bus.retention import Retention
from orchestrator.gateway.clerk import Clerk
from orchestrator.gateway.live import LiveSockets
from orchestrator.gateway.ports import GatewaySettings
from orchestrator.gateway.pump import PumpParts
from orchestrator.model import Event, Position, Principal, new_id, to_json
from orchestrator.tasks import TaskFailure, Tasks
from tests.support import virtual_time
from tests.support.gateway import KEY, USER, Counters
from tests.support.virtual_client import Client
from tests.support.virtual_time import VirtualClock

MINUTES = 10


class Tokens:
    """Local tokens on virtual time."""

    def __init__(self, clock: VirtualClock) -> None:
        self.local = LocalTokens(KEY, clock)

    async def verify(self, token: str) -> Principal:
        return self.local.verify(token)


class World:
    """A bus that lasts, a gateway that is restarted now and then, one client, and whoever writes the journal."""

    def __init__(
        self, clock: VirtualClock, seed: int, *, acks: bool, bus: type[MemoryBus] = MemoryBus, keep: int = 1_000_000
    ) -> None:
        self.clock = clock
        self.chance = random.Random(seed)
        self.bus = bus(clock, Retention(max_events=keep, max_bytes=1 << 40))
        self.metrics = Counters()
        self.tasks = Tasks()
        self.failures: list[TaskFailure] = []
        self.tasks.failures.listen(self.failures.append)
        self.tokens = Tokens(clock)
        self.sockets = self.gateway()
        self.client = Client(clock, self.tokens.local, USER, self.chance, acks=acks)
        self.client.loses_frames = 0.002
        self.journal: list[tuple[int, int]] = []
        """(seq, n) of everything that was written, as the bus placed it."""

    def gateway(self) -> LiveSockets:
        settings = GatewaySettings(server_version="test")
        parts = PumpParts(self.bus, lambda bot: bot, self.clock, self.metrics, settings)
        clerk = Clerk(None, self.bus, self.clock, self.tasks)  # type: ignore[arg-type]  # no commands here
        return LiveSockets(parts, clerk, self.tokens, None, self.tasks)

    async def write(self) -> None:
        """Messages come one by one and in bursts; some are large."""
        while True:
            await asyncio.sleep(self.chance.expovariate(1 / 3))
            burst = self.chance.choice([1, 1, 1, 2, 5, 40, 700])
            for _ in range(burst):
                number = len(self.journal) + 1
                text = "x" * self.chance.choice([10, 200, 200, 30_000])
                data = to_json({"n": number, "text": text})
                at = self.clock.wall_ms()
                event = Event(USER, "bot_a", "message_sync", "message", new_id("evt"), at, data)
                (position,) = await self.bus.commit([Entry(USER, event)])
                assert isinstance(position, Position)
                self.journal.append((position.seq, number))

    async def disturb(self) -> None:
        """Cut, freeze, reload, restart the server: something happens every few seconds."""
        while True:
            await asyncio.sleep(self.chance.expovariate(1 / 8))
            connection = self.client.connection
            match self.chance.choice(["cut", "cut", "freeze", "reload", "restart", "nothing"]):
                case "cut" if connection is not None:
                    connection.cut()
                case "freeze" if connection is not None:
                    connection.freeze()
                case "reload" if connection is not None:
                    self.client.forget_proof()
                    connection.cut()
                case "restart":
                    former, self.sockets = self.sockets, self.gateway()
                    await former.drain()
                case _:
                    pass


async def ten_minutes(world: World) -> None:
    loop = asyncio.get_running_loop()
    staying = loop.create_task(world.client.stay(lambda: world.sockets))
    await asyncio.sleep(5)
    assert world.client.modes == ["snapshot"]  # of an empty log: the journal is exactly what it must have applied
    others = [loop.create_task(world.write()), loop.create_task(world.disturb())]
    await asyncio.sleep(MINUTES * 60)
    for task in others:
        task.cancel()
    for _ in range(3000):  # whatever was in the way is over within the limits of admission: a minute at most
        if world.client.last == world.journal[-1][0]:
            break
        await asyncio.sleep(0.1)
    staying.cancel()
    await world.sockets.drain()


def applied(world: World) -> list[tuple[int, int]]:
    """(seq, n) of everything the application got, in its order."""
    return [(frame["seq"], frame["data"]["n"]) for frame in world.client.applied]


class ForgetfulBus(MemoryBus):
    """Planted: now and then an event is left out between two others, and the chain is mended over it."""

    async def subscribe(self, user: str, after: Position) -> Reader:
        reader = await super().subscribe(user, after)
        read = reader.read

        async def forgetful(limit: int = 256) -> Sequence[Delivery]:
            batch = list(await read(limit))
            if len(batch) < 3:
                return batch
            first, _, third, *rest = batch
            assert isinstance(first, Committed) and isinstance(third, Committed)
            return [first, replace(third, prev=first.position), *rest]

        reader.read = forgetful  # type: ignore[method-assign]
        return reader


def test_a_planted_loss_is_found() -> None:
    """What is compared at the end would show a single event that was left out."""

    async def main(clock: VirtualClock) -> None:
        world = World(clock, 0, acks=True, bus=ForgetfulBus)
        await ten_minutes(world)
        assert applied(world) != world.journal
        assert applied(world) == sorted(set(applied(world)))

    virtual_time.run(main)


@pytest.mark.parametrize("acks", [True, False], ids=["acks", "stock"])
@pytest.mark.parametrize("seed", range(3))
def test_applied_is_the_journal_in_order_once(seed: int, acks: bool) -> None:
    """Cuts, half-open connections, reloads, lost frames, restarts of the server, tokens that end: nothing is lost,
    nothing comes twice, nothing overtakes, and nobody ever has two sockets."""

    async def main(clock: VirtualClock) -> World:
        world = World(clock, seed, acks=acks)
        await ten_minutes(world)
        assert applied(world) == world.journal
        return world

    world = virtual_time.run(main)
    client = world.client
    assert len(world.journal) > 5_000
    assert client.connections > 40, "hardly anything happened"
    assert client.resyncs > 3
    assert client.modes[0] == "snapshot" and set(client.modes[1:]) == {"resumed"}
    assert world.metrics.replays > 100
    assert world.metrics.most_duplicates == 0
    assert world.metrics.replacements == 0
    assert world.failures == []
    assert {"server_draining"} <= set(client.closings) <= {"server_draining", "superseded", "slow_consumer"}


@pytest.mark.parametrize("seed", range(3))
def test_what_is_no_longer_kept_is_counted(seed: int) -> None:
    """When retention overtakes a client, live or away, it is told exactly how many events it will not get; all others
    are applied, in order, once."""

    async def main(clock: VirtualClock) -> World:
        world = World(clock, seed, acks=True, keep=100)
        world.client.loses_frames = 0.0
        await ten_minutes(world)
        return world

    world = virtual_time.run(main)
    got = applied(world)
    assert got == sorted(set(got))
    assert set(got) <= set(world.journal)
    assert world.client.missed == len(world.journal) - len(got) > 1000
    assert "resumed" in world.client.modes and world.client.modes.count("snapshot") > 1
    assert world.failures == []
