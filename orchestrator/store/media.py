"""Files that wait to be sent, on disk: `media/<bot>/<id>` and, beside it, what is known of it as JSON.

Owns writing, finding and erasing; it must never know a user, a send, or what a file holds. A file counts from the moment
its JSON is there, which is written last and moved into place: a crash before that leaves bytes that `load` removes.
Everything here that touches the disk runs in threads; the index is in memory. Read `orchestrator/bots/media.py` next for
who may have a file and how long it is kept.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import re
import shutil
from collections.abc import Callable, Iterable
from pathlib import Path
from types import TracebackType
from typing import Any, TypeVar

import msgspec

from orchestrator.errors import Refused

T = TypeVar("T")

_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}", re.ASCII)
_KNOWN = ".json"


class StoredMedia(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    """One whole file."""

    id: str
    bot: str
    mimetype: str
    size: int
    at: int
    expires_at: int
    name: str | None = None
    once: bool = False
    """Fetched for one send: nobody else may name it, and it goes with that send."""


class MediaFiles:
    """All files of all bots. Methods that change raise Refused `storage_unavailable` when the disk refuses."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._index: dict[str, dict[str, StoredMedia]] = {}
        self._writing: dict[str, int] = {}
        """Bytes under way, by bot."""

    async def load(self) -> None:
        """Find what is there; remove what never became whole. Once, before anything else."""
        if self._is_there():
            self._index = await asyncio.to_thread(self._load)

    def _is_there(self) -> bool:
        return self._directory.is_dir()

    def _load(self) -> dict[str, dict[str, StoredMedia]]:
        found: dict[str, dict[str, StoredMedia]] = {}
        for folder in self._directory.iterdir():
            if not folder.is_dir():
                continue
            for path in list(folder.iterdir()):
                stored = self._known(path) if path.suffix == _KNOWN else None
                if stored is not None:
                    found.setdefault(stored.bot, {})[stored.id] = stored
            kept = {name for one in found.get(folder.name, {}) for name in (one, one + _KNOWN)}
            for path in list(folder.iterdir()):
                if path.name not in kept:
                    path.unlink(missing_ok=True)
        return found

    def _known(self, path: Path) -> StoredMedia | None:
        """Read what is known of a file; None when it is not whole."""
        try:
            stored = msgspec.json.decode(path.read_bytes(), type=StoredMedia)
            whole = path.with_suffix("").stat().st_size == stored.size
        except (OSError, msgspec.MsgspecError):
            return None
        return stored if whole and (stored.bot, stored.id) == (path.parent.name, path.stem) else None

    # --- looking ---

    def get(self, bot: str, media: str) -> StoredMedia | None:
        """Return what is known of a whole file."""
        return self._index.get(bot, {}).get(media)

    def all(self) -> list[StoredMedia]:
        """Return every whole file."""
        return [stored for files in self._index.values() for stored in files.values()]

    def used(self, bot: str) -> int:
        """Return how many bytes a bot has here, with those under way."""
        return sum(stored.size for stored in self._index.get(bot, {}).values()) + self._writing.get(bot, 0)

    def path(self, bot: str, media: str) -> Path:
        """Return where a file lies."""
        assert _NAME.fullmatch(bot) and _NAME.fullmatch(media), "files have names of our own making"
        return (self._directory / bot / media).absolute()

    # --- changing ---

    def writer(self, bot: str, media: str) -> MediaWriter:
        """Begin a file; enter the writer."""
        return MediaWriter(self, self.path(bot, media), bot, media)

    async def erase(self, bot: str, media: str) -> None:
        """Remove a file; no trouble when it is gone."""
        files = self._index.get(bot, {})
        if files.pop(media, None) is not None and not files:
            self._index.pop(bot, None)
        await asyncio.to_thread(_unlink, self.path(bot, media))

    async def erase_bot(self, bot: str) -> None:
        """Remove everything of a bot."""
        assert _NAME.fullmatch(bot)
        self._index.pop(bot, None)
        if self._is_there():
            await asyncio.to_thread(shutil.rmtree, self._directory / bot, True)

    async def keep_bots(self, bots: Iterable[str]) -> None:
        """Remove what is left of bots that are none of these."""
        kept = set(bots)
        for bot in [bot for bot in self._index if bot not in kept]:
            await self.erase_bot(bot)

    def _hold(self, bot: str, size: int) -> None:
        self._writing[bot] = self._writing.get(bot, 0) + size
        if not self._writing[bot]:
            del self._writing[bot]

    def _put(self, stored: StoredMedia) -> None:
        self._index.setdefault(stored.bot, {})[stored.id] = stored


class MediaWriter:
    """Takes a file's bytes; without `finish` nothing is left of it."""

    def __init__(self, files: MediaFiles, path: Path, bot: str, media: str) -> None:
        """Use `MediaFiles.writer`."""
        self._files, self._path, self._bot, self._media = files, path, bot, media
        self._file: Any = None
        self._done = False
        self.size = 0
        self.digest = hashlib.sha256()

    async def __aenter__(self) -> MediaWriter:
        self._file = await _on_disk(self._open)
        return self

    def _open(self) -> Any:
        self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        return os.fdopen(os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb", buffering=0)

    async def write(self, chunk: bytes) -> None:
        """Append. The bytes count as the bot's from here on."""
        self.size += len(chunk)
        self._files._hold(self._bot, len(chunk))
        self.digest.update(chunk)
        await _on_disk(lambda: self._file.write(chunk))

    async def finish(self, stored: StoredMedia) -> StoredMedia:
        """Make the file whole and durable; it can be found from here on."""
        assert (stored.bot, stored.id, stored.size) == (self._bot, self._media, self.size)
        await _on_disk(lambda: self._commit(msgspec.json.encode(stored)))
        self._done = True
        self._files._put(stored)
        return stored

    def _commit(self, known: bytes) -> None:
        os.fsync(self._file.fileno())
        beside = self._path.with_suffix(".new")
        with os.fdopen(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
            file.write(known)
            file.flush()
            os.fsync(file.fileno())
        beside.rename(self._path.with_suffix(_KNOWN))
        folder = os.open(self._path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._files._hold(self._bot, -self.size)
        # Also for who is cancelled: the file is closed, and gone unless it is whole.
        await asyncio.shield(asyncio.to_thread(self._close))

    def _close(self) -> None:
        if self._file is not None:
            self._file.close()
            if not self._done:
                _unlink(self._path)


def _unlink(path: Path) -> None:
    # What is known goes first: bytes without it are nothing.
    for one in (path.with_suffix(_KNOWN), path.with_suffix(".new"), path):
        one.unlink(missing_ok=True)


async def _on_disk(work: Callable[[], T]) -> T:
    try:
        return await asyncio.to_thread(work)
    except OSError:
        raise Refused("storage_unavailable", retry_after_s=5.0) from None
