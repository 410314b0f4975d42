"""One Engine.IO connection as admission and delivery need it: last byte received, outgoing bytes, ping, end.

The only place that touches members of the Engine.IO socket object (`receive`, `queue`, `closed`, `upgraded`, `close`);
the library is pinned and `tests/test_gateway_pins.py` fails when they move. It imports no library: `gateway.py` hands
the objects in. It must never know users or frames.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable
from typing import Any

from orchestrator.clock import Clock
from orchestrator.gateway.protocol import violation

_CLOSE, _PING, _MESSAGE = 1, 2, 4
"""Packet types of Engine.IO protocol 4."""
_FULL_LOOK_S = 0.05
"""How often a full transport is looked at: it tells nobody when it has drained."""
KERNEL_BYTES = 128 * 1024
"""Send buffer asked for of the kernel, which takes twice that at most; left alone it grows to 4 MiB (Linux)."""
_AWAY_S = 1.0
"""Time between two looks that counts against nobody."""


class EngineWire:
    """One Engine.IO connection: when it was last heard, what has not left yet, and how to end it."""

    def __init__(
        self,
        engine: Any,
        connection: str,
        transport: asyncio.Transport | None,
        clock: Clock,
        packet: Callable[[int], Any],
        decode: Callable[[str], Any],
    ) -> None:
        """Wrap a connection that has just opened.

        Args:
            engine: The Engine.IO server.
            connection: Its id there.
            transport: Of the WebSocket; None while it polls.
            clock: For `received_at`.
            packet: Makes an Engine.IO packet of a type.
            decode: Reads the data of a Socket.IO packet.
        """
        self._engine = engine
        self._connection = connection
        self._socket = engine.sockets[connection]
        self._receive: Callable[[Any], Awaitable[None]] = self._socket.receive
        self._socket.receive = self._on_packet
        self._clock = clock
        self._transport = _bounded(transport)
        self._packet = packet
        self._decode = decode
        self._queued = 0
        self._polled = 0
        self._polling = False
        self._poll: asyncio.Transport | None = None
        self._stirred = asyncio.Event()
        self.received_at = clock.monotonic()
        self.refusals = 0
        """How often this connection asked for a socket in vain."""
        self.on_violation: Callable[[str], None] = lambda _: None
        """Called with what is wrong when the client breaks the protocol; the packet goes no further."""

    @property
    def ended(self) -> bool:
        """Whether the connection is over."""
        return bool(self._socket.closed)

    @property
    def outgoing_bytes(self) -> int:
        transport = self._transport
        in_transport = 0
        if transport is not None and self._socket.upgraded and not transport.is_closing():
            in_transport = transport.get_write_buffer_size()
        return self._queued + self._polled + in_transport

    def touched(self, transport: asyncio.Transport | None) -> None:
        """A request of this connection arrived; an upgrade brings its transport along."""
        self._heard()
        if transport is not None:
            self._transport = _bounded(transport)

    def queued(self, size: int) -> None:
        """A packet was handed over."""
        self._queued += size

    def taken(self, size: int) -> None:
        """A packet goes to the transport now."""
        self._queued -= size
        if self._polling and not self._socket.upgraded:
            self._polled += size
        self._stirred.set()

    def poll_begins(self, transport: asyncio.Transport | None) -> bool:
        """A poll arrived on this transport; False when another one is still being answered."""
        if self._polling:
            return False
        self._polling, self._poll = True, _bounded(transport)
        return True

    def poll_ended(self) -> None:
        """The answer of the poll has been written, or will never be."""
        self._polling, self._poll = False, None
        self._polled = 0
        self._stirred.set()

    async def ping(self) -> None:
        await self._engine.send_packet(self._connection, self._packet(_PING))

    async def stirred(self, timeout_s: float) -> None:
        self._stirred.clear()
        try:
            async with asyncio.timeout(timeout_s):
                await self._stirred.wait()
        except TimeoutError:
            return

    async def room(self, size: int, max_bytes: int, timeout_s: float) -> bool:
        looked, left_s = self._clock.monotonic(), timeout_s
        while not self.ended:
            waiting, most = self.outgoing_bytes, max_bytes if self._socket.upgraded else max_bytes // 2
            if waiting == 0 or waiting + size <= most:
                return True
            now = self._clock.monotonic()
            if now - looked < _AWAY_S:  # else this process itself did not run
                left_s -= now - looked
            looked = now
            if left_s <= 0:
                return False
            await self.stirred(_FULL_LOOK_S)
        return False

    async def finish(self, flush_s: float) -> None:
        """Let what is queued leave, then close; cut the connection off when that takes longer than `flush_s`."""
        deadline = self._clock.monotonic() + flush_s
        if self._socket.upgraded:
            self._socket.queue.put_nowait(None)  # the writer sends what is before it, then closes
            await self._until(lambda: self.ended, deadline)
        else:
            # Stock clients drop the events of a poll that also closes: CLOSE goes into a poll of its own.
            await self._until(lambda: self.ended or self._socket.queue.empty(), deadline)
            await self._engine.send_packet(self._connection, self._packet(_CLOSE))
            await self._until(lambda: self.ended or self._socket.queue.empty(), deadline)
        await self.abort()

    async def _until(self, true: Callable[[], bool], deadline: float) -> None:
        while not true() and self._clock.monotonic() < deadline:
            await self.stirred(_FULL_LOOK_S)

    async def abort(self) -> None:
        """Cut the connection off at once, whatever has not left."""
        if self.ended:
            return
        if self._transport is not None and self._socket.upgraded:
            self._transport.abort()
        if self._poll is not None and self._polled:
            self._poll.abort()
        await self._socket.close(wait=False, abort=True)
        self._socket.queue.put_nowait(None)  # ends a poll or a writer that waits

    def _heard(self) -> None:
        self.received_at = self._clock.monotonic()
        self._stirred.set()

    async def _on_packet(self, packet: Any) -> None:
        self._heard()
        if packet.packet_type == _MESSAGE:
            wrong = violation(packet.data, self._decode)
            if wrong is not None:
                self.on_violation(wrong)
                return
        await self._receive(packet)


def _bounded(transport: asyncio.Transport | None) -> asyncio.Transport | None:
    """Bound what the kernel buffers for a client."""
    connection = transport.get_extra_info("socket") if transport is not None else None
    if connection is not None:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, KERNEL_BYTES)
    return transport
