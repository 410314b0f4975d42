"""The `orchestrator` command: serving, tokens, and the commands that talk to a running server over REST.

Owns options, help and exit codes (0 done, 1 failed, 2 usage). It must never hold a decision of the product. Read
`cli_client.py` for how a running server is reached, `cli_bots.py` for the commands about bots.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from orchestrator import cli_bots, cli_demo, cli_doctor, cli_events
from orchestrator.auth import local, names
from orchestrator.cli_client import DataDirOption, fail
from orchestrator.settings import Settings, WrongSettings, from_environment

cli = typer.Typer(
    help="WhatsApp bots under one supervisor, live over one socket per user.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
cli.add_typer(cli_bots.bots, name="bots")
cli.command("send")(cli_bots.send)
cli.command("events")(cli_events.events)
cli.command("open")(cli_bots.open_page)
cli.command("demo")(cli_demo.demo)
cli.command("doctor")(cli_doctor.doctor)
cli.command("status")(cli_doctor.status)


def _option(help_text: str) -> Any:
    return typer.Option(help=help_text, show_default=False)


@cli.command()
def serve(
    context: typer.Context,
    host: Annotated[str | None, _option("Address to listen on [127.0.0.1].")] = None,
    port: Annotated[int | None, _option("Port [8000]; 0 picks a free one.")] = None,
    data_dir: Annotated[Path | None, _option("Everything that must survive [./data].")] = None,
    auth: Annotated[str | None, _option("How people sign in: local, firebase or jwt [local].")] = None,
    firebase_project_id: Annotated[str | None, _option("AUTH=firebase: the project whose ID tokens count.")] = None,
    firebase_credentials: Annotated[
        Path | None, _option("Service account's key file: revoked and disabled users are turned away at once.")
    ] = None,
    firebase_user_claim: Annotated[str | None, _option("Claim that names the user [uid].")] = None,
    jwt_jwks_url: Annotated[str | None, _option("AUTH=jwt: the issuer's keys [ISSUER/.well-known/jwks.json].")] = None,
    jwt_issuer: Annotated[str | None, _option("The issuer, exactly as iss in its tokens.")] = None,
    jwt_audience: Annotated[str | None, _option("Values of aud to accept, separated by commas.")] = None,
    jwt_authorized_parties: Annotated[str | None, _option("Values of azp to accept, separated by commas.")] = None,
    jwt_user_claim: Annotated[str | None, _option("Claim that names the user [sub].")] = None,
    tls_in_front: Annotated[bool | None, _option("A proxy in front ends TLS.")] = None,
    insecure: Annotated[bool | None, _option("Allow another host without TLS.")] = None,
    cors_origins: Annotated[
        str | None, _option("Origins of other pages that may connect, separated by commas.")
    ] = None,
    driver: Annotated[str | None, _option("whatsapp or simulated [whatsapp].")] = None,
    bots_per_worker: Annotated[int | None, _option("Bots that share a process [20].")] = None,
    start_rate: Annotated[int | None, _option("Starts a second [20].")] = None,
    max_bots_per_user: Annotated[int | None, _option("Bots a user may have [20].")] = None,
    max_link_attempts_per_hour: Annotated[
        int | None, _option("Link attempts a user may start in an hour [10].")
    ] = None,
    send_rate: Annotated[int | None, _option("Messages a minute of one bot, 0 for no limit [60].")] = None,
    send_burst: Annotated[int | None, _option("Messages a bot may send at once [20].")] = None,
    proxy: Annotated[str | None, _option("Default proxy for sessions, http:// or socks5://.")] = None,
    proxy_allow: Annotated[str | None, _option("Private proxies that bots may use, separated by commas.")] = None,
    retain_events: Annotated[int | None, _option("Events kept of a user's log [10000].")] = None,
    retain_hours: Annotated[int | None, _option("Hours an event is kept [72].")] = None,
    retain_bytes: Annotated[str | None, _option("Bytes kept of a user's log [20MB].")] = None,
    retain_messages_days: Annotated[int | None, _option("Days a message is kept [90].")] = None,
    spool_max: Annotated[str | None, _option("Bytes a worker may keep on disk [256MB].")] = None,
    media_max: Annotated[str | None, _option("Bytes of files waiting to be sent, of each bot [512MB].")] = None,
    media_allow: Annotated[str | None, _option("Private hosts files may be fetched from, separated by commas.")] = None,
    socket_max_age: Annotated[str | None, _option("For clients that cannot refresh tokens [12h].")] = None,
    log_format: Annotated[str | None, _option("console or json [console at a terminal].")] = None,
    log_level: Annotated[str | None, _option("debug, info, warning or error [info].")] = None,
    config: Annotated[Path | None, _option("TOML file with the same settings.")] = None,
) -> None:
    """Run supervisor, bus, gateway, REST and page in one process tree."""
    from orchestrator import app  # noqa: PLC0415  # the other commands start in a third of the time without it

    options = {name: value for name, value in context.params.items() if name != "config"}
    raise typer.Exit(app.serve(_settings(options, config)))


@cli.command()
def token(
    user: Annotated[str, typer.Option(help="Whose token.")],
    ttl: Annotated[str, typer.Option(help="How long it is valid: 12h, 90m, 3600.")] = "12h",
    operator: Annotated[bool, typer.Option(help="May see and steer every user's bots.")] = False,
    data_dir: DataDirOption = None,
) -> None:
    """Print a token for a user, signed with the key in the data directory. Needs no running server."""
    settings = _settings({"data_dir": data_dir}, None)
    try:
        named = user if settings.auth == "local" else names.meant(user) or user
        print(local.issue(settings.data_dir, named, local.parse_ttl(ttl), operator=operator))
    except ValueError as error:
        fail(str(error), usage=True)


def _settings(options: dict[str, object], config: Path | None) -> Settings:
    try:
        return from_environment(options, config)
    except WrongSettings as error:
        for line in error.lines:
            print(line, file=sys.stderr)
        raise typer.Exit(2) from None


def main() -> None:
    """Entry point of the installed command."""
    cli()
