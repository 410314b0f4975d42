"""Uploads take turns, end in time, and are told apart from what is sent; without the library."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from sessions import media, whatsapp_upload
from sessions.model import NotSent, OutgoingMedia, SendOutcome, SendRejected, Sent
from sessions.uploads import UploadRoom, failed
from tests.test_sessions_whatsapp_session import Room

ACCOUNT = "15550100001:3@s.whatsapp.net"
FILE = OutgoingMedia("15550100002@s.whatsapp.net", "document", file="/none", mimetype="a/b", size=10)


@pytest.fixture
def paired(tmp_path: Path) -> Room:
    return Room(tmp_path, ACCOUNT)


@pytest.mark.parametrize(
    ("error", "outcome"),
    [
        ("upload failed with status code 413", SendRejected("media_failed", 413)),
        ("upload failed with status code 415", SendRejected("media_failed", 415)),
        ("upload failed with status code 401", NotSent("media")),
        ("upload failed with status code 503", NotSent("media")),
        ("failed to parse upload response: invalid character '<'", NotSent("media")),
        ('failed to execute request: Post "https://mmg.whatsapp.net/mms/image/…": EOF', NotSent("media")),
        ("failed to refresh media connections: websocket not connected", NotSent("not_connected")),
        ("failed to refresh media connections: info query timed out", NotSent("media")),
        ("client is nil", NotSent("gone")),
        ("a text never seen before", NotSent("media")),
    ],
)
def test_what_an_upload_failed_of(error: str, outcome: SendOutcome) -> None:
    """Only an answer that is about the file itself ends a send; nothing was written, whatever else it was."""
    assert failed(error) == outcome


async def test_turns() -> None:
    """So many go at once, in the order they came; a large one waits for room, and no later one passes it."""
    room, entered = UploadRoom(most=2, most_bytes=100), list[str]()

    async def go(name: str, size: int) -> None:
        await room.enter(size)
        entered.append(name)

    going = [asyncio.create_task(go(name, size)) for name, size in (("a", 60), ("b", 60), ("c", 1), ("d", 500))]
    await asyncio.sleep(0)
    assert entered == ["a"]
    room.leave(60)
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert entered == ["a", "b", "c"]
    room.leave(60)
    room.leave(1)
    await asyncio.gather(*going)
    assert entered == ["a", "b", "c", "d"], "larger than all the room, it goes alone"


async def test_giving_up_while_waiting() -> None:
    """Who stops waiting takes nothing, whenever that is; those behind go on."""
    room = UploadRoom(most=1)
    await room.enter(1)
    waiting = [asyncio.create_task(room.enter(1)) for _ in range(3)]
    await asyncio.sleep(0)
    waiting[0].cancel()
    await asyncio.sleep(0)
    room.leave(1)
    waiting[1].cancel()  # its turn has come, it has not heard of it
    await asyncio.wait(waiting)
    assert waiting[2].done() and not waiting[2].cancelled()
    room.leave(1)
    await asyncio.wait_for(room.enter(1), 1)


async def test_an_upload_that_hangs(paired: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    """An upload without an answer was not sent when its time is up; it keeps its place until it comes back."""
    monkeypatch.setattr(whatsapp_upload, "upload_s", lambda _: 0.15)
    paired.library.uploads = UploadRoom(most=1)
    await paired.come_up()
    assert await paired.session.send("job", FILE) == NotSent("media")
    assert await paired.session.send("job_2", FILE) == NotSent("media"), "there is no room"
    assert paired.library.came_in.count("upload") == 1 and "send" not in paired.library.came_in
    paired.library.upload_answer.set()
    paired.library.answer.set()
    monkeypatch.setattr(whatsapp_upload, "upload_s", media.upload_s)
    assert await paired.session.send("job_3", FILE) == Sent("3EB0", 1)


@pytest.mark.parametrize("how", ["stop", "end"])
async def test_an_end_during_an_upload(paired: Room, how: str) -> None:
    """A session that is stopped, or whose process ends, says at once that the upload's message was not sent."""
    await paired.come_up()
    sending = asyncio.create_task(paired.session.send("job", FILE))
    while "upload" not in paired.library.came_in:  # noqa: ASYNC110 - told by another thread
        await asyncio.sleep(0.001)
    if how == "stop":
        assert await paired.session.stop()
    else:
        paired.library.uploads.closed = True
    assert await asyncio.wait_for(sending, 2) == NotSent("gone")
    paired.library.upload_answer.set()
    assert "send" not in paired.library.came_in
