"""The wheel, installed where nothing of the source tree and no Node is: it serves the page and runs bots."""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import sys
import zipfile
from pathlib import Path

from tests.support.server import ROOT, Server

NOT_IN_A_WHEEL = ("node_modules", "web/src", "tests/", "__pycache__")


async def _run(*command: str, cwd: Path, environment: dict[str, str]) -> str:
    process = await asyncio.create_subprocess_exec(
        *command, cwd=cwd, env=environment, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    told, _ = await process.communicate()
    assert process.returncode == 0, told.decode()
    return told.decode()


async def _wheel(tmp_path: Path) -> Path:
    """Build it as anybody does who has built the page, from a copy: a build leaves things behind."""
    source = tmp_path / "source"
    source.mkdir()
    for name in ("pyproject.toml", "README.md"):
        shutil.copy(ROOT / name, source)
    for room in ("orchestrator", "sessions"):
        shutil.copytree(ROOT / room, source / room, ignore=shutil.ignore_patterns("node_modules", "__pycache__"))
    pip = (sys.executable, "-m", "pip", "--disable-pip-version-check", "wheel", "--quiet", "--no-deps")
    await _run(*pip, "--wheel-dir", str(tmp_path), str(source), cwd=tmp_path, environment=dict(os.environ))
    return next(tmp_path.glob("*.whl"))


async def test_a_machine_without_node_serves_the_page(tmp_path: Path) -> None:
    """What the wheel holds is enough: the document, its scripts and styles, worker processes and the command."""
    wheel = await _wheel(tmp_path)
    names = zipfile.ZipFile(wheel).namelist()
    assert "orchestrator/api/built/index.html" in names and "sessions/worker.py" in names
    assert [name for name in names if any(part in name for part in NOT_IN_A_WHEEL)] == []
    site, empty = tmp_path / "site", tmp_path / "empty"
    empty.mkdir()
    pip = (sys.executable, "-m", "pip", "--disable-pip-version-check", "install", "--quiet", "--no-deps")
    await _run(*pip, "--target", str(site), str(wheel), cwd=empty, environment=dict(os.environ))
    bare = {**os.environ, "PYTHONPATH": str(site), "PATH": str(empty)}
    found = await _run(
        sys.executable, "-c", "import orchestrator; print(orchestrator.__file__)", cwd=empty, environment=bare
    )
    assert found.startswith(str(site)), "what is tested is what was installed"
    async with Server.running(tmp_path / "data", bare, "--driver", "simulated", cwd=empty) as server:
        document = await server.get("/")
        parts = re.findall(r'(?:src|href)="(/assets/[^"]+)"', document)
        assert any(part.endswith(".js") for part in parts) and any(part.endswith(".css") for part in parts)
        for part in parts:
            assert await server.get(part) == (site / "orchestrator/api/built" / part[1:]).read_text("utf-8")
        bot = (await server.call("POST", "/bots", {"name": "Front desk"}))["id"]
        await server.bot_until(bot, lambda record: record["status"] == "awaiting_scan")
