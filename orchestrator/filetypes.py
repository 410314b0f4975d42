"""What a file is, told by its first bytes, and which kinds of messages may carry it. Pure.

Owns that table; what its sender calls a file counts only where the bytes say nothing. It must never see more of a file
than `HEAD`. Read `orchestrator/bots/media.py` next for who asks.
"""

from __future__ import annotations

import re
from typing import Final

from sessions.media import FileKind

HEAD: Final = 512
"""Bytes that are looked at."""
UNKNOWN: Final = "application/octet-stream"

_TYPE = re.compile(r"[a-z0-9][a-z0-9!#$&^_.+-]{0,62}/[a-z0-9][a-z0-9!#$&^_.+-]{0,62}", re.ASCII)
_MAGIC: Final[tuple[tuple[int, bytes, str], ...]] = (
    (0, b"\xff\xd8\xff", "image/jpeg"),
    (0, b"\x89PNG\r\n\x1a\n", "image/png"),
    (0, b"GIF87a", "image/gif"),
    (0, b"GIF89a", "image/gif"),
    (0, b"%PDF-", "application/pdf"),
    (0, b"PK\x03\x04", "application/zip"),
    (0, b"ID3", "audio/mpeg"),
    (0, b"#!AMR", "audio/amr"),
    (0, b"\x1aE\xdf\xa3", "video/webm"),
)
_TAKES: Final[dict[FileKind, frozenset[str]]] = {
    "image": frozenset({"image/jpeg", "image/png"}),
    "sticker": frozenset({"image/webp"}),
    "video": frozenset({"video/mp4", "video/3gpp"}),
    "audio": frozenset({"audio/mpeg", "audio/aac", "audio/mp4", "audio/amr", "audio/ogg"}),
    "voice": frozenset({"audio/ogg"}),
}
"""What WhatsApp's clients play and show; a document may be anything."""
_ISO_AUDIO: Final = frozenset({b"M4A ", b"M4B "})


def recognise(head: bytes, declared: str | None) -> str:
    """Return the media type of a file that begins with `head`: what its bytes say, else what it is declared as.

    A zip's bytes say too little: what it is declared as counts (word processors' files are zips), unless that is a kind
    of its own.
    """
    found = _of(head)
    said = (declared or "").partition(";")[0].strip().lower()
    said = said if _TYPE.fullmatch(said) and not said.startswith("multipart/") else UNKNOWN
    if found in {None, "application/zip"}:
        # Nobody is told that something is a picture or a film which is none.
        plain = said.partition("/")[0] not in {"image", "video", "audio"}
        return said if plain and (found is None or said != UNKNOWN) else found or UNKNOWN
    return found or UNKNOWN


def _of(head: bytes) -> str | None:
    for place, magic, name in _MAGIC:
        if head[place : place + len(magic)] == magic:
            return name
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "image/webp"
    if head[4:8] == b"ftyp":
        if head[8:12] in _ISO_AUDIO:
            return "audio/mp4"
        return "video/3gpp" if head[8:11] in {b"3gp", b"3g2"} else "video/mp4"
    if head[:4] == b"OggS":
        return "audio/ogg; codecs=opus" if b"OpusHead" in head[:64] else "audio/ogg"
    if len(head) > 1 and head[0] == 0xFF and head[1] & 0xF6 == 0xF0:
        return "audio/aac"
    if len(head) > 1 and head[0] == 0xFF and head[1] & 0xE6 == 0xE2:
        return "audio/mpeg"
    return None


def fits(kind: FileKind, mimetype: str) -> str | None:
    """Return None when a message of this kind may carry the type, else what it takes, for people."""
    takes = _TAKES.get(kind)
    if takes is None or mimetype.partition(";")[0] in takes:
        return None if kind != "voice" or "opus" in mimetype else "Ogg with Opus"
    return "Ogg with Opus" if kind == "voice" else " or ".join(sorted(takes))
