"""`orchestrator demo` as a person starts it: a whole server, no phone, no network, lively within seconds."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tests.support.server import ROOT
from tests.support.simulated import clean_environment, eventually

pytestmark = pytest.mark.system


class Demo:
    """A running demo and its operator."""

    def __init__(self, process: asyncio.subprocess.Process, data_dir: Path, http: aiohttp.ClientSession) -> None:
        self.process = process
        self.data_dir = data_dir
        self._http = http

    async def call(self, method: str, path: str, body: object = None) -> Any:
        """REST as the operator; asserts success."""
        token, url = (self.data_dir / "token").read_text().strip(), (self.data_dir / "run/url").read_text().strip()
        headers = {"Authorization": f"Bearer {token}"}
        async with self._http.request(method, f"{url}/api/v1{path}", json=body, headers=headers) as answer:
            assert answer.status < 300, (path, answer.status, await answer.text())
            return await answer.json() if answer.status != 204 else None

    async def bot(self, name: str) -> dict[str, Any]:
        """The record of one of the operator's bots."""
        bots = (await self.call("GET", "/bots"))["bots"]
        return next((bot for bot in bots if bot["name"] == name), {"status": None})

    async def until(self, name: str, *statuses: str, timeout_s: float = 40.0) -> dict[str, Any]:
        """Wait until a bot is in one of these statuses."""
        async with asyncio.timeout(timeout_s):
            while True:
                found = await self.bot(name)
                if found["status"] in statuses:
                    return found
                await asyncio.sleep(0.05)


@contextlib.asynccontextmanager
async def demo(cwd: Path, *options: str, data_dir: Path | None = None) -> AsyncIterator[Demo]:
    """Run a demo; end it as Ctrl-C does, which leaves with 0."""
    command = [sys.executable, "-m", "orchestrator", "demo", "--port", "0", *options]
    if data_dir is not None:
        command += ["--data-dir", str(data_dir)]
    environment = {**clean_environment(), "PYTHONPATH": str(ROOT), "TMPDIR": str(cwd), "NO_PROXY": "*"}
    process = await asyncio.create_subprocess_exec(
        *command, cwd=cwd, env=environment, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    try:
        assert process.stdout is not None
        said = b""
        async with asyncio.timeout(40):
            while b"Everything is in" not in said:
                said += (line := await process.stdout.readline())
                assert line, said.decode()
        directory = Path(said.decode().split("Everything is in ")[1].split("\n")[0])
        async with aiohttp.ClientSession() as http:
            yield Demo(process, directory, http)
        process.send_signal(signal.SIGINT)
        rest, _ = await asyncio.wait_for(process.communicate(), 12)
        assert process.returncode == 0, rest.decode()
        assert b"Traceback" not in rest, rest.decode()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def _comes(is_there: Callable[[], Awaitable[bool]]) -> None:
    """Ask until it is; TimeoutError when it does not come."""
    async with asyncio.timeout(40):
        while True:
            if await is_there():
                return
            await asyncio.sleep(0.1)


async def test_lively_within_seconds_and_gone_without_a_trace(tmp_path: Path) -> None:
    """Bots are connected and talk within seconds; a past is there; the page is told that it is simulated; a bot
    somebody makes is linked by playing its phone and is written to; at the end nothing is left."""
    began_s = time.monotonic()
    async with demo(tmp_path) as running:
        await running.until("Support Berlin", "connected", timeout_s=20)
        assert time.monotonic() - began_s < 30
        assert (await running.call("GET", "/version"))["simulated"] is True
        ribbons = {one["botId"]: one for one in (await running.call("GET", "/history"))["ribbons"]}
        berlin = await running.bot("Support Berlin")
        assert ribbons[berlin["id"]]["statuses"].count("connected") > 40

        async def is_shared() -> bool:
            workers = (await running.call("GET", "/fleet"))["workers"]
            return {"local", "harbour"} <= {bot["userId"] for worker in workers for bot in worker["bots"]}

        await _comes(is_shared)
        assert (await running.call("GET", "/fleet"))["bots"]["total"] >= 30
        assert len((await running.call("GET", "/incidents"))["incidents"]) >= 2
        history = await running.call("GET", "/fleet/history?hours=168")
        assert all(point["statuses"] for point in history["points"][1:])

        async def has_messages(name: str, count: int) -> bool:
            bot = await running.bot(name)
            return len((await running.call("GET", f"/bots/{bot['id']}/messages"))["messages"]) >= count

        # What was written before arrives with the first login.
        await _comes(lambda: has_messages("Support Berlin", 5))
        mine = await running.call("POST", "/bots", {"name": "Mine"})
        await running.until("Mine", "awaiting_scan")
        await running.call("POST", f"/bots/{mine['id']}/simulate", {"play": "scan"})
        await running.until("Mine", "connected")
        await _comes(lambda: has_messages("Mine", 1))
        directory = running.data_dir
        assert directory.parent == tmp_path
    assert not directory.exists()


async def test_bots_fail_and_come_back(tmp_path: Path) -> None:
    """Played fast: one links, is removed and links again; one is banned and comes back; a worker dies under another."""
    async with demo(tmp_path, "--speed", "8", data_dir=tmp_path / "kept") as running:
        await running.until("Returns", "awaiting_scan", "connected")
        await running.until("Returns", "connected")
        await running.until("Campaign spring", "banned")
        await running.until("Returns", "logged_out")
        await running.until("Returns", "connected")
        await running.until("Campaign spring", "connected")
        found = await running.call("GET", "/incidents")
        assert any(one["kind"] == "worker_lost" and "signal 9" in one["text"] for one in found["incidents"])
        await running.until("Warehouse", "connected")
    assert (tmp_path / "kept" / "orchestrator.db").exists()


async def test_a_wrong_scenario_is_a_usage_error(tmp_path: Path) -> None:
    """A file that cannot be played is one line and exit code 2; nothing is started."""
    (tmp_path / "mine.toml").write_text('title = "x"\nbots = [{ nme = "a" }]')
    command = [sys.executable, "-m", "orchestrator", "demo", "--scenario", str(tmp_path / "mine.toml")]
    process = await asyncio.create_subprocess_exec(
        *command, cwd=tmp_path, env={**clean_environment(), "PYTHONPATH": str(ROOT)}, stderr=asyncio.subprocess.PIPE
    )
    _, said = await process.communicate()
    assert process.returncode == 2 and said.decode().count("\n") == 1 and "nme" in said.decode()
    assert await eventually(lambda: not (tmp_path / "data").exists(), "nothing made")
