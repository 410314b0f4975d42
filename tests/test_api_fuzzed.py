"""The whole REST surface under generated requests, after its own OpenAPI document: no 500, no undocumented answer."""

from __future__ import annotations

import asyncio
import os
import re
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support.simulated import clean_environment, simulated
from tests.tenants.world import TenantServer

CHECKS = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_schema_conformance",
    "response_headers_conformance",
)


MANY = int(os.environ.get("SCHEMATHESIS_TIMES", "1"))
"""How many times the examples of the gate: a soak takes ten."""


@dataclass(frozen=True, slots=True)
class Fuzzed:
    """What was tried."""

    operations: int
    passed: int


async def _fuzzed(directory: Path, url: str, token: str, *options: str) -> Fuzzed:
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
        out, _ = await asyncio.wait_for(process.communicate(), 240 * MANY)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    said = out.decode()
    counted = re.search(r"(\d+) generated, (\d+) passed", said)
    tried = re.search(r"(\d+) selected / \d+ total", said)
    assert process.returncode == 0 and counted is not None and tried is not None, said[-6000:]
    return Fuzzed(int(tried[1]), int(counted[2]))


@pytest.mark.slow
async def test_no_500_and_nothing_undocumented(tmp_path: Path) -> None:
    """Every operation takes whatever is sent, with unknown bots and with bots that are there, as user and operator.

    Nobody is slowed down here: a refusal for asking too often would hide every other answer.
    """
    limits = ("--max-bots-per-user", "1000", "--max-link-attempts-per-hour", "10000")
    async with simulated(tmp_path / "data", *limits, kind=TenantServer) as world:
        operations = sum(map(len, (await world.by("ada")("GET", "//openapi.json")).ok(200)["paths"].values()))
        url, first = world.server.url, ("--phases", "coverage,fuzzing", "--max-examples", str(4 * MANY))
        found = await _fuzzed(tmp_path, url, world.token("root", operator=True), *first)
        assert found.operations == operations and found.passed > 15 * operations
        bot = await world.linked(world.by("bob"))
        (tmp_path / "schemathesis.toml").write_text(f'[parameters]\n"path.bot" = "{bot}"\n')
        there = ("--phases", "fuzzing", "--max-examples", str(8 * MANY), "--exclude-method", "DELETE")
        found = await _fuzzed(tmp_path, url, world.token("bob"), *there, "--include-path-regex", "{bot}")
        assert found.operations > 8 and found.passed > 5 * found.operations
        assert (await world.by("bob")("GET", f"/bots/{bot}")).ok(200)["id"] == bot
        assert "Task failed" not in world.server.log
