"""The whole REST surface under generated requests, after its own OpenAPI document: no 500, no undocumented answer."""

from __future__ import annotations

import asyncio
import os
import re
import sys
from pathlib import Path

import pytest

from tests.support.simulated import clean_environment, simulated

CHECKS = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_schema_conformance",
    "response_headers_conformance",
)


async def _fuzzed(directory: Path, url: str, token: str, *options: str) -> int:
    process = await asyncio.create_subprocess_exec(
        *(str(Path(sys.executable).with_name("st")), "run", f"{url}/openapi.json", "--checks", ",".join(CHECKS)),
        *("-H", f"Authorization: Bearer {token}", "--no-color", "--seed", "1", "--warnings", "off", "--no-shrink"),
        *("--generation-database", "none", "--request-timeout", "20", "--suppress-health-check", "all", *options),
        cwd=directory,
        env={**clean_environment(), "COLUMNS": "160", "PATH": os.environ["PATH"]},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    try:
        out, _ = await asyncio.wait_for(process.communicate(), 55)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    said = out.decode()
    counted = re.search(r"(\d+) generated, (\d+) passed", said)
    assert process.returncode == 0 and counted is not None, said[-6000:]
    return int(counted[2])


@pytest.mark.slow
async def test_no_500_and_nothing_undocumented(tmp_path: Path) -> None:
    """Every operation takes whatever is sent, with unknown bots and with a bot that is there."""
    async with simulated(tmp_path / "data") as world:
        passed = await _fuzzed(
            tmp_path, world.server.url, world.token("ada"), "--max-examples", "20", "--phases", "coverage,fuzzing",
            "--max-time", "22",
        )  # fmt: skip
        assert passed > 150
        bot = (await world.by("bob")("POST", "/bots", {"name": "b", "start": False})).ok(201)["id"]
        (tmp_path / "schemathesis.toml").write_text(f'[parameters]\n"path.bot" = "{bot}"\n')
        passed = await _fuzzed(
            tmp_path, world.server.url, world.token("bob"), "--max-examples", "15", "--phases", "fuzzing",
            "--exclude-method", "DELETE", "--include-path-regex", "bot", "--max-time", "15",
        )  # fmt: skip
        assert passed > 150
        assert (await world.by("bob")("GET", f"/bots/{bot}")).ok(200)["id"] == bot
