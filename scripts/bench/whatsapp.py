"""The loopback WhatsApp in a process of its own, for benchmarks: commands as JSON lines in, answers as JSON lines out.

Owns the commands that need to be near the server: encrypting ahead, sending to many at once, and when each thing
left. Run by `parts.py`, which is the neighbour to read next.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from typing import Any

from tests.loopback.devices import QueueKey
from tests.loopback.phone import Phone, Prepared
from tests.loopback.server import LoopbackServer


class Commands:
    """One method per command; arguments and results are JSON values."""

    def __init__(self, server: LoopbackServer) -> None:
        self._server = server
        self._senders: dict[str, Any] = {}

    async def env(self) -> dict[str, Any]:
        """The way here."""
        return {"proxy": self._server.proxy_url, "env": self._server.env()}

    async def account(self) -> str:
        """A new account's number."""
        return self._server.add_account().number

    async def mark(self) -> int:
        """Where the ledger stands."""
        return len(self._server.ledger)

    async def refs_sent(self, mark: int) -> float:
        """When the first pair-device after that mark was sent."""
        return (await self._server.ledger.wait("refs_sent", 15.0, mark)).at_s

    async def scan(self, phone: str, qr: str) -> dict[str, Any]:
        """Scan; when the scan began, and the new device's address."""
        began_s = time.time()
        device = await self._server.phones[phone].scan(qr)
        return {"at": began_s, "jid": str(device.pn_jid)}

    async def online(self, phones: list[str]) -> int:
        """Wait until these accounts' devices are logged in and have keys; how many."""
        devices = [device for phone in phones for device in self._server.phones[phone].devices]
        for device in devices:
            await device.wait_keys()
            await device.wait_online()
        return len(devices)

    async def flood(self, phones: list[str], count: int, per_second: float) -> dict[str, Any]:
        """Encrypt `count` texts for each account first, then send all of them, one account after the other in turns.

        Returns when each was sent, by message id.
        """
        rounds = [[self._prepare(self._server.phones[phone], number) for phone in phones] for number in range(count)]
        due = [prepared for turn in rounds for prepared in turn]
        sent: dict[str, float] = {}
        began = time.time()
        for number, prepared in enumerate(due):
            if per_second:
                await asyncio.sleep(max(0.0, began + number / per_second - time.time()))
            elif number % len(phones) == 0:
                await asyncio.sleep(0)
            sent[prepared.message_id] = time.time()
            prepared.device.deliver(QueueKey("message", prepared.message_id), prepared.node)
        return {"sent": sent}

    def _prepare(self, phone: Phone, number: int) -> Prepared:
        sender = self._senders.get(phone.number)
        if sender is None:
            sender = self._senders[phone.number] = self._server.add_contact(name=f"Sender of {phone.number}")
        (prepared,) = sender.prepare_text(phone, f"message {number} " + "x" * 100)
        return prepared


async def _main() -> None:
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader(limit=1 << 24)
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    async with LoopbackServer.start() as server:
        commands = Commands(server)
        while line := await reader.readline():
            request = json.loads(line)
            try:
                answer = {"result": await getattr(commands, request.pop("do"))(**request)}
            except Exception as error:  # told to the other side, which ends the run
                answer = {"error": f"{type(error).__name__}: {error}"}
            print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    asyncio.run(_main())
