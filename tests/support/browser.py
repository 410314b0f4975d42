"""A real Chromium for tests: pages that note every request, console error and exception; QR codes read from pictures.

Owns starting and watching; it must never know what a page should show. Needs a system Chromium (Debian: chromium).
"""

from __future__ import annotations

import contextlib
import io
import shutil
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import zxingcpp
from PIL import Image
from playwright.async_api import Browser, ConsoleMessage, Error, Page, Request, async_playwright

NAMES = ("chromium", "chromium-browser", "google-chrome-stable", "google-chrome")
FLAGS = (
    "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run", "--no-default-browser-check",
    "--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-default-apps",
    "--disable-extensions", "--metrics-recording-only", "--mute-audio", "--force-color-profile=srgb",
)  # fmt: skip


@contextlib.asynccontextmanager
async def chromium(*flags: str) -> AsyncIterator[Browser]:
    """A headless Chromium; AssertionError that says what to install when there is none."""
    path = next(filter(None, map(shutil.which, NAMES)), None)
    assert path is not None, "the browser tests need Chromium: on Debian, apt-get install chromium"
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=path, headless=True, args=[*FLAGS, *flags])
        try:
            yield browser
        finally:
            await browser.close()


@dataclass
class Watched:
    """A page and what happened in it. (No slots: playwright hangs members on the object of a handler.)"""

    page: Page
    troubles: list[str] = field(default_factory=list)
    """Console errors and warnings, uncaught exceptions, failed requests."""
    hosts: set[str] = field(default_factory=set)
    """Every host and port that was asked, sockets too."""
    addresses: list[str] = field(default_factory=list)
    """Every URL that was asked, with what is behind `?` and `#`."""

    def __post_init__(self) -> None:
        self.page.on("console", self._on_console)
        self.page.on("pageerror", self._on_error)
        self.page.on("request", self._on_request)
        self.page.on("websocket", lambda socket: self._asked(socket.url))

    def _on_console(self, message: ConsoleMessage) -> None:
        if message.type in {"error", "warning"}:
            self.troubles.append(f"console {message.type}: {message.text}")

    def _on_error(self, error: Error) -> None:
        self.troubles.append(f"exception: {error.message}")

    def _on_request(self, request: Request) -> None:
        self._asked(request.url)

    def _asked(self, url: str) -> None:
        self.addresses.append(url)
        if not url.startswith(("data:", "blob:")):
            self.hosts.add(urlsplit(url).netloc)


async def read_qr(page: Page, selector: str) -> str:
    """Photograph an element and read the QR code in the picture, as a phone would."""
    found = codes(await page.locator(selector).first.screenshot())
    assert len(found) == 1, f"{len(found)} codes are in the picture of {selector}"
    return found[0]


def codes(png: bytes) -> list[str]:
    """The QR codes in a picture."""
    read: list[Any] = zxingcpp.read_barcodes(Image.open(io.BytesIO(png)), formats=zxingcpp.BarcodeFormat.QRCode)
    return [str(code.text) for code in read]
