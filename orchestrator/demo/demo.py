"""`orchestrator demo`: the whole server on the simulated driver, with a scenario that plays its phones.

Owns the demo's data directory and what it says on the terminal; gateway, bus, supervisor and worker processes are those
of `serve`. It must never hold a decision of the product. Read `scenario.py` for the file, `player.py` for who plays.
"""

from __future__ import annotations

import contextlib
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from orchestrator import app
from orchestrator.clock import SystemClock
from orchestrator.demo import scenario, seed
from orchestrator.demo.phones import PlayedPhones
from orchestrator.demo.player import Player
from orchestrator.demo.scenario import Cast, Scenario
from orchestrator.demo.weather import Weather
from orchestrator.settings import Settings
from orchestrator.tasks import Tasks


@dataclass(frozen=True, slots=True)
class Wish:
    """What the command line asks for."""

    played: Scenario
    seed: int
    speed: float


def run(settings: Settings, wish: Wish, data_dir: Path | None) -> int:
    """Run a demo until it is asked to stop; return the exit code.

    Args:
        settings: The server's; driver and data directory are set here.
        wish: What is played.
        data_dir: Where to keep it, to go on another day; None: a directory of its own that goes with the demo, so that
            each begins the same and none of it mixes with real bots.
    """
    with _directory(data_dir) as directory:
        kept = replace(settings, driver="simulated", data_dir=directory)
        return app.serve(kept, _Show(wish, scenario.cast(wish.played, wish.seed)))


class _Show:
    """Implements `app.Show`."""

    def __init__(self, wish: Wish, cast: list[Cast]) -> None:
        self._wish = wish
        self._cast = cast

    async def before(self, settings: Settings) -> None:
        settings.data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        await seed.prepare(settings.data_dir, self._wish.played, self._cast, self._wish.seed, SystemClock())

    def begin(self, server: app.Running, tasks: Tasks) -> None:
        phones = server.data_dir / "run" / "phones"
        Player(
            self._wish.played, self._cast, self._wish.seed, self._wish.speed, server.fleet, server.outbox,
            PlayedPhones(phones), Weather(phones), server.fleet.briefs, SystemClock(), tasks,
        ).begin()  # fmt: skip

    def announce(self, server: app.Running) -> None:
        played, bots = self._wish.played, len(self._cast)
        lines = [
            "",
            f"  Simulated: {played.title}. {bots} bots, no phone, no network; nothing here is WhatsApp.",
            f"  Everything is in {server.data_dir}",
        ]
        if sys.stdout.isatty():
            # To the person at the terminal, never to a log: the code is a secret.
            lines.append(f"\n  Open {server.url}/#code={server.code}")
            lines.append(f"  (one use, 5 minutes; `orchestrator open --data-dir {server.data_dir}` prints a fresh one)")
        else:
            lines.append(f"  Run `orchestrator open --data-dir {server.data_dir}` for an address that opens the page")
        sys.stdout.write("\n".join([*lines, "  Ctrl-C ends it.", "", ""]))
        sys.stdout.flush()


@contextlib.contextmanager
def _directory(kept: Path | None) -> Iterator[Path]:
    if kept is not None:
        yield kept
        return
    with tempfile.TemporaryDirectory(prefix="orchestrator-demo-", ignore_cleanup_errors=True) as made:
        yield Path(made)
