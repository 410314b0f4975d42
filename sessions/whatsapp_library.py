"""What a session needs of the Go library, as protocols: the calls, and who is told what comes back.

Owns these interfaces only. `whatsapp.py` implements `Library`, `whatsapp_session.py` is the `Told`; neither knows the
other. Read `whatsapp_session.py` next for when each call is legal.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from sessions import translate
from sessions.media import Picture, Uploaded
from sessions.model import Account, GroupKnown, Jid, Outgoing, OutgoingMedia, SendOutcome
from sessions.session import SessionSpec
from sessions.slots import Held
from sessions.uploads import UploadRoom
from sessions.worker_gate import Gate


@dataclass(frozen=True, slots=True)
class FileReady:
    """A file on WhatsApp's media hosts, ready to be named by a message."""

    uploaded: Uploaded
    picture: Picture | None


class Notes(Protocol):
    """Where it is noted who is in the library (`slots.Slots`)."""

    def note(self, bot: str, operation: str) -> Held:
        """Note that `bot` goes in."""
        ...


class Told(Protocol):
    """Who hears what the library tells of one client, on the library's threads."""

    def on_qr(self, code: str) -> None:
        """A QR code: a secret."""
        ...

    def on_login_status(self, text: str) -> None:
        """A word about the QR phase."""
        ...

    def on_event(self, kind: int, raw: bytes) -> None:
        """One event, as protobuf bytes under the library's number. Never called twice at once for one client."""
        ...

    def last_told_s(self) -> float | None:
        """When the library told something last, on the monotonic clock; None while a callback is at work."""
        ...


class Library(Protocol):
    """The calls of the Go library a session makes. Each blocks its thread; `device` is the client's own id."""

    @property
    def gate(self) -> Gate:
        """What every call, start and stop has to pass first."""
        ...

    @property
    def uploads(self) -> UploadRoom:
        """What every upload has to pass besides; one for the process."""
        ...

    @property
    def notes(self) -> Notes:
        """Where a call is noted while it lasts."""
        ...

    @property
    def parsers(self) -> translate.Parsers:
        """Readers of the events."""
        ...

    def connect(self, told: Told, spec: SessionSpec, device: bytes) -> str:
        """Run a client until the library lets go of it.

        Returns:
            Why, in the library's words; empty when it was asked to. May hold addresses: not for a log as it is.
        """
        ...

    def disconnect(self, device: bytes) -> None:
        """Close the socket; the client stays known."""
        ...

    def forget(self, device: bytes) -> None:
        """Close the socket and forget the client; its `connect` returns."""
        ...

    def send(self, device: bytes, to: Jid, outgoing: Outgoing, file: FileReady | None = None) -> SendOutcome:
        """Send one message and wait for WhatsApp's acknowledgement; `file` is what `upload` gave for an OutgoingMedia."""
        ...

    def upload(self, device: bytes, outgoing: OutgoingMedia) -> FileReady | SendOutcome:
        """Encrypt and upload a file; an outcome when it failed. May never return: nothing limits it but the network."""
        ...

    def group_info(self, device: bytes, group: Jid, known: Account | None) -> GroupKnown:
        """Ask WhatsApp for a group's name and members."""
        ...

    def appear(self, device: bytes) -> bool:
        """Make the device available, as one that somebody looks at; False when the library would not."""
        ...

    def watch(self, device: bytes, person: Jid) -> bool:
        """Ask WhatsApp to tell when this person comes and goes; False when the library would not."""
        ...

    def is_there(self, device: bytes, phone: str) -> bool | None:
        """Ask WhatsApp whether a phone number has an account; the LID it tells then is in the device file.

        Returns:
            None when it did not say.
        """
        ...

    def pair_phone(self, device: bytes, phone: str) -> str:
        """Ask for a pairing code, a secret; empty when it was refused."""
        ...

    def logout(self, device: bytes) -> bool:
        """Unlink at WhatsApp and delete the keys; True when WhatsApp confirmed. False: nothing was deleted."""
        ...
