"""The page where the way to the server fails: what a person asked for once is done once, and nothing is dropped."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.async_api import APIResponse, Page, Route, expect

from tests.support.page import WAIT_MS, open_page
from tests.support.page_world import SHOWN_CODE, World, simulated

pytestmark = pytest.mark.browser


@pytest.mark.parametrize("arrives", [True, False])
async def test_a_one_time_address_survives_a_lost_answer(tmp_path: Path, arrives: bool) -> None:
    """Whether the first try reached the server or not, the same address signs in when the way is there again."""
    async with simulated(tmp_path) as here:
        page, tries = await (await here.browser.new_context()).new_page(), []

        async def lose(route: Route) -> None:
            tries.append(route.request.post_data_json)
            if len(tries) > 2:
                await route.continue_()
                return
            if arrives and len(tries) == 1:
                await here.page.context.request.fetch(
                    route.request.url, method="POST", headers=route.request.headers, data=route.request.post_data or ""
                )
            await route.abort()

        await page.route("**/api/v1/session", lose)
        code = await here.code()
        await page.goto(f"{here.server.url}/#code={code}")
        await page.wait_for_selector("[data-signed=away]", timeout=WAIT_MS)
        await page.wait_for_selector("[data-connection]", timeout=WAIT_MS)
        assert tries[:3] == [{"code": code}] * 3
        assert code not in str(await page.evaluate("[location.href, {...localStorage}, {...sessionStorage}]"))


async def _options(page: Page, name: str) -> None:
    await page.keyboard.press("n")
    await page.get_by_label("Name", exact=True).fill(name)
    await page.keyboard.press("Enter")
    await page.wait_for_url("**/new/options")


async def _names(here: World) -> list[str]:
    return [str(bot["name"]) for bot in (await here.server.call("GET", "/bots"))["bots"]]


async def test_a_lost_answer_makes_no_second_bot(tmp_path: Path) -> None:
    """The bot is made and its answer lost: pressed again, the same bot's Link step opens, and expects its number."""
    async with simulated(tmp_path) as here:
        page = here.page
        lost: list[APIResponse] = []

        async def lose(route: Route) -> None:
            if route.request.method == "POST" and not lost:
                lost.append(await route.fetch())
                await route.abort()
            else:
                await route.continue_()

        await page.route("**/api/v1/bots", lose)
        await _options(page, "Front desk")
        await page.get_by_label("Expected number").fill("+49 151 99999999")
        await here.press("Create and link")
        await page.get_by_text("The server does not answer.").wait_for(timeout=WAIT_MS)
        assert await _names(here) == ["Front desk"]
        await here.press("Create and link")
        await page.wait_for_selector(SHOWN_CODE, timeout=WAIT_MS)
        assert await _names(here) == ["Front desk"]
        await here.phone(page.url.split("/")[-2]).do("scan")
        await here.shows("wrong")
        await here.press("Use another number")
        await page.wait_for_selector(SHOWN_CODE, timeout=WAIT_MS)
        await here.phone(page.url.split("/")[-2]).do("scan")
        await here.shows("wrong")
        await here.press("Let any number link")
        await page.wait_for_selector(SHOWN_CODE, timeout=WAIT_MS)
        await here.phone(page.url.split("/")[-2]).do("scan")
        await here.shows("connected")


async def test_a_bot_made_on_a_page_that_is_not_live(tmp_path: Path) -> None:
    """While another browser has the connection a new bot is on its way, not missing, and is shown once the page is live."""
    async with simulated(tmp_path) as here:
        page = here.page
        await here.linked("First")
        await page.keyboard.press("Escape")
        await here.goto("/")
        other = await (await here.browser.new_context()).new_page()
        await other.goto(f"{here.server.url}/#code={await here.code()}")
        await other.get_by_role("button", name="Use here").click(timeout=WAIT_MS)
        await page.wait_for_selector("[data-connection=taken_over]", timeout=WAIT_MS)
        await _options(page, "Second")
        await here.press("Create and link")
        await page.get_by_text("The bot is made.").wait_for(timeout=WAIT_MS)
        await expect(page.get_by_text("There is no such page")).to_have_count(0)
        await page.get_by_role("button", name="Use here").click()
        await page.wait_for_selector(SHOWN_CODE, timeout=WAIT_MS)
        await here.server.call("DELETE", f"/bots/{page.url.split('/')[-2]}", status=202)
        await page.get_by_text("There is no such page").wait_for(timeout=WAIT_MS)


async def test_a_page_whose_navigation_is_gone(tmp_path: Path) -> None:
    """The frame's file does not come: what the page is for is shown without it, and nothing starts anew for it."""
    async with simulated(tmp_path) as here:
        page, loads = here.page, []
        await page.route("**/assets/navigation-*.js", lambda route: route.abort())
        page.on("domcontentloaded", lambda loaded: loads.append(loaded.url))
        await page.reload()
        await page.locator("[data-empty=bots]").wait_for(timeout=WAIT_MS)
        await page.wait_for_selector("[data-connection=live]", timeout=WAIT_MS)
        assert (len(loads), await page.locator("nav").count()) == (1, 0)


_NOT_LET_THROUGH = """WebSocket = class {
  constructor() { queueMicrotask(() => { this.onerror?.({}); this.onclose?.({}) }) }
  close() {}
}"""


async def test_a_way_that_lets_no_websocket_through(tmp_path: Path) -> None:
    """The page is live by plain requests then, and sees what happens."""
    async with simulated(tmp_path) as here:
        context = await here.browser.new_context()
        page = await context.new_page()
        await page.add_init_script(_NOT_LET_THROUGH)
        await here.page.close()
        await open_page(page, here.server.url, await here.code())
        await here.server.call("POST", "/bots", {"name": "Seen"}, status=201)
        await page.get_by_text("Seen").wait_for(timeout=WAIT_MS)
