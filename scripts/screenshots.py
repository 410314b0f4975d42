"""Pictures of the README: the page of `orchestrator demo`, light and dark, into `orchestrator/web/pictures/`.

Run by `scripts/screenshots`. Owns what is photographed; each picture stays small enough for a repository.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from subprocess import DEVNULL, Popen
from typing import Any

from playwright.async_api import Page

from tests.support.browser import chromium

ROOT = Path(__file__).resolve().parents[1]
PICTURES = ROOT / "orchestrator" / "web" / "pictures"
MOST_BYTES = 150_000
START_S = 60.0
WAIT_MS = 20_000


@contextlib.contextmanager
def demo(data: Path) -> Iterator[str]:
    """Run the demo; give its address."""
    command = [sys.executable, "-m", "orchestrator", "demo", "--port", "0", "--data-dir", str(data)]
    with Popen(command, cwd=ROOT, stdout=DEVNULL, stderr=DEVNULL) as process:
        try:
            deadline = time.monotonic() + START_S
            file = data / "run" / "url"
            while not file.exists():
                assert process.poll() is None and time.monotonic() < deadline, "the demo did not start"
                time.sleep(0.1)
            yield file.read_text().strip()
        finally:
            process.send_signal(signal.SIGTERM)


def ask(url: str, data: Path, method: str, path: str, body: object = None) -> Any:
    """Ask the demo over REST as its operator."""
    headers = {"Authorization": f"Bearer {(data / 'token').read_text().strip()}", "Content-Type": "application/json"}
    wanted = urllib.request.Request(
        f"{url}/api/v1{path}", method=method, headers=headers, data=None if body is None else json.dumps(body).encode()
    )
    with urllib.request.urlopen(wanted, timeout=20) as answer:
        text = answer.read()
    return json.loads(text) if text else None


async def both(page: Page, name: str) -> None:
    """Photograph what is shown, light and dark."""
    for theme in ("light", "dark"):
        await page.emulate_media(color_scheme="dark" if theme == "dark" else "light")
        await page.wait_for_timeout(300)
        path = PICTURES / f"{name}-{theme}.png"
        size = len(await page.screenshot(path=path, animations="disabled"))
        assert size <= MOST_BYTES, f"{path} has {size} bytes"
        print(f"{path.relative_to(ROOT)}: {size // 1000} kB")


async def photograph(url: str, data: Path) -> None:
    """Go through the parts of the page."""
    async with chromium() as browser:
        page = await (await browser.new_context(viewport={"width": 1200, "height": 800})).new_page()
        code = ask(url, data, "POST", "/session/code", {})["code"]
        await page.goto(f"{url}/#code={code}")
        await page.wait_for_selector("[data-connection=live]", timeout=WAIT_MS)
        await page.wait_for_selector(".ribbon", timeout=WAIT_MS)
        await page.wait_for_timeout(12_000)  # the day has begun: talks, a lost link, a code on offer
        await both(page, "bots")
        bots = {bot["name"]: bot["id"] for bot in ask(url, data, "GET", "/bots")["bots"]}
        await page.click(f"[data-bot={bots['Support Berlin']}] .row-link")
        await page.wait_for_selector(".bub", timeout=WAIT_MS)
        await page.wait_for_selector(".ev", timeout=WAIT_MS)
        await both(page, "bot")
        made = ask(url, data, "POST", "/bots", {"name": "Front desk", "deviceName": "Orchestrator · Front desk"})
        await page.goto(f"{url}/bots/{made['id']}/link")
        await page.wait_for_selector("[data-state=scan] .qr svg path", timeout=WAIT_MS)
        await both(page, "link")
        await page.goto(f"{url}/fleet")
        await page.wait_for_selector(".conn-line", timeout=WAIT_MS)
        await page.wait_for_selector(".w", timeout=WAIT_MS)
        await page.wait_for_timeout(6_000)  # asked for again: this page's own socket is among the sockets
        await both(page, "fleet")


def main() -> None:
    """Make all pictures."""
    PICTURES.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder, demo(Path(folder) / "data") as url:
        asyncio.run(photograph(url, Path(folder) / "data"))


if __name__ == "__main__":
    os.chdir(ROOT)
    main()
