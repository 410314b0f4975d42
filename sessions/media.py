"""Files in messages, pure: what is sent with one, what an upload gives back, how long either may take.

Owns the records of files that are sent and the sizes WhatsApp takes. It must never open a file. Import `OutgoingMedia`
from `model.py`. Read `uploads.py` next for how many go at once, `compose_media.py` for the messages.
"""

from __future__ import annotations

from typing import Final, Literal

import msgspec

from sessions.content import Quoted

FileKind = Literal["image", "video", "audio", "voice", "document", "sticker"]
"""Kinds of messages that carry a file."""

MAX_BYTES: Final[dict[FileKind, int]] = {
    "image": 16 * 1024 * 1024,
    "video": 64 * 1024 * 1024,
    "audio": 16 * 1024 * 1024,
    "voice": 16 * 1024 * 1024,
    "document": 100 * 1024 * 1024,
    "sticker": 1024 * 1024,
}
"""The most that every client of WhatsApp takes, save for documents and videos, which phones send larger: a file is in
the worker's memory three times while it is encrypted and uploaded."""

UPLOAD_S: Final = 60.0
BYTES_PER_S: Final = 64 * 1024
"""An upload slower than this, after its first minute, is taken for one that hangs."""


class OutgoingMedia(msgspec.Struct, frozen=True, tag="media", omit_defaults=True):
    """A file, with what is shown beside it."""

    to: str
    kind: FileKind
    media: str | None = None
    """Id of the stored file; None while `url` still has to be fetched."""
    url: str | None = None
    """Where the file is to be fetched, once."""
    file: str | None = None
    """Absolute path; only in what is handed to a session, never in what is stored."""
    mimetype: str = ""
    """Empty while the file is not there yet."""
    size: int = 0
    """Bytes; 0 while the file is not there yet."""
    caption: str | None = None
    name: str | None = None
    """A document's file name as the receiver sees it."""
    seconds: int | None = None
    width: int | None = None
    height: int | None = None
    """Pixels of a video; those of pictures are read from the file."""
    thumbnail: bytes | None = None
    """A JPEG; that of an image is made from the file."""
    quoted: Quoted | None = None
    """As in `OutgoingText`."""
    mentions: tuple[str, ...] = ()


class Uploaded(msgspec.Struct, frozen=True):
    """An encrypted file on WhatsApp's media hosts, and how its receiver opens it. Holds a key: a secret."""

    url: str
    direct_path: str
    media_key: bytes
    file_sha256: bytes
    file_enc_sha256: bytes
    file_length: int


class Picture(msgspec.Struct, frozen=True):
    """What is seen of a picture before its file is there."""

    width: int
    height: int
    """Pixels, as it is shown."""
    thumbnail: bytes | None = None
    """A small JPEG."""
    animated: bool = False


def upload_s(size: int) -> float:
    """Return how long an upload of so many bytes may take."""
    return UPLOAD_S + size / BYTES_PER_S
