"""What made-up values are put into without a connection: each reader of ours, and what it may answer.

Owns one function for each reader: it makes one value, gives it to the reader, and asserts what is promised of every
answer. Anything else that is raised is a finding. It must never know how many are made. Read `live.py` for what is
reached over a socket.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import msgspec
from aiohttp import web

from orchestrator.api import routes_account
from orchestrator.api.accept import wanted
from orchestrator.api.bodies import Bodies
from orchestrator.api.http import _decode, problem
from orchestrator.api.routes import all_routes
from orchestrator.api.schema import checked_proxy
from orchestrator.auth.local import LocalTokens
from orchestrator.bots.outbox_fold import resolve
from orchestrator.clock import ManualClock
from orchestrator.errors import Refused
from orchestrator.gateway import gateway
from orchestrator.gateway.command import read_command, rejected
from orchestrator.gateway.protocol import parse_auth, parse_resume, parse_token, post_violation, violation
from orchestrator.model import Position
from orchestrator.proxies import permitted
from orchestrator.settings import Settings, WrongSettings, load
from sessions.model import Jid
from tests.fuzz.inside import events, frames, spools
from tests.fuzz.maker import SECRET, Maker

Target = Callable[[Maker], None]


def _told(refused: Refused, *, field: bool = False) -> None:
    """A refusal is one line without secrets, and can be sent."""
    assert "\n" not in refused.message and SECRET not in refused.message, refused.message
    assert refused.message and (not field or refused.field)
    assert SECRET not in str(refused.field)
    assert problem(refused).status < 500
    rejected(refused)


# --- the socket -----------------------------------------------------------------------------------------------------


def packets(maker: Maker) -> None:
    """Socket.IO packets: what breaks the protocol is named, with nothing of what was sent."""
    name = maker.one(("command", "ack", "resync", "refresh_token", "x", "connect", "disconnect", "message"))
    number = maker.one(("", "0", "17", "9" * 30, "-1"))
    kind = maker.one("0123456x2222222")
    text = f"{kind}{number}" + json.dumps([name, maker.value(), maker.value()])
    if maker.chance.random() < 0.4:
        text = maker.spoilt_text(text)
    text = text.encode(errors="replace").decode()  # a frame of text is always UTF-8; escapes may still say anything
    wrong = violation(maker.bytes() if maker.chance.random() < 0.02 else text, gateway._socket_data)
    assert wrong is None or (SECRET not in wrong and "\n" not in wrong)


def posts(maker: Maker) -> None:
    """What polling clients post."""
    body = b"\x1e".join(
        maker.one((b"4", b"3", b"1", b"b", b"6", b"")) + maker.json() for _ in range(maker.chance.randrange(4))
    )
    wrong = post_violation(maker.spoilt(body) if maker.chance.random() < 0.5 else body)
    assert wrong is None or SECRET not in wrong


_AUTH = (
    "token",
    "userId",
    "clientId",
    "acks",
    "resume",
    "epoch",
    "seq",
    "connectionId",
    "takeover",
    SECRET,
    "log_a",
    "1",
)


def auths(maker: Maker) -> None:
    """CONNECT's auth, `resync`, `ack` and `refresh_token`."""
    value = maker.value(_AUTH) if maker.chance.random() < 0.3 else maker.members(_AUTH)
    parse_resume(value)
    parse_token(value)
    try:
        parse_auth(value)
    except Refused as refused:
        _told(refused)


_COMMAND = (
    "id",
    "botId",
    "action",
    "send",
    "link",
    "pairing_code",
    "start",
    "to",
    "text",
    "phone",
    "method",
    SECRET,
    "bot_a",
)


def commands(maker: Maker) -> None:
    """`command`, its envelope and what goes with each action."""
    value: Any = maker.members(_COMMAND)
    if maker.chance.random() < 0.6:
        value = {**value, "id": "c1", "botId": "bot_a", "action": maker.one(("send", "link", "pairing_code", "start"))}
    try:
        fields = read_command(maker.value(_COMMAND) if maker.chance.random() < 0.1 else value).fields
    except Refused as refused:
        _told(refused, field=True)
        return
    _each_body(fields)


# --- REST -----------------------------------------------------------------------------------------------------------


def _each_body(value: object) -> None:
    for read in (Bodies().message, Bodies().link, Bodies().phone):
        try:
            read(value)
        except Refused as refused:
            _told(refused, field=True)


def _members_of(kind: type) -> set[str]:
    """Every name a body of this kind has, at any depth."""
    schema, parts = msgspec.json.schema_components([kind])
    return {name for one in parts.values() for name in one.get("properties", ())} | {str(name) for name in schema}


_BODIES = [route.body for _, route in all_routes() if route.body is not None]
_NAMES = {kind: tuple(sorted(_members_of(kind))) for kind in _BODIES}
_JSON = cast(web.Request, SimpleNamespace(content_type="application/json"))
_MESSAGE = tuple(sorted(set().union(*_NAMES.values())))


def bodies(maker: Maker) -> None:
    """The body of every operation there is, decoded as it is for the operation."""
    kind = maker.one(_BODIES)
    words = (*_NAMES[kind], "4915112345678", "qr", "code", SECRET, "x@lid", "")
    raw = maker.json(words)
    try:
        _decode(kind, raw, _JSON)
    except Refused as refused:
        _told(refused, field=True)


def messages(maker: Maker) -> None:
    """What is to be sent: every form, with members of every kind."""
    _each_body(
        {"to": maker.one(("4915112345678", "1@lid", "2@g.us", maker.text())), **maker.members((*_MESSAGE, SECRET))}
    )


def addresses(maker: Maker) -> None:
    """Phone numbers and JIDs: one canonical form, which is its own."""
    user = maker.one(("", "4915112345678", "1234:7", "1.2:3", "99999999999999", "1-2", maker.text()))
    server = maker.one(("", "@", "@s.whatsapp.net", "@c.us", "@lid", "@g.us", "@broadcast", "@@lid", "@S.WHATSAPP.NET"))
    text = user + server if maker.chance.random() < 0.7 else maker.spoilt_text(user + server)
    try:
        chat = resolve(text)
    except Refused as refused:
        _told(refused, field=True)
    else:
        assert resolve(chat) == chat and chat.isascii()
    try:
        assert str(Jid.parse(text).bare)
    except ValueError as error:
        assert SECRET not in str(error)


def positions(maker: Maker) -> None:
    """`after` and Last-Event-ID."""
    text = maker.one((maker.text(), f"{maker.text()}:{maker.one(('1', '-1', '07', '9' * 30, '٣', ''))}"))
    try:
        position = Position.parse(text)
    except ValueError:
        position = None
    try:
        assert routes_account._position("Last-Event-ID", text) == position
    except Refused as refused:
        _told(refused, field=True)
        assert position is None


def headers(maker: Maker) -> None:
    """Accept."""
    parts = (
        "text/event-stream",
        "application/json",
        "*/*",
        ";q=0.5",
        ";q=nan",
        ";q=",
        ",",
        ";",
        "text/*",
        maker.text(),
    )
    text = "".join(maker.one(parts) for _ in range(maker.chance.randrange(7)))
    try:
        assert wanted(text, routes_account._EVENT_FORMS) in routes_account._EVENT_FORMS.values()
    except Refused as refused:
        _told(refused)


def proxies(maker: Maker) -> None:
    """Proxies' addresses: none is repeated, and the rule has an answer for each."""
    text = maker.one((
        f"{maker.one(('http', 'socks5', 'ftp', ''))}://u:{SECRET}@{maker.text()}:{maker.one(('80', '', '-1', '99999', 'x'))}",
        maker.text(),
    ))  # fmt: skip
    try:
        checked_proxy(text)
    except Refused as refused:
        _told(refused, field=True)
    address = maker.chance.getrandbits(maker.one((32, 128)))
    packed = address.to_bytes(4 if address < 2**32 else 16, "big")
    shown = (
        ".".join(map(str, packed))
        if len(packed) == 4
        else ":".join(packed.hex()[at : at + 4] for at in range(0, 32, 4))
    )
    assert isinstance(permitted(maker.text(), 80, [shown], [maker.text()]), bool)


# --- sign-in and settings ---------------------------------------------------------------------------------------------

_CLOCK = ManualClock()
_TOKENS = LocalTokens(b"k" * 32, _CLOCK)
_GOOD = _TOKENS.issue("ada", 3600, operator=False)[0]


def tokens(maker: Maker) -> None:
    """A spoilt token is nobody's; no other user and no operator can be made of one."""
    text = maker.text() if maker.chance.random() < 0.2 else maker.spoilt_text(_GOOD)
    if maker.chance.random() < 0.5:
        text = maker.spoilt(_GOOD.encode()).decode(errors="replace")
    try:
        who = _TOKENS.verify(text)
    except Refused as refused:
        _told(refused)
        assert refused.code == "unauthorized"
    else:
        assert (who.user, who.operator) == ("ada", False) and text.count(".") == 2


_SETTINGS = (*Settings.__dataclass_fields__, "no_such", SECRET, "hôte")
_VALUES = (
    "8000", "12h", "256MB", "0", "-1", "true", f"http://u:{SECRET}@h:1", "jwt", "firebase", "https://x/", "[", "a,b", "",
    "~nobody-of-that-name/x", "\x00", "9" * 20,
)  # fmt: skip
_DIRECTORY = tempfile.TemporaryDirectory()
_TOML = Path(_DIRECTORY.name) / "settings.toml"


def settings(maker: Maker) -> None:
    """Options, environment and TOML: settings, or one clear line for each wrong value."""

    def some() -> dict[str, Any]:
        return {
            maker.one(_SETTINGS): maker.one(_VALUES) if maker.chance.random() < 0.8 else maker.value() for _ in range(2)
        }

    environment = {f"ORCHESTRATOR_{name.upper()}": str(value) for name, value in some().items()}
    config = None
    if maker.chance.random() < 0.5:
        config = _TOML
        lines = [
            f"{maker.one((name, json.dumps(name), json.dumps(maker.text())))} = {_toml(value)}"
            for name, value in some().items()
        ]
        text = "\n".join(lines).encode("utf-8", "surrogatepass")
        config.write_bytes(maker.spoilt(text) if maker.chance.random() < 0.4 else text)
    options = {name: value for name, value in some().items() if name in Settings.__dataclass_fields__}
    try:
        load(options, environment, config)
    except WrongSettings as wrong:
        assert wrong.lines
        for line in wrong.lines:
            assert "\n" not in line and len(line) < 1000, line
            assert f":{SECRET}@" not in line, line


def _toml(value: object) -> str:
    return json.dumps(value) if not isinstance(value, dict) else "{}"


TARGETS: dict[str, Target] = {
    "packets": packets,
    "posts": posts,
    "auths": auths,
    "commands": commands,
    "bodies": bodies,
    "messages": messages,
    "addresses": addresses,
    "positions": positions,
    "headers": headers,
    "proxies": proxies,
    "tokens": tokens,
    "settings": settings,
    "frames": frames,
    "spools": spools,
    "events": events,
}
