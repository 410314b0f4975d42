"""The benchmark of the ring runs; its targets are for an idle machine and are not asserted here."""

from __future__ import annotations

import asyncio
import re
import sys

import pytest

from tests.support.server import ROOT
from tests.support.simulated import clean_environment


@pytest.mark.slow
async def test_ring_runs() -> None:
    """A smoke run links, floods and prints every figure with the library's share beside it."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "scripts/bench/ring.py", "--quick"),
        cwd=ROOT,
        env=clean_environment(),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await asyncio.wait_for(process.communicate(), 150)
    assert process.returncode in {0, 1}, err.decode()[-3000:]
    rows = [line for line in out.decode().splitlines() if re.search(r"(met|MISSED|–) *\|$", line)]
    assert len(rows) == 10, out.decode() + err.decode()[-3000:]
