"""Small files of each kind, made here: real pictures, and for the rest what tells them apart from each other."""

from __future__ import annotations

import io

from PIL import Image


def picture(
    format_: str = "JPEG", width: int = 320, height: int = 200, *, frames: int = 1, turned: bool = False
) -> bytes:
    """A picture with a gradient; `turned`: its pixels lie on the side, and it says so (EXIF orientation 6)."""
    made = Image.linear_gradient("L").resize((width, height)).convert("RGB")
    written = io.BytesIO()
    extra: dict[str, object] = {}
    if frames > 1:
        extra = {"save_all": True, "append_images": [made.rotate(20 * step) for step in range(1, frames)]}
    if turned:
        exif = Image.Exif()
        exif[0x0112] = 6
        extra["exif"] = exif
    made.save(written, format_, **extra)
    return written.getvalue()


def mp4(size: int = 2000) -> bytes:
    """A video, as far as its beginning tells."""
    return b"\x00\x00\x00\x18ftypmp42\x00\x00\x00\x00mp42isom" + b"\x01" * size


def ogg(size: int = 900) -> bytes:
    """A voice note, as far as its beginning tells."""
    return b"OggS\x00\x02" + b"\x00" * 20 + b"\x01\x13OpusHead\x01\x01" + b"\x02" * size


def mp3(size: int = 1500) -> bytes:
    """Music, as far as its beginning tells."""
    return b"ID3\x04\x00\x00\x00\x00\x00\x00" + b"\x03" * size


def pdf(size: int = 700) -> bytes:
    """A document, as far as its beginning tells."""
    return b"%PDF-1.7\n" + b"\x04" * size


def size_of(jpeg: bytes) -> tuple[int, int]:
    """Pixels of a JPEG; fails when it is none."""
    with Image.open(io.BytesIO(jpeg), formats=("JPEG",)) as image:
        image.load()
        return image.size
