"""The page in use: keys alone, every part audited and photographed, two hundred bots, tabs, and how much it loads."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path

import pytest
from playwright.async_api import Page, Route, expect

from tests.support.browser import read_qr
from tests.support.page import SIZES, WAIT_MS, audit, look, open_page, text_of, too_small
from tests.support.page_world import World, simulated

pytestmark = pytest.mark.browser

FIRST_LOAD_BYTES, WIZARD_BYTES = 200_000, 120_000


async def test_parts(tmp_path: Path) -> None:
    """Lists, one bot, fleet, forms, dialogs and menus: nothing axe finds, nothing sticks out, in any look."""
    async with simulated(tmp_path, "--proxy-allow", "127.0.0.1") as here:
        page = here.page
        here.wrong += await look(page, "empty")
        await _forms(here)
        bot = await here.linked("Support Berlin")
        await here.goto("/")
        await page.locator(".ev").nth(3).wait_for(timeout=WAIT_MS)
        here.wrong += await look(page, "only")
        for number in range(4):
            other = await here.linked(f"Bot {number}")
        await here.phone(other).do("unlink")
        await here.phone(bot).text("4917212345611", "Can you hold it until Friday?", push_name="Jonas Weber")
        await here.server.call("POST", f"/bots/{bot}/messages", {"to": "4917212345611", "text": "Of course."})
        await here.goto("/")
        await page.locator(".br").nth(4).wait_for(timeout=WAIT_MS)
        here.wrong += await look(page, "bots")
        await page.get_by_role("button", name="More for Support Berlin").click()
        here.wrong += [f"menu: {each}" for each in await audit(page)]
        await page.keyboard.press("Escape")
        await _one_bot(here, bot)
        await here.goto("/fleet")
        await page.locator(".w").first.wait_for(timeout=WAIT_MS)
        here.wrong += await look(page, "fleet")
        await page.get_by_role("button", name="Show as table").click()
        here.wrong += [f"fleet table: {each}" for each in await audit(page)]
        await here.goto("/nowhere")
        here.wrong += await look(page, "nowhere")
        assert here.wrong == [], text_of(here.wrong)


async def _forms(here: World) -> None:
    page = here.page
    await here.goto("/new")
    here.wrong += await look(page, "new-name")
    await page.keyboard.press("Enter")
    await page.get_by_text("Give it a name.").wait_for()
    here.wrong += [f"name fault: {each}" for each in await audit(page)]
    await page.get_by_label("Name").fill("Somebody else")
    await page.keyboard.press("Enter")
    await page.get_by_role("switch").click()
    await page.get_by_label("Proxy address").fill("socks5://127.0.0.1:9")
    await page.get_by_role("button", name="Test").click()
    await page.get_by_text("The proxy does not work.").wait_for(timeout=WAIT_MS)
    here.wrong += await look(page, "new-options")
    kept = str(await page.evaluate("[{...localStorage}, {...sessionStorage}]"))
    assert "socks5" not in kept and "Somebody else" in kept
    await page.get_by_role("button", name="Close").click()


async def _one_bot(here: World, bot: str) -> None:
    page = here.page
    await here.goto(f"/bots/{bot}")
    await page.locator(".bub.me").wait_for(timeout=WAIT_MS)
    await page.locator(".ev").nth(3).wait_for(timeout=WAIT_MS)
    await page.locator(".ev-text").first.click()
    here.wrong += await look(page, "bot")
    await page.get_by_role("button", name="Problems").click()
    await page.get_by_role("button", name="All", exact=True).click()
    await page.get_by_role("button", name="Pause").click()
    await here.phone(bot).text("4917212345611", "Thank you!", push_name="Jonas Weber")
    await page.get_by_text("new event since you paused").wait_for(timeout=WAIT_MS)
    here.wrong += [f"paused: {each}" for each in await audit(page)]
    await page.get_by_role("button", name="Show", exact=True).last.click()
    assert "Thank you" not in await page.inner_text(".log"), "the log tells no message's words"
    await page.get_by_role("button", name="More: log out").click()
    await page.get_by_role("menuitem", name="Delete…").click()
    here.wrong += await look(page, "delete")
    assert await page.get_by_role("button", name="Delete bot").get_attribute("aria-disabled") == "true"
    await page.get_by_role("button", name="Keep it").click()


async def test_keys_alone(tmp_path: Path) -> None:
    """From an empty page to a linked bot, a sent message and back, without a pointer."""
    async with simulated(tmp_path) as here:
        page, press = here.page, here.page.keyboard.press
        await press("n")
        await page.wait_for_url("**/new")
        await page.keyboard.type("By keys")
        await press("Enter")
        await page.wait_for_url("**/new/options")
        await page.wait_for_function("document.activeElement.matches('input')")
        await press("Enter")
        await page.wait_for_selector("[data-state=scan] .qr svg path", timeout=WAIT_MS)
        assert len(await read_qr(page, ".qr")) > 20
        await _tab_to(page, "Scan code")
        await press("ArrowRight")
        await here.shows("phone")
        await press("ArrowLeft")
        await here.shows("scan")
        await _tab_to(page, "Scan this code")
        await press("Enter")
        await here.shows("connected")
        await _tab_to(page, "Yes, continue")
        await press("Enter")
        await _tab_to(page, "Open the bot")
        await press("Enter")
        await page.wait_for_selector("[data-bot][data-status=connected]", timeout=WAIT_MS)
        await press("?")
        await page.get_by_role("dialog", name="Keyboard shortcuts").wait_for()
        assert await audit(page) == []
        await press("Escape")
        await press("p")
        await page.get_by_text("Paused").wait_for()
        await press("Control+k")
        await page.get_by_role("combobox").wait_for()
        await page.keyboard.type("by ke")
        assert await audit(page) == []
        await press("Escape")
        await press("g")
        await press("b")
        await page.wait_for_selector("article[data-bot]")
        await press("j")
        await _hold(page, "s")
        await page.wait_for_selector("article[data-status=stopped]", timeout=WAIT_MS)
        await expect(page.locator("[data-announced=polite]")).to_contain_text("By keys", timeout=WAIT_MS)
        await press("a")
        await page.wait_for_selector("article[data-status=connected]", timeout=WAIT_MS)
        await press("Enter")
        await page.wait_for_url("**/bots/bot_*")
        await page.get_by_role("button", name="Restart", exact=True).focus()
        await _hold(page, "Enter")
        await page.get_by_text("By keys is being restarted").first.wait_for(timeout=WAIT_MS)
        await page.wait_for_selector("[data-bot][data-status=connected]", timeout=WAIT_MS)
        await page.wait_for_selector("[data-connection=live]")


async def _hold(page: Page, key: str) -> None:
    """As long as it takes a keyboard to repeat a key more often than the server takes commands."""
    for _ in range(40):
        await page.keyboard.down(key)
    await page.keyboard.up(key)


_FOCUSED = "document.activeElement.matches('button, a') ? document.activeElement.textContent : ''"


async def _tab_to(page: Page, name: str) -> None:
    for _ in range(40):
        if name in str(await page.evaluate(_FOCUSED)):
            return
        await page.keyboard.press("Tab")
    raise AssertionError(f"Tab does not lead to {name}")


async def test_dialogs_give_the_focus_back(tmp_path: Path) -> None:
    """To what had it before, however they are closed: a menu's button, a row of the log."""
    async with simulated(tmp_path) as here:
        page, press = here.page, here.page.keyboard.press
        bot = await here.linked("Support Berlin")
        for path, name in [("/", "More for Support Berlin"), (f"/bots/{bot}", "More: log out")]:
            await here.goto(path)
            more = page.get_by_role("button", name=name)
            for item in ("Settings…", "Delete…", "Log out…"):
                await more.focus()
                await press("Enter")
                await page.get_by_role("menuitem", name=item).focus()
                await press("Enter")
                await page.locator("dialog[open]").wait_for()
                await press("Escape")
                await expect(page.locator("dialog")).to_have_count(0)
                await expect(more).to_be_focused()
        row = page.locator(".ev-text").first
        for key in ("Control+k", "?"):
            await row.focus()
            await press(key)
            await page.locator("dialog[open]").wait_for()
            await press("Escape")
            await expect(row).to_be_focused()


async def test_a_reload_and_a_second_tab_resume_the_attempt(tmp_path: Path) -> None:
    """Nothing of an attempt is kept in the page: whoever opens its address sees the code on offer, and the end of it."""
    async with simulated(tmp_path) as here:
        bot = await here.bot("Front desk")
        first = await read_qr(here.page, ".qr")
        await here.page.reload()
        await here.shows("scan")
        assert await read_qr(here.page, ".qr") == first
        tab = await here.page.context.new_page()
        await tab.goto(here.page.url)
        await tab.wait_for_selector("[data-state=scan] .qr svg path", timeout=WAIT_MS)
        assert await read_qr(tab, ".qr") == first
        await here.phone(bot).do("scan")
        for page in (here.page, tab):
            await page.wait_for_selector("[data-state=connected]", timeout=WAIT_MS)
            assert await page.locator("[data-qr]").count() == 0
        await tab.get_by_role("button", name="No, unlink it").click()
        for page in (here.page, tab):
            await page.wait_for_selector("[data-state=scan] .qr svg path", timeout=WAIT_MS)


async def test_a_finger_meets_what_it_points_at(tmp_path: Path) -> None:
    """On a touch screen whatever can be pressed reaches 44 px, in every part."""
    async with simulated(tmp_path) as here:
        bot = await here.linked("Support Berlin")
        await here.phone(bot).text("4917212345611", "Can you hold it until Friday?", push_name="Jonas Weber")
        await here.create("Second", start=False)
        code = await here.code()
        await here.page.goto("about:blank")
        phone = await here.browser.new_context(viewport=SIZES["narrow"], has_touch=True, is_mobile=True)
        page = here.page = await phone.new_page()
        await open_page(page, here.server.url, code)
        for path, shown in [
            ("/", ".br"),
            (f"/bots/{bot}", ".ch"),
            ("/fleet", ".w"),
            ("/new", "form"),
            (f"/bots/{bot}/link", "[data-state=connected]"),
        ]:
            await here.goto(path)
            await page.locator(shown).first.wait_for(timeout=WAIT_MS)
            here.wrong += [f"{path}: {each}" for each in await too_small(page, 44)]
        await here.create("Third")
        for tab, state in [("number", "phone"), ("Scan", "scan")]:
            await page.get_by_role("tab", name=tab).tap()
            await here.shows(state)
            here.wrong += [f"{state}: {each}" for each in await too_small(page, 44)]
        await here.goto(f"/bots/{bot}")
        await page.get_by_role("tab", name="Live events").tap()
        await page.reload()
        await page.locator(".ev-text").nth(3).wait_for(timeout=WAIT_MS)
        here.wrong += [f"events: {each}" for each in await too_small(page, 44)]
        assert here.wrong == [], text_of(here.wrong)


async def test_two_hundred_bots(tmp_path: Path) -> None:
    """A large list keeps little of itself in the document, finds by name, and stays where it is read."""
    async with simulated(tmp_path, "--max-bots-per-user", "300") as here:
        for start in range(0, 200, 20):
            made = (
                here.server.call("POST", "/bots", {"name": f"Bot {start + n:03}", "start": False}) for n in range(20)
            )
            await asyncio.gather(*made)
        page = here.page
        await expect(page.locator(".chip >> nth=0")).to_contain_text("200", timeout=WAIT_MS)
        await page.reload()
        await expect(page.locator(".chip >> nth=0")).to_contain_text("200", timeout=WAIT_MS)
        assert await page.locator("article[data-bot]").count() < 60
        await page.mouse.wheel(0, 6_000)
        await page.get_by_text("Bot 110").wait_for(timeout=WAIT_MS)
        assert await page.locator("article[data-bot]").count() < 60
        await _hold(page, "/")
        await page.keyboard.type("bot 19")
        await expect(page.locator("article[data-bot]")).to_have_count(10, timeout=WAIT_MS)
        assert page.url.endswith("?q=bot+19")
        assert await audit(page) == []


async def test_theme_is_kept(tmp_path: Path) -> None:
    """A chosen theme is there before the first paint of the next visit; a refused frame of another site stays out."""
    async with simulated(tmp_path) as here:
        page = here.page
        account = page.get_by_label("Account and appearance").first
        await account.click()
        await page.get_by_role("menuitemradio", name="Light").click()
        await page.keyboard.press("Escape")
        await expect(account).to_be_focused()
        await page.keyboard.press("Enter")
        await expect(page.get_by_role("menuitem", name="Keyboard shortcuts")).to_be_focused()
        await page.keyboard.press("ArrowUp")
        await page.keyboard.press("Enter")
        await expect(page.get_by_role("menuitemradio", name="Dark")).to_be_checked()
        here.wrong += await audit(page)
        await page.keyboard.press("Escape")
        await expect(page.get_by_role("menu")).to_have_count(0)
        await expect(account).to_be_focused()
        assert await page.evaluate("document.documentElement.dataset.theme") == "dark"
        assert here.wrong == [], text_of(here.wrong)
        code = await here.code()
        await page.goto("about:blank")
        await open_page(page, here.server.url, code)
        assert await page.evaluate("[document.documentElement.dataset.theme, localStorage.theme]") == ["dark", "dark"]


async def test_files_of_an_earlier_build(tmp_path: Path) -> None:
    """A part whose file is gone, as after an upgrade, lets the page start anew, and is shown."""
    async with simulated(tmp_path) as here:
        gone: list[str] = []

        async def once(route: Route) -> None:
            gone.append(route.request.url)
            await (route.abort() if len(gone) == 1 else route.continue_())

        await here.page.route("**/assets/fleet-*.js", once)
        await here.goto("/fleet")
        await here.page.get_by_role("heading", name="Fleet").wait_for(timeout=WAIT_MS)
        assert len(gone) == 2


async def _abort(route: Route) -> None:
    await route.abort()


async def test_files_that_stay_gone(tmp_path: Path) -> None:
    """What only might have been wanted takes nothing away; what is shown is tried a few times, then words say what to do."""
    async with simulated(tmp_path) as here:
        page, starts = here.page, 0

        def started(page: Page) -> None:
            nonlocal starts
            starts += 1

        page.on("domcontentloaded", started)
        bot = await here.linked("Support Berlin")
        await page.route(re.compile(r"/assets/(command_bar|shortcut_help|fleet)-"), _abort)
        await here.goto(f"/bots/{bot}")
        await here.phone(bot).text("4917212345611", "Can you hold it until Friday?", push_name="Jonas Weber")
        await page.locator("textarea").fill("Half a")
        await page.keyboard.press("Control+k")
        await page.get_by_text("That did not open").wait_for(timeout=WAIT_MS)
        assert (starts, await page.locator("textarea").input_value()) == (0, "Half a")
        await here.goto("/fleet")
        await page.locator("[data-part=gone]").wait_for(timeout=WAIT_MS)
        assert starts == 3
        here.wrong += await audit(page)
        await page.unroute_all()
        await page.get_by_role("button", name="Load the page again").click()
        await page.get_by_role("heading", name="Fleet").wait_for(timeout=WAIT_MS)
        assert here.wrong == [], text_of(here.wrong)


async def test_a_part_that_came_late(tmp_path: Path) -> None:
    """A part whose file and styles did not come when it might have been wanted is whole when it is shown."""
    async with simulated(tmp_path) as here:
        page, bot, code = here.page, await here.linked("Front desk"), await here.code()
        await page.goto("about:blank")
        await page.route(re.compile(r"/assets/(bot|parts)-"), _abort)
        lost = asyncio.ensure_future(page.wait_for_event("requestfailed", lambda one: ".css" in one.url))
        await open_page(page, here.server.url, code, f"/bots/{bot}/ready")
        await lost
        await page.unroute_all()
        await page.evaluate("window.sameDocument = true")
        await here.press("Open the bot")
        await page.locator(".band").wait_for(timeout=WAIT_MS)
        assert await page.evaluate("getComputedStyle(document.querySelector('.band')).display") == "grid"
        assert await page.evaluate("window.sameDocument")


_LOADED = """() => Object.fromEntries(
  [...performance.getEntriesByType('navigation'), ...performance.getEntriesByType('resource')]
    .map((each) => [new URL(each.name).pathname, each.encodedBodySize])
    .filter(([address]) => !/^.(api|socket.io)\\//.test(address)))"""


@pytest.mark.parametrize(
    ("path", "most_bytes"), [("/", FIRST_LOAD_BYTES), ("/new", WIZARD_BYTES), ("/bots/{bot}/link", WIZARD_BYTES)]
)
async def test_first_load(tmp_path: Path, path: str, most_bytes: int) -> None:
    """What a browser that was never here loads until the part is shown, as it was sent: the wizard alone has less."""
    async with simulated(tmp_path) as here:
        bot = str((await here.server.call("POST", "/bots", {"name": "First", "start": False}))["id"])
        browser, code = here.page.context.browser, await here.code()
        assert browser is not None
        await here.page.goto("about:blank")
        page = await (await browser.new_context()).new_page()
        await open_page(page, here.server.url, code, path.replace("{bot}", bot))
        await page.wait_for_selector("h1", timeout=WAIT_MS)
        sizes = await page.evaluate(_LOADED)
        assert sum(sizes.values()) <= most_bytes, sizes
        assert any("/assets/" in address for address in sizes)
        document = await here.server.get("/")
        assert "<style" not in document and " style=" not in document
        print(f"first load of {path}: {sum(sizes.values())} bytes")
