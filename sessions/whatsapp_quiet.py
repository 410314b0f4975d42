"""When a client that was disconnected has nothing more to tell, as far as that can be seen.

Owns the looks at it. It must never know the library. Read `whatsapp_session.py` next for who waits.
"""

from __future__ import annotations

import time

QUIET_LOOK_S, QUIET_LOOKS = 0.01, 5
"""After a disconnect, events still in the library's channel arrive one on the other: as many looks in a row at which
nothing had come are its end. Looks, not time: a busy machine may keep the whole process waiting for longer."""
LONG_QUIET_S = 0.5
"""Who has been silent for so long has nothing in the channel."""


class Quiet:
    """Tells when the channels of some clients are empty, as far as that can be seen."""

    def __init__(self) -> None:
        self._before: list[float | None] = []
        self._looks = 0

    def look(self, last_told_s: list[float | None]) -> bool:
        """Look once, `QUIET_LOOK_S` after the last look; True when nothing more is to be expected."""
        now_s = time.monotonic()
        if all(last_s is not None and now_s - last_s >= LONG_QUIET_S for last_s in last_told_s):
            return True
        still = last_told_s == self._before and None not in last_told_s
        self._before, self._looks = last_told_s, self._looks + 1 if still else 0
        return self._looks >= QUIET_LOOKS
