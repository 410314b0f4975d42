"""What may be said beside a file, pure: which members each kind has, and their limits.

Owns the checks that hold whoever asks. It must never see the file itself. Read `outbox_kinds.py` for all other kinds.
"""

from __future__ import annotations

from typing import Final

from orchestrator import errors
from sessions.model import FileKind, OutgoingMedia

MAX_CAPTION = 1024
"""Characters: more is cut by WhatsApp's own clients."""
MAX_NAME = 255
MAX_SECONDS = 24 * 3600
MAX_PIXELS = 16_384
"""Of a side."""
MAX_THUMBNAIL = 16 * 1024
"""Bytes: it travels in the message itself, encrypted for each of the receiver's devices."""
_JPEG = b"\xff\xd8\xff"

HAS: Final[dict[str, frozenset[FileKind]]] = {
    "caption": frozenset({"image", "video", "document"}),
    "name": frozenset({"document"}),
    "seconds": frozenset({"video", "audio", "voice"}),
    "width": frozenset({"video"}),
    "height": frozenset({"video"}),
    "thumbnail": frozenset({"image", "video", "document"}),
}
"""Members, and the kinds WhatsApp shows them with."""


def check(outgoing: OutgoingMedia) -> None:
    """Refuses `invalid_field` naming the field as REST calls it; nothing of its value is repeated."""
    kind = outgoing.kind
    for member, kinds in HAS.items():
        if getattr(outgoing, member) is not None and kind not in kinds:
            raise errors.invalid(f"{kind}.{member}", f"{kind}.{member}: this goes with {_words(kinds)} only")
    if outgoing.mentions and outgoing.caption is None:
        raise errors.invalid("mentions", "mentions: they are named in the caption; give one")
    _length(kind, "caption", outgoing.caption, MAX_CAPTION)
    _length(kind, "name", outgoing.name, MAX_NAME)
    if outgoing.name is not None and not (outgoing.name.isprintable() and not set(outgoing.name) & set("/\\")):
        raise errors.invalid(f"{kind}.name", f"{kind}.name: give a file name of printable characters, no path")
    _between(kind, "seconds", outgoing.seconds, 0, MAX_SECONDS)
    _between(kind, "width", outgoing.width, 1, MAX_PIXELS)
    _between(kind, "height", outgoing.height, 1, MAX_PIXELS)
    thumbnail = outgoing.thumbnail
    if thumbnail is not None and not (thumbnail.startswith(_JPEG) and len(thumbnail) <= MAX_THUMBNAIL):
        raise errors.invalid(f"{kind}.thumbnail", f"{kind}.thumbnail: give a JPEG of at most 16 KiB, in base64")


def _words(kinds: frozenset[FileKind]) -> str:
    return ", ".join(sorted(kinds))


def _length(kind: str, member: str, text: str | None, most: int) -> None:
    if text is not None and not 1 <= len(text) <= most:
        raise errors.invalid(f"{kind}.{member}", f"{kind}.{member}: give 1 to {most} characters, or leave it out")


def _between(kind: str, member: str, number: int | None, least: int, most: int) -> None:
    if number is not None and not least <= number <= most:
        raise errors.invalid(f"{kind}.{member}", f"{kind}.{member}: give a whole number from {least} to {most}")
