"""The incident *client outdated* as a fold: WhatsApp refuses the library's version (405), so nobody starts. Pure.

It opens with the first bot that is refused, whatever its way: the version is the same everywhere. It ends when WhatsApp
accepts this version after all (a login, or a code on offer), or when a server starts with another version. Until then
one bot at a time tries again, now and then, as a circuit breaker does; running bots are not touched. It must never know
a process. Read `outages.py` for the shell that runs this.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import assert_never

TRY_EVERY_S = 900.0
"""Between two tries: an operator's upgrade ends the incident by itself, this is for a refusal that WhatsApp takes back."""
TRY_S = 60.0
"""A bot that was let through and tells nothing by then is held again; the next one is let through."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """The open incident."""

    id: str
    since_ms: int
    library: str | None
    """The version that is refused; None when no worker said it."""
    hit: tuple[str, ...] = ()
    """Bots that were refused, in order."""
    waiting: tuple[str, ...] = ()
    """Other bots whose start was held back."""
    trying: str | None = None
    tried_at: float = 0.0
    """When the last try began, or the refusal that opened it came."""
    turns: int = 0
    """How many tries there were: whose turn is next."""


@dataclass(frozen=True, slots=True)
class Refused:
    """WhatsApp refused this bot's version."""

    bot: str


@dataclass(frozen=True, slots=True)
class Accepted:
    """WhatsApp took this version: a bot logged in, or was offered a code."""


@dataclass(frozen=True, slots=True)
class HeldBack:
    """A start was refused because of this."""

    bot: str


@dataclass(frozen=True, slots=True)
class Reopened:
    """The server before this one left it open."""

    refusal: Refusal


@dataclass(frozen=True, slots=True)
class Tick:
    """Time passed."""


Input = Refused | Accepted | HeldBack | Reopened | Tick


@dataclass(frozen=True, slots=True)
class At:
    """When, with which library, and how a new incident would be called."""

    now: float
    """Seconds in which this process ran."""
    wall_ms: int
    library: str | None
    incident_id: str


def step(present: Refusal | None, happened: Input, at: At) -> Refusal | None:
    """Fold one input in; return what is open then, None when nothing is."""
    match happened:
        case Refused(bot):
            found = present or Refusal(at.incident_id, at.wall_ms, at.library, tried_at=at.now)
            hit = found.hit if bot in found.hit else (*found.hit, bot)
            trying = None if found.trying == bot else found.trying
            waiting = tuple(other for other in found.waiting if other != bot)
            return replace(found, hit=hit, waiting=waiting, trying=trying, library=found.library or at.library)
        case Accepted():
            return None
        case HeldBack(bot):
            if present is None or bot in present.hit or bot in present.waiting:
                return present
            return replace(present, waiting=(*present.waiting, bot))
        case Reopened(refusal):
            # A new start is worth a try at once.
            return replace(refusal, trying=None, tried_at=at.now - TRY_EVERY_S)
        case Tick():
            return _tick(present, at)
        case _:
            assert_never(happened)


def _tick(present: Refusal | None, at: At) -> Refusal | None:
    if present is None:
        return None
    if present.library is not None and at.library is not None and at.library != present.library:
        return None
    silent = present.trying is not None and at.now - present.tried_at >= TRY_S
    due = present.trying is None and at.now - present.tried_at >= TRY_EVERY_S
    candidates = (*present.hit, *present.waiting)
    if not (silent or due) or at.library is None or not candidates:
        return present
    turn = candidates[present.turns % len(candidates)]
    return replace(present, trying=turn, tried_at=at.now, turns=present.turns + 1)


def holds(present: Refusal | None, bot: str | None) -> bool:
    """Tell whether a start of this bot is held back."""
    return present is not None and (bot is None or bot != present.trying)
