"""A memory-mapped file in which a worker notes which bot is in the library, so that its supervisor can read it after
the worker's death.

Owns the file's layout. It must never know why a note is taken. The kernel keeps the page when the process is killed,
so a note costs one copy into memory and no system call. Read `worker.py` for the writer's end,
`orchestrator/supervisor/` for the reader's.
"""

from __future__ import annotations

import mmap
import os
import struct
import threading
import time
from collections import deque
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

UNKNOWN_BOT = ""
"""`Note.bot` when every slot was taken: somebody more was in the library, nobody knows who."""

DEFAULT_COUNT = 512
_MAGIC = b"WASLOT01"
_HEADER = struct.Struct("<8sII")
"""Magic, number of slots, how many are inside without a slot."""
_UNNOTED = struct.Struct("<I")
_UNNOTED_AT = 12
_SLOT = struct.Struct("<dBB64s38s")
"""Seconds of the machine's monotonic clock, two lengths, bot, operation. The byte before it says whether it is taken."""
_STRIDE = 128
_TAKEN = 1


@dataclass(frozen=True, slots=True)
class Note:
    """One bot that was inside."""

    bot: str
    operation: str
    since: float
    """Seconds of CLOCK_MONOTONIC, the same in every process of this boot: comparable with `time.monotonic()`."""


class Slots:
    """The writer's end. Threads may note at once; each note has a slot of its own."""

    def __init__(self, memory: mmap.mmap, count: int) -> None:
        """Use `create`."""
        self._memory = memory
        self._count = count
        # deque's pop and append are atomic: allocation needs no further lock, and a note never waits for another.
        self._free: deque[int] = deque(range(count))
        self._unnoted = 0
        self._unnoted_lock = threading.Lock()

    @classmethod
    def create(cls, path: str | Path, count: int = DEFAULT_COUNT) -> Slots:
        """Make (or empty) the file, mode 0600, with room for `count` notes at a time.

        Raises:
            OSError: the file can't be made.
        """
        fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        try:
            # Room is taken now: a page that finds none when it is first written to kills the process with SIGBUS.
            os.posix_fallocate(fd, 0, _STRIDE * (count + 1))
            memory = mmap.mmap(fd, _STRIDE * (count + 1))
        finally:
            os.close(fd)
        memory[: _HEADER.size] = _HEADER.pack(_MAGIC, count, 0)
        return cls(memory, count)

    def note(self, bot: str, operation: str) -> Held:
        """Note that `bot` goes into the library; leave the note with `clear()` or the end of the `with` block.

        Never fails and never waits; with all slots taken the fact alone is counted. Texts are cut at 64 and 38 bytes.
        """
        try:
            index = self._free.pop()
        except IndexError:
            self._count_unnoted(1)
            return Held(self, -1)
        bot_bytes, operation_bytes = bot.encode()[:64], operation.encode()[:38]
        at = _STRIDE * (index + 1)
        _SLOT.pack_into(
            self._memory, at + 1, time.monotonic(), len(bot_bytes), len(operation_bytes), bot_bytes, operation_bytes
        )
        # Last, so that a kill in between leaves an untaken slot rather than half a note.
        self._memory[at] = _TAKEN
        return Held(self, index)

    def notes(self) -> list[Note]:
        """What is noted now, for the worker's own heartbeat (the oldest callback that has not returned)."""
        return _notes(bytes(self._memory))

    def close(self) -> None:
        """Unmap the file. Notes taken before stay in it; none may be taken or cleared afterwards."""
        self._memory.close()

    @classmethod
    def read(cls, path: str | Path) -> list[Note]:
        """Return what was noted when the writer died, oldest first; empty for a missing, foreign or cut-off file."""
        try:
            return _notes(Path(path).read_bytes())
        except FileNotFoundError:
            return []

    def release(self, index: int) -> None:
        """Give a slot back; `Held` is the only caller."""
        if index < 0:
            self._count_unnoted(-1)
            return
        self._memory[_STRIDE * (index + 1)] = 0
        self._free.append(index)

    def _count_unnoted(self, change: int) -> None:
        with self._unnoted_lock:
            self._unnoted += change
            _UNNOTED.pack_into(self._memory, _UNNOTED_AT, self._unnoted)


class Held:
    """A note that is being held: `with slots.note(…):`, or `clear()` on the way out."""

    __slots__ = ("_index", "_slots")

    def __init__(self, slots: Slots, index: int) -> None:
        self._slots: Slots | None = slots
        self._index = index

    def clear(self) -> None:
        """Take the note back; idempotent."""
        slots, self._slots = self._slots, None
        if slots is not None:
            slots.release(self._index)

    def __enter__(self) -> Held:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.clear()


def _notes(data: bytes) -> list[Note]:
    if len(data) < _STRIDE or data[: len(_MAGIC)] != _MAGIC:
        return []
    _, count, unnoted = _HEADER.unpack_from(data)
    found: list[Note] = []
    for at in range(_STRIDE, min(_STRIDE * (count + 1), len(data) - _STRIDE + 1), _STRIDE):
        if data[at] == _TAKEN:
            since, bot_length, operation_length, bot, operation = _SLOT.unpack_from(data, at + 1)
            bot_text = bot[:bot_length].decode(errors="replace")
            found.append(Note(bot_text, operation[:operation_length].decode(errors="replace"), since))
    found.sort(key=lambda note: note.since)
    if unnoted:
        found.append(Note(UNKNOWN_BOT, "unnoted", found[-1].since if found else 0.0))
    return found
