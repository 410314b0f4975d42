"""Logging out, deleting, limits, and what survives the supervisor's death."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from orchestrator.bus.bus import Committed
from orchestrator.errors import Refused
from orchestrator.ports import LinkRequest, NewBot
from sessions import model
from sessions.model import Connected, Disconnected, MessageReceived, OutgoingText, PairSucceeded
from tests.support.fake_host import account, link, offer
from tests.support.fleet_room import USER, FleetRoom, linked, run, settle


def message(number: int) -> MessageReceived:
    """Make a header as the worker sends it."""
    return MessageReceived("55@lid", None, "55@lid", None, False, f"MSG{number}", "text", 1, None)


def test_logout_of_a_running_bot(tmp_path: Path) -> None:
    """Unlinked at WhatsApp, keys destroyed, logged_out; asking again is refused."""

    async def scenario(room: FleetRoom) -> None:
        bot = await linked(room)
        assert await room.fleet.logout(USER, bot) is True
        shown = await room.see(bot)
        assert shown.status == "logged_out" and shown.reason is not None
        assert shown.reason.code == "logged_out_by_user" and bot not in room.host.running
        with pytest.raises(Refused, match="not linked"):
            await room.fleet.logout(USER, bot)

    run(tmp_path, scenario)


@pytest.mark.parametrize("network", [True, False])
def test_logout_of_a_stopped_bot_connects_for_it(tmp_path: Path, network: bool) -> None:
    """At most 15 s; without an answer the owner is told to remove the device on the phone (False)."""

    async def scenario(room: FleetRoom) -> None:
        bot = await linked(room)
        await room.fleet.stop(USER, bot)
        await settle()
        if network:
            room.host.on_start = lambda bot: room.host.tell(bot, Connected(account()))
        before = room.clock.monotonic()
        assert await room.fleet.logout(USER, bot) is network
        assert room.clock.monotonic() - before < 15.5
        assert (await room.see(bot)).status == "logged_out" and bot not in room.host.running

    run(tmp_path, scenario)


def test_commands_during_a_logout_do_not_lose_its_answer(tmp_path: Path) -> None:
    """Whoever logs out is answered, whatever is asked meanwhile."""

    async def scenario(room: FleetRoom) -> None:
        bot = await linked(room)
        room.host.logout_answer = None
        asked = asyncio.ensure_future(room.fleet.logout(USER, bot))
        await settle()
        await room.fleet.stop(USER, bot)
        await room.fleet.start(USER, bot)
        assert await asked is False
        assert (await room.see(bot)).status == "logged_out"

    run(tmp_path, scenario)


def test_delete_leaves_nothing_but_the_word(tmp_path: Path) -> None:
    """Logged out, records, events, sends and files removed; `deleted` is told to readers and stays in the log."""

    async def scenario(room: FleetRoom) -> None:
        bot = await linked(room)
        room.host.on_send = lambda bot, job: None
        job = await room.outbox.submit(USER, bot, OutgoingText("4915112345678", "hi"))
        (room.directory / bot / "1.db").write_text("keys")
        reader = await room.bus.subscribe(USER, (await room.bus.state(USER)).head)
        await room.fleet.delete(USER, bot)
        with pytest.raises(Refused, match="no such thing"):
            await room.fleet.start(USER, bot)
        await settle(30)
        await room.disk()
        assert room.host.logouts == [bot] and bot not in room.host.running
        assert not (room.directory / bot).exists()
        assert (await room.bus.snapshot(USER)).values == {}
        assert [event.type for event in await room.events()] == ["deleted"]
        told = [item.event.type for item in await reader.read(100) if isinstance(item, Committed)]
        assert told[-1] == "deleted"
        with pytest.raises(Refused):
            await room.outbox.job(USER, bot, job.id)
        assert sum(room.metrics.bots.values()) == 0 and sum(room.metrics.jobs.values()) == 0
        again = await linked(room)
        assert again != bot

    run(tmp_path, scenario)


def test_a_deletion_survives_the_supervisors_death(tmp_path: Path) -> None:
    """Killed in the middle of a deletion: the next process finishes it and tells `deleted` once."""

    async def scenario(room: FleetRoom) -> None:
        bot = await linked(room)
        room.host.logout_answer = None
        await room.fleet.delete(USER, bot)
        await room.kill()
        room.host.logout_answer = True
        room.host.on_start = lambda bot: room.host.tell(bot, Connected(account()))
        await room.open()
        await settle(30)
        await room.disk()
        assert (await room.bus.snapshot(USER)).values == {}
        assert [event.type for event in await room.events()] == ["deleted"]

    run(tmp_path, scenario)


@pytest.mark.parametrize("steps", range(0, 24, 3))
def test_a_bot_being_created_counts_once(tmp_path: Path, steps: int) -> None:
    """As many bots as one may have can be created side by side, however their creations overlap."""

    async def scenario(room: FleetRoom) -> None:
        making = []
        for number in range(3):
            making.append(room.tasks.spawn("create", room.fleet.create(USER, NewBot(name=f"b{number}"))))
            for _ in range(steps):
                await asyncio.sleep(0)
        await asyncio.gather(*making)

    run(tmp_path, scenario)


def test_limits_and_other_users(tmp_path: Path) -> None:
    """MAX_BOTS_PER_USER holds also for creations at one time; another user's bot is not found."""

    async def scenario(room: FleetRoom) -> None:
        made = await asyncio.gather(
            *(room.fleet.create(USER, NewBot(name=f"b{n}", start=False)) for n in range(5)), return_exceptions=True
        )
        refused = [one for one in made if isinstance(one, Refused)]
        assert len(refused) == 2 and {one.code for one in refused} == {"too_many_bots"}
        position, bots = await room.fleet.bots(USER)
        assert len(bots) == 3 and position == (await room.bus.state(USER)).head
        with pytest.raises(Refused, match="no such thing"):
            await room.fleet.stop("eve", bots[0].id)
        with pytest.raises(Refused) as wrong:
            await room.fleet.create("eve", NewBot(name="\n"))
        assert wrong.value.field == "name"

    run(tmp_path, scenario)


def test_a_killed_supervisor_brings_its_bots_back(tmp_path: Path) -> None:
    """Wanted running comes back without a code, honestly `starting` first; stopped stays stopped."""

    async def scenario(room: FleetRoom) -> None:
        bot = await linked(room)
        other = await linked(room, "4915100000000")
        await room.fleet.stop(USER, other)
        await settle()
        await room.kill()
        room.host.start_gate.clear()
        await room.open()
        assert (await room.see(bot)).status == "starting"
        room.host.start_gate.set()
        await settle()
        assert room.host.starts[-1][0].account_jid == account().jid
        room.host.tell(bot, Connected(account()))
        assert (await room.see(bot)).status == "connected"
        assert (await room.see(other)).status == "stopped" and other not in room.host.running

    run(tmp_path, scenario)


def test_what_a_dead_worker_spooled_is_told_once_and_in_order(tmp_path: Path) -> None:
    """Messages handed over twice (the acknowledgement was lost with the process) are in the log once."""

    async def scenario(room: FleetRoom) -> None:
        bot = await linked(room)
        for number in range(5):
            room.host.tell(bot, message(number), b'{"n":%d}' % number, commit=number < 2)
        room.host.tell(bot, Disconnected(), commit=False)
        await settle()
        await room.kill()
        await room.open()
        await settle()
        events = await room.events()
        assert [event.data for event in events if event.type == "message"] == [b'{"n":%d}' % n for n in range(5)]
        assert [event.type for event in events].count("whatsapp_disconnected") == 1
        assert (await room.see(bot)).status == "connecting", "an old Disconnected says nothing about the new session"

    run(tmp_path, scenario)


def test_a_pairing_that_was_spooled_but_not_committed_counts(tmp_path: Path) -> None:
    """Killed between pair-success and its commit: the next process logs in with the new device; no second code."""

    async def scenario(room: FleetRoom) -> None:
        bot = await room.new()
        offer(room.host, bot.id)
        await settle()
        running = room.host.running[bot.id]
        room.host.listener = Deaf()
        room.host.tell(bot.id, PairSucceeded(account()))
        await room.kill()
        await room.open()
        await settle()
        spec, placement = room.host.starts[-1]
        assert (spec.account_jid, spec.device_file) == (account().jid, running.spec.device_file)
        assert placement == "pool"
        assert "pair_success" in await room.types()

    run(tmp_path, scenario)


def test_an_event_that_changed_the_status_is_told_once(tmp_path: Path) -> None:
    """A ban was committed and its acknowledgement lost with the process: handed over again, it changes nothing."""

    async def scenario(room: FleetRoom) -> None:
        bot = await linked(room)
        room.host.tell(bot, model.TemporarilyBanned(101, 600), commit=False)
        until = (await room.see(bot)).until
        await settle(60)
        await room.kill()
        await room.open()
        types = await room.types()
        assert types.count("temporary_ban") == 1 and types.count("=banned") == 1
        shown = await room.see(bot)
        assert shown.until == until and shown.reason is not None
        assert shown.reason.text.endswith("too many messages to people who do not know this number.")

    run(tmp_path, scenario)


def test_a_pair_success_belongs_to_its_own_attempt(tmp_path: Path) -> None:
    """A scan of an attempt that another one has followed does not make the other's empty file the device."""

    async def scenario(room: FleetRoom) -> None:
        bot = await room.new()
        offer(room.host, bot.id)
        await settle()
        room.host.stop_s = 0.5
        await room.fleet.restart(USER, bot.id)
        room.host.tell(bot.id, PairSucceeded(account()))
        await settle(2)
        shown = await room.fleet.bot(USER, bot.id)
        assert shown.account is None and shown.status == "starting"
        assert shown.link is not None and shown.link.attempt == 2
        assert (await room.types()).count("pair_success") == 0

    run(tmp_path, scenario)


class Deaf:
    """A supervisor process that dies before it reads."""

    def on_host_event(self, bot: str, event: object) -> None:
        """Lose it."""


def test_an_attempt_of_a_killed_supervisor_goes_on_with_a_new_code(tmp_path: Path) -> None:
    """An unlinked bot that is to run gets a new attempt by itself; it costs none of the hour's tries."""

    async def scenario(room: FleetRoom) -> None:
        bot = await room.new()
        offer(room.host, bot.id)
        await settle()
        await room.kill()
        await room.open()
        offer(room.host, bot.id)
        shown = await room.see(bot.id)
        assert shown.status == "awaiting_scan" and shown.link is not None
        assert (shown.link.attempt, shown.link.tries_left) == (2, 3)

    run(tmp_path, scenario)


def test_nobody_is_shown_a_status_of_the_process_before(tmp_path: Path) -> None:
    """From the first answer after a start on, a bot that was connected is `starting`, in the log and the snapshot too."""

    async def scenario(room: FleetRoom) -> None:
        bot = await linked(room)
        before = (await room.stored(bot)).status_version
        await room.kill()
        await room.load()
        shown = await room.fleet.bot(USER, bot)
        assert (shown.status, shown.proved_at, shown.status_version) == ("starting", None, before + 1)
        assert (await room.stored(bot)).status == "starting"
        assert (await room.types())[-1] == "=starting"

    run(tmp_path, scenario)


def test_waiting_statuses_survive(tmp_path: Path) -> None:
    """Banned, logged out, out of codes: still so after a restart, and a ban's end still brings the bot back."""

    async def scenario(room: FleetRoom) -> None:
        banned = await linked(room)
        gone = await linked(room, "4915100000000")
        expired = await room.new()
        room.host.tell(banned, model.TemporarilyBanned(101, 7200))
        room.host.tell(gone, model.LoggedOut(False, "unlinked_on_phone"))
        room.host.tell(expired.id, model.QrOffered("2@x", 6, 6, 20))
        room.host.tell(expired.id, model.CodesExpired())
        await settle(60)
        starts = len(room.host.starts)
        await room.kill()
        await room.open()
        statuses = [(await room.see(bot)).status for bot in (banned, gone, expired.id)]
        assert statuses == ["banned", "logged_out", "login_expired"]
        await settle(7000)
        assert len(room.host.starts) == starts
        await settle(1200)
        assert [spec.bot for spec, _ in room.host.starts[starts:]][:1] == [banned]

    run(tmp_path, scenario)


def test_another_account_after_a_relink_frees_the_first(tmp_path: Path) -> None:
    """An account is held by the bot linked to it now, and by nobody else."""

    async def scenario(room: FleetRoom) -> None:
        bot = await linked(room)
        await room.fleet.stop(USER, bot)
        await settle()
        await room.fleet.link(USER, bot, LinkRequest())
        await settle()
        offer(room.host, bot)
        link(room.host, bot, "4915100000000")
        assert (await room.see(bot)).status == "connected"
        other = await room.new()
        offer(room.host, other.id)
        link(room.host, other.id)
        assert (await room.see(other.id)).status == "connected"

    run(tmp_path, scenario)


def test_linking_a_connected_bot_changes_nothing(tmp_path: Path) -> None:
    """The second of two clicks must not cost the bot its device; a pairing code is refused at once."""

    async def scenario(room: FleetRoom) -> None:
        bot = await linked(room)
        before = await room.see(bot)
        await room.fleet.link(USER, bot, LinkRequest())
        with pytest.raises(Refused) as caught:
            await room.fleet.pairing_code(USER, bot, "4915100000000")
        assert caught.value.code == "no_code_on_offer"
        await settle()
        assert (await room.see(bot)).status_version == before.status_version

    run(tmp_path, scenario)


def test_a_cancelled_relink_keeps_the_device(tmp_path: Path) -> None:
    """A link attempt of a linked bot that comes to nothing leaves the device it had."""

    async def scenario(room: FleetRoom) -> None:
        bot = await linked(room)
        await room.fleet.stop(USER, bot)
        await settle()
        await room.fleet.link(USER, bot, LinkRequest())
        await settle()
        offer(room.host, bot)
        room.host.tell(bot, model.CodesExpired())
        assert (await room.see(bot)).status == "login_expired"
        await room.fleet.start(USER, bot)
        await settle()
        assert room.host.starts[-1][0].account_jid == account().jid

    run(tmp_path, scenario)
