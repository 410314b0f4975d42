"""Who is on WhatsApp, over the library's exported functions. Each call blocks its thread until WhatsApp has answered.

Owns these questions and the reading of their answers. It is handed the library and its generated classes by
`whatsapp.py`, the only file that loads them. They answer an error for a client the library does not know (measured on
0.5.2), so no stale call can end the process. Read `whatsapp_find.py` for who asks.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from sessions.model import USER_SERVER, Jid, NotSent, SendOutcome, SendRejected

_NOBODY: Final = "Function returned nothing."
"""Said when WhatsApp answered and named nobody (IsOnWhatsApp, neonize main.go)."""


class Directory:
    """What WhatsApp says of phone numbers; None when it did not say."""

    def __init__(self, go: Any, messages: Any, read: Callable[[Any], bytes]) -> None:
        """`read` copies what a function returned and frees it."""
        self._go = go
        self._messages = messages
        self._read = read

    def lists(self, device: bytes, phone: str) -> bool | None:
        """Whether a number (digits) has an account."""
        raw = self._read(self._go.IsOnWhatsApp(device, f"+{phone}".encode()))
        found = self._messages.IsOnWhatsAppReturnFunction.FromString(raw)
        if found.Error and found.Error != _NOBODY:
            return None
        return any(person.IsIn for person in found.IsOnWhatsAppResponse)

    def has(self, device: bytes, phone: str, jid: bytes) -> bool | None:
        """Whether a number has an account, asked so that the library stores its LID (whatsmeow user.go, GetUserInfo)."""
        asked = self._messages.JIDArray(JIDS=[self._messages.JID.FromString(jid)]).SerializeToString()
        told = self._messages.GetUserInfoReturnFunction.FromString(
            self._read(self._go.GetUserInfo(device, asked, len(asked)))
        )
        if not told.Error and any(person.UserInfo.Devices for person in told.UsersInfo):
            return True
        return self.lists(device, phone)

    def no_lid(self, device: bytes, to: Jid) -> SendOutcome:
        """What becomes of a send whose LID is not told: nobody is there, or it is tried again."""
        absent = to.server == USER_SERVER and self.lists(device, to.user) is False
        return SendRejected("not_on_whatsapp") if absent else NotSent("no_lid")
