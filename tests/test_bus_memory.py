"""The bus in memory passes the bus contract."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from orchestrator.bus.bus import Bus
from orchestrator.bus.memory import MemoryBus
from orchestrator.bus.retention import Retention
from orchestrator.clock import ManualClock
from tests.contracts.bus_changes import ChangeContract
from tests.contracts.bus_history import HistoryContract
from tests.contracts.bus_messages import MessageContract
from tests.contracts.bus_reading import ReadContract
from tests.contracts.bus_retention import RetentionContract
from tests.contracts.bus_suite import CommitContract


class MemoryBench:
    """A bus that is gone when it is closed."""

    def __init__(self) -> None:
        self.clock = ManualClock()
        self.bus = MemoryBus(self.clock)

    async def limited(self, retention: Retention) -> MemoryBus:
        self.bus = MemoryBus(self.clock, retention)
        return self.bus

    async def tidy(self, bus: Bus) -> None:
        assert bus is self.bus
        await self.bus.tidy()

    async def reopen(self) -> MemoryBus:
        raise AssertionError("a bus that is not durable is never reopened")


@pytest.fixture
async def bench() -> AsyncIterator[MemoryBench]:
    made = MemoryBench()
    yield made
    await made.bus.close()


class TestCommit(CommitContract):
    """Writing."""


class TestRead(ReadContract):
    """Reading."""


class TestMessages(MessageContract):
    """Stored messages."""


class TestHistory(HistoryContract):
    """Past messages."""


class TestChanges(ChangeContract):
    """Stored messages that change."""


class TestRetention(RetentionContract):
    """Letting go."""


async def test_it_says_that_it_is_not_durable(bench: MemoryBench) -> None:
    """The bus in memory declares that nothing survives."""
    assert not bench.bus.features.durable
