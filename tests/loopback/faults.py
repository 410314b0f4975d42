"""What goes wrong on purpose: one mutable record that every part of the server looks at when it acts.

Owns the switches and their meaning; it must never know how they are carried out. All are off at first and can be
changed at any time; they hold for what happens after. Neighbours to read next: ``transport.py`` and ``stanzas.py``.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

Stall = Literal["", "garbage", "connect", "proxy_502", "tls", "upgrade", "noise", "login", "drop_login"]
"""Where a new connection hangs or fails: ``garbage`` instead of HTTP, no answer to CONNECT, 502, no TLS hello, no
WebSocket upgrade, no server hello, no answer to a login, TCP reset after a login's handshake."""


UploadFault = Literal["", "refuse", "hang", "drop", "nonsense"]
"""What a media host does with an upload: answers ``Faults.upload_status``, answers nothing, resets, answers no JSON."""

DownloadFault = Literal["", "refuse", "hang", "short"]
"""What a media host does with a download: 404, nothing, half of the blob."""


@dataclass(frozen=True, slots=True)
class LoginFailure:
    """A ``<failure reason=…>`` instead of ``<success>``; ``attrs`` are its further attributes (code, expire)."""

    reason: int
    attrs: dict[str, str] = field(default_factory=dict)


@dataclass(slots=True)
class Faults:
    """The switches. ``muted_iqs`` holds names like ``passive/active``, ``w:p/``, ``encrypt/count`` or ``*``: iqs that
    are never answered."""

    stall: Stall = ""
    login_failure: LoginFailure | None = None
    login_failures_left: int = -1
    """How many logins still get ``login_failure``; -1 = all."""
    pairing_failure: LoginFailure | None = None
    """A failure for clients that aren't linked yet, instead of the QR refs."""
    muted_iqs: set[str] = field(default_factory=set)
    withhold_acks: bool = False
    """Messages from clients are delivered but not acknowledged."""
    ack_delay_s: float = 0.0
    """So long after their delivery messages from clients are acknowledged."""
    refs_per_pairing: int = 6
    withhold_refs: bool = False
    """Connected but unlinked clients get no QR refs until this is off (then at their next connection)."""
    tamper_pairing: bool = False
    """pair-success carries an HMAC under another secret."""
    upload: UploadFault = ""
    upload_status: int = 500
    download: DownloadFault = ""

    def take_login_failure(self) -> LoginFailure | None:
        """The failure for a login happening now, counted."""
        if self.login_failure is None or self.login_failures_left == 0:
            return None
        if self.login_failures_left > 0:
            self.login_failures_left -= 1
        return self.login_failure
