"""Asking WhatsApp who is behind a phone number before something is sent to it: seldom, briefly, one question a number.

Owns when a question is worth asking, and its bounds. What is not asked, or not answered in time, the send itself finds
out. It must never know a queue. Read `people.py` for what is known without asking.
"""

from __future__ import annotations

import asyncio

from orchestrator.bots.moves import BotState
from orchestrator.bots.pace import Bucket, Pace
from orchestrator.bots.people import People
from orchestrator.bots.room import Room
from orchestrator.bots.sending import may_send
from orchestrator.ports import CallFailed
from sessions.model import USER_SERVER, Found, Jid

FIND_S = 3.0
"""A send is not held up for longer than this."""
QUESTIONS = Pace(0.5, 10)
"""Guess: what somebody who writes to new people by hand would not exceed. The library asks once more when it sends."""


class Finder:
    """Questions of one bot about phone numbers."""

    def __init__(self, room: Room, bot: str, who: People) -> None:
        self._room = room
        self._bot = bot
        self._who = who
        self._bucket = Bucket(QUESTIONS)
        self._asking: dict[str, asyncio.Task[Found | None]] = {}

    async def find(self, address: str, state: BotState) -> Found | None:
        """Return what WhatsApp says of a number whose LID is not known; None when it was not asked or did not say."""
        jid = Jid.parse(address)
        if jid.server != USER_SERVER or self._who.canonical(address) != address or not may_send(state):
            return None
        work = self._asking.get(address)
        if work is None:
            now_ms = self._room.clock.wall_ms()
            if self._bucket.ready_ms(now_ms) > now_ms:
                return None
            self._bucket.take(now_ms)
            work = self._asking[address] = self._room.tasks.spawn("find person", self._ask(jid.user))
            work.add_done_callback(lambda _: self._asking.pop(address, None))
        # Who asked may go away; others wait for the same answer.
        return await asyncio.shield(work)

    async def _ask(self, phone: str) -> Found | None:
        try:
            async with asyncio.timeout(FIND_S):
                return await self._room.host.find(self._bot, phone)
        except (TimeoutError, CallFailed):
            return None
