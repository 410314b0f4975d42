"""Sends queued at a steady rate through deaths, each under an Idempotency-Key, and the account of what became of them.

Owns submitting as a careful client does: a request without an answer is repeated under the same key until there is
one. It must never know who is killed. What was really sent is read from the phones of those who received it.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter
from dataclasses import dataclass

import aiohttp

from tests.crash.streams import Journal
from tests.loopback.phone import Contact
from tests.support.rest import Rest
from tests.support.server import Json, Server
from tests.support.waiting import until

_AGAIN_S = 0.05
_ENDED = {"sent", "delivered", "read", "failed", "unknown"}


@dataclass(slots=True)
class Letter:
    """One send as its author knows it."""

    key: str
    text: str
    to: Contact
    job: str = ""
    tries: int = 0


class Letters:
    """`async with` submits until the block is left, then waits until every request was answered."""

    def __init__(self, server: Server, http: aiohttp.ClientSession, bot: str, to: list[Contact], per_second: float):
        self._server = server
        self._http = http
        self._bot = bot
        self._to = to
        self._per_second = per_second
        self._stopped = asyncio.Event()
        self._writer: asyncio.Task[None] | None = None
        self._under_way: set[asyncio.Task[None]] = set()
        self.all: list[Letter] = []

    async def __aenter__(self) -> Letters:
        self._writer = asyncio.get_running_loop().create_task(self._write())
        return self

    async def __aexit__(self, *_: object) -> None:
        self._stopped.set()
        assert self._writer is not None
        await self._writer
        await asyncio.wait_for(asyncio.gather(*self._under_way), 30)

    async def _write(self) -> None:
        loop = asyncio.get_running_loop()
        began = loop.time()
        while not self._stopped.is_set():
            due_s = began + len(self.all) / self._per_second - loop.time()
            if due_s > 0:
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._stopped.wait(), due_s)
                continue
            number = len(self.all)
            letter = Letter(f"key-{number}", f"letter {number}", self._to[number % len(self._to)])
            self.all.append(letter)
            self._under_way.add(loop.create_task(self._submit(letter)))

    async def _submit(self, letter: Letter) -> None:
        while not letter.job:
            letter.tries += 1
            with contextlib.suppress(aiohttp.ClientError, OSError):
                answer = await self.post(letter)
                if answer["status"] == 202:
                    letter.job = answer["body"]["id"]
                    return
            await asyncio.sleep(_AGAIN_S)

    async def post(self, letter: Letter, text: str | None = None) -> Json:
        """One request for a send, under its key."""
        rest = Rest(self._http, self._server.url, self._server.token)
        body = {"to": f"+{letter.to.number}", "text": text or letter.text}
        headers = {"Idempotency-Key": letter.key}
        answer = await rest("POST", f"/bots/{self._bot}/messages", body, headers=headers)
        return {"status": answer.status, "body": answer.json()}

    async def more(self, count: int) -> None:
        """Return when so many further sends were answered."""
        goal = sum(bool(letter.job) for letter in self.all) + count
        await until(lambda: sum(bool(letter.job) for letter in self.all) >= goal, 30, f"{count} more answers")

    async def ended(self, timeout_s: float = 60.0) -> dict[str, Json]:
        """Wait until every send has come to its end; return the jobs by id, as the journal tells them."""
        jobs: dict[str, Json] = {}

        log = Journal(self._server)

        async def read() -> Json:
            for event in await log.read():
                if event["type"] == "send_result":
                    jobs[event["data"]["id"]] = event["data"]
            return dict(Counter(jobs[letter.job]["state"] for letter in self.all))

        await self._server.poll(read, lambda seen: set(seen) <= _ENDED, timeout_s)
        return jobs

    def received(self) -> Counter[str]:
        """How often each text was read on a phone."""
        return Counter(str(text.text) for contact in set(self._to) for text in contact.received)
