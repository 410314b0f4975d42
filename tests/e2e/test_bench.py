"""The benchmarks of ring and page run; their targets are for an idle machine and are not asserted here."""

from __future__ import annotations

import asyncio
import re
import sys

import pytest

from tests.support.server import ROOT
from tests.support.simulated import clean_environment


async def _figures(*command: str) -> list[str]:
    """Run a benchmark; the lines of its table."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, *command),
        cwd=ROOT,
        env=clean_environment(),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await asyncio.wait_for(process.communicate(), 200)
    assert process.returncode in {0, 1}, err.decode()[-3000:]
    rows = [line for line in out.decode().splitlines() if re.search(r"(met|MISSED|–) *\|$", line)]
    assert rows, out.decode() + err.decode()[-3000:]
    return rows


@pytest.mark.slow
async def test_ring_runs() -> None:
    """A smoke run links, floods and prints every figure with the library's share beside it."""
    assert len(await _figures("scripts/bench/ring.py", "--quick")) == 10


@pytest.mark.browser
async def test_page_runs() -> None:
    """A smoke run links with the real library, scrolls and works among many bots; every figure is there."""
    rows = await _figures("-m", "scripts.bench.page", "--quick")
    assert len(rows) == 22
    # These hold on any machine.
    for name in ("rows of", "without a row in view", "layout shift"):
        found = [row for row in rows if name in row]
        assert found and all(row.rstrip("| ").endswith("met") for row in found), found
