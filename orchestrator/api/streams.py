"""Events as they happen over plain HTTP: `text/event-stream` (WHATWG HTML, 9.2), for devices that only watch.

Owns who may have how many streams, and when one ends. Frames are the socket's (`orchestrator/frames.py`), `id` is the
position to come back with; the bus is the buffer. Every ending is an end of the stream: whoever comes back with
Last-Event-ID goes on, or is told as a problem why not. It must never know a bot. Read `routes_account.py` next.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import assert_never

from aiohttp import web

from orchestrator import frames
from orchestrator.api.http import Call, authenticate
from orchestrator.bus.bus import Announced, Committed, Delivery, Subscription
from orchestrator.errors import Refused
from orchestrator.model import Position


@dataclass(frozen=True, slots=True)
class StreamSettings:
    """The numbers of streams."""

    per_user: int = 3
    heartbeat_s: float = 15.0
    """A comment after this long without an event keeps proxies from closing the stream, and notices who is gone."""
    slow_s: float = 10.0
    """A client that takes nothing from a full buffer for this long is cut off; it comes back with Last-Event-ID."""
    recheck_s: float = 300.0
    """How often it is asked whether the caller's token or cookie still holds."""
    retry_ms: int = 2000
    """How long a browser waits before it comes back."""


_BATCH = 64
"""Events read at a time: what is read and not sent yet is memory of a slow client."""


class Streams:
    """All streams of one server. `drain` it when the server ends."""

    def __init__(self, settings: StreamSettings | None = None) -> None:
        self.settings = settings or StreamSettings()
        self._open: dict[str, list[_Stream]] = {}
        self._draining = False

    def live(self, caller: str) -> int:
        """How many streams of a caller somebody still listens to."""
        return sum(not one.gone for one in self._open.get(caller, ()))

    @property
    def count(self) -> int:
        """How many streams are open."""
        return sum(map(len, self._open.values()))

    async def serve(self, call: Call, user: str, after: Position) -> web.StreamResponse:
        """Stream the user's events after a position until something ends it.

        Raises:
            Refused: before the stream begins: `position_expired`, `rate_limited`, `server_draining`.
        """
        if call.request.method == "HEAD":
            return web.Response(content_type="text/event-stream")
        if self._draining:
            raise Refused("server_draining", retry_after_s=1.0)
        caller = call.principal.user
        if self.live(caller) >= self.settings.per_user:
            raise Refused(
                "rate_limited", f"You have {self.settings.per_user} streams open. Close one first.", retry_after_s=5.0
            )
        mine = self._open.setdefault(caller, [])
        stream = _Stream(call, self.settings)
        mine.append(stream)
        try:
            return await stream.run(await call.parts.bus.subscribe(user, after), after)
        finally:
            mine.remove(stream)
            if not mine and self._open.get(caller) is mine:
                del self._open[caller]

    async def drain(self) -> None:
        """End every stream; newcomers are refused."""
        self._draining = True
        for streams in self._open.values():
            for stream in streams:
                stream.end()


STREAMS = web.AppKey("streams", Streams)


class _Stream:
    def __init__(self, call: Call, settings: StreamSettings) -> None:
        self._call = call
        self._settings = settings
        self._subscription: Subscription | None = None
        self._ended = False
        self._proved = call.parts.clock.monotonic()
        self._response = web.StreamResponse(
            headers={
                "Content-Type": "text/event-stream",
                "Cache-Control": "no-store",
                "X-Accel-Buffering": "no",
                "X-Content-Type-Options": "nosniff",
                "Cross-Origin-Resource-Policy": "same-origin",
                **call.allowance_headers(),
            }
        )

    @property
    def gone(self) -> bool:
        """Whether the client has left."""
        return self._call.request.transport is None

    def end(self) -> None:
        """Let it end at once."""
        self._ended = True
        if self._subscription is not None:
            self._subscription.close()

    async def run(self, subscription: Subscription, after: Position) -> web.StreamResponse:
        self._subscription = subscription
        try:
            await self._response.prepare(self._call.request)
            # An id without data is no event: it only tells the client where it stands.
            await self._write(f"retry: {self._settings.retry_ms}\nid: {after}\n\n".encode())
            while not self._ended and await self._still_valid():
                batch = await self._next(subscription)
                if batch is None:
                    await self._write(b": still here\n\n")
                    continue
                for delivery in batch:
                    await self._write(encoded(delivery))
                await asyncio.sleep(0)  # a log in memory never waits: let the writer have its turn
        except (ConnectionError, _Slow):
            pass  # the client has left, or was cut off
        except Refused:
            pass  # the log cannot be read on from here: whoever comes back is told why
        finally:
            subscription.close()
        return self._response

    async def _next(self, subscription: Subscription) -> Sequence[Delivery] | None:
        """Read on; None when it is time for a sign of life."""
        try:
            async with asyncio.timeout(self._patience_s()):
                batch = await subscription.read(_BATCH)
        except TimeoutError:
            return None
        self._ended = self._ended or not batch
        return batch

    def _patience_s(self) -> float:
        expires_at_ms = self._call.principal.expires_at_ms
        if expires_at_ms is None:
            return self._settings.heartbeat_s
        left_s = (expires_at_ms - self._call.parts.clock.wall_ms()) / 1000
        return max(0.0, min(self._settings.heartbeat_s, left_s))

    async def _still_valid(self) -> bool:
        """Whether the caller may go on: the token has not ended, and was not withdrawn when last asked."""
        clock, expires_at_ms = self._call.parts.clock, self._call.principal.expires_at_ms
        if expires_at_ms is not None and clock.wall_ms() >= expires_at_ms:
            return False
        if clock.monotonic() - self._proved < self._settings.recheck_s:
            return True
        try:
            await authenticate(self._call.parts, self._call.request)
        except Refused as refused:
            if not refused.retryable:
                return False
        self._proved = clock.monotonic()
        return True

    async def _write(self, data: bytes) -> None:
        try:
            async with asyncio.timeout(self._settings.slow_s):
                await self._response.write(data)
        except TimeoutError:
            transport = self._call.request.transport
            if transport is not None:
                transport.abort()
            raise _Slow from None


class _Slow(Exception):
    """The client did not keep up."""


def encoded(delivery: Delivery) -> bytes:
    """Return one event of the stream: durable ones carry the position to come back with."""
    event = delivery.event
    match delivery:
        case Committed(position=position, prev=prev, replayed=replayed):
            frame = frames.durable(event, position, prev, replayed=replayed)
            return b"id: %b\nevent: %b\ndata: %b\n\n" % (str(position).encode(), event.name.encode(), _one_line(frame))
        case Announced():
            return b"event: %b\ndata: %b\n\n" % (event.name.encode(), _one_line(frames.transient(event)))
        case _:
            assert_never(delivery)


def _one_line(frame: bytes) -> bytes:
    """JSON has line breaks between its tokens only, where a blank means the same; a stream's line ends at each."""
    return frame.translate(_BLANKS)


_BLANKS = bytes.maketrans(b"\r\n", b"  ")
