"""Pictures from anybody: what is seen of them, and that nothing in one raises, hangs or fills the memory."""

from __future__ import annotations

import resource
import struct
import zlib
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sessions import pictures
from sessions.media import Picture
from tests.support import files
from tests.support.examples import examples


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "picture"


@pytest.mark.parametrize("format_", ["JPEG", "PNG", "WEBP"])
def test_size_and_thumbnail(path: Path, format_: str) -> None:
    """Each format gives its size and a JPEG of at most 100 pixels a side."""
    path.write_bytes(files.picture(format_, 800, 200))
    found = pictures.look(path, thumbnail=True)
    assert found is not None and (found.width, found.height, found.animated) == (800, 200, False)
    assert found.thumbnail is not None and files.size_of(found.thumbnail) == (100, 25)
    assert pictures.look(path, thumbnail=False) == Picture(800, 200)


def _png(width: int, height: int) -> bytes:
    """A picture that is small on disk and says it is huge."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    body = zlib.compress(b"\x00" * 1_000_000)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", body) + chunk(b"IEND", b"")


@pytest.mark.parametrize("side", [20_000, 60_000])
def test_a_bomb_is_not_unpacked(path: Path, side: int) -> None:
    """A picture of a billion pixels costs no memory, and gets no thumbnail."""
    path.write_bytes(_png(side, side))
    before_kb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    found = pictures.look(path, thumbnail=True)
    assert found is None or found.thumbnail is None
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before_kb < 50_000


@pytest.mark.parametrize("data", [b"", b"GIF89a" + b"\x00" * 50, b"%PDF-1.7", b"<svg/>"])
def test_what_is_no_picture(path: Path, data: bytes) -> None:
    """Anything else, and formats WhatsApp shows no picture of, is none."""
    path.write_bytes(data)
    assert pictures.look(path, thumbnail=True) is None


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    """Nothing is seen of what is not there."""
    assert pictures.look(tmp_path / "none", thumbnail=True) is None


_WHOLE = [
    files.picture("JPEG", 60, 40, turned=True),
    files.picture("PNG", 60, 40),
    files.picture("WEBP", 60, 40, frames=2),
]


@settings(max_examples=examples(150))
@given(st.sampled_from(_WHOLE), st.data())
def test_damaged_pictures(tmp_path_factory: pytest.TempPathFactory, whole: bytes, data: st.DataObject) -> None:
    """Bytes changed or missing anywhere never raise."""
    damaged = bytearray(whole[: data.draw(st.integers(0, len(whole)))])
    for place, byte in data.draw(st.lists(st.tuples(st.integers(0, len(whole) - 1), st.integers(0, 255)), max_size=8)):
        if place < len(damaged):
            damaged[place] = byte
    path = tmp_path_factory.getbasetemp() / "damaged"
    path.write_bytes(damaged)
    found = pictures.look(path, thumbnail=True)
    assert found is None or found.thumbnail is None or max(files.size_of(found.thumbnail)) <= 100
