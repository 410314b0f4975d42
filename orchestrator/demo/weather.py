"""The network of a server without WhatsApp: whether the way there works is what somebody wrote down.

Owns that small file and the probe that reads it, so that nothing of a simulated server asks the real network. It must
never know who makes the weather. Read `orchestrator/supervisor/probe.py` for the real one.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import get_args
from urllib.parse import urlsplit

from orchestrator.supervisor.incidents import Failure, Route, Verdict

BROKEN_PORT = 9
"""A proxy on this port (discard) does not work, so that a page can show how that looks."""


class Weather:
    """One file beside the simulated phones: empty or absent is fine weather, else it names the failure."""

    def __init__(self, phones: Path) -> None:
        self._path = phones / "weather"

    def set(self, failure: Failure | None) -> None:
        """Let every way to WhatsApp fail like this from now on; None ends it. Raises OSError."""
        self._path.write_text(failure or "", "ascii")

    def verdict(self, route: Route) -> Verdict:
        """Return what a probe of this route finds."""
        if route is not None and urlsplit(route).port == BROKEN_PORT:
            return "proxy_failed"
        try:
            said = self._path.read_text("ascii").strip()
        except FileNotFoundError:
            return "ok"
        return next((failure for failure in get_args(Failure) if failure == said), "ok")


def prober(phones: Path) -> Callable[[Route], Awaitable[Verdict]]:
    """Return the probe of a simulated server."""
    weather = Weather(phones)

    async def probe(route: Route) -> Verdict:
        return weather.verdict(route)

    return probe
