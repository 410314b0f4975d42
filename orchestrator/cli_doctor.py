"""`orchestrator doctor` and `orchestrator status`: can this machine run it, and how is it doing.

Owns what the two print. Read `doctor.py` for the checks, `cli_client.py` for how a running server is reached.
"""

from __future__ import annotations

import asyncio
import sys
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer

from orchestrator.cli_client import (
    Client,
    DataDirOption,
    JsonOption,
    TokenOption,
    UrlOption,
    columns,
    print_json,
    run,
    target,
)
from orchestrator.settings import WrongSettings, from_environment


def doctor(
    data_dir: Annotated[Path | None, typer.Option(help="As for serve [./data].", show_default=False)] = None,
    host: Annotated[str | None, typer.Option(help="As for serve [127.0.0.1].", show_default=False)] = None,
    port: Annotated[int | None, typer.Option(help="As for serve [8000].", show_default=False)] = None,
    proxy: Annotated[str | None, typer.Option(help="As for serve.", show_default=False)] = None,
    driver: Annotated[str | None, typer.Option(help="As for serve [whatsapp].", show_default=False)] = None,
    config: Annotated[Path | None, typer.Option(help="As for serve.", show_default=False)] = None,
    as_json: JsonOption = False,
) -> None:
    """Look at library, data directory, disk, port, clock, network and proxy: pass or fail each, and what to do."""
    from orchestrator import doctor as checks  # noqa: PLC0415  # the other commands start faster without it

    options = {"data_dir": data_dir, "host": host, "port": port, "proxy": proxy, "driver": driver}
    try:
        settings = from_environment(options, config)
    except WrongSettings as error:
        for line in error.lines:
            print(line, file=sys.stderr)
        raise typer.Exit(2) from None
    found = asyncio.run(checks.examine(settings))
    failed = sum(not check.ok for check in found)
    if as_json:
        print_json({"ok": not failed, "checks": msgspec.to_builtins(found)})
    else:
        for check in found:
            print(f"{'pass' if check.ok else 'FAIL'}  {check.name:<10}  {check.found}")
            if check.remedy is not None:
                print(f"      {'':<10}  → {check.remedy}")
        print(f"\n{failed} of {len(found)} failed." if failed else "\nAll is well.")
    raise typer.Exit(1 if failed else 0)


def status(
    url: UrlOption = None,
    token: TokenOption = None,
    data_dir: DataDirOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show the fleet at a glance: bots by status, workers, sockets, the bus, restarts, incidents (operators)."""

    async def work(client: Client) -> tuple[dict[str, Any], dict[str, Any], dict[str, Any]]:
        fleet, version = await client.call("GET", "/fleet"), await client.call("GET", "/version")
        return fleet, version, await client.call("GET", "/incidents", hours=24)

    at = target(url, token, data_dir, None)
    fleet, version, incidents = run(at, work)
    if as_json:
        print_json({"version": version, "fleet": fleet, "incidents": incidents["incidents"]})
        return
    library = "SIMULATED" if version["simulated"] else version["library"] or version["driver"]
    up = _span(fleet["at"] - fleet["startedAt"])
    print(f"{at.url}  version {version['version']} ({library}), up {up}\n")
    columns(_rows(fleet))
    if incidents["incidents"]:
        print()
    for incident in incidents["incidents"]:
        _print_incident(incident)


def _rows(fleet: dict[str, Any]) -> list[tuple[str, ...]]:
    bots, sockets, flow = fleet["bots"], fleet["sockets"], fleet["flow"]
    workers = [worker for worker in fleet["workers"] if worker["kind"] != "spare"]
    memory = sum(worker["memoryBytes"] or 0 for worker in fleet["workers"]) / 1024**2
    others = sorted((count, name) for name, count in bots["statuses"].items() if name != "connected")
    rows: list[tuple[str, ...]] = [
        ("bots", f"{bots['connected']} of {bots['total']} connected, {bots['needOwner']} need their owner")
    ]
    if others:
        rows.append(("", ", ".join(f"{count} {name}" for count, name in reversed(others))))
    rows += [
        ("workers", f"{sum(one['state'] == 'up' for one in workers)} of {len(workers)} up, {memory:,.0f} MB"),
        (
            "restarts",
            f"{fleet['workerRestarts']} workers, {fleet['sessionCrashes']} sessions, {fleet['taskFailures']} bugs in 24 h",
        ),
        ("sockets", f"{sockets['open']} open, {sum(sockets['refused'].values())} refused in 24 h"),
        (
            "bus",
            f"{flow['eventsPerSecond']:g} events/s; p95: commit {_ms(flow['commitP95Ms'])}, delivery "
            f"{_ms(flow['deliveryP95Ms'])}; {flow['spoolBytes'] / 1024:,.0f} kB not taken yet, loop "
            f"{flow['loopLagMs']:g} ms late",
        ),
        ("sends", ", ".join(f"{count} {state}" for state, count in fleet["outbox"].items()) or "none"),
        ("incidents", f"{fleet['incidents']} open"),
    ]
    for wrong, what in (
        (sockets["duplicateUsers"], "users with two sockets"),
        (sockets["replaced"], "live sockets dropped"),
    ):
        if wrong:
            rows.append(("", f"WRONG: {wrong} {what}; this must never be"))
    return rows


def _print_incident(incident: dict[str, Any]) -> None:
    begun = datetime.fromtimestamp(incident["since"] / 1000).astimezone()
    open_now = incident["until"] is None
    length = "open" if open_now else f"over after {_span(incident['until'] - incident['since'])}"
    print(f"{'!' if open_now else ' '} {begun:%H:%M}  {incident['title']} ({incident['bots']} bots, {length})")
    if open_now:
        print(f"         {incident['text']}")
        if incident["action"]:
            print(f"         → {incident['action']}")


def _ms(value: float | None) -> str:
    return "–" if value is None else f"{value:g} ms"


def _span(ms: int) -> str:
    minutes = ms // 60_000
    if minutes < 1:
        return f"{ms // 1000} s"
    if minutes < 120:
        return f"{minutes} min"
    return f"{minutes // 60} h" if minutes < 2880 else f"{minutes // 1440} d"
