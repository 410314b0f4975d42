"""Everything that comes by itself: one person's socket and streams, opened, steered and left at random.

Owns two clients of a few lines that hand every byte they get to the witness. It must never know what should come.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import random
from collections.abc import Mapping
from typing import Any

import aiohttp

from tests.tenants.asking import Memory
from tests.tenants.witness import Person, Witness

ACTIONS = ("start", "send", "send", "send", "link", "pairing_code", "nonsense")


class Receiving:
    """One person's ways to be told."""

    def __init__(
        self,
        http: aiohttp.ClientSession,
        url: str,
        person: Person,
        others: list[Person],
        memories: Mapping[str, Memory],
        witness: Witness,
        chance: random.Random,
    ) -> None:
        self._http = http
        self._url = url
        self._person = person
        self._others = others
        self._memories = memories
        self._witness = witness
        self._chance = chance
        self._number = 0
        self._foreign_commands: set[str] = set()
        self.admitted = 0
        self.frames = 0
        self.streamed = 0

    # --- the socket -----------------------------------------------------------------------------------------------

    async def hold_a_socket(self) -> int:
        """Connect somehow, do something on it for a while, leave; return how many steps that was."""
        steps = 1
        url = f"{self._url}/socket.io/?EIO=4&transport=websocket"
        async with self._http.ws_connect(url, max_msg_size=0) as socket:
            await socket.send_str("40" + json.dumps(self._auth()))
            reading = asyncio.get_running_loop().create_task(self._read(socket))
            try:
                for _ in range(self._chance.randrange(5, 60)):
                    if reading.done():
                        break
                    await socket.send_str(self._packet())
                    steps += 1
                    await asyncio.sleep(self._chance.choice((0, 0.01, 0.05, 0.1)))
            except (ConnectionError, aiohttp.ClientError):
                pass
            finally:
                reading.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await reading
        return steps

    def _auth(self) -> dict[str, Any]:
        chance, memory = self._chance, self._memories[self._person.name]
        auth: dict[str, Any] = {
            "token": self._person.token,
            "acks": chance.random() < 0.5,
            "takeover": chance.random() < 0.7,
        }
        if chance.random() < 0.8:
            auth["userId"] = self._person.user if chance.random() < 0.9 else chance.choice(self._others).user
        if chance.random() < 0.7:
            whose = self._memories[chance.choice(self._others).name] if chance.random() < 0.3 else memory
            auth["resume"] = {**self._position(whose), "connectionId": whose.one(chance, "proof", "con_unknown")}
        return auth

    def _position(self, memory: Memory) -> dict[str, Any]:
        epoch, _, seq = memory.one(self._chance, "position", "log_unknown:1").partition(":")
        return {"epoch": epoch, "seq": max(0, int(seq) - self._chance.randrange(50))}

    def _packet(self) -> str:
        chance, memory = self._chance, self._memories[self._person.name]
        foreign = chance.random() < 0.2
        if foreign:
            memory = self._memories[chance.choice(self._others).name]
        kind = chance.random()
        if kind < 0.25:
            return "42" + json.dumps(["resync", self._position(memory)])
        if kind < 0.4:
            return "42" + json.dumps(["ack", self._position(self._memories[self._person.name])])
        self._number += 1
        bot = memory.one(chance, "bot", "bot_unknown")
        command = {"id": f"cmd-{self._number}", "botId": bot, "action": chance.choice(ACTIONS)}
        match command["action"]:
            case "send":
                command |= {"to": self._witness.number(self._person), "text": self._witness.word(self._person, "text")}
            case "link" | "pairing_code":
                command |= {"phone": "12"}
        if foreign and bot != "bot_unknown":
            self._foreign_commands.add(str(self._number))
        return f"42{self._number}" + json.dumps(["command", command])

    async def _read(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        async for message in socket:
            if message.type is not aiohttp.WSMsgType.TEXT:
                continue
            text: str = message.data
            self._witness.received(self._person, "the socket", text.encode())
            if text == "2":
                await socket.send_str("3")
            elif text.startswith("40"):
                self.admitted += 1
            elif text.startswith("42"):
                self.frames += 1
                frame = json.loads(text[2:])[1]
                self._memories[self._person.name].learn(frame)
            elif text.startswith("43"):
                number, _, rest = text[2:].partition("[")
                if number in self._foreign_commands and '"ok":true' in rest:
                    self._witness.findings.append(f"{self._person.name} steered somebody else's bot: {rest[:200]}")

    # --- streams --------------------------------------------------------------------------------------------------

    async def hold_a_stream(self) -> int:
        """Open a stream somewhere, read for a while, leave; return how many steps that was."""
        chance = self._chance
        headers = {"Authorization": f"Bearer {self._person.token}", "Accept": "text/event-stream"}
        query: dict[str, str] = {}
        about: Person | None = None
        if chance.random() < 0.7:
            whose = self._person if chance.random() < 0.7 else chance.choice(self._others)
            headers["Last-Event-ID"] = self._memories[whose.name].one(chance, "position", "log_unknown:1")
        if chance.random() < (0.7 if self._person.operator else 0.15):
            about = chance.choice(self._others)
            query["userId"] = about.user
        timeout = aiohttp.ClientTimeout(total=None, sock_read=10)
        url = f"{self._url}/api/v1/events"
        async with self._http.get(url, params=query, headers=headers, timeout=timeout) as answer:
            if answer.status == 200 and about is not None and not self._person.operator:
                self._witness.findings.append(f"{self._person.name} opened the stream of {about.name}")
            granted = about.name if about is not None and self._person.operator else None
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(chance.uniform(0.05, 2.0)):
                    async for line in answer.content:
                        self._witness.received(self._person, "a stream", line, granted)
                        self.streamed += line.startswith(b"data")
                        if granted is None and line.startswith(b"data"):
                            self._memories[self._person.name].learn(json.loads(line[5:]))
        return 1
