"""The shell between Socket.IO and the gateway's parts: connections in, frames out, ends in good order.

The ONLY file that imports socketio or engineio. Delivery goes through python-socketio's public interfaces (own
manager, own packet class); admission alone wraps the Engine.IO socket object (`engine_wire.py`). Both libraries are
pinned, and `tests/test_gateway_pins.py` fails when the members used move. It must never know what a frame holds.
Decisions are in `admission.py`; what one client gets is in `pump.py`.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Any

import engineio
import engineio.packet
import socketio
import socketio.packet
import structlog
from aiohttp import web
from multidict import CIMultiDict

from orchestrator.bus.bus import Bus
from orchestrator.clock import Clock
from orchestrator.errors import Refused
from orchestrator.gateway.clerk import Clerk, ClerkParts
from orchestrator.gateway.command import rejected
from orchestrator.gateway.engine_wire import EngineWire
from orchestrator.gateway.live import LiveSockets
from orchestrator.gateway.origins import is_allowed
from orchestrator.gateway.polling import POST_MAX_BYTES, ReadBody, whole_body, written
from orchestrator.gateway.ports import GatewayMetrics, GatewaySettings
from orchestrator.gateway.protocol import post_violation, refusal
from orchestrator.gateway.pump import PumpParts
from orchestrator.model import EventName
from orchestrator.ports import Rechecks, Tokens
from orchestrator.tasks import Tasks

_SPACE = "/"
_REFUSALS = 5
"""A connection that was refused so often is closed at once: checking a token costs time, guessing one must not pay."""
_WIRE = web.RequestKey("wire", EngineWire)
"""Where a request that opens a connection keeps its wire."""


_UNKNOWN = "no such session"


_log = structlog.get_logger("gateway")
_ORIGINS_LOGGED = 100
"""A refused origin is one line, and a flood of made-up ones is not a flood of lines."""


def _quiet() -> logging.Logger:
    """Return a logger that says nothing: both libraries log payloads, `auth` among them."""
    logger = logging.Logger("gateway libraries", logging.CRITICAL + 1)
    logger.disabled = True
    return logger


class _Finished(bytes):
    """JSON of one event argument, not to be encoded again."""


class _SocketPacket(socketio.packet.Packet):  # type: ignore[misc]  # the library has no types
    """A Socket.IO packet without binary attachments that puts the finished JSON of an acknowledgement in place."""

    uses_binary_events = False

    def encode(self) -> str:
        if self.packet_type == socketio.packet.ACK and self.data and isinstance(self.data[0], _Finished):
            return f"3{self.id}[{self.data[0].decode()}]"
        return str(super().encode())


def _socket_data(text: str) -> Any:
    return _SocketPacket(encoded_packet=text).data


class _EnginePacket(engineio.packet.Packet):  # type: ignore[misc]  # the library has no types
    """An Engine.IO message that tells its wire when the transport takes it.

    Until then it holds bytes, as many as it says: text with one wide character takes four times as much in memory. The
    transport takes it once, and nothing of it is kept after that.
    """

    def __init__(self, payload: bytes, wire: EngineWire) -> None:
        super().__init__(engineio.packet.MESSAGE)
        self._payload = payload
        self._wire = wire
        wire.queued(len(payload))

    def encode(self, b64: bool = False) -> Any:
        payload, self._payload = self._payload, b""
        self._wire.taken(len(payload))
        return f"{engineio.packet.MESSAGE}{payload.decode()}"


class _Manager(socketio.AsyncManager):  # type: ignore[misc]  # the library has no types
    """Sends to one socket without a task per frame, and tells when a connection has been confirmed to its client."""

    def __init__(self, wires: dict[str, EngineWire], confirmed: Callable[[str], None]) -> None:
        super().__init__()
        self._wires = wires
        self._confirmed = confirmed

    async def connect(self, sid: str, namespace: str) -> Any:
        answer = await super().connect(sid, namespace)
        self._confirmed(sid)
        return answer

    async def emit(self, event: str, data: _Finished, namespace: str, room: Any = None, **_: Any) -> None:
        connection = self.eio_sid_from_sid(room, namespace)
        wire = self._wires.get(connection)
        if wire is None:
            return
        payload = b'%d["%s",%s]' % (socketio.packet.EVENT, event.encode(), data)
        await self.server.eio.send_packet(connection, _EnginePacket(payload, wire))


class _SocketLine:
    """One client: its Socket.IO session and the connection that carries it."""

    def __init__(self, server: Any, socket: str, wire: EngineWire) -> None:
        self._server = server
        self._socket = socket
        self.wire = wire

    async def send(self, name: EventName, frame: bytes) -> None:
        await self._server.emit(name, _Finished(frame), to=self._socket)

    async def disconnect(self) -> None:
        await self._server.disconnect(self._socket)

    async def finish(self, flush_s: float) -> None:
        await self.wire.finish(flush_s)

    async def abort(self) -> None:
        await self.wire.abort()


class Gateway:
    """The Socket.IO endpoint of one server. `attach` it before the application starts, `drain` it before that ends."""

    def __init__(
        self,
        bus: Bus,
        commands: ClerkParts,
        tokens: Tokens,
        clock: Clock,
        tasks: Tasks,
        metrics: GatewayMetrics,
        settings: GatewaySettings,
        rechecks: Rechecks | None = None,
    ) -> None:
        self._clock = clock
        self._tasks = tasks
        self._settings = settings
        clerk = Clerk(commands, bus, clock, tasks)
        parts = PumpParts(bus, commands.fleet.fill, clock, metrics, settings)
        self._sockets = LiveSockets(parts, clerk, tokens, rechecks, tasks)
        self._wires: dict[str, EngineWire] = {}
        self._expiries: dict[str, asyncio.TimerHandle] = {}
        self._origins_logged: set[str] = set()
        self._drained = False
        self._server = self._made()

    def attach(self, app: web.Application) -> None:
        """Mount `/socket.io` in an aiohttp application."""
        for path in ("/socket.io", "/socket.io/"):
            for method in ("GET", "POST", "OPTIONS"):
                app.router.add_route(method, path, self._handle)

    async def drain(self) -> None:
        """Refuse newcomers, close every socket `server_draining`, end every connection; within some 3 s. Idempotent."""
        if self._drained:
            return
        self._drained = True
        await self._sockets.drain()
        for timer in self._expiries.values():
            timer.cancel()
        for wire in list(self._wires.values()):
            await wire.abort()
        await self._server.shutdown()

    def _made(self) -> Any:
        server = socketio.AsyncServer(
            async_mode="aiohttp",
            client_manager=_Manager(self._wires, self._sockets.confirmed),
            serializer=_SocketPacket,
            # A command may take seconds to be answered; meanwhile its client's other messages are read.
            async_handlers=True,
            logger=_quiet(),
            engineio_logger=_quiet(),
            cors_allowed_origins=self._origin_allowed,
            cors_credentials=False,
            max_http_buffer_size=POST_MAX_BYTES,
            http_compression=False,
        )
        server.on("connect", self._on_connect)
        server.on("disconnect", self._on_disconnect)
        server.on("*", self._on_event)
        self._watch_connections(server.eio)
        return server

    def _watch_connections(self, engine: Any) -> None:
        """Keep a `Wire` for each Engine.IO connection, beside what Socket.IO does with it."""
        opened, ended = engine.handlers["connect"], engine.handlers["disconnect"]

        async def on_open(connection: str, environ: dict[str, Any]) -> Any:
            request: web.Request = environ["aiohttp.request"]
            wire = EngineWire(
                engine, connection, _upgrade_transport(request), self._clock, engineio.packet.Packet, _socket_data
            )
            wire.on_violation = lambda why: self._violated(connection, why)
            self._wires[connection] = request[_WIRE] = wire
            self._expire(connection, self._settings.silent_linger_s)
            return await opened(connection, environ)

        async def on_end(connection: str, reason: str) -> None:
            socket = self._server.manager.sid_from_eio_sid(connection, _SPACE)
            await ended(connection, reason)
            if socket is not None:
                # Socket.IO tells nobody about a socket that ends while its `connect` is being decided.
                self._sockets.gone(socket, reason)
            self._wires.pop(connection, None)
            self._keep(connection)

        engine.on("connect", on_open)
        engine.on("disconnect", on_end)

    # --- requests -----------------------------------------------------------------------------------------------

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        wire = self._wires.get(request.query.get("sid", ""))
        if wire is None:
            # The library would repeat the id, which may be anything.
            return web.Response(status=400, text=_UNKNOWN) if "sid" in request.query else await self._asked(request)
        transport = _upgrade_transport(request)
        wire.touched(transport)
        if request.method == "POST":
            return await self._posted(request, wire)
        if request.method != "GET" or transport is not None:
            return await self._asked(request, wire)
        if not wire.poll_begins(request.transport):
            await wire.abort()  # Engine.IO: a client has one poll at a time
            return web.Response(status=400, text="another poll is open")
        try:
            response = await self._asked(request, wire)
            if not await written(request, response):
                await wire.abort()  # what the answer held is lost: the client comes back and resumes
        finally:
            wire.poll_ended()
        return response

    async def _posted(self, request: web.Request, wire: EngineWire) -> web.StreamResponse:
        """Take what a polling client sends: all of it, within bounds. The library takes the first segment for the whole
        and never answers what it cannot read."""
        body = await whole_body(request)
        wrong = post_violation(body) if body is not None else None
        if body is None or wrong is not None:
            wire.on_violation(wrong or "body over 64 KiB, or incomplete")
            return web.Response(status=400, text="protocol error")
        return await self._asked(request, wire, body)

    async def _asked(
        self, request: web.Request, wire: EngineWire | None = None, body: bytes = b""
    ) -> web.StreamResponse:
        """Let the library answer a request; `body` has been read already."""
        # Compression of small secrets costs memory (124 KiB a client, measured) and can leak them: never negotiated.
        # Bytes of a header that are no text (old pages' cookies have such) cannot be cloned: they become marks.
        headers = CIMultiDict(
            (name, value.encode(errors="replace").decode())
            for name, value in request.headers.items()
            if name.lower() != "sec-websocket-extensions"
        )
        inner = request.clone(headers=headers)
        inner._payload = ReadBody(body)  # type: ignore[assignment]  # what `content` gives; pinned by a test
        try:
            response: object = await self._server.handle_request(inner)
        except (ValueError, RecursionError, ConnectionError):
            # A packet that cannot be read (its text may be a secret), or a client that left in the middle.
            wire = inner.get(_WIRE, wire)
            if wire is not None:
                await wire.abort()
            return web.Response(status=400, text="unreadable packet")
        except KeyError:  # the session ended while this request was on its way
            return web.Response(status=400, text=_UNKNOWN)
        if not isinstance(response, web.StreamResponse):  # an upgrade that failed is answered with nothing
            return web.Response(status=400, text="upgrade failed")
        if not response.prepared:
            response.headers["Cache-Control"] = "no-store"
            response.headers["X-Content-Type-Options"] = "nosniff"
        return response

    def _origin_allowed(self, origin: str | None, environ: dict[str, Any]) -> bool:
        if origin is None:
            return False
        settings = self._settings
        allowed = is_allowed(
            origin,
            environ.get("HTTP_HOST"),
            settings.cors_origins,
            loopback=settings.loopback,
            tls_in_front=settings.tls_in_front,
        )
        if not allowed and origin not in self._origins_logged and len(self._origins_logged) < _ORIGINS_LOGGED:
            self._origins_logged.add(origin)
            _log.warning("Origin refused", origin=origin[:200], setting="ORCHESTRATOR_CORS_ORIGINS")
        return allowed

    # --- events of Socket.IO ------------------------------------------------------------------------------------

    async def _on_connect(self, socket: str, _environ: dict[str, Any], auth: object) -> None:
        connection = self._server.manager.eio_sid_from_sid(socket, _SPACE)
        wire = self._wires[connection]
        self._keep(connection)
        try:
            await self._sockets.connect(socket, _SocketLine(self._server, socket, wire), auth)
        except Refused as refused:
            raise self._refusal(connection, refused) from None
        except Exception as error:
            self._tasks.failures.report("gateway connect", error)
            raise self._refusal(connection, Refused("internal")) from None

    def _refusal(self, connection: str, refused: Refused) -> Exception:
        wire = self._wires.get(connection)
        if wire is not None:
            wire.refusals += 1
            self._expire(connection, self._settings.refused_linger_s if wire.refusals < _REFUSALS else 0.0)
        answer: Exception = socketio.exceptions.ConnectionRefusedError(refused.message, refusal(refused))
        return answer

    async def _on_disconnect(self, socket: str, reason: str) -> None:
        connection = self._server.manager.eio_sid_from_sid(socket, _SPACE)
        self._sockets.gone(socket, reason)
        if connection in self._wires and connection not in self._expiries:
            # Its session has ended and its transport has not: it may ask to connect again, soon.
            self._expire(connection, self._settings.refused_linger_s)

    async def _on_event(self, name: str, socket: str, *arguments: object) -> _Finished | None:
        try:
            answer = await self._sockets.event(socket, name, arguments[0] if arguments else None)
        except Exception as error:
            self._tasks.failures.report("gateway event", error)
            answer = rejected(Refused("internal"))
        return None if answer is None else _Finished(answer)

    def _violated(self, connection: str, why: str) -> None:
        socket = self._server.manager.sid_from_eio_sid(connection, _SPACE)
        if socket is not None and self._sockets.is_live(socket):
            self._sockets.close(socket, "protocol_error", why)
        else:
            self._expire(connection, 0.0)

    # --- connections that are nobody's socket -------------------------------------------------------------------

    def _expire(self, connection: str, after_s: float) -> None:
        """Close the connection unless it becomes somebody's socket in time."""
        self._keep(connection)
        self._expiries[connection] = asyncio.get_running_loop().call_later(after_s, self._expired, connection)

    def _keep(self, connection: str) -> None:
        timer = self._expiries.pop(connection, None)
        if timer is not None:
            timer.cancel()

    def _expired(self, connection: str) -> None:
        self._expiries.pop(connection, None)
        wire = self._wires.get(connection)
        if wire is not None:
            self._tasks.spawn("gateway expiry", wire.finish(self._settings.refused_linger_s))


def _upgrade_transport(request: web.Request) -> asyncio.Transport | None:
    """Return the transport of a WebSocket request, None of a poll."""
    return request.transport if request.headers.get("Upgrade", "").lower() == "websocket" else None
