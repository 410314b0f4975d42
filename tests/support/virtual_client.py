"""A client as the contract wants it, and a network that delays, loses and cuts, on virtual time around `LiveSockets`.

Owns the client's rules (drop what it has, one resync for a gap, acknowledge, refresh, come back) and the wire between.
It must never look into the gateway: it sees frames, refusals and ends. Read `virtual_time.py` for the loop.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import random
from collections.abc import Callable
from typing import Any

from orchestrator.auth.local import LocalTokens
from orchestrator.clock import Clock
from orchestrator.errors import Refused
from orchestrator.gateway.live import LiveSockets
from orchestrator.gateway.protocol import refusal
from orchestrator.model import EventName

Frame = dict[str, Any]
_names = itertools.count(1)


class Connection:
    """One connection: a `Line` and a `Wire` to the gateway, a pair of delayed, ordered pipes in between."""

    def __init__(self, clock: Clock, chance: random.Random, sockets: LiveSockets, client: Client) -> None:
        self.socket = f"s{next(_names)}"
        self.wire = self
        self.ended = False
        self.received_at = clock.monotonic()
        self._clock = clock
        self._chance = chance
        self._sockets = sockets
        self._client = client
        self._through = True
        """Whether bytes get through; a half-open connection stands and carries nothing."""
        self._stirred = asyncio.Event()
        self._down = self._up = 0.0
        self.outgoing_bytes = 0

    # --- the gateway's side ---

    async def send(self, name: EventName, frame: bytes) -> None:
        self.outgoing_bytes += len(frame)
        self._down = self._later(self._down, lambda: self._arrive(name, frame))

    async def ping(self) -> None:
        self._down = self._later(self._down, self._pinged)

    async def stirred(self, timeout_s: float) -> None:
        self._stirred.clear()
        try:
            async with asyncio.timeout(timeout_s):
                await self._stirred.wait()
        except TimeoutError:
            return

    async def room(self, size: int, max_bytes: int, timeout_s: float) -> bool:
        deadline = self._clock.monotonic() + timeout_s
        while self.outgoing_bytes and self.outgoing_bytes + size > max_bytes:
            if self.ended or self._clock.monotonic() >= deadline:
                return False
            await self.stirred(0.05)
        return not self.ended

    async def disconnect(self) -> None:
        self._down = self._later(self._down, self._client_learns)

    async def finish(self, flush_s: float) -> None:
        self._down = self._later(self._down, self._client_learns)
        await asyncio.sleep(min(flush_s, 0.2))
        self.ended = True

    async def abort(self) -> None:
        self.ended = True
        self._down = self._later(self._down, self._client_learns)

    # --- the client's side ---

    def emit(self, name: str, argument: object) -> None:
        """Send an event."""
        self._up = self._later(self._up, lambda: self._heard(name, argument))

    def cut(self) -> None:
        """The connection breaks and both sides learn of it, the server a little later."""
        self._through = False
        self._client.lost(self)
        asyncio.get_running_loop().call_later(self._chance.uniform(0, 2), self._server_learns)

    def freeze(self) -> None:
        """The connection breaks and only the client knows: a laptop that left the network."""
        self._through = False
        self._client.lost(self)

    # --- in between ---

    def _later(self, after: float, what: Callable[[], None]) -> float:
        """Do it after a delay, never before what was sent earlier; return when."""
        loop = asyncio.get_running_loop()
        at = max(after + 1e-6, loop.time() + self._chance.choice([0.001, 0.01, 0.05, 0.3]))
        loop.call_at(at, lambda: what() if self._through else None)
        return at

    def _arrive(self, name: str, frame: bytes) -> None:
        self.outgoing_bytes -= len(frame)
        self._stirred.set()
        self._client.arrived(self, name, json.loads(frame))

    def _pinged(self) -> None:
        self._up = self._later(self._up, self._touch)

    def _touch(self) -> None:
        self.received_at = self._clock.monotonic()
        self._stirred.set()

    def _heard(self, name: str, argument: object) -> None:
        self._touch()
        self._client.work(self._sockets.event(self.socket, name, argument))

    def _client_learns(self) -> None:
        self._through = False
        self._client.lost(self)

    def _server_learns(self) -> None:
        if not self.ended:
            self.ended = True
            self._stirred.set()
            self._sockets.gone(self.socket, "transport close")


class Client:
    """One page of one user: applies each event once and in order, whatever the network does."""

    def __init__(
        self, clock: Clock, tokens: LocalTokens, user: str, chance: random.Random, *, acks: bool, ttl_s: int = 150
    ) -> None:
        self.applied: list[Frame] = []
        """Durable frames, as the application got them."""
        self.connections = 0
        self.resyncs = 0
        self.refusals: list[str] = []
        self.closings: list[str] = []
        self.modes: list[str] = []
        self.missed = 0
        """Events it was told it will not get."""
        self._clock = clock
        self._tokens = tokens
        self._user = user
        self._chance = chance
        self._acks = acks
        self._ttl_s = ttl_s
        self._connection: Connection | None = None
        self._connection_id: str | None = None
        self._epoch: str | None = None
        self._last = 0
        self._dropping = False
        self._lost = asyncio.Event()
        self._tasks: set[asyncio.Task[Any]] = set()
        self.loses_frames = 0.0
        """How probable it is that the page loses a frame it was given."""

    @property
    def connection(self) -> Connection | None:
        """What it is connected through, as far as it knows."""
        return self._connection

    @property
    def last(self) -> int:
        """Position of the last event applied."""
        return self._last

    async def stay(self, server: Callable[[], LiveSockets]) -> None:
        """Connect, and come back whenever the connection is lost; until cancelled."""
        while True:
            self._lost.clear()
            wait_s = await self._connect(server())
            if wait_s is None:
                await self._lost.wait()
                wait_s = self._chance.uniform(0, 2)
            await asyncio.sleep(wait_s)

    async def _connect(self, sockets: LiveSockets) -> float | None:
        """Ask for the socket; None once it is there, else how long to wait before asking again."""
        self.connections += 1
        connection = Connection(self._clock, self._chance, sockets, self)
        auth: dict[str, object] = {"token": self._token(), "userId": self._user, "acks": self._acks}
        if self._epoch is not None:
            resume = {"epoch": self._epoch, "seq": self._last, "connectionId": self._connection_id}
            auth["resume"] = {name: value for name, value in resume.items() if value is not None}
        self._dropping = False
        self._connection = connection
        try:
            await sockets.connect(connection.socket, connection, auth)
        except Refused as refused:
            self._connection = None
            told = refusal(refused)
            self.refusals.append(refused.code)
            wait_ms = told.get("retryAfterMs", 1500)
            assert isinstance(wait_ms, int)
            return wait_ms / 1000 + self._chance.uniform(0, 1)
        sockets.confirmed(connection.socket)
        return None

    def forget_proof(self) -> None:
        """A reloaded page has its position and no connectionId."""
        self._connection_id = None

    def _token(self) -> str:
        return self._tokens.issue(self._user, self._ttl_s, operator=False)[0]

    # --- what arrives -------------------------------------------------------------------------------------------

    def work(self, coroutine: Any) -> None:
        """Run what the network delivered; a failure of it ends the test."""
        task = asyncio.get_running_loop().create_task(coroutine)
        self._tasks.add(task)
        task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if not task.cancelled():
            task.result()

    def lost(self, connection: Connection) -> None:
        """The connection is over, as far as this client can tell."""
        if self._connection is connection:
            self._connection = None
            self._lost.set()

    def arrived(self, connection: Connection, name: str, frame: Frame) -> None:
        """Take a frame of the present connection."""
        if connection is not self._connection:
            return
        if name == "connection_update":
            self._update(connection, frame["type"], frame["data"])
        elif "seq" in frame:
            self._durable(connection, frame)

    def _update(self, connection: Connection, type_: str, data: Frame) -> None:
        match type_:
            case "ready":
                self.modes.append(data["mode"])
                self._connection_id = data["connectionId"]
                if data["mode"] == "resumed":
                    assert (data["epoch"], data["from"]) == (self._epoch, self._last)
                self.missed += data.get("missed", 0)
                self._epoch, self._last = data["epoch"], data["from"]
            case "snapshot":
                self.missed += data.get("missed", 0)
                self._last, self._dropping = data["position"]["seq"], False
            case "replaying":
                assert data["from"] == self._last
                self._dropping = False
            case "token_expiring":
                connection.emit("refresh_token", {"token": self._token()})
            case "closing":
                self.closings.append(data["code"])

    def _durable(self, connection: Connection, frame: Frame) -> None:
        if self._dropping or frame["seq"] <= self._last:
            return
        if self._chance.random() < self.loses_frames:
            return
        if frame["prev"] != self._last:
            self._dropping = True
            self.resyncs += 1
            connection.emit("resync", {"epoch": self._epoch, "seq": self._last})
            return
        self._last = frame["seq"]
        self.applied.append(frame)
        if self._acks and self._last % 20 == 0:
            connection.emit("ack", {"epoch": self._epoch, "seq": self._last})
        elif self._acks:
            asyncio.get_running_loop().call_later(1.0, self._acknowledge, connection, self._last)

    def _acknowledge(self, connection: Connection, seq: int) -> None:
        if connection is self._connection and self._last == seq:
            connection.emit("ack", {"epoch": self._epoch, "seq": seq})
