"""Linking through the whole room: fleet, mailbox, fold and bus, with a fake host and virtual time."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest
from msgspec import UNSET

from orchestrator.bots import record
from orchestrator.errors import Refused
from orchestrator.ports import LinkRequest
from sessions import model
from sessions.model import CodesExpired, MessageReceived, PairSucceeded, StartFailed
from tests.support.fake_host import account, link, offer
from tests.support.fleet_room import USER, FleetRoom, run, settle


def test_scan_to_connected_without_an_error_between(tmp_path: Path) -> None:
    """A new bot offers a code by itself; a scan leads through pairing to connected, and nothing else is told."""

    async def scenario(room: FleetRoom) -> None:
        bot = await room.new()
        assert (await room.see(bot.id)).status == "starting"
        spec, placement = room.host.starts[0]
        assert (placement, spec.account_jid) == ("linking", None)
        offer(room.host, bot.id)
        shown = await room.see(bot.id)
        assert (shown.status, shown.user_action) == ("awaiting_scan", "scan")
        assert shown.link is not None and (shown.link.index, shown.link.of, shown.link.tries_left) == (1, 6, 3)
        version = shown.status_version
        offer(room.host, bot.id, 2)
        assert (await room.see(bot.id)).status_version == version
        link(room.host, bot.id)
        shown = await room.see(bot.id)
        assert shown.status == "connected" and shown.link is None and shown.account == account()
        assert await room.types() == [
            "created", "=starting", "=awaiting_scan", "pair_success", "=pairing", "whatsapp_connected", "=connected",
        ]  # fmt: skip

    run(tmp_path, scenario)


def test_codes_are_announced_and_never_stored(tmp_path: Path) -> None:
    """The newest code is on offer to the owner and gone after the scan; no code is in the log or in a value."""

    async def scenario(room: FleetRoom) -> None:
        bot = await room.new()
        offer(room.host, bot.id)
        offer(room.host, bot.id, 2)
        await settle()
        announced = room.bus.announced(USER, f"{bot.id}/qr")
        assert announced is not None
        data = json.loads(announced.event.data)
        assert (data["qr"], data["svg"], data["index"], data["of"], data["attempt"]) == (
            "2@secret2", "<svg/>", 2, 6, 1,
        )  # fmt: skip
        assert announced.event.status_version == (await room.see(bot.id)).status_version
        assert announced.expires_at_ms == data["expiresAt"]
        assert (await room.fleet.qr(USER, bot.id)).qr == "2@secret2"
        link(room.host, bot.id)
        await settle()
        assert room.bus.announced(USER, f"{bot.id}/qr") is None
        with pytest.raises(Refused, match="No code"):
            await room.fleet.qr(USER, bot.id)
        everything = b"".join(event.data for event in await room.events())
        everything += b"".join((await room.bus.snapshot(USER)).values.values())
        assert b"secret" not in everything

    run(tmp_path, scenario)


def test_codes_run_out(tmp_path: Path) -> None:
    """Codes used up: login_expired, the process is gone, and a person may ask for a new code, which is attempt 2."""

    async def scenario(room: FleetRoom) -> None:
        bot = await room.new()
        offer(room.host, bot.id)
        room.host.tell(bot.id, CodesExpired())
        shown = await room.see(bot.id)
        assert (shown.status, shown.user_action) == ("login_expired", "request_new_code")
        assert shown.reason is not None and shown.reason.code == "codes_expired"
        assert room.host.running == {}
        await settle(3600)
        assert len(room.host.starts) == 1
        again = await room.fleet.link(USER, bot.id, LinkRequest())
        assert again.status == "starting" and again.link is not None and again.link.attempt == 2
        await settle()
        files = [spec.device_file for spec, _ in room.host.starts]
        assert len(set(files)) == 2

    run(tmp_path, scenario)


def test_stop_ends_an_attempt_within_a_second(tmp_path: Path) -> None:
    """`stop` while a code is on offer: stopped within 1 s, the code withdrawn, nothing starts again."""

    async def scenario(room: FleetRoom) -> None:
        bot = await room.new()
        offer(room.host, bot.id)
        await settle()
        assert (await room.fleet.stop(USER, bot.id)).status == "stopping"
        await settle(1)
        assert (await room.fleet.bot(USER, bot.id)).status == "stopped"
        assert room.host.running == {} and room.bus.announced(USER, f"{bot.id}/qr") is None
        await settle(3600)
        assert len(room.host.starts) == 1

    run(tmp_path, scenario)


def test_stop_cancels_a_start_that_hangs(tmp_path: Path) -> None:
    """A start that does not come back is no reason to wait: `stop` supersedes it."""

    async def scenario(room: FleetRoom) -> None:
        room.host.start_gate.clear()
        bot = await room.new()
        await room.fleet.stop(USER, bot.id)
        assert (await room.see(bot.id)).status == "stopped"
        room.host.start_gate.set()
        await settle(60)
        assert room.host.running == {} and (await room.see(bot.id)).status == "stopped"

    run(tmp_path, scenario)


def test_a_scan_that_wins_the_race_against_stop_counts(tmp_path: Path) -> None:
    """The phone paired while the process was being ended: the device is kept, and `start` connects with it."""

    async def scenario(room: FleetRoom) -> None:
        bot = await room.new()
        offer(room.host, bot.id)
        await settle()
        room.host.stop_s = 0.5
        await room.fleet.stop(USER, bot.id)
        room.host.tell(bot.id, PairSucceeded(account()))
        await settle(1)
        assert (await room.fleet.bot(USER, bot.id)).status == "stopped"
        await room.fleet.start(USER, bot.id)
        await settle()
        spec, placement = room.host.starts[-1]
        assert (spec.account_jid, placement) == (account().jid, "pool")
        assert spec.device_file == room.host.starts[0][0].device_file

    run(tmp_path, scenario)


def test_without_a_network_a_code_comes_by_itself_soon_after_it_is_back(tmp_path: Path) -> None:
    """No network: starting, whatsapp_unreachable, retryAt at most 15 s off; the attempt stays the same one; no budget."""

    async def scenario(room: FleetRoom) -> None:
        room.host.on_start = lambda bot: room.host.tell(bot, StartFailed("whatsapp_unreachable"))
        bot = await room.new()
        shown = await room.see(bot.id)
        assert shown.status == "starting" and shown.reason is not None
        assert shown.reason.code == "whatsapp_unreachable"
        assert shown.retry_at is not None and shown.retry_at - room.clock.wall_ms() <= 2_000
        await settle(3600)
        shown = await room.see(bot.id)
        assert shown.status == "starting" and shown.restarts == 0
        assert shown.retry_at is not None and shown.retry_at - room.clock.wall_ms() <= 15_000
        assert len(await room.events()) < 20, "a bot without a network must not fill its user's log"
        before = room.clock.wall_ms()
        room.host.on_start = lambda bot: offer(room.host, bot)
        while (await room.fleet.bot(USER, bot.id)).status != "awaiting_scan":
            await settle(0.5)
        assert room.clock.wall_ms() - before <= 16_000
        shown = await room.see(bot.id)
        assert shown.link is not None and shown.link.attempt == 1 and shown.reason is None

    run(tmp_path, scenario)


def test_link_is_idempotent_while_an_attempt_runs_and_limited_per_hour(tmp_path: Path) -> None:
    """Asking again joins the attempt; the fifth attempt of an hour (limit 4) is refused until the first is an hour old."""

    async def scenario(room: FleetRoom) -> None:
        bot = await room.new()
        offer(room.host, bot.id)
        first = await room.see(bot.id)
        for _ in range(5):
            again = await room.fleet.link(USER, bot.id, LinkRequest())
            assert again.link is not None and again.status_version == first.status_version
        for _ in range(3):
            await room.fleet.stop(USER, bot.id)
            await settle()
            await room.fleet.link(USER, bot.id, LinkRequest())
            await settle()
        await room.fleet.stop(USER, bot.id)
        with pytest.raises(Refused) as refused:
            await room.fleet.link(USER, bot.id, LinkRequest())
        assert refused.value.code == "too_many_link_attempts"
        assert refused.value.retry_after_s is not None and refused.value.retry_after_s <= 3600
        await settle(refused.value.retry_after_s + 1)
        assert (await room.fleet.link(USER, bot.id, LinkRequest())).status == "starting"

    run(tmp_path, scenario)


def test_pairing_code(tmp_path: Path) -> None:
    """A pairing code starts an attempt, comes after the first QR code, is announced, and is the same when asked again."""

    async def scenario(room: FleetRoom) -> None:
        bot = await room.new(start=False)
        room.host.on_start = lambda bot: offer(room.host, bot)
        code = await room.fleet.pairing_code(USER, bot.id, "4915112345678")
        assert code.code == "ABCD-EFGH" and code.attempt == 1
        assert await room.fleet.pairing_code(USER, bot.id, "4915112345678") == code
        announced = room.bus.announced(USER, f"{bot.id}/pairing_code")
        assert announced is not None and json.loads(announced.event.data)["code"] == "ABCD-EFGH"
        assert room.bus.announced(USER, f"{bot.id}/qr") is None
        shown = await room.see(bot.id)
        assert shown.link is not None and shown.link.method == "code" and shown.status == "awaiting_scan"
        link(room.host, bot.id)
        assert (await room.see(bot.id)).status == "connected"
        assert room.bus.announced(USER, f"{bot.id}/pairing_code") is None

    run(tmp_path, scenario)


def test_a_pairing_code_joins_the_attempt_that_runs(tmp_path: Path) -> None:
    """With a QR code on offer the code is asked for in the same attempt, and the QR code is withdrawn."""

    async def scenario(room: FleetRoom) -> None:
        bot = await room.new()
        offer(room.host, bot.id)
        await settle()
        code = await room.fleet.pairing_code(USER, bot.id, "4915112345678")
        assert code.attempt == 1 and len(room.host.starts) == 1
        assert room.bus.announced(USER, f"{bot.id}/qr") is None

    run(tmp_path, scenario)


def test_a_pairing_code_that_does_not_come_is_refused(tmp_path: Path) -> None:
    """No WhatsApp, no code: `whatsapp_unavailable` in the end; an attempt that is stopped refuses at once."""

    async def scenario(room: FleetRoom) -> None:
        bot = await room.new(start=False)
        with pytest.raises(Refused) as refused:
            await room.fleet.pairing_code(USER, bot.id, "4915112345678")
        assert refused.value.code == "whatsapp_unavailable"
        asked = asyncio.ensure_future(room.fleet.pairing_code(USER, bot.id, "4915187654321"))
        await settle()
        room.host.on_start = lambda bot: None
        await room.fleet.stop(USER, bot.id)
        with pytest.raises(Refused):
            await asked

    run(tmp_path, scenario)


@pytest.mark.parametrize("wrong", ["already_linked", "wrong_number"])
def test_the_wrong_account_is_unlinked_again(tmp_path: Path, wrong: str) -> None:
    """An account of another bot, or another number than expected: pair_error, login_expired, unlinked at WhatsApp."""

    async def scenario(room: FleetRoom) -> None:
        other = await room.new()
        offer(room.host, other.id)
        link(room.host, other.id)
        await settle()
        bot = await room.new(start=False)
        expected = "4915199999999" if wrong == "wrong_number" else UNSET
        phone = "4915112345678" if wrong == "already_linked" else "4915100000000"
        await room.fleet.link(USER, bot.id, LinkRequest(expected_phone=expected))
        await settle()
        offer(room.host, bot.id)
        room.host.tell(bot.id, PairSucceeded(account(phone)))
        shown = await room.see(bot.id)
        assert shown.status == "login_expired" and shown.reason is not None and shown.reason.code == wrong
        theirs = MessageReceived("55@lid", None, "55@lid", None, False, "M1", "text", 1, None)
        room.host.tell(bot.id, theirs, b'{"text":"not for you"}')
        room.host.tell(bot.id, model.Connected(account(phone)))
        await settle(1)
        assert all(b"not for you" not in event.data for event in await room.events())
        assert room.host.logouts == [bot.id] and bot.id not in room.host.running
        types = await room.types()
        assert types.count("pair_error") == 1 and types.count("pair_success") == 1
        (told,) = [json.loads(event.data) for event in await room.events() if event.type == "pair_error"]
        assert (told["code"], told["account"]["phone"]) == (wrong, phone), "the page names the number that was scanned"
        assert (await room.fleet.bot(USER, other.id)).status == "connected"
        shown = await room.see(bot.id)
        assert shown.link is None and shown.tries_left == room.limits.tries_per_hour - 1
        assert shown.tries_renew_at is not None and (await room.see(other.id)).tries_left is None

    run(tmp_path, scenario)


@pytest.mark.parametrize("again", ["link", "start", "restart", "another life", "pairing code"])
def test_the_expected_number_holds_until_one_is_linked(tmp_path: Path, again: str) -> None:
    """Whoever asks for the next codes, and however: another number is unlinked; the expected one ends the expectation."""

    async def scenario(room: FleetRoom) -> None:
        bot = await room.new(expected_phone="4915199999999")
        offer(room.host, bot.id)
        room.host.tell(bot.id, CodesExpired())
        assert (await room.see(bot.id)).status == "login_expired"
        match again:
            case "start":
                await room.fleet.start(USER, bot.id)
            case "restart":
                await room.fleet.restart(USER, bot.id)
            case "another life":
                await room.fleet.start(USER, bot.id)
                await room.kill()
                await room.open()
            case "link":
                await room.fleet.link(USER, bot.id, LinkRequest())
            case _:
                await room.fleet.link(USER, bot.id, LinkRequest("code", "4915100000000"))
        await settle()
        offer(room.host, bot.id)
        room.host.tell(bot.id, PairSucceeded(account("4915100000000")))
        shown = await room.see(bot.id)
        assert shown.reason is not None and (shown.status, shown.reason.code) == ("login_expired", "wrong_number")
        room.host.tell(bot.id, model.Connected(account("4915100000000")))
        await settle(1)
        assert all(b"4915199999999" not in event.data for event in await room.events())
        await room.fleet.link(USER, bot.id, LinkRequest())
        await settle()
        offer(room.host, bot.id)
        link(room.host, bot.id, "4915199999999")
        assert (await room.see(bot.id)).status == "connected"
        private = (await room.bus.snapshot(USER, "private/")).values[f"private/{bot.id}"]
        assert record.decode(private).expected_phone is None

    run(tmp_path, scenario)


@pytest.mark.parametrize("running", [True, False])
def test_the_expected_number_can_be_taken_back(tmp_path: Path, running: bool) -> None:
    """Null lets any number link, beside an attempt that runs and with a new one; another number takes its place."""

    async def scenario(room: FleetRoom) -> None:
        bot = await room.new(expected_phone="4915199999999", start=running)
        await room.fleet.link(USER, bot.id, LinkRequest(expected_phone="4915188888888"))
        await room.fleet.link(USER, bot.id, LinkRequest(expected_phone=None))
        await settle()
        offer(room.host, bot.id)
        link(room.host, bot.id, "4915100000000")
        assert (await room.see(bot.id)).status == "connected"

    run(tmp_path, scenario)


def test_pairing_that_stalls_is_restarted(tmp_path: Path) -> None:
    """30 s from pair_success without `connected`: the saved device is started anew."""

    async def scenario(room: FleetRoom) -> None:
        bot = await room.new()
        offer(room.host, bot.id)
        room.host.tell(bot.id, PairSucceeded(account()))
        assert (await room.see(bot.id)).status == "pairing"
        await settle(29)
        assert (await room.see(bot.id)).status == "pairing"
        await settle(2)
        shown = await room.see(bot.id)
        assert shown.status == "connecting" and shown.restarts == 0
        assert room.host.starts[-1][0].account_jid == account().jid
        room.host.tell(bot.id, model.Connected(account()))
        assert (await room.see(bot.id)).status == "connected"

    run(tmp_path, scenario)
