"""Who gets a user's one socket: (state of one user, event, now) → (new state, actions). First come, first served.

Pure: no socket, no task, no clock. A live socket is never replaced behind its back, and a dead one never blocks
anybody. It must never know how a probe is sent or a refusal written; `desk.py` carries the actions out and is next.
"""

from __future__ import annotations

import hmac
from dataclasses import dataclass, replace
from typing import Literal, assert_never


@dataclass(frozen=True, slots=True)
class AdmissionLimits:
    """The numbers of the contract."""

    connects: int = 20
    takeovers: int = 3
    window_s: float = 60.0
    probe_s: float = 2.0
    """A probed socket from which no byte came within this time is dead, unless its buffer keeps shrinking."""
    shrinking_probe_s: float = 5.0
    """The longest a probe takes, whatever shrinks."""
    shrink_pause_s: float = 1.0
    """A buffer that did not shrink for this long is not shrinking."""
    away_s: float = 1.0
    """Time between two looks beyond which this process itself did not run: it counts against nobody."""


@dataclass(frozen=True, slots=True)
class Present:
    """The user's socket."""

    socket: str
    connection_id: str
    """Secret: proves a successor."""
    since_ms: int


@dataclass(frozen=True, slots=True)
class Probe:
    """The present socket is being asked for a sign of life; `newcomer` waits for the answer."""

    newcomer: Present
    started: float
    looked: float
    """When it was last looked at."""
    outgoing: int
    """Bytes not yet taken by the kernel when last looked."""
    shrunk: float | None = None
    """When the buffer was last seen to shrink."""
    away: float = 0.0
    """Seconds in which this process did not run."""


@dataclass(frozen=True, slots=True)
class User:
    """Admission's state of one user."""

    present: Present | None = None
    probe: Probe | None = None
    connects: tuple[float, ...] = ()
    """Times of the attempts within the window, oldest first."""
    takeovers: tuple[float, ...] = ()


# --- events -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Newcomer:
    """A socket with a valid token asks to be the user's. `since_ms` of `socket` is the time it would carry."""

    socket: Present
    proof: str | None
    """The connectionId it says it continues."""
    takeover: bool
    outgoing: int
    """Bytes waiting to leave to the present socket; 0 when there is none."""


@dataclass(frozen=True, slots=True)
class Observed:
    """A look at the probed socket."""

    last_received: float
    """When the last byte came from it."""
    outgoing: int


@dataclass(frozen=True, slots=True)
class Gone:
    """A socket ended by itself: the present one, the waiting one, or one that is nobody any more."""

    socket: str


AdmissionEvent = Newcomer | Observed | Gone


# --- actions ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Admit:
    """This socket is now the user's."""

    socket: str


@dataclass(frozen=True, slots=True)
class Refuse:
    """Refuse this newcomer."""

    socket: str
    code: Literal["already_connected", "too_many_attempts"]
    since_ms: int | None = None
    """Since when the present socket is there."""
    retry_after_s: float | None = None


@dataclass(frozen=True, slots=True)
class Ask:
    """Send a ping to this socket and report what is `Observed` until told otherwise."""

    socket: str


@dataclass(frozen=True, slots=True)
class End:
    """End the former socket: `dead` ones are cut off, others are told why."""

    socket: str
    why: Literal["taken_over", "superseded", "dead"]


Action = Admit | Refuse | Ask | End


def decide(user: User, event: AdmissionEvent, now: float, limits: AdmissionLimits) -> tuple[User, tuple[Action, ...]]:
    """Return the user's new state and what to do, in order. Look-up and change are this one step."""
    match event:
        case Newcomer():
            return _newcomer(_pruned(user, now, limits), event, now, limits)
        case Observed():
            return _observed(user, event, now, limits)
        case Gone(socket=socket):
            return _gone(user, socket)
        case _:
            assert_never(event)


def is_idle(user: User, now: float, limits: AdmissionLimits) -> bool:
    """Tell whether the state may be forgotten: nobody there and no attempt that still counts."""
    kept = _pruned(user, now, limits)
    return kept.present is None and not kept.connects and not kept.takeovers


def _pruned(user: User, now: float, limits: AdmissionLimits) -> User:
    oldest = now - limits.window_s
    return replace(
        user,
        connects=tuple(at for at in user.connects if at > oldest),
        takeovers=tuple(at for at in user.takeovers if at > oldest),
    )


def _newcomer(user: User, event: Newcomer, now: float, limits: AdmissionLimits) -> tuple[User, tuple[Action, ...]]:
    if len(user.connects) >= limits.connects:
        return user, (_too_many(event, user.connects[0], now, limits),)
    present = user.present
    proved = (
        present is not None
        and event.proof is not None
        and hmac.compare_digest(event.proof.encode(), present.connection_id.encode())
    )
    takes_over = present is not None and event.takeover and not proved
    if takes_over and len(user.takeovers) >= limits.takeovers:
        return user, (_too_many(event, user.takeovers[0], now, limits),)
    user = replace(user, connects=(*user.connects, now))
    if present is None:
        return replace(user, present=event.socket), (Admit(event.socket.socket),)
    if proved:
        return _replaced(user, present, event.socket, End(present.socket, "superseded"))
    if takes_over:
        user = replace(user, takeovers=(*user.takeovers, now))
        return _replaced(user, present, event.socket, End(present.socket, "taken_over"))
    if user.probe is not None:
        return user, (Refuse(event.socket.socket, "already_connected", present.since_ms),)
    probe = Probe(event.socket, started=now, looked=now, outgoing=event.outgoing)
    return replace(user, probe=probe), (Ask(present.socket),)


def _too_many(event: Newcomer, oldest: float, now: float, limits: AdmissionLimits) -> Refuse:
    return Refuse(event.socket.socket, "too_many_attempts", retry_after_s=oldest + limits.window_s - now)


def _replaced(user: User, old: Present, new: Present, end: End) -> tuple[User, tuple[Action, ...]]:
    """The new socket follows the old one at once; whoever waited for a probe of the old one is refused."""
    waiting = user.probe
    refused = () if waiting is None else (Refuse(waiting.newcomer.socket, "already_connected", new.since_ms),)
    return replace(user, present=new, probe=None), (end, *refused, Admit(new.socket))


def _observed(user: User, event: Observed, now: float, limits: AdmissionLimits) -> tuple[User, tuple[Action, ...]]:
    probe, present = user.probe, user.present
    if probe is None or present is None:
        return user, ()
    if event.last_received > probe.started:
        refusal = Refuse(probe.newcomer.socket, "already_connected", present.since_ms)
        return replace(user, probe=None), (refusal,)
    shrunk = now if event.outgoing < probe.outgoing else probe.shrunk
    gap = now - probe.looked
    away = probe.away + (gap if gap > limits.away_s else 0.0)
    probe = replace(probe, looked=now, outgoing=event.outgoing, shrunk=shrunk, away=away)
    passed = now - probe.started - away
    shrinking = shrunk is not None and now - shrunk < limits.shrink_pause_s
    if passed < limits.probe_s or (shrinking and passed < limits.shrinking_probe_s):
        return replace(user, probe=probe), ()
    admitted = replace(user, present=probe.newcomer, probe=None)
    return admitted, (End(present.socket, "dead"), Admit(probe.newcomer.socket))


def _gone(user: User, socket: str) -> tuple[User, tuple[Action, ...]]:
    probe = user.probe
    if probe is not None and probe.newcomer.socket == socket:
        return replace(user, probe=None), ()
    if user.present is None or user.present.socket != socket:
        return user, ()
    if probe is None:
        return replace(user, present=None), ()
    return replace(user, present=probe.newcomer, probe=None), (Admit(probe.newcomer.socket),)
