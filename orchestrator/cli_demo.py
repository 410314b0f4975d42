"""`orchestrator demo`: options and help of the command that shows everything without a phone.

Owns its command line. It must never know what is played. Read `demo/demo.py` next.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from orchestrator.settings import WrongSettings, from_environment


def demo(
    scenario: Annotated[str, typer.Option(help="What is played: day, storm, or a TOML file.")] = "day",
    speed: Annotated[float, typer.Option(min=0.1, max=100.0, help="2 plays twice as fast.")] = 1.0,
    seed: Annotated[
        int | None, typer.Option(help="Another one makes other numbers and talks.", show_default=False)
    ] = None,
    host: Annotated[str | None, typer.Option(help="Address to listen on [127.0.0.1].", show_default=False)] = None,
    port: Annotated[int | None, typer.Option(help="Port [8000]; 0 picks a free one.", show_default=False)] = None,
    data_dir: Annotated[
        Path | None,
        typer.Option(
            help="Keep the demo here, to go on another day; else it has a directory of its own that goes with it.",
            show_default=False,
        ),
    ] = None,
    log_level: Annotated[str, typer.Option(help="debug, info, warning or error.")] = "warning",
) -> None:
    """Show everything without a phone and without a network: simulated bots link, chat and fail in front of you."""
    from orchestrator.demo import demo as show  # noqa: PLC0415  # as `serve`: the other commands start faster
    from orchestrator.demo.scenario import ScenarioWrong, load  # noqa: PLC0415

    try:
        played = load(scenario)
        settings = from_environment({
            "host": host, "port": port, "log_level": log_level, "driver": "simulated", "auth": "local",
            "bots_per_worker": played.bots_per_worker, "data_dir": data_dir,
        })  # fmt: skip
    except ScenarioWrong as error:
        print(error, file=sys.stderr)
        raise typer.Exit(2) from None
    except WrongSettings as error:
        for line in error.lines:
            print(line, file=sys.stderr)
        raise typer.Exit(2) from None
    wish = show.Wish(played, played.seed if seed is None else seed, speed)
    raise typer.Exit(show.run(settings, wish, data_dir))
