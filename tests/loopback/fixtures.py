"""Fixtures of the tests that run the real neonize against the loopback server: server, child process, people, a bot.

A test module takes them with ``pytest_plugins = ("tests.loopback.fixtures",)``. Owns only that. Neighbours to read next:
``server.py``, ``real_process.py``.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.loopback.devices import LinkedDevice
from tests.loopback.library import LibraryNotPatchable
from tests.loopback.phone import Contact, Phone
from tests.loopback.real_process import RealProcess, link
from tests.loopback.server import LoopbackServer


@pytest.fixture
async def wa() -> AsyncIterator[LoopbackServer]:
    async with LoopbackServer.start() as server:
        yield server


@pytest.fixture
async def child(wa: LoopbackServer) -> AsyncIterator[RealProcess]:
    try:
        wa.env()
    except LibraryNotPatchable as error:
        pytest.skip(str(error))
    async with RealProcess.start(wa) as process:
        yield process


@pytest.fixture
def phone(wa: LoopbackServer) -> Phone:
    return wa.add_account()


@pytest.fixture
def ada(wa: LoopbackServer) -> Contact:
    return wa.add_contact(name="Ada")


@pytest.fixture
async def device(child: RealProcess, phone: Phone, tmp_path: Path) -> LinkedDevice:
    return await link(child, phone, tmp_path / "bot.db")
