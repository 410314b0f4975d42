"""Bots' histories on the bus: written by each mailbox in the transaction of the change itself, read by the user.

Owns the values at `history/<bot>/<day>`: bounded by the days that are kept, gone with the bot. It decides nothing. Read
`history.py` for the fold.
"""

from __future__ import annotations

import asyncio

import msgspec

from orchestrator.bots import history
from orchestrator.bots.history import DOWN, Day
from orchestrator.bus.bus import Bus, StatePut
from orchestrator.clock import Clock
from orchestrator.model import Bot, to_json
from orchestrator.ports import BotHistory, Fleet, Ribbon

_day: msgspec.json.Decoder[Day] = msgspec.json.Decoder(Day)

_NEEDS_US = frozenset({
    "starting", "awaiting_scan", "pairing", "connecting", "connected", "degraded", "reconnecting", "stopping",
})  # fmt: skip
"""What a bot cannot have been while no server ran."""


class Past:
    """One bot's history as its mailbox writes it."""

    def __init__(self, bot: str, newest: Day | None, seen_ms: int | None) -> None:
        """`newest` is the bot's newest record; `seen_ms` when the server before this one was last seen running."""
        self._bot = bot
        self._newest = newest
        self._seen_ms = seen_ms

    def moved(self, before: Bot, after: Bot, now_ms: int) -> tuple[StatePut, ...]:
        """Return what to write, in one transaction with the record `after` that follows on `before`."""
        newest, was, since_ms = self._newest, before.status, before.since
        crashes = after.restarts - before.restarts
        seen_ms, self._seen_ms = self._seen_ms, None
        if after.status == was and crashes <= 0:
            return ()
        if newest is not None and newest.then == was:
            since_ms = newest.until_ms
        if seen_ms is not None and was in _NEEDS_US and since_ms < seen_ms < now_ms:
            down = history.changed(newest, was, since_ms, seen_ms, DOWN)
            puts = self._put(down)
            return self._merged(puts, self._put(history.changed(down, DOWN, seen_ms, now_ms, after.status)))
        puts = ()
        if crashes > 0:
            puts = self._put(history.crashed(newest, was, since_ms, now_ms, crashes))
            newest, since_ms = self._newest, now_ms
        if after.status != was:
            puts = self._merged(puts, self._put(history.changed(newest, was, since_ms, now_ms, after.status)))
        return puts

    def _put(self, day: Day) -> tuple[StatePut, ...]:
        gone = history.outlived(self._newest, day)
        self._newest = day
        return (
            StatePut(_key(self._bot, day.day), to_json(day)),
            *(StatePut(_key(self._bot, old), None) for old in gone),
        )

    @staticmethod
    def _merged(first: tuple[StatePut, ...], second: tuple[StatePut, ...]) -> tuple[StatePut, ...]:
        """One put for each key: the later one."""
        return tuple({put.key: put for put in (*first, *second)}.values())


async def newest_days(bus: Bus) -> dict[str, Day]:
    """Read every bot's newest record, for start-up."""
    found: dict[str, Day] = {}
    async for _, key, value in bus.scan("history/"):
        bot, day = key.split("/")[1], _day.decode(value)
        if bot not in found or day.day > found[bot].day:
            found[bot] = day
    return found


class BotHistories:
    """Implements `ports.Histories`."""

    def __init__(self, bus: Bus, fleet: Fleet, clock: Clock) -> None:
        self._bus = bus
        self._fleet = fleet
        self._clock = clock

    async def of(self, user: str, bot_id: str, hours: int) -> BotHistory:
        bot = await self._fleet.bot(user, bot_id)
        values = (await self._bus.snapshot(user, f"history/{bot_id}/")).values
        return self._read(bot, {int(key.rpartition("/")[2]): value for key, value in values.items()}, hours)

    async def ribbons(self, user: str, hours: int) -> list[Ribbon]:
        _, bots = await self._fleet.bots(user)
        days: dict[str, dict[int, bytes]] = {}
        for key, value in (await self._bus.snapshot(user, "history/")).values.items():
            _, bot, day = key.split("/")
            days.setdefault(bot, {})[int(day)] = value
        found = []
        for number, one in enumerate(bots):
            if number % _AT_ONCE == 0:
                await asyncio.sleep(0)  # a thousand bots are a quarter of a second: others go on meanwhile
            read = self._read(one, days.get(one.id, {}), hours)
            found.append(Ribbon(one.id, read.slots[0].at, [slot.status for slot in read.slots], read.restarts))
        return found

    def _read(self, bot: Bot, days: dict[int, bytes], hours: int) -> BotHistory:
        now_ms = self._clock.wall_ms()
        decoded = [_day.decode(days[day]) for day in history.needed(days, hours, now_ms)]
        return history.read(bot.id, decoded, bot.status, bot.since, hours, now_ms)


_AT_ONCE = 25


def _key(bot: str, day: int) -> str:
    return f"history/{bot}/{day}"
