"""Files in messages, as a phone sends and opens them: the blob on a media host, and the message that names it.

Owns the six kinds of messages with a file; it must never know the product's own composition, which is tested against it.
Neighbours to read next: ``media.py`` (the encryption), ``media_host.py`` (the blobs), ``kinds.py`` (all other kinds).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from tests.loopback import kinds
from tests.loopback.media import MMS, MediaError, MediaKind, seal, unseal
from tests.loopback.media_host import MediaStore

_PARTS: dict[MediaKind, str] = {
    "image": "imageMessage", "video": "videoMessage", "audio": "audioMessage", "voice": "audioMessage",
    "document": "documentMessage", "sticker": "stickerMessage",
}  # fmt: skip
_BESIDE = {
    "caption": "caption", "name": "fileName", "seconds": "seconds", "width": "width", "height": "height",
    "thumbnail": "JPEGThumbnail", "animated": "isAnimated",
}  # fmt: skip
"""What is said beside a file, and the member that says it."""


@dataclass(frozen=True, slots=True)
class Opened:
    """A file a person received, decrypted and checked against everything its message says."""

    kind: MediaKind
    data: bytes
    mimetype: str
    beside: dict[str, Any]
    """caption, name, seconds, width, height, thumbnail, animated, quoted, mentions: those that are given."""


def message(store: MediaStore, kind: MediaKind, data: bytes, mimetype: str, **beside: Any) -> Any:
    """Upload a file and return the waE2E.Message that names it; ``beside`` as in ``Opened``."""
    sealed = seal(data, kind)
    path = store.put(MMS[kind], sealed.blob)
    part: dict[str, Any] = {
        "URL": f"https://mmg.whatsapp.net{path}", "directPath": path, "mimetype": mimetype,
        "mediaKey": sealed.media_key, "fileSHA256": sealed.file_sha256, "fileEncSHA256": sealed.file_enc_sha256,
        "fileLength": sealed.file_length,
    }  # fmt: skip
    part |= {_BESIDE[name]: value for name, value in beside.items()}
    if kind == "voice":
        part["PTT"] = True
    return kinds.message(**{_PARTS[kind]: part})


def opened(store: MediaStore, content: Any) -> Opened:
    """Download and decrypt the file of a message as its receiver does; MediaError when anything differs."""
    names = [field.name for field, _ in content.ListFields() if field.name in _PARTS.values()]
    if len(names) != 1:
        raise MediaError("the message carries no file")
    part = getattr(content, names[0])
    kind = next(one for one, name in _PARTS.items() if name == names[0])
    if kind == "audio" and part.PTT:
        kind = "voice"
    blob = store.get(part.directPath)
    if f"https://mmg.whatsapp.net{part.directPath}" != part.URL or f"/v/{MMS[kind]}/" not in part.directPath:
        raise MediaError("the address is not that of its kind")
    data = unseal(blob, kind, part.mediaKey, part.fileSHA256, part.fileLength)
    known = part.DESCRIPTOR.fields_by_name
    beside = {
        name: getattr(part, member)
        for name, member in _BESIDE.items()
        if member in known and getattr(part, member)
    }  # fmt: skip
    context = part.contextInfo
    if context.stanzaID and context.participant and context.HasField("quotedMessage"):
        beside["quoted"] = (context.stanzaID, context.participant)
    if context.mentionedJID:
        beside["mentions"] = tuple(context.mentionedJID)
    return Opened(kind, data, part.mimetype, beside)
