"""Deaths of workers as their bots see them: budgets, back-off, moves."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from orchestrator.bus.bus import Entry, Outcome
from orchestrator.bus.memory import MemoryBus
from orchestrator.errors import Refused
from orchestrator.ports import StartRefused
from sessions.model import Connected
from tests.support.fake_host import account
from tests.support.fleet_room import USER, FleetRoom, linked, run, settle
from tests.test_bots_fleet_end import message


def test_a_budget_of_five_crashes(tmp_path: Path) -> None:
    """Deaths alone in a worker: backed off, five within ten minutes spend the budget; failed, then a slow probe."""

    async def scenario(room: FleetRoom) -> None:
        bot = await linked(room)
        for _ in range(4):
            room.host.die(bot)
            shown = await room.see(bot)
            assert shown.status in {"reconnecting", "connecting"}
            assert shown.reason is not None and shown.reason.code == "worker_crashed"
            while bot not in room.host.running:
                await settle(1)
        room.host.die(bot)
        shown = await room.see(bot)
        assert (shown.status, shown.user_action, shown.restarts) == ("failed", "retry", 5)
        assert shown.reason is not None and shown.reason.code == "restart_budget_spent"
        assert room.metrics.crashes == 5
        await settle(1790)
        assert bot not in room.host.running
        await settle(20)
        assert bot in room.host.running
        room.host.tell(bot, Connected(account()))
        await settle(61)
        assert (await room.fleet.bot(USER, bot)).restarts == 0

    run(tmp_path, scenario)


def test_deaths_beside_others_never_count(tmp_path: Path) -> None:
    """A worker shared with others may die as often as it likes: its bots come back and none is `failed`."""

    async def scenario(room: FleetRoom) -> None:
        bot = await linked(room)
        for _ in range(12):
            room.host.die(bot, suspect=False, alone=False)
            for _ in range(400):
                await settle(1)
                if bot in room.host.running:
                    break
            assert (await room.see(bot)).status in {"connecting", "reconnecting"}

    run(tmp_path, scenario)


def test_storage_trouble_is_retried(tmp_path: Path) -> None:
    """A worker whose disk refuses: storage_unavailable with retryAt, no budget used, back when the disk is."""

    async def scenario(room: FleetRoom) -> None:
        bot = await linked(room)
        room.host.refuse = [StartRefused("storage_unavailable")] * 8
        room.host.die(bot, "storage_unavailable", alone=True)
        shown = await room.see(bot)
        assert shown.reason is not None and shown.reason.code == "storage_unavailable"
        for _ in range(3000):
            await settle(1)
            if bot in room.host.running:
                break
        assert bot in room.host.running and room.metrics.crashes == 0

    run(tmp_path, scenario)


def test_a_condemned_worker_moves_its_bot_without_a_status_change(tmp_path: Path) -> None:
    """A healthy bot whose worker is closed under it is started elsewhere at once; nobody is told."""

    async def scenario(room: FleetRoom) -> None:
        bot = await linked(room)
        before = await room.types()
        room.host.die(bot, "condemned", suspect=False, alone=False)
        assert (await room.see(bot)).status == "connected" and bot in room.host.running
        room.host.tell(bot, Connected(account()))
        await settle()
        assert await room.types() == before

    run(tmp_path, scenario)


class FullDisk(MemoryBus):
    """A bus whose disk can be full, or which can have a bug."""

    trouble: Exception | None = None

    async def commit(self, entries: Sequence[Entry]) -> list[Outcome]:
        if self.trouble is not None:
            raise self.trouble
        return await super().commit(entries)


@pytest.mark.parametrize("trouble", [Refused("storage_unavailable"), ZeroDivisionError()], ids=["full", "bug"])
def test_a_full_disk_delays_and_loses_nothing(tmp_path: Path, trouble: Exception) -> None:
    """While the bus refuses, nothing is acknowledged to the spool and commands are refused; then all of it is there.
    A bug below is told once and waits likewise: the mailbox lives on."""

    async def scenario(room: FleetRoom) -> None:
        bus = FullDisk(room.clock)
        await room.kill()
        room.bus = bus
        await room.open()
        bot = await linked(room)
        bus.trouble = trouble
        for number in range(3):
            room.host.tell(bot, message(number), b'{"n":%d}' % number)
        await settle(30)
        assert len(room.host.uncommitted[bot]) == 3
        with pytest.raises(Refused) as refused:
            await room.fleet.stop(USER, bot)
        assert refused.value.code == "storage_unavailable" and refused.value.retryable
        bus.trouble = None
        assert [failure.kind for failure in room.failures] == (
            [] if isinstance(trouble, Refused) else ["ZeroDivisionError"]
        )
        room.failures.clear()
        await settle(6)
        assert [event.data for event in await room.events() if event.type == "message"] == [
            b'{"n":%d}' % n for n in range(3)
        ]
        assert room.host.uncommitted[bot] == []
        assert (await room.fleet.stop(USER, bot)).status == "stopping"

    run(tmp_path, scenario)
