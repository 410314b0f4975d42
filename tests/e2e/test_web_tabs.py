"""The unified socket client in a real Chromium on a real server: tabs share one socket, and nothing is lost with a tab.

Each case runs on a secure origin (127.0.0.1: Web Locks elect) and on a plain-http name (no Web Locks: heartbeats do).
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import os
import signal
import time
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import urlencode

import pytest
import pytest_asyncio
from playwright.async_api import Browser, BrowserContext, Page

from tests.support.browser import chromium
from tests.support.simulated import Simulated, simulated
from tests.support.web_control import WebControl
from tests.support.web_site import build, site

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="module")]

WAIT_MS = 15_000
HANDOVER_S = 5.0
NAME = "bots.test"
HOSTS = ["127.0.0.1", NAME]
"""The first is a secure context, the second is not."""

Json = dict[str, Any]


@dataclasses.dataclass
class World:
    """One server, one site, one Chromium; every case takes a user of its own."""

    simulated: Simulated
    control: WebControl
    site_port: int
    chromium: Browser

    async def metric(self, name: str) -> float:
        return await self.simulated.server.metric(f"orchestrator_{name}")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def world(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[World]:
    """The server takes pages of both hosts; the browser finds the name on this machine."""
    base = tmp_path_factory.mktemp("web")
    await build(base / "site")
    origins = f"http://127.0.0.1:*,http://{NAME}:*"
    async with contextlib.AsyncExitStack() as stack:
        enter = stack.enter_async_context
        running = await enter(simulated(base / "data", "--cors-origins", origins))
        yield World(
            running,
            await enter(WebControl.running(running)),
            await enter(site(base / "site")),
            await enter(chromium(f"--host-resolver-rules=MAP {NAME} 127.0.0.1")),
        )


class Case:
    """One user and their pages."""

    def __init__(self, world: World, host: str, user: str, bot: str, token: str) -> None:
        self.world = world
        self.user = user
        port = world.simulated.server.url.rpartition(":")[2]
        where = {"url": f"http://{host}:{port}", "userId": user, "botId": bot, "token": token}
        self._address = f"http://{host}:{world.site_port}/#{urlencode(where)}"
        self.bot = bot

    @classmethod
    async def begin(cls, world: World, host: str) -> Case:
        made = await world.control.do_user()
        token = (await world.control.do_token(made["user"], 3600))["token"]
        return cls(world, host, made["user"], made["bot"], token)

    async def tab(self, context: BrowserContext) -> Page:
        page = await context.new_page()
        await page.goto(self._address)
        return page

    async def live_tab(self, context: BrowserContext) -> Page:
        page = await self.tab(context)
        await pill(page, "Live")
        return page

    async def publish(self, count: int) -> list[str]:
        """Make events; return the ids of all there are."""
        return list((await self.world.control.do_publish(self.user, count))["ids"])


async def pill(page: Page, text: str) -> None:
    """Wait until the page says this about its connection."""
    await page.wait_for_function("t => document.querySelector('#pill').textContent === t", arg=text, timeout=WAIT_MS)


async def told(page: Page) -> list[str]:
    """Ids of the durable frames a tab was told, in order."""
    ids: list[str] = await page.evaluate("unified.told.map(one => one.id)")
    return ids


async def got(page: Page, events: list[str]) -> None:
    """Wait until the tab has the newest event; what it was told is the end of all there are, in order, each once."""
    await page.wait_for_function("id => unified.told.at(-1)?.id === id", arg=events[-1], timeout=WAIT_MS)
    ids = await told(page)
    assert ids == events[-len(ids) :]


async def holds(page: Page) -> bool:
    return bool(await page.evaluate("unified.client.getState().connection.holder === 'me'"))


async def holder_and_follower(one: Page, other: Page) -> tuple[Page, Page]:
    return (one, other) if await holds(one) else (other, one)


@pytest.mark.parametrize("host", HOSTS)
async def test_three_hooks_in_two_tabs(world: World, host: str) -> None:
    """Three former hooks under StrictMode in two tabs: one socket, no refusal, the same everywhere."""
    case = await Case.begin(world, host)
    before = {name: await world.metric(name) for name in ("sockets", "sockets_refused_total", "sockets_closed_total")}
    context = await world.chromium.new_context()
    tabs = [await case.tab(context), await case.tab(context)]
    for page in tabs:
        await pill(page, "Live")
        assert await page.evaluate("isSecureContext") == (host != NAME)
        assert await page.evaluate("navigator.locks !== undefined") == (host != NAME)
    events = await case.publish(20)
    for page in tabs:
        await got(page, events)
        await page.wait_for_function(
            "document.querySelector('#bots').textContent.startsWith('live: name 19')", timeout=WAIT_MS
        )
        assert await page.inner_text("#status") == "stopped"
    answers = [
        await page.evaluate("bot => unified.client.command({ botId: bot, action: 'stop' })", case.bot) for page in tabs
    ]
    assert all(answer["ok"] for answer in answers)
    await tabs[1].reload()
    await pill(tabs[1], "Live")
    assert await world.metric("sockets") == before["sockets"] + 1
    assert await world.metric("sockets_refused_total") == before["sockets_refused_total"]
    assert await world.metric("sockets_closed_total") <= before["sockets_closed_total"] + 1, (
        "the reloaded tab's at most"
    )
    await context.close()


async def _close(page: Page) -> None:
    await page.close()


async def kill(page: Page) -> None:
    """Its process dies."""
    session = await page.context.new_cdp_session(page)
    with contextlib.suppress(Exception):  # the answer never comes: its process is gone
        await asyncio.wait_for(session.send("Page.crash"), 1)


async def _renderer(page: Page) -> int:
    """The process that runs a page: the one that works while the page does."""
    browser = page.context.browser
    assert browser is not None
    session = await browser.new_browser_cdp_session()

    async def spent() -> dict[int, float]:
        told_ = await session.send("SystemInfo.getProcessInfo")
        return {one["id"]: one["cpuTime"] for one in told_["processInfo"] if one["type"] == "renderer"}

    before = await spent()
    await page.evaluate("(() => { const end = Date.now() + 700; while (Date.now() < end); })()")
    after = await spent()
    return max(after, key=lambda pid: after[pid] - before.get(pid, after[pid]))


async def _freeze(page: Page) -> None:
    """Its process is stopped, as a sleeping machine stops it; the test's end continues it."""
    pid = await _renderer(page)
    os.kill(pid, signal.SIGSTOP)
    asyncio.get_running_loop().call_later(7, os.kill, pid, signal.SIGCONT)


async def _put_away(page: Page) -> None:
    """The browser tells it that it is being frozen. (The event alone: a headless page is never hidden.)"""
    await page.evaluate("document.dispatchEvent(new Event('freeze'))")


async def _hang(page: Page) -> None:
    """Its main thread is busy for 7 s, without a word."""
    await page.evaluate("setTimeout(() => { const end = Date.now() + 7000; while (Date.now() < end); }, 0)")


ENDS = {"closed": _close, "killed": kill, "frozen": _freeze, "hung": _hang, "put away": _put_away}
COMES_BACK = {"frozen", "hung"}


@pytest.mark.parametrize(
    ("end", "host"), [(end, host) for end in ENDS for host in HOSTS if (end, host) != ("hung", NAME)]
)
async def test_the_holding_tab_goes(world: World, end: str, host: str) -> None:
    """The other tab goes on within 5 s; nothing is lost or shown twice, nobody is refused."""
    case = await Case.begin(world, host)
    refused = await world.metric("sockets_refused_total")
    context = await world.chromium.new_context()
    tabs = [await case.live_tab(context), await case.live_tab(context)]
    first, second = await holder_and_follower(*tabs)
    await got(second, await case.publish(5))
    await ENDS[end](first)
    began = time.monotonic()
    ending = asyncio.create_task(case.publish(10))
    await second.wait_for_function(
        "() => { const { holder, state } = unified.client.getState().connection;"
        " return holder === 'me' && state === 'live'; }",
        timeout=HANDOVER_S * 1000,
        polling=20,
    )
    took = time.monotonic() - began
    print(f"{host}, {end}: {took:.2f} s")
    assert took < HANDOVER_S
    await ending
    events = await case.publish(3)
    await got(second, events)
    assert len(await told(second)) == 18
    if end in COMES_BACK:
        await first.wait_for_function(
            "unified.client.getState().connection.holder === 'other'", timeout=WAIT_MS, polling=50
        )
        events = await case.publish(2)
        for page in (first, second):
            await got(page, events)
        assert len(await told(first)) == 20
    assert await world.metric("sockets_refused_total") == refused
    await context.close()


@pytest.mark.parametrize("tabs", [1, 2])
async def test_offline(world: World, tabs: int) -> None:
    """Offline, 500 events, online: all of them, in order, once. (A minute of it passes in vitest, on virtual time.)"""
    case = await Case.begin(world, NAME)
    context = await world.chromium.new_context()
    pages = [await case.live_tab(context) for _ in range(tabs)]
    await case.publish(3)
    await context.set_offline(True)
    for page in pages:
        await pill(page, "Offline")
    events = await case.publish(500)
    assert [len(await told(page)) for page in pages] == [3] * tabs
    await context.set_offline(False)
    for page in pages:
        await got(page, events)
        await pill(page, "Live")
        assert len(await told(page)) >= 503
    away = await pages[0].evaluate("unified.client.getState().connection.away")
    assert away["replayed"] >= 500 and away["snapshot"] is False
    await context.close()


@pytest.mark.parametrize("host", HOSTS)
async def test_another_browser(world: World, host: str) -> None:
    """A second profile: "Connected elsewhere"; "Use here" moves it; for 5 minutes nobody comes back by itself."""
    case = await Case.begin(world, host)
    home, away = await world.chromium.new_context(), await world.chromium.new_context()
    for context in (home, away):
        await context.clock.install()
    first = await case.live_tab(home)
    counted = ("sockets_refused_total", "sockets_taken_over_total", "socket_replacements_total")
    before = [await world.metric(name) for name in counted]
    second = await case.tab(away)
    await pill(second, "Connected elsewhere")
    assert (await second.inner_text("#banner")).startswith("You are connected in another browser since ")
    assert await second.inner_text("#use-here") == "Use here"
    await away.clock.run_for(300_000)
    await pill(second, "Connected elsewhere")
    await pill(first, "Live")
    assert [await world.metric(name) for name in counted] == [before[0] + 1, *before[1:]]
    await second.click("#use-here")
    await pill(second, "Live")
    await pill(first, "Moved elsewhere")
    await home.clock.run_for(300_000)
    await pill(first, "Moved elsewhere")
    await pill(second, "Live")
    assert [await world.metric(name) for name in counted] == [before[0] + 1, before[1] + 1, before[2]]
    await got(second, await case.publish(2))
    await first.click("#use-here")
    await pill(first, "Live")
    await pill(second, "Moved elsewhere")
    await home.close()
    await away.close()
