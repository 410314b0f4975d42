"""A server, a page on it, and what is seen of the Link step there: photographed, audited, compared with what it should say.

Owns how a state is taken; which states there are and how each is provoked is the tests' to say. Read `page.py` for
looking at a page.
"""

from __future__ import annotations

import contextlib
import re
import time
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from playwright.async_api import Browser, Page

from sessions.simulated_control import PhoneClient
from tests.support.browser import chromium
from tests.support.page import WAIT_MS, look, open_page
from tests.support.server import Server

Tell = Callable[[str, str], None]
SHOWN_CODE = "[data-state=scan] .qr svg path"

STATES: Mapping[str, tuple[str, tuple[str, ...]]] = {
    "waiting": ("Link .+ to WhatsApp", ()),
    "scan": ("Link .+ to WhatsApp", ()),
    "phone": ("Link .+ to WhatsApp", ("Get code",)),
    "phone_error": ("Link .+ to WhatsApp", ("Get code",)),
    "phone_code": ("Link .+ to WhatsApp", ()),
    "linking": ("Scanned. Linking…", ()),
    "restarting": ("Restarting the connection", ()),
    "syncing": ("Catching up", ()),
    "connected": (r"Is this the right number\?", ("Yes, continue", "No, unlink it")),
    "expired": ("The codes ran out", ("Get new codes",)),
    "too_many": ("Too many tries for now", ("Close",)),
    "multidevice": ("That phone cannot link devices yet", ("Use another phone",)),
    "passkey": ("This account asks for a passkey", ("Use another number", "Close")),
    "wrong": (
        "This number already has a bot|That was another number",
        ("Use another number", "Open By number|Close|Let any number link"),
    ),
    "pair_error": ("Linking did not finish", ("Get new codes",)),
    "devices": ("Four devices are linked already", ("Get new codes",)),
    "banned": ("Banned until .+", ("Use another number",)),
    "blocked": ("WhatsApp locked this account", ("Use another number", "Try again")),
    "outdated": ("Linking is paused for everyone", ("Close",)),
    "unreachable": ("WhatsApp cannot be reached", ("Try now",)),
    "proxy": ("The proxy does not work", ("Change proxy", "Try again")),
    "logged_out": ("Unlinked on the phone", ("Link again", "Close")),
    "replaced": ("This bot is in use elsewhere", ("Reconnect here", "Leave it there")),
    "failed": ("Something broke on our side", ("Try again", "Close")),
    "socket_lost": ("Do not scan right now", ("Reconnect now",)),
    "elsewhere": ("You are connected in another browser", ("Use here", "Stay there")),
    "cancelled": ("Linking cancelled", ("Link now", "Go to bots")),
}
"""Every state of the Link step: its title, and what can be done, the next action first; all as patterns."""


@dataclass
class World:
    """A server and a page on it."""

    server: Server
    page: Page
    tell: Tell
    """Told of each state that was seen: its name, and which way it was provoked."""
    wrong: list[str] = field(default_factory=list)
    seen: set[str] = field(default_factory=set)

    @property
    def browser(self) -> Browser:
        browser = self.page.context.browser
        assert browser is not None
        return browser

    def phone(self, bot: str) -> PhoneClient:
        """The simulated phone of a bot; only with the simulated driver."""
        return PhoneClient(self.server.data_dir / "run" / "phones", bot)

    async def code(self) -> str:
        return str((await self.server.call("POST", "/session/code", {}))["code"])

    async def goto(self, path: str) -> None:
        """Go there as a link does."""
        await self.page.evaluate(
            "path => { history.pushState(null, '', path); dispatchEvent(new PopStateEvent('popstate')) }", path
        )

    async def create(self, name: str, **members: object) -> str:
        """A new bot, which begins to link, and its Link step."""
        bot = str((await self.server.call("POST", "/bots", {"name": name, **members}, status=201))["id"])
        await self.goto(f"/bots/{bot}/link")
        return bot

    async def bot(self, name: str, **members: object) -> str:
        """The same, and its code is on offer."""
        bot = await self.create(name, **members)
        await self.page.wait_for_selector(SHOWN_CODE, timeout=WAIT_MS)
        return bot

    async def linked(self, name: str) -> str:
        """A bot that a simulated phone has linked."""
        bot = await self.bot(name)
        await self.phone(bot).do("scan")
        await self.shows("connected")
        return bot

    async def shows(self, state: str, timeout_ms: float = WAIT_MS) -> None:
        await self.page.wait_for_selector(f"[data-state={state}]", timeout=timeout_ms)

    async def press(self, name: str) -> None:
        """Press a button of the page's own part."""
        await self.page.locator("main").get_by_role("button", name=name).click()

    async def take(self, state: str, how: str, *, readable: bool = False, picture: str | None = None) -> None:
        """Photograph the state the Link step is in, and compare what it says.

        Args:
            how: which way it was provoked, for the output.
            readable: a QR code is shown and has to be read from every picture.
            picture: its name, where a state is shown more than once.
        """
        await self.shows(state)
        self.wrong += await look(self.page, f"link-{picture or state}", readable=readable)
        card = self.page.locator(f"[data-state={state}]")
        assert await card.count() == 1, f"{state} has gone while it was looked at"
        title, actions = STATES[state]
        said, offered = await card.locator("h1").inner_text(), await card.locator(".acts button, form button").all()
        assert re.fullmatch(title, said), f"{state} is called {said}"
        buttons = [await button.inner_text() for button in offered]
        assert len(buttons) == len(actions) and all(map(re.fullmatch, actions, buttons)), f"{state} offers {buttons}"
        self.seen.add(state)
        self.tell(picture or state, how)


@contextlib.asynccontextmanager
async def opened(server: Server, tell: Tell) -> AsyncIterator[World]:
    """The page of a running server, signed in."""
    async with chromium() as browser:
        page = await (await browser.new_context()).new_page()
        here = World(server, page, tell)
        await open_page(page, server.url, await here.code())
        yield here


@contextlib.asynccontextmanager
async def simulated(tmp_path: Path, *options: str, tell: Tell = lambda state, how: None) -> AsyncIterator[World]:
    """A server without WhatsApp and its page."""
    async with (
        Server.running(tmp_path / "data", None, "--driver", "simulated", *options) as server,
        opened(server, tell) as here,
    ):
        yield here


@contextlib.asynccontextmanager
async def clock_stopped(page: Page) -> AsyncIterator[None]:
    """Let the page's clock stand still, so that what is shown for a moment can be looked at; its timers run on."""
    await page.clock.set_fixed_time(time.time())
    try:
        yield
    finally:
        await page.clock.set_system_time(time.time())
