"""The phones of a server without WhatsApp, as whoever plays them sees them: the page's button, a scenario.

Implemented by `demo/phones.py` and there only under the simulated driver; joined in `app.py`.
"""

from __future__ import annotations

from typing import Annotated, Literal, Protocol

import msgspec

PlayName = Literal[
    "scan", "enter_code", "refuse", "exceed_devices", "expire_codes", "scan_without_multidevice", "ask_for_passkey",
    "unlink", "text", "write", "drop", "reconnect", "ban", "replace", "outdated", "keepalive_timeout",
    "keepalive_restored", "die",
]  # fmt: skip
"""What can be played; each is a method of `sessions.simulated_phone.SimulatedPhone`."""


class Play(msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """One thing a bot's owner, a contact or WhatsApp does. `scan` and `enter_code` take the code on offer themselves."""

    play: PlayName
    phone: Annotated[str, msgspec.Meta(description="a contact's number: for text (from) and write (to)")] | None = None
    name: Annotated[str, msgspec.Meta(max_length=64)] | None = None
    """What the contact is called; for `text`."""
    text: Annotated[str, msgspec.Meta(min_length=1, max_length=4096)] | None = None
    seconds: Annotated[int, msgspec.Meta(ge=1, le=86_400)] | None = None
    """For `drop` and `ban`: for how long; a line that is dropped without it stays down until `reconnect`."""


class Phones(Protocol):
    """Everybody's simulated phone."""

    async def play(self, bot: str, play: Play) -> None:
        """Play it. Refuses `no_code_on_offer` for a code that is not there, `invalid_field` for what cannot happen in the
        session's present state, or without what it needs."""
        ...
