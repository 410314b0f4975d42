"""A durable bus in a directory of a test's own, which can end as kill -9 ends it.

Owns opening, crashing and closing; it must never know what is tested.
"""

from __future__ import annotations

import itertools
from pathlib import Path

from orchestrator.bus.retention import Retention
from orchestrator.bus.sqlite import SqliteBus
from orchestrator.clock import Clock
from orchestrator.store.database import Database
from orchestrator.tasks import TaskFailure, Tasks


class DurableBus:
    """Opens the bus; `crash` leaves the files as a killed process leaves them and opens those."""

    def __init__(self, directory: Path, clock: Clock, kind: type[SqliteBus] = SqliteBus) -> None:
        self._paths = (directory / str(number) / "bus.db" for number in itertools.count())
        self._clock = clock
        self._kind = kind
        self.retention = Retention()
        self.failures: list[TaskFailure] = []

    async def open(self, path: Path | None = None) -> SqliteBus:
        self.path = path or next(self._paths)
        self.tasks = Tasks()
        self.tasks.failures.listen(self.failures.append)
        self.database = await Database.open(self.path, self._clock)
        self.bus = await self._kind.open(self.database, self._clock, self.tasks, retention=self.retention)
        return self.bus

    async def crash(self) -> SqliteBus:
        """Keep the files as they lie on the disk at this moment, without their shared memory, and open those."""
        left = self.files()
        await self.close()
        self.put_back(left)
        return await self.open(self.path)

    def files(self) -> dict[str, bytes]:
        """Return what is on the disk, by ending. The note is read first: it is never ahead of the database."""
        paths = {ending: Path(f"{self.path}{ending}") for ending in (".heads", "", "-wal")}
        return {ending: path.read_bytes() for ending, path in paths.items() if path.exists()}

    def put_back(self, left: dict[str, bytes]) -> None:
        """Make the closed files what they were, each in place."""
        for ending in ("-wal", "-shm"):
            Path(f"{self.path}{ending}").unlink(missing_ok=True)
        for ending, data in left.items():
            Path(f"{self.path}{ending}").write_bytes(data)

    async def restart(self) -> SqliteBus:
        """Close properly and open the same files."""
        await self.close()
        return await self.open(self.path)

    async def close(self) -> None:
        await self.bus.close()
        await self.tasks.close()
        await self.database.close()
