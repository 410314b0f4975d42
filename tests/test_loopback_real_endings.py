"""The loopback server with the real neonize: every ending the server can give, and what the library makes of it.

Owns the proof that each fault reaches the library as the real server's would. It must never know the orchestrator.
Neighbours to read next: ``test_loopback_real.py``, ``loopback/faults.py``.
"""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from tests.loopback.devices import LinkedDevice
from tests.loopback.faults import LoginFailure
from tests.loopback.pairing import PairingRefused
from tests.loopback.phone import Contact, Phone
from tests.loopback.real_process import RealProcess
from tests.loopback.server import LoopbackServer
from tests.support.waiting import until

pytest_plugins = ("tests.loopback.fixtures",)


@pytest.mark.parametrize("ending", ["abort", "close", "503"])
async def test_the_library_comes_back_after_an_ending(
    wa: LoopbackServer, child: RealProcess, device: LinkedDevice, ending: str
) -> None:
    """TCP reset, WebSocket close and stream error 503 each give Disconnected and Connected, by the library itself."""
    mark, seen = len(wa.ledger), len(child.events)
    if ending == "503":
        device.stream_error("503")
    else:
        getattr(device, ending)()
    await wa.ledger.wait("active", after=mark)
    await child.wait("Connected", "bot", after=seen)
    links = [event["event"] for event in child.events[seen:] if event["event"] in ("Disconnected", "Connected")]
    assert links == ["Disconnected", "Connected"]


async def test_a_device_unlinked_on_the_phone_is_logged_out(
    child: RealProcess, phone: Phone, device: LinkedDevice, tmp_path: Path
) -> None:
    """device_removed: LoggedOut in Python, the library deletes its row, and the phone has no devices."""
    phone.unlink(device)
    event = await child.wait("LoggedOut", "bot")
    assert event["onConnect"] is False
    assert phone.devices == []
    # It is told first, and deleted after.
    with sqlite3.connect(tmp_path / "bot.db") as store:
        await until(lambda: store.execute("SELECT count(*) FROM whatsmeow_device").fetchone() == (0,), what="no row")


async def test_a_bot_that_logs_out_is_no_device_any_more(
    wa: LoopbackServer, child: RealProcess, phone: Phone, device: LinkedDevice
) -> None:
    """logout() in the library removes the companion from the account."""
    await child.call("logout", "bot")
    await wa.ledger.wait("logout", phone=phone.number, device=device.number)
    assert phone.devices == []


async def test_a_replaced_stream_is_told_so(
    wa: LoopbackServer, child: RealProcess, phone: Phone, device: LinkedDevice
) -> None:
    """conflict replaced gives StreamReplaced, without a Disconnected, and the connection ends."""
    seen = len(child.events)
    device.stream_error(conflict="replaced")
    await child.wait("StreamReplaced", "bot")
    await wa.ledger.wait("disconnected", phone=phone.number)
    assert "Disconnected" not in [event["event"] for event in child.events[seen:]]
    assert not device.online


async def test_the_same_device_elsewhere_replaces_the_first(
    wa: LoopbackServer, child: RealProcess, phone: Phone, device: LinkedDevice, tmp_path: Path
) -> None:
    """A second login with a copy of the store pushes the first out with conflict replaced; the second stays."""
    with sqlite3.connect(tmp_path / "bot.db") as store, sqlite3.connect(tmp_path / "copy.db") as copy:
        store.backup(copy)
    async with RealProcess.start(wa) as elsewhere:
        await elsewhere.call("start", "bot", store=str(tmp_path / "copy.db"), jid=str(device.pn_jid))
        await elsewhere.wait("Connected", "bot")
        await child.wait("StreamReplaced", "bot")
        assert wa.ledger.count("replaced", phone=phone.number) == 1
        assert device.online


@pytest.mark.slow
async def test_used_up_refs_end_the_attempt(
    wa: LoopbackServer, child: RealProcess, phone: Phone, tmp_path: Path
) -> None:
    """With one ref (20 s) left unscanned the library gives up: login status timeout, and the ref is worth nothing."""
    wa.faults.refs_per_pairing = 1
    await child.call("start", "bot", store=str(tmp_path / "bot.db"))
    code = await child.wait("qr", "bot")
    status = await child.wait("login_status", "bot", timeout_s=30)
    assert status["status"] == "timeout"
    await wa.ledger.wait("disconnected")
    with pytest.raises(PairingRefused, match="unknown or expired"):
        await phone.scan(code["data"])


@pytest.mark.parametrize(
    ("failure", "event"),
    [
        (LoginFailure(401), "LoggedOut"),
        (LoginFailure(402, {"code": "101", "expire": "3600"}), "TemporaryBan"),
        (LoginFailure(403), "LoggedOut"),
        (LoginFailure(405), "ClientOutdated"),
        (LoginFailure(409), "ConnectFailure"),
    ],
)
async def test_a_refused_login_names_its_reason(
    wa: LoopbackServer, child: RealProcess, device: LinkedDevice, failure: LoginFailure, event: str
) -> None:
    """Each failure reason at login reaches Python as the event the library has for it."""
    wa.faults.login_failure = failure
    device.abort()
    await child.wait(event, "bot")
    assert wa.ledger.count("login_refused", reason=failure.reason) == 1


async def test_a_network_that_appears_later_brings_the_bot_back(
    wa: LoopbackServer, child: RealProcess, device: LinkedDevice
) -> None:
    """While the port refuses, the library retries in vain; when it accepts again the same bot logs in there."""
    await wa.stop_listening()
    await child.wait("Disconnected", "bot")
    mark = len(wa.ledger)
    await wa.start_listening()
    await wa.ledger.wait("active", 15.0, after=mark)
    assert device.online


async def test_logins_cut_off_are_repeated_until_one_is_let_through(
    wa: LoopbackServer, child: RealProcess, device: LinkedDevice
) -> None:
    """Two logins are reset right after the handshake; the library tries again by itself and the third is answered."""
    mark = len(wa.ledger)
    wa.faults.stall = "drop_login"
    device.abort()
    await wa.ledger.wait_count(3, "disconnected", after=mark)
    assert wa.ledger.count("login", after=mark) == 0
    wa.faults.stall = ""
    await wa.ledger.wait("active", 15.0, after=mark)


async def test_a_muted_iq_hangs_its_caller_and_nobody_else(
    wa: LoopbackServer, child: RealProcess, phone: Phone, ada: Contact, device: LinkedDevice
) -> None:
    """While usync is never answered a look-up hangs, but texts keep coming."""
    wa.faults.muted_iqs.add("usync/usync")
    with pytest.raises(TimeoutError):
        await child.call("is_on_whatsapp", "bot", timeout_s=0.5, number=f"+{ada.number}")
    assert wa.ledger.count("iq", name="usync/usync", answered=0) == 1
    message_id = await ada.send_text(phone, "still there?")
    await wa.ledger.wait("message_received", id=message_id)
