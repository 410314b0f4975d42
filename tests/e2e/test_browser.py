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
    await page.wait_for_selector("#signed-in:not([hidden])", timeout=WAIT_MS)
    return code


async def test_our_page(browser: Browser, server: Server, whatsapp: LoopbackServer, tmp_path: Path) -> None:
    """The bundled page: sign in by a one-time code, create, scan what it shows, see it connect, see the last events."""
    page = await browser.new_page(viewport=SIZES["wide"])
    watched = Watched(page)
    code = await _sign_in(page, server)
    assert "#" not in page.url and code not in page.url
    assert await page.evaluate("[document.cookie, localStorage.length, sessionStorage.length]") == ["", 0, 0]
    assert await page.is_visible("#empty")
    await page.fill("#name", "Front desk")
    await page.click("#create button[type=submit]")
    await page.wait_for_selector(".bot[data-status=awaiting_scan] .code svg", timeout=WAIT_MS)
    bot = await page.get_attribute(".bot", "data-bot")
    shown = await read_qr(page, ".bot .code")
    assert shown == (await server.call("GET", f"/bots/{bot}/qr"))["qr"]
    await _photograph(page, tmp_path, "scan")
    phone = whatsapp.add_account()
    await phone.scan(shown)
    await page.wait_for_selector(".bot[data-status=connected]", timeout=WAIT_MS)
    assert await page.locator(".bot .code svg").count() == 0, "the code has left the page"
    assert phone.number in await page.inner_text(".bot")
    await whatsapp.add_contact(name="Ada").send_text(phone, "good morning")
    await page.get_by_text("good morning").wait_for(timeout=WAIT_MS)
    listed = await page.inner_text("#events")
    assert "pair_success" in listed and "Front desk" in listed
    await _photograph(page, tmp_path, "connected")
    await page.reload()
    await page.wait_for_selector(".bot[data-status=connected]", timeout=WAIT_MS)
    await page.click("#sign-out")
    await page.wait_for_selector("#signed-out:not([hidden])", timeout=WAIT_MS)
    assert not await page.is_visible(".bot")
    expected = [trouble for trouble in watched.troubles if "401" in trouble]
    assert watched.troubles == expected and len(expected) <= 1, "signed out, the reloaded page is told 401 once"
    assert watched.hosts == {urlsplit(server.url).netloc}
    assert not [url for url in watched.addresses if server.token in url or shown in url]


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
    """A click and the page's own look at the server do not overlap: each event is one line, however slow the answers."""
    page = await browser.new_page(viewport=SIZES["wide"])

    async def slowly(route: Route) -> None:
        answer = await route.fetch()
        await asyncio.sleep(0.4)
        await route.fulfill(response=answer)

    await page.route("**/api/v1/events*", slowly)
    await _sign_in(page, server)
    for name in ("one", "two", "three"):
        await page.fill("#name", name)
        await page.click("#create button[type=submit]")
        await expect(page.locator("#name")).to_have_value("", timeout=WAIT_MS)
    await expect(page.locator(".bot[data-status=awaiting_scan]")).to_have_count(3, timeout=WAIT_MS)
    kept = (await server.call("GET", "/events", limit=200))["events"]
    await page.locator(f"#events li >> nth={len(kept) - 1}").wait_for(timeout=WAIT_MS)
    await expect(page.locator("#events li")).to_have_count(len(kept))


async def test_one_time_address(browser: Browser, server: Server) -> None:
    """A one-time address works once; a used one says what to do; a fresh one in the same tab signs in."""
    page = await browser.new_page()
    code = await _sign_in(page, server)
    other = await (await browser.new_context()).new_page()
    await other.goto(f"{server.url}/#code={code}")
    await other.wait_for_selector("#signed-out:not([hidden])", timeout=WAIT_MS)
    assert "orchestrator open" in await other.inner_text("#signed-out") and "#" not in other.url
    assert await other.context.cookies() == []
    fresh = (await server.call("POST", "/session/code", {}))["code"]
    await other.goto(f"{server.url}/#code={fresh}")
    await other.wait_for_selector("#signed-in:not([hidden])", timeout=WAIT_MS)
    cookie = (await other.context.cookies())[0]
    assert cookie.get("httpOnly") and cookie.get("sameSite") == "Strict"


async def test_page_while_the_server_is_away(browser: Browser, server: Server) -> None:
    """When the server goes the page says so and keeps what it shows but the code; when it is back it goes on by itself."""
    page = await browser.new_page(viewport=SIZES["wide"])
    await _sign_in(page, server)
    await create(server, "Front desk")
    await page.wait_for_selector(".bot .code svg", timeout=WAIT_MS)
    await server.stop()
    await page.get_by_text("Not connected").wait_for(timeout=WAIT_MS)
    assert await page.is_visible(".bot")
    assert await page.locator(".bot .code svg").count() == 0, "a code that may be old leaves the page"
    await server.start()
    await page.get_by_text("Live", exact=True).wait_for(timeout=WAIT_MS)


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
