"""How many files one process uploads at once, and what it means that an upload failed.

Owns the room uploads take turns in: files are in memory whole, and a call the media host never answers never returns
(measured: the library sets no time limit on it), so both its memory and its thread count until it does. It must never
know a session. All methods belong to the loop's thread. Read `whatsapp_session.py` next for who waits here.
"""

from __future__ import annotations

import asyncio
import re
from collections import deque
from typing import Final

from sessions.model import NotSent, SendOutcome, SendRejected

MOST_BYTES: Final = 128 * 1024 * 1024
MOST: Final = 8


class UploadRoom:
    """Room for so many uploads and bytes; first come, first served. A file larger than all of it goes alone."""

    def __init__(self, most: int = MOST, most_bytes: int = MOST_BYTES) -> None:
        self._most, self._most_bytes = most, most_bytes
        self._count = self._bytes = 0
        self._waiting: deque[tuple[int, asyncio.Future[None]]] = deque()
        self.closed = False
        """Set from any thread when the process is about to end: nobody waits for an upload any longer."""

    async def enter(self, size: int) -> None:
        """Wait for room; `leave` must follow. Cancelled while waiting: nothing was taken."""
        if not self._waiting and self._fits(size):
            self._take(size)
            return
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((size, turn))
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                self.leave(size)
            else:
                self._waiting.remove((size, turn))
                self._next()
            raise

    def leave(self, size: int) -> None:
        """Give back what `enter` took."""
        self._count -= 1
        self._bytes -= size
        self._next()

    def _fits(self, size: int) -> bool:
        return self._count < self._most and (self._count == 0 or self._bytes + size <= self._most_bytes)

    def _take(self, size: int) -> None:
        self._count += 1
        self._bytes += size

    def _next(self) -> None:
        while self._waiting and self._fits(self._waiting[0][0]):
            size, turn = self._waiting.popleft()
            if not turn.done():
                self._take(size)
                turn.set_result(None)


_STATUS = re.compile(r"upload failed with status code (\d{3})\b")
_NEVER = frozenset({413, 415})
"""Answers of a media host that are about the file; all others may be about the moment."""


def failed(error: str) -> SendOutcome:
    """Read why an upload failed (whatsmeow upload.go). Nothing was sent, whatever it was."""
    status = _STATUS.search(error)
    if status is not None and int(status[1]) in _NEVER:
        return SendRejected("media_failed", int(status[1]))
    if error.startswith(("client is nil", "the store doesn't contain a device JID")):
        return NotSent("gone")
    if any(mark in error for mark in ("websocket not connected", "websocket disconnected", "frame socket is closed")):
        return NotSent("not_connected")
    return NotSent("media")
