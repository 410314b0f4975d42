"""A `command` of a client as a record, and what is answered: {ok: true, result} or {ok: false, error}.

Pure. Owns the envelope {id, botId, action}; what an action needs beside it is read as REST reads it (`ports.Bodies`).
It must never know what a command does: `clerk.py` carries it out and is next.
"""

from __future__ import annotations

import hashlib
import json
import re
from typing import Literal, cast, get_args

import msgspec

from orchestrator.errors import Refused, invalid

Action = Literal["start", "stop", "restart", "logout", "link", "pairing_code", "send"]

_ACTIONS: frozenset[str] = frozenset(get_args(Action))
_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")
_ENVELOPE = frozenset({"id", "botId", "action"})


class Command(msgspec.Struct, frozen=True):
    """One command, its envelope checked."""

    id: str
    """The client's own name for it: the same id is never carried out twice within 24 h."""
    bot: str
    action: Action
    fields: dict[str, object]
    """What the action needs beside the envelope, not checked yet."""
    digest: bytes
    """Of everything the client sent: the same id with another one is a conflict."""


def read_command(raw: object) -> Command:
    """Read the argument of a `command` event.

    Raises:
        Refused: `invalid_field`; the message names the field and the remedy, and holds nothing the client sent.
    """
    if not isinstance(raw, dict):
        raise invalid("command", "command: send one object with id, botId and action")
    whole = _canonical(raw)
    for name in ("id", "botId"):
        value = raw.get(name)
        if not isinstance(value, str) or not _ID.fullmatch(value):
            raise invalid(name, f"{name}: give 1 to 64 letters, digits, _ or -")
    action = raw.get("action")
    if not isinstance(action, str) or action not in _ACTIONS:
        raise invalid("action", f"action: give one of {', '.join(get_args(Action))}")
    fields = {name: value for name, value in raw.items() if name not in _ENVELOPE}
    if fields and action in _BARE:
        raise invalid("command", f"command: {action} takes nothing beside id, botId and action")
    return Command(raw["id"], raw["botId"], cast(Action, action), fields, hashlib.sha256(whole).digest())


_BARE = frozenset({"start", "stop", "restart", "logout"})


def _canonical(raw: dict[object, object]) -> bytes:
    """Return the same bytes for equal commands; numbers and characters that JSON does not know are refused."""
    try:
        return json.dumps(raw, sort_keys=True, ensure_ascii=False, allow_nan=False).encode()
    except (ValueError, TypeError, RecursionError):  # NaN, lone surrogates, nesting
        raise invalid("command", "command: send plain JSON in valid Unicode") from None


_encode = msgspec.json.Encoder().encode


def accepted(result: object) -> bytes:
    """Encode the acknowledgement of what was accepted; outcomes are events."""
    return _encode({"ok": True, "result": result})


def rejected(refused: Refused) -> bytes:
    """Encode the acknowledgement of a refusal: {ok: false, error: {code, message, retryable, field?, retryAfterMs?}}."""
    error: dict[str, object] = {"code": refused.code, "message": refused.message, "retryable": refused.retryable}
    if refused.field is not None:
        error["field"] = refused.field
    if refused.retry_after_s is not None:
        error["retryAfterMs"] = max(0, round(refused.retry_after_s * 1000))
    return _encode({"ok": False, "error": error})
