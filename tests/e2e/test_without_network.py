"""Without a network the server stays up and says so; when the network appears the QR comes by itself."""

from __future__ import annotations

import socket
import time
from pathlib import Path

from tests.e2e.journeys import connect, create, statuses
from tests.loopback.server import LoopbackServer
from tests.support.node_client import NodeClient
from tests.support.server import Server


async def test_network_appears(server: Server, whatsapp: LoopbackServer, node: NodeClient) -> None:
    """A bot created without a network is `starting`, reason `whatsapp_unreachable`, with `retryAt`; then its QR comes."""
    await whatsapp.stop_listening()
    socket = await connect(node, server)
    bot = await create(server)
    seen = await server.bot_until(bot, lambda seen: seen["retryAt"] and seen["reason"], timeout_s=30)
    assert seen["status"] == "starting"
    assert seen["reason"]["code"] in {"whatsapp_unreachable", "proxy_failed"}
    assert seen["retryAt"] > time.time() * 1000 - 1000
    await whatsapp.start_listening()
    await server.bot_until(bot, lambda seen: seen["status"] == "awaiting_scan", timeout_s=40)
    await socket.frame("whatsapp_connection_event", "qr")
    assert set(statuses(socket, bot)) <= {"stopped", "starting", "awaiting_scan"}
    assert await server.metric("orchestrator_session_crashes_total") == 0


async def test_serve_alone(tmp_path: Path) -> None:
    """With nothing at all where the network should be the server still serves; the real WhatsApp is not asked."""
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))  # bound but not listening: refused at once, and nobody else can take it
        nowhere = f"http://127.0.0.1:{closed.getsockname()[1]}"
        async with Server.running(tmp_path / "data", None, "--proxy", nowhere) as server:
            bot = await create(server)
            seen = await server.bot_until(bot, lambda seen: seen["retryAt"], timeout_s=30)
            assert (seen["status"], seen["reason"]["code"]) == ("starting", "whatsapp_unreachable")
