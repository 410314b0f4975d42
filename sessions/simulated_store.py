"""What the simulated WhatsApp keeps on disk: the linked device, and texts waiting for a bot that is away.

Owns two small files beside each other: the device file (JSON, 0600; a real device file is never one) and the inbox.
It must never know a session. Read `simulated_server.py` next.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import secrets
from pathlib import Path
from typing import Literal

import msgspec

from sessions.model import LID_SERVER, USER_SERVER, Account, Content, Jid, MessageKind

_LID_OFFSET = 100_000_000_000_000


class Saved(msgspec.Struct, kw_only=True):
    """Contents of a simulated device file."""

    simulated: Literal[1] = 1
    account: Account
    banned_until_ms: int = 0
    ban_code: int = 0
    refuse: int | None = None
    """Number the next login is refused with."""


Change = Literal["reaction", "edited", "revoked"]


class TextIn(msgspec.Struct, frozen=True, omit_defaults=True):
    """A message on its way to the bot, or (`from_me`) written by the account's owner on the phone."""

    message_id: str
    person: str
    """Number of the contact."""
    text: str
    """The words; of a reaction its emoji."""
    at_ms: int
    addressing: Literal["lid", "pn"] = "lid"
    """`pn`: the contact has no LID."""
    from_me: bool = False
    kind: MessageKind | Change = "text"
    push_name: str | None = None
    mentions: tuple[str, ...] = ()
    quoted: str | None = None
    """Message id of the one it answers."""
    target: str | None = None
    """Message id of the one it changes."""
    content: Content | None = None
    """What a message of a kind other than text holds."""
    group: str | None = None
    """Address of the group it is written to."""


def new_message_id() -> str:
    """Return an id as phones make them."""
    return f"3A{secrets.token_hex(9).upper()}"


def number_of_bot(bot: str) -> str:
    """Return a phone number for a bot: stable, different for different bots, nobody's."""
    digest = int.from_bytes(hashlib.sha256(bot.encode()).digest()[:8], "big")
    return f"49155{digest % 10**8:08d}"


def lid_of(number: str) -> str:
    """Return the LID of a number; `number_of` is the way back."""
    return str(_LID_OFFSET + int(number))


def number_of(lid: str) -> str:
    """Return the number behind a simulated LID."""
    return str(int(lid) - _LID_OFFSET)


def person(address: str) -> Jid:
    """Return somebody's phone form from either form. Raises ValueError for what is no person's."""
    jid = Jid.parse(address if "@" in address else f"{address}@{USER_SERVER}").bare
    if jid.server == LID_SERVER:
        return Jid(number_of(jid.user), USER_SERVER)
    if jid.server != USER_SERVER or not jid.user.isdecimal():
        raise ValueError("not a person's address")
    return jid


def load(device_file: str) -> Saved | None:
    """Read a device file; None when it is missing, foreign or spoilt: there are no keys then."""
    try:
        return msgspec.json.decode(Path(device_file).read_bytes(), type=Saved)
    except (FileNotFoundError, msgspec.MsgspecError):
        return None


def save(device_file: str, saved: Saved) -> None:
    """Replace the device file in one step, mode 0600. Raises OSError."""
    path = Path(device_file)
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    new = path.with_name(path.name + ".new")
    fd = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    with os.fdopen(fd, "wb") as file:
        file.write(msgspec.json.encode(saved))
    new.replace(path)


def erase(device_file: str) -> None:
    """Remove the keys; nothing happens when there are none."""
    Path(device_file).unlink(missing_ok=True)


class Inbox:
    """Texts waiting for a bot that is away, as JSON lines; several processes may add at once.

    As with WhatsApp, a text stays here until the session has it: a death in between delivers it again, with the same
    message id.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._taken = path.with_name(path.name + ".taken")

    def add(self, text: TextIn) -> None:
        """Leave a text. Raises OSError."""
        fd = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        with os.fdopen(fd, "ab") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            file.write(msgspec.json.encode(text) + b"\n")

    def take(self) -> list[TextIn]:
        """Return what waits, oldest first; `done` says that it has arrived."""
        lines = self._taken.read_bytes() if self._taken.exists() else b""
        if self._path.exists():
            with self._path.open("r+b") as file:
                fcntl.flock(file, fcntl.LOCK_EX)
                lines += file.read()
                self._taken.write_bytes(lines)
                file.truncate(0)
        return [msgspec.json.decode(line, type=TextIn) for line in lines.splitlines()]

    def done(self) -> None:
        """What was taken has arrived."""
        self._taken.unlink(missing_ok=True)
