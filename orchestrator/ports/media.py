"""Files that wait to be sent, as REST sees them. Implemented by `bots/media.py`."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager
from typing import Protocol

import msgspec

from sessions.media import FileKind


class Media(msgspec.Struct, frozen=True, rename="camel"):
    """A file that was uploaded: name it as `mediaId` in any number of messages of its bot until it expires."""

    media_id: str
    mimetype: str
    """What its bytes say it is; what it was declared as where they say nothing."""
    size: int
    """Bytes."""
    name: str | None
    expires_at: int


class Incoming(Protocol):
    """A file on its way in; nothing is left of one that is not finished."""

    async def feed(self, chunk: bytes) -> None:
        """Take the next bytes, durable with `finish`. Refuses `payload_too_large`, `media_full`, `storage_unavailable`."""
        ...

    def digest(self) -> bytes:
        """SHA-256 of the bytes so far."""
        ...

    async def finish(self) -> Media:
        """Keep it, durably. Refuses `invalid_field` for an empty file or one its kind can't be, `storage_unavailable`."""
        ...


class MediaRoom(Protocol):
    """Uploaded files. Every method refuses `not_found` for another user's bot."""

    def receive(
        self, user: str, bot_id: str, *, declared: str | None, name: str | None, kind: FileKind | None, size: int | None
    ) -> AbstractAsyncContextManager[Incoming]:
        """Begin to take a file in.

        Args:
            declared: the media type its sender names.
            name: its file name, for a document that is given no other.
            kind: what it is meant for: its limits hold at once.
            size: how many bytes are announced.

        Refuses `payload_too_large`, `media_full`, `invalid_field`, `storage_unavailable`.
        """
        ...

    async def get(self, user: str, bot_id: str, media_id: str) -> Media:
        """Refuses `not_found`."""
        ...

    async def remove(self, user: str, bot_id: str, media_id: str) -> None:
        """Erase it; sends that wait for it fail. Refuses `not_found`, `storage_unavailable`."""
        ...
