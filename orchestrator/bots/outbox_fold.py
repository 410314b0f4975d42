"""One send's life, pure: where it may go, and what each outcome, receipt or ending makes of it.

Owns addresses, the stored job and its transitions. It must never know a queue, the bus or a session. Read
`outbox_book.py` next for the queue, `outbox.py` for the port.
"""

from __future__ import annotations

import re
from typing import assert_never

import msgspec

from orchestrator import errors
from orchestrator.model import SendError, SendJob, SendState
from sessions.model import (
    GROUP_SERVER,
    LID_SERVER,
    USER_SERVER,
    Jid,
    NotSent,
    Outgoing,
    OutgoingMedia,
    ReceiptKind,
    SendOutcome,
    SendRejected,
    SendUnknown,
    Sent,
)

LIFETIME_MS = 24 * 3_600_000
"""A send that could not be made within a day is no longer what its author meant."""

_RETRY_FIRST_MS = 2_000
_RETRY_MOST_MS = 300_000

ENDED: frozenset[SendState] = frozenset({"read", "failed", "unknown"})
_RANK: dict[SendState, int] = {"queued": 0, "sent": 1, "delivered": 2, "read": 3}

_PROVES: dict[ReceiptKind, tuple[SendState, ...]] = {
    "delivered": ("delivered",),
    "read": ("delivered", "read"),
    "played": ("delivered", "read"),
}

_PHONE = re.compile(r"[1-9][0-9]{6,14}", re.ASCII)
_LID = re.compile(r"[0-9]{5,20}", re.ASCII)
_GROUP = re.compile(r"[0-9]{5,24}(-[0-9]{5,14})?", re.ASCII)
_FILLERS = str.maketrans("", "", " -().\u00a0")


class StoredJob(msgspec.Struct, frozen=True):
    """A send as kept at `job/<bot>/<id>`: what users see, and what is needed to carry it out."""

    job: SendJob
    order: int
    """Rises with every send of the bot: the order within a chat."""
    generation: int
    """The account it was written for (`Private.generation`)."""
    outgoing: Outgoing | None
    """None once it can't be sent any more: bodies are not kept longer than needed."""
    tries: int = 0
    handed: str | None = None
    """The incarnation it was handed to, from before the call until its outcome."""
    not_before_ms: int = 0


_stored: msgspec.json.Decoder[StoredJob] = msgspec.json.Decoder(StoredJob)


def decode(value: bytes) -> StoredJob:
    """Read a stored job."""
    return _stored.decode(value)


def resolve(to: str, field: str = "to") -> str:
    """Return the canonical chat of an address: a phone number with or without `+`, or a JID users may write to.

    Raises:
        Refused: `invalid_field` naming the field and the remedy; the text itself is not repeated.
    """
    text = to.strip()
    if "@" not in text:
        digits = text.translate(_FILLERS).removeprefix("+")
        if _PHONE.fullmatch(digits):
            return str(Jid(digits, USER_SERVER))
        raise errors.invalid(
            field,
            f"{field} is a phone number with its country code and without leading zeros, such as +4915112345678, "
            "or a JID.",
        )
    try:
        jid = Jid.parse(text).bare
    except ValueError as error:
        raise errors.invalid(field, f"{field} is not an address: {error}.") from None
    shape = {USER_SERVER: _PHONE, LID_SERVER: _LID, GROUP_SERVER: _GROUP}.get(jid.server)
    if shape is None:
        raise errors.invalid(field, f"{field} must be a person (@s.whatsapp.net, @c.us, @lid) or a group (@g.us).")
    if not shape.fullmatch(jid.user):
        raise errors.invalid(field, f"{field} has no valid number in front of @{jid.server}.")
    return str(jid)


def queued(job_id: str, bot: str, outgoing: Outgoing, generation: int, order: int, now_ms: int) -> StoredJob:
    """Return a new send; `outgoing.to` is canonical already."""
    job = SendJob(job_id, bot, outgoing.to, "queued", None, None, now_ms, now_ms + LIFETIME_MS)
    return StoredJob(job, order, generation, outgoing)


def waits_for_file(outgoing: Outgoing | None) -> bool:
    """Tell whether a send can't be handed over before its file was fetched."""
    return isinstance(outgoing, OutgoingMedia) and outgoing.media is None


def hand(stored: StoredJob, incarnation: str) -> StoredJob:
    """Note, before the call, that the send is handed to this incarnation: from here on it is never sent twice."""
    return msgspec.structs.replace(stored, handed=incarnation, tries=stored.tries + 1)


def outcome(stored: StoredJob, result: SendOutcome, now_ms: int) -> StoredJob:
    """Apply what became of a handed send. Of one that is not handed (its end is known), nothing changes."""
    if stored.handed is None:
        return stored
    match result:
        case Sent(message_id=message_id):
            return _end(stored, "sent", message_id=message_id)
        case SendRejected(code=code, number=number):
            return _end(stored, "failed", error=_error(code, number))
        case SendUnknown():
            return _end(stored, "unknown")
        case NotSent(cause=cause):
            delay_ms = min(_RETRY_MOST_MS, _RETRY_FIRST_MS * 2 ** min(stored.tries - 1, 10))
            # A session that is not connected says nothing about the message: it goes out as soon as there is one.
            wait_ms = 0 if cause in {"not_connected", "gone"} and stored.tries <= 3 else delay_ms
            return msgspec.structs.replace(stored, handed=None, not_before_ms=now_ms + wait_ms)
        case _:
            assert_never(result)


def settle(stored: StoredJob) -> StoredJob:
    """The session it was handed to is over and everything it spooled is known: no outcome will come any more."""
    return _end(stored, "unknown") if stored.handed is not None else stored


def receipt(stored: StoredJob, kind: ReceiptKind) -> tuple[StoredJob, ...]:
    """Return the states a receipt from somebody else's device takes a send through, oldest first; it never goes back.

    What was read was delivered: a phone that was away may say so with one receipt, and users are told both. In a group
    the first member's receipt counts: one who never comes online would otherwise keep a send at `sent` for ever. Each
    member's receipt is an event of its own besides.
    """
    known = _RANK.get(stored.job.state)
    if known is None or stored.job.message_id is None:
        return ()
    return tuple(
        msgspec.structs.replace(stored, job=msgspec.structs.replace(stored.job, state=state))
        for state in _PROVES.get(kind, ())
        if _RANK[state] > known
    )


def fail(stored: StoredJob, code: str, text: str | None = None) -> StoredJob:
    """Give up a send that is not handed over; of any other nothing changes. `text` says more than the code's own."""
    if stored.job.state != "queued" or stored.handed is not None:
        return stored
    error = _error(code, None)
    return _end(stored, "failed", error=error if text is None else msgspec.structs.replace(error, text=text))


def _end(
    stored: StoredJob, state: SendState, *, message_id: str | None = None, error: SendError | None = None
) -> StoredJob:
    job = msgspec.structs.replace(stored.job, state=state, message_id=message_id, error=error)
    return msgspec.structs.replace(stored, job=job, handed=None, outgoing=None)


def _error(code: str, number: int | None) -> SendError:
    return SendError(code, errors.SEND_ERRORS[code].text, number)
