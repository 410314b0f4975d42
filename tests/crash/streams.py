"""Contacts who write numbered texts at a steady rate, and the account of what became of each text.

Owns writing and counting. It must never know what is killed meanwhile. A text's fate is read from three books: what the
loopback WhatsApp's ledger says the library confirmed, what lay in a spool when somebody died, and the journal as
`GET /events` shows it.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import pairwise

from tests.loopback.ledger import Entry
from tests.loopback.phone import Contact, Phone, new_message_id
from tests.loopback.server import LoopbackServer
from tests.support.server import Json, Server
from tests.support.waiting import until


@dataclass(slots=True)
class Stream:
    """One contact writing to one bot's account."""

    contact: Contact
    phone: Phone
    bot: str
    sent: list[str] = field(default_factory=list)
    """Message ids in the order of writing."""


class Streams:
    """All streams of a test. `async with` writes until the block is left."""

    def __init__(self, streams: list[Stream], per_second: float) -> None:
        self.all = streams
        self._per_second = per_second
        self._stopped = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> Streams:
        for number, stream in enumerate(self.all):
            for device in stream.phone.devices:
                await device.wait_keys()
            offset_s = number / len(self.all) / self._per_second
            self._tasks.append(asyncio.get_running_loop().create_task(self._write(stream, offset_s)))
        return self

    async def __aexit__(self, *_: object) -> None:
        self._stopped.set()
        await asyncio.gather(*self._tasks)

    async def _write(self, stream: Stream, offset_s: float) -> None:
        loop = asyncio.get_running_loop()
        began = loop.time() + offset_s
        while not self._stopped.is_set():
            due_s = began + len(stream.sent) / self._per_second - loop.time()
            if due_s > 0:
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._stopped.wait(), due_s)
                continue
            await self._one(stream)

    async def _one(self, stream: Stream) -> None:
        message_id = new_message_id()
        stream.sent.append(message_id)
        await stream.contact.send_text(stream.phone, f"number {len(stream.sent)}", message_id=message_id)

    async def burst(self, each: int) -> None:
        """Every contact writes so many texts at once."""
        for _ in range(each):
            for stream in self.all:
                await self._one(stream)

    @property
    def sent(self) -> int:
        """How many texts were written so far."""
        return sum(len(stream.sent) for stream in self.all)

    async def more(self, count: int, timeout_s: float = 20.0) -> None:
        """Return when so many further texts were written."""
        goal = self.sent + count
        await until(lambda: self.sent >= goal, timeout_s, f"{count} more texts")


class Journal:
    """The whole log as `GET /events` gives it, read on from where it was read to before."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._after: dict[str, str] = {}
        self.events: list[Json] = []

    async def read(self) -> list[Json]:
        """Read on to the head; all events so far. A page may be short of its limit; an empty one is the end."""
        while True:
            page = await self._server.call("GET", "/events", None, limit=1000, **self._after)  # type: ignore[arg-type]
            if not page["events"]:
                return self.events
            self.events += page["events"]
            self._after = {"after": f"{page['position']['epoch']}:{page['position']['seq']}"}


async def journal(server: Server) -> list[Json]:
    """The whole log now."""
    return await Journal(server).read()


def messages(events: Iterable[Json]) -> dict[str, list[Json]]:
    """Message events by their message id."""
    found: dict[str, list[Json]] = {}
    for event in events:
        if event["type"] == "message":
            found.setdefault(event["data"]["messageId"], []).append(event)
    return found


@dataclass(slots=True)
class Account:
    """What became of the texts."""

    sent: int
    journalled: int
    confirmed_lost: list[str]
    """WhatsApp was told "received", nothing of it was found in any spool, and the journal does not have it."""
    unconfirmed_lost: list[str]
    """WhatsApp still has it, and gave it again, and the library did not take it: its ratchet had moved on."""
    twice: list[str]
    disorder: list[str]

    @property
    def lost(self) -> int:
        """Texts in the windows that can't be covered."""
        return len(self.confirmed_lost) + len(self.unconfirmed_lost)

    def __str__(self) -> str:
        return (
            f"{self.sent} texts sent, {self.journalled} in the journal, lost in the windows: "
            f"{len(self.confirmed_lost)} confirmed by the library, {len(self.unconfirmed_lost)} decrypted only"
        )


def account(streams: Streams, events: list[Json], whatsapp: LoopbackServer) -> Account:
    """Compare what was written with the journal and the ledger."""
    stored = messages(events)
    confirmed = {str(entry.data["id"]) for entry in whatsapp.ledger.entries("message_received")}
    result = Account(streams.sent, 0, [], [], [], [])
    for stream in streams.all:
        numbers = []
        for message_id in stream.sent:
            found = stored.get(message_id, [])
            if len(found) > 1:
                result.twice.append(message_id)
            if found:
                numbers.append((found[0]["seq"], message_id))
            elif message_id in confirmed:
                result.confirmed_lost.append(message_id)
            else:
                result.unconfirmed_lost.append(message_id)
        result.journalled += len(numbers)
        result.disorder += [one[1] for one, after in pairwise(numbers) if one[0] > after[0]]
    return result


async def settled(server: Server, streams: Streams, whatsapp: LoopbackServer, timeout_s: float = 20.0) -> Account:
    """Wait until every stream's last text is in the journal: nothing is on its way any more. Return the account."""
    probes = []
    for stream in streams.all:
        message_id = new_message_id()
        probes.append(message_id)
        stream.sent.append(message_id)
        await stream.contact.send_text(stream.phone, "the last one", message_id=message_id)
    log = Journal(server)

    async def arrived() -> Json:
        stored = messages(await log.read())
        return {"missing": [probe for probe in probes if probe not in stored]}

    await server.poll(arrived, lambda seen: not seen["missing"], timeout_s)
    return account(streams, log.events, whatsapp)


def deliveries(whatsapp: LoopbackServer, message_id: str) -> list[Entry]:
    """Everything the ledger knows of one message, for a failure's text."""
    return whatsapp.ledger.entries(id=message_id)
