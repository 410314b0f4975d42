"""A server, two tenants and an operator, and everything they do at once: over REST, sockets, streams and phones.

Owns the running of it: who is there, how many steps are taken, and when everybody is searched. It must never know what a
leak looks like. Read `witness.py`, `asking.py` and `receiving.py` for the parts.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import os
import random
import secrets
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import aiohttp

from orchestrator.auth import local
from sessions.simulated_control import PhoneClient, PhoneGone
from sessions.simulated_phone import PhoneError
from tests.support.openapi import Contract
from tests.support.server import Server
from tests.support.simulated import clean_environment
from tests.tenants.asking import Asking, Memory, Request
from tests.tenants.receiving import Receiving
from tests.tenants.witness import Person, Witness

BOTS = 2
"""Linked bots a tenant has at least."""
FLEET = ("/api/v1/fleet", "/api/v1/incidents")
"""What operators see of everybody."""
ASKERS = 8
"""Requests of a person under way at once."""


class TenantServer(Server):
    """A server in which nobody is slowed down, and on demand a leak is planted."""

    module = "tests.tenants.serve"


class World:
    """All of them. Steps are counted wherever something is done."""

    def __init__(self, server: Server, http: aiohttp.ClientSession, seed: int, contract: Contract) -> None:
        self.server = server
        self.chance = random.Random(seed)
        data = server.data_dir
        self.people = [
            self._person(data, "ada", b"4915110"),
            self._person(data, "bob", b"4915120"),
            self._person(data, "root", b"4915130", operator=True),
        ]
        self.witness = Witness(self.people)
        self.memories = {person.name: Memory() for person in self.people}
        self.steps = 0
        self.limit = 0
        self.statuses: Counter[int] = Counter()
        self.asked: Counter[str] = Counter()
        """Operations that succeeded."""
        self._http = http
        self._contract = contract
        self._receiving: dict[str, Receiving] = {}
        self._keys = {person.name: itertools.count(1) for person in self.people}

    @staticmethod
    def _person(data: Path, name: str, phones: bytes, *, operator: bool = False) -> Person:
        user = f"user_{name}{secrets.token_hex(8)}"
        return Person(name, user, local.issue(data, user, 3600, operator=operator), phones, operator)

    def others(self, person: Person) -> list[Person]:
        """Everybody else."""
        return [one for one in self.people if one is not person]

    # --- one thing at a time --------------------------------------------------------------------------------------

    async def ask(self, person: Person, request: Request) -> int:
        """Send a request; hand what is answered to the witness; return the status."""
        headers = {"Authorization": f"Bearer {person.token}", **request.headers}
        async with self._http.request(
            request.method, self.server.url + request.path, params=request.query, data=request.body, headers=headers,
            skip_auto_headers=("Content-Type",), allow_redirects=False,
        ) as answer:  # fmt: skip
            status, kind, body = answer.status, answer.content_type, await answer.read()
            told = json.dumps(dict(answer.headers)).encode() + body
        what = f"{request.method} {request.template}"
        self.statuses[status] += 1
        if status < 300:
            self.asked[what] += 1
        if request.template == "/metrics":
            self.witness.public("metrics", body, ids=False)
        elif person.operator and request.template.startswith(FLEET):
            self.witness.overview(person, what, told)
        elif not kind.startswith("image/png"):
            self.witness.received(person, what, told, request.about)
        self._judge(person, request, status, body)
        mine = request.about is None and not request.foreign and not request.template.startswith(FLEET)
        if status < 300 and kind == "application/json" and mine:
            self.memories[person.name].learn(json.loads(body))
        return status

    def _judge(self, person: Person, request: Request, status: int, body: bytes) -> None:
        what = f"{request.method} {request.template}"
        findings = self.witness.findings
        if request.foreign and status < 300:
            findings.append(f"{person.name} was let in where somebody else's are: {what} answered {status}")
        if status >= 500 and b'"storage_unavailable"' not in body and b'"whatsapp_unavailable"' not in body:
            findings.append(f"{what} answered {status}: {body[:200]!r}")
        if b'"idempotency_conflict"' in body:
            findings.append(f"{person.name} used each key once, and somebody used it before: {what}")

    # --- all at once ----------------------------------------------------------------------------------------------

    async def run(self, steps: int) -> None:
        """Let everybody do random things until so many steps are done or something is found."""
        self.limit = self.steps + steps
        async with asyncio.TaskGroup() as group:
            for person in self.people:
                for _ in range(ASKERS):
                    group.create_task(self._asks(person))
                receiving = Receiving(
                    self._http,
                    self.server.url,
                    person,
                    self.others(person),
                    self.memories,
                    self.witness,
                    self._seeded(),
                )
                self._receiving[person.name] = receiving
                group.create_task(self._again(receiving.hold_a_socket))
                group.create_task(self._again(receiving.hold_a_socket, pause_s=0.4))
                for _ in range(2):
                    group.create_task(self._again(receiving.hold_a_stream, pause_s=0.3))
                if not person.operator:
                    group.create_task(self._plays_phones(person))
                    group.create_task(self._looks_after_bots(person))

    @property
    def offered(self) -> set[str]:
        """Every operation there is."""
        paths = self._contract.document["paths"]
        return {f"{method.upper()} {path}" for path, methods in paths.items() for method in methods}

    @property
    def going(self) -> bool:
        """Whether there is more to do."""
        return self.steps < self.limit and not self.witness.findings

    @property
    def told(self) -> dict[str, tuple[int, int, int]]:
        """How often each person was admitted, and how many frames and stream events they got."""
        return {name: (one.admitted, one.frames, one.streamed) for name, one in self._receiving.items()}

    def _seeded(self) -> random.Random:
        return random.Random(self.chance.getrandbits(64))

    async def _asks(self, person: Person) -> None:
        asking = Asking(
            self._contract.document, person, self.others(person), self.memories, self.witness, self._seeded(),
            self._keys[person.name],
        )  # fmt: skip
        while self.going:
            await self.ask(person, asking.next())
            self.steps += 1

    async def _again(self, work: Callable[[], Awaitable[int]], pause_s: float = 0.0) -> None:
        while self.going:
            done = await work()
            self.steps += done
            await asyncio.sleep(pause_s)

    async def _plays_phones(self, person: Person) -> None:
        """Contacts write to the bots, and owners on their phones."""
        chance, memory = self._seeded(), self.memories[person.name]
        while self.going:
            bot = memory.one(chance, "linked", "")
            if bot:
                phone = self._phone(bot)
                with contextlib.suppress(PhoneError, PhoneGone, OSError):
                    if chance.random() < 0.85:
                        name, text = self.witness.word(person, "pushname"), self.witness.word(person, "text")
                        await phone.do("text", sender=self.witness.number(person), text=text, push_name=name)
                    else:
                        await phone.do("write", to=self.witness.number(person), text=self.witness.word(person, "text"))
                    self.steps += 1
            await asyncio.sleep(0.004)

    def _phone(self, bot: str) -> PhoneClient:
        return PhoneClient(self.server.data_dir / "run" / "phones", bot)

    async def _looks_after_bots(self, person: Person) -> None:
        """Keep some bots linked and running, whatever the others did to them."""
        memory = self.memories[person.name]
        while self.going:
            await asyncio.sleep(1.0)
            await self.tend(person, memory)

    async def begin(self, person: Person) -> None:
        """Give a person a bot, not linked."""
        made = await self._call(person, "POST", "/bots", {"name": self.witness.word(person, "name"), "start": False})
        self.memories[person.name].learn(made)

    async def tend(self, person: Person, memory: Memory) -> None:
        """Look at the bots once: link another when too few are, start those that were stopped."""
        linked: list[str] = []
        for bot in (await self._call(person, "GET", "/bots"))["bots"]:
            if bot["account"] is not None:
                linked.append(bot["id"])
                if bot["status"] != "connected":
                    await self._call(person, "POST", f"/bots/{bot['id']}/start", {})
        for bot_id in set(memory.told["linked"]) - set(linked):
            memory.forget("linked", bot_id)
        for bot_id in linked:
            memory.add("linked", bot_id)
        if len(linked) < BOTS:
            name = self.witness.word(person, "name")
            made = await self._call(person, "POST", "/bots", {"name": name, "deviceName": name})
            with contextlib.suppress(TimeoutError, PhoneError, PhoneGone):
                await self._phone(made["id"]).scan(5.0)

    async def _call(self, person: Person, method: str, path: str, body: object = None) -> Any:
        headers = {"Authorization": f"Bearer {person.token}"}
        async with self._http.request(method, f"{self.server.url}/api/v1{path}", json=body, headers=headers) as answer:
            text = await answer.read()
            self.witness.received(person, f"{method} {path}", text)
            return json.loads(text)

    async def finish(self) -> None:
        """Search what belongs to nobody."""
        self.witness.public("metrics", (await self.server.get("/metrics")).encode(), ids=False)
        self.witness.public("the log", self.server.log.encode(), ids=True)


@contextlib.asynccontextmanager
async def world(directory: Path, seed: int, planted: str = "") -> AsyncIterator[World]:
    """A running server with two tenants and an operator."""
    environment = {**clean_environment(), "PLANTED": planted}
    options = (
        "--driver", "simulated", "--max-bots-per-user", "60", "--max-link-attempts-per-hour", "10000",
        "--proxy-allow", "127.0.0.1", "--retain-events", "150",
    )  # fmt: skip
    async with (
        TenantServer.running(directory / "data", environment, *options) as server,
        aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar(), connector=aiohttp.TCPConnector(limit=0)) as http,
    ):
        async with http.get(f"{server.url}/openapi.json") as answer:
            contract = Contract(await answer.json())
        yield World(server, http, seed, contract)


def the_seed() -> int:
    """The seed of this run: `TENANTS_SEED`, or a fresh one."""
    given = os.environ.get("TENANTS_SEED")
    return int(given) if given else time.time_ns() % 10**9
