"""Commands about bots: list, create, link in the terminal, send, open the page. REST only.

Owns what these commands print. Read `cli_client.py` for how they reach the server.
"""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import Annotated, Any

import typer

from orchestrator import qr
from orchestrator.cli_client import (
    Client,
    DataDirOption,
    JsonOption,
    Problem,
    TokenOption,
    UrlOption,
    UserOption,
    columns,
    fail,
    print_json,
    run,
    target,
    terminal,
)
from orchestrator.cli_words import bot_rows

bots = typer.Typer(help="Bots: list, create, link, start, stop, delete.", no_args_is_help=True, rich_markup_mode=None)

BotArgument = Annotated[str, typer.Argument(metavar="BOT", help="The bot's id, or its name when only one has it.")]

POLL_S = 1.0
LINK_ENDINGS = {
    "login_expired", "passkey_required", "replaced", "logged_out", "banned", "blocked", "outdated", "failed", "stopped",
}  # fmt: skip
SEND_WAIT_S = 90.0


async def find(client: Client, given: str) -> dict[str, Any]:
    listing = await client.call("GET", "/bots")
    matches = [bot for bot in listing["bots"] if bot["id"] == given]
    matches = matches or [bot for bot in listing["bots"] if bot["name"] == given]
    if len(matches) != 1:
        problem = "There is no bot" if not matches else "Several bots are"
        raise Problem(404, "not_found", f"{problem} called {given!r}; `orchestrator bots list` shows their ids")
    found: dict[str, Any] = matches[0]
    return found


def _line(bot: dict[str, Any]) -> tuple[str, ...]:
    reason = bot["reason"]["text"] if bot["reason"] else ""
    phone = f"+{bot['account']['phone']}" if bot["account"] else "–"
    return bot["id"], bot["name"], bot["status"], phone, reason


def _show(bot: dict[str, Any], as_json: bool) -> None:
    if as_json:
        print_json(bot)
        return
    columns([*bot_rows(bot)])


@bots.command("list")
def list_bots(
    url: UrlOption = None,
    token: TokenOption = None,
    data_dir: DataDirOption = None,
    user: UserOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show all bots with their status."""
    listing = run(target(url, token, data_dir, user), lambda client: client.call("GET", "/bots"))
    if as_json:
        print_json(listing)
    elif not listing["bots"]:
        print("No bots yet. `orchestrator bots create NAME` makes one.")
    else:
        columns([("ID", "NAME", "STATUS", "NUMBER", "REASON"), *map(_line, listing["bots"])])


@bots.command()
def show(
    bot: BotArgument,
    url: UrlOption = None,
    token: TokenOption = None,
    data_dir: DataDirOption = None,
    user: UserOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show one bot."""
    _show(run(target(url, token, data_dir, user), lambda client: find(client, bot)), as_json)


@bots.command()
def create(
    name: Annotated[str, typer.Argument(help="What to call it.")],
    device_name: Annotated[str | None, typer.Option(help="What the phone lists under linked devices.")] = None,
    start: Annotated[bool, typer.Option(help="Start linking at once.")] = True,
    url: UrlOption = None,
    token: TokenOption = None,
    data_dir: DataDirOption = None,
    user: UserOption = None,
    as_json: JsonOption = False,
) -> None:
    """Create a bot; `orchestrator bots link NAME` then shows its QR code."""
    body: dict[str, object] = {"name": name, "start": start}
    if device_name is not None:
        body["deviceName"] = device_name
    made = run(target(url, token, data_dir, user), lambda client: client.call("POST", "/bots", body))
    if as_json:
        print_json(made)
    else:
        print(f"{made['id']}  {made['name']}  {made['status']}")


def _act(verb: str, doc: str) -> None:
    def command(
        bot: BotArgument,
        url: UrlOption = None,
        token: TokenOption = None,
        data_dir: DataDirOption = None,
        user: UserOption = None,
        as_json: JsonOption = False,
    ) -> None:
        async def work(client: Client) -> Any:
            found = await find(client, bot)
            path = f"/bots/{found['id']}"
            if verb == "delete":
                await client.call("DELETE", path)
                return {"id": found["id"], "deleted": "accepted"}
            return await client.call("POST", f"{path}/{verb}", {})

        done = run(target(url, token, data_dir, user), work)
        if as_json:
            print_json(done)
        elif verb == "logout":
            print("Unlinked." if done["unlinked"] else _REMOVE_BY_HAND)
        else:
            print(done.get("status") or "Being deleted.")

    command.__doc__ = doc
    bots.command(verb)(command)


_REMOVE_BY_HAND = "WhatsApp did not confirm: remove the device on the phone, under Linked devices."

_act("start", "Run it.")
_act("stop", "Stop it; it stays linked.")
_act("restart", "Stop and start it.")
_act("logout", "Unlink it at WhatsApp.")
_act("delete", "Log it out, then erase everything of it.")


@bots.command()
def link(
    bot: BotArgument,
    phone: Annotated[str | None, typer.Option(help="Link by a code typed on this phone instead of a QR code.")] = None,
    url: UrlOption = None,
    token: TokenOption = None,
    data_dir: DataDirOption = None,
    user: UserOption = None,
    as_json: JsonOption = False,
) -> None:
    """Draw the QR code here and refresh it until the bot is linked."""

    async def work(client: Client) -> dict[str, Any]:
        found = await find(client, bot)
        path = f"/bots/{found['id']}"
        if found["status"] == "connected":
            return found
        if phone is None:
            await client.call("POST", f"{path}/link", {"method": "qr"})
        else:
            offer = await client.call("POST", f"{path}/pairing-code", {"phone": phone})
            _show_pairing_code(offer, as_json)
        return await _watch_link(client, path, draw=phone is None and not as_json)

    ended = run(target(url, token, data_dir, user), work)
    if as_json:
        print_json(ended)
    if ended["status"] != "connected":
        fail(ended["reason"]["text"] if ended["reason"] else f"Not linked: the bot is {ended['status']}.")
    if not as_json:
        print(f"Linked to +{ended['account']['phone']}.")


def _show_pairing_code(offer: dict[str, Any], as_json: bool) -> None:
    if as_json:
        print_json(offer)
        return
    print(f"\n    {offer['code']}\n")
    print("On the phone: WhatsApp > Linked devices > Link a device > Link with phone number instead.")


async def _watch_link(client: Client, path: str, *, draw: bool) -> dict[str, Any]:
    drawn = ""
    said = ""
    while True:
        bot: dict[str, Any] = await client.call("GET", path)
        if bot["status"] == "connected" or bot["status"] in LINK_ENDINGS:
            return bot
        if draw and bot["status"] == "awaiting_scan":
            drawn = await _draw(client, path, drawn)
        elif draw:
            said = _say(bot, said)
        await asyncio.sleep(POLL_S)


async def _draw(client: Client, path: str, drawn: str) -> str:
    try:
        offer = await client.call("GET", f"{path}/qr")
    except Problem as problem:
        if problem.code != "no_code_on_offer":
            raise
        return drawn
    if offer["qr"] == drawn:
        return drawn
    if terminal():
        print("\x1b[2J\x1b[H", end="")
    print(qr.terminal(offer["qr"]))
    left = max(0, round(offer["expiresAt"] / 1000 - time.time()))
    print(
        f"Code {offer['index']} of {offer['of']}, valid {left} s. WhatsApp > Linked devices > Link a device.",
        flush=True,
    )
    return str(offer["qr"])


def _say(bot: dict[str, Any], said: str) -> str:
    text = (
        "Linking: WhatsApp restarts the connection …" if bot["status"] == "pairing" else f"The bot is {bot['status']} …"
    )
    if bot["reason"]:
        text = bot["reason"]["text"]
    if text != said:
        print(text, flush=True)
    return text


async def _with_file(client: Client, path: str, file: Path, kind: str | None, caption: str | None) -> dict[str, Any]:
    """Upload a file; return the form of the message that carries it."""
    kept = await client.upload(f"{path}/media", file, name=file.name, kind=kind)
    found = kept["mimetype"].partition("/")[0]
    shown = {"image/jpeg": "image", "image/png": "image", "video/mp4": "video", "video/3gpp": "video"}
    kind = kind or shown.get(kept["mimetype"], "audio" if found == "audio" else "document")
    return {kind: {"mediaId": kept["mediaId"], **({"caption": caption} if caption else {})}}


def send(
    bot: BotArgument,
    to: Annotated[str, typer.Argument(help="Phone number, or a WhatsApp id.")],
    text: Annotated[str | None, typer.Argument(help="What to say; with --file its caption.")] = None,
    file: Annotated[Path | None, typer.Option(help="A file to send.", show_default=False)] = None,
    kind: Annotated[
        str | None, typer.Option("--as", help="image, video, audio, voice, document or sticker [by the file].")
    ] = None,
    url: UrlOption = None,
    token: TokenOption = None,
    data_dir: DataDirOption = None,
    user: UserOption = None,
    as_json: JsonOption = False,
) -> None:
    """Send a text or a file and wait for its outcome."""
    if text is None and file is None:
        fail("Give a text, or a file with --file.", usage=True)
    if file is not None and not file.is_file():
        fail(f"--file: there is no file {file}", usage=True)

    async def work(client: Client) -> dict[str, Any]:
        found = await find(client, bot)
        path = f"/bots/{found['id']}"
        said = {"text": text} if file is None else await _with_file(client, path, file, kind, text)
        job: dict[str, Any] = await client.call("POST", f"{path}/messages", {"to": to, **said}, wait=10)
        deadline = time.monotonic() + SEND_WAIT_S
        while job["state"] == "queued" and time.monotonic() < deadline:
            await asyncio.sleep(POLL_S)
            job = await client.call("GET", f"{path}/sends/{job['id']}")
        return job

    job = run(target(url, token, data_dir, user), work)
    if as_json:
        print_json(job)
    if job["state"] in {"failed", "unknown"}:
        fail(job["error"]["text"] if job["error"] else "It is not known whether this was sent; look at the phone.")
    if not as_json:
        print("Still queued: the bot sends it when it is connected." if job["state"] == "queued" else job["state"])


def open_page(
    url: UrlOption = None,
    token: TokenOption = None,
    data_dir: DataDirOption = None,
    user: UserOption = None,
    as_json: JsonOption = False,
) -> None:
    """Print a fresh one-time address that opens the page signed in (one use, 5 minutes)."""

    async def work(client: Client) -> str:
        body = {"userId": client.user} if client.user is not None else {}
        answer = await client.call("POST", "/session/code", body)
        return f"{client.url}/#code={answer['code']}"

    address = run(target(url, token, data_dir, user), work)
    if as_json:
        print_json({"url": address})
    else:
        print(address)
