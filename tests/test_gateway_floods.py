"""What no well-behaved client sends: floods, broken and oversized input over both transports, made-up commands."""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest

from orchestrator.api.bodies import Bodies
from orchestrator.clock import SystemClock
from orchestrator.errors import Refused
from orchestrator.gateway import gateway as gateway_module
from orchestrator.gateway.command import read_command
from orchestrator.gateway.protocol import parse_auth, parse_resume, parse_token, violation
from orchestrator.gateway.rate import Rate
from tests.support.gateway import USER, GatewayServer
from tests.support.node_client import NodeClient, NodeSocket
from tests.support.raw_socket import RawSocket
from tests.support.waiting import until


async def a_socket(node: NodeClient, server: GatewayServer, **auth: object) -> NodeSocket:
    socket = await node.connect(server.url, token=server.token(), user=USER, auth=auth)
    await socket.ready()
    return socket


# --- floods -------------------------------------------------------------------------------------------------------


def test_a_rate_is_a_sliding_window() -> None:
    """Three within a second; the fourth waits until the first is a second old."""
    rate = Rate(3, 1.0)
    assert [rate.allows(at) for at in (0.0, 0.5, 0.75, 0.875, 1.0, 1.25, 1.5)] == [
        True, True, True, False, True, False, True,
    ]  # fmt: skip
    assert not rate.idle(2.25)
    assert rate.idle(2.5)


@pytest.mark.parametrize("event", ["from_the_future", "ack"])
async def test_a_flood_of_messages_that_change_nothing_ends_the_socket(event: str) -> None:
    """More than 300 in 10 s: unknown events, or acknowledgements of what was acknowledged already."""
    async with GatewayServer.running() as server, NodeClient() as node:
        socket = await a_socket(node, server, acks=True)
        head = await server.publish()
        await socket.frame("message_sync")
        for _ in range(305):
            socket.emit(event, {"epoch": head.epoch, "seq": head.seq})
        told = await socket.closing()
        assert (told["code"], told["retryable"]) == ("flood", False)
        assert await socket.disconnected() == "io server disconnect"


async def test_a_client_may_acknowledge_every_single_frame() -> None:
    """Two thousand acknowledgements in a moment are no flood: each frees something."""
    async with GatewayServer.running() as server, NodeClient() as node:
        socket = await a_socket(node, server, acks=True)
        publishing = asyncio.get_running_loop().create_task(publish(server, 2000))
        known = 0
        while known < 2000:
            await socket.until(lambda known=known: len(socket.of("message_sync")) > known)  # type: ignore[misc]
            for frame in socket.of("message_sync")[known:]:
                socket.emit("ack", {"epoch": frame["epoch"], "seq": frame["seq"]})
                known += 1
        await publishing
        assert not socket.happened("disconnect")


async def publish(server: GatewayServer, count: int) -> None:
    for number in range(count):
        await server.publish("message", {"n": number})


@pytest.mark.parametrize("event", ["command", "resync", "refresh_token"])
async def test_a_flood_of_requests_ends_the_socket_and_frees_the_user(event: str) -> None:
    """More than 30 in 10 s; what was over the limit is not carried out, and the user may come back."""
    async with GatewayServer.running() as server, NodeClient() as node:
        socket = await a_socket(node, server, acks=True)
        for _ in range(40):
            socket.emit(event, {"token": server.token()})
        assert (await socket.closing())["code"] == "flood"
        await socket.disconnected()
        await a_socket(node, server)


async def test_a_connection_that_guesses_tokens_is_closed() -> None:
    """Five refusals; until then it may try again on the same transport."""
    async with GatewayServer.running() as server, RawSocket.open(server.port) as raw:
        for _ in range(5):
            assert "unauthorized" in await raw.connect(token="guess")
        await raw.ended(0.9)
        assert server.metrics.refusals == {"unauthorized": 5}


async def test_a_connection_is_one_socket_at_most() -> None:
    """Asking again on a connection that is somebody's already, also for another user, changes nothing and leaves
    nothing behind."""
    async with GatewayServer.running() as server:
        async with RawSocket.open(server.port) as raw:
            await raw.connect(token=server.token())
            await raw.frame("snapshot")
            for user in (USER, "bob"):
                await raw.send("40" + json.dumps({"token": server.token(user)}))
            await server.publish()
            await raw.frame("message")
            assert server.metrics.count == 1
        await until(lambda: server.metrics.count == 0)
        async with RawSocket.open(server.port) as raw:
            assert (await raw.connect(token=server.token("bob")))[0] == "0"


# --- broken input -------------------------------------------------------------------------------------------------


SOON = aiohttp.ClientTimeout(total=10)


async def open_poll(session: aiohttp.ClientSession, url: str) -> str:
    async with session.get(url) as answer:
        return str((await answer.text()).split('"sid":"')[1].split('"')[0])


async def test_two_polls_at_once_end_the_connection() -> None:
    """A client has one poll at a time (Engine.IO); more would each hold what they were answered in memory."""
    async with GatewayServer.running() as server, aiohttp.ClientSession() as session:
        url = f"http://127.0.0.1:{server.port}/socket.io/?EIO=4&transport=polling"
        connection = await open_poll(session, url)
        first = asyncio.get_running_loop().create_task(session.get(f"{url}&sid={connection}"))
        (wire,) = server.gateway._wires.values()
        await until(lambda: wire._polling, what="the first poll")
        async with session.get(f"{url}&sid={connection}") as answer:
            assert answer.status == 400
        (await first).release()
        await until(lambda: server.connections() == 0)


BROKEN = ["4" + "x" * 200_000, "42" + "[" * 60_000, "\x00\xff", "4\xff", "9", "2", "", "d=4", "b4not base64!", "3\x1e",
          "\x1e".join(["3"] * 17)]  # fmt: skip


@pytest.mark.parametrize("body", BROKEN, ids=range(len(BROKEN)))
async def test_a_broken_post_ends_the_connection(body: str) -> None:
    """Over polling as over WebSocket: `protocol_error` in the open poll, no traceback, nothing left behind."""
    async with GatewayServer.running() as server, aiohttp.ClientSession(timeout=SOON) as session:
        url = f"http://127.0.0.1:{server.port}/socket.io/?EIO=4&transport=polling"
        connection = await open_poll(session, url)
        posted = "40" + json.dumps({"token": server.token()})
        async with session.post(f"{url}&sid={connection}", data=posted) as answer:
            assert answer.status == 200
        await until(lambda: server.metrics.count == 1)
        async with session.post(f"{url}&sid={connection}", data=body.encode("latin-1")) as answer:
            assert answer.status in {200, 400}
        told = ""
        while '"protocol_error"' not in told:
            async with session.get(f"{url}&sid={connection}") as answer:
                told = await answer.text()
        await until(lambda: server.connections() == 0)


async def test_a_post_without_a_connection_is_not_kept_waiting() -> None:
    """A connection that never asked to be anybody's gets the same answer and ends at once."""
    async with GatewayServer.running() as server, aiohttp.ClientSession(timeout=SOON) as session:
        url = f"http://127.0.0.1:{server.port}/socket.io/?EIO=4&transport=polling"
        connection = await open_poll(session, url)
        async with session.post(f"{url}&sid={connection}", data="9") as answer:
            assert answer.status == 400
        await until(lambda: server.connections() == 0)


@pytest.mark.parametrize(
    ("head", "rest"),
    [("Content-Length: 100", "40{"), ("Transfer-Encoding: chunked", "zz\r\n40{")],
    ids=["short", "chunks"],
)
async def test_a_post_that_breaks_off_is_no_bug(head: str, rest: str, caplog: pytest.LogCaptureFixture) -> None:
    """The client goes in the middle of its body, or breaks HTTP: no traceback, and the connection ends."""
    async with GatewayServer.running() as server, aiohttp.ClientSession(timeout=SOON) as session:
        url = f"http://127.0.0.1:{server.port}/socket.io/?EIO=4&transport=polling"
        connection = await open_poll(session, url)
        _, writer = await asyncio.open_connection("127.0.0.1", server.port)
        path = f"/socket.io/?EIO=4&transport=polling&sid={connection}"
        for part in (f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n{head}\r\n\r\n", rest):
            writer.write(part.encode())
            await writer.drain()
            await asyncio.sleep(0.05)
        writer.close()
        await writer.wait_closed()
        async with session.post(f"{url}&sid={connection}", data="9"):
            pass
        await until(lambda: server.connections() == 0)
        assert "orchestrator" not in caplog.text


async def test_a_post_in_many_small_segments_is_read_whole() -> None:
    """A network cuts where it likes; what is posted counts once all of it is there."""
    async with GatewayServer.running() as server, aiohttp.ClientSession(timeout=SOON) as session:
        url = f"http://127.0.0.1:{server.port}/socket.io/?EIO=4&transport=polling"
        connection = await open_poll(session, url)

        async def slowly() -> AsyncIterator[bytes]:
            for character in "40" + json.dumps({"token": server.token()}):
                yield character.encode()
                await asyncio.sleep(0)

        async with session.post(f"{url}&sid={connection}", data=slowly()) as answer:
            assert answer.status == 200
        await until(lambda: server.metrics.count == 1)


class Garbage:
    """Made-up values: what JSON can hold, and what clients get wrong."""

    WORDS = ("id", "botId", "action", "start", "send", "link", "method", "qr", "code", "phone", "to", "text", "token",
             "epoch", "seq", "acks", "resume", "connectionId", "takeover", "userId", "bot_a", "", "\x00", "é", "😀",
             "\ud800", "a" * 70, "+49 151 1234567", "__proto__", "-1", "null")  # fmt: skip

    def __init__(self, seed: int) -> None:
        self._chance = random.Random(seed)

    def value(self, depth: int = 0) -> Any:
        chance = self._chance
        kind = chance.randrange(10 if depth < 4 else 7)
        match kind:
            case 0:
                return None
            case 1:
                return chance.random() < 0.5
            case 2:
                return chance.choice([0, -1, 1, 2**31, 2**63, -(2**70), 10**40])
            case 3:
                return chance.choice([0.5, -0.0, 1e308, float("nan"), float("inf"), 3.0])
            case 4 | 5 | 6:
                return chance.choice(self.WORDS)
            case 7:
                return [self.value(depth + 1) for _ in range(chance.randrange(4))]
            case _:
                return {chance.choice(self.WORDS): self.value(depth + 1) for _ in range(chance.randrange(6))}

    def packet(self) -> str:
        """A Socket.IO packet, sometimes damaged."""
        chance = self._chance
        name = chance.choice(["command", "ack", "resync", "refresh_token", "x", "connect", "disconnect", "message"])
        number = chance.choice(["", "0", "17", "9" * 30, "-1"])
        text = f"{chance.choice('0123456x2222222')}{number}" + json.dumps([name, self.value(), self.value()])
        if chance.random() < 0.3:
            at = chance.randrange(len(text))
            text = (
                text[:at] + chance.choice(["", "\x00", "}", "[", '"', "é", "\x1e"]) + text[at + chance.randrange(3) :]
            )
        return text


def test_made_up_packets_auths_and_commands_are_answered_or_refused() -> None:
    """25,000 of each: never anything but a value or a `Refused`, and no message holds what was sent."""
    garbage, bodies = Garbage(1), Bodies()
    for _ in range(25_000):
        violation(garbage.packet(), gateway_module._socket_data)
        value = garbage.value()
        parse_resume(value)
        parse_token(value)
        for read in (parse_auth, read_command, bodies.message, bodies.link, bodies.phone):
            try:
                read(value)
            except Refused as refused:
                assert "\n" not in refused.message
        command = {"id": "c", "botId": "b", "action": "send", "to": value, "text": garbage.value()}
        try:
            fields = read_command(command).fields
            bodies.message(fields)
        except Refused as refused:
            assert refused.code == "invalid_field"


@pytest.mark.parametrize("seed", range(4))
async def test_made_up_packets_over_a_real_socket_end_it_or_change_nothing(seed: int) -> None:
    """Whatever comes, no bug surfaces, the connection ends in good order or goes on, and the server serves the next."""
    garbage = Garbage(100 + seed)
    async with GatewayServer.running() as server:
        for number in range(40):
            user = f"user{number}"
            async with RawSocket.open(server.port) as raw:
                await raw.connect(token=server.token(user), acks=True)
                await raw.frame("snapshot")
                for _ in range(25):
                    try:
                        await raw.send("4" + garbage.packet())
                    except (ConnectionError, aiohttp.ClientError):
                        break
        await until(lambda: server.metrics.count == 0, what="all sockets to end")
        async with RawSocket.open(server.port) as raw:
            await raw.connect(token=server.token())
            await raw.frame("ready")


async def test_made_up_auths_over_a_real_socket_are_refused() -> None:
    """CONNECT with anything: a refusal with a code of the contract, or the end of the transport."""
    garbage = Garbage(7)
    known = {"unauthorized", "user_mismatch", "token_expired", "too_many_attempts", "already_connected"}
    async with GatewayServer.running() as server:
        for _ in range(150):
            async with RawSocket.open(server.port) as raw:
                value = garbage.value()
                auth = {**value, "token": server.token()} if isinstance(value, dict) else value
                await raw.send("40" + json.dumps(auth))
                try:
                    answer = (await raw.text())[1:]
                except (TypeError, aiohttp.ClientError, aiohttp.WSMessageTypeError):
                    continue
                assert answer[0] in "04", answer
                if answer[0] == "4":
                    assert json.loads(answer[1:])["data"]["code"] in known
        await until(lambda: server.metrics.count == 0)


# --- upgrade ------------------------------------------------------------------------------------------------------


async def test_an_upgrade_in_the_middle_of_a_rush_loses_nothing() -> None:
    """Frames, acknowledgements and a window while the transport changes from polling to WebSocket."""
    async with GatewayServer.running() as server, NodeClient() as node:

        async def rush() -> None:
            for number in range(3000):
                await server.publish("message", {"n": number})
                if number % 5 == 0:
                    await asyncio.sleep(0.001)

        rushing = asyncio.get_running_loop().create_task(rush())
        socket = await a_socket(node, server, acks=True)
        last = socket.of("connection_update", "ready")[0]["data"]["from"]
        while last < 3000:
            await socket.until(lambda last=last: socket.frames[-1].get("seq", 0) > last)  # type: ignore[misc]
            for frame in [frame for frame in socket.of("message_sync") if frame["seq"] > last]:
                assert frame["prev"] == last
                last = frame["seq"]
            socket.emit("ack", {"epoch": frame["epoch"], "seq": last})
        await rushing
        await socket.wait("upgrade")
        assert await socket.transport() == "websocket"


async def test_an_upgrade_that_is_never_finished_does_not_hang_the_user() -> None:
    """The probe is answered and then nothing comes: polling goes on to serve, the newcomer is not in its way."""
    async with GatewayServer.running() as server, aiohttp.ClientSession() as session:
        url = f"http://127.0.0.1:{server.port}/socket.io/?EIO=4&transport=polling"
        connection = await open_poll(session, url)
        posted = "40" + json.dumps({"token": server.token()})
        await (await session.post(f"{url}&sid={connection}", data=posted)).read()
        upgrade = f"http://127.0.0.1:{server.port}/socket.io/?EIO=4&transport=websocket&sid={connection}"
        async with session.ws_connect(upgrade) as websocket:
            await websocket.send_str("2probe")
            assert await websocket.receive_str(timeout=5) == "3probe"
            async with RawSocket.open(server.port) as raw:
                assert (await raw.connect(token=server.token()))[0] == "0"
                await raw.frame("ready")
        await until(lambda: server.connections() == 0, 15.0)
        assert SystemClock().wall_ms() > 0
