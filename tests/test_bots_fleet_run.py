"""A linked bot through everything WhatsApp and its worker can do, with a fake host and virtual time."""

from __future__ import annotations

from pathlib import Path

import msgspec

from orchestrator.model import Repair
from orchestrator.ports import BotPatch, Incident
from sessions import model
from sessions.model import Connected, Disconnected, MessageReceived, StartFailed
from tests.support.fake_host import account, link, offer
from tests.support.fleet_room import USER, FleetRoom, linked, run, settle


def message(number: int) -> MessageReceived:
    """Make a header as the worker sends it."""
    return MessageReceived("55@lid", None, "55@lid", None, False, f"MSG{number}", "text", 1, None)


def test_the_move_to_the_pool_is_no_status_change(tmp_path: Path) -> None:
    """30 s after the first sync fell quiet the bot moves; nobody is told, and the gap is measured."""

    async def scenario(room: FleetRoom) -> None:
        bot = await room.new()
        offer(room.host, bot.id)
        await settle()
        link(room.host, bot.id)
        await settle(25)
        room.host.tell(bot.id, message(1), b"{}")
        await settle(25)
        assert room.host.placement(bot.id) == "linking"
        await settle(6)
        assert room.host.placement(bot.id) == "pool"
        before = await room.types()
        assert (await room.fleet.bot(USER, bot.id)).status == "connected"
        room.host.tell(bot.id, Connected(account()))
        await settle(600)
        assert await room.types() == before and before[-1] == "message"
        assert len(room.metrics.gaps_s) == 1 and 0 < room.metrics.gaps_s[0] < 7
        assert len(room.host.starts) == 2

    run(tmp_path, scenario)


def test_a_move_proves_nothing(tmp_path: Path) -> None:
    """On its way to the pool a bot has no link: `provedAt` stands still until it is connected again."""

    async def scenario(room: FleetRoom) -> None:
        bot = await room.new()
        offer(room.host, bot.id)
        await settle()
        link(room.host, bot.id)
        for number in range(5):
            await settle(20)
            room.host.tell(bot.id, message(number), b"{}")
        await settle(35)
        assert room.host.placement(bot.id) == "pool"
        first = await room.fleet.bot(USER, bot.id)
        await settle(30)
        later = await room.fleet.bot(USER, bot.id)
        assert later.status == "connected" and later.proved_at == first.proved_at
        room.host.tell(bot.id, Connected(account()))
        await settle(60)
        after = (await room.fleet.bot(USER, bot.id)).proved_at
        assert after is not None and later.proved_at is not None and after > later.proved_at

    run(tmp_path, scenario)


def test_a_sync_that_never_ends_moves_after_ten_minutes(tmp_path: Path) -> None:
    """At most 10 min in a process of its own."""

    async def scenario(room: FleetRoom) -> None:
        bot = await room.new()
        offer(room.host, bot.id)
        await settle()
        link(room.host, bot.id)
        for number in range(29):
            await settle(20)
            room.host.tell(bot.id, message(number), b"{}")
        assert room.host.placement(bot.id) == "linking"
        await settle(25)
        assert room.host.placement(bot.id) == "pool"

    run(tmp_path, scenario)


def test_a_lost_link_is_the_librarys_for_90_s(tmp_path: Path) -> None:
    """Disconnected: reconnecting, and back when the library is; after 90 s the session is restarted; no budget is used."""

    async def scenario(room: FleetRoom) -> None:
        bot = await linked(room)
        starts = len(room.host.starts)
        room.host.tell(bot, Disconnected())
        shown = await room.see(bot)
        assert shown.status == "reconnecting" and shown.reason is not None and shown.reason.code == "connection_lost"
        room.host.tell(bot, Connected(account()))
        shown = await room.see(bot)
        assert shown.status == "connected" and shown.reason is None
        room.host.tell(bot, Disconnected())
        await settle(85)
        assert len(room.host.starts) == starts
        await settle(10)
        assert len(room.host.starts) == starts + 1
        shown = await room.see(bot)
        assert shown.status == "reconnecting" and shown.restarts == 0 and room.metrics.crashes == 0

    run(tmp_path, scenario)


def test_the_ladder_of_degraded(tmp_path: Path) -> None:
    """Two unanswered pings: degraded; new client at 4 min, new worker at 6 min, each once; provedAt stands still."""

    async def scenario(room: FleetRoom) -> None:
        bot = await linked(room)
        starts = len(room.host.starts)
        room.host.tell(bot, model.KeepaliveTimeout(1))
        assert (await room.see(bot)).status == "connected"
        proved = (await room.see(bot)).proved_at
        room.host.tell(bot, model.KeepaliveTimeout(2))
        shown = await room.see(bot)
        assert shown.status == "degraded" and shown.proved_at == proved
        assert shown.repair == Repair(1, 3, "reconnect")
        room.host.tell(bot, model.KeepaliveTimeout(3))
        await settle(235)
        assert len(room.host.starts) == starts
        await settle(6)
        assert len(room.host.starts) == starts + 1 and room.host.placement(bot) == "pool"
        shown = await room.see(bot)
        assert shown.status == "degraded" and shown.repair == Repair(2, 3, "new_client")
        await settle(121)
        assert len(room.host.starts) == starts + 2 and room.host.placement(bot) == "own"
        assert (await room.see(bot)).repair == Repair(3, 3, "new_worker")
        room.host.tell(bot, Connected(account()))
        shown = await room.see(bot)
        assert shown.status == "connected" and shown.repair is None

    run(tmp_path, scenario)


def test_keepalive_restored_heals(tmp_path: Path) -> None:
    """Pings answered again: connected, and nothing is restarted later."""

    async def scenario(room: FleetRoom) -> None:
        bot = await linked(room)
        starts = len(room.host.starts)
        room.host.tell(bot, model.KeepaliveTimeout(2))
        await settle(60)
        room.host.tell(bot, model.KeepaliveRestored())
        assert (await room.see(bot)).status == "connected"
        await settle(600)
        assert len(room.host.starts) == starts

    run(tmp_path, scenario)


def test_replaced_comes_back_once(tmp_path: Path) -> None:
    """The first replacement is retried after 30 s, a second within 10 min is left to a person."""

    async def scenario(room: FleetRoom) -> None:
        bot = await linked(room)
        starts = len(room.host.starts)
        room.host.tell(bot, model.StreamReplaced())
        shown = await room.see(bot)
        assert (shown.status, shown.user_action) == ("replaced", "reconnect_here")
        assert shown.retry_at is not None and 29_000 < shown.retry_at - room.clock.wall_ms() < 41_000
        await settle(45)
        assert len(room.host.starts) == starts + 1
        room.host.tell(bot, Connected(account()))
        await settle()
        room.host.tell(bot, model.StreamReplaced())
        shown = await room.see(bot)
        assert shown.status == "replaced" and shown.retry_at is None
        await settle(7200)
        assert len(room.host.starts) == starts + 1
        await room.fleet.start(USER, bot)
        await settle()
        assert len(room.host.starts) == starts + 2

    run(tmp_path, scenario)


def test_a_ban_is_waited_for(tmp_path: Path) -> None:
    """A temporary ban: banned with `until`, one start 5 to 15 min after it, none before, not even when asked to."""

    async def scenario(room: FleetRoom) -> None:
        bot = await linked(room)
        starts = len(room.host.starts)
        room.host.tell(bot, model.TemporarilyBanned(101, 3600))
        shown = await room.see(bot)
        assert (shown.status, shown.user_action) == ("banned", "wait")
        assert shown.until is not None and abs(shown.until - room.clock.wall_ms() - 3_600_000) < 1_000
        room.host.on_start = lambda bot: room.host.tell(bot, Connected(account()))
        await room.fleet.start(USER, bot)
        await settle(3600 + 290)
        assert len(room.host.starts) == starts
        await settle(700)
        assert len(room.host.starts) == starts + 1

    run(tmp_path, scenario)


def test_logged_out_on_the_phone(tmp_path: Path) -> None:
    """The keys are gone: logged_out for good, files destroyed, and a new link is a new attempt."""

    async def scenario(room: FleetRoom) -> None:
        bot = await linked(room)
        starts = len(room.host.starts)
        room.host.tell(bot, model.LoggedOut(False, "unlinked_on_phone"))
        shown = await room.see(bot)
        assert (shown.status, shown.user_action, shown.account) == ("logged_out", "link_again", None)
        await settle(3600)
        assert len(room.host.starts) == starts and bot not in room.host.running
        await room.fleet.start(USER, bot)
        await settle()
        assert room.host.starts[-1][1] == "linking"

    run(tmp_path, scenario)


def test_refused_logins_are_tried_three_times(tmp_path: Path) -> None:
    """A refusal without a known meaning: after 1, 5 and 15 min, then failed."""

    async def scenario(room: FleetRoom) -> None:
        bot = await linked(room)
        room.host.tell(bot, model.ConnectFailed(501))
        for wait_s in (75, 315, 915):
            shown = await room.see(bot)
            assert shown.status == "reconnecting" and shown.reason is not None and shown.reason.code == "refused"
            await settle(wait_s)
            room.host.tell(bot, model.ConnectFailed(501))
        shown = await room.see(bot)
        assert shown.status == "failed" and shown.reason is not None and shown.reason.code == "refused"

    run(tmp_path, scenario)


def test_client_outdated_waits_for_the_operator(tmp_path: Path) -> None:
    """405: outdated, and nothing tries again by itself; the next process, maybe the upgrade, does."""

    async def scenario(room: FleetRoom) -> None:
        bot = await linked(room)
        starts = len(room.host.starts)
        room.host.tell(bot, model.ClientOutdated())
        shown = await room.see(bot)
        assert (shown.status, shown.user_action) == ("outdated", "operator_upgrade")
        await settle(86_400)
        assert len(room.host.starts) == starts
        await room.kill()
        await room.open()
        await settle()
        assert len(room.host.starts) == starts + 1

    run(tmp_path, scenario)


def test_a_linked_bot_without_a_network(tmp_path: Path) -> None:
    """The first dial fails: connecting with the cause and retryAt, backed off to a minute at most, a worker of its own;
    back in the pool once it is up."""

    async def scenario(room: FleetRoom) -> None:
        bot = await linked(room)
        await room.fleet.stop(USER, bot)
        await settle()
        room.host.on_start = lambda bot: room.host.tell(bot, StartFailed("dns_failed"))
        await room.fleet.start(USER, bot)
        for _ in range(60):
            await settle(10)
            shown = await room.fleet.bot(USER, bot)
            assert (
                shown.status == "connecting"
                and shown.reason is not None
                and shown.reason.code == "whatsapp_unreachable"
            )
            assert shown.retry_at is None or shown.retry_at - room.clock.wall_ms() <= 60_000
        assert shown.restarts == 0
        room.host.on_start = lambda bot: room.host.tell(bot, Connected(account()))
        await settle(61)
        assert (await room.fleet.bot(USER, bot)).status == "connected"
        assert {placement for _, placement in room.host.starts[-2:]} <= {"own", "pool"}
        await settle(40)
        assert room.host.placement(bot) == "pool"

    run(tmp_path, scenario)


def test_an_incident_holds_starts_and_watchdogs(tmp_path: Path) -> None:
    """While WhatsApp is unreachable nothing is restarted; when it is over, what waited goes at once."""

    async def scenario(room: FleetRoom) -> None:
        bot = await linked(room)
        room.host.tell(bot, Disconnected())
        await settle()
        starts = len(room.host.starts)
        incident = Incident("icd_1", "whatsapp_unreachable", 1, 3, "", True, "whatsapp_unreachable")
        room.host.incidents.change(incident)
        other = await room.new()
        shown = await room.see(other.id)
        assert shown.status == "starting" and shown.reason is not None
        assert shown.reason.code == "whatsapp_unreachable"
        await settle(3600)
        assert len(room.host.starts) == starts
        shown = await room.fleet.bot(USER, other.id)
        assert shown.retry_at is not None and shown.retry_at >= room.clock.wall_ms()
        room.host.incidents.change(None)
        await settle(1)
        assert len(room.host.starts) == starts + 2
        assert bot in room.host.running and other.id in room.host.running

    run(tmp_path, scenario)


def test_a_proxy_that_is_not_proved_gets_a_worker_of_its_own(tmp_path: Path) -> None:
    """A new proxy could hang a shared worker: its bot starts alone, and shares once it connected through it."""

    async def scenario(room: FleetRoom) -> None:
        bot = await linked(room)
        patched = await room.fleet.patch(USER, bot, BotPatch(proxy="socks5://ada:secret@127.0.0.1:1"))
        assert patched.proxy is True
        await room.fleet.restart(USER, bot)
        await settle()
        spec, placement = room.host.starts[-1]
        assert placement == "own" and spec.proxy == "socks5://ada:secret@127.0.0.1:1"
        room.host.tell(bot, Connected(account()))
        await settle(40)
        assert room.host.placement(bot) == "pool"
        assert all(b"secret" not in event.data for event in await room.events())
        assert (await room.fleet.patch(USER, bot, BotPatch(name="New", proxy=None))).proxy is False
        assert "updated" in await room.types()

    run(tmp_path, scenario)


def test_stop_and_restart(tmp_path: Path) -> None:
    """`stop` stays stopped; `restart` is a new incarnation; both are idempotent."""

    async def scenario(room: FleetRoom) -> None:
        bot = await linked(room)
        for _ in range(2):
            await room.fleet.stop(USER, bot)
        assert (await room.see(bot)).status == "stopped"
        for _ in range(2):
            await room.fleet.start(USER, bot)
        assert (await room.see(bot)).status == "connecting"
        room.host.tell(bot, Connected(account()))
        before = room.host.running[bot].spec.incarnation
        assert (await room.see(bot)).status == "connected"
        await room.fleet.restart(USER, bot)
        await settle()
        assert room.host.running[bot].spec.incarnation != before
        await room.fleet.stop(USER, bot)
        await settle(86_400)
        assert bot not in room.host.running and (await room.fleet.bot(USER, bot)).status == "stopped"

    run(tmp_path, scenario)


def test_stream_errors_are_told_with_their_meaning(tmp_path: Path) -> None:
    """An unknown stream error: degraded, a frame with code, expected, text and who retries; counted by a safe label."""

    async def scenario(room: FleetRoom) -> None:
        bot = await linked(room)
        room.host.tell(bot, model.StreamError("<odd>"))
        assert (await room.see(bot)).status == "degraded"
        told = [event for event in await room.events() if event.type == "stream_error"]
        data = msgspec.json.decode(told[0].data)
        assert data["code"] == "<odd>" and data["expected"] is True and data["text"] and data["next"]
        assert room.metrics.stream_errors == {("other", True): 1}

    run(tmp_path, scenario)


def test_515_when_logged_in_is_invisible(tmp_path: Path) -> None:
    """WhatsApp restarts a running stream: a second `Connected` is nobody's news."""

    async def scenario(room: FleetRoom) -> None:
        bot = await linked(room)
        before = await room.types()
        room.host.tell(bot, Connected(account()))
        await settle()
        assert await room.types() == before

    run(tmp_path, scenario)
