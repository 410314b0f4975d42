"""Deaths of workers as their bots see them: budgets, back-off, moves."""

from __future__ import annotations

from pathlib import Path

from orchestrator.ports import StartRefused
from sessions.model import Connected
from tests.support.fake_host import account
from tests.support.fleet_room import USER, FleetRoom, linked, run, settle


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
