"""The browser client's protocol cases on the real server: the same cases its fake server passes in scripts/check."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import pytest

from tests.rules.tree import ROOT
from tests.support.simulated import simulated
from tests.support.web_control import WebControl

pytestmark = [pytest.mark.system, pytest.mark.slow]

WEB = ROOT / "orchestrator" / "web"
RUN_S = 240.0


async def test_protocol_cases(tmp_path: Path) -> None:
    """Every case passes, none is left out, and the server never saw a rule broken."""
    async with simulated(tmp_path / "data") as world, WebControl.running(world) as control:
        process = await asyncio.create_subprocess_exec(
            "node", "node_modules/vitest/vitest.mjs", "run", "--project", "real", "--reporter", "verbose",
            cwd=WEB,
            env={**os.environ, "ORCHESTRATOR_WEB_CONTROL": control.url, "NO_COLOR": "1"},
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )  # fmt: skip
        try:
            text = (await asyncio.wait_for(process.communicate(), RUN_S))[0].decode()
        finally:
            if process.returncode is None:
                process.kill()
        assert process.returncode == 0 and "skipped" not in text, text[-6000:]
        assert await world.server.metric("orchestrator_socket_replacements_total") == 0
        assert await world.server.metric("orchestrator_socket_duplicate_users") == 0
