"""What the loopback server keeps back until a test lets it go, and phones that cannot link, with the real neonize.

Owns the proof that the library waits at each point and goes on. Neighbour to read next: ``loopback/holds.py``.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.loopback.holds import Holds
from tests.loopback.pairing import PairingRefused
from tests.loopback.phone import Contact, Phone
from tests.loopback.real_process import RealProcess
from tests.loopback.server import LoopbackServer

pytest_plugins = ("tests.loopback.fixtures",)


def test_what_waits_goes_in_order() -> None:
    """Nothing waits where nothing is held; what waited goes first to last, once; afterwards the point is open."""
    holds, seen = Holds(), list[int]()
    holds.passing("refs", lambda: seen.append(0))
    holds.keep("refs")
    holds.keep("refs", "offline")
    for number in (1, 2):
        holds.passing("refs", lambda number=number: seen.append(number))  # type: ignore[misc]
    assert seen == [0]
    holds.let_go("refs")
    holds.let_go("refs")
    holds.passing("refs", lambda: seen.append(3))
    assert seen == [0, 1, 2, 3]


async def test_each_point_of_a_linking_can_be_held(
    wa: LoopbackServer, child: RealProcess, phone: Phone, ada: Contact, tmp_path: Path
) -> None:
    """No code before the refs go, no login before 515, not connected before <active/>, and then what waited."""
    wa.holds.keep("refs")
    phone.holds.keep("restart", "active", "offline")
    await child.call("start", "bot", store=str(tmp_path / "bot.db"))
    await wa.ledger.wait("connected")
    assert wa.ledger.count("refs_sent") == 0
    wa.holds.let_go("refs")
    device = await phone.scan((await child.wait("qr", "bot"))["data"])
    assert (wa.ledger.count("pair_signed"), wa.ledger.count("restart_sent")) == (1, 0)
    phone.holds.let_go("restart")
    await ada.send_text(phone, "while you were away")
    assert wa.ledger.count("active") == wa.ledger.count("message_sent") == 0
    phone.holds.let_go("active")
    assert (await child.wait("Message", "bot"))["text"] == "while you were away"
    await child.wait("Connected", "bot")
    assert device.online and wa.ledger.count("offline_sent") == 0
    phone.holds.let_go("offline")
    await wa.ledger.wait("offline_sent", phone=phone.number)


async def test_phones_that_cannot_link(wa: LoopbackServer, child: RealProcess, phone: Phone, tmp_path: Path) -> None:
    """A WhatsApp without linked devices, an account that wants a passkey: the library says which; nobody is linked."""
    await child.call("start", "bot", store=str(tmp_path / "bot.db"))
    code = (await child.wait("qr", "bot"))["data"]
    phone.scan_without_multidevice(code)
    assert (await child.wait("login_status", "bot"))["status"] == "err-scanned-without-multidevice"
    phone.ask_for_passkey(code)
    told = await child.wait(
        "login_status", "bot", where=lambda event: event["status"] != "err-scanned-without-multidevice"
    )
    assert told["status"] == "passkey-request"
    assert phone.devices == [] and wa.ledger.count("pair_success_sent") == 0
    with pytest.raises(PairingRefused):
        phone.ask_for_passkey("https://example.org/")
