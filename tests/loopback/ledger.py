"""The server's own record of what was sent, delivered, acknowledged and refused: what tests compare with.

Owns entries in order of happening, counting and waiting for them; it must never hold message texts, codes or keys.
Neighbour to read next: ``stanzas.py``, which writes most of it.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

Kind = Literal[
    "connected",  # a WebSocket is up
    "disconnected",  # it is gone
    "dropped",  # we dropped a connection whose bytes made no sense; why
    "refs_sent",  # pair-device; count
    "refs_accepted",  # the client took the refs
    "link_code_requested",  # companion_hello; number
    "link_code_refused",  # the code typed on the phone was wrong
    "pair_success_sent",  # after a scan or a right code
    "pair_signed",  # the companion countersigned; the device exists from here on
    "pair_refused",  # the companion answered pair-success with an error; code, text
    "restart_sent",  # stream:error 515 after linking
    "login",  # success sent
    "login_refused",  # failure sent; reason
    "prekeys_stored",  # count
    "active",  # <active/> answered: the client is connected in its own eyes
    "offline_sent",  # the queue was sent after a login; count
    "iq",  # any question; name, answered
    "message_queued",  # for a device, by a contact or another device; id
    "message_sent",  # written to a device's connection; id, offline
    "message_received",  # a device's receipt for a message it was sent; id, type
    "message_retry",  # a device could not decrypt; id
    "message_from_device",  # id, to, devices
    "message_acked",  # our ack for it; id, error
    "message_decrypted",  # a contact's phone could read it; id
    "message_undecryptable",  # it could not; id, why
    "receipt_queued",  # for a device; id, type
    "receipt_sent",  # written to a device's connection; id, type, offline
    "receipt_acked",  # the device's ack for it; id, type
    "notification_queued",  # a change of a group, for a device; id
    "notification_sent",  # written to a device's connection; id, offline
    "notification_acked",  # the device's ack for it; id
    "call_queued",  # something about a call, for a device; id
    "call_sent",  # written to a device's connection; id, offline
    "call_acked",  # the device's ack for it; id
    "subscribed",  # a device asked for somebody's presence; whom
    "read_from_device",  # a device marked messages read; id
    "media_upload_begun",  # the head of an upload is there
    "media_uploaded",  # bytes, mms (the kind as the media hosts name it)
    "media_upload_hung",  # an upload that gets no answer; bytes
    "media_refused",  # an upload whose name, hash or permission was wrong; bytes
    "media_downloaded",  # bytes
    "media_download_hung",  # a download that gets no answer
    "media_download_refused",  # there is no such blob, or it is kept back
    "presence",  # type
    "logout",  # remove-companion-device
    "unlinked",  # removed on the phone
    "stream_error_sent",  # code
    "replaced",  # a second login of the same device pushed the first out
    "stanza",  # any other stanza; tag
]


@dataclass(frozen=True, slots=True)
class Entry:
    """One fact. ``number`` rises by one; ``at_s`` wall time; ``phone`` the account's digits ("" before it is known);
    ``device`` 0 when it is about no linked device."""

    number: int
    at_s: float
    kind: Kind
    phone: str
    device: int
    data: Mapping[str, str | int]

    def matches(self, wanted: Mapping[str, str | int]) -> bool:
        """Whether phone, device or the data have these values."""
        for name, value in wanted.items():
            actual = self.phone if name == "phone" else self.device if name == "device" else self.data.get(name)
            if actual != value:
                return False
        return True


class Timeout(AssertionError):
    """What was waited for did not happen; the text names it and what happened last."""


class Ledger:
    """Append-only. All methods belong to the server's event loop thread."""

    def __init__(self) -> None:
        self._entries: list[Entry] = []
        self._by_kind: dict[str, list[Entry]] = {}
        self._waiters: dict[str, set[Callable[[Entry], None]]] = {}
        self._listeners: list[Callable[[Entry], None]] = []

    def listen(self, listener: Callable[[Entry], None]) -> None:
        """Call ``listener`` with every entry from now on; it must not wait."""
        self._listeners.append(listener)

    def record(self, kind: Kind, phone: str = "", device: int = 0, **data: str | int) -> Entry:
        """Write one entry down and wake who waits for it."""
        entry = Entry(len(self._entries), time.time(), kind, phone, device, data)
        self._entries.append(entry)
        self._by_kind.setdefault(kind, []).append(entry)
        for waiter in tuple(self._waiters.get(kind, ())):
            waiter(entry)
        for listener in self._listeners:
            listener(entry)
        return entry

    def __len__(self) -> int:
        return len(self._entries)

    def entries(self, *kinds: Kind, after: int = 0, **wanted: str | int) -> list[Entry]:
        """Entries from number ``after`` on, of these kinds (any when none is named), with these values, in order."""
        source: Iterable[Entry] = self._by_kind.get(kinds[0], []) if len(kinds) == 1 else self._entries[after:]
        return [
            entry
            for entry in source
            if entry.number >= after and (not kinds or entry.kind in kinds) and entry.matches(wanted)
        ]

    def count(self, kind: Kind, after: int = 0, **wanted: str | int) -> int:
        """How many of them."""
        return len(self.entries(kind, after=after, **wanted))

    async def wait(self, kind: Kind, timeout_s: float = 30.0, after: int = 0, **wanted: str | int) -> Entry:
        """The first such entry from number ``after`` on, past or future; Timeout when it does not come."""
        return (await self.wait_count(1, kind, timeout_s, after, **wanted))[0]

    async def wait_count(
        self, count: int, kind: Kind, timeout_s: float = 30.0, after: int = 0, **wanted: str | int
    ) -> list[Entry]:
        """The first ``count`` such entries; Timeout when there are fewer after ``timeout_s``."""
        found = self.entries(kind, after=after, **wanted)
        if len(found) >= count:
            return found[:count]
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()

        def look(entry: Entry) -> None:
            if entry.matches(wanted):
                found.append(entry)
                if len(found) >= count and not done.done():
                    done.set_result(None)

        waiters = self._waiters.setdefault(kind, set())
        waiters.add(look)
        try:
            await asyncio.wait_for(done, timeout_s)
        except TimeoutError:
            latest = ", ".join(entry.kind for entry in self._entries[-8:])
            raise Timeout(f"{len(found)} of {count} {kind} {wanted} after {timeout_s} s; latest: {latest}") from None
        finally:
            waiters.discard(look)
        return found[:count]
