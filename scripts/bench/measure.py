"""Measures the ring: from the library to a real socket.io-client, with the library's own share beside each figure.

Everything is on loopback: a WhatsApp of our own in its own process, `orchestrator serve` with the real library, the
npm client; and, in the same run and against the same server, a bare child process with the library alone. Prints a
table of targets and figures; exit 1 when one is missed. Run it on an otherwise idle machine::

    python scripts/bench/ring.py              about a minute, five at most
    python scripts/bench/ring.py --quick      a smoke run of ten seconds; its figures say little

Neighbours to read next: `parts.py` for the processes, `report.py` for the table.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from scripts.bench.parts import Client, WhatsApp, library
from scripts.bench.report import Figure, median, p99, show
from tests.support.server import Server

AT_MOST_S = 300.0
LATENCY_PER_SECOND = 50.0


@dataclass(frozen=True, slots=True)
class Size:
    """How much is measured."""

    links: int
    latency_messages: int
    flood_each: int
    floods: int


FULL = Size(links=20, latency_messages=500, flood_each=150, floods=3)
QUICK = Size(links=3, latency_messages=60, flood_each=20, floods=1)


@dataclass(slots=True)
class Linked:
    """One linking, ours or the library's: seconds of each step."""

    cold_s: list[float] = field(default_factory=list)
    offer_s: list[float] = field(default_factory=list)
    scan_s: list[float] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Alone:
    """A device the bare library has linked."""

    phone: str
    store: str
    jid: str


@dataclass(frozen=True, slots=True)
class Flood:
    """One flood: what was reached, how fast WhatsApp wrote it, what it cost."""

    per_second: float
    written_per_second: float
    cpu_s: float
    """Of one message, in all processes but WhatsApp's and the client's."""

    @classmethod
    def of(cls, sent: dict[str, float], last_at: float, cpu_s: float) -> Flood:
        began, written = min(sent.values()), max(sent.values())
        return cls(len(sent) / (last_at - began), len(sent) / (written - began), cpu_s / len(sent))


def cpu_s(pid: int) -> float:
    """CPU seconds a process and its living children have used (Linux)."""
    total, ticks = 0.0, os.sysconf("SC_CLK_TCK")
    for entry in Path("/proc").iterdir():
        if not entry.name.isdecimal():
            continue
        try:
            fields = (entry / "stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(entry.name) == pid or int(fields[1]) == pid:
            total += (int(fields[11]) + int(fields[12])) / ticks
    return total


class Ring:
    """One run."""

    def __init__(self, whatsapp: WhatsApp, server: Server, client: Client, directory: Path, size: Size) -> None:
        self._whatsapp = whatsapp
        self._server = server
        self._client = client
        self._directory = directory
        self._size = size
        self.ours, self.theirs = Linked(), Linked()
        self.twice_s: list[float] = []
        self._bots: dict[str, str] = {}
        """Our bots' accounts, by bot id."""
        self._alone: list[Alone] = []

    async def link_ours(self) -> None:
        """Create a bot, wait for its code at the client, scan, wait for `whatsapp_connected` there; then stop it."""
        phone = await self._whatsapp.do("account")
        mark, line = await self._whatsapp.do("mark"), len(self._client.lines)
        began = time.time()
        bot = (await self._server.call("POST", "/bots", {"name": phone}, status=201))["id"]
        offer = await self._client.line(lambda seen: seen["type"] == "qr" and seen["bot"] == bot, line)
        offered = await self._whatsapp.do("refs_sent", mark=mark)
        scanned = await self._whatsapp.do("scan", phone=phone, qr=offer["qr"])
        done = await self._client.line(lambda seen: seen["bot"] == bot and seen["status"] == "connected", line)
        self.ours.cold_s.append(offer["at"] - began)
        self.ours.offer_s.append(offer["at"] - offered)
        self.ours.scan_s.append(done["at"] - scanned["at"])
        self._bots[bot] = phone
        await self._whatsapp.do("online", phones=[phone])
        await self._server.call("POST", f"/bots/{bot}/stop", {})
        await self._server.bot_until(bot, lambda seen: seen["status"] == "stopped")

    async def cold_twice(self) -> float:
        """Seconds until the later of two bots made at once has its code at the client: the server keeps one worker warm,
        so this one's process is new."""
        line, began = len(self._client.lines), time.time()
        made = await asyncio.gather(*(self._server.call("POST", "/bots", {"name": "twin"}) for _ in range(2)))
        ids = [bot["id"] for bot in made]
        offers = [
            await self._client.line(lambda seen, bot=bot: seen["type"] == "qr" and seen["bot"] == bot, line)  # type: ignore[misc]
            for bot in ids
        ]
        for bot in ids:
            await self._server.call("DELETE", f"/bots/{bot}", status=202)
            await self._client.line(lambda seen, bot=bot: seen["type"] == "deleted" and seen["bot"] == bot, line)  # type: ignore[misc]
        return float(max(offer["at"] for offer in offers) - began)

    async def link_theirs(self) -> None:
        """The same with the library alone, from the start of its process."""
        phone = await self._whatsapp.do("account")
        mark = await self._whatsapp.do("mark")
        store = str(self._directory / f"{phone}.db")
        began = time.time()
        async with library(self._whatsapp) as child:
            await child.call("start", phone, store=store)
            offer = await child.wait("qr", phone)
            offered = await self._whatsapp.do("refs_sent", mark=mark)
            scanned = await self._whatsapp.do("scan", phone=phone, qr=offer["data"])
            done = await child.wait("Connected", phone)
            self.theirs.cold_s.append(offer["at"] - began)
            self.theirs.offer_s.append(offer["at"] - offered)
            self.theirs.scan_s.append(done["at"] - scanned["at"])
            self._alone.append(Alone(phone, store, scanned["jid"]))
            await self._whatsapp.do("online", phones=[phone])
            await child.call("stop", phone)

    async def start_ours(self, count: int) -> list[str]:
        """Start some of our bots, which are linked: they share one worker. Their accounts."""
        chosen = dict(list(self._bots.items())[:count])
        for bot in chosen:
            await self._server.call("POST", f"/bots/{bot}/start", {})
        for bot in chosen:
            await self._server.bot_until(bot, lambda seen: seen["status"] == "connected")
        await self._whatsapp.do("online", phones=list(chosen.values()))
        return list(chosen.values())

    async def start_theirs(self, child: Any, count: int) -> list[str]:
        """Start some of the bare library's devices in one process, handlers that count. Their accounts."""
        chosen = self._alone[:count]
        for one in chosen:
            await child.call("start", one.phone, store=one.store, jid=one.jid)
            await child.wait("Connected", one.phone)
        await self._whatsapp.do("online", phones=[one.phone for one in chosen])
        return [one.phone for one in chosen]

    async def latency_ours(self) -> list[float]:
        """Seconds from WhatsApp's write to the client's handler, at a steady rate to one bot."""
        phones = await self.start_ours(1)
        await self._flood_ours(phones, 5)
        sent, seen = await self._flood_ours(phones, self._size.latency_messages, LATENCY_PER_SECOND)
        return [seen[message_id] - at for message_id, at in sent.items()]

    async def _flood_ours(
        self, phones: list[str], each: int, per_second: float = 0.0
    ) -> tuple[dict[str, float], dict[str, float]]:
        flood = await self._whatsapp.do("flood", phones=phones, count=each, per_second=per_second)
        return flood["sent"], await self._client.messages(each * len(phones))

    async def latency_theirs(self) -> list[float]:
        """The same from WhatsApp's write to a handler beside the library."""
        async with library(self._whatsapp) as child:
            phones = await self.start_theirs(child, 1)
            await self._whatsapp.do("flood", phones=phones, count=5, per_second=0)
            last = await self._whatsapp.do(
                "flood", phones=phones, count=self._size.latency_messages, per_second=LATENCY_PER_SECOND
            )
            sent: dict[str, float] = last["sent"]
            await child.wait("Message", phones[0], where=lambda event: event["id"] == list(sent)[-1])
            seen = {event["id"]: event["at"] for event in child.events if event["event"] == "Message"}
            return [seen[message_id] - at for message_id, at in sent.items()]

    async def flood_ours(self, phones: list[str]) -> Flood:
        """From the first write to the last arrival at the client, all bots in one worker."""
        before = cpu_s(self._server.pid)
        sent, seen = await self._flood_ours(phones, self._size.flood_each)
        return Flood.of(sent, max(seen.values()), cpu_s(self._server.pid) - before)

    async def flood_theirs(self, child: Any, phones: list[str]) -> Flood:
        """The same into handlers that count."""
        before_s = cpu_s(child.process.pid)
        before = (await child.call("counted", phones[0]))["count"]
        flood = await self._whatsapp.do("flood", phones=phones, count=self._size.flood_each, per_second=0)
        sent: dict[str, float] = flood["sent"]
        counted = {"count": 0, "lastAt": 0.0}
        while counted["count"] < before + len(sent):
            await asyncio.sleep(0.1)
            counted = await child.call("counted", phones[0])
        return Flood.of(sent, counted["lastAt"], cpu_s(child.process.pid) - before_s)

    async def saturation(self) -> tuple[list[Flood], list[Flood]]:
        """Floods of both in turns: neighbours in time see the same machine."""
        ours, theirs = [], []
        phones = await self.start_ours(20)
        workers = await self._server.metric("orchestrator_workers")
        assert workers <= 2, f"there are {workers} workers; one for all bots and a warm spare were expected"
        await self._flood_ours(phones, 3)
        async with library(self._whatsapp) as child:
            alone = await self.start_theirs(child, 20)
            for phone in alone:
                await child.call("count", phone)
            await self.flood_theirs(child, alone)
            for _ in range(self._size.floods):
                theirs.append(await self.flood_theirs(child, alone))
                ours.append(await self.flood_ours(phones))
        return ours, theirs


async def measure(size: Size, directory: Path) -> list[Figure]:
    """All figures of one run."""
    async with AsyncExitStack() as stack:
        whatsapp = await stack.enter_async_context(WhatsApp.running())
        environment = {key: value for key, value in os.environ.items() if not key.startswith("ORCHESTRATOR_")}
        options = ("--proxy", whatsapp.proxy_url, "--max-bots-per-user", "1000", "--max-link-attempts-per-hour", "1000")
        server = await stack.enter_async_context(
            Server.running(directory / "data", {**environment, **whatsapp.env()}, *options, "--log-level", "warning")
        )
        client = await stack.enter_async_context(Client.connected(server.url, server.token))
        ring = Ring(whatsapp, server, client, directory, size)
        for number in range(size.links):
            print(f"\rlinking {number + 1} of {size.links} ", end="", file=sys.stderr, flush=True)
            await ring.link_ours()
            await ring.link_theirs()
            if number % 4 == 0:
                ring.twice_s.append(await ring.cold_twice())
        print("\rlatency ...        ", end="", file=sys.stderr, flush=True)
        latency = await ring.latency_ours(), await ring.latency_theirs()
        print("\rsaturation ...     ", end="", file=sys.stderr, flush=True)
        ours, theirs = await ring.saturation()
        print("\r", end="", file=sys.stderr)
        return figures(ring, *latency, ours, theirs)


def figures(
    ring: Ring, ours_s: list[float], theirs_s: list[float], ours: list[Flood], theirs: list[Flood]
) -> list[Figure]:
    """The table's lines."""
    ratio = median([mine.per_second / alone.per_second for mine, alone in zip(ours, theirs, strict=True)])

    def both(name: str, unit: str, pick: Callable[[Flood], float]) -> Figure:
        return Figure(name, median([pick(one) for one in ours]), median([pick(one) for one in theirs]), None, unit)

    return [
        Figure("cold start to first qr, median", median(ring.ours.cold_s), median(ring.theirs.cold_s), 2.0, "s"),
        Figure("... when no worker is warm, median", median(ring.twice_s), median(ring.theirs.cold_s), 2.0, "s"),
        Figure("pair-device to qr, p99", p99(ring.ours.offer_s), p99(ring.theirs.offer_s), 0.1, "s"),
        Figure("scan to connected, median", median(ring.ours.scan_s), median(ring.theirs.scan_s), 1.5, "s"),
        Figure("message at 50/s, median", median(ours_s), median(theirs_s), 0.025, "s"),
        Figure("message at 50/s, p99", p99(ours_s), p99(theirs_s), 0.1, "s"),
        both("20 bots in one worker, durable, flooded", "/s", lambda flood: flood.per_second),
        Figure("... as a part of the library alone", ratio, 1.0, 0.5, "", at_least=True),
        both("... WhatsApp wrote them at", "/s", lambda flood: flood.written_per_second),
        both("... CPU a message", "s", lambda flood: flood.cpu_s),
    ]


async def _bounded(size: Size) -> list[Figure]:
    with tempfile.TemporaryDirectory(prefix="ring-") as directory:
        async with asyncio.timeout(AT_MOST_S):
            return await measure(size, Path(directory))


def main() -> int:
    """Runs and prints; the exit code of the command."""
    parser = argparse.ArgumentParser(description="Measure the ring on loopback.")
    parser.add_argument("--quick", action="store_true", help="a smoke run")
    size = QUICK if parser.parse_args().quick else FULL
    began = time.monotonic()
    found = asyncio.run(_bounded(size))
    print(show(found))
    load = os.getloadavg()[0]
    print(f"{time.monotonic() - began:.0f} s, {os.cpu_count()} cores, load {load:.1f}; {size}")
    return 0 if all(figure.met for figure in found) else 1


if __name__ == "__main__":
    sys.exit(main())
