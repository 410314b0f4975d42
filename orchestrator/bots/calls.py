"""One bot's calls as they go on: what an end means depends on what was told before. Pure.

Owns the memory of open calls, which is short and lost with the process: an end that nothing is remembered of is just an
end. Read `around.py` next.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import Literal

import msgspec

from sessions.model import CallChanged

OPEN_MOST = 64
"""Calls remembered; the eldest are forgotten first."""

Told = Literal["offer", "accepted_elsewhere", "ended", "missed"]


class CallData(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    """`data` of a `call` frame."""

    chat: str
    """The caller's chat, or the group that is called."""
    sender: str
    sender_pn: str | None
    from_me: bool
    call_id: str
    state: Told
    """`accepted_elsewhere`: on the phone or another linked device; `missed`: it ended and nobody had taken it."""
    video: bool | None
    group: bool
    at: int
    reason: str | msgspec.UnsetType = msgspec.UNSET


class Calls:
    """Open calls of one bot."""

    def __init__(self) -> None:
        self._open: OrderedDict[str, CallChanged] = OrderedDict()
        self._taken: set[str] = set()

    def told(self, event: CallChanged) -> CallData:
        """Take one event of a call; return what is told of it."""
        offer = event if event.state == "offer" else self._open.get(event.call_id)
        state = self._state(event, offered=offer is not None)
        match event.state:
            case "offer":
                self._open[event.call_id] = event
                if len(self._open) > OPEN_MOST:
                    self._forget(next(iter(self._open)))
            case "accepted":
                self._taken.add(event.call_id)
            case "ended":
                self._forget(event.call_id)
        group = offer.group if offer is not None else event.group
        return CallData(
            group or event.sender, event.sender, event.sender_pn, event.from_me, event.call_id, state,
            offer.video if offer is not None else event.video, group is not None, event.at_ms,
            event.reason or msgspec.UNSET,
        )  # fmt: skip

    def _state(self, event: CallChanged, *, offered: bool) -> Told:
        if event.state == "offer":
            return "offer"
        if event.state == "accepted" or event.reason == "accepted_elsewhere":
            return "accepted_elsewhere"
        missed = event.reason == "timeout" or (offered and event.reason != "rejected_elsewhere")
        return "missed" if missed and event.call_id not in self._taken and not event.from_me else "ended"

    def _forget(self, call_id: str) -> None:
        self._open.pop(call_id, None)
        self._taken.discard(call_id)
