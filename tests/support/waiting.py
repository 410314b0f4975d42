"""Waits with deadlines for tests whose subject is another process or task. Owns no clock and no subject."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

PUT_OFF_S = 2.0
"""How long a busy machine may keep a process from running: a promise in real seconds is checked with so much on top."""
_LOOK_S = 0.01
_WAIT_S = 30.0
"""Deadline of a wait that names none; generous, because it is reached only by failing tests."""


async def until(true: Callable[[], object], timeout_s: float = _WAIT_S, what: str = "condition") -> None:
    """Return as soon as `true()` holds; raises AssertionError at the deadline."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + timeout_s
    while not true():
        assert loop.time() < deadline, f"waited {timeout_s:g} s in vain for {what}"
        await asyncio.sleep(_LOOK_S)


async def stays(true: Callable[[], object], for_s: float, what: str = "condition") -> None:
    """Assert that `true()` holds for a while: the only way to see that something does not happen."""
    loop = asyncio.get_running_loop()
    end = loop.time() + for_s
    while loop.time() < end:
        assert true(), f"{what} did not stay"
        await asyncio.sleep(_LOOK_S)
