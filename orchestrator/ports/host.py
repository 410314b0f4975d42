"""Where sessions run, as the bots see it: frames of a session, its end, and the calls the other way.

Implemented by the supervisor room; joined in `app.py`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, Protocol

from sessions.model import Found, Outgoing, SendOutcome
from sessions.session import SessionSpec
from sessions.wire import EventFrame


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
        """Take one event for a bot's mailbox. Called on the loop; must not wait. What a bot that is erased
        left behind is committed unread."""
        ...


Placement = Literal["linking", "own", "pool"]
"""`linking`: a process for this attempt. `own`: a worker for this bot alone. `pool`: shared with others."""


class StartRefused(Exception):
    """The session could not be handed to a worker. `cause` is a reason code, or `draining`."""

    def __init__(
        self, cause: Literal["worker_crashed", "storage_unavailable", "held_by_incident", "draining", "superseded"]
    ) -> None:
        self.cause = cause
        super().__init__(cause)


class CallFailed(Exception):
    """A call to a session came to nothing; the message is one line without secrets."""


class Host(Protocol):
    """Where sessions run: worker processes, their locks and spools. Implemented by `supervisor/supervisor.py`.

    At most one process ever holds a bot. Calls for different bots run side by side; for one bot the mailbox makes one
    at a time (except `send`).
    """

    async def start(self, spec: SessionSpec, placement: Placement) -> None:
        """Lock the bot, drain what a dead worker left of it, hand it to a worker; return when that took it up.

        A worker that dies while it takes the session up is told as `SessionGone`, before this returns.

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

    def ask_group(self, bot: str, chat: str) -> None:
        """Have the running session ask WhatsApp about a group; the answer is a spooled `GroupKnown`, if one comes."""
        ...

    async def find(self, bot: str, phone: str) -> Found:
        """Say who is behind a phone number (digits), within 7 s. Raises CallFailed when nobody could be asked."""
        ...

    async def logout(self, bot: str) -> bool:
        """Unlink at WhatsApp through the running session; True when WhatsApp confirmed. False when it is not running."""
        ...

    def placement(self, bot: str) -> Placement | None:
        """Where the bot runs now; None when it does not. One kept apart after a crash is still in the `pool` it asked for."""
        ...
