"""Who is there and who types, as one bot's owner is told: the newest of each, for a while, never a flood. Pure.

Owns the bounds: so many people and chats at once, so many changes in a while, repeats not at all. Nothing of it is
stored. Read `around.py` next.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass

import msgspec

from sessions.model import PresenceChanged

TYPING_MS = 25_000
"""WhatsApp's clients repeat "typing" every ten seconds or so and may stop without a word."""
STAYING_MS = 600_000
"""So long somebody's coming or going is worth telling a client that connects later."""
REPEAT_MS = 8_000
"""The same state again within this time is no news."""
PEOPLE_MOST = 256
"""(Chat, person) pairs remembered for one bot."""
BURST, PER_S = 40, 10.0
"""Changes told at once and on average; what is beyond is dropped."""


class PresenceData(msgspec.Struct, frozen=True, rename="camel"):
    """`data` of a `presence` frame."""

    chat: str
    chat_pn: str | None
    sender: str
    sender_pn: str | None
    state: str
    at: int
    expires_at: int
    """Nothing is known any more after this."""
    last_seen: int | msgspec.UnsetType = msgspec.UNSET


@dataclass(slots=True)
class _Last:
    state: str
    at_ms: int


class Presences:
    """What was told of one bot's people."""

    def __init__(self) -> None:
        self._last: OrderedDict[tuple[str, str], _Last] = OrderedDict()
        self._tokens = float(BURST)
        self._filled_ms = 0

    def told(self, event: PresenceChanged, at_ms: int, now_ms: int) -> PresenceData | None:
        """Take one change; return what is told of it, None when that is nothing."""
        pair = (event.chat, event.sender)
        last = self._last.pop(pair, None)
        if last is not None and last.state == event.state and now_ms - last.at_ms < REPEAT_MS:
            self._last[pair] = last
            return None
        if not self._allows(now_ms):
            return None
        self._last[pair] = _Last(event.state, now_ms)
        if len(self._last) > PEOPLE_MOST:
            self._last.popitem(last=False)
        lives_ms = TYPING_MS if event.state in {"typing", "recording", "paused"} else STAYING_MS
        seen = event.last_seen_ms if event.last_seen_ms is not None else msgspec.UNSET
        return PresenceData(
            event.chat, event.chat_pn, event.sender, event.sender_pn, event.state, at_ms, now_ms + lives_ms, seen
        )

    def _allows(self, now_ms: int) -> bool:
        self._tokens = min(float(BURST), self._tokens + max(0, now_ms - self._filled_ms) / 1000 * PER_S)
        self._filled_ms = now_ms
        if self._tokens < 1.0:
            return False
        self._tokens -= 1.0
        return True
