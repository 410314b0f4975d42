"""How much a client that acknowledges may have unacknowledged: frames, bytes, and how long a full window may stand.

Pure: sizes and times go in, answers come out; no socket, no task, no clock. What does not fit stays in the bus, which is
the buffer. It must never know what a frame holds or how it is sent. `pump.py` asks it before each durable frame.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class WindowLimits:
    """The numbers of the contract."""

    frames: int = 256
    max_bytes: int = 512 * 1024
    patience_s: float = 30.0
    """A full window without an acknowledgement for this long has earned its socket `slow_consumer`."""
    away_s: float = 1.0
    """Time between two looks beyond which this process itself did not run: it counts against nobody."""


class Window:
    """The durable frames of one socket that are sent and not acknowledged. Look at a full one more often than `away_s`."""

    __slots__ = ("_bytes", "_limits", "_looked", "_newest", "_unacknowledged", "_waited_s")

    def __init__(self, limits: WindowLimits) -> None:
        self._limits = limits
        self._unacknowledged: deque[tuple[int, int]] = deque()  # (seq, bytes), oldest first
        self._bytes = 0
        self._newest = 0
        self._looked: float | None = None
        self._waited_s = 0.0

    @property
    def frames(self) -> int:
        """Frames sent and not acknowledged."""
        return len(self._unacknowledged)

    @property
    def unacknowledged_bytes(self) -> int:
        """Bytes sent and not acknowledged."""
        return self._bytes

    def begin(self, seq: int) -> None:
        """Delivery begins, or begins again, after this position: what was sent before is not waited for any more."""
        self._unacknowledged.clear()
        self._bytes = 0
        self._newest = seq
        self._rest()

    def fits(self, size: int) -> bool:
        """Tell whether a frame of this size may be sent; one that is larger than the whole window goes alone.

        Size 0 asks whether the window is not full.
        """
        if not self._unacknowledged:
            return True
        limits = self._limits
        return len(self._unacknowledged) < limits.frames and self._bytes + size <= limits.max_bytes

    def sent(self, seq: int, size: int) -> None:
        """A frame has been handed over for sending. `seq` rises from call to call."""
        self._unacknowledged.append((seq, size))
        self._bytes += size
        self._newest = seq

    def acknowledged(self, seq: int) -> bool:
        """The client has everything up to `seq`; tell whether that frees anything.

        A position that was never sent frees nothing: the client cannot have it.
        """
        if seq > self._newest:
            return False
        freed = False
        while self._unacknowledged and self._unacknowledged[0][0] <= seq:
            self._bytes -= self._unacknowledged.popleft()[1]
            freed = True
        if freed:
            self._rest()
        return freed

    def full(self, now: float) -> bool:
        """Note that the window is full at this moment; tell whether the client's time is up."""
        if self._looked is not None:
            gap_s = now - self._looked
            if gap_s <= self._limits.away_s:
                self._waited_s += gap_s
        self._looked = now
        return self._waited_s >= self._limits.patience_s

    def _rest(self) -> None:
        self._looked = None
        self._waited_s = 0.0
