"""The durable bus: group commit into the data directory's SQLite file, live delivery from memory after the commit.

Owns what the logs' heads are and the order commit → cache → readers → callers. The one writing task assigns every
sequence number, so the cache is never behind the file for longer than the hop back from the thread. It must never know
sockets, sessions or statuses. Read `plan.py` for the rules, `statements.py` for the SQL.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import partial
from itertools import islice

import structlog

from orchestrator.bus.bus import (
    Before,
    Committed,
    Entry,
    Features,
    LogState,
    Outcome,
    Snapshot,
    StoredMessage,
)
from orchestrator.bus.group import Call, Erase, Group, fail
from orchestrator.bus.keeping import erase_bot, logs_to_trim, prune_dedupe, trim_log
from orchestrator.bus.message_rows import erase_messages, logs_with_old_messages, prune_messages, read_messages
from orchestrator.bus.plan import Log, Plan, check_position
from orchestrator.bus.reader import PAGE_ITEMS, Announcing, Item, Page, Reader, Readers, chain
from orchestrator.bus.retention import Retention
from orchestrator.bus.statements import (
    load_logs,
    read_mark,
    read_page,
    read_snapshot,
    renew_epochs,
    scan_values,
    write_batch,
)
from orchestrator.clock import Clock
from orchestrator.errors import Refused
from orchestrator.model import Position, new_id
from orchestrator.store import heads
from orchestrator.store.database import Database
from orchestrator.tasks import Tasks

_log = structlog.get_logger("bus")

DEDUPE_KEEP_MS = 30 * 24 * 3600 * 1000
_CHECKPOINT_ENTRIES = 1000
"""After so many entries the log is folded into the file by a thread beside the writer, so that no commit stands still
for it."""
_TIDY_EVERY_S = 300.0
_NOTE_EVERY_S = 1.0
_PRUNE_STEP = 2000
_TRIM_STEP = 1000
_ERASE_STEP = 500


class SqliteBus(Announcing):
    """A `Bus` that survives kill -9 and power loss."""

    features = Features(durable=True)

    def __init__(
        self, database: Database, clock: Clock, tasks: Tasks, logs: dict[str, Log], retention: Retention
    ) -> None:
        self._database = database
        self._retention = retention
        self._clock = clock
        self._tasks = tasks
        self._logs = logs
        self._next_log = max((log.number for log in logs.values()), default=0) + 1
        self._readers = Readers(clock.wall_ms)
        self._group = Group(self._write, self._erase)
        self._settled = asyncio.Event()
        self._events = sum(log.head for log in logs.values())
        self._noted = -1
        self._note_lock = threading.Lock()
        self._grown = asyncio.Event()
        self._keepers: list[asyncio.Task[None]] = []
        self._checkpointer: asyncio.Task[None] | None = None
        self._unfolded = 0
        self._committed: Callable[[float], None] | None = None

    @classmethod
    async def open(
        cls,
        database: Database,
        clock: Clock,
        tasks: Tasks,
        committed: Callable[[float], None] | None = None,
        retention: Retention | None = None,
    ) -> SqliteBus:
        """Read the heads and start writing. The database stays its opener's to close, after the bus.

        When the database is older than what is noted beside it (a backup was restored, a damaged file repaired), or
        was brought from elsewhere, every log gets a new epoch: positions that were told before lead to snapshots.

        `committed` is told how long each commit call took, in seconds.

        Raises:
            Refused: `storage_unavailable`.
        """
        bus = cls(database, clock, tasks, await database.read(load_logs), retention or Retention())
        bus._committed = committed
        if await asyncio.to_thread(heads.is_older, database.path, bus._events):
            await bus._renew()
        await bus._note()
        bus._group.start(tasks)
        bus._keepers = [tasks.spawn("bus tidier", bus._keep_tidy()), tasks.spawn("bus heads", bus._keep_noted())]
        return bus

    async def commit(self, entries: Sequence[Entry]) -> list[Outcome]:
        """See `Bus.commit`."""
        began_s = self._clock.monotonic()
        outcomes = await self._group.commit(entries)
        if self._committed is not None:
            self._committed(self._clock.monotonic() - began_s)
        return outcomes

    async def snapshot(self, user: str, prefix: str = "") -> Snapshot:
        """See `Bus.snapshot`."""
        log = await self._log(user)
        snapshot = await self._database.read(lambda connection: read_snapshot(connection, log.number, prefix))
        while self._logs[user].head < snapshot.state.head.seq:
            # It read what the writer has committed but not told yet: such a position could not be subscribed to.
            if self._group.ended:
                raise Refused("server_draining")
            self._settled.clear()
            await self._settled.wait()
        return snapshot

    async def state(self, user: str) -> LogState:
        """See `Bus.state`."""
        return (await self._log(user)).state

    async def read(self, user: str, after: Position, limit: int = PAGE_ITEMS) -> list[Committed]:
        """See `Bus.read`."""
        log = await self._log(user)
        check_position(log.state, after)
        page = await self._page(user, after.seq, log.head, limit)
        return chain(page.items, after)

    async def subscribe(self, user: str, after: Position) -> Reader:
        """See `Bus.subscribe`."""
        log = await self._log(user)
        check_position(log.state, after)
        return self._readers.attach(user, after, log.head, partial(self._page, user))

    async def messages(
        self, user: str, bot: str, chat: str | None = None, before: Before | None = None, limit: int = 50
    ) -> list[StoredMessage]:
        """See `Bus.messages`."""
        log = await self._log(user)
        return await self._database.read(lambda one: read_messages(one, log.number, bot, chat, before, limit))

    async def scan(self, prefix: str) -> AsyncIterator[tuple[str, str, bytes]]:
        """See `Bus.scan`."""
        after = ("", -1)
        while True:
            rows = await self._database.read(partial(scan_values, prefix=prefix, after=after, limit=PAGE_ITEMS))
            for key, log, user, value in rows:
                after = (key, log)
                yield user, key, value
            if len(rows) < PAGE_ITEMS:
                return

    async def mark(self, incarnation: str) -> int:
        """See `Bus.mark`."""
        return await self._database.read(lambda connection: read_mark(connection, incarnation))

    async def erase(self, user: str, bot: str) -> None:
        """See `Bus.erase`."""
        # Messages of 90 days may be many: they go in steps that let others' commits through, the newest ones last.
        await self._erase_messages(user, bot)
        await self._group.erase(user, bot)
        await self._erase_messages(user, bot)

    async def _erase_messages(self, user: str, bot: str) -> None:
        log = self._logs.get(user)
        if log is not None:
            step = partial(erase_messages, log=log.number, bot=bot, limit=_ERASE_STEP)
            while await self._database.write(step) == _ERASE_STEP:
                pass

    async def close(self) -> None:
        """See `Bus.close`."""
        for keeper in self._keepers:
            keeper.cancel()
        if self._keepers:
            await asyncio.wait(self._keepers)
        await self._group.close()
        await self._note()
        if self._checkpointer is not None:
            await asyncio.wait([self._checkpointer])
        self._readers.close()
        self._settled.set()

    # --- carried out by the writing task, one at a time -------------------------------------------------------

    async def _write(self, calls: list[Call]) -> None:
        """Commit a group. A call that cannot be written at all (a bug in its values) does not take others with it."""
        try:
            plan = await self._commit_all(calls)
        except Refused as refused:
            for call in calls:
                fail(call, refused)
        except Exception as error:
            if len(calls) == 1:
                fail(calls[0], error)
                return
            for call in calls:
                await self._write([call])
        else:
            self._tell(plan)
            outcomes = iter(plan.outcomes)
            for call in calls:
                mine = list(islice(outcomes, len(call.entries)))
                if not call.done.done():
                    call.done.set_result(mine)
            self._fold_log(len(plan.outcomes))

    async def _commit_all(self, calls: list[Call]) -> Plan:
        entries = [entry for call in calls for entry in call.entries]
        users = {entry.user for entry in entries} | {call.user for call in calls if call.user is not None}
        created: dict[str, Log] = {}
        for user in users - self._logs.keys():
            created[user] = Log(self._next_log + len(created), new_id("log", 12), 0)
        if not entries and not created:
            return Plan()
        logs = created | {user: self._logs[user] for user in users - created.keys()}
        now_ms = self._clock.wall_ms()
        plan = await self._database.write(
            lambda connection: write_batch(connection, entries, logs, created, self._retention, now_ms)
        )
        self._logs.update(created)
        self._next_log += len(created)
        return plan

    def _tell(self, plan: Plan) -> None:
        """Move heads and floors, then hand the new events to the readers that are there."""
        fresh: dict[str, list[Item]] = {}
        for user, seq, event in plan.events:
            fresh.setdefault(user, []).append((seq, event))
        for user, head in plan.heads.items():
            self._logs[user] = replace(self._logs[user], head=head)
        for user, floor in plan.floors.items():
            self._raise_floor(user, floor)
        for user, items in fresh.items():
            self._readers.push(user, items, items[-1][0])
        self._settled.set()
        if plan.events:
            self._events += len(plan.events)
            self._grown.set()

    def _fold_log(self, entries: int) -> None:
        self._unfolded += entries
        if self._unfolded >= _CHECKPOINT_ENTRIES and (self._checkpointer is None or self._checkpointer.done()):
            self._unfolded = 0
            self._checkpointer = self._tasks.spawn("bus checkpoint", self._database.checkpoint())

    async def _erase(self, job: Erase) -> None:
        log = self._logs.get(job.user)
        if log is not None:
            await self._database.write(lambda connection: erase_bot(connection, log.number, job.bot))
        self._readers.forget(job.user, job.bot)
        if not job.done.done():
            job.done.set_result(None)

    # --- reading -------------------------------------------------------------------------------------------------

    async def _log(self, user: str) -> Log:
        """Return where the user's log stands, making one for a user nobody wrote for yet."""
        if user not in self._logs:
            await self._group.commit((), user)
        return self._logs[user]

    async def _page(self, user: str, after: int, upto: int, limit: int = PAGE_ITEMS) -> Page:
        log = self._logs[user]
        position = Position(log.epoch, after)
        return await self._database.read(
            lambda connection: read_page(connection, user, log.number, position, upto, limit)
        )

    # --- noticing an older database ------------------------------------------------------------------------------

    async def _renew(self) -> None:
        epochs = {log.number: new_id("log", 12) for log in self._logs.values()}
        if epochs:
            await self._database.write(partial(renew_epochs, epochs=epochs))
            _log.warning("Event logs begin a new epoch: the database was restored or brought here", logs=len(epochs))
        self._logs = {user: replace(log, epoch=epochs[log.number]) for user, log in self._logs.items()}

    async def _note(self) -> None:
        """Note how many events were ever committed. Failing, an older database might go unnoticed: nothing more."""
        events = self._events
        if events != self._noted:
            try:
                await asyncio.to_thread(self._write_note, events)
            except OSError as error:
                _log.warning("Heads not noted", error=error.strerror)

    def _write_note(self, events: int) -> None:
        with self._note_lock:  # a thread outlives the cancelled task that began it
            if events > self._noted:
                heads.note(self._database.path, events)
                self._noted = events

    async def _keep_noted(self) -> None:
        while True:
            await self._grown.wait()
            self._grown.clear()
            await self._note()
            await asyncio.sleep(_NOTE_EVERY_S)

    # --- letting go ----------------------------------------------------------------------------------------------

    async def tidy(self) -> None:
        """Let go of what is kept no longer, in small steps between the groups: dedupe keys after 30 days, old messages,
        and what retention cuts from logs that nobody writes to. Done by itself at start and every 5 minutes.

        Raises:
            Refused: `storage_unavailable`: some of it is left for the next time.
        """
        now_ms = self._clock.wall_ms()
        prune = partial(prune_dedupe, before_ms=now_ms - DEDUPE_KEEP_MS, limit=_PRUNE_STEP)
        while await self._database.write(prune) == _PRUNE_STEP:
            pass
        for user, log in await self._database.read(lambda one: logs_to_trim(one, self._retention, now_ms)):
            trim = partial(trim_log, log=log, retention=self._retention, now_ms=now_ms, budget=_TRIM_STEP)
            more = True
            while more:
                cut = await self._database.write(trim)
                self._raise_floor(user, cut.floor)
                more = cut.more
        before_ms = now_ms - self._retention.max_message_age_ms
        for log in await self._database.read(partial(logs_with_old_messages, before_ms=before_ms)):
            while await self._database.write(partial(prune_messages, log=log, before_ms=before_ms, limit=_TRIM_STEP)):
                pass

    def _raise_floor(self, user: str, floor: int) -> None:
        log = self._logs.get(user)
        if log is not None and floor > log.floor:
            self._logs[user] = replace(log, floor=floor)

    async def _keep_tidy(self) -> None:
        while True:
            # The disk's trouble is reported where it loses something; the next time tries again.
            with suppress(Refused):
                await self.tidy()
            await asyncio.sleep(_TIDY_EVERY_S)
