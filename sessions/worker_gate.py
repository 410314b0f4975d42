"""The process-wide gate in front of the Go library: its maps are not written while anything reads them.

Owns when a call, a start or a stop may enter the library, and the bounds on each. It must never know the library. The
maps of clients and stop signals are plain Go maps (neonize main.go): a write beside any access aborts the process
(`concurrent map writes`, measured with 100 parallel starts). A call reads the map as its first act, so calls in flight
delay nobody: only their entry is gated. Times come from the running loop, so tests use virtual time. Read
`whatsapp_session.py` next for the one who enters.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

SHUT_S = 1.0
"""At most this long a start keeps calls out; a client registers within milliseconds, a dial may take a minute."""
REPORT_S = 15.0
"""At most this long a start keeps further starts and stops out."""
STOP_S = 5.0
"""At most this long a stop is waited for."""
SETTLE_S = 0.02
"""A call that entered this long ago has read the map, or was never scheduled in time on a starving machine."""


class Gate:
    """One per process. All methods run on the loop's thread."""

    def __init__(self) -> None:
        self._open = asyncio.Event()
        self._open.set()
        self._turn = asyncio.Lock()
        self._writer: object = None
        self._last_entry_s = float("-inf")

    async def call(self) -> None:
        """Wait until a call may enter. Enter at once when this returns."""
        while not self._open.is_set():
            await self._open.wait()
        self._last_entry_s = asyncio.get_running_loop().time()

    async def start(self, enter: Callable[[], object], reported: asyncio.Future[None]) -> bool:
        """Let one start enter the library, alone.

        Returns at its first sign of life or after `SHUT_S`; calls may enter again then. Further starts and stops wait
        until `reported`, at most `REPORT_S` after the entry.

        Args:
            enter: begins the start in a thread of its own and returns at once.
            reported: done at the first sign of life; never cancelled by this.

        Returns:
            True when it had reported before this returned.
        """
        loop = asyncio.get_running_loop()
        await self._turn.acquire()
        writer = object()
        try:
            await self._shut(writer)
            enter()
        except BaseException:
            self._reopen(writer)
            self._turn.release()
            raise
        self._release_when(reported, loop)
        try:
            await asyncio.wait([reported], timeout=SHUT_S)
        finally:
            self._reopen(writer)
        return reported.done()

    async def stop(self, forget: Callable[[], Awaitable[None]]) -> bool:
        """Let one stop enter the library, alone, and wait for it.

        Returns:
            True when `forget` was done within `STOP_S`. False: it may still write the maps at any moment; nothing can
            prevent that but the end of the process.
        """
        async with self._turn:
            writer = object()
            try:
                await self._shut(writer)
                await asyncio.wait_for(forget(), STOP_S)
            except TimeoutError:
                return False
            finally:
                self._reopen(writer)
            return True

    async def _shut(self, writer: object) -> None:
        self._writer = writer
        self._open.clear()
        await asyncio.sleep(max(0.0, self._last_entry_s + SETTLE_S - asyncio.get_running_loop().time()))

    def _reopen(self, writer: object) -> None:
        # The next writer may have shut the gate already, between this one's report and its being told.
        if self._writer is writer:
            self._open.set()

    def _release_when(self, reported: asyncio.Future[None], loop: asyncio.AbstractEventLoop) -> None:
        def release(_: object = None) -> None:
            if not handle.cancelled():
                handle.cancel()
                reported.remove_done_callback(release)
                self._turn.release()

        handle = loop.call_later(REPORT_S, release)
        reported.add_done_callback(release)
