"""One outcome of a send, whoever decides it first.

Owns that race. Read `whatsapp_session.py` next for who takes part in it.
"""

from __future__ import annotations

import threading
from collections.abc import Callable

from sessions.model import SendOutcome


class Once:
    """The first outcome of a send counts: the library's or the clock's."""

    def __init__(self, decide: Callable[[SendOutcome], SendOutcome]) -> None:
        self._decide = decide
        self._lock = threading.Lock()
        self._outcome: SendOutcome | None = None

    def __call__(self, outcome: SendOutcome) -> SendOutcome:
        with self._lock:
            if self._outcome is None:
                self._outcome = self._decide(outcome)
            return self._outcome
