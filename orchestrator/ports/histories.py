"""What became of bots over time, as the page's ribbons show it.

Implemented by the bots' room; joined in `app.py`.
"""

from __future__ import annotations

from typing import Literal, Protocol

import msgspec

from orchestrator.model import Status

SLOT_MS = 1_800_000
"""A history tells in half hours, which begin at whole half hours UTC."""

MOST_HOURS = 168
"""How long a bot's history is kept."""

PastStatus = Status | Literal["down"]
"""A status, or `down`: the server itself did not run."""


class HistorySlot(msgspec.Struct, frozen=True):
    """One half hour of a bot."""

    at: int
    """When it began, ms."""
    status: PastStatus | None
    """What to show for it: what the bot was longest while it was not connected, when that was over a minute; else
    `connected`. None: there was no bot yet, or nothing is kept of it."""
    ms: dict[str, int]
    """How long the bot was what, ms, by status (or `down`)."""
    restarts: int
    """Crashes of its session."""


class BotHistory(msgspec.Struct, frozen=True, rename="camel"):
    """A bot's last hours in half hours, oldest first; the last one is not over yet."""

    bot_id: str
    slot_ms: int
    slots: list[HistorySlot]
    restarts: int
    """Of all of them."""


class Ribbon(msgspec.Struct, frozen=True, rename="camel"):
    """The same in short: what to show for each half hour."""

    bot_id: str
    since: int
    """When the first one began, ms."""
    statuses: list[PastStatus | None]
    restarts: int


class Histories(Protocol):
    """Status histories, durable like the statuses themselves. Implemented by `bots/histories.py`."""

    async def of(self, user: str, bot_id: str, hours: int) -> BotHistory:
        """Return one bot's last hours, 1 to `MOST_HOURS`. Refuses `not_found` for another user's bot."""
        ...

    async def ribbons(self, user: str, hours: int) -> list[Ribbon]:
        """Return the last hours of all of the user's bots."""
        ...
