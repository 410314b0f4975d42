"""How a worker ends: by itself, within 3 s, whatever hangs, once nobody is left to hand events to.

Owns the one plain thread that waits for the end, and the end itself. It must never know a session. It looks for the
supervisor's socket being closed and for SIGTERM (an operator's, or the kernel's at the parent's death) without the
loop's help, since a loop can hang. Read `worker.py` next for who builds it.
"""

from __future__ import annotations

import ctypes
import os
import select
import signal
import socket
import threading
import time
from collections.abc import Callable

SENDS_S = 2.0
"""For sends in flight to have their outcome spooled."""
TOTAL_S = 3.0
_PR_SET_PDEATHSIG = 1
_POLLRDHUP = getattr(select, "POLLRDHUP", 0x2000)


class Death:
    """Ends the process. Made on the main thread, before the library is loaded."""

    def __init__(self, supervisor: socket.socket) -> None:
        """Watch this socket's end and SIGTERM from now on; act once `watch` has started."""
        self._supervisor = supervisor.fileno()
        self.near = threading.Event()
        """Set from the first sign of the end on: no new call is taken."""
        # Python's own handler writes the number here in the signal's context, whatever the main thread is doing.
        self._woken, self._wake = socket.socketpair()
        self._wake.setblocking(False)
        signal.set_wakeup_fd(self._wake.fileno(), warn_on_full_buffer=False)
        signal.signal(signal.SIGTERM, lambda _number, _frame: None)
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C goes to the whole group; the supervisor decides
        self._parent = os.getppid()
        _die_with_parent()

    def watch(
        self, sends_in_flight: Callable[[], int], give_up: Callable[[], None], hang_up: Callable[[float], None]
    ) -> None:
        """Start the thread.

        Args:
            sends_in_flight: how many sends have no outcome in the spool yet; called from the thread.
            give_up: ends what has surely reached nobody; called from the thread, returns at once.
            hang_up: closes the sessions' sockets and lets what was received reach the spool, within so many seconds.
        """
        threading.Thread(target=self._wait, args=(sends_in_flight, give_up, hang_up), name="death", daemon=True).start()

    def _wait(
        self, sends_in_flight: Callable[[], int], give_up: Callable[[], None], hang_up: Callable[[float], None]
    ) -> None:
        poll = select.poll()
        poll.register(self._supervisor, _POLLRDHUP | select.POLLHUP)
        poll.register(self._woken, select.POLLIN)
        while os.getppid() == self._parent and not poll.poll(1000):
            pass
        self.near.set()
        ending = time.monotonic() + TOTAL_S
        last = threading.Timer(TOTAL_S - 0.1, os._exit, args=(1,))
        last.daemon = True
        last.start()
        give_up()
        while sends_in_flight() and time.monotonic() < ending - TOTAL_S + SENDS_S:
            time.sleep(0.01)
        hang_up(max(0.0, ending - 0.2 - time.monotonic()))
        os._exit(0)


def _die_with_parent() -> None:
    """Have the kernel send SIGTERM when the parent dies (Linux; elsewhere the closed socket tells)."""
    try:
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)
    except (OSError, AttributeError):
        return
