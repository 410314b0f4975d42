"""Files through the bots' room: bound to sends, fetched, tried again, given up, kept while needed and no longer."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest

from orchestrator.bots.files import GRACE_MS, KEEP_MS
from orchestrator.errors import Refused
from orchestrator.fetching import Answer, FetchFailed
from orchestrator.model import SendJob
from orchestrator.ports import Media
from sessions.model import Connected, FileKind, NotSent, OutgoingMedia, OutgoingText
from tests.support import files
from tests.support.fake_host import account
from tests.support.fleet_room import USER, FleetRoom, linked, run, settle
from tests.support.virtual_time import VirtualClock

TO = "+49 151 12345678"
URL = "https://example.com/a%20bill.pdf?signature=secret"


class ScriptedFetcher:
    """What an address answers, one after the other; the last for ever."""

    def __init__(self, *answers: bytes | FetchFailed, allow: tuple[str, ...] = ()) -> None:
        self.answers = list(answers)
        self.allow = allow
        self.asked = 0
        self.go = asyncio.Event()
        self.go.set()

    @asynccontextmanager
    async def get(self, url: str) -> AsyncIterator[Answer]:
        self.asked += 1
        await self.go.wait()
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, FetchFailed):
            raise answer

        async def chunks() -> AsyncIterator[bytes]:
            for start in range(0, len(answer), 1000):
                yield answer[start : start + 1000]

        yield Answer(len(answer), "application/x-odd", chunks())


async def upload(
    room: FleetRoom, bot: str, data: bytes, *, kind: FileKind | None = None, name: str | None = None
) -> Media:
    async with room.media.receive(USER, bot, declared="text/plain", name=name, kind=kind, size=len(data)) as incoming:
        for start in range(0, len(data), 1000):
            await incoming.feed(data[start : start + 1000])
        return await incoming.finish()


class Ahead:
    """The room's clock, put forward."""

    def __init__(self, clock: VirtualClock, ahead_ms: int) -> None:
        self._clock, self._ahead_ms = clock, ahead_ms

    def monotonic(self) -> float:
        return self._clock.monotonic()

    def wall_ms(self) -> int:
        return self._clock.wall_ms() + self._ahead_ms


async def _at_once(work: Callable[..., Any], *arguments: Any) -> Any:
    return work(*arguments)


@pytest.fixture(autouse=True)
def no_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    """Files are written in the loop's own thread: virtual time would overtake another."""
    monkeypatch.setattr(asyncio, "to_thread", _at_once)


async def ended(room: FleetRoom, bot: str, job: SendJob) -> SendJob:
    return await room.outbox.wait(USER, bot, job.id, 10)


async def sent_by_threads(room: FleetRoom, bot: str, job: SendJob) -> SendJob:
    """The job when it is no longer queued: threads handle its file in real time, which virtual time would overtake."""
    for _ in range(5_000):
        found = await room.outbox.job(USER, bot, job.id)
        if found.state != "queued":
            return found
        time.sleep(0.001)  # noqa: ASYNC251 - on a virtual loop only this lets real time pass
        await settle(0.02)
    raise AssertionError("the send is still queued")


def test_an_uploaded_file(tmp_path: Path) -> None:
    """A file can be named by any number of sends, is handed over with its place, type and size, and stays."""

    async def scenario(room: FleetRoom) -> None:
        bot = await linked(room)
        kept = await upload(room, bot, files.pdf(5000), name="C:\\x\\bill.pdf")
        assert (kept.mimetype, kept.name) == ("application/pdf", "bill.pdf")
        for _ in range(2):
            job = await room.outbox.submit(USER, bot, OutgoingMedia(TO, "document", kept.media_id))
            assert (await ended(room, bot, job)).state == "sent"
            handed = room.host.outgoing[job.id]
            assert isinstance(handed, OutgoingMedia) and handed.file is not None
            assert (handed.mimetype, handed.size, handed.name) == ("application/pdf", kept.size, "bill.pdf")
            assert Path(handed.file).read_bytes() == files.pdf(5000)

    run(tmp_path, scenario)


@pytest.mark.parametrize(
    ("outgoing", "field"),
    [
        (OutgoingMedia(TO, "image", "med_other"), "image.mediaId"),
        (OutgoingMedia(TO, "image", "pdf"), "image.mediaId"),
        (OutgoingMedia(TO, "image", "pdf", URL), "image.mediaId"),
        (OutgoingMedia(TO, "image"), "image.mediaId"),
        (OutgoingMedia(TO, "image", None, "http://127.0.0.1/"), "image.url"),
        (OutgoingMedia(TO, "image", None, "https://u:secret@example.com/"), "image.url"),
        (OutgoingMedia(TO, "sticker", "large"), "sticker.mediaId"),
    ],
    ids=["unknown", "another type", "both", "neither", "private", "credentials", "too large"],
)
def test_certain_mistakes(tmp_path: Path, outgoing: OutgoingMedia, field: str) -> None:
    """What can't become a message is refused at once, by the name of its field, without repeating it."""

    async def scenario(room: FleetRoom) -> None:
        bot = await linked(room)
        large = files.picture("WEBP")[:100] + b"\x00" * 1_100_000
        ids = {"pdf": await upload(room, bot, files.pdf()), "large": await upload(room, bot, large)}
        named = ids.get(outgoing.media or "")
        meant = msgspec.structs.replace(outgoing, media=named.media_id if named else outgoing.media)
        with pytest.raises(Refused) as refused:
            await room.outbox.submit(USER, bot, meant)
        assert (refused.value.code, refused.value.field) == ("invalid_field", field)
        assert "secret" not in refused.value.message and "127.0" not in refused.value.message

    run(tmp_path, scenario)


def test_limits(tmp_path: Path) -> None:
    """An upload beyond its kind's limit, the bot's room, or without bytes is refused, and leaves nothing."""

    async def scenario(room: FleetRoom) -> None:
        bot = await linked(room)
        cases: list[tuple[bytes, FileKind | None, str]] = [
            (b"x" * 1_100_000, "sticker", "payload_too_large"),
            (b"", None, "invalid_field"),
            (files.pdf(), "image", "invalid_field"),
        ]
        for data, kind, code in cases:
            with pytest.raises(Refused) as refused:
                await upload(room, bot, data, kind=kind)
            assert refused.value.code == code
        room.fleet.files._max_bytes = 3000
        await upload(room, bot, b"x" * 2000)
        with pytest.raises(Refused) as refused:
            await upload(room, bot, b"x" * 2000)
        assert refused.value.code == "media_full"
        assert len(room.fleet.files._stored.all()) == 1
        with pytest.raises(Refused):
            await room.media.get("eve", bot, "med_1")

    run(tmp_path, scenario)


def test_an_address_is_fetched_first(tmp_path: Path) -> None:
    """A send by address is handed over once its file is there; other chats go on meanwhile, its own waits; the file is
    private to it and goes with it."""

    async def scenario(room: FleetRoom) -> None:
        bot = await linked(room)
        fetcher = ScriptedFetcher(files.pdf(5000))
        room.fleet.files._fetcher = fetcher  # type: ignore[assignment]
        fetcher.go.clear()
        job = await room.outbox.submit(USER, bot, OutgoingMedia(TO, "document", None, URL))
        behind = await room.outbox.submit(USER, bot, OutgoingText(TO, "after it"))
        other = await room.outbox.submit(USER, bot, OutgoingText("+4915199999999", "elsewhere"))
        assert (await ended(room, bot, other)).state == "sent"
        assert [sent[2] for sent in room.host.sends] == [other.id]
        fetcher.go.set()
        assert (await ended(room, bot, job)).state == "sent"
        assert (await ended(room, bot, behind)).state == "sent"
        assert [sent[2] for sent in room.host.sends] == [other.id, job.id, behind.id]
        handed = room.host.outgoing[job.id]
        assert isinstance(handed, OutgoingMedia) and handed.url is None and handed.name == "a bill.pdf"
        assert handed.mimetype == "application/pdf"
        await settle()
        assert room.fleet.files._stored.all() == [] and not Path(handed.file or "").exists()
        log = b"".join(event.data for event in await room.events())
        assert b"signature" not in log

    run(tmp_path, scenario)


def test_an_address_that_fails(tmp_path: Path) -> None:
    """A failure that may pass is tried again, four times in all, then the send fails with the reason; one that will not
    pass fails at once; what comes behind goes on."""

    async def scenario(room: FleetRoom) -> None:
        bot = await linked(room)
        for failure, asked in ((FetchFailed("It answered 503.", again=True), 4), (FetchFailed("It answered 404."), 1)):
            fetcher = ScriptedFetcher(failure)
            room.fleet.files._fetcher = fetcher  # type: ignore[assignment]
            job = await room.outbox.submit(USER, bot, OutgoingMedia(TO, "image", None, URL))
            behind = await room.outbox.submit(USER, bot, OutgoingText(TO, "after it"))
            failed = await room.outbox.wait(USER, bot, job.id, 200)
            assert failed.state == "failed" and failed.error is not None
            assert (failed.error.code, failed.error.text) == ("media_failed", failure.text)
            assert fetcher.asked == asked
            assert (await ended(room, bot, behind)).state == "sent"

    run(tmp_path, scenario)


def test_an_address_with_the_wrong_file(tmp_path: Path) -> None:
    """What is fetched is held to its kind's type and size, and nothing of a wrong one is kept."""

    async def scenario(room: FleetRoom) -> None:
        bot = await linked(room)
        cases = [
            (
                b"<html>log in first</html>",
                "image",
                "The file is application/x-odd; image takes image/jpeg or image/png.",
            ),
            (b"", "document", "The file is empty."),
            (files.picture("WEBP")[:100] + b"x" * 1_100_000, "sticker", "A file of kind sticker has at most 1 MB."),
        ]
        for data, kind, text in cases:
            room.fleet.files._fetcher = ScriptedFetcher(data)  # type: ignore[assignment]
            job = await room.outbox.submit(USER, bot, OutgoingMedia(TO, kind, None, URL))  # type: ignore[arg-type]
            failed = await ended(room, bot, job)
            assert failed.error is not None and failed.error.text == text
        assert room.fleet.files._stored.all() == []

    run(tmp_path, scenario)


def test_a_crash_during_a_fetch(tmp_path: Path) -> None:
    """The next process fetches again what was not there; what was there is still sent; leftovers are swept."""

    async def scenario(room: FleetRoom) -> None:
        bot = await linked(room)
        fetcher = ScriptedFetcher(files.pdf())
        room.fleet.files._fetcher = fetcher  # type: ignore[assignment]
        fetcher.go.clear()
        first = await room.outbox.submit(USER, bot, OutgoingMedia(TO, "document", None, URL))
        kept = await upload(room, bot, files.mp4())
        second = await room.outbox.submit(USER, bot, OutgoingMedia("+4915199999999", "video", kept.media_id))
        sends = room.host.on_send
        room.host.on_send = lambda *_: NotSent("media")
        orphan = ScriptedFetcher(files.pdf())
        room.fleet.files._fetcher = orphan  # type: ignore[assignment]
        stored = await room.fleet.files.fetch(bot, OutgoingMedia(TO, "document", None, URL))
        assert orphan.asked == 1
        await room.kill()
        room.host.on_send = sends
        room.host.on_start = lambda bot: room.host.tell(bot, Connected(account()))
        await room.load()
        room.fleet.files._fetcher = ScriptedFetcher(files.pdf())  # type: ignore[assignment]
        room.host.recover()
        room.fleet.begin()
        for job in (first, second):
            assert (await sent_by_threads(room, bot, job)).state == "sent"
        await settle(20)
        assert [one.id for one in room.fleet.files._stored.all()] == [kept.media_id]
        assert not room.fleet.files._stored.path(bot, stored.id).exists()

    run(tmp_path, scenario)


def test_sweeping(tmp_path: Path) -> None:
    """An expired file can't be named any more; it is erased a little later, unless a send still waits with it."""

    async def scenario(room: FleetRoom) -> None:
        bot = await linked(room)
        needed, other = await upload(room, bot, files.pdf()), await upload(room, bot, files.pdf())
        both = {needed.media_id, other.media_id}
        room.fleet.files.clock = Ahead(room.clock, KEEP_MS + 1)
        with pytest.raises(Refused):
            await room.outbox.submit(USER, bot, OutgoingMedia(TO, "document", needed.media_id))
        with pytest.raises(Refused):
            await room.media.get(USER, bot, needed.media_id)
        await room.fleet.files.sweep([(bot, needed.media_id)], [bot])
        assert {one.id for one in room.fleet.files._stored.all()} == both
        room.fleet.files.clock = Ahead(room.clock, KEEP_MS + GRACE_MS + 1)
        await room.fleet.files.sweep([(bot, needed.media_id)], [bot])
        assert {one.id for one in room.fleet.files._stored.all()} == {needed.media_id}
        await room.fleet.files.sweep([], [bot])
        assert room.fleet.files._stored.all() == []

    run(tmp_path, scenario)
