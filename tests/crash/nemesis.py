"""Who kills: one method per way to die, each at a moment counted in texts, each returning when everybody is back.

Owns signals, and the picture of the spools taken while nobody can delete them. It must never know what is promised.
Every blow ends with all bots connected again.
"""

from __future__ import annotations

import asyncio
import os
import random
import signal
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Literal

from tests.crash import processes
from tests.crash.follower import Follower
from tests.crash.processes import Worker
from tests.crash.streams import Streams
from tests.loopback.server import LoopbackServer
from tests.support.server import Server
from tests.support.waiting import until

Blow = Literal["worker", "supervisor", "both", "again", "freeze", "hang"]
BURST = 40
"""Texts of each contact at once: two bots' worth fills the library's channels (100 events)."""
BACK_S = 40.0
WORKERS_END_S = 6.0


@dataclass(frozen=True, slots=True)
class Struck:
    """A blow that was dealt."""

    blow: Blow
    back_s: float
    """From the blow until all bots were connected again."""
    until: int
    """The ledger's length then."""


class Nemesis:
    """Strikes one server. `random` decides when and whom: the same seed strikes at the same texts."""

    def __init__(
        self, server: Server, whatsapp: LoopbackServer, streams: Streams, follower: Follower, random_: random.Random
    ) -> None:
        self._server = server
        self._whatsapp = whatsapp
        self._streams = streams
        self._follower = follower
        self._random = random_
        self.spooled: set[str] = set()
        """Ids of messages that lay in a spool when somebody died."""
        self.blows: list[Struck] = []
        self._methods: dict[Blow, Callable[[], Awaitable[None]]] = {
            "worker": self._worker,
            "supervisor": self._supervisor,
            "both": self._both,
            "again": self._again,
            "freeze": self._freeze,
            "hang": self._hang,
        }

    async def strike(self, blow: Blow) -> None:
        """Strike once, at a random text; return when all bots are connected again."""
        await self._moment()
        loop = asyncio.get_running_loop()
        began = loop.time()
        await self._methods[blow]()
        if blow != "freeze":
            await self._back()
        self.blows.append(Struck(blow, loop.time() - began, len(self._whatsapp.ledger)))

    def culprit(self, message_id: str) -> Struck | None:
        """The blow at which a text was lost: the first that ended after the library had confirmed it."""
        confirmed = self._whatsapp.ledger.entries("message_received", id=message_id)
        if not confirmed:
            return None
        return next((struck for struck in self.blows if struck.until > confirmed[-1].number), None)

    async def _moment(self) -> None:
        """Between two texts of the steady streams, or in the middle of a burst, when the library's channels are full."""
        if self._random.random() < 0.5:
            await self._streams.more(self._random.randint(5, 60))
            return
        mark = len(self._whatsapp.ledger)
        await self._streams.burst(BURST)
        confirmed = self._random.randint(1, BURST * len(self._streams.all) // 2)
        await self._whatsapp.ledger.wait_count(confirmed, "message_received", after=mark)

    async def _back(self) -> None:
        for bot in {stream.bot for stream in self._streams.all}:
            await self._server.bot_until(bot, lambda seen: seen["status"] == "connected", BACK_S)
        for stream in self._streams.all:
            for device in stream.phone.devices:
                await until(lambda device=device: device.online, BACK_S, "device online")  # type: ignore[misc]

    def _hosts(self) -> list[Worker]:
        """Workers that hold a bot."""
        found = {worker for holders in processes.holders(self._server.data_dir).values() for worker in holders}
        return sorted(found, key=lambda worker: worker.pid)

    def _photograph(self) -> None:
        self.spooled |= processes.spooled(self._server.data_dir)

    async def _worker(self) -> None:
        """SIGKILL one worker; the supervisor is frozen for a moment, so that the dead one's spool can be looked at."""
        victim = self._random.choice(self._hosts())
        os.kill(self._server.pid, signal.SIGSTOP)
        try:
            processes.strike(victim, signal.SIGKILL)
            await self._gone([victim])
            self._photograph()
        finally:
            os.kill(self._server.pid, signal.SIGCONT)
        bots = len(self._whatsapp.phones)
        await until(lambda: sum(d.online for p in self._whatsapp.phones.values() for d in p.devices) < bots, BACK_S)

    async def _supervisor(self) -> None:
        """SIGKILL the supervisor alone; its workers end by themselves."""
        await self._server.kill()
        await self._restart()

    async def _both(self) -> None:
        """SIGKILL everything at one moment."""
        await self._all_at_once()
        await self._restart()

    async def _all_at_once(self) -> None:
        victims = processes.workers(self._server.data_dir)
        os.kill(self._server.pid, signal.SIGSTOP)
        for victim in victims:
            processes.strike(victim, signal.SIGKILL)
        await self._server.kill()

    async def _again(self) -> None:
        """SIGKILL everything, and once more everything as soon as the next supervisor has brought a process up."""
        await self._all_at_once()
        starting = asyncio.get_running_loop().create_task(self._server.start())
        await until(lambda: processes.workers(self._server.data_dir), BACK_S, "a process of the next supervisor")
        starting.cancel()
        await asyncio.wait({starting})
        await self._all_at_once()
        await self._restart()

    async def _freeze(self) -> None:
        """SIGSTOP a worker while some texts are written, then let it go on."""
        victim = self._random.choice(self._hosts())
        processes.strike(victim, signal.SIGSTOP)
        try:
            await self._streams.more(self._random.randint(20, 200))
        finally:
            processes.strike(victim, signal.SIGCONT)

    async def _hang(self) -> None:
        """SIGSTOP a worker for good and kill the supervisor: the next one has to end what the last one left."""
        victim = self._random.choice(self._hosts())
        processes.strike(victim, signal.SIGSTOP)
        await self._server.kill()
        await self._gone([worker for worker in processes.workers(self._server.data_dir) if worker != victim])
        self._photograph()
        await self._start()

    async def _restart(self) -> None:
        await self._gone(processes.workers(self._server.data_dir))
        self._photograph()
        await self._start()

    async def _start(self) -> None:
        await self._follower.dropped()
        await self._server.start()
        await self._follower.attach()

    async def _gone(self, victims: list[Worker]) -> None:
        def alive() -> set[int]:
            return {worker.pid for worker in processes.workers(self._server.data_dir)}

        for victim in victims:
            await until(lambda victim=victim: victim.pid not in alive(), WORKERS_END_S, "the end")  # type: ignore[misc]
