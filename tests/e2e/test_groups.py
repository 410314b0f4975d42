"""Groups, calls and presence through REST and the one socket on the real library: what members do is told by its type
and content, what REST is given every member reads."""

from __future__ import annotations

from typing import Any

from tests.e2e.journeys import connect, create, offered, send_states
from tests.loopback import kinds, present
from tests.loopback.groups import Group
from tests.loopback.nodes import Node
from tests.loopback.phone import Contact, Phone
from tests.loopback.server import LoopbackServer
from tests.support.node_client import Frame, NodeClient, NodeSocket
from tests.support.server import Server


async def test_groups_calls_and_presence(server: Server, whatsapp: LoopbackServer, node: NodeClient) -> None:
    """The whole of it with one bot; nothing of it is in the log."""
    socket = await connect(node, server)
    bot = await create(server, presence=True)
    phone = whatsapp.add_account()
    await phone.scan(await offered(server, bot))
    await server.bot_until(bot, lambda seen: seen["status"] == "connected")
    ada, bob = whatsapp.add_contact(name="Ada"), whatsapp.add_contact(name="Bob")
    team = whatsapp.add_group("Rowing team", ada, bob, phone)
    await _named(socket, team, ada)
    await _out(server, socket, bot, team, (ada, bob))
    await _changes(socket, team, ada, bob)
    await _calls(socket, team, ada, phone)
    await _presence(server, socket, team, ada, phone)
    await _restarted(server, socket, bot, team, ada)
    other = await server.call("POST", f"/bots/{bot}/messages?wait=10", {"to": "120363000000000777@g.us", "text": "x"})
    assert (other["state"], other["error"]["code"]) == ("failed", "not_in_group")
    for secret in ("Rowing team", "Crew", "hello all", "We row", ada.number):
        assert secret not in server.log
    assert await server.metric("orchestrator_task_failures_total") == 0


async def _named(socket: NodeSocket, team: Group, ada: Contact) -> None:
    """The first message comes at once; the group's name follows, and goes with every message from then on."""
    first = await team.send(ada, kinds.text("hello all"))
    frame = await _one(socket, "message", lambda data: data["messageId"] == first)
    place = {"chat": str(team.jid), "chatPn": None, "sender": str(ada.lid_jid), "senderPn": str(ada.pn_jid)}
    assert {name: frame["data"][name] for name in place} == place
    assert (frame["data"]["kind"], frame["data"]["text"], frame["data"]["pushName"]) == ("text", "hello all", "Ada")
    told = await _one(socket, "group", lambda data: data["changes"][0]["action"] == "info")
    assert (told["data"]["chatName"], len(told["data"]["changes"][0]["members"])) == ("Rowing team", 3)
    second = await team.send(ada, kinds.reply("again", quoted=first, author=str(ada.lid_jid)))
    data = (await _one(socket, "message", lambda data: data["messageId"] == second))["data"]
    assert (data["chatName"], data["quoted"]) == ("Rowing team", {"messageId": first, "sender": str(ada.lid_jid)})
    reacted = await team.send(ada, kinds.reaction(first, "👍", str(team.jid)))
    data = (await _one(socket, "reaction", lambda data: data["messageId"] == reacted))["data"]
    assert (data["chat"], data["targetId"], data["emoji"]) == (str(team.jid), first, "👍")


async def _out(server: Server, socket: NodeSocket, bot: str, team: Group, members: tuple[Contact, ...]) -> None:
    """Members read what was meant, in the order it was sent; a send is delivered and read with the first member."""
    author = str(members[0].lid_jid)
    forms: list[tuple[dict[str, Any], dict[str, Any]]] = [
        ({"text": "hi"}, {"type": "text", "text": "hi"}),
        ({"text": "yes", "quoted": {"messageId": "3A01", "sender": author}, "mentions": [author]},
         {"type": "text", "text": "yes", "quoted": {"messageId": "3A01", "sender": author}, "mentions": [author]}),
        ({"reaction": {"messageId": "3A01", "emoji": "👍", "sender": author}},
         {"type": "reaction", "message_id": "3A01", "emoji": "👍", "sender": author}),
        ({"edit": {"messageId": "3EB0", "text": "new"}}, {"type": "edit", "message_id": "3EB0", "text": "new"}),
        ({"revoke": {"messageId": "3EB0"}}, {"type": "revoke", "message_id": "3EB0"}),
    ]  # fmt: skip
    for person in members:
        person.auto_receipts = False
    jobs = [
        await server.call("POST", f"/bots/{bot}/messages", {"to": str(team.jid), **form}, status=202)
        for form, _ in forms
    ]
    await socket.until(lambda: send_states(socket, jobs[-1]["id"])[-1:] == ["sent"], what="sent")
    for person in members:
        assert [one.words for one in person.received] == [words for _, words in forms]
    last, first_id = jobs[-1]["id"], members[1].received[-1].message_id
    members[1].mark_read(first_id)
    await socket.until(lambda: send_states(socket, last)[-1:] == ["read"], what="read")
    members[0].mark_read(first_id)

    def receipts() -> list[dict[str, Any]]:
        told = [one["data"] for one in socket.of("message_sync", "receipt")]
        return [data for data in told if first_id in data["messageIds"]]

    await socket.until(lambda: len(receipts()) == 2, what="each member's receipt")
    assert {(one["chat"], one["sender"], one["kind"]) for one in receipts()} == {
        (str(team.jid), str(person.lid_jid), "read") for person in members
    }
    assert send_states(socket, last) == ["queued", "sent", "delivered", "read"]


async def _changes(socket: NodeSocket, team: Group, ada: Contact, bob: Contact) -> None:
    carl = team.server.add_contact(name="Carl")
    names = [str(carl.lid_jid)]
    team.rename(ada, "Crew")
    team.describe(ada, "We row")
    team.add(ada, carl)
    team.promote(ada, carl)
    team.demote(ada, carl)
    team.remove(ada, carl)
    team.leave(bob)
    team.set(ada, "locked")
    team.notify(ada, Node("juggle"))
    expected: list[dict[str, Any]] = [
        {"action": "subject", "subject": "Crew"}, {"action": "description", "description": "We row"},
        {"action": "added", "participants": names, "reason": "invite"}, {"action": "promoted", "participants": names},
        {"action": "demoted", "participants": names}, {"action": "removed", "participants": names},
        {"action": "left", "participants": [str(bob.lid_jid)]}, {"action": "locked", "on": True},
        {"action": "unrecognised", "reason": "juggle"},
    ]  # fmt: skip

    def told() -> list[Frame]:
        return [one for one in socket.of("message_sync", "group") if one["data"]["changes"][0]["action"] != "info"]

    await socket.until(lambda: len(told()) == len(expected), what="every change")
    assert [one["data"]["changes"] for one in told()] == [[change] for change in expected]
    assert {one["data"]["chatName"] for one in told()} == {"Crew"} and all(one["seq"] for one in told())
    renamed = await team.send(ada, kinds.text("new name"))
    data = (await _one(socket, "message", lambda data: data["messageId"] == renamed))["data"]
    assert data["chatName"] == "Crew"


async def _calls(socket: NodeSocket, team: Group, ada: Contact, phone: Phone) -> None:
    missed, taken = present.call(ada, phone), present.call(ada, phone, video=True)
    present.accept(ada, phone, taken)
    present.terminate(ada, phone, missed, "timeout")
    present.terminate(ada, phone, taken)
    there = present.call(ada, phone, video=True, group=team)

    def told(call_id: str) -> list[tuple[Any, ...]]:
        found = [one["data"] for one in socket.of("message_sync", "call") if one["data"]["callId"] == call_id]
        return [(one["state"], one["video"], one["group"], one["chat"], one["sender"]) for one in found]

    person = str(ada.lid_jid)
    await socket.until(lambda: told(there) and len(told(taken)) == 3 and len(told(missed)) == 2, what="all calls")
    assert told(missed) == [("offer", False, False, person, person), ("missed", False, False, person, person)]
    states = [("offer", True), ("accepted_elsewhere", True), ("ended", True)]
    assert told(taken) == [(state, video, False, person, person) for state, video in states]
    assert told(there) == [("offer", True, True, str(team.jid), person)]


async def _restarted(server: Server, socket: NodeSocket, bot: str, team: Group, ada: Contact) -> None:
    """The name outlives the session: nobody is asked again, and stored messages have it."""
    asked = team.server.ledger.count("iq", name="w:g2/query")
    await server.call("POST", f"/bots/{bot}/stop", {}, status=202)
    await server.bot_until(bot, lambda seen: seen["status"] == "stopped")
    meanwhile = await team.send(ada, kinds.text("while you were away"))
    team.rename(ada, "Crew of four")
    await server.call("POST", f"/bots/{bot}/start", {}, status=202)
    await server.bot_until(bot, lambda seen: seen["status"] == "connected")
    data = (await _one(socket, "message", lambda data: data["messageId"] == meanwhile))["data"]
    assert (data["chatName"], data["text"]) == ("Crew", "while you were away")
    await _one(socket, "group", lambda data: data["chatName"] == "Crew of four")
    back = await team.send(ada, kinds.text("welcome back"))
    await _one(socket, "message", lambda data: data["messageId"] == back and data["chatName"] == "Crew of four")
    assert team.server.ledger.count("iq", name="w:g2/query") == asked
    page = await server.call("GET", f"/bots/{bot}/messages?chat={team.jid}&limit=1")
    assert [one["data"]["chatName"] for one in page["messages"]] == ["Crew of four"]


async def _presence(server: Server, socket: NodeSocket, team: Group, ada: Contact, phone: Phone) -> None:
    """Shown as it happens, without a position, and never stored."""
    present.presence(ada, phone, available=True)
    await _one(socket, "presence", lambda data: data["state"] == "available")
    present.chat_state(ada, phone, "composing")
    await _one(socket, "presence", lambda data: data["state"] == "typing")
    present.chat_state(ada, phone, "recording", team)
    frame = await _one(socket, "presence", lambda data: data["state"] == "recording")
    assert (frame["data"]["chat"], frame["data"]["sender"]) == (str(team.jid), str(ada.lid_jid))
    assert "seq" not in frame and frame["data"]["expiresAt"] > frame["at"]
    stored = await server.call("GET", "/events?limit=1000")
    assert {event["type"] for event in stored["events"]} >= {"group", "call"}
    assert "presence" not in {event["type"] for event in stored["events"]}
    present.chat_state(ada, phone, "juggling")  # The library has no name for it: its pump ends, and the bot comes back.
    await socket.until(lambda: len(socket.of("whatsapp_connection_event", "whatsapp_connected")) == 2, what="back")
    after = await team.send(ada, kinds.text("still there?"))
    await _one(socket, "message", lambda data: data["messageId"] == after)


async def _one(socket: NodeSocket, type_: str, wanted: Any) -> Frame:
    def found() -> list[Frame]:
        return [frame for frame in socket.of("message_sync", type_) if wanted(frame["data"])]

    await socket.until(found, what=f"a {type_}")
    (frame,) = found()
    return frame
