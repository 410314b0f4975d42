"""What the session contract suite needs of an implementation: the recording outlet and the harness to be filled in.

Owns the abstract `Harness` and `RecordingOutlet`. It must never know an implementation. Read `session_suite.py` next.
"""

from __future__ import annotations

import asyncio
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, TypeVar

from sessions.model import Content, MessageKind, QrOffered, ReceiptKind, SessionEvent
from sessions.session import Session, SessionSpec
from tests.contracts.group_harness import GroupHarness

WAIT_S = 30.0
"""Deadline of every wait that names none; generous, because it is reached only by failing tests."""

Event = TypeVar("Event", bound=SessionEvent)


@dataclass(frozen=True, slots=True)
class Spooled:
    """One call of `Outlet.spool`."""

    ordinal: int
    kind: int
    raw: bytes


@dataclass(frozen=True, slots=True)
class Delivered:
    """One call of `Outlet.deliver`."""

    ordinal: int | None
    at_ms: int
    event: SessionEvent


@dataclass(frozen=True, slots=True)
class FileIn:
    """A file the contact received, decrypted."""

    kind: str
    sha256: str
    mimetype: str
    beside: dict[str, Any]
    """caption, name, seconds, width, height, thumbnail, animated, quoted, mentions: those that are given."""


class RecordingOutlet:
    """An `Outlet` that remembers everything, in order; callable from any thread.

    A harness whose sessions live in another process fills one from there with `record`.
    """

    def __init__(self) -> None:
        self.log: list[Spooled | Delivered] = []
        self._lock = threading.Lock()
        self._ordinal = 0
        self.broken = False
        """While true the disk refuses, at the latest from the harness's next `text` on."""

    def spool(self, kind: int, raw: bytes) -> int:
        with self._lock:
            if self.broken:
                raise OSError("the disk refuses")
            self._ordinal += 1
            self.log.append(Spooled(self._ordinal, kind, raw))
            return self._ordinal

    def deliver(self, ordinal: int | None, at_ms: int, event: SessionEvent) -> None:
        self.record(Delivered(ordinal, at_ms, event))

    def record(self, entry: Spooled | Delivered) -> None:
        """Append one entry that arose elsewhere."""
        with self._lock:
            self.log.append(entry)

    @property
    def delivered(self) -> list[Delivered]:
        """What was delivered so far."""
        with self._lock:
            return [entry for entry in self.log if isinstance(entry, Delivered)]

    @property
    def spooled(self) -> list[Spooled]:
        """What was spooled so far."""
        with self._lock:
            return [entry for entry in self.log if isinstance(entry, Spooled)]

    @property
    def events(self) -> list[SessionEvent]:
        """Events delivered so far."""
        return [entry.event for entry in self.delivered]

    def of(self, kind: type[Event]) -> list[Event]:
        """Events of one kind delivered so far."""
        return [event for event in self.events if isinstance(event, kind)]

    async def wait(
        self,
        kind: type[Event],
        *,
        count: int = 1,
        where: Callable[[Event], object] = lambda _: True,
        timeout_s: float = WAIT_S,
    ) -> Event:
        """Return the `count`-th event of a kind (and condition), waiting for it; earlier ones count."""

        def found() -> list[Event]:
            return [event for event in self.of(kind) if where(event)]

        await self.until(lambda: len(found()) >= count, f"{kind.__name__} number {count}", timeout_s)
        return found()[count - 1]

    async def until(self, true: Callable[[], object], what: str, timeout_s: float = WAIT_S) -> None:
        """Wait until `true()` holds; entries come from other threads, so it is asked again every few milliseconds."""
        deadline = time.monotonic() + timeout_s
        while not true():
            names = [type(event).__name__ for event in self.events]
            assert time.monotonic() < deadline, f"{what} did not come within {timeout_s} s; there were {names}"
            await asyncio.sleep(0.005)


class Harness(ABC):
    """One account, its phone, one contact and a WhatsApp they meet at; made new for each test.

    Every method returns when WhatsApp's side has done its part; what the session makes of it the suite waits for.
    """

    contact: str = "491701234567"
    """Number of a contact who has a LID."""
    contact_lid: str
    """That contact's LID form, `…@lid`."""
    contact_without_lid: str = "491707654321"
    """Number of a contact whose messages come from the phone form and name no LID."""
    absent: str = "491700000000"
    """A number that is not on WhatsApp."""

    @property
    def contact_pn(self) -> str:
        """The contact's phone form."""
        return f"{self.contact}@s.whatsapp.net"

    @abstractmethod
    def spec(self, account_jid: str | None = None) -> SessionSpec:
        """A spec for the account's device file, with an incarnation of its own each time."""

    @abstractmethod
    async def make_session(self, spec: SessionSpec) -> tuple[Session, RecordingOutlet]:
        """A session that has not been started. The harness stops what a test leaves running."""

    # --- the owner's phone ---------------------------------------------------------------------------------------

    @abstractmethod
    async def scan(self, offer: QrOffered) -> None:
        """Scan a code."""

    @abstractmethod
    async def enter_code(self, code: str) -> None:
        """Type a pairing code in."""

    @abstractmethod
    async def fail_pairing(self, offer: QrOffered) -> None:
        """Scan a code in such a way that the pairing fails."""

    @abstractmethod
    async def end_codes(self) -> None:
        """Let the attempt end as when all codes were used up, without waiting that long."""

    @abstractmethod
    async def unlink(self) -> None:
        """Remove the device on the phone."""

    @abstractmethod
    async def write_on_phone(self, text: str) -> str:
        """Send a text to the contact from the phone itself. Returns the message id."""

    @abstractmethod
    async def history(self, past: list[tuple[str, str, int, bool]], *, inline: bool) -> None:
        """Hand over past texts with the contact from the phone: (message id, text, when in ms, whether the owner wrote
        it); inside the notification, or as a file where that can be played."""

    # --- the contact ---------------------------------------------------------------------------------------------

    @abstractmethod
    async def text(self, text: str, addressing: Literal["lid", "pn", "no_lid"] = "lid") -> str:
        """Send a text to the bot: from the LID, from the phone form beside which the LID is told, or from the contact
        without a LID. It waits when the bot is away. Returns the message id."""

    @abstractmethod
    async def odd_message(self) -> str:
        """Send the bot something that is no text, such as a location. Returns the message id."""

    @abstractmethod
    async def reply(self, text: str, quoted: str, author: str, mentions: tuple[str, ...]) -> str:
        """Send the bot a text that answers a message and mentions people. Returns the message id."""

    @abstractmethod
    async def change(self, what: Literal["reaction", "edited", "revoked"], target: str, text: str = "") -> str:
        """React with an emoji to a message, give one of the contact's own new words, or delete it. Returns the id."""

    @abstractmethod
    async def say(self, kind: MessageKind, content: Content) -> str:
        """Send the bot a location, a contact card, a poll or the metadata of a file. Returns the message id."""

    @abstractmethod
    async def next_words(self) -> tuple[str, dict[str, Any]]:
        """Wait for the next message of any kind the contact gets from the bot: its id, and it in words
        (`tests/loopback/kinds.py`)."""

    @abstractmethod
    async def next_file(self) -> tuple[str, FileIn]:
        """Wait for the next message with a file the contact gets from the bot, and open it: (message id, file)."""

    @abstractmethod
    async def uploads(self, how: Literal["", "refuse", "hang", "never"]) -> None:
        """What becomes of uploads from now on: taken, refused for the moment, unanswered, or refused for what they are."""

    @abstractmethod
    async def hanging(self) -> None:
        """Wait until an upload hangs."""

    @abstractmethod
    async def next_text(self) -> tuple[str, str]:
        """Wait for the next text the contact gets from the bot: (message id, text)."""

    @abstractmethod
    async def receipt(self, message_id: str, kind: ReceiptKind) -> None:
        """Acknowledge a message of the bot's, `delivered` or `read`."""

    @abstractmethod
    async def group(self) -> GroupHarness:
        """Make a group with the contact, two others and the linked account in it; nobody is told."""

    # --- WhatsApp and the line -----------------------------------------------------------------------------------

    @abstractmethod
    async def drop(self) -> None:
        """Cut the line once; the next try of the library succeeds."""

    @abstractmethod
    async def replace(self) -> None:
        """Connect the same device elsewhere."""

    @abstractmethod
    async def refuse_login(self, number: int) -> None:
        """Answer the account's next login with this failure number."""

    @abstractmethod
    async def ban(self, seconds: int) -> None:
        """Answer the account's next login with a temporary ban, code 101."""

    @abstractmethod
    async def stream_error(self) -> None:
        """Report a stream error the library doesn't know; the line stays open."""

    @abstractmethod
    async def refuse_next_send(self, number: int) -> None:
        """Acknowledge the bot's next message with this error number."""

    @abstractmethod
    async def stream_restarts(self) -> int:
        """How often the stream was restarted with 515 so far."""

    @abstractmethod
    async def lose_keys(self) -> None:
        """Destroy the account's keys in the device file; the file may stay."""
