"""The unified socket client at the end of the whole ring: a bot on the real library, a contact who writes, two tabs."""

from __future__ import annotations

import asyncio
from pathlib import Path
from urllib.parse import urlencode

import pytest

from tests.e2e.journeys import linked
from tests.e2e.test_web_tabs import WAIT_MS, got, holder_and_follower, kill, pill
from tests.loopback.server import LoopbackServer
from tests.support.browser import chromium
from tests.support.server import Server
from tests.support.web_site import build, site

pytestmark = pytest.mark.browser
TEXTS = [f"text {number}" for number in range(30)]


async def test_a_tab_is_killed_while_a_contact_writes(server: Server, whatsapp: LoopbackServer, tmp_path: Path) -> None:
    """Three former hooks in two tabs: one socket; the tab that holds it is killed between two texts of a contact, and the
    other one tells all of them, in order, once."""
    await build(tmp_path / "site")
    bot, phone, _ = await linked(server, whatsapp)
    ada = whatsapp.add_contact(name="Ada")
    async with site(tmp_path / "site") as port, chromium() as browser:
        context = await browser.new_context()
        where = urlencode({"url": server.url, "userId": "local", "botId": bot, "token": server.token})
        tabs = [await context.new_page(), await context.new_page()]
        for page in tabs:
            await page.goto(f"http://127.0.0.1:{port}/#{where}")
            await pill(page, "Live")
        assert await server.metric("orchestrator_sockets") == 1
        first, second = await holder_and_follower(*tabs)
        for text in TEXTS[:10]:
            await ada.send_text(phone, text)
        await second.wait_for_function("unified.told.length > 2", timeout=WAIT_MS)
        _, *_ = await asyncio.gather(kill(first), *(ada.send_text(phone, text) for text in TEXTS[10:]))
        stored = await server.poll(
            lambda: server.call("GET", f"/bots/{bot}/messages"), lambda seen: len(seen["messages"]) == len(TEXTS)
        )
        assert sorted(one["data"]["text"] for one in stored["messages"]) == sorted(TEXTS)
        journal = await server.call("GET", "/events", limit=500)
        await got(second, [event["id"] for event in journal["events"]])
        assert await second.inner_text("#status") == "connected"
        assert await server.metric("orchestrator_sockets") == 1
    for name in ("sockets_refused_total", "socket_replacements_total", "sockets_taken_over_total"):
        assert await server.metric(f"orchestrator_{name}") == 0
