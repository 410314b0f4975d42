"""Everybody comes back in the same moment: all are served, each resumed where it was, nobody probed or refused."""

from __future__ import annotations

import asyncio
import contextlib
import json
import resource
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from orchestrator.bus.bus import Entry
from orchestrator.gateway.ports import GatewaySettings
from scripts.bench.storm import figures
from tests.support.gateway import GatewayServer, make_event
from tests.support.raw_socket import RawSocket
from tests.support.waiting import until
from tests.test_gateway_memory import a_bus

CLIENTS, MISSED = 150, 20
MANY, FEW = 1000, 5
PATIENT = GatewaySettings(silent_linger_s=120.0, verify_timeout_s=60.0)
"""Both ends share one process here: how long a client takes to ask is not the server's to judge."""


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


@pytest.fixture
def descriptors(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Room for both ends of two thousand connections in one process, and time for the last one to wait for all others."""
    monkeypatch.setattr(RawSocket, "patience_s", 120.0)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(8192, hard), hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.mark.parametrize(
    ("count", "missed", "noticed"),
    [
        pytest.param(CLIENTS, MISSED, True, id="gone"),
        pytest.param(CLIENTS, MISSED, False, id="half-open"),
        pytest.param(MANY, FEW, False, id="thousand", marks=pytest.mark.system),
    ],
)
async def test_all_are_served(
    tmp_path: Path, count: int, missed: int, noticed: bool, descriptors: None, capsys: pytest.CaptureFixture[str]
) -> None:
    """Also when the server has not noticed that the former connections are gone: the connectionId is proof enough."""
    clients = [Returning(f"user{number}") for number in range(count)]
    async with (
        a_bus(tmp_path) as bus,
        GatewayServer.running(PATIENT, bus=bus) as server,
        contextlib.AsyncExitStack() as former,
        contextlib.AsyncExitStack() as present,
    ):
        await asyncio.gather(*(client.come(server, 0, former) for client in clients))
        assert server.metrics.count == count
        if noticed:
            await former.aclose()
            await until(lambda: server.metrics.count == 0)
        for client in clients:
            events = [make_event("message", {"n": number}, user=client.name) for number in range(missed)]
            await bus.commit([Entry(client.name, event) for event in events])
        began = time.perf_counter()
        await asyncio.gather(*(client.come(server, missed, present) for client in clients))
        all_s = time.perf_counter() - began
        assert [client.mode for client in clients] == ["resumed"] * count
        for client in clients:
            assert [frame["data"]["n"] for frame in client.frames] == list(range(missed))
        assert server.metrics.count == count
        assert not server.metrics.refusals
        assert server.metrics.successions == (0 if noticed else count)
        with capsys.disabled():
            line = {"clients": count, "all_s": round(all_s, 2), **figures([client.took_s for client in clients])}
            print(f"\nstorm {json.dumps(line)}")
