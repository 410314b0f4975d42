"""`orchestrator events`: what is kept, page by page, and with --follow what happens, over a stream of REST.

Owns what this command prints and how it comes back when the stream ends. It must never touch the user's socket: a
command beside an open page must not cost the page its connection. Read `cli_client.py` for how it reaches the server.
"""

from __future__ import annotations

import asyncio
import sys
from datetime import datetime
from typing import Annotated, Any

import aiohttp
import typer

from orchestrator.cli_bots import find
from orchestrator.cli_client import (
    Client,
    DataDirOption,
    JsonOption,
    Problem,
    TokenOption,
    UrlOption,
    UserOption,
    print_json,
    run,
    target,
)

RETRY_S = 1.0
FINAL = {"unauthorized", "token_expired", "forbidden", "invalid_field", "not_found", "position_expired"}
"""Refusals that trying again does not change."""


def events(
    after: Annotated[str | None, typer.Option(help="Position EPOCH:SEQ to read on from.")] = None,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on as things happen, until Ctrl-C.")] = False,
    bot: Annotated[str | None, typer.Option(help="Only this bot's.")] = None,
    url: UrlOption = None,
    token: TokenOption = None,
    data_dir: DataDirOption = None,
    user: UserOption = None,
    as_json: JsonOption = False,
) -> None:
    """Print the events that are kept, oldest first, and the position to read on from; --follow goes on."""

    async def work(client: Client) -> str:
        wanted = (await find(client, bot))["id"] if bot is not None else None
        if follow:
            await _follow(client, after, wanted, as_json)
        return await _pages(client, after, wanted, as_json)

    # Ctrl-C is how following ends.
    position = run(target(url, token, data_dir, user), work, interrupted=0 if follow else 1)
    if not as_json:
        print(f"-- position {position}")


async def _pages(client: Client, after: str | None, wanted: str | None, as_json: bool) -> str:
    position = after
    while True:
        page = await client.call("GET", "/events", after=position, limit=500)
        for frame in page["events"]:
            if wanted is None or frame["botId"] == wanted:
                _print_event(frame, as_json)
        position = f"{page['position']['epoch']}:{page['position']['seq']}"
        if not page["events"]:
            return position


async def _follow(client: Client, after: str | None, wanted: str | None, as_json: bool) -> None:
    """Print until interrupted. A server that goes away is waited for once it has answered.

    Raises:
        Problem: the server refuses, and will go on refusing.
    """
    last, answered = after, False
    while True:
        try:
            async for name, position, frame in client.stream("/events", last):
                answered, last = True, position or last
                if frame is not None and (wanted is None or frame["botId"] == wanted):
                    _print_event({"event": name, **frame}, as_json)
        except Problem as problem:
            if problem.code in FINAL:
                raise
        except (aiohttp.ClientError, TimeoutError):
            if not answered:
                raise
        await asyncio.sleep(RETRY_S)


def _print_event(frame: dict[str, Any], as_json: bool) -> None:
    if as_json:
        print_json(frame)
    else:
        at = datetime.fromtimestamp(frame["at"] / 1000).astimezone().strftime("%Y-%m-%d %H:%M:%S")
        place = f"{frame['epoch']}:{frame['seq']}" if "seq" in frame else "–"
        what = f"{frame['event']}/{frame['type']}"
        print(f"{at}  {place}  {frame['botId'] or '–'}  {what}  {frame.get('status') or ''}".rstrip())
    sys.stdout.flush()
