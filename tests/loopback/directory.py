"""What the server tells about people: which devices they have, their LID, whether they exist, their prekeys. Pure reads.

Owns the answers to usync and prekey queries (apart from handing a one-time prekey out, which uses it up); it must never
know connections. Facts: whatsmeow user.go, prekeys.go; ``lid`` is mandatory, without it a send fails before anything
is sent. Neighbours to read next: ``phone.py``, ``devices.py``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.loopback.nodes import Jid, Node, Value
from tests.loopback.phone import Phone
from tests.loopback.signal import PreKeyBundle

if TYPE_CHECKING:
    from tests.loopback.phone import Contact
    from tests.loopback.server import LoopbackServer

_KEY_TYPE = b"\x05"


def usync_node(server: LoopbackServer, user: Node, asked: list[str]) -> Node:
    """The ``<user>`` that answers one of a usync list: addressed by jid, or by a number in ``<contact>``."""
    jid = user.jid("jid")
    typed = user.child("contact")
    # whatsmeow asks for "+49…@c.us" (user.go IsOnWhatsApp), other clients for "+49…".
    number = typed.data.decode(errors="replace").partition("@")[0].removeprefix("+") if typed is not None else ""
    person = server.person(jid) if jid is not None else server.person_by_number(number)
    address: Value = jid.person if jid is not None else (person.pn_jid if person is not None else Jid(number, "c.us"))
    children = [_usync_part(person, part, typed) for part in asked]
    return Node("user", {"jid": address}, tuple([child for child in children if child is not None]))


def _usync_part(person: Contact | None, part: str, typed: Node | None) -> Node | None:
    if part == "contact":
        return Node("contact", {"type": "in" if person is not None else "out"}, typed.data if typed else b"")
    if part == "lid" and person is not None:
        return Node("lid", {"val": person.lid_jid})
    if part == "devices" and person is not None:
        return Node("devices", {}, (Node("device-list", {}, _devices(person)),))
    if part == "status":
        return Node("status", {}, b"")
    return None


def _devices(person: Contact) -> tuple[Node, ...]:
    numbers = [device.number for device in person.devices] if isinstance(person, Phone) else []
    return (
        Node("device", {"id": "0"}),
        *[Node("device", {"id": str(number), "key-index": str(number)}) for number in numbers],
    )


def bundle_node(server: LoopbackServer, jid: Jid | None) -> Node:
    """The ``<user>`` with one device's prekey bundle, or with error 404 when there is no such device."""
    if jid is None:
        return Node("user", {}, (Node("error", {"code": "400", "text": "bad-request"}),))
    bundle = _take_bundle(server, jid)
    if bundle is None:
        return Node("user", {"jid": jid}, (Node("error", {"code": "404", "text": "item-not-found"}),))
    signed = (
        Node("id", {}, bundle.signed_prekey_id.to_bytes(3, "big")),
        Node("value", {}, bundle.signed_prekey),
        Node("signature", {}, bundle.signature),
    )
    children = [
        Node("registration", {}, bundle.registration_id.to_bytes(4, "big")),
        Node("type", {}, _KEY_TYPE),
        Node("identity", {}, bundle.identity),
        Node("skey", {}, signed),
    ]
    if bundle.prekey_id is not None and bundle.prekey is not None:
        one_time = (Node("id", {}, bundle.prekey_id.to_bytes(3, "big")), Node("value", {}, bundle.prekey))
        children.append(Node("key", {}, one_time))
    return Node("user", {"jid": jid}, tuple(children))


def _take_bundle(server: LoopbackServer, jid: Jid) -> PreKeyBundle | None:
    person = server.person(jid)
    if person is None:
        return None
    if jid.device == 0:
        return person.signal.bundle()
    device = person.device(jid.device) if isinstance(person, Phone) else None
    return device.take_bundle() if device is not None else None
