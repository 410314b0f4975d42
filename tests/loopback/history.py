"""Past chats as an account's phone hands them to a device after linking: a blob on a media host, or inside the message.

Owns the history-sync message of the phone and what is in it; it must never know what a device makes of it. Facts:
whatsmeow message.go (handleHistorySyncNotification), download.go. A device tells its phone that it has taken one by a
receipt of type ``hist_sync``. Neighbours to read next: ``media.py``, ``media_host.py``, ``phone.py``.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tests.loopback import protobufs
from tests.loopback.devices import LinkedDevice, QueueKey
from tests.loopback.media import MMS, seal
from tests.loopback.nodes import Node, Value

if TYPE_CHECKING:
    from tests.loopback.phone import Contact

INITIAL, RECENT = 0, 3
"""Kinds of history (waE2E.HistorySyncType): what a phone sends right after linking, and what follows."""
_NOTIFICATION = 5


@dataclass(frozen=True, slots=True)
class Past:
    """A text of an earlier time in a chat with somebody."""

    chat: Contact
    message_id: str
    text: str
    at_s: int
    from_me: bool = False


def history(past: list[Past], *, kind: int = RECENT, progress: int = 100, chunk: int = 1) -> Any:
    """A waHistorySync.HistorySync with these messages, newest first in each chat as phones give them."""
    found = protobufs.load("waHistorySync.WAWebProtobufsHistorySync_pb2").HistorySync(
        syncType=kind, progress=progress, chunkOrder=chunk
    )
    chats: dict[str, Any] = {}
    for one in sorted(past, key=lambda one: -one.at_s):
        address = str(one.chat.lid_jid)
        if address not in chats:
            chats[address] = found.conversations.add(ID=address, name=one.chat.name, pnJID=str(one.chat.pn_jid))
        message = chats[address].messages.add().message
        message.key.remoteJID, message.key.fromMe, message.key.ID = address, one.from_me, one.message_id
        message.message.conversation = one.text
        message.messageTimestamp = one.at_s
        message.pushName = one.chat.name
    return found


def send(device: LinkedDevice, what: Any, message_id: str, *, inline: bool = False, length: int | None = None) -> None:
    """The account's phone hands a history to one of its devices, which has uploaded keys.

    ``length`` is said in place of the blob's own.
    """
    phone = device.phone
    packed = zlib.compress(what.SerializeToString())
    notification: dict[str, Any] = {
        "syncType": what.syncType, "chunkOrder": what.chunkOrder, "progress": what.progress,
    }  # fmt: skip
    if inline:
        notification["initialHistBootstrapInlinePayload"] = packed
    else:
        sealed = seal(packed, "history")
        notification |= {
            "directPath": phone.server.media.put(MMS["history"], sealed.blob), "mediaKey": sealed.media_key,
            "fileSHA256": sealed.file_sha256, "fileEncSHA256": sealed.file_enc_sha256,
            "fileLength": sealed.file_length if length is None else length,
        }  # fmt: skip
    protocol = {"type": _NOTIFICATION, "historySyncNotification": notification}
    content = protobufs.e2e().Message(protocolMessage=protocol)
    bundle = None if phone.signal.has_session(device.address) else device.take_bundle()
    cipher_type, data = phone.signal.encrypt_message(device.address, bundle, content, message_id=message_id)
    attrs: dict[str, Value] = {
        "id": message_id, "t": str(phone.server.now_s()), "type": "text", "category": "peer", "from": phone.pn_jid,
    }  # fmt: skip
    node = Node("message", attrs, (Node("enc", {"v": "2", "type": cipher_type}, data),))
    device.deliver(QueueKey("message", message_id), node)
