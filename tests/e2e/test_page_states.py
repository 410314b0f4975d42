"""Every state of the page, provoked and photographed, in both themes and widths, each audited by axe.

Where a simulated phone can play a state the whole server plays it; what no driver can be made to do (a device limit, a
name that does not resolve, …) comes as the same frame through the page's own socket. The output says which it was.
"""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from playwright.async_api import Browser, Page

from sessions.simulated_control import PhoneClient
from tests.support.browser import Watched, chromium
from tests.support.page import WAIT_MS, Json, Stage, audit, look, open_page, text_of
from tests.support.server import Server

pytestmark = pytest.mark.browser


@dataclass
class World:
    """A simulated server and a page on it."""

    server: Server
    page: Page
    stage: Stage
    wrong: list[str] = field(default_factory=list)
    seen: dict[str, str] = field(default_factory=dict)

    def phone(self, bot: str) -> PhoneClient:
        return PhoneClient(self.server.data_dir / "run" / "phones", bot)

    async def code(self) -> str:
        return str((await self.server.call("POST", "/session/code", {}))["code"])

    async def goto(self, path: str) -> None:
        """Go there as a link does."""
        await self.page.evaluate(
            "path => { history.pushState(null, '', path); dispatchEvent(new PopStateEvent('popstate')) }", path
        )

    async def bot(self, name: str, **members: object) -> str:
        """A new bot whose code is on offer, and its Link step."""
        bot = str((await self.server.call("POST", "/bots", {"name": name, **members}, status=201))["id"])
        await self.server.bot_until(bot, lambda record: record["status"] == "awaiting_scan")
        await self.goto(f"/bots/{bot}/link")
        await self.page.wait_for_selector("[data-state=scan] .qr svg path", timeout=WAIT_MS)
        return bot

    async def linked(self, name: str) -> str:
        bot = await self.bot(name)
        await self.phone(bot).do("scan")
        await self.shows("connected")
        return bot

    async def shows(self, state: str) -> None:
        await self.page.wait_for_selector(f"[data-state={state}]", timeout=WAIT_MS)

    async def take(self, state: str, how: str, *, readable: bool = False) -> None:
        """Photograph the state the Link step is in."""
        await self.shows(state)
        self.wrong += await look(self.page, f"link-{state}", readable=readable)
        assert await self.page.locator(f"[data-state={state}]").count() == 1, f"{state} has gone while it was looked at"
        self.seen[state] = how


@contextlib.asynccontextmanager
async def world(tmp_path: Path, *options: str) -> AsyncIterator[World]:
    async with (
        Server.running(tmp_path / "data", None, "--driver", "simulated", *options) as server,
        chromium() as browser,
    ):
        page, stage = await (await browser.new_context()).new_page(), Stage()
        await stage.attach(page)
        here = World(server, page, stage)
        await open_page(page, server.url, await here.code())
        yield here


async def test_states_of_linking(tmp_path: Path) -> None:
    """Each state of the Link step is there, is audited, and says what it should."""
    async with world(tmp_path, "--max-link-attempts-per-hour", "2") as here:
        watched = Watched(here.page)
        for part in (_offers, _phone_number, _refusals, _linked, _ends, _prompted, _connection):
            await part(here)
        for state, how in here.seen.items():
            print(f"{state}: {how}")
        assert here.wrong == [], text_of(here.wrong)
        assert not [url for url in watched.addresses if "2@" in url], "no code is in an address"
        assert {*here.seen} | {"syncing"} == STATES, {*here.seen} ^ STATES


STATES = {
    "waiting", "scan", "phone", "phone_error", "phone_code", "linking", "restarting", "syncing", "connected", "expired",
    "too_many", "multidevice", "passkey", "wrong", "pair_error", "devices", "banned", "blocked", "outdated",
    "unreachable", "proxy", "logged_out", "replaced", "failed", "socket_lost", "elsewhere", "cancelled",
}  # fmt: skip
"""`syncing` is gone within seconds: it is told in the Ready step, and by `test/page/link.test.ts`."""

SIMULATED = "played by the simulated driver"
PROMPTED = "the same frame through the page's socket"


async def _offers(here: World) -> None:
    bot = await here.bot("Front desk")
    await here.take("scan", SIMULATED, readable=True)
    heard = await here.page.inner_text("[data-announced=polite]")
    assert heard.strip() == "Code 1 of 6 is ready to scan"
    assert (await here.page.title()).startswith("Scan code 1 of 6")
    await here.phone(bot).do("scan_without_multidevice")
    await here.take("multidevice", SIMULATED, readable=True)
    await here.page.get_by_role("button", name="Use another phone").click()
    await here.shows("scan")
    await here.page.get_by_role("button", name="Cancel").click()
    await here.page.wait_for_selector("[data-state=cancelled]", timeout=1_000)
    assert await here.page.locator("[data-qr]").count() == 0
    await here.take("cancelled", SIMULATED)


async def _phone_number(here: World) -> None:
    bot = await here.bot("By number")
    await here.page.get_by_role("tab", name="number").click()
    await here.take("phone", SIMULATED)
    await here.page.get_by_label("Phone number of the WhatsApp account").fill("030 901 1200")
    await here.page.get_by_role("button", name="Get code").click()
    await here.take("phone_error", SIMULATED)
    await here.page.get_by_label("Phone number of the WhatsApp account").fill("0049 (30) 901 1200")
    await here.page.get_by_text("Germany.").wait_for()
    await here.page.get_by_role("button", name="Get code").click()
    await here.take("phone_code", SIMULATED)
    shown = (await here.page.inner_text(".code8")).strip()
    assert shown == (await here.phone(bot).do("state"))["pairing_code"]
    kept = await here.page.evaluate("[location.href, {...localStorage}, {...sessionStorage}]")
    assert shown not in str(kept), "a code is in no address and no storage"
    await here.page.get_by_role("button", name="Type this code").click()
    await here.shows("connected")


async def _refusals(here: World) -> None:
    plays: list[tuple[str, str, str]] = [
        ("Ran out", "expire_codes", "expired"),
        ("Passkey", "ask_for_passkey", "passkey"),
        ("Refused", "refuse", "pair_error"),
    ]
    for name, play, state in plays:
        bot = await here.bot(name)
        await here.phone(bot).do(play)
        await here.take(state, SIMULATED)
    await here.page.get_by_role("button", name="Get new codes").click()
    await here.shows("scan")
    await here.phone(bot).do("refuse")
    await here.shows("pair_error")
    await here.page.get_by_role("button", name="Get new codes").click()
    await here.take("too_many", SIMULATED)
    expected = str((await here.server.call("POST", "/bots", {"name": "Expected", "start": False}, status=201))["id"])
    await here.server.call("POST", f"/bots/{expected}/link", {"expectedPhone": "+4915112345678"})
    await here.goto(f"/bots/{expected}/link")
    await here.shows("scan")
    await here.phone(expected).do("scan")
    await here.take("wrong", SIMULATED)


async def _linked(here: World) -> None:
    await here.linked("Right number")
    await here.take("connected", SIMULATED)
    await here.page.get_by_role("button", name="Yes, continue").click()
    await here.shows("ready")
    here.wrong += await look(here.page, "ready")


async def _ends(here: World) -> None:
    plays: list[tuple[str, str, Json, str]] = [
        ("Unlinked", "unlink", {}, "logged_out"),
        ("Elsewhere", "replace", {}, "replaced"),
        ("Banned", "ban", {"seconds": 28_800}, "banned"),
    ]
    for name, play, arguments, state in plays:
        bot = await here.linked(name)
        await here.phone(bot).do(play, **arguments)
        await here.take(state, SIMULATED)


async def _prompted(here: World) -> None:
    bot = await here.bot("On stage")
    record = await here.server.call("GET", f"/bots/{bot}")
    soon = record["since"] + 3_600_000
    account = {"jid": "4915112345678@s.whatsapp.net", "lid": None, "phone": "4915112345678", "pushName": "On stage"}
    say: list[tuple[str, Callable[[], None]]] = [
        ("linking", lambda: here.stage.say("whatsapp_connection_event", "pair_success", bot, {"account": account})),
        ("restarting", lambda: here.stage.status(record, "pairing", account=account)),
        ("blocked", lambda: here.stage.status(record, "blocked", "account_banned", "WhatsApp has banned the account.")),
        (
            "outdated",
            lambda: here.stage.status(record, "outdated", "client_outdated", "WhatsApp refuses this version."),
        ),
        (
            "unreachable",
            lambda: here.stage.status(
                record, "starting", "dns_failed", "WhatsApp's name could not be resolved.", retryAt=soon
            ),
        ),
        ("proxy", lambda: here.stage.status(record, "starting", "proxy_failed", "No.", retryAt=soon, proxy=True)),
        (
            "failed",
            lambda: here.stage.status(record, "failed", "restart_budget_spent", "The bot failed several times."),
        ),
        ("waiting", lambda: here.stage.status(record, "starting")),
    ]
    for state, play in say:
        play()
        await here.take(state, PROMPTED)
    here.stage.say("whatsapp_connection_event", "pair_error", bot, {"code": "device_limit"})
    here.stage.status(record, "login_expired", "pair_failed", "Linking failed.")
    await here.take("devices", PROMPTED)


async def _connection(here: World) -> None:
    await here.bot("Not live")
    drawn = await here.page.get_attribute(".qr svg path", "d")
    other = await (await _browser(here).new_context()).new_page()
    await open_elsewhere(here, other)
    await here.take("elsewhere", "another browser took over")
    assert drawn is not None and drawn not in await here.page.content(), "what is veiled is no code"
    await here.page.locator("main").get_by_role("button", name="Use here").click()
    await here.shows("scan")
    await other.close()
    await here.server.stop()
    await here.take("socket_lost", "the server was stopped")
    assert drawn not in await here.page.content()
    await here.server.start()
    await here.page.wait_for_selector("[data-connection=live]", timeout=WAIT_MS)


def _browser(here: World) -> Browser:
    browser = here.page.context.browser
    assert browser is not None
    return browser


async def open_elsewhere(here: World, other: Page) -> None:
    """A second browser takes the connection over, as somebody asks it to."""
    await other.goto(f"{here.server.url}/#code={await here.code()}")
    await other.wait_for_selector("[data-connection=already_connected]", timeout=WAIT_MS)
    here.wrong += await audit(other)
    await other.get_by_role("button", name="Use here").click()
    await other.wait_for_selector("[data-connection=live]", timeout=WAIT_MS)
