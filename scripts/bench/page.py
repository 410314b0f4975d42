"""How fast the page is: a code from the server's socket to pixels, and scrolling ten thousand events.

Run as `python -m scripts.bench.page`; prints one JSON object and writes a trace of the scrolling to
`.artifacts/page/scroll-trace.json`. Owns the measuring in a real Chromium on a simulated server.
"""

from __future__ import annotations

import asyncio
import json
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

from playwright.async_api import Page

from sessions.simulated_control import PhoneClient
from tests.support.browser import chromium
from tests.support.page import PICTURES, WAIT_MS, open_page
from tests.support.server import Server

CODES = 25
EVENTS = 10_000
SCROLLED_MS = 4_000

_WATCH = """
() => {
  window.drawn_ = [];
  new MutationObserver(() => {
    const path = document.querySelector('.qr > svg[role=img] path')?.getAttribute('d');
    if (path && path !== window.path_) {
      window.path_ = path;
      requestAnimationFrame(() => setTimeout(() => window.drawn_.push(Date.now())));
    }
  }).observe(document, {subtree: true, childList: true, attributes: true});
}
"""

_SCROLL = """
async (ms) => {
  const box = document.querySelector('.log');
  const frames = [];
  const began = performance.now();
  let last = began;
  await new Promise(done => requestAnimationFrame(function step(now) {
    frames.push(now - last);
    last = now;
    box.scrollTop += 120;
    if (now - began < ms) requestAnimationFrame(step); else done();
  }));
  return frames.slice(1);
}
"""


async def _until(page: Page, expression: str, timeout_s: float = 15.0) -> None:
    """Ask the page from outside: its policy lets nobody evaluate text inside."""
    ends = time.monotonic() + timeout_s
    while not await page.evaluate(expression):
        assert time.monotonic() < ends, expression
        await asyncio.sleep(0.02)


def announced(payload: str | bytes) -> float | None:
    """When the server announced the code in this message of the socket, ms; None for any other message."""
    if not isinstance(payload, str) or '"type":"qr"' not in payload or not payload.startswith("42"):
        return None
    return float(json.loads(payload[2:])[1]["at"])


async def codes(page: Page, server: Server) -> list[float]:
    """From the code's announcement by the server to pixels, ms, for several attempts of one bot."""
    told: list[float] = []

    def hear(payload: str | bytes) -> None:
        at = announced(payload)
        if at is not None:
            told.append(at)

    page.on("websocket", lambda socket: socket.on("framereceived", hear))
    bot = str((await server.call("POST", "/bots", {"name": "Codes", "start": False}))["id"])
    await page.goto(f"{server.url}/bots/{bot}/link")
    await page.wait_for_selector("[data-connection=live]", timeout=WAIT_MS)
    await page.evaluate(_WATCH)
    took: list[float] = []
    for number in range(1, CODES + 1):
        await server.call("POST", f"/bots/{bot}/link", {})
        await _until(page, f"window.drawn_.length >= {number}")
        took.append(float(await page.evaluate("window.drawn_.at(-1)")) - told[-1])
        await server.call("POST", f"/bots/{bot}/stop", {})
        await server.bot_until(bot, lambda record: record["status"] == "stopped")
        await page.wait_for_selector("[data-state=cancelled]", timeout=WAIT_MS)
    return took


async def scrolling(page: Page, server: Server) -> dict[str, Any]:
    """Frames while ten thousand events of one bot are scrolled through."""
    bot = str((await server.call("POST", "/bots", {"name": "Events"}))["id"])
    phone = PhoneClient(server.data_dir / "run" / "phones", bot)
    await server.bot_until(bot, lambda record: record["status"] == "awaiting_scan")
    await phone.do("scan")
    await server.bot_until(bot, lambda record: record["status"] == "connected")
    await page.goto(f"{server.url}/bots/{bot}")
    await page.wait_for_selector("[data-connection=live]", timeout=WAIT_MS)
    await page.wait_for_selector(".ev", timeout=WAIT_MS)
    for start in range(0, EVENTS, 50):
        await asyncio.gather(*(phone.text("4917212345611", f"text {start + n}", push_name="Jonas") for n in range(50)))
    await _until(page, f"Number(document.querySelector('.log').dataset.count) >= {EVENTS - 50}", 400.0)
    client = await page.context.new_cdp_session(page)
    trace: list[Any] = []
    client.on("Tracing.dataCollected", lambda part: trace.extend(part["value"]))
    await client.send("Tracing.start", {"transferMode": "ReportEvents", "categories": "devtools.timeline"})
    frames = [float(each) for each in await page.evaluate(_SCROLL, SCROLLED_MS)]
    ended = asyncio.get_running_loop().create_future()
    client.on("Tracing.tracingComplete", lambda _: ended.set_result(None))
    await client.send("Tracing.end")
    await asyncio.wait_for(ended, 60)
    PICTURES.mkdir(parents=True, exist_ok=True)
    (PICTURES / "scroll-trace.json").write_text(json.dumps({"traceEvents": trace}))
    return {
        "events": EVENTS,
        "frames": len(frames),
        "framesPerSecond": round(1000 * len(frames) / sum(frames), 1),
        "frameP95Ms": round(sorted(frames)[int(len(frames) * 0.95)], 1),
        "rowsInDocument": await page.locator(".ev").count(),
    }


async def main() -> None:
    """Measure both and print it."""
    with tempfile.TemporaryDirectory() as folder:
        options = ("--driver", "simulated", "--max-link-attempts-per-hour", "1000")
        async with Server.running(Path(folder) / "data", None, *options) as server, chromium() as browser:
            page = await (await browser.new_context(viewport={"width": 1440, "height": 900})).new_page()
            await open_page(page, server.url, str((await server.call("POST", "/session/code", {}))["code"]))
            took = sorted(await codes(page, server))
            result = {
                "codeToPixelsMs": {
                    "n": len(took),
                    "p50": round(statistics.median(took), 1),
                    "p95": round(took[int(len(took) * 0.95)], 1),
                },
                "scroll": await scrolling(page, server),
            }
    print(json.dumps(result, indent=2))


if __name__ == "__main__":
    asyncio.run(main())
