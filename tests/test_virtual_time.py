"""The virtual loop itself."""

from __future__ import annotations

import asyncio
import time

import pytest

from tests.support import virtual_time


def test_a_day_passes_at_once() -> None:
    """Sleeping moves virtual time only, and both clocks move together."""

    async def main(clock: virtual_time.VirtualClock) -> tuple[float, int]:
        wall = clock.wall_ms()
        await asyncio.sleep(86_400)
        return clock.monotonic(), clock.wall_ms() - wall

    began = time.monotonic()
    passed_s, passed_ms = virtual_time.run(main)
    assert passed_s == pytest.approx(86_400) and passed_ms == pytest.approx(86_400_000)
    assert time.monotonic() - began < 2


def test_a_deadlock_is_an_error() -> None:
    """Waiting for what nobody will do fails instead of hanging."""

    async def main(_: virtual_time.VirtualClock) -> None:
        await asyncio.get_running_loop().create_future()

    with pytest.raises(RuntimeError, match="deadlock"):
        virtual_time.run(main)
