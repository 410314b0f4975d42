"""What the gateway needs from outside and what its parts need from each other: metrics, settings, the wire.

Owns interfaces and records; no I/O. Read `desk.py` and `pump.py` next.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

from orchestrator.gateway.admission import AdmissionLimits
from orchestrator.gateway.window import WindowLimits
from orchestrator.model import EventName


class GatewayMetrics(Protocol):
    """Counters of contract section 7 that the gateway owns. Calls must not wait and must not raise."""

    def sockets(self, count: int) -> None:
        """Sockets that are some user's one socket now."""
        ...

    def refused(self, code: str) -> None:
        """`sockets_refused_total{code}`"""
        ...

    def closed(self, code: str) -> None:
        """`sockets_closed_total{code}`: a closing of the contract, or how the client went: `client_disconnect`,
        `transport_close`, `transport_error`, `ping_timeout`."""
        ...

    def taken_over(self) -> None:
        """`sockets_taken_over_total`"""
        ...

    def superseded(self) -> None:
        """`sockets_superseded_total`"""
        ...

    def duplicate_users(self, count: int) -> None:
        """`socket_duplicate_users`, counted from the sockets themselves, not from admission's state: must be 0."""
        ...

    def replaced(self) -> None:
        """`socket_replacements_total`: a socket that answered its probe was dropped all the same: must stay 0."""
        ...

    def delivered(self, seconds: float) -> None:
        """`event_delivery_seconds`: from the event's own time to the write to the socket; live events only."""
        ...

    def replayed(self, count: int) -> None:
        """`replayed_events_total`"""
        ...


@dataclass(frozen=True, slots=True)
class GatewaySettings:
    """What the gateway can be told; the defaults are the contract's."""

    cors_origins: tuple[str, ...] = ()
    loopback: bool = True
    """HOST is an address of this machine only."""
    tls_in_front: bool = False
    socket_max_age_s: float = 12 * 3600.0
    server_version: str = "0"
    admission: AdmissionLimits = field(default_factory=AdmissionLimits)
    verify_timeout_s: float = 10.0
    """A token that could not be checked in this time is `auth_unavailable`."""
    refused_linger_s: float = 1.0
    silent_linger_s: float = 10.0
    """A transport that never asked to connect is closed after this."""
    token_grace_s: float = 60.0
    """How long after its token's end a client with `acks` stays."""
    token_notice_s: float = 60.0
    """How long before its token's end such a client is told `token_expiring`."""
    recheck_s: float = 300.0
    """How often it is asked whether a live socket's user still has access."""
    rechecks_at_once: int = 8
    window: WindowLimits = field(default_factory=WindowLimits)
    outgoing_max_bytes: int = 1024 * 1024
    slow_after_s: float = 10.0
    """A frame that finds no room in a full outgoing buffer for this long ends the socket as `slow_consumer`."""
    requests: int = 30
    """`command`, `resync` and `refresh_token` of one user within `rate_window_s`; more is `flood`."""
    idle_messages: int = 300
    """Other messages of one socket that change nothing, within `rate_window_s`; more is `flood`. Acknowledgements that
    free something are not among them: a client may acknowledge every frame."""
    rate_window_s: float = 10.0
    drain_s: float = 2.0
    """Longest time given to closing frames when the server ends."""


class Wire(Protocol):
    """One Engine.IO connection, whatever its transport."""

    @property
    def ended(self) -> bool:
        """Whether the connection is over."""
        ...

    @property
    def received_at(self) -> float:
        """Monotonic time of the last byte from the client."""
        ...

    @property
    def outgoing_bytes(self) -> int:
        """Bytes handed over for sending that the kernel has not taken."""
        ...

    async def ping(self) -> None:
        """Send an Engine.IO ping, which every client answers by itself."""
        ...

    async def stirred(self, timeout_s: float) -> None:
        """Return when something came from the client or left for it, or when the time is up."""
        ...

    async def room(self, size: int, max_bytes: int, timeout_s: float) -> bool:
        """Wait until `size` more bytes fit into an outgoing buffer of `max_bytes` (a larger frame goes alone).

        A connection that polls gets half of it: what its answer holds is there twice while it is written.

        Returns:
            False when they did not fit in time, or the connection has ended.
        """
        ...


class Out(Protocol):
    """Where a pump writes: one live socket."""

    @property
    def wire(self) -> Wire:
        """Its connection."""
        ...

    async def send(self, name: EventName, frame: bytes) -> None:
        """Hand one finished frame over for sending; does not wait for the network."""
        ...


class Line(Out, Protocol):
    """One client as `live.py` sees it."""

    async def disconnect(self) -> None:
        """End the client's Socket.IO session: stock clients don't come back by themselves."""
        ...

    async def finish(self, flush_s: float) -> None:
        """Let what was sent leave, then close the connection; after `flush_s` cut it off."""
        ...

    async def abort(self) -> None:
        """Cut the connection off at once."""
        ...
