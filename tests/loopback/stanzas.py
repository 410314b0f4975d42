"""One client connection from its first frame to its end: handshake, then stanzas handed to the file that answers them.

Owns the order of a connection's life and the sending side; it must never know what an answer says. Neighbours to read
next: ``login.py``, ``pairing.py``, ``iqs.py``, ``messages.py``.
"""

from __future__ import annotations

import asyncio
import itertools
from typing import TYPE_CHECKING, Any

from google.protobuf.message import DecodeError

from tests.loopback import iqs, login, messages, noise, pairing, protobufs
from tests.loopback.ledger import Kind
from tests.loopback.nodes import SERVER, Node, Value, decode, encode

if TYPE_CHECKING:
    from tests.loopback.devices import LinkedDevice
    from tests.loopback.pairing import Pairing
    from tests.loopback.server import LoopbackServer
    from tests.loopback.transport import Wire

FAREWELL_S = 0.2
_stanza_numbers = itertools.count(1)


class Connection:
    """A ``transport.FrameHandler``. ``device`` is set after a login, ``pairing`` while the client is being linked."""

    def __init__(self, server: LoopbackServer) -> None:
        self.server = server
        self.device: LinkedDevice | None = None
        self.pairing: Pairing | None = None
        self.client_static = b""
        self.ended = False
        """We have told this client to go away; what it still sends is not answered."""
        self._wire: Wire | None = None
        self._responder: noise.Responder | None = None
        self._established: noise.Established | None = None

    # transport.FrameHandler

    def opened(self, wire: Wire) -> None:
        self._wire = wire
        self.record("connected")

    def frame(self, payload: bytes) -> None:
        try:
            if self._established is not None:
                self._stanza(decode(self._established.receive.decrypt(payload)))
            elif self._responder is None:
                self._hello(payload)
            else:
                self._finish(payload)
        except (ValueError, DecodeError) as error:
            self.record("dropped", why=type(error).__name__)
            raise ValueError("bytes that make no sense") from error

    def closed(self) -> None:
        device = self.device
        self.record("disconnected")
        if device is not None and device.connection is self:
            device.connection = None
            device.active = False
        if self.pairing is not None:
            pairing.connection_closed(self)

    # the handshake

    def _hello(self, payload: bytes) -> None:
        self._responder = noise.Responder(self.server.authority)
        answer = self._responder.hello(payload)
        if self.server.faults.stall != "noise" and self._wire is not None:
            self._wire.send(answer)

    def _finish(self, payload: bytes) -> None:
        assert self._responder is not None
        established = self._responder.finish(payload)
        client: Any = protobufs.wa6().ClientPayload.FromString(established.client_payload)
        self._established = established
        self.client_static = established.client_static
        if client.HasField("devicePairingData"):
            pairing.begin(self, client)
        else:
            login.begin(self, client)

    # sending

    def send(self, node: Node) -> None:
        """One stanza to the client; dropped when the connection is gone."""
        if self._established is not None and self._wire is not None:
            self._wire.send(self._established.send.encrypt(encode(node)))

    def ask(self, xmlns: str, *children: Node, kind: str = "set", t: bool = False) -> str:
        """An iq from the server; its id, by which the answer is known."""
        stanza_id = self.new_id()
        attrs: dict[str, Value] = {"from": SERVER, "type": kind, "id": stanza_id, "xmlns": xmlns}
        if t:
            attrs["t"] = str(self.server.now_s())
        self.send(Node("iq", attrs, children))
        return stanza_id

    def new_id(self) -> str:
        """An id for a stanza of ours, unique in this process."""
        return f"loopback-{next(_stanza_numbers)}"

    def stream_error(self, code: str = "", *, conflict: str = "", close: bool = True) -> None:
        """``<stream:error>``, and then the end of the connection unless ``close`` is False."""
        attrs: dict[str, Value] = {"code": code} if code else {}
        content = (Node("conflict", {"type": conflict}),) if conflict else None
        self.record("stream_error_sent", code=code, conflict=conflict)
        self.send(Node("stream:error", attrs, content))
        if close:
            self.end_soon()

    def end_soon(self) -> None:
        """Answer nothing more, and close once the client has had time to act on the last stanza: whatsmeow reads and
        handles in different goroutines, so an immediate close can overtake what was said."""
        self.ended = True
        asyncio.get_running_loop().call_later(FAREWELL_S, self.close)

    def close(self) -> None:
        """End the connection in order."""
        if self._wire is not None:
            self._wire.close()

    def abort(self) -> None:
        """Reset the connection."""
        if self._wire is not None:
            self._wire.abort()

    def record(self, kind: Kind, **data: str | int) -> None:
        """Write into the ledger, with the device when it is known."""
        device = self.device
        phone, number = ("", 0) if device is None else (device.phone.number, device.number)
        self.server.ledger.record(kind, phone, number, **data)

    # receiving

    def _stanza(self, node: Node) -> None:
        if self.ended:
            return
        if node.tag == "iq":
            if node.text("type") in ("get", "set"):
                iqs.answer(self, node)
            elif self.pairing is not None:
                pairing.answered(self, node)
        elif self.device is None:
            self.record("stanza", tag=node.tag)
        elif node.tag == "message":
            messages.from_device(self, self.device, node)
        elif node.tag == "receipt":
            messages.receipt_from_device(self, self.device, node)
        elif node.tag == "ack":
            messages.ack_from_device(self.device, node)
        elif node.tag == "presence":
            kind: Kind = "subscribed" if node.text("type") == "subscribe" else "presence"
            self.record(kind, type=node.text("type"), whom=node.text("to"))
        else:
            self.record("stanza", tag=node.tag)
