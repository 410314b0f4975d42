"""The supervisor's end of a worker's socket: frames out, bodies in, descriptors along, reading that can pause.

Works on the plain socket (a transport cannot send a descriptor with a byte). Owns bytes and back-pressure; it must
never know what a frame means. Read `worker_process.py` next.
"""

from __future__ import annotations

import asyncio
import os
import socket
from collections import deque
from collections.abc import Callable

import msgspec

from sessions.wire import FrameTooLarge, Splitter

READ_BYTES = 256 * 1024
"""One turn of the loop takes at most this much from one worker, so that none starves the others."""
MAX_UNSENT_BYTES = 16 * 1024 * 1024
"""A worker that lets this much wait does not read any more: the channel ends."""


class Channel:
    """One connected unix stream socket. All methods are for the loop's thread; none waits."""

    def __init__(self, sock: socket.socket, on_body: Callable[[bytes], None], on_end: Callable[[], None]) -> None:
        """Take over `sock`.

        Args:
            on_body: called with each frame body, in order; msgspec.DecodeError from it ends the channel.
            on_end: called once, on the loop, after the last body: the peer closed, broke the protocol, or `close`.
        """
        sock.setblocking(False)
        self._loop = asyncio.get_running_loop()
        self._sock = sock
        self._on_body = on_body
        self._on_end = on_end
        self._splitter = Splitter()
        self._unsent: deque[tuple[memoryview, int | None]] = deque()
        self._unsent_bytes = 0
        self._open = True
        self.paused = False
        self._loop.add_reader(sock, self._readable)

    def send(self, data: bytes, descriptor: int | None = None) -> None:
        """Write one frame; the descriptor, if any, goes with its first byte and is closed here once it left.

        On a channel that has ended, the descriptor is closed and nothing else happens.
        """
        if not self._open:
            _close(descriptor)
            return
        idle = not self._unsent
        self._unsent.append((memoryview(data), descriptor))
        self._unsent_bytes += len(data)
        if idle:
            self._writable()
        elif self._unsent_bytes > MAX_UNSENT_BYTES:
            self.close()

    def pause(self) -> None:
        """Read no more: what the worker has to say waits in its spool."""
        if self._open and not self.paused:
            self.paused = True
            self._loop.remove_reader(self._sock)

    def resume(self) -> None:
        """Read on."""
        if self._open and self.paused:
            self.paused = False
            self._loop.add_reader(self._sock, self._readable)

    def close(self) -> None:
        """End now; idempotent. What was not sent is dropped, `on_end` follows."""
        if not self._open:
            return
        self._open = False
        self._loop.remove_reader(self._sock)
        self._loop.remove_writer(self._sock)
        self._sock.close()
        for _, descriptor in self._unsent:
            _close(descriptor)
        self._unsent.clear()
        self._loop.call_soon(self._on_end)

    def _readable(self) -> None:
        try:
            data = self._sock.recv(READ_BYTES)
        except (BlockingIOError, InterruptedError):
            return
        except OSError:
            data = b""
        if not data:
            self.close()
            return
        try:
            for body in list(self._splitter.feed(data)):
                self._on_body(body)
        except (FrameTooLarge, msgspec.DecodeError):
            # A peer that does not speak the protocol is not listened to.
            self.close()
        except BaseException:
            # A bug of ours: frames after this one can't be taken without losing this one. The worker ends, its spool
            # keeps everything, and the failure surfaces where the loop's failures do.
            self.close()
            raise

    def _writable(self) -> None:
        try:
            while self._unsent:
                data, descriptor = self._unsent[0]
                if descriptor is None:
                    sent = self._sock.send(data)
                else:
                    sent = socket.send_fds(self._sock, [data], [descriptor])
                    _close(descriptor)
                self._unsent_bytes -= sent
                if sent < len(data):
                    self._unsent[0] = (data[sent:], None)
                else:
                    self._unsent.popleft()
        except (BlockingIOError, InterruptedError):
            self._loop.add_writer(self._sock, self._writable)
            return
        except OSError:
            # The peer is gone; what it wrote before is still to be read, and the reader sees the end.
            self._unsent_bytes = 0
            for _, descriptor in self._unsent:
                _close(descriptor)
            self._unsent.clear()
        self._loop.remove_writer(self._sock)


def _close(descriptor: int | None) -> None:
    if descriptor is not None:
        os.close(descriptor)
