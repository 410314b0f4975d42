"""Every state of the Link step, provoked and photographed in both themes and widths, audited, and compared with its words.

WhatsApp on loopback and the real library play all of them but one: `devices`, which this library never tells, comes from
the simulated driver as a session's event, by the way all events take. The output says which it was for each.
"""

from __future__ import annotations

import socket
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.async_api import Page

from tests.e2e.journeys import CRASHES, crash, create, meanwhile
from tests.loopback.devices import LinkedDevice
from tests.loopback.faults import LoginFailure
from tests.loopback.pairing import PairingRefused
from tests.loopback.phone import Phone
from tests.loopback.server import LoopbackServer
from tests.support.browser import Watched, read_qr
from tests.support.page import WAIT_MS, audit, look, text_of
from tests.support.page_world import SHOWN_CODE, STATES, Tell, World, clock_stopped, opened, simulated
from tests.support.server import Server

pytestmark = pytest.mark.browser

APART = {"expired", "devices"}
"""States with a test of their own: six codes take their time, a device limit takes the simulated driver."""


@pytest.fixture
def server_options() -> tuple[str, ...]:
    """Few tries, so that they can be used up; a bot may have a proxy on loopback."""
    return ("--max-link-attempts-per-hour", "2", "--proxy-allow", "127.0.0.0/8")


async def test_states_of_linking(server: Server, whatsapp: LoopbackServer, tell: Tell) -> None:
    """Each state of the Link step is there, is audited, and says what it should."""
    async with opened(server, tell) as here:
        watched = Watched(here.page)
        await _offers(here, whatsapp)
        async with meanwhile(crash(server)) as crashed:
            for part in (_phone_number, _progress, _refusals, _ends, _ways):
                await part(here, whatsapp)
            last = await _elsewhere(here)
            await _outdated(here, whatsapp)
            await here.goto(f"/bots/{await crashed}/link")
            await here.take("failed", f"its process killed {CRASHES} times")
        await _socket_lost(here, last)
        assert here.wrong == [], text_of(here.wrong)
        assert not [url for url in watched.addresses if "2@" in url], "no code is in an address"
        assert here.seen == STATES.keys() - APART, here.seen ^ STATES.keys()


async def scan(here: World, phone: Phone) -> LinkedDevice:
    """A phone's camera sees what the page shows."""
    return await phone.scan(await read_qr(here.page, ".qr"))


async def _offers(here: World, whatsapp: LoopbackServer) -> None:
    whatsapp.holds.keep("refs")
    await here.create("Front desk")
    await here.take("waiting", "loopback: WhatsApp keeps its codes back")
    whatsapp.holds.let_go("refs")
    await here.take("scan", "loopback: WhatsApp offers codes", readable=True)
    heard = await here.page.inner_text("[data-announced=polite]")
    assert heard.strip() == "Code 1 of 6 is ready to scan"
    assert (await here.page.title()).startswith("Scan code 1 of 6")
    whatsapp.add_account().scan_without_multidevice(await read_qr(here.page, ".qr"))
    await here.take("multidevice", "loopback: scanned by a phone without linked devices", readable=True)
    await here.press("Use another phone")
    await here.shows("scan")
    await here.page.get_by_role("button", name="Cancel").click()
    await here.shows("cancelled", timeout_ms=1_000)
    assert await here.page.locator("[data-qr]").count() == 0
    await here.take("cancelled", "a person cancels")


async def _phone_number(here: World, whatsapp: LoopbackServer) -> None:
    phone = whatsapp.add_account("49309011200")
    await here.bot("By number")
    await here.page.get_by_role("tab", name="number").click()
    await here.take("phone", "a person chooses it")
    number = here.page.get_by_label("Phone number of the WhatsApp account")
    await number.fill("030 901 1200")
    await here.press("Get code")
    await here.take("phone_error", "a person types a number without its country")
    await number.fill("0049 (30) 901 1200")
    await here.page.get_by_text("Germany.").wait_for()
    await here.press("Get code")
    await here.take("phone_code", "loopback: WhatsApp gives a pairing code")
    shown = (await here.page.inner_text(".code8")).strip()
    kept = await here.page.evaluate("[location.href, {...localStorage}, {...sessionStorage}]")
    assert shown not in str(kept), "a code is in no address and no storage"
    await phone.enter_code(shown)
    await here.shows("connected")
    assert shown not in await here.page.content()


async def _progress(here: World, whatsapp: LoopbackServer) -> None:
    phone, ada = whatsapp.add_account(), whatsapp.add_contact(name="Ada")
    phone.holds.keep("restart", "active", "offline")
    await here.bot("Right number")
    async with clock_stopped(here.page):
        await scan(here, phone)
        await here.take(
            "linking", "loopback: scanned, WhatsApp keeps the restart (515) back; the page's clock stands still"
        )
    phone.holds.let_go("restart")
    await here.take("restarting", "loopback: the restart (515), its login is not answered yet")
    for words in ("Good morning!", "Are you open today?", "We would like to book a table."):
        await ada.send_text(phone, words)
    async with clock_stopped(here.page):
        phone.holds.let_go("active")
        await here.take(
            "syncing", "loopback: three texts waited, WhatsApp keeps the end back; the page's clock stands still"
        )
    phone.holds.let_go("offline")
    await here.take("connected", "loopback: the scanned account is logged in")
    await here.press("Yes, continue")
    await here.shows("ready")
    here.wrong += await look(here.page, "ready")


async def _refusals(here: World, whatsapp: LoopbackServer) -> None:
    await here.bot("Refused")
    await _keys_differ(here, whatsapp)
    await here.take("pair_error", "loopback: keys that do not match")
    await here.press("Get new codes")
    await here.page.wait_for_selector(SHOWN_CODE, timeout=WAIT_MS)
    await _keys_differ(here, whatsapp)
    await here.shows("pair_error")
    await here.press("Get new codes")
    await here.take("too_many", "the third link attempt where two an hour are allowed")
    await here.bot("Passkey")
    whatsapp.add_account().ask_for_passkey(await read_qr(here.page, ".qr"))
    await here.take("passkey", "loopback: WhatsApp asks for a passkey")
    await here.bot("Taken")
    await scan(here, next(phone for phone in whatsapp.phones.values() if phone.devices))
    await here.take("wrong", "loopback: scanned by the account of another bot")
    expected = await create(here.server, "Expected", start=False)
    await here.server.call("POST", f"/bots/{expected}/link", {"expectedPhone": "+4915112345678"})
    await here.goto(f"/bots/{expected}/link")
    await here.page.wait_for_selector(SHOWN_CODE, timeout=WAIT_MS)
    await scan(here, whatsapp.add_account())
    await here.take("wrong", "loopback: scanned by another number than expected", picture="wrong-number")


async def _keys_differ(here: World, whatsapp: LoopbackServer) -> None:
    whatsapp.faults.tamper_pairing = True
    with pytest.raises(PairingRefused):
        await scan(here, whatsapp.add_account())
    whatsapp.faults.tamper_pairing = False


async def _ends(here: World, whatsapp: LoopbackServer) -> None:
    refusals = {
        "banned": (LoginFailure(402, {"code": "101", "expire": "28800"}), "its login refused with 402"),
        "blocked": (LoginFailure(403), "its login refused with 403"),
    }
    for state, (failure, how) in refusals.items():
        phone = whatsapp.add_account()
        phone.login_failure = failure
        await here.bot(state.title())
        await scan(here, phone)
        await here.take(state, f"loopback: {how}")
    endings: dict[str, tuple[Callable[[LinkedDevice], None], str]] = {
        "logged_out": (lambda device: device.phone.unlink(device), "removed on the phone (401)"),
        "replaced": (
            lambda device: device.stream_error(conflict="replaced"),
            "the device connects elsewhere (conflict)",
        ),
    }
    for state, (end, how) in endings.items():
        await here.bot(state.replace("_", " ").title())
        device = await scan(here, whatsapp.add_account())
        await device.wait_online()
        await here.shows("connected")
        end(device)
        await here.take(state, f"loopback: {how}")


async def _ways(here: World, whatsapp: LoopbackServer) -> None:
    """Ways to WhatsApp that do not work: those who are connected stay so."""
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        await here.create("Own proxy", proxy=f"http://127.0.0.1:{nobody.getsockname()[1]}")
        await here.take("proxy", "nobody listens at the bot's own proxy")
    await whatsapp.stop_listening(drop=False)
    await here.create("No network")
    await here.take("unreachable", "loopback: takes no connection")
    await whatsapp.start_listening()
    await here.press("Try now")
    await here.page.wait_for_selector(SHOWN_CODE, timeout=WAIT_MS)


async def _elsewhere(here: World) -> str:
    """Return a bot whose code is on offer."""
    bot = await here.bot("Not live")
    drawn = await here.page.get_attribute(".qr svg path", "d")
    other = await (await here.browser.new_context()).new_page()
    await _take_over(here, other)
    await here.take("elsewhere", "another browser takes over")
    assert drawn is not None and drawn not in await here.page.content(), "what is veiled is no code"
    await here.press("Use here")
    await here.shows("scan")
    await other.close()
    return bot


async def _take_over(here: World, other: Page) -> None:
    """A second browser takes the connection over, as somebody asks it to."""
    await other.goto(f"{here.server.url}/#code={await here.code()}")
    await other.wait_for_selector("[data-connection=already_connected]", timeout=WAIT_MS)
    here.wrong += await audit(other)
    await other.get_by_role("button", name="Use here").click()
    await other.wait_for_selector("[data-connection=live]", timeout=WAIT_MS)


async def _outdated(here: World, whatsapp: LoopbackServer) -> None:
    whatsapp.faults.pairing_failure = LoginFailure(405)
    await here.create("Old version")
    await here.take("outdated", "loopback: WhatsApp refuses the version (405)")
    await here.create("Held back")
    await here.take("outdated", "a start held back by that incident", picture="outdated-held")


async def _socket_lost(here: World, bot: str) -> None:
    await here.goto(f"/bots/{bot}/link")
    await here.shows("scan")
    drawn = await here.page.get_attribute(".qr svg path", "d")
    await here.server.stop()
    await here.take("socket_lost", "the server is stopped")
    assert drawn is not None and drawn not in await here.page.content(), "a code that may be old leaves the page"


async def test_what_the_library_never_tells(tmp_path: Path, tell: Tell) -> None:
    """It comes from the simulated driver as a session's event; there a button plays the phone."""
    async with simulated(tmp_path, tell=tell) as here:
        bot = await here.bot("Five devices")
        await here.take("scan", "simulated driver: codes on offer", readable=True, picture="scan-simulated")
        await here.server.call("POST", f"/bots/{bot}/simulate", {"play": "exceed_devices"}, status=204)
        await here.take("devices", "simulated driver: PairFailed with device_limit, as the session's event")
        assert here.wrong == [], text_of(here.wrong)


@pytest.mark.slow
async def test_six_codes_run_out(server: Server, whatsapp: LoopbackServer, tell: Tell) -> None:
    """Six codes are shown, 60 s and five times 20 s, each another; then the page says so, and a new attempt works."""
    async with opened(server, tell) as here:
        bot = await here.bot("Nobody scans")
        shown = list[str]()
        for index in range(1, 7):
            await here.page.wait_for_selector(f"[data-qr='{index}'] svg path", timeout=80_000)
            shown.append(await read_qr(here.page, ".qr"))
            assert (await here.page.title()).startswith(f"Scan code {index} of 6")
        assert len(set(shown)) == 6
        await here.shows("expired", timeout_ms=40_000)
        await here.take("expired", "loopback: nobody scans six codes")
        assert await here.page.inner_text(".tries") == "1 of 2 tries left this hour"
        seen = await here.server.call("GET", f"/bots/{bot}")
        assert (seen["reason"]["code"], seen["userAction"]) == ("codes_expired", "request_new_code")
        await here.press("Get new codes")
        await here.page.wait_for_selector(SHOWN_CODE, timeout=WAIT_MS)
        await scan(here, whatsapp.add_account())
        await here.shows("connected")
        assert here.wrong == [], text_of(here.wrong)
