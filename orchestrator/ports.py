"""Protocols at which rooms meet that must not import each other; `app.py` joins them.

Owns interfaces and the records that cross them. No I/O, no decisions.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, Protocol

import msgspec

from orchestrator.errors import Refused
from orchestrator.model import Bot, EventName, Position, Principal, SendJob, SendState, Status
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

    async def logout(self, bot: str) -> bool:
        """Unlink at WhatsApp through the running session; True when WhatsApp confirmed. False when it is not running."""
        ...

    def placement(self, bot: str) -> Placement | None:
        """Where the bot runs now; None when it does not. One kept apart after a crash is still in the `pool` it asked for."""
        ...


# --- fleet → metrics -----------------------------------------------------------------------------------------


class FleetMetrics(Protocol):
    """Counters and gauges of the bots' room. Called on the loop; must not wait and not raise. Implemented by
    `metrics.py`; label values are names of closed lists, never ids or texts of others."""

    def bot_moved(self, before: Status | None, after: Status | None) -> None:
        """One bot changed status (None: it did not exist, or is gone): `bots{status}`."""
        ...

    def event(self, name: EventName, kind: str) -> None:
        """One event was committed or announced: `events_total{event,type}`."""
        ...

    def suppressed(self, kind: str) -> None:
        """Something was counted instead of told (a redelivery, a note without content): `events_suppressed_total{type}`."""
        ...

    def session_crashed(self) -> None:
        """A session ended without being asked to: `session_crashes_total`."""
        ...

    def stream_error(self, code: str, expected: bool) -> None:
        """WhatsApp reported a stream error: `stream_errors_total{code,expected}`."""
        ...

    def job_moved(self, before: SendState | None, after: SendState | None) -> None:
        """One send changed state (None: it did not exist, or is no longer kept): `outbox_jobs{state}`."""
        ...

    def pool_move(self, gap_s: float) -> None:
        """A bot moved to the pool; it was not connected for `gap_s` seconds."""
        ...


# --- incidents → whoever waits for them ----------------------------------------------------------------------


class Incident(msgspec.Struct, frozen=True, rename="camel"):
    """What hits many bots at once, told once."""

    id: str
    kind: Literal["whatsapp_unreachable"]
    since: int
    bots: int
    """How many bots it hits."""
    text: str
    holds_starts: bool
    cause: str
    """The reason code its bots show: `whatsapp_unreachable`, `dns_failed`, `tls_failed` or `proxy_failed`."""


class Incidents(Protocol):
    """The incidents that are open. Implemented by the supervisor room, which alone opens and closes them."""

    def open(self) -> list[Incident]:
        """Return what is open now, oldest first."""
        ...

    def holding(self, proxy: str | None) -> Incident | None:
        """Return the open incident of the route a session with this proxy takes (None: the one without a proxy). While
        there is one, `Host.start` refuses `held_by_incident`, and watchdogs and budgets of its bots stand still."""
        ...

    def listen(self, listener: Callable[[], None]) -> None:
        """Call `listener` on the loop after an incident opened or closed; it must not wait or raise."""
        ...


# --- API and gateway → fleet ---------------------------------------------------------------------------------


class NewBot(msgspec.Struct, frozen=True, rename="camel"):
    """Body of `POST /bots`, validated."""

    name: str
    device_name: str | None = None
    proxy: str | None = None
    start: bool = True
    id: str | None = None
    """Makes it idempotent across crashes: the user's bot of that id that exists is returned (and started) instead."""


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

    async def submit(self, user: str, bot_id: str, outgoing: Outgoing, job_id: str | None = None) -> SendJob:
        """Queue one send, durably. Refuses `not_found`, `not_linked`, `invalid_field`.

        `job_id` makes it idempotent across crashes: a job of that id that exists is returned as it is.
        """
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


class Bodies(Protocol):
    """What callers send with an action, read the same for REST and the socket. Every method refuses `invalid_field`,
    naming the field and the remedy; `raw` is plain JSON data. Implemented in `api/`."""

    def message(self, raw: object) -> Outgoing:
        """Read the body of `POST …/messages`."""
        ...

    def link(self, raw: object) -> LinkRequest:
        """Read the body of `POST …/link`."""
        ...

    def phone(self, raw: object) -> str:
        """Read the body of `POST …/pairing-code`; return digits."""
        ...


class ProxyCheck(Protocol):
    """Whether WhatsApp can be reached through a proxy somebody names. Joined in `app.py` from the rule of `proxies.py`
    and the probe of `supervisor/`."""

    async def __call__(self, proxy: str) -> bool:
        """Try once, at most some 15 s. Refuses `invalid_field` for a proxy that may not be used; never raises for
        anything the network does."""
        ...


class Rechecks(Protocol):
    """Whether what was proved at connect still holds. The gateway asks for every live socket every 5 minutes; `principal`
    is what `verify` made of the socket's latest token. Optional: an AUTH whose tokens cannot be revoked needs none.
    Implemented in `auth/`."""

    async def still_valid(self, principal: Principal, token: str) -> Refused | None:
        """Return None when the user may stay, else why not. Never raises for an expected refusal.

        `token` is the one last verified for this socket (a secret) and may have ended since: its end alone is no reason,
        the gateway knows it. `revoked`, `unauthorized`: the user's access was withdrawn (signed out everywhere,
        disabled, deleted) and the socket is closed `revoked`. `auth_unavailable`: nobody could be asked; the socket
        stays and is asked about again.
        """
        ...


@dataclass(frozen=True, slots=True)
class SignedIn:
    """A page session: the cookie's value (a secret) and whose it is."""

    cookie: str
    principal: Principal
    expires_at_ms: int


class SignIn(Protocol):
    """One-time codes and cookie sessions of the bundled page. Implemented in `auth/`."""

    def user_id(self, named: str) -> str:
        """Return the id of the user an operator names, also as their issuer writes it. Refuses `invalid_field`."""
        ...

    def code(self, user: str, *, operator: bool) -> tuple[str, int]:
        """Return a one-time code (a secret) and when it ends, in ms: one use, 5 minutes."""
        ...

    async def swap(self, code: str) -> SignedIn:
        """Use a code up. Refuses `unauthorized`."""
        ...

    async def cookie(self, value: str) -> Principal:
        """Return whose cookie this is. Refuses `unauthorized`, `token_expired`."""
        ...

    async def sign_out(self, value: str) -> None:
        """End the session for good; unknown values are fine."""
        ...

    def fresh_token(self, principal: Principal) -> tuple[str, int]:
        """Return a token of 10 minutes for the signed-in page, and when it ends, in ms."""
        ...
