"""A bot's past in half hours: the fold against a naive account of every second, and through deaths of the server."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.bots import history
from orchestrator.bots.histories import BotHistories, Past
from orchestrator.bots.history import DAY_MS, KEEP_DAYS, Day
from orchestrator.errors import Refused
from orchestrator.model import Bot
from orchestrator.ports import BotHistory
from orchestrator.ports.histories import MOST_HOURS, SLOT_MS, PastStatus
from sessions.model import Disconnected
from tests.support.fleet_room import USER, FleetRoom, linked, run, settle

NIGHT = 20_000 * DAY_MS
"""A midnight."""
STATUSES: list[PastStatus] = ["stopped", "starting", "connected", "reconnecting", "banned"]


def bot(status: Any, since_ms: int, restarts: int = 0) -> Bot:
    return Bot(
        id="bot_1", name="Shop", user_id=USER, status=status, since=since_ms, status_version=1, reason=None,
        user_action=None, retry_at=None, until=None, proved_at=None, desired="running", account=None, link=None,
        proxy=False, device_name="Bot", script=None, restarts=restarts, created_at=NIGHT,
    )  # fmt: skip


class Kept:
    """What a mailbox would have stored of one bot."""

    def __init__(self, since_ms: int = NIGHT, status: PastStatus = "stopped") -> None:
        self.bot = bot(status, since_ms)
        self.values: dict[str, Day] = {}
        self.past = Past("bot_1", None, None)

    def move(self, at_ms: int, status: Any, restarts: int | None = None) -> None:
        after = bot(
            status, at_ms if status != self.bot.status else self.bot.since,
            self.bot.restarts if restarts is None else restarts,
        )  # fmt: skip
        for put in self.past.moved(self.bot, after, at_ms):
            if put.value is None:
                self.values.pop(put.key, None)
            else:
                self.values[put.key] = msgspec.json.decode(put.value, type=Day)
        self.bot = after

    def die(self, seen_ms: int) -> None:
        """The server ends; the next one has what was stored."""
        newest = max(self.values.values(), key=lambda day: day.day, default=None)
        self.past = Past("bot_1", newest, seen_ms)

    def read(self, hours: int, now_ms: int) -> BotHistory:
        days = {day.day: day for day in self.values.values()}
        wanted = [days[day] for day in history.needed(days, hours, now_ms)]
        return history.read("bot_1", wanted, self.bot.status, self.bot.since, hours, now_ms)


moves = st.lists(
    st.tuples(st.integers(1, 3 * DAY_MS) | st.integers(1, 3_600_000), st.sampled_from(STATUSES)), max_size=25
)


@given(moves, st.integers(0, DAY_MS), st.sampled_from([1, 24, MOST_HOURS]))
def test_every_millisecond_is_accounted_for_once(gaps: list[tuple[int, PastStatus]], rest_ms: int, hours: int) -> None:
    """Whatever a bot went through and over however many days: what is read is what happened, and storage is bounded."""
    kept, now_ms = Kept(), NIGHT
    spans: list[tuple[PastStatus, int, int]] = []
    for gap_ms, status in gaps:
        spans.append((kept.bot.status, now_ms, now_ms + gap_ms))
        now_ms += gap_ms
        kept.move(now_ms, status)
        assert len(kept.values) <= KEEP_DAYS + 1
    spans.append((kept.bot.status, now_ms, now_ms + rest_ms))
    now_ms += rest_ms
    for slot in kept.read(hours, now_ms).slots:
        wanted: dict[str, int] = {}
        for status, begin_ms, end_ms in spans:
            spent_ms = min(end_ms, slot.at + SLOT_MS) - max(begin_ms, slot.at)
            if spent_ms > 0:
                wanted[status] = wanted.get(status, 0) + spent_ms
        assert slot.ms == wanted


def test_what_a_half_hour_shows() -> None:
    """A minute of trouble is what a half hour is remembered for; less is not; before the bot there is nothing."""
    assert history.shown({}) is None
    assert history.shown({"connected": 1}) == "connected"
    assert history.shown({"connected": 1_700_000, "reconnecting": 60_000}) == "connected"
    assert history.shown({"connected": 1_700_000, "reconnecting": 60_001}) == "reconnecting"
    assert history.shown({"connected": 1_000_000, "reconnecting": 50_000, "banned": 500_000}) == "banned"
    assert history.shown({"stopped": 5}) == "stopped"


def test_slots_are_half_hours_up_to_now() -> None:
    """24 hours are 48 half hours; the last has begun, and nothing is told of a time before the bot."""
    kept = Kept(NIGHT + SLOT_MS)
    kept.move(NIGHT + 3 * SLOT_MS, "connected")
    read = kept.read(24, NIGHT + 4 * SLOT_MS + 1)
    assert len(read.slots) == 48 and read.slot_ms == SLOT_MS
    assert [slot.status for slot in read.slots[-6:]] == [None, None, "stopped", "stopped", "connected", "connected"]
    assert read.slots[-1].at == NIGHT + 4 * SLOT_MS and read.slots[-1].ms == {"connected": 1}


def test_crashes_are_counted_where_they_happened() -> None:
    """A crash counts in its half hour, also one that changes no status and after the budget's count began anew."""
    kept = Kept(status="connected")
    kept.move(NIGHT + 10, "reconnecting", restarts=1)
    kept.move(NIGHT + 20, "connected")
    kept.move(NIGHT + 30, "connected", restarts=0)
    kept.move(NIGHT + SLOT_MS, "stopping")
    kept.move(NIGHT + SLOT_MS + 5, "stopping", restarts=2)
    read = kept.read(1, NIGHT + SLOT_MS + 10)
    assert [slot.restarts for slot in read.slots] == [1, 2] and read.restarts == 3
    assert read.slots[0].ms == {"connected": SLOT_MS - 10, "reconnecting": 10}
    assert read.slots[1].ms == {"stopping": 10}


def test_nobody_was_connected_while_no_server_ran() -> None:
    """After a kill, the time from when the server was last seen is `down`; a ban went on all the same."""
    hour = 3_600_000
    kept = Kept(status="connected")
    kept.die(seen_ms=NIGHT + hour)
    kept.move(NIGHT + 2 * hour, "starting")
    kept.move(NIGHT + 2 * hour + 1000, "connected")
    read = kept.read(3, NIGHT + 2 * hour + 2000)
    shown = [slot.status for slot in read.slots]
    assert shown == [None, "connected", "connected", "down", "down", "connected"]
    assert read.slots[-1].ms == {"starting": 1000, "connected": 1000}
    banned = Kept(status="banned")
    banned.die(seen_ms=NIGHT + hour)
    banned.move(NIGHT + 2 * hour, "starting")
    shown = [slot.status for slot in banned.read(2, NIGHT + 2 * hour + 1).slots]
    assert shown == ["banned", "banned", "banned", "starting"]


def test_a_clock_set_back_costs_time_not_truth() -> None:
    """Wall time may go back: no negative times, no exception."""
    kept = Kept()
    kept.move(NIGHT + 1_000_000, "connected")
    kept.move(NIGHT + 10, "reconnecting")
    kept.move(NIGHT + 2_000_000, "connected")
    assert all(ms >= 0 for slot in kept.read(1, NIGHT + 2_000_001).slots for ms in slot.ms.values())


def test_a_history_is_as_durable_as_the_status(tmp_path: Path) -> None:
    """It is written with the change itself: a server that is killed in between answers the same; a deleted bot's is
    gone, and nobody reads another user's."""

    async def scenario(room: FleetRoom) -> None:
        one = await linked(room)
        await settle(2 * 3600)
        room.host.tell(one, Disconnected())
        await settle(600)
        histories = BotHistories(room.bus, room.fleet, room.clock)
        before = await histories.of(USER, one, 24)
        assert {"connected", "reconnecting"} <= {status for slot in before.slots for status in slot.ms}
        assert before.slots[-1].status == "reconnecting" or before.slots[-2].status == "reconnecting"
        await room.kill()
        await room.load()
        histories = BotHistories(room.bus, room.fleet, room.clock)
        after = await histories.of(USER, one, 24)
        assert after.slots[:-1] == before.slots[:-1]
        assert [ribbon.bot_id for ribbon in await histories.ribbons(USER, 24)] == [one]
        with pytest.raises(Refused):
            await histories.of("eve", one, 24)
        assert await histories.ribbons("eve", 24) == []
        room.host.recover()
        room.fleet.begin()
        await settle()
        await room.fleet.delete(USER, one)
        await settle(20)
        await room.disk()
        await settle()
        assert (await room.bus.snapshot(USER, "history/")).values == {}

    run(tmp_path, scenario)
