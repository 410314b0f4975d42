"""Admission when everybody comes at once: newcomers during a probe, full send buffers, takeover loops, lost proofs."""

from __future__ import annotations

import asyncio

from orchestrator.gateway.admission import AdmissionLimits
from orchestrator.gateway.ports import GatewaySettings
from tests.support.gateway import USER, GatewayServer
from tests.support.node_client import NodeClient, NodeSocket
from tests.support.raw_socket import RawSocket
from tests.support.waiting import stays, until

EAGER: dict[str, object] = {"reconnection": True, "reconnectionDelay": 10, "reconnectionDelayMax": 10}


async def a_socket(node: NodeClient, server: GatewayServer, **auth: object) -> NodeSocket:
    return await node.connect(server.url, token=server.token(), user=USER, auth=auth)


def live(sockets: list[NodeSocket]) -> list[NodeSocket]:
    """The sockets that were told `ready` and have not ended."""
    return [s for s in sockets if s.of("connection_update", "ready") and not s.happened("disconnect")]


async def answered(sockets: list[NodeSocket]) -> None:
    for socket in sockets:
        await socket.until(
            lambda socket=socket: socket.frames or socket.happened("connect_error"),  # type: ignore[misc]
            what="an answer",
        )


async def test_ten_newcomers_during_the_probe_of_a_dead_socket() -> None:
    """One of them is admitted when the probe has failed, nine are refused; none waits longer than the probe."""
    async with GatewayServer.running() as server, NodeClient() as frozen, NodeClient() as node:
        await (await a_socket(frozen, server)).ready()
        frozen.freeze()
        began = asyncio.get_running_loop().time()
        sockets = [await a_socket(node, server) for _ in range(10)]
        await answered(sockets)
        assert asyncio.get_running_loop().time() - began < 3.5
        assert len(live(sockets)) == 1
        refused = [await socket.refused() for socket in sockets if socket not in live(sockets)]
        assert [told["code"] for told in refused] == ["already_connected"] * 9
        await server.publish()
        await live(sockets)[0].frame("message_sync")


async def test_ten_newcomers_during_the_probe_of_a_live_socket() -> None:
    """All are refused, the present one notices nothing, and it was asked once."""
    async with GatewayServer.running() as server, NodeClient() as holder, NodeClient() as node:
        present = await a_socket(holder, server)
        await present.ready()
        sockets = [await a_socket(node, server) for _ in range(10)]
        await answered(sockets)
        assert live(sockets) == []
        assert {(await socket.refused())["code"] for socket in sockets} == {"already_connected"}
        await server.publish()
        await present.frame("message_sync")
        assert not present.happened("disconnect")


async def test_ten_sockets_at_once_when_nobody_is_there() -> None:
    """Exactly one is the user's; the others are refused, never one after the other admitted and thrown out."""
    async with GatewayServer.running() as server, NodeClient() as node:
        sockets = [await a_socket(node, server) for _ in range(10)]
        await answered(sockets)
        assert len(live(sockets)) == 1
        assert server.metrics.refusals == {"already_connected": 9}
        assert not server.metrics.closings


async def test_newcomers_that_give_up_while_they_wait() -> None:
    """The waiting one leaves, the next one probes anew; when the old one is dead at last, somebody is admitted."""
    slow = GatewaySettings(admission=AdmissionLimits(probe_s=1.0))
    async with GatewayServer.running(slow) as server, NodeClient() as frozen, NodeClient() as node:
        await (await a_socket(frozen, server)).ready()
        frozen.freeze()
        for _ in range(3):
            async with NodeClient() as hasty:
                await (await a_socket(hasty, server)).wait("open")
        await (await a_socket(node, server)).ready(timeout_s=5.0)


async def test_a_frozen_predecessor_with_a_full_send_buffer_does_not_block() -> None:
    """Megabytes wait for it and its kernel has taken what it could; the probe's ping is stuck behind them."""
    patient = GatewaySettings(slow_after_s=60.0)
    async with GatewayServer.running(patient) as server, NodeClient() as frozen, NodeClient() as node:
        await (await a_socket(frozen, server)).ready()
        frozen.freeze()
        for _ in range(300):
            await server.publish("message", {"text": "x" * 50_000})
        (wire,) = server.gateway._wires.values()
        await until(lambda: wire.outgoing_bytes > 900_000, what="the buffer to fill")
        new = await a_socket(node, server)
        ready = await new.ready(timeout_s=6.0)
        assert ready["from"] == 300
        assert server.metrics.closings == {"ping_timeout": 1}


async def test_a_successor_of_a_frozen_socket_with_a_full_send_buffer_needs_no_probe() -> None:
    """The connectionId is proof enough; the closing frame of the old one is not waited for."""
    patient = GatewaySettings(slow_after_s=60.0)
    async with GatewayServer.running(patient) as server, NodeClient() as frozen, NodeClient() as node:
        old = await a_socket(frozen, server)
        ready = await old.ready()
        frozen.freeze()
        for _ in range(300):
            await server.publish("message", {"text": "x" * 50_000})
        resume = {"epoch": ready["epoch"], "seq": ready["from"], "connectionId": ready["connectionId"]}
        new = await a_socket(node, server, resume=resume)
        assert (await new.ready(timeout_s=1.5))["mode"] == "resumed"
        await new.until(lambda: len(new.of("message_sync")) == 300)
        assert server.metrics.closings == {"superseded": 1}


async def test_two_pages_that_take_over_for_ever_are_stopped() -> None:
    """After three in a minute the fourth is refused; whoever has the socket then keeps it."""
    async with GatewayServer.running() as server, NodeClient() as node:
        pages = [await a_socket(node, server), await a_socket(node, server, takeover=True)]
        await pages[1].ready()
        auth = {"token": server.token(), "userId": USER, "takeover": True}
        for turn in range(6):
            loser = pages[turn % 2]
            await loser.until(lambda loser=loser: loser.happened("disconnect"), what="to be thrown out")  # type: ignore[misc]
            known = len(loser.happened("connect_error")) + len(loser.happened("connect"))
            loser.reconnect(**auth)
            await loser.until(
                lambda loser=loser, known=known: (  # type: ignore[misc]
                    len(loser.happened("connect_error")) + len(loser.happened("connect")) > known
                )
            )
            if loser.happened("connect_error"):
                break
        assert (await loser.refused())["code"] == "too_many_attempts"
        assert server.metrics.takeovers == 3
        keeper = pages[(turn + 1) % 2]
        await server.publish()
        await keeper.frame("message_sync")


async def test_a_client_that_reconnects_in_a_loop_beside_a_live_one_is_stopped() -> None:
    """A stock client with reconnection does not retry a refusal by itself; one that does is told to wait."""
    async with GatewayServer.running() as server, NodeClient() as node:
        present = await a_socket(node, server)
        await present.ready()
        second = await node.connect(server.url, token=server.token(), user=USER, options=EAGER)
        assert (await second.refused())["code"] == "already_connected"
        await stays(lambda: len(second.happened("connect_error")) == 1, 0.5, "a refused stock client")
        codes: list[str] = []
        for _ in range(25):
            known = len(second.happened("connect_error"))
            second.reconnect(token=server.token(), userId=USER)
            await second.until(lambda known=known: len(second.happened("connect_error")) > known)  # type: ignore[misc]
            codes.append(second.happened("connect_error")[-1]["data"]["code"])
        assert codes.count("already_connected") == 18
        assert codes[18:] == ["too_many_attempts"] * 7
        assert not present.happened("disconnect")


async def test_an_old_proof_is_worth_nothing() -> None:
    """A connectionId proves the successor of that very socket; after it, it is like none at all."""
    async with GatewayServer.running() as server, NodeClient() as node:
        first = await a_socket(node, server)
        old = await first.ready()
        resume = {"epoch": old["epoch"], "seq": 0, "connectionId": old["connectionId"]}
        second = await a_socket(node, server, resume=resume)
        await second.ready()
        third = await a_socket(node, server, resume=resume)
        assert (await third.refused())["code"] == "already_connected"
        assert not second.happened("disconnect")


async def test_a_proof_that_no_text_can_be_is_no_proof() -> None:
    """Lone surrogates and other shapes are refused like a wrong connectionId, not a failure of ours."""
    async with GatewayServer.running() as server, NodeClient() as node:
        await (await a_socket(node, server)).ready()
        for proof in ("\ud800", 5, None, ["x"], "é"):
            async with RawSocket.open(server.port) as raw:
                resume = {"epoch": "e", "seq": 0, "connectionId": proof}
                assert "already_connected" in await raw.connect(token=server.token(), resume=resume)


async def test_a_polling_predecessor_that_stopped_polling_does_not_block() -> None:
    """Between two polls nothing can be asked; within the probe's time it is dead."""
    async with GatewayServer.running() as server, NodeClient() as frozen, NodeClient() as node:
        options: dict[str, object] = {"transports": ["polling"]}
        old = await frozen.connect(server.url, token=server.token(), user=USER, options=options)
        await old.ready()
        frozen.freeze()
        await server.publish()  # answers the poll that was open: now there is none
        await (await a_socket(node, server)).ready(timeout_s=3.5)
