"""Whether accounts are still good: asked in batches, remembered, kept through an outage."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence

import pytest

from orchestrator.auth.accounts import BATCH, KEEP_S, RETRY_S, Account, Accounts
from orchestrator.auth.issuer import IssuerDown
from orchestrator.auth.threads import Threads
from orchestrator.clock import ManualClock
from orchestrator.tasks import Tasks
from tests.support.waiting import until

GOOD = Account(disabled=False, valid_after_ms=0)


class Office:
    """Answers questions about accounts: all of them exist unless it is closed."""

    def __init__(self) -> None:
        self.asked: list[list[str]] = []
        self.open = asyncio.Event()
        self.down = False
        self.open.set()

    async def __call__(self, accounts: Sequence[str]) -> Mapping[str, Account]:
        self.asked.append(list(accounts))
        await self.open.wait()
        if self.down:
            raise IssuerDown("timeout")
        return {account: GOOD for account in accounts if account != "nobody"}


@pytest.fixture
async def tasks() -> AsyncIterator[Tasks]:
    made = Tasks()
    yield made
    await made.close()


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def office() -> Office:
    return Office()


@pytest.fixture
def accounts(office: Office, clock: ManualClock, tasks: Tasks) -> Accounts:
    return Accounts(office, clock, tasks)


async def test_a_thousand_at_once_are_ten_questions(office: Office, accounts: Accounts) -> None:
    """Whoever asks while a question is under way shares the next one."""
    names = [f"user{number}" for number in range(1000)]
    assert await asyncio.gather(*(accounts.get(name, 5) for name in names * 3)) == [GOOD] * 3000
    assert [len(batch) for batch in office.asked] == [BATCH] * 10
    assert [name for batch in office.asked for name in batch] == names


async def test_answers_are_remembered(office: Office, accounts: Accounts, clock: ManualClock) -> None:
    """As long as the caller says, counted from the question; also that there is no such account."""
    assert [await accounts.get("nobody", 300) for _ in range(3)] == [None] * 3
    clock.advance(300)
    assert await accounts.get("nobody", 300) is None
    assert len(office.asked) == 1
    assert await accounts.get("nobody", 299) is None
    assert len(office.asked) == 2


async def test_an_outage(office: Office, accounts: Accounts, clock: ManualClock) -> None:
    """The last answer counts for an hour; one question in ten seconds; all who wait hear of it at once."""
    await accounts.get("ada", 5)
    clock.advance(6)
    office.down = True
    office.open.clear()
    known = asyncio.gather(*(accounts.get("ada", 5) for _ in range(5)))
    await until(lambda: len(office.asked) == 2)
    others = asyncio.gather(*(accounts.get(f"user{number}", 5) for number in range(250)), return_exceptions=True)
    await asyncio.sleep(0)
    office.open.set()
    assert await known == [GOOD] * 5
    assert [type(answer) for answer in await others] == [IssuerDown] * 250
    assert len(office.asked) == 2
    clock.advance(RETRY_S)
    assert await accounts.get("ada", 5) == GOOD
    assert len(office.asked) == 3
    clock.advance(KEEP_S)
    with pytest.raises(IssuerDown):
        await accounts.get("ada", 5)
    office.down = False
    clock.advance(RETRY_S)
    assert await accounts.get("ada", 5) == GOOD


async def test_giving_up_disturbs_nobody(office: Office, accounts: Accounts) -> None:
    """A caller that is cancelled leaves the others their answer."""
    office.open.clear()
    first, second = (asyncio.ensure_future(accounts.get("ada", 5)) for _ in range(2))
    await until(lambda: office.asked)
    first.cancel()
    office.open.set()
    assert await second == GOOD


async def test_a_bug_leaves_nobody_waiting(clock: ManualClock, tasks: Tasks) -> None:
    """It is reported, and whoever waited is told that nobody could be asked."""
    failures: list[object] = []
    tasks.failures.listen(failures.append)

    async def broken(_: Sequence[str]) -> Mapping[str, Account]:
        raise ZeroDivisionError

    accounts = Accounts(broken, clock, tasks)
    found = await asyncio.gather(*(accounts.get(name, 5) for name in ("ada", "bob")), return_exceptions=True)
    assert [type(answer) for answer in found] == [IssuerDown] * 2
    await until(lambda: failures)


async def test_threads_that_hang_hold_nobody_up() -> None:
    """A call is given up in time, the next one runs, what nobody waits for any more is never begun."""
    import threading

    pool, release, ran = Threads("test pool", 1), threading.Event(), list[str]()
    with pytest.raises(TimeoutError):
        await pool.call(release.wait, 0.05)
    with pytest.raises(TimeoutError):
        await pool.call(lambda: ran.append("late"), 0.05)
    release.set()
    assert await pool.call(lambda: "done", 5) == "done"
    assert ran == []
    with pytest.raises(ZeroDivisionError):
        await pool.call(lambda: 1 // 0, 5)
    pool.close()
    await until(lambda: not [thread for thread in threading.enumerate() if thread.name.startswith("test pool")])
