"""The contract of `Session`, fourth part: files, sent and seen.

Owns the rules about files. Read `session_kinds.py` for what carries none, `session_suite.py` for how to run all.
"""

from __future__ import annotations

import asyncio
import hashlib
from pathlib import Path
from typing import Any

import msgspec
import pytest

from sessions import model
from tests.contracts.session_harness import Harness
from tests.contracts.session_steps import check_spooling, linked
from tests.support import files

THUMBNAIL = files.picture(width=64, height=40)
SENDS: list[tuple[str, bytes, model.OutgoingMedia, dict[str, Any]]] = [
    ("image", files.picture(),
     model.OutgoingMedia("", "image", mimetype="image/jpeg", caption="look @1", mentions=("55@lid",),
                         quoted=model.Quoted("3A01", "22@lid")),
     {"caption": "look @1", "mentions": ("55@lid",), "quoted": ("3A01", "22@lid"), "width": 320, "height": 200}),
    ("a turned image", files.picture(width=300, height=100, turned=True),
     model.OutgoingMedia("", "image", mimetype="image/jpeg"), {"width": 100, "height": 300}),
    ("an image with transparency", files.picture("PNG", 50, 80),
     model.OutgoingMedia("", "image", mimetype="image/png"), {"width": 50, "height": 80}),
    ("video", files.mp4(),
     model.OutgoingMedia("", "video", mimetype="video/mp4", caption="watch", seconds=3, width=640, height=360,
                         thumbnail=THUMBNAIL),
     {"caption": "watch", "seconds": 3, "width": 640, "height": 360, "thumbnail": THUMBNAIL}),
    ("audio", files.mp3(), model.OutgoingMedia("", "audio", mimetype="audio/mpeg", seconds=60), {"seconds": 60}),
    ("voice", files.ogg(), model.OutgoingMedia("", "voice", mimetype="audio/ogg; codecs=opus", seconds=2),
     {"seconds": 2}),
    ("document", files.pdf(),
     model.OutgoingMedia("", "document", mimetype="application/pdf", caption="the bill", name="bill.pdf"),
     {"caption": "the bill", "name": "bill.pdf"}),
    ("sticker", files.picture("WEBP", 512, 512), model.OutgoingMedia("", "sticker", mimetype="image/webp"),
     {"width": 512, "height": 512}),
    ("an animated sticker", files.picture("WEBP", 96, 96, frames=3),
     model.OutgoingMedia("", "sticker", mimetype="image/webp"), {"width": 96, "height": 96, "animated": True}),
]  # fmt: skip


def _to(harness: Harness, outgoing: model.OutgoingMedia, path: Path, data: bytes) -> model.OutgoingMedia:
    path.write_bytes(data)
    return msgspec.structs.replace(outgoing, to=harness.contact_pn, file=str(path), size=len(data))


class SessionMedia:
    """Files both ways."""

    async def test_files_out(self, harness: Harness, tmp_path: Path) -> None:
        """Each kind of file is Sent, and the contact opens exactly these bytes, with all that was said beside them;
        images have their size and a small JPEG besides."""
        session, outlet, _ = await linked(harness)
        for number, (what, data, outgoing, beside) in enumerate(SENDS):
            outcome = await session.send(f"job_{number}", _to(harness, outgoing, tmp_path / "file", data))
            assert isinstance(outcome, model.Sent), (what, outcome)
            message_id, file = await harness.next_file()
            assert message_id == outcome.message_id
            assert (file.kind, file.mimetype) == (outgoing.kind, outgoing.mimetype), what
            assert file.sha256 == hashlib.sha256(data).hexdigest(), what
            made = file.beside.pop("thumbnail", None) if outgoing.kind == "image" else None
            assert file.beside == beside, what
            if outgoing.kind == "image":
                assert made is not None and max(files.size_of(made)) <= 100 and len(made) < 10_000
                ratio = beside["width"] / beside["height"]
                assert files.size_of(made)[0] / files.size_of(made)[1] == pytest.approx(ratio, rel=0.05)
        check_spooling(outlet)

    async def test_a_picture_that_is_none(self, harness: Harness, tmp_path: Path) -> None:
        """What can't be read as a picture is sent all the same, without its size and thumbnail."""
        session, _, _ = await linked(harness)
        data = files.picture()[:100] + b"broken"
        outgoing = model.OutgoingMedia("", "image", mimetype="image/jpeg", caption="odd")
        assert isinstance(await session.send("job", _to(harness, outgoing, tmp_path / "file", data)), model.Sent)
        _, file = await harness.next_file()
        assert file.beside == {"caption": "odd"} and file.sha256 == hashlib.sha256(data).hexdigest()

    async def test_a_refused_upload(self, harness: Harness, tmp_path: Path) -> None:
        """An upload that is refused for the moment was surely not sent, and goes when it is tried again."""
        session, outlet, _ = await linked(harness)
        outgoing = _to(harness, model.OutgoingMedia("", "document", mimetype="a/b"), tmp_path / "file", b"data")
        await harness.uploads("refuse")
        assert await session.send("job", outgoing) == model.NotSent("media")
        await harness.uploads("")
        assert isinstance(await session.send("job", outgoing), model.Sent)
        finished = [event.outcome for event in outlet.of(model.SendFinished)]
        assert len(finished) == 2 and finished[0] == model.NotSent("media")
        await harness.next_file()

    async def test_an_upload_refused_for_good(self, harness: Harness, tmp_path: Path) -> None:
        """What the media hosts call too large will never go."""
        session, _, _ = await linked(harness)
        outgoing = _to(harness, model.OutgoingMedia("", "document", mimetype="a/b"), tmp_path / "file", b"data")
        await harness.uploads("never")
        assert await session.send("job", outgoing) == model.SendRejected("media_failed", 413)

    async def test_a_hanging_upload(self, harness: Harness, tmp_path: Path) -> None:
        """A session that ends during an upload says that nothing was sent; ending takes no longer for it."""
        session, outlet, _ = await linked(harness)
        outgoing = _to(harness, model.OutgoingMedia("", "document", mimetype="a/b"), tmp_path / "file", b"data")
        await harness.uploads("hang")
        sending = asyncio.create_task(session.send("job", outgoing))
        await harness.hanging()
        text = model.OutgoingText(harness.contact_pn, "meanwhile")
        assert isinstance(await session.send("text", text), model.Sent), "an upload holds up no other send"
        assert await session.stop()
        assert await sending == model.NotSent("gone")
        assert [event.job for event in outlet.of(model.SendFinished)] == ["text", "job"]

    async def test_a_missing_file(self, harness: Harness, tmp_path: Path) -> None:
        """A file that is not there will never go."""
        session, _, _ = await linked(harness)
        outgoing = model.OutgoingMedia(harness.contact_pn, "image", file=str(tmp_path / "none"), mimetype="image/png")
        assert await session.send("job", outgoing) == model.SendRejected("media_failed")
