"""The list of bots while it is used: nothing moves under the finger, dialogs and focus stay, long lists do not jump."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from playwright.async_api import Page, expect

from tests.support.page import SIZES, WAIT_MS
from tests.support.page_world import World, simulated

pytestmark = pytest.mark.browser

_ORDER = "[...document.querySelectorAll('article[data-bot]')].map(each => each.ariaLabel)"


async def _order(page: Page) -> list[str]:
    return [str(each) for each in await page.evaluate(_ORDER)]


def _row(page: Page, name: str, status: str = "") -> str:
    return f"article[aria-label='{name}']" + (f"[data-status={status}]" if status else "")


async def _many(here: World, count: int) -> None:
    for start in range(0, count, 20):
        made = (here.server.call("POST", "/bots", {"name": f"Bot {start + n:03}", "start": False}) for n in range(20))
        await asyncio.gather(*made)


async def test_rows_keep_their_place_under_the_pointer(tmp_path: Path) -> None:
    """A bot that begins to need somebody moves up once the pointer has gone; until then its row says so where it is."""
    async with simulated(tmp_path) as here:
        page = here.page
        bots = {name: await here.linked(name) for name in ("Anna", "Berta", "Clara")}
        await here.goto("/")
        await page.locator(_row(page, "Anna")).hover()
        await here.phone(bots["Clara"]).do("unlink")
        await page.wait_for_selector(_row(page, "Clara", "logged_out"), timeout=WAIT_MS)
        assert await _order(page) == ["Anna", "Berta", "Clara"]
        await page.locator("h1").hover()
        await page.wait_for_function(f"() => {_ORDER}[0] === 'Clara'", timeout=WAIT_MS)
        await page.keyboard.press("j")
        await page.keyboard.press("j")
        await here.phone(bots["Berta"]).do("unlink")
        await page.wait_for_selector(_row(page, "Berta", "logged_out"), timeout=WAIT_MS)
        assert await _order(page) == ["Clara", "Anna", "Berta"]
        await page.locator("h1").click()
        await page.wait_for_function(f"() => {_ORDER}[0] === 'Berta'", timeout=WAIT_MS)


async def test_a_dialog_stays_when_its_row_goes(tmp_path: Path) -> None:
    """What is typed into it stays too; closed, the row moves only when nobody is in the list."""
    async with simulated(tmp_path) as here:
        page = here.page
        bot = await here.linked("Anna")
        await here.linked("Berta")
        await here.phone(bot).do("unlink")
        await here.goto("/?show=you")
        await page.get_by_role("button", name="More for Anna").click()
        await page.get_by_role("menuitem", name="Delete…").click()
        await page.get_by_label("Type Anna to confirm").fill("An")
        await here.server.call("POST", f"/bots/{bot}/stop", {}, status=202)
        await expect(page.locator(".chip", has_text="Stopped")).to_contain_text("1", timeout=WAIT_MS)
        assert await page.get_by_label("Type Anna to confirm").input_value() == "An"
        await page.mouse.move(0, 0)
        await page.keyboard.press("Escape")
        await expect(page.get_by_role("button", name="More for Anna")).to_be_focused()
        await page.locator("h1").click()
        await page.get_by_role("button", name="Clear filter").wait_for(timeout=WAIT_MS)


async def test_the_row_with_the_focus_stays(tmp_path: Path) -> None:
    """However far a long list is scrolled away from it; J goes on from there."""
    async with simulated(tmp_path, "--max-bots-per-user", "300") as here:
        page = here.page
        await _many(here, 120)
        await expect(page.locator(".chip >> nth=0")).to_contain_text("120", timeout=WAIT_MS)
        await page.keyboard.press("j")
        await page.keyboard.press("j")
        await page.mouse.wheel(0, 4_000)
        await page.get_by_text("Bot 080").wait_for(timeout=WAIT_MS)
        await expect(page.get_by_role("link", name="Bot 001")).to_be_focused()
        await page.keyboard.press("j")
        await expect(page.get_by_role("link", name="Bot 002")).to_be_focused()


_SCROLLED = """async () => {
  const seen = () => [...document.querySelectorAll('article[data-bot]')]
    .filter(each => each.getBoundingClientRect().top > 300)[0]
  const drawn = () => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))
  const jumps = []
  const end = () => scrollY + innerHeight >= document.documentElement.scrollHeight - 1
  for (let step = 0; step < 400 && !end(); step += 1) {
    const row = seen(), [before, from] = [row.getBoundingClientRect().top, scrollY]
    scrollBy(0, 150)
    await drawn()
    if (!row.isConnected) { jumps.push(`${row.ariaLabel} went`); continue }
    const off = before - row.getBoundingClientRect().top - 150
    if (Math.abs(off) > 2 && !end()) jumps.push(`${row.ariaLabel} by ${off} at ${from}`)
  }
  return jumps
}"""


async def test_a_long_list_does_not_jump_on_a_phone(tmp_path: Path) -> None:
    """Where rows are blocks each is as tall as it is: what is read moves as far as the finger does, down to the last bot."""
    async with simulated(tmp_path, "--max-bots-per-user", "300") as here:
        page = here.page
        await page.set_viewport_size(SIZES["narrow"])
        await _many(here, 100)
        await expect(page.locator(".chip >> nth=0")).to_contain_text("100", timeout=WAIT_MS)
        print("row", await page.evaluate("document.querySelector('article[data-bot]').offsetHeight"))
        assert await page.evaluate(_SCROLLED) == []
        await expect(page.get_by_role("link", name="Bot 099")).to_be_in_viewport()
