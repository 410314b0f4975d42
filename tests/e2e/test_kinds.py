"""Each kind of message through REST on the real library, decrypted by a contact, and the other way round."""

from __future__ import annotations

from typing import Any

import msgspec

from tests.e2e.journeys import connect, linked, send_states
from tests.loopback import kinds
from tests.loopback.phone import Contact, Phone
from tests.loopback.server import LoopbackServer
from tests.support.kinds import EXAMPLES, VCARD, encode
from tests.support.node_client import Frame, NodeClient, NodeSocket
from tests.support.server import Server

AUTHOR = "4915112345678@s.whatsapp.net"
OUT: list[tuple[dict[str, Any], dict[str, Any]]] = [
    ({"text": "yes", "quoted": {"messageId": "3A01", "sender": AUTHOR}, "mentions": ["+49 151 12345678"]},
     {"type": "text", "text": "yes", "quoted": {"messageId": "3A01", "sender": AUTHOR}, "mentions": [AUTHOR]}),
    ({"reaction": {"messageId": "3A01", "emoji": "👍"}}, {"type": "reaction", "message_id": "3A01", "emoji": "👍"}),
    ({"edit": {"messageId": "3EB0", "text": "new words"}}, {"type": "edit", "message_id": "3EB0", "text": "new words"}),
    ({"revoke": {"messageId": "3EB0"}}, {"type": "revoke", "message_id": "3EB0"}),
    ({"location": {"latitude": 52.5, "longitude": -13.25, "name": "Here"}},
     {"type": "location", "latitude": 52.5, "longitude": -13.25, "name": "Here"}),
    ({"contact": {"name": "Bob", "vcard": VCARD}}, {"type": "contact", "name": "Bob", "vcard": VCARD}),
    ({"poll": {"question": "When?", "options": ["Mon", "Tue"], "selectable": 2}},
     {"type": "poll", "question": "When?", "options": ["Mon", "Tue"], "selectable": 2}),
]  # fmt: skip


async def test_every_kind_both_ways(server: Server, whatsapp: LoopbackServer, node: NodeClient) -> None:
    """What REST is given is what the contact reads, sent, delivered and read; what a contact does is told by its kind
    and content; none of it is in the log."""
    socket = await connect(node, server)
    bot, phone, _ = await linked(server, whatsapp)
    ada = whatsapp.add_contact(name="Ada")
    await _out(server, socket, ada, bot)
    await _in(socket, ada, phone)
    for secret in ("new words", "When?", "Road 1", "the bill", "👍", "BEGIN:VCARD", ada.number):
        assert secret not in server.log
    assert await server.metric("orchestrator_task_failures_total") == 0


async def _out(server: Server, socket: NodeSocket, ada: Contact, bot: str) -> None:
    for form, words in OUT:
        job = await server.call("POST", f"/bots/{bot}/messages", {"to": f"+{ada.number}", **form}, status=202)
        received = await ada.wait_text()
        ada.received.clear()
        assert received.words == words
        await socket.until(lambda job=job: "delivered" in send_states(socket, job["id"]), what="delivered")  # type: ignore[misc]
        ada.received.append(received)
        ada.mark_read(received.message_id)
        ada.received.clear()
        await socket.until(lambda job=job: send_states(socket, job["id"])[-1:] == ["read"], what="read")  # type: ignore[misc]
        assert send_states(socket, job["id"]) == ["queued", "sent", "delivered", "read"]
        sent = await server.call("GET", f"/bots/{bot}/sends/{job['id']}")
        assert (sent["state"], sent["messageId"]) == ("read", received.message_id)


async def _in(socket: NodeSocket, ada: Contact, phone: Phone) -> None:
    for kind, content in EXAMPLES:
        message_id = await ada.send(phone, encode(kind, content))
        data = (await _told(socket, "message", message_id))["data"]
        assert data["kind"] == kind and data["chat"] == str(ada.lid_jid) and data["chatPn"] == str(ada.pn_jid)
        expected = msgspec.json.decode(msgspec.json.encode(content))
        assert {name: data.get(name) for name in expected} == expected
    odd = await ada.send(phone, kinds.message(listMessage={"title": "choose"}))
    assert (await _told(socket, "message", odd))["data"]["kind"] == "unrecognised"
    answer = await ada.send(phone, kinds.reply("yes", quoted="3EB0", author=str(phone.lid_jid), mentions=("55@lid",)))
    data = (await _told(socket, "message", answer))["data"]
    assert (data["kind"], data["text"], data["mentions"]) == ("text", "yes", ["55@lid"])
    assert data["quoted"] == {"messageId": "3EB0", "sender": str(phone.lid_jid)}
    chat = str(phone.lid_jid)
    for type_, content, beside in (
        ("reaction", kinds.reaction(answer, "👍", chat), {"emoji": "👍"}),
        ("edited", kinds.edit(answer, "new words", chat), {"text": "new words"}),
        ("revoked", kinds.revoke(answer, chat), {}),
    ):
        frame = await _told(socket, type_, await ada.send(phone, content))
        place = {"chat": str(ada.lid_jid), "chatPn": str(ada.pn_jid), "sender": str(ada.lid_jid)}
        expected = {**place, "senderPn": str(ada.pn_jid), "fromMe": False, "targetId": answer, **beside}
        assert {name: value for name, value in frame["data"].items() if name not in {"messageId", "at"}} == expected
        assert frame["seq"] and frame["data"]["at"] > 1_600_000_000_000


async def _told(socket: NodeSocket, type_: str, message_id: str) -> Frame:
    def found() -> list[Frame]:
        return [frame for frame in socket.of("message_sync", type_) if frame["data"]["messageId"] == message_id]

    await socket.until(found, what=f"a {type_}")
    (frame,) = found()
    return frame
