"""`orchestrator events --follow` as people and scripts use it: a real process on a real server that restarts under it."""

from __future__ import annotations

import asyncio
import contextlib
import json
import signal
import socket
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.simulated import simulated
from tests.test_cli import WAIT_S, Shell


class Follower:
    """A running `events --follow`."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    async def line(self) -> str:
        """The next line it prints."""
        assert self._process.stdout is not None
        return (await asyncio.wait_for(self._process.stdout.readline(), WAIT_S)).decode().rstrip("\n")

    async def frame(self) -> dict[str, Any]:
        """The next line as JSON."""
        return dict(json.loads(await self.line()))

    async def ended(self, by: signal.Signals | None = signal.SIGINT) -> tuple[int, str]:
        """End it as Ctrl-C does; its exit code and what it complained of."""
        if by is not None:
            self._process.send_signal(by)
        _, err = await asyncio.wait_for(self._process.communicate(), WAIT_S)
        assert self._process.returncode is not None
        return self._process.returncode, err.decode()

    def stop(self) -> None:
        """Leave nothing behind."""
        with contextlib.suppress(ProcessLookupError):
            self._process.kill()


@contextlib.asynccontextmanager
async def following(shell: Shell, *options: str) -> AsyncIterator[Follower]:
    """Run `events --follow`."""
    follower = Follower(await shell.begin("events", "--follow", *options))
    try:
        yield follower
    finally:
        follower.stop()


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


async def test_follow(tmp_path: Path) -> None:
    """It prints what is kept, then what happens as it happens, of one bot when asked, and Ctrl-C is a good end."""
    async with simulated(tmp_path / "data") as world:
        ada = world.by("ada")
        shell = Shell(tmp_path, ORCHESTRATOR_TOKEN=world.token("ada"))
        first = (await ada("POST", "/bots", {"name": "one", "start": False})).ok(201)["id"]
        second = (await ada("POST", "/bots", {"name": "two", "start": False})).ok(201)["id"]
        async with following(shell, "--json") as everything, following(shell, "--bot", "two") as one:
            kept = [await everything.frame() for _ in range(2)]
            assert [(frame["event"], frame["type"], frame["botId"]) for frame in kept] == [
                ("bot_status_update", "created", first),
                ("bot_status_update", "created", second),
            ]
            assert f"{second}  bot_status_update/created" in await one.line()
            for bot in (first, second):
                (await ada("PATCH", f"/bots/{bot}", {"name": f"new {bot}"})).ok(200)
            live = [await everything.frame() for _ in range(2)]
            assert [(frame["type"], frame["botId"], frame["seq"]) for frame in live] == [
                ("updated", first, 3),
                ("updated", second, 4),
            ]
            assert f"{second}  bot_status_update/updated" in await one.line()
            assert await everything.ended() == (0, "")
            assert await one.ended() == (0, "")
        after = f"{kept[0]['epoch']}:3"
        async with following(shell, "--json", "--after", after) as rest:
            assert (await rest.frame())["seq"] == 4


async def test_follow_survives_a_restart(tmp_path: Path) -> None:
    """The server goes away and comes back: nothing is printed twice, nothing is missed."""
    port = str(_free_port())
    async with simulated(tmp_path / "data", "--port", port) as world:
        shell = Shell(tmp_path, ORCHESTRATOR_TOKEN=world.token("ada"))
        made = (await world.by("ada")("POST", "/bots", {"name": "one", "start": False})).ok(201)
        follower = Follower(await shell.begin("events", "--follow", "--json"))
        assert (await follower.frame())["seq"] == 1
    try:
        async with simulated(tmp_path / "data", "--port", port) as world:
            ada = world.by("ada")
            for name in ("a", "b"):
                (await ada("PATCH", f"/bots/{made['id']}", {"name": name})).ok(200)
            told = [await follower.frame() for _ in range(2)]
            assert [(frame["seq"], frame["data"]["name"]) for frame in told] == [(2, "a"), (3, "b")]
            assert await follower.ended() == (0, "")
    finally:
        follower.stop()


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--after", "elsewhere:1"), "position_expired"),
        (("--after", "x"), "invalid_field"),
        (("--token", "x"), "unauth"),
    ],
)
async def test_follow_ends_when_trying_again_cannot_help(tmp_path: Path, options: tuple[str, ...], said: str) -> None:
    """A refusal that stays is one line and exit code 1."""
    async with simulated(tmp_path / "data"), following(Shell(tmp_path), *options) as follower:
        code, err = await follower.ended(by=None)
    assert code == 1 and said in err and err.count("\n") == 1


async def test_follow_without_a_server(tmp_path: Path) -> None:
    """An address nobody answers at is told, not waited for."""
    shell = Shell(tmp_path, ORCHESTRATOR_TOKEN="x", ORCHESTRATOR_URL=f"http://127.0.0.1:{_free_port()}")
    async with following(shell) as follower:
        code, err = await follower.ended(by=None)
    assert code == 1 and "No server answers" in err
