"""The main job: a bot is linked with the real library and seen live over one socket, texts go both ways."""

from __future__ import annotations

from tests.e2e.journeys import (
    assert_calm,
    assert_gapless,
    connect,
    create,
    durable,
    send_states,
    statuses,
    texts,
    types,
)
from tests.loopback.phone import Phone
from tests.loopback.server import LoopbackServer
from tests.support.node_client import NodeClient, NodeSocket
from tests.support.server import Server


async def test_link_by_qr_and_chat(server: Server, whatsapp: LoopbackServer, node: NodeClient) -> None:
    """Create, scan, connected with no error between; a contact's text arrives; the reply is sent, delivered and read."""
    socket = await connect(node, server)
    bot = await create(server)
    phone = whatsapp.add_account()
    offer = await socket.frame("whatsapp_connection_event", "qr")
    assert (offer["data"]["index"], offer["data"]["of"]) == (1, 6)
    assert "seq" not in offer and offer["data"]["svg"].startswith("<svg")
    await phone.scan(offer["data"]["qr"])
    await _connected(server, socket, whatsapp, phone, bot)
    await _chat(server, socket, whatsapp, phone, bot)
    first = durable(socket)[0]
    assert_gapless(durable(socket), first["prev"])
    assert await server.metric("orchestrator_task_failures_total") == 0
    assert offer["data"]["qr"] not in server.log


async def test_link_by_pairing_code_and_chat(server: Server, whatsapp: LoopbackServer, node: NodeClient) -> None:
    """The same by a pairing code."""
    socket = await connect(node, server)
    bot = await create(server, start=False)
    phone = whatsapp.add_account()
    code = await server.call("POST", f"/bots/{bot}/pairing-code", {"phone": f"+{phone.number}"})
    announced = await socket.frame("whatsapp_connection_event", "pairing_code")
    assert announced["data"]["code"] == code["code"]
    await phone.enter_code(code["code"])
    await _connected(server, socket, whatsapp, phone, bot)
    await _chat(server, socket, whatsapp, phone, bot)
    assert code["code"] not in server.log


async def _connected(server: Server, socket: NodeSocket, whatsapp: LoopbackServer, phone: Phone, bot: str) -> None:
    await socket.frame("whatsapp_connection_event", "whatsapp_connected")
    await whatsapp.ledger.wait("restart_sent", phone=phone.number)
    await socket.until(lambda: statuses(socket, bot)[-1:] == ["connected"], what="status connected")
    assert statuses(socket, bot)[-3:] == ["awaiting_scan", "pairing", "connected"]
    order = [kind for kind in types(socket, bot) if kind in {"pair_success", "whatsapp_connected"}]
    assert order == ["pair_success", "whatsapp_connected"]
    assert_calm(socket, bot)
    seen = await server.call("GET", f"/bots/{bot}")
    assert seen["account"]["phone"] == phone.number and seen["reason"] is None and seen["provedAt"]


async def _chat(server: Server, socket: NodeSocket, whatsapp: LoopbackServer, phone: Phone, bot: str) -> None:
    ada = whatsapp.add_contact(name="Ada")
    for addressing, text in (("lid", "good morning"), ("pn", "are you there?")):
        await ada.send_text(phone, text, addressing=addressing)  # type: ignore[arg-type]
        await socket.until(lambda text=text: text in texts(socket), what=text)  # type: ignore[misc]
    messages = socket.of("message_sync", "message")
    assert {frame["data"]["chat"] for frame in messages} == {str(ada.lid_jid)}, "both addressings are one chat"
    job = await server.call("POST", f"/bots/{bot}/messages", {"to": f"+{ada.number}", "text": "yes"}, status=202)
    received = await ada.wait_text("yes")
    ada.mark_read(received.message_id)
    await socket.until(lambda: send_states(socket, job["id"])[-1:] == ["read"], what="the send to be read")
    assert send_states(socket, job["id"]) == ["queued", "sent", "delivered", "read"]
    assert (await server.call("GET", f"/bots/{bot}/sends/{job['id']}"))["state"] == "read"
    assert "good morning" not in server.log and ada.number not in server.log and phone.number not in server.log
