"""The files of sends: taken in, fetched from addresses, bound to sends, handed over, and erased when nobody needs them.

Owns who may have a file and how long it is kept: an uploaded one until it expires or its bot goes, and no queued send
names it; a fetched one with its one send. It must never know a user or a session. Read `orchestrator/store/media.py` for
the disk, `orchestrator/fetching.py` for addresses, `sending.py` for who asks.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from pathlib import PurePosixPath
from urllib.parse import unquote, urlsplit

import msgspec

from orchestrator import errors, fetching, filetypes
from orchestrator.clock import Clock
from orchestrator.errors import Refused
from orchestrator.fetching import Fetcher, FetchFailed
from orchestrator.model import new_id
from orchestrator.store.media import MediaFiles, MediaWriter, StoredMedia
from sessions.media import MAX_BYTES, FileKind
from sessions.model import Outgoing, OutgoingMedia

KEEP_MS = 24 * 3_600_000
GRACE_MS = 300_000
"""An expired file is erased only after this: a send that names it may be on its way into the queue."""
FETCHES = 4
"""Fetches at once, of all bots."""


class Receiver:
    """A file on its way in: `ports.Incoming` for uploads; fetches use it too."""

    def __init__(self, files: BotFiles, writer: MediaWriter, bot: str, media: str, kind: FileKind | None) -> None:
        """Use `BotFiles.receive`."""
        self._files, self._writer, self._bot, self._media, self._kind = files, writer, bot, media, kind
        self.declared: str | None = None
        self.name: str | None = None
        self.once = False
        self._head = b""

    async def feed(self, chunk: bytes) -> None:
        """See `ports.Incoming`."""
        self._files.check_room(self._bot, self._kind, self._writer.size + len(chunk), len(chunk))
        if len(self._head) < filetypes.HEAD:
            self._head += chunk[: filetypes.HEAD - len(self._head)]
        await self._writer.write(chunk)

    def digest(self) -> bytes:
        """See `ports.Incoming`."""
        return self._writer.digest.digest()

    def wrong(self) -> str | None:
        """Return what is wrong with all the bytes, for people; None when nothing is."""
        if not self._writer.size:
            return "the file is empty"
        mimetype = filetypes.recognise(self._head, self.declared)
        takes = filetypes.fits(self._kind, mimetype) if self._kind is not None else None
        return None if takes is None else f"the file is {mimetype}; {self._kind} takes {takes}"

    async def keep(self) -> StoredMedia:
        """Make it whole and durable. Refuses `invalid_field` for what it is, `storage_unavailable`."""
        wrong = self.wrong()
        if wrong is not None:
            raise errors.invalid("body", f"body: {wrong}")
        mimetype = filetypes.recognise(self._head, self.declared)
        now_ms = self._files.clock.wall_ms()
        stored = StoredMedia(
            self._media, self._bot, mimetype, self._writer.size, now_ms, now_ms + KEEP_MS, self.name, self.once
        )
        return await self._writer.finish(stored)


class BotFiles:
    """The files of all bots."""

    def __init__(self, stored: MediaFiles, fetcher: Fetcher, clock: Clock, max_bytes: int) -> None:
        """`max_bytes`: what a bot's files may take together."""
        self._stored = stored
        self._fetcher = fetcher
        self._max_bytes = max_bytes
        self._fetching = asyncio.Semaphore(FETCHES)
        self._pinned: set[tuple[str, str]] = set()
        """Fetched, and not yet named by their send."""
        self.clock = clock

    # --- in ---

    @asynccontextmanager
    async def receive(self, bot: str, kind: FileKind | None, size: int | None = None) -> AsyncIterator[Receiver]:
        """Take a file in; nothing is left of it unless it is kept."""
        self.check_room(bot, kind, size or 0, size or 0)
        media = new_id("med")
        async with self._stored.writer(bot, media) as writer:
            yield Receiver(self, writer, bot, media, kind)

    def check_room(self, bot: str, kind: FileKind | None, size: int, more: int) -> None:
        """Refuses `payload_too_large` above what WhatsApp takes, `media_full` above what the bot may have here."""
        most = MAX_BYTES[kind] if kind is not None else max(MAX_BYTES.values())
        if size > most:
            raise Refused("payload_too_large", f"A file of kind {kind or 'document'} has at most {_mb(most)}.")
        if self._stored.used(bot) + more > self._max_bytes:
            raise Refused("media_full")

    async def fetch(self, bot: str, outgoing: OutgoingMedia) -> StoredMedia:
        """Fetch the file a send names by its address. It is kept from `sweep` until `release_pin`.

        Raises:
            FetchFailed: it can't be had, or not now.
        """
        async with self._fetching, self._fetcher.get(outgoing.url or "") as answer:
            try:
                async with self.receive(bot, outgoing.kind, answer.size) as receiver:
                    receiver.declared, receiver.once = answer.mimetype, True
                    receiver.name = _name_in(outgoing.url or "")
                    async for chunk in answer.chunks:
                        await receiver.feed(chunk)
                    wrong = receiver.wrong()
                    if wrong is not None:
                        raise FetchFailed(f"{wrong[0].upper()}{wrong[1:]}.")
                    stored = await receiver.keep()
                    self._pinned.add((bot, stored.id))
            except Refused as refused:
                raise FetchFailed(refused.message, again=refused.code != "payload_too_large") from None
        return stored

    def release_pin(self, bot: str, media: str) -> None:
        """The send names it now, durably, or is gone."""
        self._pinned.discard((bot, media))

    # --- sends ---

    def bind(self, bot: str, outgoing: OutgoingMedia) -> OutgoingMedia:
        """Return a send with what is known of its file, checked; one by address is only looked at.

        Refuses `invalid_field`.
        """
        kind = outgoing.kind
        if (outgoing.media is None) == (outgoing.url is None):
            raise errors.invalid(f"{kind}.mediaId", f"{kind}.mediaId: give mediaId or url, one of them")
        if outgoing.url is not None:
            problem = fetching.wrong(outgoing.url)
            if problem is None and not fetching.reachable(outgoing.url, self._fetcher.allow):
                problem = "give an address on the public network, or one the operator allows (MEDIA_ALLOW)"
            if problem is not None:
                raise errors.invalid(f"{kind}.url", f"{kind}.url: {problem}")
            return outgoing
        stored = self._stored.get(bot, outgoing.media or "")
        if stored is None or stored.once or stored.expires_at <= self.clock.wall_ms():
            raise errors.invalid(
                f"{kind}.mediaId", f"{kind}.mediaId: this bot has no such file (it may have expired); upload it again"
            )
        takes = filetypes.fits(kind, stored.mimetype)
        if takes is not None:
            raise errors.invalid(f"{kind}.mediaId", f"{kind}.mediaId: {kind} takes {takes}; this is {stored.mimetype}")
        if stored.size > MAX_BYTES[kind]:
            raise errors.invalid(f"{kind}.mediaId", f"{kind}.mediaId: {kind} takes at most {_mb(MAX_BYTES[kind])}")
        return named(outgoing, stored)

    def handed(self, bot: str, outgoing: Outgoing) -> Outgoing:
        """Return a send as its session needs it: with the place of its file."""
        if not isinstance(outgoing, OutgoingMedia) or outgoing.media is None:
            return outgoing
        return msgspec.structs.replace(outgoing, file=str(self._stored.path(bot, outgoing.media)))

    async def ended(self, bot: str, media: str) -> None:
        """A send that named this file is over: what was fetched for it goes."""
        stored = self._stored.get(bot, media)
        self.release_pin(bot, media)
        if stored is not None and stored.once:
            await self._stored.erase(bot, media)

    # --- looking, erasing ---

    def get(self, bot: str, media: str) -> StoredMedia:
        """Refuses `not_found`."""
        stored = self._stored.get(bot, media)
        if stored is None or stored.once or stored.expires_at <= self.clock.wall_ms():
            raise Refused("not_found")
        return stored

    async def erase(self, bot: str, media: str) -> None:
        """Remove one file."""
        await self._stored.erase(bot, media)

    async def erase_bot(self, bot: str) -> None:
        """Remove all files of a bot."""
        await self._stored.erase_bot(bot)

    async def load(self) -> None:
        """Find what an earlier process left."""
        await self._stored.load()

    async def sweep(self, needed: Iterable[tuple[str, str]], bots: Iterable[str]) -> None:
        """Erase what nobody needs.

        Args:
            needed: (bot, file) of every send that is not over.
            bots: those that exist.
        """
        # All at this instant: what comes in while files are erased is not looked at.
        kept, now_ms, found = set(needed) | self._pinned, self.clock.wall_ms(), self._stored.all()
        await self._stored.keep_bots(bots)
        for stored in found:
            over = stored.once or stored.expires_at + GRACE_MS <= now_ms
            if over and (stored.bot, stored.id) not in kept:
                await self._stored.erase(stored.bot, stored.id)


def named(outgoing: OutgoingMedia, stored: StoredMedia) -> OutgoingMedia:
    """Return a send that names a stored file; a document without a name gets the file's."""
    name = outgoing.name or (stored.name or "file" if outgoing.kind == "document" else None)
    return msgspec.structs.replace(
        outgoing, media=stored.id, url=None, mimetype=stored.mimetype, size=stored.size, name=name
    )


def plain_name(name: str | None) -> str | None:
    """Return a file name without its path and what can't be printed; None when nothing is left."""
    last = PurePosixPath((name or "").replace("\\", "/")).name
    kept = "".join(letter for letter in last if letter.isprintable()).strip(" .")[:255]
    return kept or None


def _name_in(url: str) -> str | None:
    try:
        return plain_name(unquote(urlsplit(url).path, errors="strict"))
    except (ValueError, UnicodeError):
        return None


def _mb(size: int) -> str:
    return f"{size // (1024 * 1024)} MB"
