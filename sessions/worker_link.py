"""The worker's end of the socket: frames in with the descriptors that come along, frames out from any thread.

Owns the socket's bytes on one event loop. It must never know what a frame does. Noticing that the supervisor is gone is
not its task: `worker_death.py` watches for that from a plain thread, since a loop can hang. Read `worker_host.py` next.
"""

from __future__ import annotations

import array
import asyncio
import os
import socket
import threading
from collections import deque
from collections.abc import Callable

import msgspec

from sessions import wire
from sessions.worker_tasks import report

_READ_BYTES = 256 * 1024
_WRITE_BYTES = 256 * 1024
_MAX_DESCRIPTORS = 4
_AGAIN_S = 0.005
LOW_BYTES = 1024 * 1024
"""Below this the queue is refilled from the spool, if events had to wait there."""
HIGH_BYTES = 8 * 1024 * 1024
"""At this the queue takes no more events: they wait in the spool, where they lie anyway."""


class Link:
    """One connected unix stream socket."""

    def __init__(self, sock: socket.socket) -> None:
        sock.setblocking(False)
        self._sock = sock
        self._on_frame: Callable[[wire.ToWorker, int | None], None] = lambda _frame, _descriptor: None
        self._splitter = wire.Splitter()
        self._descriptors: deque[int] = deque()
        self._lock = threading.Lock()
        self._queue: deque[bytes] = deque()
        self._queued_bytes = 0
        self._woken = False
        self._wake = asyncio.Event()
        self._drained = asyncio.Event()
        self._writing = False
        self._loop = asyncio.get_running_loop()
        self.refill: Callable[[], bool] = lambda: False
        """Called on the loop when little is queued; may push. True: call again soon."""

    def serve(self, on_frame: Callable[[wire.ToWorker, int | None], None]) -> None:
        """Read from now on; `on_frame` gets each frame on the loop, with the descriptor that came with a `Start`."""
        self._on_frame = on_frame
        self._loop.add_reader(self._sock, self._readable)

    @property
    def full(self) -> bool:
        """Whether events should wait in the spool for now."""
        return self._queued_bytes >= HIGH_BYTES

    @property
    def low(self) -> bool:
        """Whether there is room for events that waited."""
        return self._queued_bytes < LOW_BYTES

    def push(self, frame: wire.FromWorker) -> None:
        """Queue a frame; callable from any thread, never waits. Frames leave in the order of the calls."""
        self.push_bytes(wire.encode(frame))

    def push_bytes(self, data: bytes) -> None:
        """Queue an encoded frame, as `push`."""
        with self._lock:
            self._queue.append(data)
            self._queued_bytes += len(data)
            if self._woken:
                return
            self._woken = True
        try:
            self._loop.call_soon_threadsafe(self._wake.set)
        except RuntimeError:
            return  # the loop is closed: the process is ending

    async def write(self) -> None:
        """Write what is queued until the peer is gone; then return. What is left then lies in the spool."""
        while True:
            await self._wake.wait()
            self._wake.clear()
            with self._lock:
                self._woken = False
            more = True
            while more:
                chunk = self._take()
                self._writing = bool(chunk)
                try:
                    await self._loop.sock_sendall(self._sock, chunk)
                except OSError:
                    return
                self._writing = False
                waiting = self.low and self.refill()
                more = bool(self._queued_bytes) or waiting
                if waiting and not chunk:
                    await asyncio.sleep(_AGAIN_S)
            self._drained.set()

    async def flushed(self) -> None:
        """Wait until everything queued so far is with the kernel."""
        while self._queued_bytes or self._writing:
            self._drained.clear()
            await self._drained.wait()

    def _take(self) -> bytes:
        """About `_WRITE_BYTES` of whole frames, taken off the queue."""
        with self._lock:
            size, chunk = 0, []
            while self._queue and size < _WRITE_BYTES:
                data = self._queue.popleft()
                chunk.append(data)
                size += len(data)
            self._queued_bytes -= size
        return b"".join(chunk)

    def _readable(self) -> None:
        room = socket.CMSG_SPACE(_MAX_DESCRIPTORS * array.array("i").itemsize)
        try:
            data, ancillary, _, _ = self._sock.recvmsg(_READ_BYTES, room, socket.MSG_CMSG_CLOEXEC)
        except (BlockingIOError, InterruptedError):
            return
        except OSError:
            data, ancillary = b"", []
        for level, kind, payload in ancillary:
            if (level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS):
                received = array.array("i")
                received.frombytes(payload[: len(payload) - len(payload) % received.itemsize])
                self._descriptors.extend(received)
        if not data:
            self._loop.remove_reader(self._sock)
            return
        try:
            for body in self._splitter.feed(data):
                frame = wire.decode_to_worker(body)
                # The descriptor comes with the first byte of its frame, so it is here before the frame is whole.
                carries = isinstance(frame, wire.Start) and self._descriptors
                self._on_frame(frame, self._descriptors.popleft() if carries else None)
        except (wire.FrameTooLarge, msgspec.DecodeError) as error:
            report("frame", error)
            os._exit(1)
