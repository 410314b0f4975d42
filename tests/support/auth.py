"""Fixtures of the tests of tokens that others issue: tasks none of which may fail, and a clock that can be put on.

Owns building and closing. It must never know an issuer. Read `issuer.py` next.
"""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from orchestrator.tasks import Tasks
from tests.support.issuer import AheadClock


@pytest.fixture
async def tasks() -> AsyncIterator[Tasks]:
    made, failures = Tasks(), list[object]()
    made.failures.listen(failures.append)
    yield made
    await made.close()
    assert failures == []


@pytest.fixture
def clock() -> AheadClock:
    return AheadClock()
