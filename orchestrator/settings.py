"""Settings: names, defaults, units and their checks. Environment, `serve` options and a TOML file share the names.

Owns reading and checking; every wrong value is one clear line. It must never know what a setting is used for.
Precedence: option, environment, file, default.
"""

from __future__ import annotations

import ipaddress
import os
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Literal, get_args, get_origin, get_type_hints
from urllib.parse import urlsplit

PREFIX = "ORCHESTRATOR_"

FIREBASE_EMULATOR = "FIREBASE_AUTH_EMULATOR_HOST"
"""While this variable is set, firebase-admin checks no signature."""

Auth = Literal["local", "firebase", "jwt"]
Driver = Literal["whatsapp", "simulated"]
LogFormat = Literal["auto", "console", "json"]
LogLevel = Literal["debug", "info", "warning", "error"]


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything `serve` can be told. Durations in seconds, sizes in bytes."""

    host: str = "127.0.0.1"
    port: int = 8000
    """0 picks a free one; the address is in the first log line."""
    data_dir: Path = Path("data")
    auth: Auth = "local"
    firebase_project_id: str | None = None
    firebase_credentials: Path | None = None
    """A service account's key file, for asking whether accounts were revoked or disabled."""
    firebase_user_claim: str = "uid"
    jwt_jwks_url: str | None = None
    """None: `/.well-known/jwks.json` at the issuer, where Clerk and Auth0 have it."""
    jwt_issuer: str | None = None
    jwt_audience: tuple[str, ...] = ()
    jwt_authorized_parties: tuple[str, ...] = ()
    jwt_user_claim: str = "sub"
    tls_in_front: bool = False
    insecure: bool = False
    cors_origins: tuple[str, ...] = ()
    """Empty: same origin, and on a loopback host every port of localhost and 127.0.0.1."""
    driver: Driver = "whatsapp"
    bots_per_worker: int = 20
    start_rate: int = 20
    """Starts a second."""
    max_bots_per_user: int = 20
    max_link_attempts_per_hour: int = 10
    send_rate: int = 60
    """Messages a minute of one bot, after `send_burst` at once; 0 is no limit. WhatsApp tells no number: a guess on the
    gentle side."""
    send_burst: int = 20
    proxy: str | None = None
    proxy_allow: tuple[str, ...] = ()
    retain_events: int = 10_000
    """Of each user's event log, as the next two; whichever comes first."""
    retain_hours: int = 72
    retain_bytes: int = 20 * 1024 * 1024
    retain_messages_days: int = 90
    spool_max: int = 256 * 1024 * 1024
    media_max: int = 512 * 1024 * 1024
    """Of each bot: files uploaded or fetched that are still to be sent, or may be named in further messages."""
    media_allow: tuple[str, ...] = ()
    socket_max_age: int = 12 * 3600
    log_format: LogFormat = "auto"
    log_level: LogLevel = "info"

    @property
    def loopback(self) -> bool:
        """Whether HOST is an address of this machine only."""
        return is_loopback(self.host)

    @property
    def jwks_url(self) -> str:
        """Where the keys of `jwt_issuer` are."""
        return self.jwt_jwks_url or f"{(self.jwt_issuer or '').rstrip('/')}/.well-known/jwks.json"


class WrongSettings(Exception):
    """One line for each wrong value; nothing was started."""

    def __init__(self, lines: list[str]) -> None:
        self.lines = lines
        super().__init__("\n".join(lines))


def is_loopback(host: str) -> bool:
    """Tell whether a host name or address is this machine's loopback."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def load(options: Mapping[str, object], environment: Mapping[str, str], config: Path | None = None) -> Settings:
    """Read settings from options (None means not given), environment and TOML file, and check them.

    Raises:
        WrongSettings: every wrong value at once, a line each, naming the setting as it was given and the remedy.
    """
    lines: list[str] = []
    raw: dict[str, tuple[str, object]] = {}
    hints = get_type_hints(Settings)
    names = {field.name for field in fields(Settings)}
    for key, value in _file(config, lines).items():
        name = key.lower()
        if name in names:
            raw[name] = (f"{key} in {config}", value)
        else:
            lines.append(f"{_shown(key)} in {config}: there is no such setting")
    for key, text in environment.items():
        if not key.startswith(PREFIX):
            continue
        name = key.removeprefix(PREFIX).lower()
        if name in names:
            raw[name] = (key, text)
        elif name not in _OTHER_NAMES:
            lines.append(f"{_shown(key)}: there is no such setting")
    for name, given in options.items():
        if given is not None:
            raw[name] = (f"--{name.replace('_', '-')}", given)
    values: dict[str, Any] = {}
    for name, (source, given) in raw.items():
        try:
            values[name] = _convert(hints[name], given)
        except ValueError as error:
            lines.append(f"{source}: {error}")
    settings = Settings(**values)
    sources = {name: source for name, (source, _) in raw.items()}
    lines += _check(settings, sources) + _check_auth(settings, sources, environment)
    if lines:
        raise WrongSettings(lines)
    return settings


def _shown(name: str) -> str:
    """A name nobody knows: a file may hold anything for one, also a secret in the wrong place."""
    return name if re.fullmatch(r"[A-Za-z0-9_.-]{1,64}", name) else "a name that can be none"


_OTHER_NAMES = {"url", "token", "config"}
"""Read by the command line's client commands, not by `serve`."""


def _file(config: Path | None, lines: list[str]) -> dict[str, object]:
    if config is None:
        return {}
    try:
        return tomllib.loads(config.read_text())
    except FileNotFoundError:
        lines.append(f"--config: there is no file {config}")
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, OSError) as error:
        lines.append(f"--config: {config} cannot be read: {error}")
    return {}


def _convert(hint: Any, given: object) -> object:
    if get_origin(hint) is Literal:
        return _choice(get_args(hint), given)
    if hint is bool:
        return _boolean(given)
    if hint is int:
        return _number(given)
    if hint in {Path, Path | None}:
        try:
            return Path(_text(given)).expanduser()
        except RuntimeError:  # ~name of nobody here
            raise ValueError("there is no such home directory") from None
    if get_origin(hint) is tuple:
        parts = given if isinstance(given, list | tuple) else re.split(r"[,\s]+", _text(given))
        return tuple(str(part) for part in parts if part)
    return _text(given)


def _text(given: object) -> str:
    if isinstance(given, Path):
        return str(given)
    if not isinstance(given, str) or not given:
        raise ValueError("a text is needed")
    return given


def _choice(allowed: tuple[str, ...], given: object) -> str:
    if given not in allowed:
        raise ValueError(f"one of {', '.join(allowed)} is needed")
    return str(given)


def _boolean(given: object) -> bool:
    if isinstance(given, bool):
        return given
    if isinstance(given, str) and given.lower() in {"1", "true", "yes", "on"}:
        return True
    if isinstance(given, str) and given.lower() in {"0", "false", "no", "off", ""}:
        return False
    raise ValueError("true or false is needed")


_SIZES = {"": 1, "s": 1, "m": 60, "h": 3600, "mb": 1024 * 1024, "kb": 1024, "gb": 1024**3, "/s": 1}


def _number(given: object) -> int:
    if isinstance(given, int) and not isinstance(given, bool):
        return given
    match = re.fullmatch(r"(\d{1,15})\s*([a-z/]*)", str(given).strip().lower())
    if match is None or match[2] not in _SIZES:
        raise ValueError("a whole number is needed; 12h, 90s and 256MB are understood")
    return int(match[1]) * _SIZES[match[2]]


def _check(settings: Settings, sources: Mapping[str, str]) -> list[str]:
    def at(name: str) -> str:
        return sources.get(name, name.upper())

    lines = []
    if not 0 <= settings.port <= 65535:
        lines.append(f"{at('port')}: a port is a number from 0 to 65535")
    for name, low, high in _RANGES:
        if not low <= getattr(settings, name) <= high:
            lines.append(f"{at(name)}: a number from {low} to {high} is needed")
    if settings.auth == "local" and not settings.loopback and not (settings.insecure or settings.tls_in_front):
        lines.append(
            f"{at('host')}: with AUTH=local an address other than loopback needs TLS in front (--tls-in-front), or --insecure"
        )
    if settings.proxy is not None and not is_proxy(settings.proxy):
        lines.append(f"{at('proxy')}: a proxy has the form http://host:port or socks5://host:port")
    lines += [
        f"{at('cors_origins')}: an origin has the form https://host or http://host:port, without a path"
        for origin in settings.cors_origins
        if not re.fullmatch(r"https?://[^/\s]+", origin)
    ]
    return lines


def _check_auth(settings: Settings, sources: Mapping[str, str], environment: Mapping[str, str]) -> list[str]:
    lines = []
    if settings.auth == "firebase":
        if settings.firebase_project_id is None:
            lines.append("FIREBASE_PROJECT_ID: AUTH=firebase needs the id of the project")
        if environment.get(FIREBASE_EMULATOR):
            lines.append(f"{FIREBASE_EMULATOR}: unset it; while it is set, firebase-admin accepts unsigned tokens")
    if settings.auth == "jwt":
        if settings.jwt_issuer is None:
            lines.append("JWT_ISSUER: AUTH=jwt needs the issuer, exactly as `iss` in its tokens")
        elif not is_https_or_loopback(settings.jwks_url):
            at = sources.get("jwt_jwks_url", "JWT_JWKS_URL")
            lines.append(f"{at}: the address of the keys begins with https:// (http:// for a loopback address only)")
        if not settings.jwt_audience and not settings.jwt_authorized_parties:
            lines.append(
                "JWT_AUDIENCE: AUTH=jwt needs the audience of your tokens (Auth0), JWT_AUTHORIZED_PARTIES (Clerk), or both;"
                " else tokens for other applications of the issuer would do"
            )
    return lines


def is_https_or_loopback(url: str) -> bool:
    """Tell whether nobody between us and this address can change what it says."""
    try:
        parts = urlsplit(url)
        _ = parts.port  # raises for what is no port
        return bool(parts.hostname) and (
            parts.scheme == "https" or (parts.scheme == "http" and is_loopback(parts.hostname or ""))
        )
    except ValueError:
        return False


_RANGES = (
    ("bots_per_worker", 1, 500),
    ("start_rate", 1, 1000),
    ("max_bots_per_user", 1, 100_000),
    ("max_link_attempts_per_hour", 1, 10_000),
    ("send_rate", 0, 100_000),
    ("send_burst", 1, 100_000),
    ("retain_events", 100, 10_000_000),
    ("retain_hours", 1, 10 * 366 * 24),
    ("retain_bytes", 1024 * 1024, 1 << 40),
    ("retain_messages_days", 1, 10 * 366),
    ("spool_max", 1024 * 1024, 1 << 40),
    ("media_max", 1024 * 1024, 1 << 40),
    ("socket_max_age", 60, 30 * 86400),
)


def is_proxy(text: str) -> bool:
    """Tell whether a text is a proxy address sessions can use."""
    try:
        parts = urlsplit(text)
        return parts.scheme in {"http", "socks5"} and bool(parts.hostname) and parts.port is not None
    except ValueError:
        return False


def from_environment(options: Mapping[str, object], config: Path | None = None) -> Settings:
    """`load` with this process's environment."""
    return load(options, os.environ, config)
