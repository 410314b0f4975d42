"""Fixtures of the end-to-end tests: a loopback WhatsApp, a server on the real library behind it, a Node client."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from tests.loopback.library import LibraryNotPatchable
from tests.loopback.server import LoopbackServer
from tests.support.node_client import NodeClient, install
from tests.support.page_world import Tell
from tests.support.server import Server


@pytest.fixture
async def whatsapp() -> AsyncIterator[LoopbackServer]:
    """A WhatsApp of our own."""
    async with LoopbackServer.start() as wa:
        yield wa


@pytest.fixture
def environment(whatsapp: LoopbackServer) -> dict[str, str]:
    """The server's environment: the way to the loopback WhatsApp, nothing of the tester's own settings."""
    try:
        ours = whatsapp.env()
    except LibraryNotPatchable as error:
        pytest.skip(str(error))
    rest = {key: value for key, value in os.environ.items() if not key.startswith("ORCHESTRATOR_")}
    return {**rest, **ours}


@pytest.fixture
def server_options() -> tuple[str, ...]:
    """More options of `serve`, for a test module that gives others."""
    return ()


@pytest.fixture
async def server(
    tmp_path: Path, whatsapp: LoopbackServer, environment: dict[str, str], server_options: tuple[str, ...]
) -> AsyncIterator[Server]:
    """`orchestrator serve` on the real library, its proxy leading to the loopback WhatsApp."""
    options = ("--proxy", whatsapp.proxy_url, *server_options)
    async with Server.running(tmp_path / "data", environment, *options) as running:
        yield running


@pytest.fixture
async def node() -> AsyncIterator[NodeClient]:
    """The unmodified socket.io-client 4.8.1."""
    await install()
    async with NodeClient() as client:
        yield client


@pytest.fixture
def tell(record_property: Callable[[str, object], None]) -> Tell:
    """Says in the test's output how a state was provoked."""
    return lambda state, how: record_property("shown", f"{state}: {how}")
