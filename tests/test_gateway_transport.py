"""Who is let in at all, over which transport, and how connections end: tokens, origins, limits, drain, secrets."""

from __future__ import annotations

import asyncio
import json
import logging

import aiohttp
import pytest
import structlog.testing

from orchestrator.errors import Refused
from orchestrator.gateway.ports import GatewaySettings
from orchestrator.model import Principal
from tests.support.gateway import USER, GatewayServer
from tests.support.node_client import NodeClient, NodeSocket
from tests.support.raw_socket import RawSocket
from tests.support.waiting import until


async def a_socket(node: NodeClient, server: GatewayServer, **auth: object) -> NodeSocket:
    return await node.connect(server.url, token=server.token(), user=USER, auth=auth)


# --- transports ---------------------------------------------------------------------------------------------------


async def test_stock_clients_begin_with_polling_and_upgrade() -> None:
    """The contract's options name no transport: the client polls first, then moves to WebSocket, losing nothing."""
    async with GatewayServer.running() as server, NodeClient() as node:
        socket = await a_socket(node, server)
        assert (await socket.wait("open"))["transport"] == "polling"
        await socket.ready()
        await socket.wait("upgrade")
        assert await socket.transport() == "websocket"
        await server.publish()
        await socket.frame("message_sync")


@pytest.mark.parametrize("transport", ["polling", "websocket"])
async def test_each_transport_works_alone(transport: str) -> None:
    """Also polling, behind proxies that break WebSocket: frames, acknowledgements, closing."""
    async with GatewayServer.running() as server, NodeClient() as node:
        options: dict[str, object] = {"transports": [transport]}
        socket = await node.connect(server.url, token=server.token(), user=USER, options=options)
        await socket.ready()
        for number in range(50):
            await server.publish("message", {"n": number})
        await socket.until(lambda: len(socket.of("message_sync")) == 50)
        assert [frame["seq"] for frame in socket.of("message_sync")] == list(range(1, 51))
        assert (await socket.call("command", {"id": "c1", "action": "start"}))["ok"] is False
        assert await socket.transport() == transport
        taking = await node.connect(
            server.url, token=server.token(), user=USER, auth={"takeover": True}, options=options
        )
        await taking.ready()
        assert (await socket.closing())["code"] == "taken_over"
        assert await socket.disconnected() == "io server disconnect"


async def test_compression_is_refused() -> None:
    """A client that offers permessage-deflate gets none: it costs memory and can leak secrets."""
    async with GatewayServer.running() as server, RawSocket.open(server.port) as raw:
        assert raw.compression == 0


async def test_polling_answers_are_not_stored_by_anyone() -> None:
    """They may hold QR codes."""
    async with GatewayServer.running() as server, aiohttp.ClientSession() as session:
        url = f"http://127.0.0.1:{server.port}/socket.io/?EIO=4&transport=polling"
        async with session.get(url) as answer:
            assert (answer.status, answer.headers["Cache-Control"]) == (200, "no-store")


# --- tokens -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("token", "user", "code"),
    [
        ("nonsense", USER, "unauthorized"),
        ("", USER, "unauthorized"),
        ("expired", USER, "token_expired"),
        ("valid", "somebody-else", "user_mismatch"),
    ],
)
async def test_a_wrong_token_is_refused_with_its_code(token: str, user: str, code: str) -> None:
    """`connect_error` with `err.data`; not retryable; nothing of the token in it."""
    async with GatewayServer.running() as server, NodeClient() as node:
        real = {"expired": server.token(ttl_s=-1), "valid": server.token()}.get(token, token)
        socket = await node.connect(server.url, token=real, user=user)
        told = await socket.refused()
        assert (told["code"], told["retryable"]) == (code, False)
        assert told["message"] == socket.happened("connect_error")[0]["message"]
        assert server.metrics.refusals == {code: 1}
        assert not socket.happened("connect")


class HangingTokens:
    """A sign-in service that does not answer."""

    async def verify(self, token: str) -> Principal:
        await asyncio.Event().wait()
        raise Refused("unauthorized")


async def test_a_sign_in_service_that_hangs_is_a_retryable_refusal() -> None:
    """`auth_unavailable`: an outage is not a bad token."""
    quick = GatewaySettings(verify_timeout_s=0.1)
    async with GatewayServer.running(quick, tokens=HangingTokens()) as server, NodeClient() as node:
        told = await (await a_socket(node, server)).refused()
        assert (told["code"], told["retryable"]) == ("auth_unavailable", True)
        assert told["retryAfterMs"] > 0


async def test_identity_is_the_tokens() -> None:
    """A client that sends no `userId` is the token's user all the same."""
    async with GatewayServer.running() as server, RawSocket.open(server.port) as raw:
        assert (await raw.connect(token=server.token("bob"))).startswith('0{"sid"')
        await raw.frame("ready")


async def test_clients_that_can_refresh_end_with_their_token() -> None:
    """`acks: true`: closed `token_expired` some time after the token's end; it is final."""
    quick = GatewaySettings(token_grace_s=0.2)
    async with GatewayServer.running(quick) as server, NodeClient() as node:
        socket = await node.connect(server.url, token=server.token(ttl_s=3), user=USER, auth={"acks": True})
        await socket.ready()
        told = await socket.closing()
        assert (told["code"], told["retryable"]) == ("token_expired", False)
        assert await socket.disconnected() == "io server disconnect"


async def test_other_clients_end_at_their_greatest_age_and_may_come_back() -> None:
    """SOCKET_MAX_AGE: the transport is closed, so a stock client with reconnection returns by itself."""
    quick = GatewaySettings(socket_max_age_s=0.3)
    async with GatewayServer.running(quick) as server, NodeClient() as node:
        options: dict[str, object] = {"reconnection": True, "reconnectionDelay": 10}
        socket = await node.connect(server.url, token=server.token(ttl_s=60), user=USER, options=options)
        first = await socket.ready()
        told = await socket.closing()
        assert (told["code"], told["retryable"]) == ("max_age", True)
        assert await socket.disconnected() == "transport close"
        again = await socket.ready(count=2)
        assert again["connectionId"] != first["connectionId"]


# --- connections that are nobody's ----------------------------------------------------------------------------------


async def test_a_refused_connection_is_closed_soon() -> None:
    """After 1 s, also when the client stays; in that time it may try again on the same transport."""
    quick = GatewaySettings(refused_linger_s=0.2)
    async with GatewayServer.running(quick) as server:
        async with RawSocket.open(server.port) as raw:
            assert (await raw.connect(token="no")).startswith("4{")
            assert await raw.ended(5.0) > 0.15
        async with RawSocket.open(server.port) as raw:
            assert (await raw.connect(token="no")).startswith("4{")
            assert (await raw.connect(token=server.token())).startswith("0{")
            await raw.frame("ready")
            await asyncio.wait_for(raw.frame("snapshot"), 1.0)
            await server.publish()
            await raw.frame("message")


async def test_a_session_that_was_ended_leaves_no_transport_behind() -> None:
    """A client that disconnects its session and keeps the transport open is closed like a refused one."""
    quick = GatewaySettings(refused_linger_s=0.2)
    async with GatewayServer.running(quick) as server, RawSocket.open(server.port) as raw:
        await raw.connect(token=server.token())
        await raw.frame("snapshot")
        await raw.send("41")
        await raw.ended(2.0)
        assert server.metrics.closings == {"client_disconnect": 1}


async def test_a_newcomer_that_goes_while_it_waits_leaves_nothing_behind() -> None:
    """It polls, asks to connect, breaks off during the probe; the dead predecessor is gone and nobody is in the way."""
    async with GatewayServer.running() as server, NodeClient() as frozen, NodeClient() as node:
        await (await a_socket(frozen, server)).ready()
        frozen.freeze()
        url = f"http://127.0.0.1:{server.port}/socket.io/?EIO=4&transport=polling"
        async with aiohttp.ClientSession() as session:
            async with session.get(url) as answer:
                connection = (await answer.text()).split('"sid":"')[1].split('"')[0]
            post = asyncio.get_running_loop().create_task(
                session.post(f"{url}&sid={connection}", data="40" + json.dumps({"token": server.token()}))
            )
            await until(lambda: server.connections() == 2)
            async with session.post(f"{url}&sid={connection}", data="42{broken"):
                pass
            await post
        await until(lambda: server.connections() == 0, what="both to be forgotten")
        assert server.metrics.count == 0
        await (await a_socket(node, server)).ready(timeout_s=1.5)


async def test_a_silent_connection_is_closed() -> None:
    """After 10 s without CONNECT, over either transport."""
    quick = GatewaySettings(silent_linger_s=0.2)
    async with GatewayServer.running(quick) as server:
        async with RawSocket.open(server.port) as raw:
            assert await raw.ended(5.0) > 0.15
        url = f"http://127.0.0.1:{server.port}/socket.io/?EIO=4&transport=polling"
        async with aiohttp.ClientSession() as session:
            async with session.get(url) as answer:
                connection = (await answer.text()).split('"sid":"')[1].split('"')[0]
            async with session.get(f"{url}&sid={connection}") as answer:
                assert (await answer.text()) in {"1", ""}  # CLOSE, when the poll came before the end
            await until(lambda: not server.connections(), what="the connection to be forgotten")


# --- origins --------------------------------------------------------------------------------------------------------


async def test_a_foreign_page_is_refused_with_one_line_that_names_it() -> None:
    """Over polling and WebSocket; the line names the origin and the setting, once."""
    async with GatewayServer.running() as server, NodeClient() as node:
        with structlog.testing.capture_logs() as lines:
            for transport in ("polling", "websocket"):
                options: dict[str, object] = {
                    "transports": [transport],
                    "extraHeaders": {"Origin": "http://evil.example"},
                }
                socket = await node.connect(server.url, token=server.token(), user=USER, options=options)
                error = await socket.wait("connect_error")
                assert error["data"] is None
        refused = [line for line in lines if line["event"] == "Origin refused"]
        assert len(refused) == 1
        assert refused[0]["origin"] == "http://evil.example"
        assert refused[0]["setting"] == "ORCHESTRATOR_CORS_ORIGINS"


async def test_a_page_on_another_loopback_port_is_welcome() -> None:
    """While HOST is a loopback address; the answer carries the CORS header browsers want."""
    async with GatewayServer.running() as server, aiohttp.ClientSession() as session:
        url = f"http://127.0.0.1:{server.port}/socket.io/?EIO=4&transport=polling"
        async with session.get(url, headers={"Origin": "http://localhost:5173"}) as answer:
            assert answer.status == 200
            assert answer.headers["Access-Control-Allow-Origin"] == "http://localhost:5173"
            assert "Access-Control-Allow-Credentials" not in answer.headers


# --- limits ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "packet",
    [
        '42["x","' + "y" * (65 * 1024) + '"]',
        b"\x01\x02",
        '451-["x",{"_placeholder":true,"num":0}]',
        '42["disconnect","client disconnect"]',
        '42["connect",{}]',
        "42{broken",
    ],
)
async def test_a_broken_message_ends_the_socket_for_good(packet: str | bytes) -> None:
    """`closing` `protocol_error`, then a Socket.IO disconnect; no handler sees the message."""
    async with GatewayServer.running() as server, RawSocket.open(server.port) as raw:
        await raw.connect(token=server.token())
        await raw.frame("ready")
        await raw.send(packet)
        told = (await raw.frame("closing"))["data"]
        assert (told["code"], told["retryable"]) == ("protocol_error", False)
        assert await raw.text() == "41"
        await raw.ended()
        await until(lambda: server.metrics.closings == {"protocol_error": 1})


@pytest.mark.parametrize("packet", ["x", "4" + "[" * 50_000, "y" * 200_000])
async def test_an_unreadable_packet_ends_the_transport_and_frees_the_user(packet: str) -> None:
    """Below Socket.IO there is nobody to tell; the next connection is admitted without a probe."""
    async with GatewayServer.running() as server:
        async with RawSocket.open(server.port) as raw:
            await raw.connect(token=server.token())
            await raw.frame("snapshot")
            await raw.send(packet)
            await raw.ended()
        await until(lambda: server.metrics.count == 0, what="the socket to be forgotten")
        async with RawSocket.open(server.port) as raw:
            await raw.connect(token=server.token())
            await raw.frame("ready")


async def test_events_this_version_does_not_know_are_ignored() -> None:
    """Older and newer clients stay connected; the closing line counts what was ignored."""
    async with GatewayServer.running() as server, NodeClient() as node:
        with structlog.testing.capture_logs() as lines:
            socket = await a_socket(node, server)
            await socket.ready()
            for number in range(100):
                socket.emit("ack", {"epoch": "e", "seq": number})
            socket.emit("from_the_future")
            told = await socket.call("command", {"id": "1", "action": "start"})
            assert told["error"]["code"] == "invalid_field"
            socket.disconnect()
            await until(lambda: server.metrics.count == 0)
        (closed,) = [line for line in lines if line["event"] == "Unified WebSocket closed"]
        assert (closed["code"], closed["ignoredEvents"]) == ("client_disconnect", 101)


async def test_a_flood_of_commands_ends_the_socket() -> None:
    """More than 30 in 10 s."""
    async with GatewayServer.running() as server, NodeClient() as node:
        socket = await a_socket(node, server)
        await socket.ready()
        for number in range(31):
            socket.emit("command", {"id": str(number), "action": "start"})
        told = await socket.closing()
        assert (told["code"], told["retryable"]) == ("flood", False)
        assert await socket.disconnected() == "io server disconnect"


# --- ends -----------------------------------------------------------------------------------------------------------


async def test_a_server_that_ends_tells_everybody_and_refuses_newcomers() -> None:
    """`server_draining`: closing frames arrive, transports are closed, a newcomer is told to come back."""
    async with GatewayServer.running() as server, NodeClient() as node:
        ada = await a_socket(node, server)
        bob = await node.connect(server.url, token=server.token("bob"), user="bob", options={"transports": ["polling"]})
        await ada.ready()
        await bob.ready()
        await server.gateway.drain()
        for socket in (ada, bob):
            told = await socket.closing()
            assert (told["code"], told["retryable"], told["retryAfterMs"]) == ("server_draining", True, 1000)
            assert await socket.disconnected() == "transport close"
        late = await a_socket(node, server)
        told = await late.refused()
        assert (told["code"], told["retryable"]) == ("server_draining", True)


async def test_draining_does_not_wait_for_a_frozen_client() -> None:
    """The whole end of the server has 10 s; the gateway needs a third of it at most."""
    async with GatewayServer.running() as server, NodeClient() as node:
        await (await a_socket(node, server)).ready()
        node.freeze()
        async with asyncio.timeout(3.5):
            await server.gateway.drain()


async def test_a_client_that_leaves_makes_room_at_once() -> None:
    """`client_disconnect` is counted and the next connection is admitted without a probe."""
    async with GatewayServer.running() as server, NodeClient() as node:
        first = await a_socket(node, server)
        await first.ready()
        first.disconnect()
        await until(lambda: server.metrics.count == 0)
        await (await a_socket(node, server)).ready()
        assert server.metrics.closings == {"client_disconnect": 1}


async def test_a_healthy_day_is_two_lines_and_no_line_holds_a_secret(
    caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    """Neither the token nor what clients send is in any log, also at debug, also of the libraries, also on errors."""
    caplog.set_level(logging.DEBUG)
    canary = "canary4711"
    async with GatewayServer.running() as server, NodeClient() as node:
        token = server.token()
        with structlog.testing.capture_logs() as lines:
            socket = await a_socket(node, server)
            await socket.ready()
            await socket.call("command", {"id": "1", "action": canary})
            socket.emit("resync", {"epoch": canary, "seq": 1})
            await socket.frame("connection_update", "snapshot", count=2)
            socket.disconnect()
            await until(lambda: server.metrics.count == 0)
        assert [line["event"] for line in lines] == ["Unified WebSocket connected", "Unified WebSocket closed"]
        assert {line["userId"] for line in lines} == {USER}
        assert len({line["socketId"] for line in lines}) == 1
        with structlog.testing.capture_logs() as more:
            bad = await node.connect(server.url, token=f"eyJ.{canary}.x", user=canary)
            assert canary not in str(await bad.refused())
            async with RawSocket.open(server.port) as raw:
                await raw.connect(token=server.token())
                await raw.send(f'42["{canary}",{{')
                assert canary not in str(await raw.frame("closing"))
        said = f"{lines}{more}{caplog.text}{''.join(capfd.readouterr())}"
        assert canary not in said
        assert token not in said
        assert token.split(".")[2] not in said
