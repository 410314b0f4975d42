"""Reading a conversation in a real Chromium: the reader keeps the place, whatever comes above or below it."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.async_api import Page, expect

from tests.support.page import WAIT_MS
from tests.support.page_world import World, simulated

pytestmark = pytest.mark.browser

JONAS, MAYA = "4917212345611", "4917212345622"


async def test_the_reader_keeps_the_place(tmp_path: Path) -> None:
    async with simulated(tmp_path) as here:
        bot = await here.linked("Reader")
        for number in range(1, 131):
            await here.phone(bot).text(JONAS, f"line {number}", push_name="Jonas")
        await here.goto(f"/bots/{bot}")
        page = here.page
        await expect(page.locator(".bub").last).to_contain_text("line 130", timeout=WAIT_MS)
        assert await _rest(page) < 2, "the newest message is in sight"
        await page.locator(".msgs").evaluate("box => { box.scrollTop = 0 }")
        await _read_back(here, bot)
        await page.locator(".msgs").evaluate("box => { box.scrollTop = box.scrollHeight }")
        await here.phone(bot).text(JONAS, "at the end", push_name="Jonas")
        await expect(page.locator(".bub").last).to_contain_text("at the end", timeout=WAIT_MS)
        assert await _rest(page) < 2, "who reads the newest sees what comes"


async def _read_back(here: World, bot: str) -> None:
    page = here.page
    top = await _edge(page, "line 81")
    await page.locator(".msgs .older").click()
    await expect(page.locator(".bub").first).to_contain_text("line 31")
    assert abs(await _edge(page, "line 81") - top) < 2, "older messages come above what is read"
    await here.phone(bot).text(JONAS, "below", push_name="Jonas")
    await expect(page.locator(".bub").last).to_contain_text("below", timeout=WAIT_MS)
    assert abs(await _edge(page, "line 81") - top) < 2 and await page.locator(".bub").count() == 101
    await page.locator(".msgs").evaluate("box => { box.scrollTop = 0 }")
    await page.locator(".msgs .older").click()
    await expect(page.locator(".bub").first).to_contain_text("line 1")
    assert await page.evaluate("document.activeElement.className") == "msgs", "keys go on scrolling"


async def test_a_draft_stays_with_its_chat(tmp_path: Path) -> None:
    """Another person writes while somebody types: neither the words nor the keys go anywhere else."""
    async with simulated(tmp_path) as here:
        bot = await here.linked("Writer")
        await here.phone(bot).text(MAYA, "hello from Maya", push_name="Maya")
        await here.goto(f"/bots/{bot}")
        page = here.page
        field = page.get_by_label("Write a message")
        await field.press_sequentially("for M", timeout=WAIT_MS)
        await here.phone(bot).text(JONAS, "hello from Jonas", push_name="Jonas")
        await expect(page.locator(".ch").first).to_contain_text("Jonas", timeout=WAIT_MS)
        await expect(page.locator(".badge")).to_have_text("1")
        await page.keyboard.type("aya")
        await expect(field).to_have_value("for Maya")
        await page.keyboard.press("Enter")
        await expect(page.locator(".bub.me")).to_contain_text("for Maya", timeout=WAIT_MS)
        await expect(field).to_have_value("")
        await expect(page.locator(".thread h3")).to_have_text("Maya")


async def _edge(page: Page, text: str) -> float:
    found = page.locator(".msg").filter(has_text=text).first
    return float(await found.evaluate("one => one.getBoundingClientRect().bottom"))


async def _rest(page: Page) -> float:
    """How far the list can be scrolled further down."""
    return float(await page.locator(".msgs").evaluate("box => box.scrollHeight - box.scrollTop - box.clientHeight"))
