"""Kinds of messages as WhatsApp's own clients write and read them: waE2E messages to plain words and back.

Owns the knowledge of what a phone sends for a reaction, a reply, a poll ..., and with which stanza attributes; it must
never know the product's own translation, which is tested against it. Facts: whatsmeow send.go, message.go. Neighbour to
read next: ``phone.py``.

A message in words is a dict: ``{"type": "text", "text": …, "quoted"?: {"messageId", "sender"}, "mentions"?: […]}``,
``reaction`` {message_id, emoji, sender?, from_me?}, ``edit`` {message_id, text}, ``revoke`` {message_id},
``location`` {latitude, longitude, name?, address?}, ``contact`` {name, vcard}, ``poll`` {question, options, selectable},
and for everything else ``{"type": <name of its part>}``.
"""

from __future__ import annotations

from typing import Any

from tests.loopback import protobufs

Words = dict[str, Any]

_MEDIA = {
    "imageMessage": "image", "videoMessage": "video", "audioMessage": "audio", "documentMessage": "document",
    "stickerMessage": "sticker", "locationMessage": "location", "contactMessage": "vcard",
    "contactsArrayMessage": "contact_array", "liveLocationMessage": "livelocation",
}  # fmt: skip
"""Parts that travel as media, and their name in the ciphertext's node."""


def message(**parts: Any) -> Any:
    """A waE2E.Message."""
    return protobufs.e2e().Message(**parts)


def text(words: str) -> Any:
    """A plain text."""
    return message(conversation=words)


def reply(words: str, *, quoted: str = "", author: str = "", mentions: tuple[str, ...] = ()) -> Any:
    """A text that answers a message of ``author``, or mentions people, or both."""
    context: Words = {"mentionedJID": mentions}
    if quoted:
        context |= {"stanzaID": quoted, "participant": author, "quotedMessage": {"conversation": "what was said"}}
    return message(extendedTextMessage={"text": words, "contextInfo": context})


def reaction(target: str, emoji: str, chat: str, *, from_me: bool = False) -> Any:
    """A reaction; ``from_me``: to a message of the reacting person's own."""
    key = {"ID": target, "remoteJID": chat, "fromMe": from_me}
    return message(reactionMessage={"key": key, "text": emoji, "senderTimestampMS": 1})


def edit(target: str, words: str, chat: str) -> Any:
    """New words for a text of one's own."""
    key = {"ID": target, "remoteJID": chat, "fromMe": True}
    protocol = {"key": key, "type": "MESSAGE_EDIT", "editedMessage": {"conversation": words}, "timestampMS": 1}
    return message(editedMessage={"message": {"protocolMessage": protocol}})


def revoke(target: str, chat: str) -> Any:
    """Delete a message of one's own for everyone."""
    return message(protocolMessage={"key": {"ID": target, "remoteJID": chat, "fromMe": True}, "type": "REVOKE"})


def stanza(content: Any) -> tuple[dict[str, str], dict[str, str]]:
    """Attributes of the message node and of its ciphertext node."""
    if content.HasField("deviceSentMessage"):
        return stanza(content.deviceSentMessage.message)
    names = {field.name for field, _ in content.ListFields()}
    if "reactionMessage" in names:
        return {"type": "reaction"}, {"decrypt-fail": "hide"}
    if "editedMessage" in names:
        return {"type": "text", "edit": "1"}, {"decrypt-fail": "hide"}
    if "protocolMessage" in names and content.protocolMessage.type == 0:
        return {"type": "text", "edit": "7"}, {"decrypt-fail": "hide"}
    if any(name.startswith("pollCreationMessage") for name in names):
        return {"type": "poll"}, {}
    media = next((_MEDIA[name] for name in names if name in _MEDIA), None)
    return ({"type": "media"}, {"mediatype": media}) if media else ({"type": "text"}, {})


def in_words(content: Any) -> Words:
    """What a person reads."""
    names = [field.name for field, _ in content.ListFields() if field.name != "messageContextInfo"]
    name = names[0] if names else ""
    part: Any = getattr(content, name) if name else None
    match name:
        case "conversation":
            return {"type": "text", "text": content.conversation}
        case "extendedTextMessage":
            return _extended(part)
        case "reactionMessage":
            found = {"type": "reaction", "message_id": part.key.ID, "emoji": part.text}
            found |= {"sender": part.key.participant} if part.key.participant else {}
            return {**found, "from_me": True} if part.key.fromMe else found
        case "editedMessage" if part.message.protocolMessage.type == 14:
            protocol = part.message.protocolMessage
            return {"type": "edit", "message_id": protocol.key.ID, "text": protocol.editedMessage.conversation}
        case "protocolMessage" if part.type == 0:
            return {"type": "revoke", "message_id": part.key.ID}
        case "locationMessage":
            place = {"latitude": part.degreesLatitude, "longitude": part.degreesLongitude}
            named = {key: value for key, value in (("name", part.name), ("address", part.address)) if value}
            return {"type": "location", **place, **named}
        case "contactMessage":
            return {"type": "contact", "name": part.displayName, "vcard": part.vcard}
        case "pollCreationMessage" if len(content.messageContextInfo.messageSecret) == 32:
            options = [option.optionName for option in part.options]
            return {
                "type": "poll", "question": part.name, "options": options, "selectable": part.selectableOptionsCount,
            }  # fmt: skip
        case _:
            return {"type": name}


def _extended(part: Any) -> Words:
    words: Words = {"type": "text", "text": part.text}
    context = part.contextInfo
    # A client shows an answer only when all three are there.
    if context.stanzaID and context.participant and context.HasField("quotedMessage"):
        words["quoted"] = {"messageId": context.stanzaID, "sender": context.participant}
    if context.mentionedJID:
        words["mentions"] = list(context.mentionedJID)
    return words
