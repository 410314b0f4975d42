"""What a client gets and in which order: ready, snapshot or replay, announcements, live, resync, slow consumers."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from typing import Any, cast

import msgspec
import pytest

from orchestrator.bus.bus import Delivery, Entry, StatePut
from orchestrator.bus.memory import MemoryBus
from orchestrator.bus.reader import Reader
from orchestrator.clock import SystemClock
from orchestrator.errors import Refused
from orchestrator.gateway.ports import GatewaySettings, Wire
from orchestrator.gateway.pump import Pump, PumpParts
from orchestrator.model import Bot, EventName, Position, to_json
from tests.support.gateway import USER, Counters, GatewayServer, make_bot, make_event
from tests.support.node_client import Frame, NodeClient, NodeSocket
from tests.support.waiting import until


async def a_socket(node: NodeClient, server: GatewayServer, **auth: object) -> NodeSocket:
    return await node.connect(server.url, token=server.token(), user=USER, auth=auth)


def assert_chain(frames: list[Frame], after: int) -> None:
    """No gap, no duplicate, in order: each `prev` is the position before."""
    for frame in frames:
        assert frame["prev"] == after
        assert frame["seq"] == after + 1
        after = frame["seq"]


async def test_the_four_events_arrive_through_the_contracts_client() -> None:
    """Exactly the contract's options, one argument each, `type` and `botId` at the top level."""
    async with GatewayServer.running() as server, NodeClient() as node:
        socket = await a_socket(node, server)
        ready = await socket.ready()
        event = msgspec.structs.replace(
            make_event("status", {"id": "bot_a"}, name="bot_status_update"), status="connected", status_version=2
        )
        await server.bus.commit([Entry(USER, event)])
        await server.publish("whatsapp_connected", {"account": None}, name="whatsapp_connection_event")
        await server.publish("message", {"text": "hi"})
        await socket.frame("message_sync")
        assert [(frame["event"], frame["type"]) for frame in socket.frames] == [
            ("connection_update", "ready"),
            ("connection_update", "snapshot"),
            ("bot_status_update", "status"),
            ("whatsapp_connection_event", "whatsapp_connected"),
            ("message_sync", "message"),
        ]
        assert socket.frames[2]["status"] == "connected"
        assert {frame["botId"] for frame in socket.frames[2:]} == {"bot_a"}
        assert all(len(line["args"]) == 1 for line in socket.happened("event"))
        assert_chain(socket.frames[2:], ready["from"])
        assert len(server.metrics.delays_s) == 3


async def test_a_first_connection_gets_the_current_state_then_what_follows() -> None:
    """`snapshot` holds the bots with their live fields filled, oldest first, and the position they are true at."""

    def fill(bot: Bot) -> Bot:
        return msgspec.structs.replace(bot, proved_at=77)

    async with GatewayServer.running(fill=fill) as server, NodeClient() as node:
        await server.put_bot(make_bot("bot_b", created_at=1))
        await server.put_bot(make_bot("bot_a", created_at=2))
        await server.put_bot(make_bot("bot_x", user="bob"))
        head = await server.publish()
        socket = await a_socket(node, server)
        ready = await socket.ready()
        snapshot = (await socket.frame("connection_update", "snapshot"))["data"]
        assert (ready["mode"], ready["reason"], ready["contract"]) == ("snapshot", "first", 1)
        assert snapshot["position"] == {"epoch": head.epoch, "seq": head.seq}
        assert [(bot["id"], bot["provedAt"]) for bot in snapshot["bots"]] == [("bot_b", 77), ("bot_a", 77)]
        assert (ready["from"], ready["head"]) == (head.seq, head.seq)
        await server.publish()
        assert_chain([await socket.frame("message_sync")], head.seq)


async def test_a_state_larger_than_a_frame_arrives_whole_before_what_follows() -> None:
    """`snapshot`, then `snapshot_rest` at the same position with the bots it could not hold; then the log goes on."""
    async with GatewayServer.running() as server, NodeClient() as node:
        names = [f"bot_{number:03}" for number in range(300)]
        for number, name in enumerate(names):
            await server.put_bot(make_bot(name, created_at=number))
        socket = await a_socket(node, server)
        await socket.ready()
        await server.publish()
        live = await socket.frame("message_sync")
        first, *more = socket.frames[1:-1]
        assert (first["type"], {frame["type"] for frame in more}) == ("snapshot", {"snapshot_rest"})
        assert [bot["id"] for frame in (first, *more) for bot in frame["data"]["bots"]] == names
        assert_chain([live], first["data"]["position"]["seq"])


class Unread:
    """A client whose connection takes two frames and then no more."""

    def __init__(self) -> None:
        self.types: list[str] = []
        self.wire = cast("Wire", self)

    async def room(self, size: int, max_bytes: int, timeout_s: float) -> bool:
        return len(self.types) < 2

    async def send(self, name: EventName, frame: bytes) -> None:
        self.types.append(json.loads(frame)["type"])


async def test_a_client_that_does_not_take_the_whole_state_is_closed_as_slow() -> None:
    """Nothing follows a state of which the rest is missing."""
    bus = MemoryBus(SystemClock())
    for number in range(300):
        bot = make_bot(f"bot_{number}")
        await bus.commit([Entry(USER, None, (StatePut(f"bot/{bot.id}", to_json(bot)),))])
    parts = PumpParts(bus, lambda bot: bot, SystemClock(), Counters(), GatewaySettings())
    client = Unread()
    pump = Pump(parts, client, USER, "con_1", None, acks=False, greeted=lambda: None)
    assert await pump.run() == "slow_consumer"
    assert client.types == ["ready", "snapshot"]


async def test_a_resume_gets_exactly_what_it_missed_in_order_then_live() -> None:
    """`resumed`: everything after the position, `replayed`; what comes later is not marked."""
    async with GatewayServer.running() as server, NodeClient() as node:
        last = await server.publish("message", {"n": 0})
        for number in range(1, 700):
            await server.publish("message", {"n": number})
        socket = await a_socket(node, server, resume={"epoch": last.epoch, "seq": last.seq})
        ready = await socket.ready()
        assert (ready["mode"], ready["from"], ready["head"]) == ("resumed", 1, 700)
        assert "reason" not in ready
        await socket.until(lambda: len(socket.frames) == 700)
        await server.publish("message", {"n": 700})
        await socket.until(lambda: len(socket.frames) == 701)
        frames = socket.of("message_sync")
        assert [frame["data"]["n"] for frame in frames] == list(range(1, 701))
        assert_chain(frames, 1)
        assert [frame.get("replayed", False) for frame in frames] == [True] * 699 + [False]
        assert not socket.of("connection_update", "snapshot")
        assert server.metrics.replays == 699


@pytest.mark.parametrize(
    ("resume", "reason"),
    [
        ({"epoch": "another", "seq": 1}, "epoch"),
        ({"epoch": None, "seq": 9}, "ahead"),
        ({"epoch": "nonsense"}, "first"),
    ],
)
async def test_a_resume_that_cannot_be_honoured_gets_a_snapshot_and_the_reason(
    resume: dict[str, Any], reason: str
) -> None:
    """Another epoch, or more than the server has: never wait for what was lost."""
    async with GatewayServer.running() as server, NodeClient() as node:
        head = await server.publish()
        if resume["epoch"] is None:
            resume["epoch"] = head.epoch
        socket = await a_socket(node, server, resume=resume)
        ready = await socket.ready()
        assert (ready["mode"], ready["reason"], ready["epoch"]) == ("snapshot", reason, head.epoch)
        await socket.frame("connection_update", "snapshot")
        assert not socket.of("message_sync")


async def test_a_qr_on_offer_follows_ready() -> None:
    """A client that connects in between gets the current announcement, never an old or withdrawn one."""
    async with GatewayServer.running() as server, NodeClient() as node:
        soon = SystemClock().wall_ms() + 60_000
        qr = make_event("qr", {"qr": "2@first", "attempt": 1}, name="whatsapp_connection_event")
        server.bus.announce(USER, "bot_a/qr", qr, soon)
        newer = make_event("qr", {"qr": "2@second", "attempt": 1}, name="whatsapp_connection_event")
        server.bus.announce(USER, "bot_a/qr", newer, soon)
        server.bus.announce(USER, "bot_b/qr", qr, soon)
        server.bus.withdraw(USER, "bot_b/qr")
        last = await server.publish()
        await server.publish("message", {"n": 2})
        socket = await a_socket(node, server, resume={"epoch": last.epoch, "seq": last.seq})
        await socket.frame("whatsapp_connection_event", "qr")
        assert [frame["type"] for frame in socket.frames] == ["ready", "message", "qr"]
        assert socket.frames[2]["data"]["qr"] == "2@second"
        assert "seq" not in socket.frames[2]
        live = make_event("qr", {"qr": "2@third", "attempt": 1}, name="whatsapp_connection_event")
        server.bus.announce(USER, "bot_a/qr", live, soon)
        assert (await socket.frame("whatsapp_connection_event", "qr", count=2))["data"]["qr"] == "2@third"
        assert len(server.metrics.delays_s) == 1, "only the third one was delivered live"


async def test_a_resync_begins_again_after_the_position_given() -> None:
    """`replaying`, then everything after it in order."""
    async with GatewayServer.running() as server, NodeClient() as node:
        socket = await a_socket(node, server)
        await socket.ready()
        positions = [await server.publish("message", {"n": number}) for number in range(5)]
        await socket.until(lambda: len(socket.of("message_sync")) == 5)
        socket.emit("resync", {"epoch": positions[1].epoch, "seq": positions[1].seq})
        told = await socket.frame("connection_update", "replaying")
        assert told["data"]["from"] == positions[1].seq
        await socket.until(lambda: len(socket.of("message_sync")) == 8)
        again = socket.of("message_sync")[5:]
        assert_chain(again, positions[1].seq)
        assert all(frame["replayed"] for frame in again)
        await server.publish("message", {"n": 5})
        await socket.until(lambda: len(socket.of("message_sync")) == 9)
        assert_chain(socket.of("message_sync")[5:], positions[1].seq)


@pytest.mark.parametrize("position", [{"epoch": "another", "seq": 1}, {"epoch": None, "seq": 99}, "nonsense", None])
async def test_a_resync_that_cannot_be_honoured_gets_a_snapshot(position: Any) -> None:
    """With the reason; delivery goes on from the snapshot's position."""
    async with GatewayServer.running() as server, NodeClient() as node:
        socket = await a_socket(node, server)
        await socket.ready()
        head = await server.publish()
        await socket.frame("message_sync")
        if isinstance(position, dict) and position["epoch"] is None:
            position["epoch"] = head.epoch
        socket.emit("resync", position)
        snapshot = (await socket.frame("connection_update", "snapshot", count=2))["data"]
        assert snapshot["position"]["seq"] == head.seq
        assert snapshot["reason"] in {"epoch", "ahead"}
        await server.publish()
        assert_chain([await socket.frame("message_sync", count=2)], head.seq)


async def test_nothing_is_lost_or_doubled_while_events_rush_in() -> None:
    """Connecting in the middle of a rush: the chain from `ready.from` on has no gap and no overlap."""
    async with GatewayServer.running() as server, NodeClient() as node:

        async def rush() -> None:
            for number in range(3000):
                await server.publish("message", {"n": number})
                if number % 10 == 0:
                    await asyncio.sleep(0)

        rushing = asyncio.get_running_loop().create_task(rush())
        socket = await a_socket(node, server)
        ready = await socket.ready()
        await rushing
        head = (await server.bus.state(USER)).head.seq
        await socket.until(lambda: socket.frames[-1].get("seq") == head, timeout_s=20)
        assert_chain(socket.of("message_sync"), ready["from"])


async def test_a_large_event_arrives_truncated() -> None:
    """At most 64 KiB; the whole is there by REST."""
    async with GatewayServer.running() as server, NodeClient() as node:
        socket = await a_socket(node, server)
        await socket.ready()
        await server.publish("message", {"messageId": "m", "text": "x" * 100_000})
        frame = await socket.frame("message_sync")
        assert (frame["truncated"], frame["data"]) == (True, {"messageId": "m"})


async def publish_until(server: GatewayServer, done: asyncio.Event | None, kib: int, most: int) -> Position:
    for number in range(most):
        position = await server.publish("message", {"n": number, "text": "x" * (kib * 1000)})
        await asyncio.sleep(0)
        if done is not None and done.is_set():
            break
    return position


@pytest.mark.parametrize("transports", [["websocket"], ["polling"]])
async def test_a_client_that_stops_reading_is_closed_as_slow(transports: list[str]) -> None:
    """The outgoing buffer is the bound: past it for long, the socket ends and the server keeps nothing for it."""
    quick = GatewaySettings(outgoing_max_bytes=256 * 1024, slow_after_s=0.5)
    async with GatewayServer.running(quick) as server, NodeClient() as node:
        options: dict[str, object] = {"transports": transports}
        socket = await node.connect(server.url, token=server.token(), user=USER, options=options)
        await socket.ready()
        node.freeze()
        await publish_until(server, None, 50, 400)
        await until(lambda: server.metrics.closings["slow_consumer"] == 1, what="slow_consumer")
        node.thaw()
        assert await socket.disconnected() in {"transport close", "transport error"}
        await socket.until(lambda: True)
        assert_chain(socket.of("message_sync"), 0)


async def test_a_slow_reader_that_reads_is_not_closed_and_misses_nothing() -> None:
    """20 MB through a buffer of 1 MiB: the bus is the buffer."""
    async with GatewayServer.running() as server, NodeClient() as node:
        socket = await a_socket(node, server)
        await socket.ready()
        last = await publish_until(server, None, 50, 400)
        await socket.until(lambda: socket.frames[-1].get("seq") == last.seq, timeout_s=30)
        assert_chain(socket.of("message_sync"), 0)
        assert not server.metrics.closings


class OvertakenBus(MemoryBus):
    """A bus whose retention overtakes its first reader once `dropped` events are there."""

    def __init__(self, dropped: int) -> None:
        super().__init__(SystemClock())
        self._dropped = dropped

    async def subscribe(self, user: str, after: Position) -> Reader:
        reader = await super().subscribe(user, after)
        read, dropped, self._dropped = reader.read, self._dropped, 0

        async def overtaken(limit: int = 256) -> Sequence[Delivery]:
            """Keep the `Subscription`'s word: `position_expired` for a reader whose next event is gone."""
            if reader.position.seq == 0:
                return await read(limit)
            await until(lambda: self._logs[user].head > dropped, what="events to drop")
            raise Refused("position_expired")

        if dropped:
            reader.read = overtaken  # type: ignore[method-assign]
        return reader


async def test_a_client_that_fell_behind_what_is_kept_goes_on_from_a_snapshot() -> None:
    """Retention overtook a reader that was held up: `snapshot`, reason `expired`, and how many it missed."""
    bus = OvertakenBus(3)
    async with GatewayServer.running(bus=bus) as server, NodeClient() as node:
        socket = await a_socket(node, server)
        await socket.ready()
        await server.publish()
        await socket.frame("message_sync")
        for _ in range(3):
            await server.publish()
        snapshot = await socket.frame("connection_update", "snapshot", count=2)
        assert (snapshot["data"]["reason"], snapshot["data"]["missed"]) == ("expired", 3)
        assert snapshot["data"]["position"]["seq"] == 4
        await server.publish()
        assert_chain([await socket.frame("message_sync", count=2)], 4)


def test_settings_defaults_are_the_contracts() -> None:
    """1 MiB of outgoing buffer, refused after 1 s, silent after 10 s, 12 h."""
    settings = GatewaySettings()
    assert settings.outgoing_max_bytes == 1024 * 1024
    assert (settings.refused_linger_s, settings.silent_linger_s) == (1.0, 10.0)
    assert (settings.socket_max_age_s, settings.token_grace_s) == (43200.0, 60.0)
    assert (settings.requests, settings.rate_window_s) == (30, 10.0)
    assert (settings.admission.connects, settings.admission.takeovers, settings.admission.window_s) == (20, 3, 60.0)
