"""Everybody comes back in the same moment: all are served, each resumed where it was, nobody probed or refused."""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from pathlib import Path
from typing import Any

import pytest

from orchestrator.bus.bus import Entry
from scripts.bench.storm import figures
from tests.support.gateway import GatewayServer, make_event
from tests.support.raw_socket import RawSocket
from tests.support.waiting import until
from tests.test_gateway_memory import a_bus

CLIENTS = 150
MISSED = 20


class Returning:
    """A client that remembers its position over connections."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.resume: dict[str, Any] | None = None
        self.frames: list[dict[str, Any]] = []
        self.mode = ""
        self.took_s = 0.0

    async def come(self, server: GatewayServer, missed: int, stack: contextlib.AsyncExitStack) -> None:
        """Connect and stay until everything that was missed is there."""
        began = time.perf_counter()
        raw = await stack.enter_async_context(RawSocket.open(server.port))
        auth: dict[str, Any] = {"token": server.token(self.name), "acks": True}
        answer = await raw.connect(**auth, **({"resume": self.resume} if self.resume else {}))
        assert answer.startswith("0"), answer
        ready = (await raw.frame("ready"))["data"]
        self.mode = ready["mode"]
        self.resume = {"epoch": ready["epoch"], "seq": ready["from"], "connectionId": ready["connectionId"]}
        for _ in range(missed):
            frame = await raw.frame("message")
            assert frame["prev"] == self.resume["seq"]
            self.resume["seq"] = frame["seq"]
            self.frames.append(frame)
        self.took_s = time.perf_counter() - began


@pytest.mark.parametrize("noticed", [True, False], ids=["gone", "half-open"])
async def test_all_are_served(tmp_path: Path, noticed: bool, capsys: pytest.CaptureFixture[str]) -> None:
    """Also when the server has not noticed that the former connections are gone: the connectionId is proof enough."""
    clients = [Returning(f"user{number}") for number in range(CLIENTS)]
    async with (
        a_bus(tmp_path) as bus,
        GatewayServer.running(bus=bus) as server,
        contextlib.AsyncExitStack() as former,
        contextlib.AsyncExitStack() as present,
    ):
        await asyncio.gather(*(client.come(server, 0, former) for client in clients))
        assert server.metrics.count == CLIENTS
        if noticed:
            await former.aclose()
            await until(lambda: server.metrics.count == 0)
        for client in clients:
            events = [make_event("message", {"n": number}, user=client.name) for number in range(MISSED)]
            await bus.commit([Entry(client.name, event) for event in events])
        began = time.perf_counter()
        await asyncio.gather(*(client.come(server, MISSED, present) for client in clients))
        all_s = time.perf_counter() - began
        assert [client.mode for client in clients] == ["resumed"] * CLIENTS
        for client in clients:
            assert [frame["data"]["n"] for frame in client.frames] == list(range(MISSED))
        assert server.metrics.count == CLIENTS
        assert not server.metrics.refusals
        assert server.metrics.successions == (0 if noticed else CLIENTS)
        with capsys.disabled():
            line = {"clients": CLIENTS, "all_s": round(all_s, 2), **figures([client.took_s for client in clients])}
            print(f"\nstorm {json.dumps(line)}")
