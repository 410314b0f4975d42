"""Loopback sockets: CONNECT proxy, then TLS for web.whatsapp.com on the same socket, then WebSocket, then frames;
or TLS for a media host, then HTTP.

Owns the listening port and every byte on it; it must never know ciphers, nodes or accounts: above it is a
``FrameHandler`` per connection. Where a connection is to hang or fail is told by ``Faults``. Neighbours to read next:
``framing.py`` (the bytes), ``stanzas.py`` (the handler).
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
import struct
import weakref
from collections.abc import Callable
from typing import Protocol

from tests.loopback import framing, media_host
from tests.loopback.faults import Faults
from tests.loopback.media_host import MediaStore, MediaWire

LOOPBACK = "127.0.0.1"
TLS_HOST = "web.whatsapp.com"
_LINGER_RESET = struct.pack("ii", 1, 0)
_GARBAGE = b"\x00\xffthis is not what you asked for\r\n\r\n"


class FrameHandler(Protocol):
    """What answers one connection's frames. Raising ``ValueError`` from ``frame`` drops the connection."""

    def opened(self, wire: Wire) -> None:
        """The WebSocket is up; frames may be sent from now on."""

    def frame(self, payload: bytes) -> None:
        """One frame arrived, in order."""

    def closed(self) -> None:
        """The connection is gone, whoever ended it; called once."""


class Wire(asyncio.Protocol):
    """One client's WebSocket inside TLS. Frames sent in one turn of the loop leave in one message."""

    def __init__(self, handler: FrameHandler, faults: Faults, on_lost: Callable[[Wire], None]) -> None:
        self._handler = handler
        self._faults = faults
        self._on_lost = on_lost
        self._transport: asyncio.Transport | None = None
        self._head: bytes | None = b""
        self._web_socket = framing.WebSocketReader()
        self._frames = framing.FrameReader()
        self._outgoing: list[bytes] = []
        self._lost = False

    def attach(self, transport: asyncio.Transport) -> None:
        """Take over the TLS transport: asyncio calls no connection_made after start_tls, and the request may already
        have come with the end of the client's handshake."""
        self._transport = transport
        if self._head:
            self.data_received(b"")

    def data_received(self, data: bytes) -> None:
        try:
            if self._head is not None:
                self._upgrade(self._head + data)
            else:
                self._receive(data)
        except ValueError:
            self.abort()

    def _upgrade(self, buffer: bytes) -> None:
        self._head = buffer
        split = framing.split_head(buffer)
        if split is None or self._faults.stall == "upgrade" or self._transport is None:
            return
        head, rest = split
        self._transport.write(framing.upgrade_response(head))
        self._head = None
        self._handler.opened(self)
        if rest:
            self._receive(rest)

    def _receive(self, data: bytes) -> None:
        for event in self._web_socket.feed(data):
            if self._lost:
                return
            match event:
                case framing.Data(payload):
                    for frame in self._frames.feed(payload):
                        self._handler.frame(frame)
                case framing.Ping(payload):
                    self._write(framing.build_pong(payload))
                case framing.Close():
                    self.close()

    def send(self, payload: bytes) -> None:
        """Queue one frame; silently dropped when the connection is gone (its owner hears of it by ``closed``)."""
        if self._lost:
            return
        if not self._outgoing:
            asyncio.get_running_loop().call_soon(self._flush)
        self._outgoing.append(payload)

    def _flush(self) -> None:
        if self._outgoing:
            payloads, self._outgoing = self._outgoing, []
            self._write(framing.build_frames(payloads))

    def _write(self, data: bytes) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write(data)

    def close(self, code: int = 1000) -> None:
        """End in order: what was sent, a WebSocket close, TLS close."""
        self._flush()
        self._write(framing.build_close(code))
        if self._transport is not None:
            self._transport.close()

    def abort(self) -> None:
        """Reset the TCP connection: nothing queued is sent, the client's next read fails."""
        self._outgoing.clear()
        if self._transport is not None:
            raw = self._transport.get_extra_info("socket")
            with contextlib.suppress(OSError):
                raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_RESET)
            self._transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        if not self._lost:
            self._lost = True
            self._handler.closed()
            self._on_lost(self)


class _ProxyDoor(asyncio.Protocol):
    """The first bytes of a socket: a CONNECT request, answered and handed on to TLS."""

    def __init__(self, listener: Listener) -> None:
        self._listener = listener
        self._buffer = b""
        self.transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        self._listener.doors.add(self)
        if self._listener.faults.stall == "garbage":
            transport.write(_GARBAGE)
            transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        self._listener.doors.discard(self)

    def data_received(self, data: bytes) -> None:
        transport = self.transport
        assert transport is not None
        self._buffer += data
        try:
            split = framing.split_head(self._buffer)
        except framing.MalformedBytes:
            transport.abort()
            return
        if split is None or self._listener.faults.stall == "connect":
            return
        head, _ = split
        host = head.target.rpartition(":")[0]
        known = host == TLS_HOST or host in media_host.HOSTS
        if self._listener.faults.stall == "proxy_502" or head.method != "CONNECT" or not known:
            transport.write(b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
            transport.close()
            return
        # Nothing of the TLS hello may reach this protocol: start_tls reads on.
        transport.pause_reading()
        transport.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
        if self._listener.faults.stall != "tls":
            self._listener.doors.discard(self)
            self._listener.start_tls(transport, media=host != TLS_HOST)


class Listener:
    """The port: can be closed and opened again under the same number."""

    def __init__(
        self, context: ssl.SSLContext, faults: Faults, make_handler: Callable[[], FrameHandler], media: MediaStore
    ) -> None:
        self.faults = faults
        self.doors: set[_ProxyDoor] = set()
        self.wires: set[Wire] = set()
        self.media_wires: weakref.WeakSet[MediaWire] = weakref.WeakSet()
        self._media = media
        self.port = 0
        self._context = context
        self._make_handler = make_handler
        self._server: asyncio.Server | None = None
        self._handshakes: set[asyncio.Task[None]] = set()

    @property
    def listening(self) -> bool:
        """Whether new connections are accepted."""
        return self._server is not None

    async def open(self) -> None:
        """Accept connections; the first call picks a free port, later ones use the same."""
        if self._server is None:
            loop = asyncio.get_running_loop()
            self._server = await loop.create_server(
                lambda: _ProxyDoor(self), LOOPBACK, self.port, reuse_address=True, backlog=512
            )
            self.port = self._server.sockets[0].getsockname()[1]

    def refuse(self) -> None:
        """Close the port: connections are refused from now on, present ones stay."""
        if self._server is not None:
            self._server.close()
            self._server = None

    def drop_all(self) -> None:
        """Reset every connection, finished or not."""
        for wire in list(self.wires):
            wire.abort()
        for media_wire in list(self.media_wires):
            media_wire.abort()
        for door in list(self.doors):
            if door.transport is not None:
                door.transport.abort()
        for task in list(self._handshakes):
            task.cancel()

    def start_tls(self, transport: asyncio.Transport, *, media: bool = False) -> None:
        """Begin TLS on an accepted socket, of WhatsApp's chat host or of a media host."""
        task = asyncio.get_running_loop().create_task(self._tls(transport, media), name="loopback-tls")
        self._handshakes.add(task)
        task.add_done_callback(self._handshakes.discard)

    async def _tls(self, transport: asyncio.Transport, media: bool) -> None:
        wire = self._wire(media)
        try:
            secured = await asyncio.get_running_loop().start_tls(transport, wire, self._context, server_side=True)
        except (OSError, asyncio.CancelledError):  # ssl.SSLError is an OSError: the client went away or distrusts us
            transport.abort()
            return
        if secured is None:
            return
        wire.attach(secured)
        if isinstance(wire, MediaWire):
            self.media_wires.add(wire)
        else:
            self.wires.add(wire)

    def _wire(self, media: bool) -> Wire | MediaWire:
        if media:
            return MediaWire(self._media, self.faults)
        return Wire(self._make_handler(), self.faults, self.wires.discard)

    async def wait_idle(self) -> None:
        """Wait until no handshake is under way any more; for shutting down."""
        if self._handshakes:
            await asyncio.wait(self._handshakes)
