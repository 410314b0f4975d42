"""A durable bus in a directory of a test's own, which can end as kill -9 ends it.

Owns opening, crashing and closing; it must never know what is tested.
"""

from __future__ import annotations

import itertools
import shutil
from pathlib import Path

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
        self.failures: list[TaskFailure] = []

    async def open(self, path: Path | None = None) -> SqliteBus:
        self.path = path or next(self._paths)
        self.tasks = Tasks()
        self.tasks.failures.listen(self.failures.append)
        self.database = await Database.open(self.path, self._clock)
        self.bus = await self._kind.open(self.database, self._clock, self.tasks)
        return self.bus

    async def crash(self) -> SqliteBus:
        """Copy the files as they lie on the disk at this moment, without their shared memory, and open the copy."""
        path = next(self._paths)
        path.parent.mkdir(parents=True)
        for ending in ("", "-wal"):
            shutil.copyfile(f"{self.path}{ending}", f"{path}{ending}")
        await self.close()
        return await self.open(path)

    async def restart(self) -> SqliteBus:
        """Close properly and open the same files."""
        await self.close()
        return await self.open(self.path)

    async def close(self) -> None:
        await self.bus.close()
        await self.tasks.close()
        await self.database.close()
