"""A process that runs the supervisor room, to be killed: starts the bots it is told to and journals to a file.

`python -m tests.support.room_child DATA JOURNAL BOT=PLACEMENT[=JID]…`; prints `up` once every start has returned. The
journal stands where the bus does: one line per event, written before it is committed. As in the bus an event is left out
by its mark, and a message that was delivered again by its id: `Redelivered` stands for it, so that ordinals have no gap.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from pathlib import Path
from typing import Any

from orchestrator.clock import SystemClock
from orchestrator.model import new_id
from orchestrator.ports import FromSession, HostEvent, Placement
from orchestrator.supervisor.supervisor import Options, Supervisor
from orchestrator.supervisor.worker_process import Launch
from orchestrator.tasks import Tasks
from sessions.model import MessageReceived, PairSucceeded, SessionEvent
from sessions.session import SessionSpec


class FileJournal:
    """Takes events as the bus does: once, in order, durable against the death of this process."""

    def __init__(self, path: Path) -> None:
        self.marks: dict[str, int] = {}
        self.messages: set[tuple[str, str]] = set()
        for line in read(path):
            self.marks[line["incarnation"]] = line["ordinal"]
            if line["event"] == MessageReceived.__name__:
                self.messages.add((line["bot"], line["detail"]))
        self._fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)

    def on_host_event(self, bot: str, event: HostEvent) -> None:
        if not isinstance(event, FromSession):
            return
        frame = event.frame
        if frame.ordinal is not None and frame.ordinal > self.marks.get(frame.incarnation, 0):
            self.marks[frame.incarnation] = frame.ordinal
            line = {"bot": bot, "incarnation": frame.incarnation, "ordinal": frame.ordinal}
            os.write(self._fd, json.dumps({**line, **self._told(bot, frame.event)}).encode() + b"\n")
        event.committed()

    def _told(self, bot: str, told: SessionEvent) -> dict[str, str | None]:
        if isinstance(told, MessageReceived):
            if (bot, told.message_id) in self.messages:
                return {"event": "Redelivered", "detail": told.message_id}
            self.messages.add((bot, told.message_id))
            return {"event": type(told).__name__, "detail": told.message_id}
        return {"event": type(told).__name__, "detail": told.account.jid if isinstance(told, PairSucceeded) else None}


def read(path: Path) -> list[dict[str, Any]]:
    """Return the journal's lines; a torn last one is none."""
    if not path.exists():
        return []
    return [json.loads(line) for line in path.read_bytes().splitlines(keepends=True) if line.endswith(b"\n")]


async def main(data: Path, journal: Path, bots: list[str]) -> None:
    tasks = Tasks()
    launch = Launch(data / "run", data / "spool", "simulated", 8 * 1024 * 1024, data / "p")
    host = Supervisor(Options(launch), SystemClock(), tasks)
    host.attach(FileJournal(journal))
    await host.start_up()
    await host.recovered()
    for text in bots:
        bot, placement, *account = text.split("=")
        device = data / "devices" / bot
        device.mkdir(mode=0o700, parents=True, exist_ok=True)
        jid = account[0] if account else None
        wish: Placement = "linking" if placement == "linking" else "pool"
        await host.start(SessionSpec(bot, new_id("inc"), str(device / "d.db"), jid, "test", None), wish)
    sys.stdout.write("up\n")
    sys.stdout.flush()
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3:]))
