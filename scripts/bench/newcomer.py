"""Times a newcomer's path: `python -m scripts.bench.newcomer`. From a fresh clone to a linked bot in the page, by the README.

`git clone`, `scripts/start demo` on a terminal, the address it prints in Chromium, New bot, Enter through the wizard,
"Scan this code", linked. Prints when each step was done; exit 1 above four minutes. Nothing is in the clone but what is
committed; pip's and npm's caches are those of this machine, or empty ones with `--cold`. Owns the path; it must never
take a step the README does not tell.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import pty
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from pathlib import Path

from playwright.async_api import Page

from tests.rules.tree import ROOT
from tests.support.browser import chromium

AT_MOST_S = 240.0
GIVE_UP_S = 900.0
OURS = ("ORCHESTRATOR_", "VIRTUAL_ENV", "PYTHONPATH")


class Way:
    """What was done when, since the newcomer began."""

    def __init__(self) -> None:
        self._began = time.monotonic()
        self.seconds = 0.0

    def done(self, what: str) -> None:
        self.seconds = time.monotonic() - self._began
        print(f"{self.seconds:6.1f} s  {what}", flush=True)


def environment(caches: Path | None) -> dict[str, str]:
    """A shell's, without what this run itself was started with."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith(OURS)}
    ours = str(Path(sys.prefix) / "bin")
    kept["PATH"] = os.pathsep.join(each for each in kept["PATH"].split(os.pathsep) if each != ours)
    if caches is not None:
        kept |= {"PIP_CACHE_DIR": str(caches / "pip"), "npm_config_cache": str(caches / "npm")}
    return kept


@contextlib.asynccontextmanager
async def started(clone: Path, env: dict[str, str], path: Way) -> AsyncIterator[str]:
    """`scripts/start demo` on a terminal; gives the address it prints. Ends it with Ctrl-C."""
    ours, theirs = pty.openpty()
    process = await asyncio.create_subprocess_exec(
        *("scripts/start", "demo", "--port", "0"),
        cwd=clone, env=env, stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True,
    )  # fmt: skip
    os.close(theirs)
    try:
        yield await asyncio.to_thread(_address, ours, path)
    finally:
        os.killpg(process.pid, signal.SIGINT)
        reading = asyncio.create_task(asyncio.to_thread(_drain, ours))
        code = await asyncio.wait_for(process.wait(), 30)
        await reading
        os.close(ours)
        path.done(f"stopped with Ctrl-C, exit code {code}")


def _address(terminal: int, path: Way) -> str:
    """Read the terminal until it names an address; tell each line when it comes, the one-time code left out."""
    text = ""
    while True:
        text += os.read(terminal, 4096).decode(errors="replace").replace("\r\n", "\n")
        *lines, text = text.split("\n")
        for line in lines:
            if line.strip():
                path.done(f"  | {re.sub('#code=.*', '#code=…', line.strip())}")
            if (found := re.search(r"http://\S+#code=\S+", line)) is not None:
                return found[0]


def _drain(terminal: int) -> None:
    with contextlib.suppress(OSError):
        while os.read(terminal, 4096):
            pass


async def linked(page: Page, address: str, path: Way) -> None:
    """Open the page, make a bot with the Enter key, play its phone."""
    await page.goto(address)
    await page.wait_for_selector("[data-connection=live]", timeout=60_000)
    path.done("the page is live")
    await page.get_by_role("button", name="New bot").first.click()
    await page.get_by_label("Name").fill("My first bot")
    await page.keyboard.press("Enter")
    await page.wait_for_url("**/new/options")
    await page.keyboard.press("Enter")
    await page.wait_for_selector("[data-state=scan] .qr svg path", timeout=60_000)
    path.done("the code is there to be scanned")
    await page.get_by_role("button", name="Scan this code").click()
    await page.wait_for_selector("[data-state=connected]", timeout=60_000)
    path.done("LINKED")


async def walk(source: str, cold: bool) -> float:
    """The whole path in an empty directory; seconds until the bot is linked."""
    with tempfile.TemporaryDirectory(prefix="newcomer-") as directory:
        folder = Path(directory)
        env = environment(folder / "caches" if cold else None)
        async with chromium() as browser:
            page = await browser.new_page()
            path = Way()
            clone = ["git", "clone", "--quiet", source, "orchestrator"]
            await asyncio.to_thread(subprocess.run, clone, cwd=folder, env=env, check=True)
            path.done("cloned")
            async with asyncio.timeout(GIVE_UP_S), started(folder / "orchestrator", env, path) as address:
                await linked(page, address, path)
                return path.seconds


def main() -> int:
    """Walks and prints; the exit code of the command."""
    parser = argparse.ArgumentParser(description="Time the way from a fresh clone to a linked bot.")
    parser.add_argument("--cold", action="store_true", help="with empty caches of pip and npm")
    parser.add_argument("--source", default=str(ROOT), help="what is cloned")
    chosen = parser.parse_args()
    print(f"caches of pip and npm: {'empty' if chosen.cold else 'those of this machine'}")
    seconds = asyncio.run(walk(chosen.source, chosen.cold))
    print(f"{seconds:.0f} s from nothing to a linked bot; load {os.getloadavg()[0]:.1f}, {os.cpu_count()} cores")
    return 0 if seconds <= AT_MOST_S else 1


if __name__ == "__main__":
    sys.exit(main())
