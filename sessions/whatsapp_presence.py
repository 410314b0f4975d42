"""Being there for WhatsApp, which is the price of knowing who else is there.

WhatsApp tells presence only to a device that is available itself and has asked about each person; both hold for one
connection (whatsmeow presence.go). Owns who is asked about: the people the bot talked with last, a bounded number, one
call at a time. Only sessions that want presence have one. It must never know an event. Read `whatsapp_session.py` next.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable
from typing import Protocol

from sessions.model import LID_SERVER, USER_SERVER, Jid
from sessions.whatsapp_library import Library
from sessions.worker_tasks import spawn

PEOPLE_MOST = 64
"""People whose presence is asked for; who was met longest ago is forgotten first."""
CALL_S = 20.0
AGAIN_S = 10.0
"""A device that may not be available yet, for want of its account's name, tries again at the earliest after this."""


class Calls(Protocol):
    """Makes one noted call of the library in a thread of its own; True when the library had no complaint."""

    def __call__(self, operation: str, work: Callable[[], bool]) -> asyncio.Future[bool]: ...


class Appearance:
    """One session's. All methods belong to the loop's thread."""

    def __init__(self, library: Library, device: bytes, call: Calls, wanted: Callable[[], bool]) -> None:
        self._library = library
        self._device = device
        self._call = call
        self._wanted = wanted
        self._people: OrderedDict[str, bool] = OrderedDict()
        """Chats, the last met last, and whether they were asked about on this connection."""
        self._there = False
        self._not_before_s = 0.0
        self._working = False

    def connected(self) -> None:
        """A connection is up: nothing that was said on the one before holds."""
        self._there, self._not_before_s = False, 0.0
        self._people = OrderedDict.fromkeys(self._people, False)
        self._go()

    def met(self, chat: str) -> None:
        """Somebody wrote, or was written to, in this chat; groups are no persons."""
        if Jid.parse(chat).server not in {USER_SERVER, LID_SERVER}:
            return
        self._people[chat] = self._people.pop(chat, False)
        if len(self._people) > PEOPLE_MOST:
            self._people.popitem(last=False)
        self._go()

    def _go(self) -> None:
        now_s = asyncio.get_running_loop().time()
        if not self._working and (self._next() is not None or not self._there) and now_s >= self._not_before_s:
            self._working = True
            spawn("presence", self._work())

    def _next(self) -> str | None:
        return next((chat for chat, asked in self._people.items() if not asked), None)

    async def _work(self) -> None:
        try:
            if not self._there:
                self._there = await self._made("appear", lambda: self._library.appear(self._device))
            if not self._there:
                self._not_before_s = asyncio.get_running_loop().time() + AGAIN_S
            while self._there and (chat := self._next()) is not None:
                self._people[chat] = True
                who = Jid.parse(chat)
                await self._made("watch", lambda who=who: self._library.watch(self._device, who))  # type: ignore[misc]
        finally:
            self._working = False

    async def _made(self, operation: str, work: Callable[[], bool]) -> bool:
        await self._library.gate.call()
        if not self._wanted():
            return False
        try:
            return await asyncio.wait_for(self._call(operation, work), CALL_S)
        except TimeoutError:
            return False
