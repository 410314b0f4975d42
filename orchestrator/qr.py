"""QR codes as pictures: SVG and PNG for pages, blocks for a terminal. The one door to the `qrcode` library.

Pure apart from memory; dark on white with the quiet zone of the standard, so that a phone reads it in any theme.
"""

from __future__ import annotations

import io

import qrcode
from qrcode.constants import ERROR_CORRECT_L
from qrcode.main import QRCode

QUIET_ZONE_MODULES = 4
"""ISO/IEC 18004 asks for four light modules around the symbol."""

MASK = 0
"""Trying all eight masks holds the event loop for 25 to 40 ms a code, a fixed one for 3 (measured). What WhatsApp
encodes is random, so that no mask is better than another."""


def _matrix(text: str) -> list[list[bool]]:
    # Level L: WhatsApp's codes are long, and a coarser grid is read faster from a screen than redundancy helps.
    code: QRCode[object] = QRCode(error_correction=ERROR_CORRECT_L, border=QUIET_ZONE_MODULES, mask_pattern=MASK)
    code.add_data(text)
    code.make(fit=True)
    return [[bool(module) for module in row] for row in code.get_matrix()]


def svg(text: str) -> str:
    """Return an SVG document, one path, dark on white, scaled by its viewBox."""
    rows = _matrix(text)
    size = len(rows)
    path = "".join(_runs(row, y) for y, row in enumerate(rows))
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {size} {size}" shape-rendering="crispEdges">'
        f'<rect width="{size}" height="{size}" fill="#fff"/><path fill="#000" d="{path}"/></svg>'
    )


def _runs(row: list[bool], y: int) -> str:
    parts: list[str] = []
    x = 0
    while x < len(row):
        if not row[x]:
            x += 1
            continue
        end = x
        while end < len(row) and row[end]:
            end += 1
        parts.append(f"M{x} {y}h{end - x}v1H{x}z")
        x = end
    return "".join(parts)


def png(text: str, box_px: int = 8) -> bytes:
    """Return a PNG with `box_px` pixels a module."""
    image = qrcode.make(
        text, error_correction=ERROR_CORRECT_L, border=QUIET_ZONE_MODULES, box_size=box_px, mask_pattern=MASK
    )
    out = io.BytesIO()
    image.save(out)
    return out.getvalue()


def terminal(text: str) -> str:
    """Return half-block lines for a terminal: two modules a character cell, light on dark inverted to dark on white.

    Explicit colours are set so that it also reads in a light terminal theme.
    """
    rows = _matrix(text)
    if len(rows) % 2:
        rows.append([False] * len(rows[0]))
    lines = []
    for upper, lower in zip(rows[::2], rows[1::2], strict=True):
        cells = "".join(_CELLS[top, bottom] for top, bottom in zip(upper, lower, strict=True))
        lines.append(f"\x1b[38;5;16;48;5;231m{cells}\x1b[0m")
    return "\n".join(lines)


_CELLS = {(False, False): " ", (True, False): "▀", (False, True): "▄", (True, True): "█"}
