"""Bots and their sends, as REST and the socket see them.

Implemented by the bots' room (`Bodies` by the API's); joined in `app.py`.
"""

from __future__ import annotations

from typing import Literal, Protocol

import msgspec

from orchestrator.model import Bot, Position, SendJob
from sessions.model import Outgoing


class NewBot(msgspec.Struct, frozen=True, rename="camel"):
    """Body of `POST /bots`, validated."""

    name: str
    device_name: str | None = None
    proxy: str | None = None
    presence: bool = False
    start: bool = True
    expected_phone: str | None = None
    """See `LinkRequest`."""
    id: str | None = None
    """Makes it idempotent across crashes: the user's bot of that id that exists is returned (and started) instead."""


class BotPatch(msgspec.Struct, frozen=True, rename="camel"):
    """Body of `PATCH /bots/{id}`; UNSET members stay as they are, null removes."""

    name: str | msgspec.UnsetType = msgspec.UNSET
    device_name: str | msgspec.UnsetType = msgspec.UNSET
    proxy: str | msgspec.UnsetType | None = msgspec.UNSET
    presence: bool | msgspec.UnsetType = msgspec.UNSET


class LinkRequest(msgspec.Struct, frozen=True, rename="camel"):
    """Body of `POST /bots/{id}/link`."""

    method: Literal["qr", "code"] = "qr"
    phone: str | None = None
    """Digits; for `code`."""
    expected_phone: str | msgspec.UnsetType | None = msgspec.UNSET
    """Digits; another number that links is unlinked again (`wrong_number`), in this attempt and the next ones, until a
    number is linked. UNSET leaves what was said before, null takes it back."""


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
