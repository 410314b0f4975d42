"""The parts of the page's benchmark: codes to pixels, ten thousand events, two hundred bots. Each gives figures.

Owns what is played and what is measured; targets are those of the page's budget. Read `page_watch.py` for how the page
is watched, `page.py` for the command.
"""

from __future__ import annotations

import asyncio
import contextlib
import gzip
import json
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from playwright.async_api import Browser, Page

from scripts.bench import page_watch
from scripts.bench.parts import WhatsApp
from scripts.bench.report import Figure, median, p95
from sessions.simulated_control import PhoneClient
from tests.support.browser import chromium
from tests.support.page import WAIT_MS, open_page
from tests.support.server import Server
from tests.support.simulated import clean_environment

VIEW = {"width": 1440, "height": 900}
LIMITS = ("--max-bots-per-user", "1000", "--max-link-attempts-per-hour", "10000", "--log-level", "warning")
ROW_PX = 30
PEOPLE = [f"49172123456{number:02}" for number in range(12)]


def ms(name: str, values: list[float], target: float | None) -> Figure:
    """The 95th percentile of times in ms, with how many there are."""
    return Figure(f"{name}, p95 of {len(values)}", p95(values) / 1000, None, target, "s")


async def until(page: Page, expression: str, timeout_s: float = 15.0) -> None:
    """Ask the page from outside: its policy lets nobody evaluate text inside."""
    ends = time.monotonic() + timeout_s
    while not await page.evaluate(expression):
        assert time.monotonic() < ends, expression
        await asyncio.sleep(0.02)


async def watched(browser: Browser) -> Page:
    """A page of a browser that was never here, watched from its first moment."""
    page = await (await browser.new_context(viewport=VIEW)).new_page()  # type: ignore[arg-type]
    await page.add_init_script(f"({page_watch.WATCH})()")
    return page


async def signed_in(page: Page, server: Server, path: str = "/") -> None:
    await open_page(page, server.url, str((await server.call("POST", "/session/code", {}))["code"]), path)


@contextlib.asynccontextmanager
async def simulated(folder: Path) -> AsyncIterator[tuple[Server, Browser]]:
    """A simulated server and a browser."""
    options = ("--driver", "simulated", *LIMITS)
    async with Server.running(folder / "data", clean_environment(), *options) as server, chromium() as browser:
        yield server, browser


def phone_of(server: Server, bot: str) -> PhoneClient:
    return PhoneClient(server.data_dir / "run" / "phones", bot)


async def linked(server: Server, name: str) -> str:
    """A new bot that is connected."""
    bot = str((await server.call("POST", "/bots", {"name": name}))["id"])
    await phone_of(server, bot).scan()
    await server.bot_until(bot, lambda record: record["status"] == "connected")
    return bot


# --- codes ------------------------------------------------------------------------------------------------------------


async def codes(folder: Path, attempts: int) -> list[Figure]:
    """WhatsApp's `pair-device` leaves its server → its code is in a picture; the real library in between, each attempt in
    a process of its own."""
    async with WhatsApp.running() as whatsapp:
        environment = {**clean_environment(), **whatsapp.env()}
        options = ("--proxy", whatsapp.proxy_url, *LIMITS)
        async with Server.running(folder / "data", environment, *options) as server, chromium() as browser:
            page = await watched(browser)
            bot = str((await server.call("POST", "/bots", {"name": "Codes", "start": False}))["id"])
            await signed_in(page, server, f"/bots/{bot}/link")
            await page.evaluate(page_watch.QR_PAINTED)
            came = await page_watch.frames_received(page, lambda frame: frame["type"] == "qr")
            whole, on_the_way, in_page = [], [], []
            for number in range(1, attempts + 1):
                mark = await whatsapp.do("mark")
                await server.call("POST", f"/bots/{bot}/link", {})
                offered = 1000 * float(await whatsapp.do("refs_sent", mark=mark))
                await until(page, f"window.watched_.painted.length >= {number}")
                painted = float(await page.evaluate("window.watched_.painted.at(-1)"))
                whole.append(painted - offered)
                on_the_way.append(came[-1][0] - offered)
                in_page.append(painted - came[-1][0])
                await server.call("POST", f"/bots/{bot}/stop", {})
                await server.bot_until(bot, lambda record: record["status"] == "stopped")
                await page.wait_for_selector("[data-state=cancelled]", timeout=WAIT_MS)
    return [
        ms("pair-device → pixels, real library", whole, 0.25),
        Figure("... median", median(whole) / 1000, None, None, "s"),
        ms("... of it pair-device → browser", on_the_way, None),
        ms("... of it browser → pixels", in_page, 0.05),
    ]


# --- events -----------------------------------------------------------------------------------------------------------


async def paced(send: list[Any], per_second: float) -> None:
    """Carry out calls, ten at once, never faster than that: what was late is not caught up with."""
    for start in range(0, len(send), 10):
        ends = time.monotonic() + 10 / per_second
        await asyncio.gather(*(each() for each in send[start : start + 10]))
        await asyncio.sleep(max(0.0, ends - time.monotonic()))


async def events(folder: Path, count: int, trace: Path) -> list[Figure]:
    """As many events of one bot, no more than 200 a second so that each has its row, scrolled through; then a flood."""
    async with simulated(folder) as (server, browser):
        page = await watched(browser)
        bot = await linked(server, "Events")
        await signed_in(page, server, f"/bots/{bot}")
        await page.wait_for_selector(".ev", timeout=WAIT_MS)
        phone = phone_of(server, bot)

        def say(number: int) -> Any:
            return lambda: phone.text(PEOPLE[number % len(PEOPLE)], f"text {number}", push_name="Jonas")

        await paced([say(number) for number in range(count)], 180)
        before = time.monotonic()
        await until(page, f"Number(document.querySelector('.log').dataset.count) >= {count}", 60)
        behind = time.monotonic() - before
        rows = int(await page.evaluate("document.querySelector('.log').dataset.rows"))
        async with traced(page, trace) as happened:
            wheel = await page.evaluate(page_watch.SCROLL, [120, 5_000])
            whole = await page.evaluate(page_watch.SCROLL, [600, 30_000])
        in_document = await page.locator(".ev").count()
        await page.evaluate("document.querySelector('.log').scrollTop = 0")
        await page.get_by_role("button", name="Resume").click()
        folded = await flood(page, phone)
    return [
        Figure(f"rows of {count:,} events", rows, None, count * 0.99, "", at_least=True),
        Figure("... scrolled through", int(whole["travelled"] / ROW_PX), None, count * 0.95, "", at_least=True),
        *scrolled("as a wheel does", wheel),
        *scrolled("20 rows a picture", whole),
        ms("the page's own work for a picture", page_watch.work(happened), 1 / 60),
        Figure("rows in the document", in_document, None, 200, ""),
        Figure("page behind the last of them", behind, None, 1.0, "s"),
        Figure("2,000 at once: events folded", folded["folded"], None, 1, "", at_least=True),
        Figure("... shown after the last was sent", folded["behind"], None, 2.0, "s"),
    ]


def scrolled(how: str, seen: dict[str, Any]) -> list[Figure]:
    """Figures of one scrolling."""
    frames = [float(each) for each in seen["frames"]]
    return [
        Figure(f"pictures a second, scrolled {how}", 1000 * len(frames) / sum(frames), None, 59, "", at_least=True),
        Figure("... longest", max(frames) / 1000, None, 0.05, "s"),
        Figure("... over 33 ms", sum(each > 33.4 for each in frames), None, 0, ""),
        Figure("... without a row in view", seen["empty"], None, 0, ""),
    ]


async def flood(page: Page, phone: PhoneClient) -> dict[str, float]:
    """Send as fast as it goes; how many were folded, and how long the page took after the last."""
    last = f"the last of {time.time()}"
    for start in range(0, 2_000, 50):
        await asyncio.gather(*(phone.text(PEOPLE[0], f"flood {start + n}", push_name="Mia") for n in range(50)))
    await phone.text(PEOPLE[1], last, push_name="The last one")
    sent = time.monotonic()
    await page.get_by_text(last).first.wait_for(timeout=60_000)
    took = time.monotonic() - sent
    folded = await page.evaluate("(({count, rows}) => count - rows)(document.querySelector('.log').dataset)")
    return {"folded": float(folded), "behind": took}


@contextlib.asynccontextmanager
async def traced(page: Page, file: Path) -> AsyncIterator[list[dict[str, Any]]]:
    """Keep Chromium's trace of what happens meanwhile (in what is given, too, once it is over); DevTools (Performance,
    Load profile) opens it as it is."""
    client = await page.context.new_cdp_session(page)
    found: list[dict[str, Any]] = []
    ended = asyncio.get_running_loop().create_future()
    client.on("Tracing.dataCollected", lambda part: found.extend(part["value"]))
    client.on("Tracing.tracingComplete", lambda _: ended.set_result(None))
    categories = "devtools.timeline,disabled-by-default-devtools.timeline.frame,blink.user_timing,loading,latencyInfo"
    await client.send("Tracing.start", {"transferMode": "ReportEvents", "categories": categories})
    yield found
    await client.send("Tracing.end")
    await asyncio.wait_for(ended, 60)
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(gzip.compress(json.dumps({"traceEvents": found}).encode(), 9, mtime=0))


# --- two hundred bots -------------------------------------------------------------------------------------------------


async def busy(folder: Path, bots: int, seconds: float) -> list[Figure]:
    """Two hundred bots, a hundred events a second among twenty of them, somebody who types, clicks and opens menus."""
    async with simulated(folder) as (server, browser):
        talking = [await linked(server, f"Talking {number:02}") for number in range(20)]
        for start in range(len(talking), bots, 20):
            names = [f"Bot {start + number:03}" for number in range(20)]
            await asyncio.gather(*(server.call("POST", "/bots", {"name": name, "start": False}) for name in names))
        page = await watched(browser)
        await signed_in(page, server)
        await page.wait_for_selector("article[data-bot]", timeout=WAIT_MS)
        phones = [phone_of(server, bot) for bot in talking]

        def say(number: int) -> Any:
            return lambda: phones[number % len(phones)].text(PEOPLE[number % len(PEOPLE)], f"text {number}")

        flow = asyncio.create_task(paced([say(number) for number in range(int(100 * seconds))], 100))
        await used(page, time.monotonic() + seconds / 2)
        shifts = await page.evaluate("window.watched_.shifts")
        took = await statuses(server, page, talking[0], time.monotonic() + seconds / 3)
        flow.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await flow
        inputs = await page.evaluate("window.watched_.inputs")
    longest: dict[int, float] = {}
    for interaction, _, duration in inputs:
        longest[interaction] = max(longest.get(interaction, 0.0), float(duration))
    for value, at, what in shifts:
        print(f"layout shift of {value:.4f} at {at:.0f} ms: {what}")
    return [
        ms("frame → pixels, 200 bots, 100 events/s", took, 0.05),
        ms("input → paint, 200 bots, 100 events/s", list(longest.values()), 0.1),
        Figure("layout shift after the first paint", sum(value for value, *_ in shifts), None, 0.0, ""),
    ]


async def used(page: Page, until_s: float) -> None:
    """Somebody at work: filters, search, menus, keys; again and again."""
    while time.monotonic() < until_s:
        for chip in ("Connected", "Stopped", "All"):
            await page.locator(".chip", has_text=chip).first.click()
            await page.wait_for_timeout(120)
        await page.keyboard.press("/")
        await page.keyboard.type("talking 1", delay=40)
        await page.wait_for_timeout(120)
        await page.keyboard.press("Escape")
        await page.locator("#find").fill("")
        await page.locator("article[data-bot]").first.get_by_role("button").last.click()
        await page.wait_for_timeout(120)
        await page.keyboard.press("Escape")
        await page.locator("h1").first.click()
        for key in ("j", "j", "j", "k"):
            await page.keyboard.press(key, delay=20)
        # Who is in the list holds it still.
        await page.locator("h1").first.click()


async def statuses(server: Server, page: Page, bot: str, until_s: float) -> list[float]:
    """A row's changes of status: from the frame's arrival in the browser to the picture that shows it, ms."""
    came = await page_watch.frames_received(page, lambda frame: frame["botId"] == bot and frame["type"] == "status")
    await page.evaluate(page_watch.STATUS_PAINTED, bot)
    phone = phone_of(server, bot)
    while time.monotonic() < until_s:
        await phone.do("drop")
        await server.bot_until(bot, lambda record: record["status"] == "reconnecting")
        await phone.do("reconnect")
        await server.bot_until(bot, lambda record: record["status"] == "connected")
    await asyncio.sleep(0.5)
    painted = await page.evaluate("window.watched_.painted")
    took = []
    for status, at in painted:
        earlier = [received for received, frame in came if frame["status"] == status and received <= at]
        took += [float(at) - earlier[-1]] if earlier else []
    assert took, "no change of status was seen"
    return took
