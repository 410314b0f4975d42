"""One linked device as the server knows it: its keys, its connection, and what waits for it.

Owns the prekey store and the queue of stanzas that stay until the device confirms them; it must never know how a
stanza is built or which iq brought a key. Neighbours to read next: ``phone.py`` (its owner), ``stanzas.py`` (its
connection).
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from tests.loopback.ledger import Kind, Ledger
from tests.loopback.nodes import LID_SERVER, PN_SERVER, Jid, Node
from tests.loopback.signal import PreKeyBundle

if TYPE_CHECKING:
    from tests.loopback.phone import Phone
    from tests.loopback.stanzas import Connection


_QUEUED: dict[str, Kind] = {
    "message": "message_queued", "receipt": "receipt_queued", "notification": "notification_queued",
    "call": "call_queued",
}  # fmt: skip
_SENT: dict[str, Kind] = {
    "message": "message_sent", "receipt": "receipt_sent", "notification": "notification_sent", "call": "call_sent",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class QueueKey:
    """What names a waiting stanza: its tag, its id and, for receipts, its type and (in a group) whose it is."""

    tag: str
    stanza_id: str
    type: str = ""
    participant: str = ""


class LinkedDevice:
    """A companion of an account. Lives from pair-device-sign until it is unlinked; survives its connections."""

    def __init__(self, phone: Phone, number: int, identity: bytes, noise_static: bytes, ledger: Ledger) -> None:
        self.phone = phone
        self.number = number
        self.identity = identity
        self.noise_static = noise_static
        self.lid_jid = Jid(phone.lid, LID_SERVER, number)
        self.pn_jid = Jid(phone.number, PN_SERVER, number)
        self.connection: Connection | None = None
        self.active = False
        """Its <active/> was answered on the present connection: stanzas go out at once."""
        self._ledger = ledger
        self._keys: PreKeyBundle | None = None
        self._one_time: dict[int, bytes] = {}
        self._queue: dict[QueueKey, Node] = {}
        self._keys_stored = asyncio.Event()

    @property
    def address(self) -> str:
        """The name of this device in Signal sessions: its LID address."""
        return str(self.lid_jid)

    @property
    def online(self) -> bool:
        """Whether it is connected and past its login."""
        return self.connection is not None and self.active

    @property
    def waiting(self) -> int:
        """How many stanzas it hasn't confirmed yet."""
        return len(self._queue)

    @property
    def prekeys_left(self) -> int:
        """One-time prekeys nobody was given yet."""
        return len(self._one_time)

    def store_keys(self, signed: PreKeyBundle, one_time: dict[int, bytes]) -> None:
        """Keep what the device uploaded: its signed prekey replaces the former, one-time prekeys are added."""
        self._keys = signed
        self._one_time.update(one_time)
        self._keys_stored.set()

    def take_bundle(self) -> PreKeyBundle | None:
        """Its public keys with a one-time prekey that is given to nobody else (none when used up); None before the
        device has uploaded any."""
        if self._keys is None:
            return None
        if not self._one_time:
            return self._keys
        prekey_id = next(iter(self._one_time))
        return replace(self._keys, prekey_id=prekey_id, prekey=self._one_time.pop(prekey_id))

    async def wait_keys(self, timeout_s: float = 10.0) -> None:
        """Wait until the device has uploaded keys; TimeoutError."""
        await asyncio.wait_for(self._keys_stored.wait(), timeout_s)

    async def wait_online(self, timeout_s: float = 15.0) -> None:
        """Wait until it is logged in and its <active/> is answered; ledger.Timeout."""
        mark = len(self._ledger)
        if not self.online:
            await self._ledger.wait("active", timeout_s, mark, phone=self.phone.number, device=self.number)

    def deliver(self, key: QueueKey, node: Node) -> None:
        """Keep the stanza until it is confirmed, and send it now when the device is online."""
        self._queue[key] = node
        self._record(_QUEUED[key.tag], key)
        if self.connection is not None and self.active:
            self._send(self.connection, key, node, offline=False)

    def confirm(self, tag: str, stanza_id: str, type_: str = "", participant: str = "") -> bool:
        """The device has it: forget it. False when nothing of that name was waiting."""
        return self._queue.pop(QueueKey(tag, stanza_id, type_, participant), None) is not None

    def send_waiting(self) -> int:
        """Send everything unconfirmed, oldest first, marked ``offline``; how many. The device must be connected."""
        assert self.connection is not None
        for index, (key, node) in enumerate(list(self._queue.items())):
            marked = Node(node.tag, {**node.attrs, "offline": str(index)}, node.content)
            self._send(self.connection, key, marked, offline=True)
        return len(self._queue)

    def waiting_of(self, tag: str) -> int:
        """How many unconfirmed stanzas have that tag."""
        return sum(1 for key in self._queue if key.tag == tag)

    def _send(self, connection: Connection, key: QueueKey, node: Node, *, offline: bool) -> None:
        connection.send(node)
        self._record(_SENT[key.tag], key, offline=int(offline))

    def _record(self, kind: Kind, key: QueueKey, **data: int) -> None:
        self._ledger.record(kind, self.phone.number, self.number, id=key.stanza_id, type=key.type, **data)

    def stream_error(self, code: str = "", *, conflict: str = "", close: bool = True) -> None:
        """End its stream with ``<stream:error>``: code (503, 500, 515, 401, any or none), ``conflict`` = ``replaced``
        or ``device_removed``; ``close=False`` leaves the socket open. No effect while it is not connected."""
        if self.connection is not None:
            self.connection.stream_error(code, conflict=conflict, close=close)

    def close(self) -> None:
        """Close its WebSocket in order; no effect while it is not connected."""
        if self.connection is not None:
            self.connection.close()

    def abort(self) -> None:
        """Reset its TCP connection; no effect while it is not connected."""
        if self.connection is not None:
            self.connection.abort()
