"""Our page in a real Chromium: signing in, pictures in both themes and widths, the accessibility audit, frames of its socket.

Owns how a page is looked at; what it should show is the tests' to say. Pictures go to `.artifacts/page/`, which is not
in the repository. Read `browser.py` for the browser itself.
"""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from playwright.async_api import Page, ViewportSize, WebSocketRoute

from tests.rules.tree import ROOT
from tests.support.browser import codes

WAIT_MS = 15_000
PICTURES = ROOT / ".artifacts" / "page"
SIZES: dict[str, ViewportSize] = {"narrow": {"width": 390, "height": 844}, "wide": {"width": 1440, "height": 900}}
LOOKS = [(theme, size) for theme in ("light", "dark") for size in SIZES]
AXE = ROOT / "orchestrator" / "web" / "node_modules" / "axe-core" / "axe.min.js"
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]

Json = dict[str, Any]


async def open_page(page: Page, url: str, code: str, path: str = "/") -> None:
    """Open the page with a one-time code and wait until it is live."""
    await page.goto(f"{url}{path}#code={code}")
    await page.wait_for_selector("[data-connection=live]", timeout=WAIT_MS)


SETTLED = """() => Promise.allSettled(
  document.getAnimations()
    .filter((each) => each.effect?.getComputedTiming().endTime !== Infinity)
    .map((each) => each.finished))"""
"""What fades in has no colour of its own yet."""


async def audit(page: Page) -> list[str]:
    """Findings of axe in the page as it is: rule, elements, what is wrong."""
    if not await page.evaluate("typeof axe === 'object'"):
        await page.evaluate(AXE.read_text("utf-8"))
    await page.evaluate(SETTLED)
    found = await page.evaluate("rules => axe.run(document, {runOnly: rules, resultTypes: ['violations']})", RULES)
    return [
        f"{each['id']} {node['target']} {(node.get('failureSummary') or '').splitlines()[1:2]}"
        for each in found["violations"]
        for node in each["nodes"]
    ]


async def look(page: Page, name: str, *, readable: bool = False, pictures: Path = PICTURES) -> list[str]:
    """Photograph the page in both themes and widths; return what is wrong with it, each with where.

    Args:
        readable: a QR code is shown and has to be read from every picture.
    """
    pictures.mkdir(parents=True, exist_ok=True)
    before = page.viewport_size or SIZES["wide"]
    wrong: list[str] = []
    for theme, size in LOOKS:
        await page.emulate_media(color_scheme="dark" if theme == "dark" else "light")
        await page.set_viewport_size(SIZES[size])
        where = f"{name} {theme} {size}"
        if await page.evaluate("document.documentElement.scrollWidth > innerWidth"):
            wrong.append(f"{where}: scrolls sideways")
        png = await page.screenshot(path=pictures / f"{name}-{theme}-{size}.png", animations="disabled")
        if readable and len(codes(await page.screenshot(full_page=True))) != 1:
            wrong.append(f"{where}: the code cannot be read from the picture")
        if (theme, size) in {("light", "wide"), ("dark", "narrow")}:
            wrong += [f"{where}: {finding}" for finding in await audit(page)]
        assert png
    await page.emulate_media(color_scheme="light")
    await page.set_viewport_size(before)
    return wrong


class Stage:
    """The page's socket with a prompter: frames that neither server can be made to send come through the same socket."""

    def __init__(self) -> None:
        self._route: WebSocketRoute | None = None

    async def attach(self, page: Page) -> None:
        """Stand between the page and the server. Before the page is opened."""
        await page.route_web_socket("**/socket.io/**", self._between)

    def _between(self, route: WebSocketRoute) -> None:
        self._route = route
        server = route.connect_to_server()
        route.on_message(server.send)
        server.on_message(route.send)

    def say(self, event: str, kind: str, bot: str, data: Json, **top: object) -> None:
        """Send the page one frame that has no place in the log."""
        assert self._route is not None, "the page has no socket"
        now = time.time_ns() // 1_000_000
        frame = {"id": f"evt_{secrets.token_hex(10)}", "type": kind, "botId": bot, "at": now, "data": data, **top}
        self._route.send(f"42{json.dumps([event, frame])}")

    def status(self, record: Json, status: str, reason: str | None = None, text: str = "", **changes: object) -> None:
        """Let the bot be in a status."""
        cause = None if reason is None else {"code": reason, "text": text}
        version = int(record["statusVersion"]) + 100
        bot = {**record, "status": status, "reason": cause, "statusVersion": version, **changes}
        self.say("bot_status_update", "status", record["id"], bot, status=status, statusVersion=version)


def text_of(lines: Iterable[str]) -> str:
    """One finding a line, for the message of an assertion."""
    return "\n" + "\n".join(lines)
