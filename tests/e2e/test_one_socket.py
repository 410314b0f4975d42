"""One socket per user on the real server: what the three hooks of the story do here."""

from __future__ import annotations

import asyncio

from tests.e2e.journeys import connect, create
from tests.support.node_client import NodeClient, NodeSocket
from tests.support.server import Server


async def test_three_sockets_at_once(server: Server, node: NodeClient) -> None:
    """Three at once: one is ready, two are refused, nothing is replaced."""
    sockets = [await node.connect(server.url, token=server.token, user="local") for _ in range(3)]

    def decided(socket: NodeSocket) -> bool:
        return bool(socket.happened("connect_error") or socket.of("connection_update", "ready"))

    await asyncio.gather(*(socket.until(lambda s=socket: decided(s)) for socket in sockets))  # type: ignore[misc]
    ready = [socket for socket in sockets if socket.of("connection_update", "ready")]
    refused = [socket.happened("connect_error")[0]["data"] for socket in sockets if socket not in ready]
    assert len(ready) == 1
    assert [refusal["code"] for refusal in refused] == ["already_connected"] * 2
    assert await server.metric("orchestrator_socket_replacements_total") == 0
    assert await server.metric("orchestrator_socket_duplicate_users") == 0
    assert await server.metric("orchestrator_sockets") == 1


async def test_takeover_and_resume(server: Server, node: NodeClient) -> None:
    """A takeover closes the old socket for good; the new one's successor proves itself and resumes."""
    old = await connect(node, server)
    new = await connect(node, server, takeover=True)
    assert (await old.closing())["code"] == "taken_over"
    assert await old.disconnected() == "io server disconnect"
    ready = await new.ready()
    resume = {"epoch": ready["epoch"], "seq": ready["head"], "connectionId": ready["connectionId"]}
    successor = await connect(node, server, resume=resume)
    assert (await new.closing())["code"] == "superseded"
    assert (await successor.ready())["mode"] == "resumed"
    assert await server.metric("orchestrator_sockets_taken_over_total") == 1
    assert await server.metric("orchestrator_sockets_superseded_total") == 1


async def test_frozen_predecessor(server: Server, node: NodeClient) -> None:
    """A frozen client's user gets in elsewhere within 3 seconds."""
    await connect(node, server)
    node.freeze()
    async with NodeClient() as other:
        began = asyncio.get_running_loop().time()
        socket = await connect(other, server)
        assert asyncio.get_running_loop().time() - began < 3.0
        bot = await create(server, start=False)
        await socket.until(lambda: [f for f in socket.of("bot_status_update", "created") if f["botId"] == bot])
    node.thaw()
    assert await server.metric("orchestrator_socket_replacements_total") == 0
