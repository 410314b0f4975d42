"""Logins of linked devices: who is let in, who is refused, and what waits for the one who is let in.

Owns the first stanza after the handshake and what follows <active/>; it must never know ciphers or how messages are
made. Facts: whatsmeow connectionevents.go, clientpayload.go. Neighbours to read next: ``devices.py``, ``iqs.py``.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from tests.loopback.faults import LoginFailure
from tests.loopback.nodes import SERVER, Node, Value

if TYPE_CHECKING:
    from tests.loopback.devices import LinkedDevice
    from tests.loopback.stanzas import Connection

UNLINKED = LoginFailure(401, {"location": "loopback"})
DROP_AFTER_S = 0.05
"""A line that breaks in the very moment the handshake ends is missed by the library (0.5.2): nobody listens for its end
yet, and it never dials again. The supervisor's watchdog stands behind that; here the library itself is to try again."""


def begin(connection: Connection, client: Any) -> None:
    """Answer the login of a ClientPayload with username and device."""
    server = connection.server
    phone = server.phones.get(str(client.username))
    device = phone.device(int(client.device)) if phone is not None else None
    failure = server.faults.take_login_failure()
    if device is not None and failure is None:
        failure = device.phone.login_failure
    if server.faults.stall == "drop_login":
        asyncio.get_running_loop().call_later(DROP_AFTER_S, connection.abort)
    elif server.faults.stall == "login":
        connection.record("stanza", tag="login")
    elif failure is not None:
        refuse(connection, failure, phone=str(client.username), device=int(client.device))
    elif device is None or device.noise_static != connection.client_static:
        refuse(connection, UNLINKED, phone=str(client.username), device=int(client.device))
    else:
        _accept(connection, device)


def refuse(connection: Connection, failure: LoginFailure, phone: str = "", device: int = 0) -> None:
    """``<failure>`` and the end of the connection."""
    attrs: dict[str, Value] = {"reason": str(failure.reason), **failure.attrs}
    connection.server.ledger.record("login_refused", phone, device, reason=failure.reason)
    connection.send(Node("failure", attrs))
    connection.end_soon()


def _accept(connection: Connection, device: LinkedDevice) -> None:
    former = device.connection
    device.connection, device.active = connection, False
    connection.device = device
    if former is not None:
        connection.record("replaced")
        former.stream_error(conflict="replaced")
    now = str(connection.server.now_s())
    connection.record("login")
    connection.send(
        Node("success", {"t": now, "lid": device.lid_jid, "creation": now, "location": "loopback", "props": "1"})
    )


def activate(connection: Connection, device: LinkedDevice) -> None:
    """After <active/> is answered: announce, send what waits, say that this was all."""
    device.active = True
    connection.record("active")
    messages, receipts = device.waiting_of("message"), device.waiting_of("receipt")
    counts: dict[str, Value] = {
        "count": str(messages + receipts),
        "message": str(messages),
        "receipt": str(receipts),
        "notification": "0",
        "appdata": "0",
    }
    connection.send(_information(Node("offline_preview", counts)))
    sent = device.send_waiting()
    device.phone.holds.passing("offline", lambda: _all_sent(connection, sent))


def _all_sent(connection: Connection, count: int) -> None:
    connection.record("offline_sent", count=count)
    connection.send(_information(Node("offline", {"count": str(count)})))


def _information(child: Node) -> Node:
    return Node("ib", {"from": SERVER}, (child,))
