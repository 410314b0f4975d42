"""The log of one bot while it is read: it follows or stands still, and shows what it is asked to show."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.async_api import expect

from tests.support.page import WAIT_MS
from tests.support.page_world import simulated

pytestmark = pytest.mark.browser


async def test_show_shows_what_is_new(tmp_path: Path) -> None:
    """Whoever scrolled away and presses Show, or P, sees the newest event, and follows from there on."""
    async with simulated(tmp_path) as here:
        page = here.page
        bot = await here.linked("Support Berlin")
        await here.goto(f"/bots/{bot}")

        async def texts(count: int) -> None:
            for number in range(count):
                await here.phone(bot).text("4917212345611", f"Message {number}", push_name="Jonas Weber")

        log = page.locator(".log")
        following = page.get_by_text("Following", exact=True)
        await texts(40)
        await expect(page.locator(".ev-text", has_text="From Jonas Weber")).not_to_have_count(0, timeout=WAIT_MS)
        for key in (None, "p"):
            await log.hover()
            await page.mouse.wheel(0, 300)
            await page.get_by_text("Paused", exact=True).wait_for(timeout=WAIT_MS)
            await texts(3)
            await page.get_by_text("3 new events since you paused").wait_for(timeout=WAIT_MS)
            if key is None:
                await page.get_by_role("button", name="Show", exact=True).last.click()
            else:
                await page.keyboard.press(key)
            await following.wait_for(timeout=WAIT_MS)
            await page.wait_for_function("() => document.querySelector('.log').scrollTop === 0")
            await texts(2)
            await expect(page.get_by_text("new events since you paused")).to_have_count(0)
            await following.wait_for()
