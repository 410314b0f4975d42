"""Our page in a real Chromium: signing in, pictures in both themes and widths, the accessibility audit.

Owns how a page is looked at; what it should show is the tests' to say. Pictures go to `.artifacts/page/`, which is not
in the repository. Read `browser.py` for the browser itself.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from playwright.async_api import Page, ViewportSize

from tests.rules.tree import ROOT
from tests.support.browser import codes

WAIT_MS = 15_000
PICTURES = ROOT / ".artifacts" / "page"
SIZES: dict[str, ViewportSize] = {"narrow": {"width": 390, "height": 844}, "wide": {"width": 1440, "height": 900}}
LOOKS = [(theme, size) for theme in ("light", "dark") for size in SIZES]
AUDITED = [("light", "wide"), ("dark", "narrow")]
"""Looks that are audited; between them they have each theme and each width."""
AXE = ROOT / "orchestrator" / "web" / "node_modules" / "axe-core" / "axe.min.js"
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]


async def open_page(page: Page, url: str, code: str, path: str = "/") -> None:
    """Open the page with a one-time code and wait until it is live."""
    await page.goto(f"{url}{path}#code={code}")
    await page.wait_for_selector("[data-connection=live]", timeout=WAIT_MS)


SETTLED = """() => Promise.allSettled(
  document.getAnimations()
    .filter((each) => each.effect?.getComputedTiming().endTime !== Infinity)
    .map((each) => each.finished))"""
"""What fades in has no colour of its own yet."""


async def audit(page: Page) -> list[str]:
    """Findings of axe in the page as it is: rule, elements, what is wrong."""
    if not await page.evaluate("typeof axe === 'object'"):
        await page.evaluate(AXE.read_text("utf-8"))
    await page.evaluate(SETTLED)
    found = await page.evaluate("rules => axe.run(document, {runOnly: rules, resultTypes: ['violations']})", RULES)
    return [
        f"{each['id']} {node['target']} {(node.get('failureSummary') or '').splitlines()[1:2]}"
        for each in found["violations"]
        for node in each["nodes"]
    ]


async def look(
    page: Page,
    name: str,
    *,
    readable: bool = False,
    looks: Sequence[tuple[str, str]] = LOOKS,
    pictures: Path = PICTURES,
) -> list[str]:
    """Photograph the page in both themes and widths; return what is wrong with it, each with where.

    Args:
        readable: a QR code is shown and has to be read from every picture.
        looks: themes and widths.
    """
    pictures.mkdir(parents=True, exist_ok=True)
    before = page.viewport_size or SIZES["wide"]
    wrong: list[str] = []
    for theme, size in looks:
        await page.emulate_media(color_scheme="dark" if theme == "dark" else "light")
        await page.set_viewport_size(SIZES[size])
        where = f"{name} {theme} {size}"
        if await page.evaluate("document.documentElement.scrollWidth > innerWidth"):
            wrong.append(f"{where}: scrolls sideways")
        png = await page.screenshot(path=pictures / f"{name}-{theme}-{size}.png", animations="disabled")
        if readable and len(codes(await page.screenshot(full_page=True))) != 1:
            wrong.append(f"{where}: the code cannot be read from the picture")
        if (theme, size) in AUDITED:
            wrong += [f"{where}: {finding}" for finding in await audit(page)]
        assert png
    await page.emulate_media(color_scheme="light")
    await page.set_viewport_size(before)
    return wrong


def text_of(lines: Iterable[str]) -> str:
    """One finding a line, for the message of an assertion."""
    return "\n" + "\n".join(lines)
