"""Files on disk: whole or not there, for their owner only, and gone when they are erased."""

from __future__ import annotations

from pathlib import Path

import pytest

from orchestrator.errors import Refused
from orchestrator.store.media import MediaFiles, StoredMedia


async def _write(files: MediaFiles, media: str, data: bytes, *, bot: str = "bot_a", finish: bool = True) -> StoredMedia:
    stored = StoredMedia(media, bot, "a/b", len(data), 1, 2, "name.txt")
    async with files.writer(bot, media) as writer:
        for start in range(0, len(data), 3):
            await writer.write(data[start : start + 3])
        if finish:
            await writer.finish(stored)
    return stored


async def test_kept_over_a_restart(tmp_path: Path) -> None:
    """A finished file is found by the next process with all that is known of it; directory 0700, files 0600."""
    files = MediaFiles(tmp_path / "media")
    stored = await _write(files, "med_1", b"some bytes")
    assert files.get("bot_a", "med_1") == stored and files.used("bot_a") == 10
    again = MediaFiles(tmp_path / "media")
    await again.load()
    assert again.all() == [stored] and again.path("bot_a", "med_1").read_bytes() == b"some bytes"
    modes = {path.stat().st_mode & 0o777 for path in (tmp_path / "media" / "bot_a").iterdir()}
    assert modes == {0o600} and (tmp_path / "media" / "bot_a").stat().st_mode & 0o777 == 0o700


async def test_nothing_is_left_of_what_was_not_finished(tmp_path: Path) -> None:
    """A file that breaks off leaves nothing, in memory and on disk."""
    files = MediaFiles(tmp_path)
    await _write(files, "med_1", b"some bytes", finish=False)
    assert files.all() == [] and files.used("bot_a") == 0 and list((tmp_path / "bot_a").iterdir()) == []


async def test_what_a_crash_leaves_is_removed(tmp_path: Path) -> None:
    """Bytes without their JSON, JSON without its bytes, torn JSON and half bytes are all removed at the next start."""
    files = MediaFiles(tmp_path)
    for name in ("med_1", "med_2", "med_3", "med_4", "med_5"):
        await _write(files, name, b"some bytes")
    folder = tmp_path / "bot_a"
    (folder / "med_1.json").unlink()
    (folder / "med_2").unlink()
    (folder / "med_3.json").write_bytes(b'{"id":"med_3"')
    (folder / "med_4").write_bytes(b"some")
    (folder / "med_9.new").write_bytes(b"{}")
    again = MediaFiles(tmp_path)
    await again.load()
    assert [stored.id for stored in again.all()] == ["med_5"]
    assert sorted(path.name for path in folder.iterdir()) == ["med_5", "med_5.json"]


async def test_erasing(tmp_path: Path) -> None:
    """A file, a bot's files, and those of bots that are gone can be erased; what is gone is no trouble."""
    files = MediaFiles(tmp_path)
    for bot in ("bot_a", "bot_b", "bot_c"):
        await _write(files, "med_1", b"x", bot=bot)
    await files.erase("bot_a", "med_1")
    await files.erase("bot_a", "med_1")
    await files.erase_bot("bot_b")
    await files.keep_bots(["bot_a"])
    assert files.all() == [] and list(tmp_path.rglob("med_*")) == []


async def test_a_disk_that_refuses(tmp_path: Path) -> None:
    """A disk that can't be written to is told as such, and leaves nothing behind."""
    (tmp_path / "media").write_bytes(b"a file where the directory should be")
    files = MediaFiles(tmp_path / "media")
    with pytest.raises(Refused) as refused:
        await _write(files, "med_1", b"x")
    assert refused.value.code == "storage_unavailable" and files.used("bot_a") == 0
