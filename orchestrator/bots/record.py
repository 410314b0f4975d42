"""What only the fleet knows of a bot, durably: which device file is current, the running attempt, proxy, histories.

Owns the records stored at `private/<bot>` and the pure rules about their histories. It must never know a session or
the bus. Read `fold.py` next for who changes them.
"""

from __future__ import annotations

from typing import Literal

import msgspec

HOUR_MS = 3_600_000


class Candidate(msgspec.Struct, frozen=True):
    """The link attempt that runs, or ran when the process ended: its file becomes current only at pair-success."""

    attempt: int
    """Rises with every attempt of the bot; what `link.attempt` shows."""
    file: str
    """File name under the bot's device directory; made by us."""
    method: Literal["qr", "code"] = "qr"
    phone: str | None = None
    """Digits to ask a pairing code for; only for `code`."""
    incarnation: str | None = None
    """The newest start of this attempt: only its pair-success is this file's."""
    offered: bool = False
    """A code was shown: the next try is a new attempt, with a file of its own."""


class Ending(msgspec.Struct, frozen=True):
    """How often in a row a session ended in one expected way, and when last."""

    count: int
    at_ms: int


class Private(msgspec.Struct, frozen=True):
    """The fleet's own record of one bot; times are wall milliseconds because they outlive the process."""

    device_file: str | None = None
    """Current device file; None when the bot is not linked."""
    account_jid: str | None = None
    """The device to log in as."""
    generation: int = 0
    """Rises when another account is linked; sends are bound to it."""
    candidate: Candidate | None = None
    expected_phone: str | None = None
    """Digits; another number that links is unlinked again. Holds for every attempt until a number is linked or the
    owner says otherwise; told to nobody, in no event and no log."""
    incarnation: str | None = None
    """The newest start: what a dead worker left of it still counts as this bot's present."""
    rejected: str | None = None
    """The newest incarnation that linked an account that must not stay: its content is nobody's to see here."""
    attempt: int = 0
    attempts_ms: tuple[int, ...] = ()
    """When a user asked for a link attempt, within the last hour."""
    proxy: str | None = None
    """May hold credentials: never logged, never shown."""
    proxy_proved: bool = True
    """False from the moment a proxy of the bot's own is set until a session connected through it."""
    endings: dict[str, Ending] = {}
    """By lifecycle row: expected endings that are retried only a few times (refused, replaced)."""
    account_phone: str | None = None
    """The last linked account, kept after a log-out: another one bumps `generation`."""


_private: msgspec.json.Decoder[Private] = msgspec.json.Decoder(Private)


def decode(value: bytes) -> Private:
    """Read a stored record. Members of a newer version are ignored, missing ones have their defaults."""
    return _private.decode(value)


def tries(attempts_ms: tuple[int, ...], limit: int, now_ms: int) -> tuple[int, int | None]:
    """Return how many link attempts are left this hour, and when the next one is given back (wall ms)."""
    recent = within(attempts_ms, now_ms, HOUR_MS)
    return max(0, limit - len(recent)), (min(recent) + HOUR_MS if recent else None)


def within(times_ms: tuple[int, ...], now_ms: int, window_ms: int) -> tuple[int, ...]:
    """Keep the times of the last `window_ms`; times of the future (the clock was set back) are dropped."""
    return tuple(at for at in times_ms if now_ms - window_ms < at <= now_ms)
