"""The ledger: order, filters, and waiting for what has happened, happens, or doesn't."""

from __future__ import annotations

import asyncio

import pytest

from tests.loopback.ledger import Ledger, Timeout


def test_entries_are_found_by_kind_number_and_values() -> None:
    """Kinds, ``after`` and any of phone, device and data narrow the list, which stays in order."""
    ledger = Ledger()
    ledger.record("login", "1", 1)
    ledger.record("active", "1", 1)
    ledger.record("login", "2", 1)
    ledger.record("login_refused", "2", 1, reason=401)
    assert [entry.number for entry in ledger.entries("login")] == [0, 2]
    assert [entry.number for entry in ledger.entries("login", "active", after=1)] == [1, 2]
    assert ledger.count("login", phone="2") == 1
    assert ledger.count("login_refused", reason=401) == 1
    assert ledger.count("login_refused", reason=402) == 0
    assert len(ledger.entries()) == len(ledger) == 4


async def test_waiting_finds_the_past_at_once_and_the_future_when_it_comes() -> None:
    """One entry is there already, the second comes later, others don't count."""
    ledger = Ledger()
    ledger.record("active", "1", 1)
    waiting = asyncio.ensure_future(ledger.wait_count(2, "active", 5.0, phone="1"))
    await asyncio.sleep(0)
    ledger.record("active", "2", 1)
    assert not waiting.done()
    last = ledger.record("active", "1", 2)
    assert (await waiting)[-1] is last
    assert await ledger.wait("active", 5.0, after=last.number) is last


async def test_what_does_not_come_times_out_and_is_named() -> None:
    """Timeout tells what was waited for and what happened instead; nothing of the wait is left behind."""
    ledger = Ledger()
    ledger.record("login", "1", 1)
    with pytest.raises(Timeout, match=r"0 of 1 active .* latest: login"):
        await ledger.wait("active", 0.01, phone="1")
    assert not any(ledger._waiters.values())


def test_listeners_hear_every_entry() -> None:
    """A listener is called with each entry from its registration on."""
    ledger = Ledger()
    heard: list[str] = []
    ledger.record("login")
    ledger.listen(lambda entry: heard.append(entry.kind))
    ledger.record("active")
    assert heard == ["active"]
