"""The phone hands its past chats to a bot on the real library: told by a note, stored once, through SIGKILL."""

from __future__ import annotations

import time

from tests.e2e.journeys import connect, linked
from tests.loopback import history
from tests.loopback.history import Past
from tests.loopback.phone import Contact
from tests.loopback.server import LoopbackServer
from tests.support.node_client import Frame, NodeClient, NodeSocket
from tests.support.server import Json, Server


async def test_past_chats(server: Server, whatsapp: LoopbackServer, node: NodeClient) -> None:
    """Inside the notification or as a file: a `history` note on the socket, the messages among live ones by the time they
    were sent, one that came live not doubled; all of it once after SIGKILL, and nothing of it in the log."""
    socket = await connect(node, server)
    bot, phone, device = await linked(server, whatsapp)
    await device.wait_keys()
    ada, bob = whatsapp.add_contact(name="Ada"), whatsapp.add_contact(name="Bob")
    live = await ada.send_text(phone, "live one")
    await socket.until(lambda: socket.of("message_sync", "message"), what="the live message")
    now_s = int(time.time())
    first = [_past(ada, "H1", now_s - 9000), _past(ada, "H2", now_s - 8000, mine=True), _past(ada, live, now_s - 1)]
    history.send(device, history.history(first, kind=history.INITIAL, progress=50), "SYNC1", inline=True)
    await socket.until(lambda: len(_notes(socket)) == 1, what="the first note")
    second = [*first, _past(bob, "H3", now_s - 8500), _past(bob, "OLD", now_s - 100 * 86_400)]
    history.send(device, history.history(second), "SYNC2")
    await socket.until(lambda: len(_notes(socket)) == 2, what="the second note")
    await server.kill()
    frames = _notes(socket)
    assert [frame["data"] for frame in frames] == [
        {"syncType": "initial", "progress": 50, "chunk": 1, "messages": 3, "chats": 1, "leftOut": 0},
        {"syncType": "recent", "progress": 100, "chunk": 1, "messages": 5, "chats": 2, "leftOut": 0},
    ]
    assert all(frame["seq"] and frame["botId"] == bot for frame in frames)
    await server.start()
    await server.bot_until(bot, lambda seen: seen["status"] == "connected")
    history.send(phone.devices[-1], history.history(second), "SYNC3", inline=True)
    last = await ada.send_text(phone, "after all")
    page = await server.poll(lambda: server.call("GET", f"/bots/{bot}/messages"), lambda page: last in _ids(page))
    assert _ids(page) == [last, live, "H2", "H3", "H1"]
    rows = page["messages"]
    texts = {row["data"]["messageId"]: row["data"]["text"] for row in rows}
    assert (texts["H1"], texts[live]) == ("words of H1", "live one")
    mine = next(row["data"] for row in rows if row["data"]["messageId"] == "H2")
    assert (mine["fromMe"], mine["chat"], mine["chatPn"]) == (True, str(ada.lid_jid), str(ada.pn_jid))
    assert _ids(await server.call("GET", f"/bots/{bot}/messages", chat=ada.number)) == [last, live, "H2", "H1"]
    told = (await server.call("GET", "/events", limit=1000))["events"]
    assert [event["data"]["syncType"] for event in told if event["type"] == "history"] == ["initial", "recent"]
    for secret in ("words of", ada.number):
        assert secret not in server.log
    assert await server.metric("orchestrator_task_failures_total") == 0


def _past(chat: Contact, message_id: str, at_s: int, *, mine: bool = False) -> Past:
    return Past(chat, message_id, f"words of {message_id}", at_s, mine)


def _notes(socket: NodeSocket) -> list[Frame]:
    return socket.of("message_sync", "history")


def _ids(page: Json) -> list[str]:
    return [row["data"]["messageId"] for row in page["messages"]]
