"""Questions of clients and our answers, one function per question, found by namespace and first child.

Owns the table of answered iqs; it must never know how a connection logs in or how messages travel. An iq we don't know
gets an empty result, which is harmless everywhere; one that ``Faults.muted_iqs`` names gets no answer at all. Facts:
whatsmeow prekeys.go, user.go, keepalive.go, mediaconn.go. Neighbours to read next: ``directory.py`` (who is who),
``login.py`` (what follows <active/>).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from tests.loopback import directory, login, media_host, pairing
from tests.loopback.nodes import SERVER, Node, Value, first_child
from tests.loopback.signal import PreKeyBundle

if TYPE_CHECKING:
    from tests.loopback.devices import LinkedDevice
    from tests.loopback.stanzas import Connection

Children = tuple[Node, ...]
Handler = Callable[["Connection", Node], Children | None]
"""The children of the result; None, or an ``<error>``, for an error answer."""

_PRIVACY_SETTINGS = ("groupadd", "last", "status", "profile", "readreceipts", "online", "calladd")
_REFUSED = Node("error", {"code": "400", "text": "bad-request"})


def name_of(iq: Node) -> str:
    """How an iq is called in ``muted_iqs`` and in the ledger: ``namespace/first child``."""
    child = first_child(iq)
    return f"{iq.text('xmlns')}/{child.tag if child is not None else ''}"


def answer(connection: Connection, iq: Node) -> None:
    """Answer one get or set, or leave it unanswered when it is muted."""
    name = name_of(iq)
    muted = connection.server.faults.muted_iqs
    if name in muted or "*" in muted:
        connection.record("iq", name=name, answered=0)
        return
    device = connection.device
    if name == "passive/active" and device is not None:
        device.phone.holds.passing("active", lambda: _let_in(connection, device, iq))
    else:
        _answer(connection, iq, name)


def _let_in(connection: Connection, device: LinkedDevice, iq: Node) -> None:
    """Answer <active/>; a device that has left meanwhile asks again when it is back."""
    if device.connection is connection:
        _answer(connection, iq, name_of(iq))
        login.activate(connection, device)


def _answer(connection: Connection, iq: Node, name: str) -> None:
    handler = _HANDLERS.get(name)
    children: Children | None = () if handler is None else handler(connection, iq)
    attrs: dict[str, Value] = {"from": SERVER, "type": "result", "id": iq.text("id")}
    if children is None:
        children = (_REFUSED,)
    if children and children[0].tag == "error":
        attrs["type"] = "error"
    connection.record("iq", name=name, answered=1)
    connection.send(Node("iq", attrs, children or None))


def _count_prekeys(connection: Connection, iq: Node) -> Children | None:
    left = connection.device.prekeys_left if connection.device is not None else 0
    return (Node("count", {"value": str(left)}),)


def _store_prekeys(connection: Connection, iq: Node) -> Children | None:
    device = connection.device
    signed, listed, registration = iq.child("skey"), iq.child("list"), iq.child_data("registration")
    if device is None or signed is None or listed is None:
        return None
    bundle = PreKeyBundle(
        registration_id=int.from_bytes(registration, "big"),
        identity=iq.child_data("identity"),
        signed_prekey_id=int.from_bytes(signed.child_data("id"), "big"),
        signed_prekey=signed.child_data("value"),
        signature=signed.child_data("signature"),
    )
    if bundle.identity != device.identity or not bundle.verify():
        return None
    one_time = {int.from_bytes(key.child_data("id"), "big"): key.child_data("value") for key in listed.children}
    device.store_keys(bundle, one_time)
    connection.record("prekeys_stored", count=len(one_time))
    return ()


def _hand_out_prekeys(connection: Connection, iq: Node) -> Children | None:
    wanted = iq.child("key") or Node("key")
    users = [directory.bundle_node(connection.server, user.jid("jid")) for user in wanted.children]
    return (Node("list", {}, tuple(users)),)


def _usync(connection: Connection, iq: Node) -> Children | None:
    request = iq.child("usync")
    query = request.child("query") if request is not None else None
    listed = request.child("list") if request is not None else None
    if request is None or query is None or listed is None:
        return None
    asked = [part.tag for part in query.children]
    users = [directory.usync_node(connection.server, user, asked) for user in listed.children]
    attrs: dict[str, Value] = {name: request.text(name) for name in ("context", "mode", "sid")}
    attrs.update(index="0", last="true")
    return (Node("usync", attrs, (Node("list", {}, tuple(users)),)),)


def _privacy(connection: Connection, iq: Node) -> Children | None:
    categories = [Node("category", {"name": name, "value": "all"}) for name in _PRIVACY_SETTINGS]
    return (Node("privacy", {}, tuple(categories)),)


def _app_state(connection: Connection, iq: Node) -> Children | None:
    sync = iq.child("sync") or Node("sync")
    collections = [Node("collection", {"name": part.text("name")}) for part in sync.children]
    return (Node("sync", {}, tuple(collections)),)


def _media_connection(connection: Connection, iq: Node) -> Children | None:
    attrs: dict[str, Value] = {"auth": media_host.AUTH, "ttl": "3600", "auth_ttl": "3600", "max_buckets": "12"}
    return (Node("media_conn", attrs, tuple(Node("host", {"hostname": host}) for host in media_host.HOSTS)),)


def _group(connection: Connection, iq: Node) -> Children | None:
    group = connection.server.groups.get(iq.text("to"))
    if group is None:
        return (Node("error", {"code": "404", "text": "item-not-found"}),)
    if connection.device is None or connection.device.phone not in group:
        return (Node("error", {"code": "403", "text": "forbidden"}),)
    return (group.node(),)


def _groups(connection: Connection, iq: Node) -> Children | None:
    device = connection.device
    found = [group.node() for group in connection.server.groups.values() if device and device.phone in group]
    return (Node("groups", {}, tuple(found)),)


def _remove_companion(connection: Connection, iq: Node) -> Children | None:
    device = connection.device
    if device is None:
        return None
    connection.record("logout")
    device.phone.forget(device)
    return ()


_HANDLERS: dict[str, Handler] = {
    "encrypt/count": _count_prekeys,
    "encrypt/registration": _store_prekeys,
    "encrypt/key": _hand_out_prekeys,
    "usync/usync": _usync,
    "privacy/privacy": _privacy,
    "w:sync:app:state/sync": _app_state,
    "w:m/media_conn": _media_connection,
    "w:g2/query": _group,
    "w:g2/participating": _groups,
    "md/remove-companion-device": _remove_companion,
    "md/link_code_companion_reg": pairing.link_code_request,
}
