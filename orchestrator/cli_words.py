"""Records → lines for people: times in their zone, yes and no, numbers as phones show them. Pure but for the time zone.

Owns words of the command line only; `--json` prints what the server said. Read `cli_bots.py` for where they are printed.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

_TIMES = frozenset({"since", "retryAt", "until", "provedAt", "createdAt", "expiresAt", "triesRenewAt"})
_INSIDE = frozenset({"userId", "statusVersion"})
"""For programs: `--json` has them."""
_NAMES = {
    "pushName": "name", "deviceName": "device", "userAction": "next", "retryAt": "retries at", "provedAt": "proved at",
    "createdAt": "created at", "expiresAt": "until", "triesLeft": "tries left", "triesRenewAt": "one more at",
}  # fmt: skip


def bot_rows(bot: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return a bot's record as rows of name and value; members without a value are left out."""
    return [
        (_NAMES.get(name, name), _value(name, value))
        for name, value in bot.items()
        if value is not None and name not in _INSIDE
    ]


def moment(at_ms: int) -> str:
    """Return a time as the machine's zone has it, to the second."""
    return f"{datetime.fromtimestamp(at_ms / 1000).astimezone():%Y-%m-%d %H:%M:%S}"


def _value(name: str, value: object) -> str:
    match name, value:
        case "reason", {"code": code, "text": text}:
            return f"{text} ({code})"
        case "account", {"phone": phone, "pushName": push_name}:
            return f"+{phone}, {push_name}" if push_name else f"+{phone}"
        case "repair", {"n": n, "of": of, "step": step}:
            return f"{n} of {of}: {step.replace('_', ' ')}"
        case "link", dict(link):
            return ", ".join(
                f"{_NAMES.get(key, key)} {_value(key, each)}" for key, each in link.items() if each is not None
            )
        case _, bool(flag):
            return "yes" if flag else "no"
        case key, int(at) if key in _TIMES:
            return moment(at)
        case _:
            return str(value)
