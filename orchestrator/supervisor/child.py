"""A supervised child and how it ended, as data, in OTP's words: child spec, restart, intensity and period, exit.

Owns records only: no decision, no clock, no I/O. It must never know a process or a session. Read `policy.py` next for
what follows from an exit.
"""

from __future__ import annotations

from dataclasses import dataclass

from orchestrator.model import Status


@dataclass(frozen=True, slots=True)
class Done:
    """The child was asked to end and did: nothing follows."""


@dataclass(frozen=True, slots=True)
class Park:
    """The child ended in an expected way that only a person or time can change (logged out, banned, codes used up)."""

    status: Status
    until: float | None = None
    """When to try again by itself, on the same clock as `now` of the policy; None waits for a person."""


@dataclass(frozen=True, slots=True)
class Retry:
    """The child ended in an expected way and is to come back (network gone, stream restart, storage full, its worker
    was closed under it). Never counts against the budget."""

    after_s: float | None = None
    """A fixed wait; None takes the back-off's."""


@dataclass(frozen=True, slots=True)
class Crash:
    """The child ended in a way nobody expects: counts against its own budget."""


Exit = Done | Park | Retry | Crash


@dataclass(frozen=True, slots=True)
class ChildSpec:
    """How one kind of child is restarted. OTP's `transient`: restarted unless it is `Done` or parked."""

    intensity: int = 5
    """So many crashes within `period_s` spend the budget."""
    period_s: float = 600.0
    backoff_base_s: float = 2.0
    backoff_cap_s: float = 300.0
    healthy_s: float = 60.0
    """Up for so long, and the back-off starts from its base again."""
    slow_probe_s: float = 1_800.0
    """A child whose budget is spent is tried again this often."""


BOT = ChildSpec()
"""The child spec of every bot."""
