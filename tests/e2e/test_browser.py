"""The main job in a real Chromium: from a frontend of somebody else on another port, and from our own page."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit

import pytest
from aiohttp import web
from playwright.async_api import Browser, Page, Route, ViewportSize, expect

from tests.e2e.journeys import ERROR_TYPES, TROUBLE, create
from tests.loopback.server import LoopbackServer
from tests.support.browser import Watched, chromium, codes, read_qr
from tests.support.node_client import NODE_DIR, install
from tests.support.server import Server

pytestmark = pytest.mark.browser

WAIT_MS = 15_000
SIZES: dict[str, ViewportSize] = {"narrow": {"width": 390, "height": 844}, "wide": {"width": 1440, "height": 900}}


@pytest.fixture
async def browser() -> AsyncIterator[Browser]:
    """A headless Chromium."""
    async with chromium() as running:
        yield running


@contextlib.asynccontextmanager
async def _foreign_site() -> AsyncIterator[str]:
    """A frontend on a loopback port of its own, with the npm client's browser bundle."""
    await install()
    bundle = NODE_DIR / "node_modules" / "socket.io-client" / "dist" / "socket.io.min.js"
    page = Path(__file__).with_name("foreign_page.html")
    app = web.Application()

    def serve(path: Path, content_type: str) -> web.RouteDef:
        async def answer(_: web.Request) -> web.Response:
            return web.Response(body=path.read_bytes(), content_type=content_type)

        return web.get("/" if content_type == "text/html" else f"/{path.name}", answer)

    app.add_routes([serve(page, "text/html"), serve(bundle, "text/javascript")])
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


async def _frames(page: Page, event: str, kind: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = await page.evaluate(
        "([event, type]) => window.frames_.filter(f => f.event === event && f.type === type)", [event, kind]
    )
    return found


async def _until(page: Page, condition: str) -> None:
    """Wait until an expression over `f`, the list of all frames, is true."""
    await page.wait_for_function(f"(() => {{ const f = window.frames_; return {condition}; }})()", timeout=WAIT_MS)


async def test_foreign_frontend(browser: Browser, server: Server, whatsapp: LoopbackServer) -> None:
    """From a page on another port, with exactly the contract's options: create, scan, text in, reply, read."""
    async with _foreign_site() as site:
        page = await browser.new_page(viewport=SIZES["wide"])
        watched = Watched(page)
        address = {"url": server.url.replace("http://", "ws://"), "token": server.token, "userId": "local"}
        await page.goto(f"{site}/#{urlencode(address)}")
        await _until(page, "f.some(x => x.type === 'ready')")
        bot = await create(server)
        await page.wait_for_selector("#qr svg", timeout=WAIT_MS)
        shown = await read_qr(page, "#qr")
        assert shown == (await _frames(page, "whatsapp_connection_event", "qr"))[-1]["data"]["qr"]
        phone = whatsapp.add_account()
        await phone.scan(shown)
        await _until(page, "f.some(x => x.type === 'whatsapp_connected')")
        await _until(page, "f.filter(x => x.type === 'status').at(-1)?.status === 'connected'")
        await _chat(page, server, whatsapp, bot)
        told = {frame["type"] for frame in await page.evaluate("window.frames_")}
        statuses = {frame["status"] for frame in await _frames(page, "bot_status_update", "status")}
        assert not ERROR_TYPES & told and not TROUBLE & statuses
        assert watched.troubles == []
        assert watched.hosts == {urlsplit(site).netloc, urlsplit(server.url).netloc}
        assert not [url for url in watched.addresses if server.token in url and not url.startswith(site)]


async def _chat(page: Page, server: Server, whatsapp: LoopbackServer, bot: str) -> None:
    phone = next(iter(whatsapp.phones.values()))
    ada = whatsapp.add_contact(name="Ada")
    await ada.send_text(phone, "good morning")
    await _until(page, "f.some(x => x.type === 'message' && x.data.text === 'good morning')")
    message = (await _frames(page, "message_sync", "message"))[-1]["data"]
    job = await server.call("POST", f"/bots/{bot}/messages", {"to": message["chat"], "text": "welcome"}, status=202)
    received = await ada.wait_text("welcome")

    async def reaches(state: str) -> None:
        job_id = json.dumps(job["id"])
        await _until(
            page, f"f.some(x => x.type === 'send_result' && x.data.id === {job_id} && x.data.state === '{state}')"
        )

    await reaches("delivered")
    ada.mark_read(received.message_id)
    await reaches("read")
    states = [frame["data"]["state"] for frame in await _frames(page, "message_sync", "send_result")]
    assert states == ["queued", "sent", "delivered", "read"]


async def _sign_in(page: Page, server: Server) -> str:
    """Open the page with a one-time code; return the code."""
    code = str((await server.call("POST", "/session/code", {}))["code"])
    await page.goto(f"{server.url}/#code={code}")
    await page.wait_for_selector("[data-connection=live]", timeout=WAIT_MS)
    return code


async def test_our_page(browser: Browser, server: Server, whatsapp: LoopbackServer, tmp_path: Path) -> None:
    """The bundled page: sign in by a one-time code, create, scan what it shows, see it connect, chat, see the events."""
    page = await browser.new_page(viewport=SIZES["wide"])
    watched = Watched(page)
    code = await _sign_in(page, server)
    assert "#" not in page.url and code not in page.url
    assert await page.evaluate("[document.cookie, localStorage.length, sessionStorage.length]") == ["", 0, 0]
    assert await page.is_visible("[data-empty=bots]")
    await page.click("text=New bot >> nth=0")
    await page.get_by_label("Name").fill("Front desk")
    await page.keyboard.press("Enter")
    await page.get_by_role("button", name="Create and link").click()
    await page.wait_for_selector("[data-state=scan] .qr svg path", timeout=WAIT_MS)
    bot = urlsplit(page.url).path.split("/")[2]
    shown = await read_qr(page, ".qr")
    assert shown == (await server.call("GET", f"/bots/{bot}/qr"))["qr"]
    await _photograph(page, tmp_path, "scan")
    phone = whatsapp.add_account()
    await phone.scan(shown)
    await page.get_by_text("Is this the right number?").wait_for(timeout=WAIT_MS)
    assert await page.locator("[data-qr]").count() == 0, "the code has left the page"
    assert phone.number in (await page.inner_text("main")).replace(" ", "")
    await page.get_by_role("button", name="Yes, continue").click()
    await page.get_by_role("button", name="Open the bot").click()
    ada = whatsapp.add_contact(name="Ada")
    await ada.send_text(phone, "good morning")
    await page.locator(".bub", has_text="good morning").wait_for(timeout=WAIT_MS)
    await page.get_by_label("Write a message").fill("welcome")
    await page.keyboard.press("Enter")
    received = await ada.wait_text("welcome")
    await page.locator(".bub.me[data-message=delivered]", has_text="welcome").wait_for(timeout=WAIT_MS)
    ada.mark_read(received.message_id)
    await page.locator(".bub.me[data-message=read]", has_text="welcome").wait_for(timeout=WAIT_MS)
    listed = await page.inner_text(".log")
    assert "From Ada: text" in listed and "Linked to" in listed and "good morning" not in listed
    await _photograph(page, tmp_path, "connected")
    await page.reload()
    await page.wait_for_selector("[data-bot][data-status=connected]", timeout=WAIT_MS)
    await page.locator(".bub.me", has_text="welcome").wait_for(timeout=WAIT_MS)
    await page.get_by_label("Account and appearance").click()
    await page.get_by_role("menuitem", name="Sign out").click()
    await page.wait_for_selector("[data-signed=out]", timeout=WAIT_MS)
    assert await page.locator("[data-bot]").count() == 0
    expected = [trouble for trouble in watched.troubles if "401" in trouble]
    assert watched.troubles == expected and len(expected) <= 1, "signed out, the reloaded page is told 401 once"
    assert watched.hosts == {urlsplit(server.url).netloc}
    assert not [url for url in watched.addresses if server.token in url or shown in url or "welcome" in url]


async def test_our_page_by_code(browser: Browser, server: Server, whatsapp: LoopbackServer) -> None:
    """The same without a camera: a number in, a code to type on the phone out; the number's owner is asked for."""
    page = await browser.new_page(viewport=SIZES["narrow"])
    watched = Watched(page)
    await _sign_in(page, server)
    bot = await create(server, "By code")
    await page.get_by_role("button", name="Show code").click()
    await page.get_by_role("tab", name="number").click()
    phone = whatsapp.add_account()
    await page.get_by_label("Phone number of the WhatsApp account").fill(f"+{phone.number}")
    await page.keyboard.press("Enter")
    code = (await page.locator(".code8").inner_text(timeout=WAIT_MS)).strip()
    await phone.enter_code(code)
    await page.get_by_text("Is this the right number?").wait_for(timeout=WAIT_MS)
    assert code not in await page.content() and code not in server.log
    assert (await server.call("GET", f"/bots/{bot}"))["account"]["phone"] == phone.number
    assert watched.troubles == []
    assert not [url for url in watched.addresses if code in url or phone.number in url]


async def _photograph(page: Page, directory: Path, name: str) -> None:
    """Pictures of a state in both themes and widths; nothing sticks out, and the code stays readable in each."""
    before = page.viewport_size or SIZES["wide"]
    for scheme in ("light", "dark"):
        await page.emulate_media(color_scheme=scheme)
        for size, viewport in SIZES.items():
            await page.set_viewport_size(viewport)
            sticks_out = await page.evaluate("document.documentElement.scrollWidth > innerWidth")
            assert not sticks_out, f"{name} {scheme} {size} scrolls sideways"
            png = await page.screenshot(path=directory / f"{name}-{scheme}-{size}.png", full_page=True)
            if name == "scan":
                assert len(codes(png)) == 1, f"the code cannot be read from {scheme} {size}"
    await page.emulate_media(color_scheme="light")
    await page.set_viewport_size(before)


async def test_events_are_listed_once(browser: Browser, server: Server) -> None:
    """What REST tells of the past and what the socket brings overlap; each event is one line, however slow the answers."""
    page = await browser.new_page(viewport=SIZES["wide"])

    async def slowly(route: Route) -> None:
        answer = await route.fetch()
        await asyncio.sleep(0.6)
        await route.fulfill(response=answer)

    await page.route("**/api/v1/events*", slowly)
    bot = await create(server, "Front desk")
    await _sign_in(page, server)
    await page.click(f"[data-bot={bot}] .row-link")
    await page.wait_for_selector(".log, .nothing", timeout=WAIT_MS)
    await server.call("POST", f"/bots/{bot}/stop", {})
    await server.bot_until(bot, lambda record: record["status"] == "stopped")
    kept = [each for each in (await server.call("GET", "/events", limit=200))["events"] if each["botId"] == bot]
    await expect(page.locator(".ev")).to_have_count(len(kept), timeout=WAIT_MS)
    assert await page.locator(".ev >> nth=0").inner_text() != await page.locator(".ev >> nth=1").inner_text()


async def test_one_time_address(browser: Browser, server: Server) -> None:
    """A one-time address works once; a used one says what to do; a fresh one in the same tab signs in.

    The second browser takes nothing over before somebody says so."""
    page = await browser.new_page()
    code = await _sign_in(page, server)
    other = await (await browser.new_context()).new_page()
    await other.goto(f"{server.url}/#code={code}")
    await other.wait_for_selector("[data-signed=out]", timeout=WAIT_MS)
    assert "orchestrator open" in await other.inner_text("main") and "#" not in other.url
    assert await other.context.cookies() == []
    fresh = (await server.call("POST", "/session/code", {}))["code"]
    await other.goto(f"{server.url}/#code={fresh}")
    await other.wait_for_selector("[data-connection=already_connected]", timeout=WAIT_MS)
    await other.get_by_role("button", name="Use here").click()
    await other.wait_for_selector("[data-connection=live]", timeout=WAIT_MS)
    await page.wait_for_selector("[data-connection=taken_over]", timeout=WAIT_MS)
    cookie = (await other.context.cookies())[0]
    assert cookie.get("httpOnly") and cookie.get("sameSite") == "Strict"


async def test_page_while_the_server_is_away(browser: Browser, server: Server) -> None:
    """When the server goes the page says so and keeps what it shows but the code; when it is back it goes on by itself."""
    page = await browser.new_page(viewport=SIZES["wide"])
    await _sign_in(page, server)
    bot = await create(server, "Front desk")
    await page.click(f"[data-bot={bot}] .row-link")
    await page.get_by_role("button", name="Show code").click()
    await page.wait_for_selector("[data-state=scan] .qr svg path", timeout=WAIT_MS)
    drawn = await page.get_attribute(".qr svg path", "d")
    await server.stop()
    await page.wait_for_selector("[data-state=socket_lost] [data-qr=veiled]", timeout=WAIT_MS)
    assert drawn is not None and drawn not in await page.content(), "a code that may be old leaves the page"
    assert "Reconnecting" in await page.inner_text("header")
    await page.go_back()
    assert await page.is_visible(f"[data-bot={bot}]")
    await server.start()
    await page.wait_for_selector("[data-connection=live]", timeout=WAIT_MS)


async def test_api_page(browser: Browser, server: Server) -> None:
    """/docs lists every operation from OpenAPI, without asking another host."""
    page = await browser.new_page(viewport=SIZES["wide"])
    watched = Watched(page)
    await page.goto(f"{server.url}/docs")
    await page.wait_for_selector("#operations li", timeout=WAIT_MS)
    document = json.loads(await server.get("/openapi.json"))
    operations = sum(len(methods) for methods in document["paths"].values())
    assert await page.locator("#operations > li").count() == operations
    assert watched.troubles == [] and watched.hosts == {urlsplit(server.url).netloc}
