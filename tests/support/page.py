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


_SMALL = """px => {
  const small = []
  for (const each of document.querySelectorAll('button, a:not(.row-link), input, textarea')) {
    if (!each.checkVisibility({visibilityProperty: true})) continue
    each.scrollIntoView({block: 'center', inline: 'center'})
    const {left, top, width, height} = each.getBoundingClientRect()
    const [x, y] = [left + width / 2, top + height / 2]
    const hit = (dx, dy) => {
      const met = document.elementFromPoint(x + dx, y + dy)
      return met !== null && (each.contains(met) || (met.matches('.input') && met.contains(each)))
    }
    if (!hit(0, 0)) continue
    const reach = (dx, dy) => { let far = 0; while (far < px && hit(far * dx, far * dy)) far += 1; return far }
    const [wide, high] = [reach(1, 0) + reach(-1, 0), reach(0, 1) + reach(0, -1)]
    if (Math.min(wide, high) < px - 1) small.push(`${each.textContent || each.ariaLabel}: ${wide} x ${high}`)
  }
  return [...new Set(small)]
}"""


async def too_small(page: Page, px: int) -> list[str]:
    """What can be pressed in the page and reaches less than so many pixels, room that is not seen included."""
    return [str(each) for each in await page.evaluate(_SMALL, px)]


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
