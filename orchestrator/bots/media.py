"""Uploaded files as users see them: implements `ports.MediaRoom` over the bots' files.

Owns whose they are. Read `files.py` next for how long they are kept.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from orchestrator.bots.files import Receiver, plain_name
from orchestrator.bots.fleet import BotFleet
from orchestrator.ports import Media
from orchestrator.store.media import StoredMedia
from sessions.media import FileKind


class _Incoming:
    """Implements `ports.Incoming`."""

    def __init__(self, receiver: Receiver) -> None:
        self._receiver = receiver
        self.feed = receiver.feed
        self.digest = receiver.digest

    async def finish(self) -> Media:
        return _shown(await self._receiver.keep())


class BotMedia:
    """The uploaded files of all users' bots."""

    def __init__(self, fleet: BotFleet) -> None:
        self._fleet = fleet

    @asynccontextmanager
    async def receive(
        self, user: str, bot_id: str, *, declared: str | None, name: str | None, kind: FileKind | None, size: int | None
    ) -> AsyncIterator[_Incoming]:
        bot = self._fleet.mailbox(user, bot_id).state.bot.id
        async with self._fleet.files.receive(bot, kind, size) as receiver:
            receiver.declared, receiver.name = declared, plain_name(name)
            yield _Incoming(receiver)

    async def get(self, user: str, bot_id: str, media_id: str) -> Media:
        bot = self._fleet.mailbox(user, bot_id).state.bot.id
        return _shown(self._fleet.files.get(bot, media_id))

    async def remove(self, user: str, bot_id: str, media_id: str) -> None:
        bot = self._fleet.mailbox(user, bot_id).state.bot.id
        await self._fleet.files.erase(bot, self._fleet.files.get(bot, media_id).id)


def _shown(stored: StoredMedia) -> Media:
    return Media(stored.id, stored.mimetype, stored.size, stored.name, stored.expires_at)
