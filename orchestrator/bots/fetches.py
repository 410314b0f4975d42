"""Files that the sends of one bot name by their address: fetched before the send is handed over, tried again, given up.

Owns which fetch runs and when the next try is; it must never know a queue. What is fetched is told to the mailbox, which
makes it durable. A process that dies leaves the address in the send: the next one fetches again. Read `sending.py` next.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from orchestrator.bots.files import BotFiles
from orchestrator.bots.outbox_fold import waits_for_file
from orchestrator.fetching import FetchFailed
from orchestrator.store.media import StoredMedia
from orchestrator.tasks import Tasks
from sessions.model import Outgoing, OutgoingMedia

AGAIN_S = (2.0, 10.0, 60.0)
"""After so long a fetch is tried again; then the send fails."""


@dataclass(frozen=True, slots=True)
class FileFetched:
    """What became of a send's address: the file, or one sentence for people."""

    job: str
    result: StoredMedia | str


class Fetches:
    """The fetches of one bot. All methods belong to the loop's thread."""

    def __init__(self, files: BotFiles, tasks: Tasks, bot: str, told: Callable[[FileFetched], None]) -> None:
        self._files, self._tasks, self._bot, self._told = files, tasks, bot, told
        self._running: dict[str, asyncio.Task[None]] = {}

    def begin(self, job: str, outgoing: Outgoing | None) -> None:
        """Fetch what a send waits for; nothing when it waits for no file, or its fetch runs."""
        if waits_for_file(outgoing) and job not in self._running:
            assert isinstance(outgoing, OutgoingMedia)
            self._running[job] = self._tasks.spawn("fetch", self._fetch(job, outgoing))

    def forget(self, job: str) -> None:
        """The send is over."""
        task = self._running.pop(job, None)
        if task is not None:
            task.cancel()

    def close(self) -> None:
        """The bot is gone."""
        for job in list(self._running):
            self.forget(job)

    async def _fetch(self, job: str, outgoing: OutgoingMedia) -> None:
        result: StoredMedia | str = ""
        try:
            for wait_s in (*AGAIN_S, None):
                try:
                    result = await self._files.fetch(self._bot, outgoing)
                    break
                except FetchFailed as failed:
                    result = failed.text
                    if not failed.again or wait_s is None:
                        break
                await asyncio.sleep(wait_s)
        finally:
            self._running.pop(job, None)
        self._told(FileFetched(job, result))
