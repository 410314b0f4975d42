"""`orchestrator serve` as a real process: start it, ask it over REST, stop it or kill it, start it again.

Owns the process and a small REST client; every wait has a deadline. It must never reach into the server's memory.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any, Self

import aiohttp

START_S = 20.0
STOP_S = 12.0
ROOT = Path(__file__).resolve().parents[2]

Json = dict[str, Any]


class Server:
    """One data directory and the server process that runs on it; the port stays the same over restarts."""

    module = "orchestrator"
    """What is run: `python -m MODULE serve …`."""

    def __init__(
        self, data_dir: Path, environment: Mapping[str, str], options: tuple[str, ...], cwd: Path = ROOT
    ) -> None:
        self.data_dir = data_dir
        self._cwd = cwd
        # Tests send as fast as they can, unless they ask for a pace.
        self._environment = {"ORCHESTRATOR_SEND_RATE": "0", **environment}
        self._options = options
        self._port = 0
        self._process: asyncio.subprocess.Process | None = None
        self._session: aiohttp.ClientSession | None = None
        self.log_path = data_dir.parent / f"{data_dir.name}.log"

    @classmethod
    @contextlib.asynccontextmanager
    async def running(
        cls, data_dir: Path, environment: Mapping[str, str] | None = None, *options: str, cwd: Path = ROOT
    ) -> AsyncIterator[Self]:
        """Start a server; end whatever of it still runs at the end."""
        server = cls(data_dir, environment or os.environ, options, cwd)
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=90)) as session:
            server._session = session
            try:
                await server.start()
                yield server
            finally:
                await server.stop()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    @property
    def token(self) -> str:
        """The operator's token, as the command line finds it."""
        return (self.data_dir / "token").read_text().strip()

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    @property
    def log(self) -> str:
        """Everything the server has logged, over all of its runs."""
        return self.log_path.read_text() if self.log_path.exists() else ""

    async def start(self) -> None:
        """Start the process and wait until it is ready."""
        url_file = self.data_dir / "run" / "url"
        url_file.unlink(missing_ok=True)
        command = [sys.executable, "-m", self.module, "serve", "--data-dir", str(self.data_dir)]
        command += ["--port", str(self._port), "--log-format", "json", "--log-level", "debug", *self._options]
        with self.log_path.open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                *command, cwd=self._cwd, env=self._environment, stdout=log, stderr=log, start_new_session=True
            )
        async with asyncio.timeout(START_S):
            while not await self._is_ready(url_file):
                assert self._process.returncode is None, (
                    f"the server ended with {self._process.returncode}:\n{self.log}"
                )
                await asyncio.sleep(0.02)

    async def _is_ready(self, url_file: Path) -> bool:
        if not url_file.exists():
            return False
        self._port = int(url_file.read_text().strip().rpartition(":")[2])
        assert self._session is not None
        try:
            async with self._session.get(f"{self.url}/readyz") as answer:
                return answer.status == 200
        except aiohttp.ClientConnectionError:
            return False

    async def stop(self) -> int:
        """End it as an operator does (SIGTERM); return its exit code."""
        return await self._end(signal.SIGTERM)

    async def kill(self) -> None:
        """SIGKILL, the supervisor alone."""
        await self._end(signal.SIGKILL)

    async def _end(self, number: signal.Signals) -> int:
        process, self._process = self._process, None
        if process is None:
            return 0
        with contextlib.suppress(ProcessLookupError):
            process.send_signal(number)
        try:
            return await asyncio.wait_for(process.wait(), STOP_S)
        except TimeoutError:
            process.kill()
            await process.wait()
            raise

    async def call(
        self, method: str, path: str, body: object = None, *, status: int | None = None, **query: object
    ) -> Any:
        """Return the decoded answer; assert its status (any success when none is named). Who only reads and asks too
        often waits as long as the server says, as any client should."""
        assert self._session is not None
        headers = {"Authorization": f"Bearer {self.token}"}
        params = {key: str(value) for key, value in query.items()}
        while True:
            async with self._session.request(
                method, f"{self.url}/api/v1{path}", json=body, headers=headers, params=params
            ) as answer:
                text = await answer.text()
                found = await answer.json(content_type=None) if text else None
            if method == "GET" and answer.status == 429 and status is None and found is not None:
                await asyncio.sleep(found["retryAfterMs"] / 1000)
                continue
            fine = answer.status == status if status is not None else answer.status < 400
            assert fine, f"{method} {path}: {answer.status} {text}"
            return found

    async def get(self, address: str) -> str:
        """Return the text of an address outside /api/v1."""
        assert self._session is not None
        async with self._session.get(f"{self.url}{address}") as answer:
            return await answer.text()

    async def bot_until(self, bot: str, true: Callable[[Json], object], timeout_s: float = 20.0) -> Json:
        """Poll the bot's record until a condition holds; return it."""
        return await self.poll(lambda: self.call("GET", f"/bots/{bot}"), true, timeout_s)

    async def poll(
        self, read: Callable[[], Awaitable[Json]], true: Callable[[Json], object], timeout_s: float = 20.0
    ) -> Json:
        """Read again and again until a condition holds; return what was read then."""
        seen: Json = {}
        try:
            async with asyncio.timeout(timeout_s):
                while True:
                    seen = await read()
                    if true(seen):
                        return seen
                    await asyncio.sleep(0.05)
        except TimeoutError:
            raise AssertionError(f"still {seen}\n{self.log[-4000:]}") from None

    async def metric(self, name: str) -> float:
        """Return the sum of a metric's samples; 0.0 when there are none."""
        lines = [line for line in (await self.get("/metrics")).splitlines() if not line.startswith("#")]
        return sum(float(line.rpartition(" ")[2]) for line in lines if line.split("{")[0].split(" ")[0] == name)
