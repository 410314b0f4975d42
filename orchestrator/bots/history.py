"""A bot's past as a fold over its status changes: days of half hours, and the half hours read from them. Pure.

Owns the record stored at `history/<bot>/<day>` and both directions: a change of status into the day it falls on, and
days into what a ribbon shows. A day is written only when something changed on it, so a bot that stays connected costs
nothing. It must never know the bus. Read `histories.py` for who reads and writes the values.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import cast

import msgspec

from orchestrator.ports.histories import SLOT_MS, BotHistory, HistorySlot, PastStatus

DAY_MS = 86_400_000
SLOTS_A_DAY = DAY_MS // SLOT_MS
KEEP_DAYS = 8
"""Today and the seven before it: `MOST_HOURS` reach into no earlier one."""
DISTURBED_MS = 60_000
"""Less than this does not make a half hour one of trouble."""
DOWN: PastStatus = "down"


class Day(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    """One day (UTC) of a bot on which something changed: everything from its midnight up to `until_ms`."""

    day: int
    """Days since the epoch."""
    was: PastStatus
    """The status at midnight, or the first one ever."""
    was_since_ms: int
    until_ms: int
    """The newest change on this day."""
    then: PastStatus
    """The status from then on, also through later days without a record."""
    slots: dict[int, dict[str, int]] = {}
    """By half hour of the day: how long the bot was what, ms, by status; up to `until_ms`."""
    restarts: dict[int, int] = {}
    """By half hour of the day: crashes of the session."""


def day_of(at_ms: int) -> int:
    """Return the number of the day (UTC) a time falls on."""
    return at_ms // DAY_MS


def changed(newest: Day | None, was: PastStatus, since_ms: int, at_ms: int, now: PastStatus) -> Day:
    """Fold one change of status in; return the day it falls on.

    Args:
        newest: The bot's newest record, of that day or an earlier one; None when there is none.
        was: The status that ends, in force since `since_ms`.
        at_ms: When it ended. A time before what is recorded (the clock was set back) counts as just then.
        now: The status that begins.
    """
    at_ms = max(at_ms, since_ms, newest.until_ms if newest is not None else 0)
    day = _opened(newest, was, since_ms, at_ms)
    slots = {slot: dict(spent) for slot, spent in day.slots.items()}
    for slot_at_ms, spent_ms in _pieces(max(since_ms, day.until_ms), at_ms):
        spent = slots.setdefault((slot_at_ms // SLOT_MS) % SLOTS_A_DAY, {})
        spent[was] = spent.get(was, 0) + spent_ms
    return msgspec.structs.replace(day, slots=slots, until_ms=at_ms, then=now)


def crashed(newest: Day | None, status: PastStatus, since_ms: int, at_ms: int, count: int) -> Day:
    """Fold crashes of the session in; return the day they fall on."""
    day = changed(newest, status, since_ms, at_ms, status)
    slot = (day.until_ms // SLOT_MS) % SLOTS_A_DAY
    return msgspec.structs.replace(day, restarts={**day.restarts, slot: day.restarts.get(slot, 0) + count})


def outlived(newest: Day | None, day: Day) -> range:
    """Return the days whose records nobody needs once `day` is written after `newest`."""
    if newest is None or newest.day == day.day:
        return range(0)
    return range(newest.day - KEEP_DAYS + 1, min(newest.day, day.day - KEEP_DAYS) + 1)


def _opened(newest: Day | None, was: PastStatus, since_ms: int, at_ms: int) -> Day:
    day = day_of(at_ms)
    if newest is not None and newest.day == day:
        return newest
    return Day(day, was, since_ms, max(since_ms, day * DAY_MS), was)


def _pieces(begin_ms: int, end_ms: int) -> Iterable[tuple[int, int]]:
    """Cut a span at the half hours: (begin of the half hour, ms of the span in it)."""
    while begin_ms < end_ms:
        slot_ms = begin_ms - begin_ms % SLOT_MS
        stop_ms = min(end_ms, slot_ms + SLOT_MS)
        yield slot_ms, stop_ms - begin_ms
        begin_ms = stop_ms


# --- reading -------------------------------------------------------------------------------------------------------


def first_slot_ms(hours: int, now_ms: int) -> int:
    """Return when the first of the half hours of a history begins."""
    return now_ms - now_ms % SLOT_MS - (hours * 3_600_000 // SLOT_MS - 1) * SLOT_MS


def needed(days: Iterable[int], hours: int, now_ms: int) -> set[int]:
    """Return which days' records a history needs: those it reaches into, and the one that tells what was before."""
    numbers = set(days)
    first = day_of(first_slot_ms(hours, now_ms))
    before = max((day for day in numbers if day < first), default=None)
    return {day for day in numbers if day >= first or day == before}


def read(bot: str, days: Iterable[Day], status: PastStatus, since_ms: int, hours: int, now_ms: int) -> BotHistory:
    """Return the last `hours` of a bot, ending with the half hour of `now_ms`.

    Args:
        bot: Its id.
        days: Its records, in any order; at least those that are `needed`.
        status: Its status now, in force since `since_ms`; what it was before that comes from the records.
        hours: 1 to `MOST_HOURS`.
        now_ms: Wall time.
    """
    count = hours * (3_600_000 // SLOT_MS)
    first_ms = first_slot_ms(hours, now_ms)
    found: list[dict[str, int]] = [{} for _ in range(count)]
    restarts = [0] * count

    def spend(what: str, begin_ms: int, end_ms: int) -> None:
        for slot_ms, spent_ms in _pieces(max(begin_ms, first_ms), end_ms):
            _add(found, (slot_ms - first_ms) // SLOT_MS, what, spent_ms)

    last: Day | None = None
    for day in sorted(days, key=lambda one: one.day):
        midnight_ms = day.day * DAY_MS
        spend(*((last.then, last.until_ms) if last is not None else (day.was, day.was_since_ms)), midnight_ms)
        for slot, spent in day.slots.items():
            index = (midnight_ms + slot * SLOT_MS - first_ms) // SLOT_MS
            if not 0 <= index < count:
                continue
            if found[index]:
                for what, spent_ms in spent.items():
                    _add(found, index, what, spent_ms)
            else:
                found[index] = dict(spent)
        for slot, crashes in day.restarts.items():
            index = (midnight_ms + slot * SLOT_MS - first_ms) // SLOT_MS
            if 0 <= index < count:
                restarts[index] += crashes
        last = day
    if last is not None:
        spend(last.then, last.until_ms, max(last.until_ms, since_ms) if last.then != status else now_ms)
    if last is None or last.then != status:
        spend(status, max(since_ms, last.until_ms if last is not None else 0), now_ms)
    slots = [
        HistorySlot(first_ms + index * SLOT_MS, shown(spent), spent, restarts[index])
        for index, spent in enumerate(found)
    ]
    return BotHistory(bot, SLOT_MS, slots, sum(restarts))


def _add(found: list[dict[str, int]], index: int, what: str, spent_ms: int) -> None:
    if 0 <= index < len(found):
        found[index][what] = found[index].get(what, 0) + spent_ms


def shown(spent: dict[str, int]) -> PastStatus | None:
    """Return what to show for a half hour; see `HistorySlot.status`."""
    troubles = {what: ms for what, ms in spent.items() if what != "connected"}
    if troubles and (sum(troubles.values()) > DISTURBED_MS or "connected" not in spent):
        return cast(PastStatus, max(troubles, key=lambda what: (troubles[what], what)))
    return "connected" if "connected" in spent else None
