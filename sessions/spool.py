"""Raw events on disk until the journal has them: one worker's append-only spool.

Owns a directory of segment files and their record format. It must never know what an event means, the library or the
supervisor; it gives records back exactly as they were put in. What one `write` handed to the kernel survives the death
of this process and of the supervisor; against power loss the journal is the durable place (the spool is not fsynced:
an event waits here for milliseconds). Read `translate.py` next for what the records hold.
"""

from __future__ import annotations

import errno
import os
import secrets
import struct
import threading
import time
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

DEFAULT_SEGMENT_BYTES = 4 * 1024 * 1024
SLACK_BYTES = 8 * 1024 * 1024
"""Room above the limit for what still comes in the second it takes to disconnect, and for outcomes of sends in flight."""

LOW_DISK_BYTES = 16 * 1024 * 1024
"""Less than this left on the disk counts as a full spool: what the library has in hand by then still needs room."""

_SEGMENT_MAGIC = b"WASPOOL1"
_SALT_BYTES = 8
_HEADER_BYTES = len(_SEGMENT_MAGIC) + _SALT_BYTES
_FRAME = struct.Struct("<4sII")
"""First half of the segment's salt, length of the body, CRC-32 of the body seeded with the salt's other half. The salt
is random, so nothing a stranger can put into a message passes for a record when the reader has to look for the next."""
_BODY = struct.Struct("<iQQBB")
"""Kind, ordinal, milliseconds since the epoch, length of the bot's id, length of the incarnation's."""
_MAX_BODY_BYTES = 256 * 1024 * 1024


class SpoolFull(OSError):
    """The spool is over its limit and its slack: nothing was written. Disconnect, so that WhatsApp keeps what comes."""

    def __init__(self, size: int, limit: int) -> None:
        super().__init__(errno.ENOSPC, f"the spool holds {size} bytes; its limit is {limit}")


@dataclass(frozen=True, slots=True)
class Record:
    """One event as it was put in."""

    bot: str
    incarnation: str
    ordinal: int
    """Rises by one within the incarnation, from 1."""
    at_ms: int
    """Wall clock when it was written."""
    kind: int
    """The library's event number, or one of our own (`kinds.py`)."""
    raw: bytes


@dataclass(frozen=True, slots=True)
class Damage:
    """Bytes of a segment that hold no whole record: a torn tail after a crash, or a bad disk."""

    segment: str
    offset: int
    length: int


@dataclass(slots=True)
class _Segment:
    path: Path
    size: int
    highest: dict[str, int] = field(default_factory=dict)
    """Per incarnation, the highest ordinal in this segment."""


class Spool:
    """The spool of one worker. Threads may append at once; records lie in the order of their ordinals."""

    def __init__(
        self, directory: Path, max_bytes: int, segment_bytes: int, wall_ms: Callable[[], int], old: list[_Segment]
    ) -> None:
        """Use `open`; `old` is what earlier writers left, in order."""
        self._directory = directory
        self._max_bytes = max_bytes
        self._segment_bytes = segment_bytes
        self._wall_ms = wall_ms
        self._lock = threading.Lock()
        self._closed = [segment for segment in old if segment.highest]
        self._closed_bytes = sum(segment.size for segment in self._closed)
        self._number = max((int(segment.path.stem) for segment in old), default=0)
        self._last: dict[str, int] = {}
        self._marks: dict[str, int] = {}
        for segment in old:
            for incarnation, ordinal in segment.highest.items():
                self._last[incarnation] = max(ordinal, self._last.get(incarnation, 0))
        self._ids: dict[tuple[str, str], bytes] = {}
        self._fd = -1
        self._active = _Segment(directory, 0)
        self._roll()

    @classmethod
    def open(
        cls,
        directory: str | Path,
        max_bytes: int,
        *,
        segment_bytes: int | None = None,
        wall_ms: Callable[[], int] = lambda: time.time_ns() // 1_000_000,
    ) -> Spool:
        """Open the spool in `directory` (made, mode 0700), keeping what is there; files are 0600.

        An incarnation is written by one worker only: ordinals of one that was committed whole are not remembered here.

        Raises:
            OSError: the directory or its first file can't be written.
        """
        path = Path(directory)
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        size = segment_bytes or min(DEFAULT_SEGMENT_BYTES, max(max_bytes // 8, 4096))
        return cls(path, max_bytes, size, wall_ms, [_survey(segment) for segment in _segments(path)])

    @property
    def size_bytes(self) -> int:
        """What the segments hold now, committed records included until their segment is freed."""
        return self._closed_bytes + self._active.size

    @property
    def full(self) -> bool:
        """At or over the limit, or the disk nearly full: time to disconnect. `append` still takes `SLACK_BYTES` more, if
        the disk does."""
        return self.size_bytes >= self._max_bytes or self._disk_is_low()

    def append(self, bot: str, incarnation: str, kind: int, raw: bytes) -> tuple[int, int]:
        """Write one record; when this returns, the record survives the death of the process.

        Returns:
            (ordinal, at_ms) of the record.

        Raises:
            SpoolFull: over limit and slack. Nothing was written, the ordinal is not used up.
            OSError: the disk refused. Nothing that a reader would take for a record was left behind.
        """
        ids = self._ids.get((bot, incarnation)) or self._encode_ids(bot, incarnation)
        with self._lock:
            if self._fd < 0:
                raise OSError(errno.EBADF, "the spool is closed")
            at_ms = self._wall_ms()
            ordinal = self._last.get(incarnation, 0) + 1
            body = _BODY.pack(kind, ordinal, at_ms, len(bot), len(incarnation)) + ids + raw
            frame = _FRAME.pack(self._magic, len(body), zlib.crc32(body, self._seed)) + body
            if self._closed_bytes + self._active.size + len(frame) > self._max_bytes + SLACK_BYTES:
                raise SpoolFull(self.size_bytes, self._max_bytes)
            if self._active.size + len(frame) > self._segment_bytes and self._active.highest:
                self._roll()
                frame = _FRAME.pack(self._magic, len(body), zlib.crc32(body, self._seed)) + body
            self._write(frame)
            self._active.size += len(frame)
            self._active.highest[incarnation] = ordinal
            self._last[incarnation] = ordinal
            return ordinal, at_ms

    def committed(self, incarnation: str, ordinal: int) -> None:
        """Everything of this incarnation up to `ordinal` is in the journal: free the segments that hold nothing else.

        Raises:
            OSError: a file could not be removed or emptied; calling again later is enough.
        """
        with self._lock:
            if ordinal <= self._marks.get(incarnation, 0):
                return
            self._marks[incarnation] = ordinal
            keep: list[_Segment] = []
            for segment in self._closed:
                if self._is_free(segment):
                    segment.path.unlink(missing_ok=True)
                    self._closed_bytes -= segment.size
                else:
                    keep.append(segment)
            self._closed = keep
            if self._active.highest and self._is_free(self._active):
                os.ftruncate(self._fd, _HEADER_BYTES)
                self._active.size = _HEADER_BYTES
                self._active.highest.clear()

    def forget(self, incarnation: str) -> None:
        """Drop what is remembered about an incarnation that has ended. Its records stay until they are committed."""
        with self._lock:
            if not any(incarnation in segment.highest for segment in [*self._closed, self._active]):
                self._last.pop(incarnation, None)
                self._marks.pop(incarnation, None)
            for key in [key for key in self._ids if key[1] == incarnation]:
                del self._ids[key]

    def close(self) -> None:
        """Close the file; an empty spool leaves no segment behind. Appending afterwards raises OSError."""
        with self._lock:
            if self._fd < 0:
                return
            os.close(self._fd)
            self._fd = -1
            if not self._active.highest:
                self._active.path.unlink(missing_ok=True)

    def _disk_is_low(self) -> bool:
        try:
            disk = os.statvfs(self._directory)
        except OSError:
            return False  # whether it takes a record is for the next write to say
        return disk.f_bavail * disk.f_frsize < LOW_DISK_BYTES

    def _is_free(self, segment: _Segment) -> bool:
        return all(self._marks.get(incarnation, 0) >= last for incarnation, last in segment.highest.items())

    def _encode_ids(self, bot: str, incarnation: str) -> bytes:
        ids = bot.encode("ascii") + incarnation.encode("ascii")
        self._ids[bot, incarnation] = ids
        return ids

    def _write(self, frame: bytes) -> None:
        written = os.write(self._fd, frame)
        if written == len(frame):
            return
        # A disk that fills up mid-record writes short. The rest of a record must not follow another one.
        try:
            os.ftruncate(self._fd, self._active.size)
        except OSError:
            self._active.size += written
            self._roll()
        raise OSError(errno.ENOSPC, "the spool's disk took only a part of a record")

    def _roll(self) -> None:
        """Start a new segment; the present one, if any, is only read and removed from now on."""
        number = self._number + 1
        path = self._directory / f"{number:08d}.seg"
        salt = secrets.token_bytes(_SALT_BYTES)
        fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC, 0o600)
        try:
            if os.write(fd, _SEGMENT_MAGIC + salt) != _HEADER_BYTES:
                raise OSError(errno.ENOSPC, "the spool's disk took only a part of a segment's header")
        except OSError:
            os.close(fd)
            path.unlink(missing_ok=True)
            raise
        if self._fd >= 0:
            os.close(self._fd)
            self._closed.append(self._active)
            self._closed_bytes += self._active.size
        self._fd, self._number = fd, number
        self._magic, self._seed = _keys(salt)
        self._active = _Segment(path, _HEADER_BYTES)


def read(directory: str | Path, on_damage: Callable[[Damage], None] | None = None) -> Iterator[Record]:
    """Yield every whole record of a spool, in the order it was written.

    Committed records may be among them (the journal knows those by their ordinal). Damage is skipped: the reader looks
    for the next whole record of the same segment, and tells `on_damage` what it could not use. A missing directory is
    an empty spool. A spool that is being written may be read too: every record whose append returned before the call
    and that isn't committed meanwhile comes; the one being written may look like damage.

    Raises:
        OSError: a segment can't be read.
    """
    for path in _segments(Path(directory)):
        try:
            data = path.read_bytes()
        except FileNotFoundError:
            continue  # freed since the directory was listed: all of it is committed
        for item in _scan(path.name, data):
            if isinstance(item, Record):
                yield item
            elif on_damage is not None:
                on_damage(item)


def _segments(directory: Path) -> list[Path]:
    if not directory.is_dir():
        return []
    return sorted(path for path in directory.glob("*.seg") if path.stem.isdecimal())


def _survey(path: Path) -> _Segment:
    data = path.read_bytes()
    segment = _Segment(path, len(data))
    for item in _scan(path.name, data):
        if isinstance(item, Record):
            segment.highest[item.incarnation] = max(item.ordinal, segment.highest.get(item.incarnation, 0))
    return segment


def _keys(salt: bytes) -> tuple[bytes, int]:
    return salt[:4], int.from_bytes(salt[4:], "little")


def _scan(name: str, data: bytes) -> Iterator[Record | Damage]:
    if len(data) < _HEADER_BYTES or not data.startswith(_SEGMENT_MAGIC):
        if data:
            yield Damage(name, 0, len(data))
        return
    magic, seed = _keys(data[len(_SEGMENT_MAGIC) : _HEADER_BYTES])
    at = _HEADER_BYTES
    while at < len(data):
        found = _record_at(data, at, magic, seed)
        if found is not None:
            record, at = found
            yield record
            continue
        after = data.find(magic, at + 1)
        while after >= 0 and _record_at(data, after, magic, seed) is None:
            after = data.find(magic, after + 1)
        end = after if after >= 0 else len(data)
        yield Damage(name, at, end - at)
        at = end


def _record_at(data: bytes, at: int, magic: bytes, seed: int) -> tuple[Record, int] | None:
    start = at + _FRAME.size
    if start > len(data):
        return None
    found, length, crc = _FRAME.unpack_from(data, at)
    end = start + length
    if found != magic or not _BODY.size <= length <= _MAX_BODY_BYTES or end > len(data):
        return None
    body = data[start:end]
    if zlib.crc32(body, seed) != crc:
        return None
    kind, ordinal, at_ms, bot_length, incarnation_length = _BODY.unpack_from(body)
    bot_end = _BODY.size + bot_length
    raw_start = bot_end + incarnation_length
    try:
        bot, incarnation = body[_BODY.size : bot_end].decode("ascii"), body[bot_end:raw_start].decode("ascii")
    except UnicodeDecodeError:
        return None
    return Record(bot, incarnation, ordinal, at_ms, kind, body[raw_start:]), end
