"""What people write, out of the library's message events: kind and content, reactions, edits, revokes. Pure.

Owns the reading of waE2E messages by their field names (whatsmeow message.go, send.go). It must never import the
library, nor read a file that a message carries. Errors are `translate.py`'s to catch. Read `content.py` next for the
records.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import msgspec

from sessions import model, people, texts
from sessions.model import Account, Content, MessageKind, SessionEvent

_CARRIERS = frozenset({"senderKeyDistributionMessage", "fastRatchetKeySenderKeyDistributionMessage",
                       "messageContextInfo", "groupRootKeyShare", "rootSecretDistributeMessage",
                       "stickerSyncRmrMessage"})  # fmt: skip
"""Parts of a message that carry keys or bookkeeping, nothing a person wrote."""
_JPEG = b"\xff\xd8\xff"
MAX_THUMBNAIL = 24 * 1024
"""Bytes. WhatsApp's own clients stay far below; in base64 it is half of what a frame may hold."""
_REVOKE, _EDIT = 0, 14
_PROTOCOL_FOR_PEOPLE = frozenset({_REVOKE, 3, _EDIT})
"""ProtocolMessage types people see the effect of: revoke, disappearing messages, edit."""
_POLLS = ("pollCreationMessage", "pollCreationMessageV2", "pollCreationMessageV3", "pollCreationMessageV5")


def message(message: Any, known: Account | None) -> SessionEvent:
    """Read event 17."""
    body, info = message.Message, message.Info
    fields = _fields(body)
    if fields <= {"protocolMessage"}:
        if not fields:
            return model.ProtocolNote("sender_key" if body.HasField("senderKeyDistributionMessage") else "empty")
        if int(body.protocolMessage.type) not in _PROTOCOL_FOR_PEOPLE:
            return model.ProtocolNote("protocol")
    if str(info.Category) == "peer":
        return model.ProtocolNote("peer")
    place = people.place(info.MessageSource, known)
    from_me, message_id = bool(info.MessageSource.IsFromMe), str(info.ID)
    at_ms = texts.to_ms(int(info.Timestamp))
    kind: MessageKind
    match _change(body, fields, message_id, is_edit=bool(message.IsEdit)):
        case ("reaction", target, str(emoji)):
            return model.ReactionReceived(*place, from_me, message_id, target, at_ms, emoji)
        case ("edited", target, Content() as words):
            return model.MessageEdited(*place, from_me, message_id, target, at_ms, words)
        case ("revoked", target, _):
            return model.MessageRevoked(*place, from_me, message_id, target, at_ms)
        case "odd":
            kind, content = "unrecognised", Content()
        case _:
            kind, content = read_content(body)
    content = msgspec.structs.replace(content, push_name=str(info.Pushname) or None)
    return model.MessageReceived(*place, from_me, message_id, kind, at_ms, content)


def read_content(body: Any) -> tuple[MessageKind, Content]:
    """Return kind and content of a waE2E message; `unrecognised` without content for every kind without a reader."""
    fields = _fields(body)
    if "conversation" in fields:
        return "text", Content(text=str(body.conversation))
    for name, (kind, read) in _KINDS.items():
        if name in fields:
            part = getattr(body, name)
            content = read(part)
            if content is None:
                break
            return kind or ("voice" if part.PTT else "audio"), _with_context(part, content)
    return "unrecognised", Content()


def _fields(body: Any) -> set[str]:
    return {field.name for field, _ in body.ListFields()} - _CARRIERS


def _change(
    body: Any, fields: set[str], message_id: str, *, is_edit: bool
) -> tuple[str, str, str | Content | None] | str | None:
    """What a message does to an earlier one: (what, its id, new words); "odd" when it can't be told; None if nothing.

    The library takes `editedMessage` off and says IsEdit (whatsmeow types/events); what it leaves on is read the same.
    """
    if "editedMessage" in fields:
        body, is_edit = body.editedMessage.message, True
        fields = _fields(body)
    if "reactionMessage" in fields:
        target = str(body.reactionMessage.key.ID)
        return ("reaction", target, str(body.reactionMessage.text)) if target else "odd"
    if "protocolMessage" in fields:
        protocol = body.protocolMessage
        target, number = str(protocol.key.ID), int(protocol.type)
        if target and number == _EDIT and protocol.HasField("editedMessage"):
            return "edited", target, _words(protocol.editedMessage)
        return ("revoked", target, None) if target and number == _REVOKE else "odd"
    if is_edit and fields:
        # Without its key an edit has the id of what it edits (whatsmeow message.go, ParseWebMessage).
        return "edited", message_id, _words(body)
    return "odd" if is_edit else None


def _words(body: Any) -> Content:
    """The new words of an edited text or caption."""
    content = read_content(body)[1]
    return Content(text=content.text or "", mentions=content.mentions)


# --- kinds ---------------------------------------------------------------------------------------------------


def _with_context(part: Any, content: Content) -> Content:
    context = part.contextInfo
    mentions = tuple(people.plain(str(jid)) for jid in context.mentionedJID)
    quoted_id, participant = str(context.stanzaID), str(context.participant)
    quoted = model.Quoted(quoted_id, people.plain(participant) if participant else None) if quoted_id else None
    return msgspec.structs.replace(content, mentions=mentions, quoted=quoted)


def _media(part: Any) -> Content:
    """Metadata of a file, as far as its kind has it."""
    known = part.DESCRIPTOR.fields_by_name
    caption = str(part.caption) if "caption" in known else ""
    media = model.Media(
        mimetype=str(part.mimetype) or None,
        size=int(part.fileLength) or None,
        name=(str(part.fileName) or None) if "fileName" in known else None,
        seconds=(int(part.seconds) or None) if "seconds" in known else None,
        width=(int(part.width) or None) if "width" in known else None,
        height=(int(part.height) or None) if "height" in known else None,
        thumbnail=_thumbnail(bytes(part.JPEGThumbnail)) if "JPEGThumbnail" in known else None,
    )
    return Content(text=caption or None, media=media)


def _thumbnail(data: bytes) -> bytes | None:
    """A JPEG that leaves a frame room for the words; anything else is no thumbnail."""
    return data if data.startswith(_JPEG) and len(data) <= MAX_THUMBNAIL else None


def _location(part: Any) -> Content | None:
    latitude, longitude = float(part.degreesLatitude), float(part.degreesLongitude)
    if not (math.isfinite(latitude) and math.isfinite(longitude)):
        return None
    place = model.Location(latitude, longitude, str(part.name) or None, str(part.address) or None, bool(part.isLive))
    return Content(location=place)


def _live_location(part: Any) -> Content | None:
    latitude, longitude = float(part.degreesLatitude), float(part.degreesLongitude)
    if not (math.isfinite(latitude) and math.isfinite(longitude)):
        return None
    return Content(text=str(part.caption) or None, location=model.Location(latitude, longitude, live=True))


def _card(part: Any) -> model.ContactCard:
    return model.ContactCard(str(part.displayName), str(part.vcard))


def _poll(part: Any) -> Content:
    options = tuple(str(option.optionName) for option in part.options)
    return Content(poll=model.Poll(str(part.name), options, int(part.selectableOptionsCount)))


_KINDS: dict[str, tuple[MessageKind | None, Callable[[Any], Content | None]]] = {
    "extendedTextMessage": ("text", lambda part: Content(text=str(part.text))),
    "imageMessage": ("image", _media),
    "videoMessage": ("video", _media),
    "ptvMessage": ("video", _media),
    "audioMessage": (None, _media),
    "documentMessage": ("document", _media),
    "stickerMessage": ("sticker", _media),
    "locationMessage": ("location", _location),
    "liveLocationMessage": ("location", _live_location),
    "contactMessage": ("contact", lambda part: Content(contacts=(_card(part),))),
    "contactsArrayMessage": ("contact", lambda part: Content(contacts=tuple(_card(one) for one in part.contacts))),
    **dict.fromkeys(_POLLS, ("poll", _poll)),
}
"""Parts of a waE2E message by name: their kind (None: voice or audio, told by PTT) and how they are read."""
