"""What people do beside writing: being there, typing, recording, calling. Told to linked devices as it happens.

Owns the stanzas of presence, chat state and calls; it must never know messages. Presence and chat states reach only
who is online and are never kept; what happens to a call waits like a message. Facts: whatsmeow presence.go, call.go.
Neighbour to read next: ``phone.py``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from tests.loopback.devices import QueueKey
from tests.loopback.nodes import Jid, Node, Value
from tests.loopback.phone import new_message_id

if TYPE_CHECKING:
    from tests.loopback.groups import Group
    from tests.loopback.phone import Contact, Phone

ChatState = Literal["composing", "recording", "paused"]


def presence(person: Contact, to: Phone, *, available: bool, last: str = "") -> None:
    """Tell an account's devices that somebody is there, or (``last``: since when, in seconds) is not."""
    attrs: dict[str, Value] = {"from": person.lid_jid}
    if not available:
        attrs["type"] = "unavailable"
    if last:
        attrs["last"] = last
    _tell(to, Node("presence", attrs))


def chat_state(person: Contact, to: Phone, state: str, group: Group | None = None) -> None:
    """Tell an account's devices that somebody types, records or has stopped; any other state is sent as it is."""
    attrs: dict[str, Value] = {"from": person.lid_jid}
    if group is not None:
        attrs = {"from": group.jid, "participant": person.lid_jid, "addressing_mode": "lid"}
    child = Node("composing", {"media": "audio"}) if state == "recording" else Node(state)
    _tell(to, Node("chatstate", attrs, (child,)))


def call(person: Contact, to: Phone, *, video: bool = False, group: Group | None = None, call_id: str = "") -> str:
    """Call an account: alone, or a whole group. Returns the call's id."""
    call_id = call_id or new_message_id()
    media = "video" if video else "audio"
    attrs: dict[str, Value] = {"call-id": call_id, "call-creator": person.lid_jid, "caller_pn": person.pn_jid}
    if group is None:
        _call(person, to, Node("offer", attrs, (Node("audio"), *((Node("video"),) if video else ()))))
    else:
        attrs.update({"group-jid": group.jid, "type": "group", "media": media})
        _call(person, to, Node("offer_notice", attrs))
    return call_id


def accept(person: Contact, to: Phone, call_id: str) -> None:
    """The account's phone takes the call of ``person``."""
    _call(to, to, Node("accept", {"call-id": call_id, "call-creator": person.lid_jid}))


def terminate(person: Contact, to: Phone, call_id: str, reason: str = "") -> None:
    """The call is over: somebody hung up, or nobody answered (``timeout``)."""
    attrs: dict[str, Value] = {"call-id": call_id, "call-creator": person.lid_jid}
    if reason:
        attrs["reason"] = reason
    _call(person, to, Node("terminate", attrs))


def odd_call(person: Contact, to: Phone) -> None:
    """Something about a call that no client has a name for."""
    _call(person, to, Node("juggle", {"call-id": "1", "call-creator": person.lid_jid}))


def _call(person: Contact, to: Phone, part: Node) -> None:
    now = str(to.server.now_s())
    for device in to.devices:
        stanza_id = new_message_id()
        sender: Jid = person.lid_jid
        attrs: dict[str, Value] = {"from": sender, "id": stanza_id, "t": now, "platform": "android", "version": "2.24"}
        device.deliver(QueueKey("call", stanza_id), Node("call", attrs, (part,)))


def _tell(to: Phone, node: Node) -> None:
    for device in to.devices:
        if device.connection is not None and device.active:
            device.connection.send(node)
