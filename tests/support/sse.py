"""A reader of `text/event-stream` for tests, after the parsing rules of WHATWG HTML 9.2.6 as browsers follow them.

Owns parsing; it must never know which events a test expects. Used by `test_api_streams.py`.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import aiohttp

from tests.support.rest import Rest

WAIT_S = 30.0


@dataclass(frozen=True, slots=True)
class Told:
    """One dispatched event."""

    id: str
    """The last event id at that moment, as a browser would send it back."""
    name: str
    frame: dict[str, Any]


class Stream:
    """One open stream."""

    def __init__(self, answer: aiohttp.ClientResponse) -> None:
        self.answer = answer
        self.last_id = ""
        self.retry_ms: int | None = None
        self.comments = 0

    async def next(self) -> Told | None:
        """The next event; None when the stream has ended. Counts comments on the way."""
        async with asyncio.timeout(WAIT_S):
            return await self._next()

    async def take(self, count: int) -> list[Told]:
        """That many events."""
        found = [await self.next() for _ in range(count)]
        assert None not in found, "the stream ended early"
        return [one for one in found if one is not None]

    async def comment(self) -> None:
        """Wait for a comment; an event before it is a failure."""
        async with asyncio.timeout(WAIT_S):
            while True:
                line = (await self.answer.content.readline()).decode()
                assert line and not line.startswith("data"), line
                if line.startswith(":"):
                    return

    async def _next(self) -> Told | None:
        name, data = "message", ""
        while raw := await self.answer.content.readline():
            line = raw.decode().rstrip("\n")
            field, _, value = line.partition(":")
            value = value.removeprefix(" ")
            match field:
                case "" if line:
                    self.comments += 1
                case "":
                    if data:
                        return Told(self.last_id, name, json.loads(data))
                    name = "message"
                case "id":
                    self.last_id = value
                case "event":
                    name = value
                case "data":
                    assert not data, "a frame is one line"
                    data = value
                case "retry":
                    self.retry_ms = int(value)
                case _:
                    raise AssertionError(f"unknown field {field!r}")
        return None


@contextlib.asynccontextmanager
async def streaming(rest: Rest, last: str | None = None, **query: str) -> AsyncIterator[Stream]:
    """Open a stream of the user's events; leaves when the block ends."""
    headers = {"Accept": "text/event-stream", "Authorization": f"Bearer {rest.token}"}
    if last is not None:
        headers["Last-Event-ID"] = last
    timeout = aiohttp.ClientTimeout(total=None, sock_read=WAIT_S)
    async with rest.http.get(f"{rest.url}/api/v1/events", params=query, headers=headers, timeout=timeout) as answer:
        assert (answer.status, answer.content_type) == (200, "text/event-stream"), await answer.text()
        yield Stream(answer)
