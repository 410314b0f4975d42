"""Who may share a worker after a worker died: suspects come back alone, the rest together. Pure.

A worker's death counts against nobody by itself. Bots noted as being in the library when it died are suspects and get
a worker each; with no suspect the bots are split over two workers, and again, until the one that kills is alone. After
a clean hour a bot may share again. It must never know a process or a budget. Read `placement.py` next.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

CLEAN_S = 3_600.0


@dataclass(frozen=True, slots=True)
class Sentence:
    """How one bot is kept apart, and since when nothing happened around it."""

    group: str | None
    """Bots of one group share a worker among themselves only; None: alone."""
    since: float


@dataclass(frozen=True, slots=True)
class Quarantine:
    """The bots that are kept apart. Immutable; times are those of the `now` passed in."""

    sentences: Mapping[str, Sentence] = field(default_factory=dict)
    groups_made: int = 0


def after_death(state: Quarantine, bots: Iterable[str], suspects: Iterable[str], now: float) -> Quarantine:
    """Judge the bots of a worker that died by itself.

    Args:
        bots: all that were in the worker.
        suspects: those noted as being in the library; others than `bots` are ignored.
    """
    inside = sorted(set(bots))
    noted = set(suspects) & set(inside)
    sentences = dict(state.sentences)
    made = state.groups_made
    if len(inside) == 1:
        noted = set(inside)
    for bot in noted:
        sentences[bot] = Sentence(None, now)
    if not noted and inside:
        half = (len(inside) + 1) // 2
        for part in (inside[:half], inside[half:]):
            made += 1
            group = f"group{made}" if len(part) > 1 else None
            sentences.update(dict.fromkeys(part, Sentence(group, now)))
    return Quarantine(sentences, made)


def isolate(state: Quarantine, bot: str, now: float) -> Quarantine:
    """Keep one bot alone: its start or stop did not come to an end in time."""
    return Quarantine({**state.sentences, bot: Sentence(None, now)}, state.groups_made)


def sentence(state: Quarantine, bot: str, now: float) -> Sentence | None:
    """Return how the bot is kept apart now; None: it may share with anybody."""
    found = state.sentences.get(bot)
    return found if found is not None and now - found.since < CLEAN_S else None


def release(state: Quarantine, now: float) -> tuple[Quarantine, list[str]]:
    """Drop sentences with a clean hour behind them.

    Returns:
        (what is left, the bots that may share again, sorted).
    """
    over = sorted(bot for bot, found in state.sentences.items() if now - found.since >= CLEAN_S)
    if not over:
        return state, []
    left = {bot: found for bot, found in state.sentences.items() if now - found.since < CLEAN_S}
    return Quarantine(left, state.groups_made), over
