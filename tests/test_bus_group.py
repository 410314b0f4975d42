"""Group commit: what waits together is written together, in order, and nobody waits for ever."""

from __future__ import annotations

import asyncio

import pytest

from orchestrator.bus.bus import Entry, Stored
from orchestrator.bus.group import MAX_ENTRIES, Call, Erase, Group
from orchestrator.errors import Refused
from orchestrator.tasks import Tasks
from tests.contracts.bus_suite import entry


class Writer:
    """Takes down what it was given; a gate holds it back."""

    def __init__(self) -> None:
        self.written: list[str] = []
        self.sizes: list[int] = []
        self.gate = asyncio.Event()
        self.gate.set()
        self.trouble: Exception | None = None
        self.group = Group(self.write, self.erase)
        self.tasks = Tasks()
        self.group.start(self.tasks)

    async def write(self, calls: list[Call]) -> None:
        await self.gate.wait()
        if self.trouble is not None:
            raise self.trouble
        self.sizes.append(len(calls))
        for call in calls:
            self.written += [one.event.id for one in call.entries if one.event is not None]
            if not call.done.done():
                call.done.set_result([Stored() for _ in call.entries])

    async def erase(self, job: Erase) -> None:
        await self.gate.wait()
        self.written.append(f"erase {job.bot}")
        job.done.set_result(None)


def hold(writer: Writer, *batches: list[Entry]) -> list[asyncio.Future[object]]:
    """Hand in several calls while the writer is busy."""
    return [asyncio.ensure_future(writer.group.commit(batch)) for batch in batches]


async def test_what_waits_is_written_together_and_in_order() -> None:
    """While one group is written the next one gathers; erasing keeps its place between them."""
    writer = Writer()
    writer.gate.clear()
    waiting = hold(writer, [entry(1)])
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    waiting += hold(writer, [entry(2)], [entry(3), entry(4)])
    await asyncio.sleep(0)
    erasing = asyncio.ensure_future(writer.group.erase("ana", "bot_a"))
    await asyncio.sleep(0)
    waiting += hold(writer, [entry(5)])
    await asyncio.sleep(0)
    writer.gate.set()
    await asyncio.gather(*waiting, erasing)
    assert writer.written == ["evt_1", "evt_2", "evt_3", "evt_4", "erase bot_a", "evt_5"]
    assert writer.sizes == [1, 2, 1]
    await writer.group.close()


async def test_a_group_has_a_greatest_size() -> None:
    """A group ends at so many entries or bytes, but a call is never cut in two."""
    writer = Writer()
    many = [entry(number) for number in range(MAX_ENTRIES - 1)]
    large = [entry(number, data=b"x" * 5_000_000) for number in range(3)]
    await asyncio.gather(*hold(writer, many, [entry(1), entry(2)], [entry(3)], large, [entry(4)]))
    assert writer.sizes == [1, 2, 1, 1]
    await writer.group.close()


async def test_a_failing_writer_fails_those_whose_work_it_was() -> None:
    """An unexpected failure ends the wait of its group with that failure; the writer goes on with the next."""
    writer = Writer()
    writer.trouble = KeyError("a bug")
    failed = await asyncio.gather(*hold(writer, [entry(1)], [entry(2)]), return_exceptions=True)
    assert [type(one) for one in failed] == [KeyError, KeyError]
    writer.trouble = None
    assert await writer.group.commit([entry(3)]) == [Stored()]
    await writer.group.close()


async def test_a_cancelled_writer_refuses_who_waits_and_who_comes() -> None:
    """When the writing task is cancelled, work in hand, work in the queue and later work are refused."""
    writer = Writer()
    writer.gate.clear()
    waiting = hold(writer, [entry(1)])
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    waiting += hold(writer, [entry(2)])
    await asyncio.sleep(0)
    await writer.tasks.close()
    failed = await asyncio.gather(*waiting, return_exceptions=True)
    assert [one.code for one in failed if isinstance(one, Refused)] == ["server_draining"] * 2
    with pytest.raises(Refused):
        await writer.group.commit([entry(3)])
    assert writer.group.ended
