"""The members of python-socketio and python-engineio that the gateway relies on beyond their documentation.

When one of these fails after an upgrade, `orchestrator/gateway/gateway.py` and `engine_wire.py` have to be read again.
"""

from __future__ import annotations

import inspect
import tomllib
from importlib import metadata
from pathlib import Path
from typing import Any

import engineio
import engineio.async_drivers.aiohttp
import engineio.async_socket
import engineio.packet
import pytest
import socketio
import socketio.packet
from aiohttp.test_utils import make_mocked_request

PINNED = {"python-socketio": "5.18.1", "python-engineio": "4.15.1", "aiohttp": "3.14.5"}


@pytest.mark.parametrize(("library", "version"), PINNED.items())
def test_the_versions_are_pinned_and_installed(library: str, version: str) -> None:
    """The members below were read in exactly these versions."""
    project = tomllib.loads((Path(__file__).parents[1] / "pyproject.toml").read_text())
    assert f"{library}=={version}" in project["project"]["dependencies"]
    assert metadata.version(library) == version


def engine_socket() -> tuple[Any, Any]:
    server = socketio.AsyncServer(async_mode="aiohttp", logger=False)
    engine = server.eio
    engine.sockets["c"] = engineio.async_socket.AsyncSocket(engine, "c")
    return server, engine.sockets["c"]


async def test_the_engine_socket_has_the_members_a_wire_uses() -> None:
    """`receive`, `queue`, `closed`, `upgraded`, `close(wait, abort)`."""
    _, socket = engine_socket()
    assert inspect.iscoroutinefunction(socket.receive)
    assert (socket.closed, socket.upgraded) == (False, False)
    assert {"wait", "abort"} <= inspect.signature(socket.close).parameters.keys()
    socket.queue.put_nowait(None)
    assert await socket.poll() == [], "None in the queue no longer ends a writer"


async def test_packets_reach_receive_through_the_instance() -> None:
    """A wire replaces `receive` on the object; the read loops must look it up there."""
    source = inspect.getsource(engineio.async_socket.AsyncSocket)
    assert source.count("await self.receive(pkt)") == 2  # one for polling, one for WebSocket
    _, socket = engine_socket()
    seen: list[int] = []

    async def receive(packet: Any) -> None:
        seen.append(packet.packet_type)

    class Body:
        async def read(self, _: int) -> bytes:
            return b'42["x"]'

    socket.receive = receive
    await socket.handle_post_request({"CONTENT_LENGTH": "7", "wsgi.input": Body()})
    assert seen == [engineio.packet.MESSAGE]


async def test_a_queued_packet_is_encoded_when_the_transport_takes_it() -> None:
    """Outgoing bytes are counted from `send` to `encode`; a websocket writer encodes one packet, sends it, then the next."""
    _, socket = engine_socket()
    encoded: list[str] = []

    class Packet(engineio.packet.Packet):  # type: ignore[misc]  # the library has no types
        def encode(self, b64: bool = False) -> Any:
            encoded.append(self.data)
            return super().encode(b64)

    await socket.send(Packet(engineio.packet.MESSAGE, "a"))
    await socket.send(Packet(engineio.packet.MESSAGE, "b"))
    assert encoded == []
    assert [packet.data for packet in await socket.poll()] == ["a", "b"]
    writer = inspect.getsource(engineio.async_socket.AsyncSocket._websocket_handler)
    assert "for pkt in packets:\n                        await ws.send(pkt.encode())" in writer


def test_engine_packet_types_are_those_of_the_protocol() -> None:
    """`engine_wire.py` names them by number."""
    packet = engineio.packet
    assert (packet.CLOSE, packet.PING, packet.MESSAGE) == (1, 2, 4)


def test_socketio_tells_the_engine_what_to_call() -> None:
    """The gateway wraps the engine's `connect` and `disconnect` handlers and calls the former ones."""
    server, _ = engine_socket()
    assert list(inspect.signature(server.eio.handlers["connect"]).parameters) == ["eio_sid", "environ"]
    assert list(inspect.signature(server.eio.handlers["disconnect"]).parameters) == ["eio_sid", "reason"]


def test_the_manager_is_told_after_the_client() -> None:
    """`connect` of the manager runs right after the CONNECT packet was sent: delivery may begin."""
    source = inspect.getsource(socketio.AsyncServer._handle_connect)
    accepted = source.rpartition("elif not self.always_connect:")[2]
    assert accepted.index("packet.CONNECT") < accepted.index("self.manager.connect(sid, namespace)")


def test_emit_goes_through_the_manager_with_room_by_position_or_name() -> None:
    """The own manager takes (event, data, namespace, room)."""
    names = list(inspect.signature(socketio.AsyncManager.emit).parameters)
    assert names[:5] == ["self", "event", "data", "namespace", "room"]
    assert "room=room" in inspect.getsource(socketio.AsyncServer.emit)


def test_an_engine_ping_out_of_turn_does_not_start_a_second_heartbeat() -> None:
    """A probe's pong calls `schedule_ping`, which does nothing while a ping is scheduled."""
    assert "if self.last_ping:" in inspect.getsource(engineio.async_socket.AsyncSocket.schedule_ping)


async def test_a_request_gives_out_the_payload_it_holds() -> None:
    """What a polling client posts is read whole and within bounds, then put back for the library to read."""
    request = make_mocked_request("POST", "/")
    body = object()
    inner = request.clone()
    inner._payload = body  # type: ignore[assignment]
    assert inner.content is body
    source = inspect.getsource(engineio.async_drivers.aiohttp.translate_request)
    assert "'wsgi.input': request.content" in source
