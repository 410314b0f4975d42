"""A file that was uploaded, as the waE2E message WhatsApp's clients understand. Pure.

Owns the members of the six kinds that carry a file; `compose.py` has all others, `translate_messages.py` is the way in.
Facts: whatsmeow upload.go. Read `media.py` next for the records.
"""

from __future__ import annotations

from typing import Any, Final

from sessions.media import FileKind, OutgoingMedia, Picture, Uploaded
from sessions.model import Jid

_PARTS: Final[dict[FileKind, str]] = {
    "image": "imageMessage",
    "video": "videoMessage",
    "audio": "audioMessage",
    "voice": "audioMessage",
    "document": "documentMessage",
    "sticker": "stickerMessage",
}
MMS: Final[dict[FileKind, int]] = {"image": 0, "sticker": 0, "video": 1, "audio": 2, "voice": 2, "document": 3}
"""Kinds as neonize numbers them for an upload (`MediaType`): each has keys and a place of its own."""


def message(e2e: Any, outgoing: OutgoingMedia, to: Jid, uploaded: Uploaded, picture: Picture | None) -> Any:
    """Return the `waE2E.Message` of an uploaded file.

    Args:
        e2e: the compiled module.
        to: the parsed `outgoing.to`.
        picture: what was seen of an image or sticker.
    """
    name = _PARTS[outgoing.kind]
    whole = e2e.Message()
    part = getattr(whole, name)
    part.URL, part.directPath = uploaded.url, uploaded.direct_path
    part.mediaKey, part.fileSHA256, part.fileEncSHA256 = (
        uploaded.media_key,
        uploaded.file_sha256,
        uploaded.file_enc_sha256,
    )
    part.fileLength, part.mimetype = uploaded.file_length, outgoing.mimetype
    width, height, thumbnail = outgoing.width, outgoing.height, outgoing.thumbnail
    if picture is not None:
        width, height, thumbnail = picture.width, picture.height, thumbnail or picture.thumbnail
    beside: dict[str, object | None] = {
        "caption": outgoing.caption,
        "fileName": outgoing.name,
        "title": outgoing.name,
        "seconds": outgoing.seconds,
        "width": width,
        "height": height,
        "PTT": True if outgoing.kind == "voice" else None,
        "isAnimated": True if picture is not None and picture.animated else None,
        "JPEGThumbnail": thumbnail,
    }
    known = part.DESCRIPTOR.fields_by_name
    for member, value in beside.items():
        if value is not None and member in known:
            setattr(part, member, value)
    if outgoing.quoted or outgoing.mentions:
        _context(part.contextInfo, outgoing, to)
    return whole


def _context(context: Any, outgoing: OutgoingMedia, to: Jid) -> None:
    context.mentionedJID.extend(outgoing.mentions)
    if outgoing.quoted is not None:
        context.stanzaID = outgoing.quoted.message_id
        context.participant = outgoing.quoted.sender or str(to)
        # As for a text: without this member clients take it for no answer.
        context.quotedMessage.conversation = ""
