"""QR codes as pictures: every form holds the same modules, dark on white, with the quiet zone."""

from __future__ import annotations

import io
import re
import secrets

import pytest
import zxingcpp
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageFilter

from orchestrator import qr


def _svg_modules(text: str) -> set[tuple[int, int]]:
    found = set()
    for x, y, width in re.findall(r"M(\d+) (\d+)h(\d+)v1", qr.svg(text)):
        found |= {(int(x) + step, int(y)) for step in range(int(width))}
    return found


def _png_modules(text: str) -> set[tuple[int, int]]:
    image = Image.open(io.BytesIO(qr.png(text, 1))).convert("L")
    return {(x, y) for x in range(image.width) for y in range(image.height) if image.getpixel((x, y)) == 0}


@given(st.text(st.characters(codec="ascii", categories=["L", "N", "P"]), min_size=1, max_size=200))
def test_forms_agree(text: str) -> None:
    """SVG and PNG show the same modules."""
    assert _svg_modules(text) == _png_modules(text)


def test_terminal_agrees() -> None:
    """The terminal's half blocks show the same modules."""
    found = set()
    for row, line in enumerate(qr.terminal("hello").splitlines()):
        cells = re.sub(r"\x1b\[[0-9;]*m", "", line)
        for x, cell in enumerate(cells):
            found |= {(x, 2 * row)} if cell in "▀█" else set()
            found |= {(x, 2 * row + 1)} if cell in "▄█" else set()
    assert found == _svg_modules("hello")


@pytest.mark.parametrize("text", ["a", "x" * 300])
def test_quiet_zone(text: str) -> None:
    """Four light modules surround the symbol (ISO/IEC 18004)."""
    modules = _svg_modules(text)
    assert min(x for x, _ in modules) == min(y for _, y in modules) == qr.QUIET_ZONE_MODULES


def test_a_phone_reads_it() -> None:
    """Codes as WhatsApp makes them are read from a small, blurred, turned picture: the fixed mask costs nothing."""
    for _ in range(10):
        keys = ",".join(secrets.token_urlsafe(33) for _ in range(3))
        text = f"https://wa.me/settings/linked_devices#2@{secrets.token_urlsafe(48)},{keys},1"
        picture = Image.open(io.BytesIO(qr.png(text, 4))).convert("L").filter(ImageFilter.GaussianBlur(1.5))
        photo = picture.rotate(7, expand=True, fillcolor=200).resize((310, 310))
        assert [code.text for code in zxingcpp.read_barcodes(photo)] == [text]
