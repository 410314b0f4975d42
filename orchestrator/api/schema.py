"""Bodies and answers of REST as records: what handlers decode and encode is what OpenAPI shows.

Owns shapes and the checks of single fields; every refusal names the field and the remedy. Pure. Read `routes.py` next.
"""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal, get_args

import msgspec

from orchestrator.errors import Refused, invalid
from orchestrator.model import Bot, Position
from orchestrator.ports import Ribbon
from orchestrator.settings import is_proxy

Name = Annotated[str, msgspec.Meta(min_length=1, max_length=64, description="1 to 64 characters")]
DeviceName = Annotated[
    str, msgspec.Meta(min_length=1, max_length=50, description="shown on the phone, 1 to 50 characters")
]
Phone = Annotated[str, msgspec.Meta(description="international form, 7 to 15 digits, with or without +")]
ExpectedPhone = Annotated[
    str,
    msgspec.Meta(
        description="the only number that may link, international form: another one is unlinked again. Holds until a "
        "number is linked; null takes it back"
    ),
]
Text = Annotated[str, msgspec.Meta(min_length=1, max_length=65_536, description="1 to 65,536 characters")]
Recipient = Annotated[
    str,
    msgspec.Meta(
        min_length=1, max_length=128, description="a phone number, or …@s.whatsapp.net, …@c.us, …@lid or …@g.us"
    ),
]


Presence = Annotated[
    bool,
    msgspec.Meta(
        description="tell who is there and types; the bot is seen as available itself, and a phone whose chats are read "
        "elsewhere notifies less. Holds from the next start on."
    ),
]


class CreateBot(msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """Make a bot; unless `start` is false it begins to link at once."""

    name: Name
    device_name: DeviceName | None = None
    proxy: str | None = None
    presence: Presence = False
    start: bool = True
    expected_phone: ExpectedPhone | None = None


class PatchBot(msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """Change what is given; a null proxy removes it."""

    name: Name | msgspec.UnsetType = msgspec.UNSET
    device_name: DeviceName | msgspec.UnsetType = msgspec.UNSET
    proxy: str | msgspec.UnsetType | None = msgspec.UNSET
    presence: Presence | msgspec.UnsetType = msgspec.UNSET


class Link(msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """Start linking; `code` needs `phone`."""

    method: Literal["qr", "code"] = "qr"
    phone: Phone | None = None
    expected_phone: ExpectedPhone | msgspec.UnsetType | None = msgspec.UNSET


class AskPairingCode(msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """Ask for a code to type on this phone."""

    phone: Phone


class SwapCode(msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """Swap a one-time code for the session cookie; without a code the cookie gives a fresh token."""

    code: str | None = None


class AskCode(msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """Ask for a one-time code; operators may name another user."""

    user_id: str | None = None


class CheckProxy(msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """Try this proxy: http://host:port or socks5://host:port, user:password@ before the host when it asks for them."""

    proxy: Annotated[str, msgspec.Meta(min_length=1, max_length=512)]


class Nothing(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An empty object, or no body at all."""


class UserLimits(msgspec.Struct, frozen=True, rename="camel"):
    """What a user may."""

    bots: int
    """How many bots they may have."""
    link_attempts_per_hour: int
    """How often a bot of theirs may start linking in an hour; `link.triesLeft` tells what is left."""


class Me(msgspec.Struct, frozen=True, rename="camel"):
    """Who is calling."""

    user_id: str
    operator: bool
    expires_at: int | None
    limits: UserLimits


class Session(msgspec.Struct, frozen=True, rename="camel"):
    """A token for the signed-in page."""

    token: str
    expires_at: int


class SessionCode(msgspec.Struct, frozen=True, rename="camel"):
    """A one-time code."""

    code: str
    expires_at: int


class Bots(msgspec.Struct, frozen=True):
    """All bots and the position this is true at."""

    position: Position
    bots: list[Bot]


class Ribbons(msgspec.Struct, frozen=True):
    """Status histories of all bots, in short."""

    ribbons: list[Ribbon]


class ProxyChecked(msgspec.Struct, frozen=True):
    """Whether WhatsApp could be reached through the proxy."""

    ok: bool
    code: Literal["proxy_failed"] | None


class LoggedOut(msgspec.Struct, frozen=True):
    """Whether WhatsApp confirmed; when not, remove the device on the phone."""

    unlinked: bool


class EventFrame(msgspec.Struct, frozen=True, rename="camel"):
    """One event as the socket delivers it, with its event name."""

    event: str
    id: str
    type: str
    bot_id: str | None
    at: int
    epoch: str
    seq: int
    prev: int
    data: Any
    status: str | None = None
    status_version: int | None = None


class Events(msgspec.Struct, frozen=True):
    """A page of events; `position` is the last one's (or where you started): pass it as `after` to read on."""

    position: Position
    events: list[msgspec.Raw]


class Version(msgspec.Struct, frozen=True, rename="camel"):
    """What is running."""

    version: str
    contract: int
    driver: str
    library: str | None
    simulated: bool = False
    """There is no WhatsApp behind this server: phones are played."""
    server_time: int = 0
    """Wall time here, ms: what countdowns are counted by until the socket says `serverTime`."""


class Health(msgspec.Struct, frozen=True):
    """`ok`, or what is missing."""

    status: str


class ProblemAnswer(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    """Every refusal (RFC 9457), as `application/problem+json`."""

    type: str
    title: str
    status: int
    code: str
    detail: str
    retryable: bool
    field: str | None = None
    retry_after_ms: int | None = None
    floor: int | None = None
    epoch: str | None = None


def digits(field: str, phone: str) -> str:
    """Return a phone number as digits. Refuses `invalid_field`."""
    plain = re.sub(r"[\s().-]", "", phone).removeprefix("+")
    if not re.fullmatch(r"[0-9]{7,15}", plain):
        raise invalid(field, f"{field}: give the number in international form, 7 to 15 digits, such as +4915112345678")
    return plain


def checked_name(field: str, name: str) -> str:
    """Return a name without outer blanks. Refuses `invalid_field` for blank or unprintable ones."""
    name = name.strip()
    if not name or not name.isprintable():
        raise invalid(field, f"{field}: give 1 to 64 printable characters")
    return name


def checked_proxy(proxy: str) -> str:
    """Refuses `invalid_field` unless it is a proxy address; whether a bot may use it is the fleet's to say."""
    if not is_proxy(proxy):
        raise invalid("proxy", "proxy: give http://host:port or socks5://host:port")
    return proxy


_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")
_PATH = re.compile(r" - at `\$\.?([^`]*)`$")


def validation_problem(error: msgspec.ValidationError, kind: type) -> Refused:
    """Turn msgspec's message about a body of this kind into one line that names the field first and what it takes."""
    text = str(error)
    match = _PATH.search(text)
    field = match[1] if match and match[1] else ""
    said = text[: match.start()] if match else text
    unknown = re.fullmatch(r"Object contains unknown field `(.*)`", said, re.DOTALL)
    missing = re.fullmatch(r"Object missing required field `(.*)`", said)
    if unknown:
        name = f"{field}.{unknown[1]}" if field else unknown[1]
        if not _NAME.fullmatch(unknown[1]):  # the caller's own text: it is not repeated unless it looks like a name
            return invalid(field or "body", f"{field or 'body'}: it holds a field there is none of in this version")
        return invalid(name, f"{name}: there is no such field in this version; leave it out")
    if missing:
        name = f"{field}.{missing[1]}" if field else missing[1]
        return invalid(name, f"{name}: this field is required")
    choices = _choices(kind, field) if said.startswith("Invalid enum value") else ()
    if choices:
        return invalid(field, f"{field}: give one of {', '.join(choices)}")
    name = field or "body"
    return invalid(name, f"{name}: {said[0].lower()}{said[1:].replace('`', '')}")


def _choices(kind: type, field: str) -> tuple[str, ...]:
    """What a field that is one of a few words takes; nothing for fields of fields."""
    if not issubclass(kind, msgspec.Struct):
        return ()
    found = [member.type for member in msgspec.structs.fields(kind) if member.encode_name == field]
    return tuple(str(word) for word in get_args(found[0])) if found else ()
