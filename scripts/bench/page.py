"""Measures the page in a real Chromium: `python -m scripts.bench.page`, some three minutes; `--quick` for a smoke run.

Codes of the loopback WhatsApp through the real library to pixels; ten thousand events scrolled through; two hundred bots
and a hundred events a second under somebody's hands. Prints targets and figures; exit 1 when one is missed. The trace
of the scrolling is kept in `.artifacts/page/scroll-trace.json.gz`, for the Performance panel of Chromium's DevTools.
Run it on an otherwise idle machine. `page_parts.py` does it.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
import tempfile
import time
from pathlib import Path

from scripts.bench import page_parts
from scripts.bench.report import Figure, show
from tests.support.page import PICTURES

TRACE = PICTURES / "scroll-trace.json.gz"
PARTS = ("codes", "events", "busy")


async def measure(part: str, folder: Path, quick: bool) -> list[Figure]:
    """The figures of one part."""
    print(f"{part} ...", file=sys.stderr)
    folder.mkdir()
    if part == "codes":
        return await page_parts.codes(folder, 3 if quick else 40)
    if part == "events":
        return await page_parts.events(folder, 600 if quick else 10_000, TRACE)
    return await page_parts.busy(folder, 60 if quick else 200, 8.0 if quick else 30.0)


async def _all(parts: list[str], quick: bool) -> list[Figure]:
    with tempfile.TemporaryDirectory(prefix="page-") as directory:
        return [figure for part in parts for figure in await measure(part, Path(directory) / part, quick)]


def main() -> int:
    """Runs and prints; the exit code of the command."""
    parser = argparse.ArgumentParser(description="Measure the page in Chromium.")
    parser.add_argument("--quick", action="store_true", help="a smoke run; its figures say little")
    parser.add_argument("--only", choices=PARTS, help="one part")
    chosen = parser.parse_args()
    began = time.monotonic()
    found = asyncio.run(_all([chosen.only] if chosen.only else list(PARTS), chosen.quick))
    print(show(found))
    print(f"{time.monotonic() - began:.0f} s, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}")
    if TRACE.exists() and chosen.only in {None, "events"}:
        print(f"trace of the scrolling: {TRACE.relative_to(Path.cwd()) if TRACE.is_relative_to(Path.cwd()) else TRACE}")
    return 0 if all(figure.met for figure in found) else 1


if __name__ == "__main__":
    sys.exit(main())
