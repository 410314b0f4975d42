"""Frozen records of one WhatsApp session: who (`Jid`, `Account`), what happened (`SessionEvent`), what to send (`Outgoing`).

Owns the vocabulary that the session, the worker's wire and the supervisor share. It must never know the library,
a process or a file. What people write lives in `content.py` (in) and `outgoing.py` (out), groups, presence and calls
in `around.py`; all are had from here. Read
`session.py` next for who produces these records, `lifecycle.py` for what they mean.
"""

# ruff: noqa: PLC0414 - the aliases re-export: one place has all records
from __future__ import annotations

from typing import Literal

import msgspec

from sessions.around import CallChanged as CallChanged
from sessions.around import CallState as CallState
from sessions.around import GroupAction as GroupAction
from sessions.around import GroupChange as GroupChange
from sessions.around import GroupChanged as GroupChanged
from sessions.around import GroupKnown as GroupKnown
from sessions.around import GroupMember as GroupMember
from sessions.around import PresenceChanged as PresenceChanged
from sessions.around import PresenceState as PresenceState
from sessions.content import ContactCard as ContactCard
from sessions.content import Content as Content
from sessions.content import HistoryReceived as HistoryReceived
from sessions.content import HistoryType as HistoryType
from sessions.content import Location as Location
from sessions.content import Media as Media
from sessions.content import MessageEdited as MessageEdited
from sessions.content import MessageKind as MessageKind
from sessions.content import MessageReceived as MessageReceived
from sessions.content import MessageRevoked as MessageRevoked
from sessions.content import Poll as Poll
from sessions.content import Quoted as Quoted
from sessions.content import ReactionReceived as ReactionReceived
from sessions.media import FileKind as FileKind
from sessions.media import OutgoingMedia as OutgoingMedia
from sessions.outgoing import Outgoing as Outgoing
from sessions.outgoing import OutgoingContact as OutgoingContact
from sessions.outgoing import OutgoingEdit as OutgoingEdit
from sessions.outgoing import OutgoingLocation as OutgoingLocation
from sessions.outgoing import OutgoingPoll as OutgoingPoll
from sessions.outgoing import OutgoingReaction as OutgoingReaction
from sessions.outgoing import OutgoingRevoke as OutgoingRevoke
from sessions.outgoing import OutgoingText as OutgoingText

USER_SERVER = "s.whatsapp.net"
LID_SERVER = "lid"
GROUP_SERVER = "g.us"
LEGACY_USER_SERVER = "c.us"
SERVERS = frozenset({USER_SERVER, LID_SERVER, GROUP_SERVER, "broadcast", "newsletter", "hosted", "hosted.lid", "bot"})


class Jid(msgspec.Struct, frozen=True, order=True):
    """An address on WhatsApp. `parse` and `str()` are the only places that split or join one."""

    user: str
    """Digits for a phone or LID; for a group its id. Empty for a server."""
    server: str
    device: int = 0
    """0 is the phone itself (or no device at all); linked devices count from 1."""

    @classmethod
    def parse(cls, text: str) -> Jid:
        """Read `user[:device]@server`; `c.us` becomes `s.whatsapp.net`, an agent part (`user.1`) is dropped.

        Raises:
            ValueError: no `@`, an unknown server, or a device that is no number. Nothing of the text is in the message.
        """
        left, at, server = text.partition("@")
        if not at:
            raise ValueError("a JID has the form user@server")
        server = USER_SERVER if server == LEGACY_USER_SERVER else server
        if server not in SERVERS:
            raise ValueError("a JID ends in a server WhatsApp knows, such as @s.whatsapp.net, @lid or @g.us")
        user, _, device = left.partition(":")
        if device and not device.isdecimal():
            raise ValueError("the device of a JID is a number")
        if server in {USER_SERVER, LID_SERVER}:
            user = user.partition(".")[0]
        return cls(user, server, int(device or 0))

    def __str__(self) -> str:
        device = f":{self.device}" if self.device else ""
        return f"{self.user}{device}@{self.server}"

    @property
    def bare(self) -> Jid:
        """The same person without the device."""
        return Jid(self.user, self.server) if self.device else self


class Account(msgspec.Struct, frozen=True, rename="camel"):
    """The WhatsApp account a device belongs to."""

    jid: str
    """Phone-number form with the device, `4915…:7@s.whatsapp.net`."""
    lid: str | None
    phone: str
    """Digits only."""
    push_name: str | None = None


# --- linking -------------------------------------------------------------------------------------------------


class QrOffered(msgspec.Struct, frozen=True, tag=True):
    """A QR code is on offer. A secret: never spooled, never logged."""

    code: str
    index: int
    """From 1."""
    of: int
    lives_s: int
    """60 for the first, 20 for the others: WhatsApp's present practice (whatsmeow qrchan.go), not told by the library."""


class ScannedWithoutMultidevice(msgspec.Struct, frozen=True, tag=True):
    """The phone that scanned has no multi-device; the same code stays valid."""


class PasskeyRequired(msgspec.Struct, frozen=True, tag=True):
    """The account asks for a passkey, which neonize 0.5.2 cannot give."""


class CodesExpired(msgspec.Struct, frozen=True, tag=True):
    """All codes of the attempt were used, or WhatsApp closed the link before pairing (same signal)."""


class PairSucceeded(msgspec.Struct, frozen=True, tag=True):
    """Keys are signed and saved; WhatsApp restarts the stream next (515), silently."""

    account: Account


PairFailure = Literal["keys", "device_limit"]
"""`device_limit` is never told by neonize 0.5.2: the phone refuses a device too many by itself."""


class PairFailed(msgspec.Struct, frozen=True, tag=True):
    """Pairing failed: signatures did not match, or the local store refused."""

    detail: str
    """The library's words, for the log; never shown as it is."""
    cause: PairFailure = "keys"


# --- the link ------------------------------------------------------------------------------------------------


class Connected(msgspec.Struct, frozen=True, tag=True):
    """Authenticated and active."""

    account: Account


class Disconnected(msgspec.Struct, frozen=True, tag=True):
    """The connection closed; the library reconnects by itself."""


class KeepaliveTimeout(msgspec.Struct, frozen=True, tag=True):
    """A ping was not answered."""

    error_count: int


class KeepaliveRestored(msgspec.Struct, frozen=True, tag=True):
    """Pings are answered again."""


class StreamError(msgspec.Struct, frozen=True, tag=True):
    """WhatsApp reported a stream error the library does not handle alone (never 515 or 503)."""

    code: str
    """As sent; may be empty."""


class StreamReplaced(msgspec.Struct, frozen=True, tag=True):
    """The same device connected elsewhere."""


LogoutReason = Literal["unlinked_on_phone", "main_device_gone", "account_banned", "other"]


class LoggedOut(msgspec.Struct, frozen=True, tag=True):
    """The device was unlinked; its keys are gone."""

    on_connect: bool
    reason: LogoutReason


class TemporarilyBanned(msgspec.Struct, frozen=True, tag=True):
    """A temporary ban."""

    code: int
    """101 strangers, 102 blocks, 103 groups, 104 same message, 106 broadcast; other numbers are possible."""
    expires_in_s: int | None


class ConnectFailed(msgspec.Struct, frozen=True, tag=True):
    """WhatsApp refused the login with a number that has no event of its own."""

    reason: int
    """0 when the library could not name it (its event pump is dead then, see `PumpDied`)."""


class ClientOutdated(msgspec.Struct, frozen=True, tag=True):
    """WhatsApp refuses this client version."""


class OfflineSync(msgspec.Struct, frozen=True, tag=True):
    """What waited while the device was away is being delivered (`done` false) or has been (`done` true)."""

    count: int
    done: bool


class SecretRotated(msgspec.Struct, frozen=True, tag=True):
    """The pairing secret changed: a shown QR is void. The payload is secret and dropped at the door."""


StartCause = Literal["whatsapp_unreachable", "dns_failed", "tls_failed", "proxy_failed", "timed_out"]


class StartFailed(msgspec.Struct, frozen=True, tag=True):
    """The first dial failed; the library does not retry this one."""

    cause: StartCause


class KeysMissing(msgspec.Struct, frozen=True, tag=True):
    """The device file holds no keys for the account asked for; the library was not called (it would abort)."""


class PumpDied(msgspec.Struct, frozen=True, tag=True):
    """The library's event pump ended while the client may still be connected: restart it."""

    detail: str


# --- receipts and the rest -----------------------------------------------------------------------------------

ReceiptKind = Literal["delivered", "read", "played", "sender", "retry", "server_error", "inactive", "other"]


class ReceiptReceived(msgspec.Struct, frozen=True, tag=True):
    """Somebody's device took (`delivered`) or showed (`read`) messages."""

    chat: str
    chat_pn: str | None
    sender: str
    message_ids: tuple[str, ...]
    kind: ReceiptKind
    from_me: bool
    at_ms: int


class Undecryptable(msgspec.Struct, frozen=True, tag=True):
    """A message could not be decrypted; the library asks for it again."""

    chat: str
    sender: str
    message_id: str


class ProtocolNote(msgspec.Struct, frozen=True, tag=True):
    """A message without content for people (sender keys, peer data): counted, never journalled."""

    kind: str


class Unrecognised(msgspec.Struct, frozen=True, tag=True):
    """The library told us something this version has no record for; the raw event stays in the spool's format."""

    kind: int
    """The library's event number."""


# --- outcomes of sends ---------------------------------------------------------------------------------------


class Sent(msgspec.Struct, frozen=True, tag=True):
    """WhatsApp acknowledged the message."""

    message_id: str
    at_ms: int
    lid: str | None = None
    """The LID of a person written to by phone number, as the library knows it now."""


NotSentCause = Literal["not_connected", "no_lid", "encryption", "media", "gone"]


class NotSent(msgspec.Struct, frozen=True, tag=True):
    """Nothing was written to WhatsApp: safe to try again."""

    cause: NotSentCause


class SendRejected(msgspec.Struct, frozen=True, tag=True):
    """Refused for good: WhatsApp answered with an error, or the number is not on WhatsApp."""

    code: Literal["not_on_whatsapp", "not_in_group", "rejected", "restricted", "media_failed"]
    number: int | None = None


class SendUnknown(msgspec.Struct, frozen=True, tag=True):
    """It may have been sent: never retried without a person asking."""


SendOutcome = Sent | NotSent | SendRejected | SendUnknown


class Found(msgspec.Struct, frozen=True):
    """What is known of a phone number."""

    on_whatsapp: bool | None
    """None: it could not be told now."""
    lid: str | None = None
    """Its LID form, when that is known."""


class SendFinished(msgspec.Struct, frozen=True, tag=True):
    """A send's outcome, spooled before it is reported."""

    job: str
    outcome: SendOutcome


SessionEvent = (
    QrOffered
    | ScannedWithoutMultidevice
    | PasskeyRequired
    | CodesExpired
    | PairSucceeded
    | PairFailed
    | Connected
    | Disconnected
    | KeepaliveTimeout
    | KeepaliveRestored
    | StreamError
    | StreamReplaced
    | LoggedOut
    | TemporarilyBanned
    | ConnectFailed
    | ClientOutdated
    | OfflineSync
    | SecretRotated
    | StartFailed
    | KeysMissing
    | PumpDied
    | MessageReceived
    | ReactionReceived
    | MessageEdited
    | MessageRevoked
    | ReceiptReceived
    | HistoryReceived
    | GroupChanged
    | GroupKnown
    | PresenceChanged
    | CallChanged
    | Undecryptable
    | ProtocolNote
    | Unrecognised
    | SendFinished
)
"""Closed union: every `match` over it ends in `assert_never`."""
