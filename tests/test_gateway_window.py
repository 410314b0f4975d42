"""Clients that acknowledge: the window of frames and bytes, patience, resync; what is held back stays in the bus."""

from __future__ import annotations

from orchestrator.bus.memory import MemoryBus
from orchestrator.clock import SystemClock
from orchestrator.gateway.ports import GatewaySettings
from orchestrator.gateway.window import Window, WindowLimits
from orchestrator.model import Position
from tests.support.gateway import USER, GatewayServer, make_event
from tests.support.node_client import Frame, NodeClient, NodeSocket
from tests.support.waiting import stays, until

KIB = 1024


async def a_socket(node: NodeClient, server: GatewayServer, **auth: object) -> NodeSocket:
    return await node.connect(server.url, token=server.token(), user=USER, auth={"acks": True, **auth})


def seqs(socket: NodeSocket) -> list[int]:
    return [frame["seq"] for frame in socket.of("message_sync")]


async def publish(server: GatewayServer, count: int, size: int = 1) -> Position:
    for number in range(count):
        position = await server.publish("message", {"n": number, "text": "x" * size})
    return position


def acknowledge(socket: NodeSocket, frame: Frame) -> None:
    socket.emit("ack", {"epoch": frame["epoch"], "seq": frame["seq"]})


def test_the_numbers_are_the_contracts() -> None:
    """256 frames, 512 KiB, 30 s."""
    limits = WindowLimits()
    assert (limits.frames, limits.max_bytes, limits.patience_s) == (256, 512 * KIB, 30.0)


def test_a_single_larger_frame_goes_alone() -> None:
    """Nothing is too large to be delivered; it waits until all before it is acknowledged, and all after it waits."""
    window = Window(WindowLimits())
    window.begin(0)
    window.sent(1, 10)
    assert not window.fits(600 * KIB)
    assert window.acknowledged(1)
    assert window.fits(600 * KIB)
    window.sent(2, 600 * KIB)
    assert not window.fits(1)


def test_an_acknowledgement_of_the_future_frees_nothing() -> None:
    """A client cannot have what it was not sent."""
    window = Window(WindowLimits())
    window.begin(5)
    window.sent(6, 10)
    assert not window.acknowledged(7)
    assert not window.acknowledged(5)
    assert window.acknowledged(6)
    assert not window.acknowledged(6)


async def test_ready_tells_the_window_to_clients_that_acknowledge() -> None:
    """`ready.window`; others are not told one, and not held back."""
    async with GatewayServer.running() as server, NodeClient() as node:
        acking = await a_socket(node, server)
        assert (await acking.ready())["window"] == 256
        other = await node.connect(server.url, token=server.token("bob"), user="bob")
        assert "window" not in await other.ready()
        for number in range(400):
            await server.publish("message", {"n": number}, user="bob")
        await other.until(lambda: len(seqs(other)) == 400)


async def test_at_most_256_frames_are_unacknowledged() -> None:
    """The rest waits in the bus; an acknowledgement is cumulative and lets as many follow."""
    async with GatewayServer.running() as server, NodeClient() as node:
        socket = await a_socket(node, server)
        await socket.ready()
        await publish(server, 600)
        await socket.until(lambda: len(seqs(socket)) == 256)
        await stays(lambda: len(seqs(socket)) == 256, 0.3, "the window")
        acknowledge(socket, socket.of("message_sync")[99])
        await socket.until(lambda: len(seqs(socket)) == 356)
        await stays(lambda: len(seqs(socket)) == 356, 0.3, "the window")
        acknowledge(socket, socket.of("message_sync")[355])
        await socket.until(lambda: len(seqs(socket)) == 600)
        assert seqs(socket) == list(range(1, 601))


async def test_at_most_512_kib_are_unacknowledged() -> None:
    """Bytes of frames as they are sent."""
    async with GatewayServer.running() as server, NodeClient() as node:
        socket = await a_socket(node, server)
        await socket.ready()
        await publish(server, 30, 50 * KIB)
        await socket.until(lambda: len(seqs(socket)) == 10)
        await stays(lambda: len(seqs(socket)) == 10, 0.3, "the window")
        acknowledge(socket, socket.of("message_sync")[0])
        await socket.until(lambda: len(seqs(socket)) == 11)
        acknowledge(socket, socket.of("message_sync")[10])
        await socket.until(lambda: len(seqs(socket)) == 21)


async def test_a_replay_is_windowed_as_well() -> None:
    """A client that was away for long is not sent its whole past at once."""
    async with GatewayServer.running() as server, NodeClient() as node:
        first = await publish(server, 1)
        await publish(server, 599)
        socket = await a_socket(node, server, resume={"epoch": first.epoch, "seq": first.seq})
        ready = await socket.ready()
        assert (ready["mode"], ready["window"]) == ("resumed", 256)
        for acknowledged in (0, 200, 400):
            most = min(599, acknowledged + 256)
            await socket.until(lambda most=most: len(seqs(socket)) == most)  # type: ignore[misc]
            await stays(lambda most=most: len(seqs(socket)) == most, 0.1)  # type: ignore[misc]
            acknowledge(socket, socket.of("message_sync")[min(acknowledged + 199, 598)])
        assert seqs(socket) == list(range(2, 601))


async def test_a_full_window_without_acknowledgement_ends_the_socket() -> None:
    """`slow_consumer` after the patience, retryable; also when nothing more waits to be sent."""
    quick = GatewaySettings(window=WindowLimits(frames=8, patience_s=0.6))
    async with GatewayServer.running(quick) as server, NodeClient() as node:
        socket = await a_socket(node, server)
        await socket.ready()
        await publish(server, 7)
        await socket.until(lambda: len(seqs(socket)) == 7)
        await stays(lambda: not socket.happened("disconnect"), 0.9, "a socket whose window is not full")
        await publish(server, 1)
        told = await socket.closing()
        assert (told["code"], told["retryable"]) == ("slow_consumer", True)
        assert await socket.disconnected() == "transport close"


async def test_acknowledgements_buy_time() -> None:
    """A client that is slow, and says what it has, stays: each acknowledgement that frees something starts anew."""
    quick = GatewaySettings(window=WindowLimits(frames=8, patience_s=1.0))
    async with GatewayServer.running(quick) as server, NodeClient() as node:
        socket = await a_socket(node, server)
        await socket.ready()
        await publish(server, 12)
        for freed in range(4):
            await socket.until(lambda freed=freed: len(seqs(socket)) == 8 + freed)  # type: ignore[misc]
            await stays(lambda: not socket.happened("disconnect"), 0.6, "a socket that acknowledges")
            acknowledge(socket, socket.of("message_sync")[freed])
        await socket.until(lambda: len(seqs(socket)) == 12)


async def test_acknowledgements_that_free_nothing_buy_none() -> None:
    """Old ones, ones of another epoch, ones of what was never sent."""
    quick = GatewaySettings(window=WindowLimits(frames=8, patience_s=1.0))
    async with GatewayServer.running(quick) as server, NodeClient() as node:
        socket = await a_socket(node, server)
        await socket.ready()
        last = await publish(server, 8)
        await socket.until(lambda: len(seqs(socket)) == 8)
        for _ in range(20):
            for position in (
                {"epoch": last.epoch, "seq": 0},
                {"epoch": "x", "seq": 8},
                {"epoch": last.epoch, "seq": 9},
            ):
                socket.emit("ack", position)
        assert (await socket.closing())["code"] == "slow_consumer"


async def test_an_unreadable_acknowledgement_is_a_protocol_error() -> None:
    """The client's author finds out at once, not after 30 s at a full window."""
    async with GatewayServer.running() as server, NodeClient() as node:
        socket = await a_socket(node, server)
        await socket.ready()
        socket.emit("ack", 5)
        told = await socket.closing()
        assert (told["code"], told["retryable"]) == ("protocol_error", False)


async def test_a_resync_empties_the_window() -> None:
    """What was sent before `replaying` is not waited for; the replay gets the whole window."""
    async with GatewayServer.running() as server, NodeClient() as node:
        socket = await a_socket(node, server)
        await socket.ready()
        last = await publish(server, 400)
        await socket.until(lambda: len(seqs(socket)) == 256)
        socket.emit("resync", {"epoch": last.epoch, "seq": 10})
        await socket.frame("connection_update", "replaying")
        await socket.until(lambda: len(seqs(socket)) == 512)
        assert seqs(socket)[256:] == list(range(11, 267))
        assert all(frame["replayed"] for frame in socket.of("message_sync")[256:])
        acknowledge(socket, socket.of("message_sync")[-1])
        await socket.until(lambda: seqs(socket)[-1] == 400)


async def test_announcements_need_no_acknowledgement() -> None:
    """A QR code has no position: it neither fills the window nor waits for it to empty."""
    async with GatewayServer.running() as server, NodeClient() as node:
        socket = await a_socket(node, server)
        await socket.ready()
        for number in range(300):
            soon = SystemClock().wall_ms() + 60_000
            qr = make_event("qr", {"n": number}, name="whatsapp_connection_event")
            server.bus.announce(USER, f"bot_{number}/qr", qr, soon)
        await socket.until(lambda: len(socket.of("whatsapp_connection_event")) == 300)
        await server.publish()
        await socket.frame("message_sync")


async def test_the_bus_is_the_buffer() -> None:
    """A client that holds its window open costs no reader more than a page, however much waits for it."""
    bus = MemoryBus(SystemClock())
    async with GatewayServer.running(bus=bus) as server, NodeClient() as node:
        socket = await a_socket(node, server)
        await socket.ready()
        await publish(server, 2000)
        await until(lambda: len(seqs(socket)) == 256)
        (reader,) = bus._readers._readers[USER]
        assert reader.held <= 512


async def test_many_resyncs_leave_no_reader_behind() -> None:
    """Each beginning lets the former reader go; a socket that ends lets the last one go."""
    bus = MemoryBus(SystemClock())
    async with GatewayServer.running(bus=bus) as server, NodeClient() as node:
        socket = await a_socket(node, server)
        await socket.ready()
        last = await publish(server, 50)
        for count in range(1, 11):
            for _ in range(2):
                socket.emit("resync", {"epoch": last.epoch, "seq": 0})
            await socket.until(lambda count=count: len(socket.of("connection_update", "replaying")) >= count)  # type: ignore[misc]
        # The last of them may be beginning: the former reader has gone, and the next is not there yet.
        await until(lambda: len(bus._readers._readers.get(USER, ())) == 1, what="one reader")
        socket.disconnect()
        await until(lambda: not bus._readers._readers, what="readers to be let go")
