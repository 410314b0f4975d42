"""What a file is, by its first bytes and by what its sender says."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator import filetypes
from sessions.media import FileKind
from tests.support import files

WORD = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"


@pytest.mark.parametrize(
    ("data", "declared", "found"),
    [
        (files.picture("JPEG"), None, "image/jpeg"),
        (files.picture("PNG"), "image/jpeg", "image/png"),
        (files.picture("WEBP"), "text/html", "image/webp"),
        (files.mp4(), "", "video/mp4"),
        (b"\x00\x00\x00\x18ftypM4A \x00", "video/mp4", "audio/mp4"),
        (b"\x00\x00\x00\x18ftyp3gp5\x00", None, "video/3gpp"),
        (files.ogg(), None, "audio/ogg; codecs=opus"),
        (files.mp3(), None, "audio/mpeg"),
        (b"\xff\xfb\x90\x00", None, "audio/mpeg"),
        (b"\xff\xf1\x50\x80", None, "audio/aac"),
        (files.pdf(), "image/png", "application/pdf"),
        (b"PK\x03\x04", WORD, WORD),
        (b"PK\x03\x04", None, "application/zip"),
        (b"PK\x03\x04", "image/png", "application/zip"),
        (b"a,b\n1,2\n", "text/csv; charset=utf-8", "text/csv"),
        (b"<html>", "image/png", "application/octet-stream"),
        (b"anything", "no type at all", "application/octet-stream"),
        (b"anything", "a/b\r\nX-Header: 1", "application/octet-stream"),
        (b"anything", None, "application/octet-stream"),
    ],
)
def test_recognised(data: bytes, declared: str | None, found: str) -> None:
    """The bytes count; what is declared counts where they say nothing, and never makes a picture of something else."""
    assert filetypes.recognise(data[: filetypes.HEAD], declared) == found


@pytest.mark.parametrize(
    ("kind", "mimetype", "takes"),
    [
        ("image", "image/png", None),
        ("image", "image/webp", "image/jpeg or image/png"),
        ("sticker", "image/png", "image/webp"),
        ("video", "video/webm", "video/3gpp or video/mp4"),
        ("voice", "audio/ogg; codecs=opus", None),
        ("voice", "audio/ogg", "Ogg with Opus"),
        ("voice", "audio/mpeg", "Ogg with Opus"),
        ("audio", "audio/ogg; codecs=opus", None),
        ("document", "image/gif", None),
    ],
)
def test_what_a_kind_takes(kind: FileKind, mimetype: str, takes: str | None) -> None:
    """A kind takes what WhatsApp's clients show as such; a document takes anything."""
    assert filetypes.fits(kind, mimetype) == takes


@given(st.binary(max_size=filetypes.HEAD), st.none() | st.text(max_size=80))
def test_anything(head: bytes, declared: str | None) -> None:
    """Whatever comes, the answer is a media type of printable ASCII."""
    found = filetypes.recognise(head, declared)
    assert found.isascii() and found.isprintable() and found.count("/") == 1
