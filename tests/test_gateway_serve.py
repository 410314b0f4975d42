"""The socket's commands and window on the whole server, killed and started again."""

from __future__ import annotations

from pathlib import Path

from tests.support.node_client import NodeClient, NodeSocket
from tests.support.server import Server


async def connect(node: NodeClient, server: Server, **auth: object) -> NodeSocket:
    socket = await node.connect(server.url, token=server.token, user="local", auth={"acks": True, **auth})
    await socket.ready()
    return socket


async def test_a_command_is_carried_out_once_also_across_kill_minus_nine(tmp_path: Path) -> None:
    """The client that lost its answer asks again after the server was killed: the same answer, nothing done again."""
    async with Server.running(tmp_path / "data", None, "--driver", "simulated") as server, NodeClient() as node:
        bot = await server.call("POST", "/bots", {"name": "Shop", "start": False})
        socket = await connect(node, server)
        command = {"id": "c1", "botId": bot["id"], "action": "link"}
        answer = await socket.call("command", command)
        assert (answer["ok"], answer["result"]["desired"]) == (True, "running")
        qr = await socket.frame("whatsapp_connection_event", "qr")
        assert qr["data"]["attempt"] == 1
        await socket.call("command", {"id": "c2", "botId": bot["id"], "action": "stop"})
        await server.bot_until(bot["id"], lambda seen: seen["status"] == "stopped")
        position = (await socket.frame("bot_status_update", where=lambda frame: frame["status"] == "stopped"))["seq"]
        epoch = socket.of("connection_update", "ready")[0]["data"]["epoch"]
        await server.kill()
        assert await socket.disconnected() in {"transport close", "transport error"}
        await server.start()
        again = await connect(node, server, resume={"epoch": epoch, "seq": position})
        assert again.of("connection_update", "ready")[0]["data"]["mode"] == "resumed"
        assert await again.call("command", command) == answer
        conflict = await again.call("command", {**command, "action": "start"})
        assert conflict["error"]["code"] == "idempotency_conflict"
        assert (await server.call("GET", f"/bots/{bot['id']}"))["status"] == "stopped"
        refreshed = await again.call("refresh_token", {"token": server.token})
        assert refreshed["ok"] is True
