"""Protocols at which rooms meet that must not import each other; `app.py` joins them.

Owns interfaces and the records that cross them. No I/O, no decisions.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Literal, Protocol

import msgspec

from orchestrator.model import Bot, Position, Principal, SendJob
from sessions.model import Outgoing, SendOutcome
from sessions.session import SessionSpec
from sessions.wire import EventFrame

# --- supervisor room → bots' mailboxes -----------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class FromSession:
    """A frame of the bot's session. Call `committed` once its effect is durable (also for duplicates and for events
    that are only counted): the worker may then reuse the spool space. Frames of one incarnation come in order."""

    frame: EventFrame
    worker: str
    """Id of the worker (and of its spool) the frame came from; `bus.Source.worker`."""
    committed: Callable[[], None]


@dataclass(frozen=True, slots=True)
class SessionGone:
    """The incarnation ended without being asked to: its process died, or lost its supervisor socket.

    Sent after every spooled event of it was handed over as `FromSession`.
    """

    incarnation: str
    cause: Literal["crashed", "killed_hung", "storage_unavailable", "start_timed_out", "condemned"]
    suspect: bool
    """A call or callback of this bot was running in the library when the process died."""
    alone: bool
    """No other bot was in the process: only then the death counts against the bot's restart budget."""


HostEvent = FromSession | SessionGone


class HostListener(Protocol):
    """The fleet, as the supervisor room sees it."""

    def on_host_event(self, bot: str, event: HostEvent) -> None:
        """Take one event for a bot's mailbox. Called on the loop; must not wait; unknown bots are ignored."""
        ...


Placement = Literal["linking", "own", "pool"]
"""`linking`: a process for this attempt. `own`: a worker for this bot alone. `pool`: shared with others."""


class StartRefused(Exception):
    """The session could not be handed to a worker. `cause` is a reason code, or `draining`."""

    def __init__(self, cause: Literal["worker_crashed", "storage_unavailable", "draining", "superseded"]) -> None:
        self.cause = cause
        super().__init__(cause)


class CallFailed(Exception):
    """A call to a session came to nothing; the message is one line without secrets."""


class Host(Protocol):
    """Where sessions run: worker processes, their locks and spools. Implemented by `supervisor/workers.py`.

    At most one process ever holds a bot. Calls for different bots run side by side; for one bot the mailbox makes one
    at a time (except `send`).
    """

    async def start(self, spec: SessionSpec, placement: Placement) -> None:
        """Lock the bot, drain what a dead worker left of it, hand it to a worker; return when that took it up.

        Raises:
            StartRefused: it did not come to run, and no `SessionGone` will follow.
        """
        ...

    async def stop(self, bot: str) -> None:
        """End the bot's session and return when no process holds the bot: within 10 s, whatever hangs. Idempotent.

        A linking process is killed at once. Events spooled before the end are handed over before this returns.
        """
        ...

    async def pair_phone(self, bot: str, phone: str) -> str:
        """Return a pairing code (a secret). Raises CallFailed."""
        ...

    async def send(self, bot: str, job: str, outgoing: Outgoing) -> SendOutcome:
        """Send; the outcome also arrives as a spooled `SendFinished`, which is the one to store.

        Returns `SendUnknown` when the worker died after the call had entered the library, `NotSent` when it was not
        running.
        """
        ...

    async def logout(self, bot: str) -> bool:
        """Unlink at WhatsApp through the running session; True when WhatsApp confirmed. False when it is not running."""
        ...

    def placement(self, bot: str) -> Placement | None:
        """Where the bot runs now; None when it does not."""
        ...


# --- API and gateway → fleet ---------------------------------------------------------------------------------


class NewBot(msgspec.Struct, frozen=True, rename="camel"):
    """Body of `POST /bots`, validated."""

    name: str
    device_name: str | None = None
    proxy: str | None = None
    start: bool = True


class BotPatch(msgspec.Struct, frozen=True, rename="camel"):
    """Body of `PATCH /bots/{id}`; UNSET members stay as they are, null removes."""

    name: str | msgspec.UnsetType = msgspec.UNSET
    device_name: str | msgspec.UnsetType = msgspec.UNSET
    proxy: str | msgspec.UnsetType | None = msgspec.UNSET


class LinkRequest(msgspec.Struct, frozen=True, rename="camel"):
    """Body of `POST /bots/{id}/link`."""

    method: Literal["qr", "code"] = "qr"
    phone: str | None = None
    """Digits; for `code`."""
    expected_phone: str | None = None
    """Digits; another number that links is unlinked again (`wrong_number`)."""


class QrOnOffer(msgspec.Struct, frozen=True, rename="camel"):
    """The QR code shown now. A secret."""

    qr: str
    index: int
    of: int
    expires_at: int
    attempt: int


class PairingCode(msgspec.Struct, frozen=True, rename="camel"):
    """A pairing code. A secret."""

    code: str
    expires_at: int
    attempt: int


class Fleet(Protocol):
    """All bots, by user. Every method refuses `not_found` for another user's bot; a bot's own mailbox carries each
    command out, one at a time, and survives the caller's cancellation. Implemented by `bots/fleet.py`."""

    async def bots(self, user: str) -> tuple[Position, list[Bot]]:
        """Return the user's bots, live fields filled, and the position this is true at."""
        ...

    async def bot(self, user: str, bot_id: str) -> Bot: ...

    async def create(self, user: str, new: NewBot) -> Bot:
        """Refuses `too_many_bots`, `invalid_field`."""
        ...

    async def patch(self, user: str, bot_id: str, patch: BotPatch) -> Bot: ...

    async def start(self, user: str, bot_id: str) -> Bot: ...

    async def stop(self, user: str, bot_id: str) -> Bot: ...

    async def restart(self, user: str, bot_id: str) -> Bot: ...

    async def link(self, user: str, bot_id: str, request: LinkRequest) -> Bot:
        """Refuses `too_many_link_attempts`; idempotent while an attempt runs."""
        ...

    async def logout(self, user: str, bot_id: str) -> bool:
        """True when WhatsApp confirmed the unlinking; refuses `not_linked`."""
        ...

    async def delete(self, user: str, bot_id: str) -> None:
        """Accepted; `deleted` is the event that says it is done."""
        ...

    async def qr(self, user: str, bot_id: str) -> QrOnOffer:
        """Refuses `no_code_on_offer`."""
        ...

    async def pairing_code(self, user: str, bot_id: str, phone: str) -> PairingCode:
        """Start (or join) a linking attempt by code; returns once the code is there. Refuses `no_code_on_offer`,
        `whatsapp_unavailable`."""
        ...

    def fill(self, bot: Bot) -> Bot:
        """Return the record with the fields kept in memory (`provedAt`, `link.index`, …) filled in."""
        ...


class Outbox(Protocol):
    """Durable sends. Implemented by `bots/outbox.py`."""

    async def submit(self, user: str, bot_id: str, outgoing: Outgoing) -> SendJob:
        """Queue one send, durably. Refuses `not_found`, `not_linked`."""
        ...

    async def job(self, user: str, bot_id: str, job_id: str) -> SendJob:
        """Refuses `not_found`."""
        ...

    async def wait(self, user: str, bot_id: str, job_id: str, timeout_s: float) -> SendJob:
        """Return the job once it left `queued`, or as it is when the time is up."""
        ...


class Tokens(Protocol):
    """Token or session cookie to principal: one function for REST, socket and page. Implemented in `auth/`."""

    async def verify(self, token: str) -> Principal:
        """Refuses `unauthorized`, `token_expired`, `auth_unavailable`; no message holds the token."""
        ...


Close = Callable[[], Awaitable[None]]
