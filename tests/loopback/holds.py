"""Answers kept back until a test lets them go: a moment that lasts a tenth of a second stays as long as one looks at it.

Owns which points are held and what waits there, in order; it must never know what an answer says. The server holds
``refs`` (whose companion it is shows later), an account's phone the others. Neighbours to read next: ``pairing.py`` and
``login.py``, which pass through here.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

Point = Literal["refs", "restart", "active", "offline"]
"""The QR refs of a companion, the 515 after it was linked, the answer to its <active/>, the end of what waited for it."""


class Holds:
    """What is kept back. Whoever is gone when it is let go is told nothing, as with any stanza."""

    def __init__(self) -> None:
        self._waiting: dict[Point, list[Callable[[], None]]] = {}

    def keep(self, *points: Point) -> None:
        """Let nobody past these points from now on."""
        for point in points:
            self._waiting.setdefault(point, [])

    def let_go(self, *points: Point) -> None:
        """Let everybody past these points, those that wait there first; no effect where nothing is held."""
        for point in points:
            for go_on in self._waiting.pop(point, []):
                go_on()

    def passing(self, point: Point, go_on: Callable[[], None]) -> None:
        """Go on now, or once the point is let go."""
        waiting = self._waiting.get(point)
        if waiting is None:
            go_on()
        else:
            waiting.append(go_on)
