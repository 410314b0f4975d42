"""Pillow's door: the size of a picture and a small JPEG of it.

Owns reading pictures, which come from anybody; it must never fail for what is in one. Runs in a worker, in a thread: a
picture that brings the process down is noted like any call of its bot. Read `compose_media.py` next for what becomes of
the result.
"""

from __future__ import annotations

import io
from pathlib import Path
from typing import Final

from sessions.media import Picture

FORMATS: Final = ("JPEG", "PNG", "WEBP")
"""What WhatsApp shows as a picture; no other decoder of Pillow's is ever run."""
SIDE: Final = 100
"""Pixels of a thumbnail's longer side, as WhatsApp's own clients make them."""
QUALITY: Final = 60
MAX_PIXELS: Final = 50_000_000
"""Above this a picture is sent without a thumbnail: unpacked it takes 3 or 4 bytes for each pixel."""
_TURNED: Final = frozenset({5, 6, 7, 8})
_ORIENTATION: Final = 0x0112


def look(path: str | Path, *, thumbnail: bool) -> Picture | None:
    """Return what is seen of a picture; None when it is none, or can't be read.

    Args:
        thumbnail: whether to make one; a picture of more than `MAX_PIXELS` gets none all the same.
    """
    # Imported here: most workers never see a picture, and Pillow costs 8 MB.
    from PIL import Image, ImageOps  # noqa: PLC0415

    try:
        Image.MAX_IMAGE_PIXELS = None  # our own limit below is lower, and refuses nothing
        with Image.open(path, formats=FORMATS) as image:
            width, height = image.size
            animated = bool(getattr(image, "is_animated", False))
            if not thumbnail or width * height > MAX_PIXELS:
                return Picture(width, height, None, animated)
            image.draft("RGB", (SIDE * 2, SIDE * 2))  # a JPEG is unpacked at an eighth of its size at best
            # Asking a PNG unpacks it: not before its size is known.
            size = (height, width) if image.getexif().get(_ORIENTATION) in _TURNED else (width, height)
            small = ImageOps.exif_transpose(image)
            small.thumbnail((SIDE, SIDE))
            if small.mode not in {"RGB", "L"}:
                # See-through becomes white, as it is on the phone.
                small = small.convert("RGBA")
                ground = Image.new("RGBA", small.size, "white")
                small = Image.alpha_composite(ground, small).convert("RGB")
            written = io.BytesIO()
            small.save(written, "JPEG", quality=QUALITY)
            return Picture(*size, written.getvalue(), animated)
    except (OSError, ValueError, TypeError, SyntaxError, ArithmeticError, IndexError, KeyError, EOFError, MemoryError):
        # Pillow's decoders raise all of these for damaged files.
        return None
