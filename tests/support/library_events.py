"""Events of the library as it gives them: neonize's compiled protobuf messages, made by hand, without its Go part.

Owns the making only. Used by the tests of `sessions/translate.py`.
"""

from __future__ import annotations

from typing import Any

from sessions import model, translate
from sessions.model import Account, SessionEvent
from tests.loopback import protobufs

OWN = Account("4915550001111:7@s.whatsapp.net", "100000000000001:7@lid", "4915550001111", "Me")

CLASSES = {
    0: "Device", 1: "QR", 2: "PairStatus", 3: "Connected", 4: "KeepAliveTimeout", 5: "KeepAliveRestored",
    6: "LoggedOut", 7: "StreamReplaced", 8: "TemporaryBan", 9: "ConnectFailure", 10: "ClientOutdated",
    11: "StreamError", 12: "Disconnected", 13: "HistorySync", 16: "NewsLetterMessageMeta", 17: "Message",
    18: "Receipt", 19: "ChatPresence", 20: "Presence", 21: "JoinedGroup", 22: "GroupInfoEvent", 23: "Picture",
    24: "IdentityChange", 25: "privacySettingsEvent", 26: "OfflineSyncPreview", 27: "OfflineSyncCompleted",
    30: "BlocklistEvent", 31: "BlocklistChange", 32: "NewsletterJoin", 33: "NewsletterLeave",
    34: "NewsletterMuteChange", 35: "NewsletterLiveUpdate", 36: "CallOffer", 37: "CallAccept", 38: "CallPreAccept",
    39: "CallTransport", 40: "CallOfferNotice", 41: "CallRelayLatency", 42: "CallTerminate", 43: "UnknownCallEvent",
    44: "UndecryptableMessage", 45: "RotateADVSecret",
}  # fmt: skip
"""Every event number neonize 0.5.2 forwards (its events.py)."""


def proto(name: str, **fields: Any) -> Any:
    """A message of neonize's own protobuf file."""
    return getattr(protobufs.load("Neonize_pb2"), name)(**fields)


def parsers() -> translate.Parsers:
    """The parser of every event number."""
    return {kind: getattr(protobufs.load("Neonize_pb2"), name).FromString for kind, name in CLASSES.items()}


def jid(text: str = "") -> Any:
    """The library's form of an address; the empty one for no text."""
    if not text:
        return proto("JID", User="", RawAgent=0, Device=0, Integrator=0, Server="", IsEmpty=True)
    parsed = model.Jid.parse(text)
    return proto(
        "JID", User=parsed.user, RawAgent=0, Device=parsed.device, Integrator=0, Server=parsed.server, IsEmpty=False
    )


def source(chat: str, sender: str, sender_alt: str = "", recipient_alt: str = "", *, from_me: bool = False) -> Any:
    """Where a message comes from."""
    return proto(
        "MessageSource",
        Chat=jid(chat),
        Sender=jid(sender),
        IsFromMe=from_me,
        IsGroup=chat.endswith("@g.us"),
        SenderAlt=jid(sender_alt),
        RecipientAlt=jid(recipient_alt),
        BroadcastListOwner=jid(),
    )


def info(where: Any, category: str = "") -> Any:
    """The envelope of a message."""
    return proto(
        "MessageInfo",
        MessageSource=where,
        ID="3EB0AA",
        ServerID=0,
        Type="text",
        Pushname="Ada",
        Timestamp=1_790_000_000_123,
        Category=category,
        Multicast=False,
        MediaType="",
        Edit="",
    )


def body(**fields: Any) -> Any:
    """What people sent each other."""
    return protobufs.e2e().Message(**fields)


def message(content: Any, where: Any | None = None, **fields: Any) -> SessionEvent:
    """The record made of a message event."""
    where = where if where is not None else source("22@lid", "22:3@lid", "33@s.whatsapp.net")
    return translate.translate(17, proto("Message", Info=info(where), Message=content, **fields), OWN)
