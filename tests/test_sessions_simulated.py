"""The simulated WhatsApp: what a test or the demo can make it do, in time and on disk."""

from __future__ import annotations

import asyncio
import stat
from pathlib import Path

import pytest

from sessions import kinds, model, translate
from sessions.model import Account, OutgoingText, SessionEvent
from sessions.session import SessionSpec
from sessions.simulated import PhoneError, SimulatedSession
from sessions.simulated_server import Options
from sessions.simulated_store import Inbox, TextIn, lid_of, load, number_of, number_of_bot, person, save
from tests.contracts.session_harness import RecordingOutlet
from tests.support.virtual_time import VirtualClock, run

ADA = "491701234567"
QUICK = Options(delivered_s=0.01, read_s=0.02)


def spec(directory: Path, account: Account | None = None, bot: str = "bot_a") -> SessionSpec:
    return SessionSpec(bot, "inc_1", str(directory / "device.db"), account.jid if account else None, "Test", None)


async def linked(directory: Path, options: Options = QUICK) -> tuple[SimulatedSession, RecordingOutlet]:
    outlet = RecordingOutlet()
    session = SimulatedSession(spec(directory), outlet, options)
    await session.start()
    await outlet.wait(model.QrOffered)
    session.phone.scan()
    await outlet.wait(model.Connected)
    return session, outlet


def names(outlet: RecordingOutlet) -> list[str]:
    return [type(event).__name__ for event in outlet.events]


# --- codes on virtual time -----------------------------------------------------------------------------------


def test_six_codes_run_out(tmp_path: Path) -> None:
    """Six different codes, one for a minute and five for 20 s, then the attempt is over: 160 s."""

    async def main(clock: VirtualClock) -> None:
        outlet = RecordingOutlet()
        session = SimulatedSession(spec(tmp_path), outlet, wall_ms=clock.wall_ms)
        began = clock.wall_ms()
        await session.start()
        await asyncio.sleep(200)
        offers = outlet.of(model.QrOffered)
        assert [offer.index for offer in offers] == [1, 2, 3, 4, 5, 6]
        assert len({offer.code for offer in offers}) == 6
        times = [entry.at_ms - began for entry in outlet.delivered]
        assert times == [10, 60_010, 80_010, 100_010, 120_010, 140_010, 160_010]
        assert names(outlet)[-1] == "CodesExpired"
        with pytest.raises(PhoneError):
            session.phone.scan(offers[-1].code)
        assert await session.stop()

    run(main)


def test_only_the_newest_code_scans(tmp_path: Path) -> None:
    """A code that was replaced links nobody."""

    async def main(clock: VirtualClock) -> None:
        outlet = RecordingOutlet()
        session = SimulatedSession(spec(tmp_path), outlet, wall_ms=clock.wall_ms)
        await session.start()
        await asyncio.sleep(70)
        first, second = outlet.of(model.QrOffered)
        with pytest.raises(PhoneError):
            session.phone.scan(first.code)
        session.phone.scan(second.code)
        await asyncio.sleep(300)
        assert names(outlet) == ["QrOffered", "QrOffered", "PairSucceeded", "Connected"]

    run(main)


def test_stop_ends_the_codes(tmp_path: Path) -> None:
    """After stop nothing is delivered any more."""

    async def main(clock: VirtualClock) -> None:
        outlet = RecordingOutlet()
        session = SimulatedSession(spec(tmp_path), outlet, wall_ms=clock.wall_ms)
        await session.start()
        await asyncio.sleep(1)
        assert await session.stop()
        await asyncio.sleep(300)
        assert names(outlet) == ["QrOffered"]

    run(main)


def test_hang_in_stop(tmp_path: Path) -> None:
    """A session that hangs says so after ten seconds, and again at once."""

    async def main(clock: VirtualClock) -> None:
        session = SimulatedSession(spec(tmp_path), RecordingOutlet(), wall_ms=clock.wall_ms)
        await session.start()
        session.phone.hang_in_stop()
        assert await session.stop() is False
        assert clock.monotonic() == 10
        assert await session.stop() is False
        assert clock.monotonic() == 10

    run(main)


def test_unanswered_send(tmp_path: Path) -> None:
    """A send nobody acknowledges is unknown after 75 s."""

    async def main(clock: VirtualClock) -> None:
        outlet = RecordingOutlet()
        session = SimulatedSession(spec(tmp_path), outlet, wall_ms=clock.wall_ms)
        await session.start()
        await asyncio.sleep(1)
        session.phone.scan()
        await asyncio.sleep(1)
        session.phone.mute_sends()
        before = clock.monotonic()
        assert await session.send("job", OutgoingText(f"{ADA}@s.whatsapp.net", "hello")) == model.SendUnknown()
        assert clock.monotonic() - before == 75
        assert outlet.of(model.SendFinished) == [model.SendFinished("job", model.SendUnknown())]

    run(main)


async def test_stop_settles_sends(tmp_path: Path) -> None:
    """A send still unanswered when the session is stopped is unknown, and spooled before stop returns; later nothing is."""
    session, outlet = await linked(tmp_path)
    session.phone.mute_sends()
    sending = asyncio.gather(session.send("job", OutgoingText(f"{ADA}@s.whatsapp.net", "hello")))
    await asyncio.sleep(0)
    assert await session.stop()
    assert outlet.of(model.SendFinished) == [model.SendFinished("job", model.SendUnknown())]
    assert (await sending)[0] == model.SendUnknown()
    spooled = len(outlet.spooled)
    session.phone.kill_pump()
    assert len(outlet.spooled) == spooled


# --- moods ---------------------------------------------------------------------------------------------------


async def test_contacts_answer_by_themselves(tmp_path: Path) -> None:
    """A contact takes and reads what it is sent unless told not to."""
    session, outlet = await linked(tmp_path)
    outcome = await session.send("job", OutgoingText(ADA + "@s.whatsapp.net", "hello"))
    assert isinstance(outcome, model.Sent)
    await outlet.wait(model.ReceiptReceived, count=2)
    assert [receipt.kind for receipt in outlet.of(model.ReceiptReceived)] == ["delivered", "read"]


async def test_group_send(tmp_path: Path) -> None:
    """A text to a group is acknowledged by each other member; the group outlives the session."""
    session, outlet = await linked(tmp_path)
    chat = session.phone.make_group("Team", [ADA, "491700000002"])
    await session.send("job", OutgoingText(chat, "hello all"))
    await outlet.wait(model.ReceiptReceived, count=4)
    receipts = {(one.chat, one.chat_pn, one.sender, one.kind) for one in outlet.of(model.ReceiptReceived)}
    members = [f"{lid_of(number)}@lid" for number in (ADA, "491700000002")]
    assert receipts == {(chat, None, member, kind) for member in members for kind in ("delivered", "read")}
    account = session.account()
    assert account is not None
    await session.stop()
    heard = RecordingOutlet()
    again = SimulatedSession(spec(tmp_path, account), heard, QUICK)
    await again.start()
    await heard.wait(model.Connected)
    assert isinstance(await again.send("job_2", OutgoingText(chat, "still here")), model.Sent)
    await again.stop()


@pytest.mark.parametrize(
    ("do", "told"),
    [
        (lambda phone: phone.replace(), model.StreamReplaced()),
        (lambda phone: phone.outdated(), model.ClientOutdated()),
        (lambda phone: phone.stream_error("516"), model.StreamError("516")),
        (lambda phone: phone.keepalive_timeout(2), model.KeepaliveTimeout(2)),
        (lambda phone: phone.keepalive_restored(), model.KeepaliveRestored()),
        (lambda phone: phone.kill_pump(), model.PumpDied("simulated")),
        (lambda phone: phone.unlink(), model.LoggedOut(False, "unlinked_on_phone")),
    ],
    ids=["replace", "outdated", "stream_error", "keepalive_timeout", "keepalive_restored", "kill_pump", "unlink"],
)
async def test_mood(tmp_path: Path, do: object, told: SessionEvent) -> None:
    """Each mood of WhatsApp is one event."""
    assert callable(do)
    session, outlet = await linked(tmp_path)
    do(session.phone)
    assert outlet.events[-1] == told
    await session.stop()


@pytest.mark.parametrize(
    ("do", "told"),
    [
        (lambda phone: phone.scan_without_multidevice(), model.ScannedWithoutMultidevice()),
        (lambda phone: phone.ask_for_passkey(), model.PasskeyRequired()),
        (lambda phone: phone.exceed_devices(), model.PairFailed("error", "device_limit")),
    ],
    ids=["without_multidevice", "passkey", "a device too many"],
)
async def test_odd_scan(tmp_path: Path, do: object, told: SessionEvent) -> None:
    """What can come of a scan beside a link."""
    assert callable(do)
    outlet = RecordingOutlet()
    session = SimulatedSession(spec(tmp_path), outlet)
    await session.start()
    await outlet.wait(model.QrOffered)
    do(session.phone)
    assert outlet.events[-1] == told
    await session.stop()


async def test_drop_until_told(tmp_path: Path) -> None:
    """A cut line stays cut until it may come back; texts wait meanwhile, and sends are refused unsent."""
    session, outlet = await linked(tmp_path)
    session.phone.drop()
    assert await session.send("job", OutgoingText(f"{ADA}@lid", "x")) == model.NotSent("not_connected")
    waiting = session.phone.text(ADA, "are you there?")
    session.phone.reconnect()
    event = await outlet.wait(model.MessageReceived)
    assert event.message_id == waiting
    assert names(outlet)[-4:] == ["Connected", "OfflineSync", "MessageReceived", "OfflineSync"]
    with pytest.raises(PhoneError):
        session.phone.reconnect()


async def test_ban_lasts(tmp_path: Path) -> None:
    """A banned account is refused until its time, also by a later session, and then logs in again."""
    session, outlet = await linked(tmp_path)
    account = session.account()
    session.phone.ban(1000)
    ban = await outlet.wait(model.TemporarilyBanned)
    assert ban.expires_in_s is not None and 998 <= ban.expires_in_s <= 1000
    await session.stop()
    later = RecordingOutlet()
    again = SimulatedSession(spec(tmp_path, account), later)
    await again.start()
    await later.wait(model.TemporarilyBanned)
    saved = load(spec(tmp_path).device_file)
    assert saved is not None
    saved.banned_until_ms = 1
    save(spec(tmp_path).device_file, saved)
    freed = RecordingOutlet()
    await SimulatedSession(spec(tmp_path, account), freed).start()
    await freed.wait(model.Connected)


async def test_unreachable(tmp_path: Path) -> None:
    """Without an answer a first dial fails, linked or not; the session is over then."""
    session, _ = await linked(tmp_path)
    account = session.account()
    await session.stop()
    for wanted in (None, account):
        outlet = RecordingOutlet()
        session = SimulatedSession(spec(tmp_path, wanted), outlet)
        session.phone.unreachable("dns_failed")
        await session.start()
        await outlet.wait(model.StartFailed)
        assert outlet.events == [model.StartFailed("dns_failed")]
        assert session.phone.state == "over"


@pytest.mark.parametrize("wrong", ["abc", "", "1@x"])
async def test_contact_needs_a_number(tmp_path: Path, wrong: str) -> None:
    """A contact is named by digits; anything else is told to the player, not to the bot."""
    session, outlet = await linked(tmp_path)
    with pytest.raises(PhoneError):
        session.phone.text(wrong, "x")
    assert not outlet.of(model.MessageReceived)


async def test_disk_that_refuses_keeps_the_text_at_whatsapp(tmp_path: Path) -> None:
    """A text the spool couldn't take waits at WhatsApp and arrives at the next start."""
    session, outlet = await linked(tmp_path)
    account = session.account()
    outlet.broken = True
    message_id = session.phone.text(ADA, "keep me")
    await session.stop()
    later = RecordingOutlet()
    await SimulatedSession(spec(tmp_path, account), later).start()
    assert (await later.wait(model.MessageReceived)).message_id == message_id


async def test_spooled_bytes_read_back(tmp_path: Path) -> None:
    """What this driver spools is what it delivers, after draining too."""
    session, outlet = await linked(tmp_path)
    session.phone.text(ADA, "hello", mentions=("1@lid",), quoted="3A01")
    await session.send("job", OutgoingText(f"{ADA}@s.whatsapp.net", "hello"))
    await outlet.wait(model.ReceiptReceived, count=2)
    drained = [translate.from_raw(entry.kind, entry.raw, {}, None)[0] for entry in outlet.spooled]
    assert drained == [entry.event for entry in outlet.delivered if entry.ordinal is not None]
    assert {entry.kind for entry in outlet.spooled} == {kinds.SIMULATED, kinds.SEND_FINISHED}


# --- files ---------------------------------------------------------------------------------------------------


async def test_device_file(tmp_path: Path) -> None:
    """The linked device lies in a private file, and a spoilt or foreign one holds no keys."""
    session, _ = await linked(tmp_path)
    file = Path(spec(tmp_path).device_file)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    saved = load(str(file))
    assert saved is not None and saved.account == session.account()
    for content in (b"", b"SQLite format 3\x00", b'{"simulated":2}'):
        file.write_bytes(content)
        assert load(str(file)) is None


def test_numbers() -> None:
    """Bots have numbers of their own, and LIDs lead back to numbers."""
    assert number_of_bot("bot_a") == number_of_bot("bot_a") != number_of_bot("bot_b")
    assert number_of(lid_of(ADA)) == ADA
    assert person(f"{lid_of(ADA)}:3@lid") == person(ADA) == person(f"{ADA}@c.us")
    with pytest.raises(ValueError, match="person"):
        person("7-8@g.us")


def test_inbox(tmp_path: Path) -> None:
    """Texts wait in order; one that was taken but did not arrive is there again, before newer ones."""
    inbox = Inbox(tmp_path / "inbox")
    texts = [TextIn(f"M{number}", ADA, "x", number) for number in range(3)]
    assert inbox.take() == []
    inbox.add(texts[0])
    inbox.add(texts[1])
    assert inbox.take() == texts[:2]
    inbox.add(texts[2])
    assert Inbox(tmp_path / "inbox").take() == texts
    inbox.done()
    assert inbox.take() == []
