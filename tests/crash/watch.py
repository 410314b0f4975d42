"""Looks, all the time and from a thread of its own, whether two processes hold one bot.

Owns the looking. A bot is held by whoever has its lock file open with the lock on it; the supervisor has it open only
while it takes the lock, so only workers are looked at. It must never take a lock itself: that would disturb.
"""

from __future__ import annotations

import threading
import time
from pathlib import Path

import msgspec

from tests.crash import processes
from tests.crash.processes import Worker

EVERY_S = 0.01


class _Holder(msgspec.Struct):
    pid: int


class Watch:
    """`with Watch(data_dir) as watch: …`; then `watch.doubles` is empty and `watch.looks` says how often it looked."""

    def __init__(self, data_dir: Path) -> None:
        self._data_dir = data_dir
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="holder watch", daemon=True)
        self.looks = 0
        self.doubles: list[str] = []
        self.seen: dict[str, set[str]] = {}
        """The workers that held each bot, one after the other."""

    def __enter__(self) -> Watch:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._ended.is_set():
            self._look()
            self.looks += 1
            time.sleep(EVERY_S)

    def _look(self) -> None:
        first: dict[str, Worker] = {}
        for worker in self._alive():
            for bot in processes.holdings(self._data_dir, worker):
                self.seen.setdefault(bot, set()).add(worker.name)
                other = first.setdefault(bot, worker)
                # What was read first may have been let go since: it counts only when it is still held now.
                if other is not worker and bot in processes.holdings(self._data_dir, other):
                    self.doubles.append(f"{bot}: {other.name} and {worker.name}")

    def _alive(self) -> list[Worker]:
        """The workers, by the files they keep locked: cheaper than looking through all processes."""
        found = []
        for path in (self._data_dir / "run").glob("*.worker"):
            try:
                found.append(Worker(msgspec.json.decode(path.read_bytes(), type=_Holder).pid, path.stem))
            except (OSError, msgspec.DecodeError):
                continue  # being made, or gone
        return found
