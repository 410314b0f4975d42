"""The Session protocol and its promises; `whatsapp.py` and `simulated.py` pass one contract suite for it.

Owns the interface only. It must never know a process, a socket or the supervisor. Read `worker.py` next for the
process that hosts sessions.
"""

from __future__ import annotations

from typing import Protocol

import msgspec

from sessions.model import Account, Found, Outgoing, SendOutcome, SessionEvent


class SessionSpec(msgspec.Struct, frozen=True):
    """One incarnation of one bot's session: everything needed to start it."""

    bot: str
    incarnation: str
    """Unique for every start of every bot; events of another incarnation are not ours."""
    device_file: str
    """Absolute path of the SQLite device file; made by us, never from user text (it is spliced into a DSN)."""
    account_jid: str | None
    """The device to log in as (`Account.jid`); None links a new one."""
    device_name: str
    """What the phone lists under linked devices."""
    proxy: str | None
    """`http://` or `socks5://`, may hold credentials: never logged."""
    presence: bool = False
    """Tell who is there, types or records. The library's encoder ends the session on a chat state it has no name for
    (measured on 0.5.2), which any stranger's client may send: only for bots that want it."""


class Outlet(Protocol):
    """Where a session puts what happens. The worker implements it; tests pass a recording one."""

    def spool(self, kind: int, raw: bytes) -> int:
        """Write one raw event down before anything else is done with it; callable from any thread.

        Args:
            kind: the library's event number; negative numbers are our own (`kinds.py` lists them).
            raw: the event as the library gave it.

        Returns:
            Its ordinal: rises by one within the incarnation, from 1.

        Raises:
            OSError: the disk refused; the session stops taking events (reason `storage_unavailable`).
        """
        ...

    def deliver(self, ordinal: int | None, at_ms: int, event: SessionEvent) -> None:
        """Hand over a translated event; callable from any thread, never waits, never raises.

        `ordinal` is None for what is not stored: QR codes must not be, presence need not. Events arrive in the order of
        their ordinals.
        """
        ...


class Session(Protocol):
    """One WhatsApp session from start to stop.

    What happens is told through the `Outlet` given at construction, never by exceptions: connection trouble is data.
    All calls are safe in every state: before `start`, after `stop` or an ending they answer `NotSent`/raise
    `NotReady`, and never reach the library. Calls may run concurrently. None of them blocks the loop.
    """

    async def start(self) -> None:
        """Hand the session to the library; return at its first sign of life, or after 1 s.

        Outcomes, also a failed first dial, arrive as events. Called once per object.
        """
        ...

    async def pair_phone(self, phone: str) -> str:
        """Ask for a pairing code for this phone (digits); only while QR codes are on offer.

        Returns:
            `ABCD-EFGH`. A secret.

        Raises:
            NotReady: no QR code has been offered yet, the attempt is over, or the library refused.
        """
        ...

    async def send(self, job: str, outgoing: Outgoing) -> SendOutcome:
        """Send one message and wait for WhatsApp's answer, at most 75 s.

        The outcome is spooled (as `SendFinished` of this job) and delivered before this returns.
        """
        ...

    async def ask_group(self, chat: str) -> None:
        """Ask WhatsApp for a group's name and members, at most 20 s; the answer arrives as a spooled `GroupKnown`.

        No answer comes when the session is not connected, or `chat` is no group's address.
        """
        ...

    async def find(self, phone: str) -> Found:
        """Say who is behind a phone number (digits): from what the library knows, else WhatsApp is asked, within 6 s.

        Never raises; a session that is not connected knows nothing.
        """
        ...

    async def logout(self) -> bool:
        """Unlink this device at WhatsApp. True when WhatsApp confirmed; the session is over either way."""
        ...

    def account(self) -> Account | None:
        """The linked account, once known."""
        ...

    async def stop(self) -> bool:
        """Disconnect, then let the library forget the session; idempotent.

        Returns:
            True when the library let go in time (5 s for each half). False: only the end of the process frees it.
        """
        ...


class NotReady(Exception):
    """The call is legal only in another state; nothing was done. The message says which, and holds no secret."""
