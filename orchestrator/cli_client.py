"""How the command line reaches a running server: where it is, with which token, and how refusals are told.

Owns the REST client of the commands and their output. It must never touch the user's socket: a command beside an open
page must not cost the page its connection.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, NoReturn, TypeVar

import aiohttp
import typer

T = TypeVar("T")

UrlOption = Annotated[
    str | None, typer.Option(envvar="ORCHESTRATOR_URL", help="Address of the server.", show_default=False)
]
TokenOption = Annotated[
    str | None, typer.Option(envvar="ORCHESTRATOR_TOKEN", help="Token; else the token file.", show_default=False)
]
DataDirOption = Annotated[
    Path | None, typer.Option(envvar="ORCHESTRATOR_DATA_DIR", help="Data directory [./data].", show_default=False)
]
UserOption = Annotated[str | None, typer.Option(help="Act for this user (operators).", show_default=False)]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON.")]

DEFAULT_URL = "http://127.0.0.1:8000"
URL_FILE = Path("run") / "url"
TOKEN_FILE = Path("token")
REQUEST_TIMEOUT_S = 40.0
SILENCE_S = 45.0
"""A stream shows a sign of life every 15 s; after this it is taken for dead."""
STREAM_LINE_BYTES = 128 * 1024
"""Longer than the longest line of a stream: a frame of at most 64 KiB."""


def fail(line: str, *, usage: bool = False) -> NoReturn:
    """Print one line to stderr and end with 1, or 2 for a wrong command line."""
    print(line, file=sys.stderr)
    raise typer.Exit(2 if usage else 1)


@dataclass(frozen=True, slots=True)
class Problem(Exception):
    """The server's refusal (problem+json)."""

    status: int
    code: str
    detail: str


@dataclass(frozen=True, slots=True)
class Target:
    """A running server and who asks."""

    url: str
    token: str
    user: str | None


def target(url: str | None, token: str | None, data_dir: Path | None, user: str | None) -> Target:
    """Find server and token: options, environment, then what `serve` left in the data directory."""
    directory = data_dir or Path("data")
    if url is None:
        url = _read(directory / URL_FILE) or DEFAULT_URL
    if token is None:
        token = _read(directory / TOKEN_FILE)
    if token is None:
        fail(
            f"No token: pass --token, set ORCHESTRATOR_TOKEN, or run this where the server's data directory is "
            f"(looked for {directory / TOKEN_FILE}; --data-dir names another)."
        )
    return Target(url.rstrip("/"), token, user)


def _read(path: Path) -> str | None:
    try:
        return path.read_text().strip() or None
    except OSError:
        return None


class Client:
    """REST calls of one command."""

    def __init__(self, at: Target, session: aiohttp.ClientSession) -> None:
        self._at = at
        self._session = session

    @property
    def url(self) -> str:
        return self._at.url

    @property
    def user(self) -> str | None:
        return self._at.user

    async def stream(self, path: str, last: str | None) -> AsyncIterator[tuple[str, str | None, dict[str, Any] | None]]:
        """Yield (event name, position, frame) of server-sent events after a position, until the stream ends; the first
        has no frame: it tells where the stream begins. Events without a position come with None.

        Raises:
            Problem: the server refused.
        """
        headers = {"Authorization": f"Bearer {self._at.token}", "Accept": "text/event-stream"}
        if last is not None:
            headers["Last-Event-ID"] = last
        params = {} if self._at.user is None else {"userId": self._at.user}
        address = f"{self._at.url}/api/v1{path}"
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=REQUEST_TIMEOUT_S, sock_read=SILENCE_S)
        async with self._session.get(
            address, params=params, headers=headers, timeout=timeout, read_bufsize=STREAM_LINE_BYTES
        ) as answer:
            if answer.status >= 400:
                raise _problem(answer.status, _decode(await answer.read()))
            found: dict[str, str] = {}
            async for raw in answer.content:
                field, _, value = raw.decode().rstrip("\n").partition(":")
                if field:
                    found[field] = value.removeprefix(" ")
                elif not value:
                    frame = _decode(found["data"].encode()) if "data" in found else None
                    if "id" in found or frame is not None:
                        yield found.get("event", ""), found.get("id"), frame
                    found = {}

    async def call(self, method: str, path: str, body: object = None, **query: object) -> Any:
        """Return the decoded answer; None for an empty one.

        Raises:
            Problem: the server refused.
        """
        return await self._ask(method, path, query, json=body)

    async def upload(self, path: str, file: Path, **query: object) -> Any:
        """Send a file's bytes, piece by piece; return the decoded answer.

        Raises:
            Problem: the server refused.
            OSError: the file can't be read.
        """
        with file.open("rb") as opened:
            timeout = aiohttp.ClientTimeout(total=None, sock_connect=REQUEST_TIMEOUT_S, sock_read=SILENCE_S)
            return await self._ask("POST", path, query, data=opened, timeout=timeout)

    async def _ask(self, method: str, path: str, query: dict[str, object], **more: Any) -> Any:
        params = {key: str(value) for key, value in query.items() if value is not None}
        if self._at.user is not None:
            params["userId"] = self._at.user
        headers = {"Authorization": f"Bearer {self._at.token}", "Accept": "application/json"}
        async with self._session.request(
            method, f"{self._at.url}/api/v1{path}", params=params, headers=headers, **more
        ) as answer:
            data = await answer.read()
            decoded = _decode(data)
            if answer.status >= 400:
                raise _problem(answer.status, decoded)
            return decoded


def _decode(data: bytes) -> Any:
    try:
        return json.loads(data) if data else None
    except ValueError:
        return None


def _problem(status: int, decoded: Any) -> Problem:
    if not isinstance(decoded, dict) or "code" not in decoded:
        return Problem(status, "internal", f"the server answered {status} without saying why")
    return Problem(status, str(decoded["code"]), str(decoded.get("detail") or decoded.get("title") or decoded["code"]))


def run(at: Target, work: Callable[[Client], Awaitable[T]], *, interrupted: int = 1) -> T:
    """Run one command's calls; refusals and an absent server become one line and exit code 1, Ctrl-C `interrupted`."""

    async def inner() -> T:
        timeout = aiohttp.ClientTimeout(total=REQUEST_TIMEOUT_S)
        async with aiohttp.ClientSession(timeout=timeout) as session:
            return await work(Client(at, session))

    try:
        return asyncio.run(inner())
    except Problem as problem:
        fail(f"{problem.detail} ({problem.code})")
    except (aiohttp.ClientConnectionError, TimeoutError):
        fail(f"No server answers at {at.url}. Start one with `scripts/start`, or name it with --url.")
    except aiohttp.InvalidURL:
        fail(f"--url: {at.url} is no address; it has the form http://host:port", usage=True)
    except KeyboardInterrupt:
        raise typer.Exit(interrupted) from None


def print_json(value: object) -> None:
    """Print one JSON value on a line of its own."""
    print(json.dumps(value, ensure_ascii=False))


def columns(rows: list[tuple[str, ...]]) -> None:
    """Print rows as aligned columns."""
    if not rows:
        return
    widths = [max(len(row[index]) for row in rows) for index in range(len(rows[0]))]
    for row in rows:
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


def terminal() -> bool:
    """Whether a person is looking."""
    return sys.stdout.isatty() and os.environ.get("TERM") != "dumb"
