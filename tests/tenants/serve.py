"""`orchestrator serve` for a proof of many steps: nobody is slowed down, and on demand a leak is planted.

Owns the planted leaks. Each is a mistake somebody could make in one line; `PLANTED` in the environment names it. Run as
`python -m tests.tenants.serve serve …`. It must never know how a leak is found: `witness.py` is next for that.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import msgspec
import structlog

from orchestrator import frames
from orchestrator.api import limits
from orchestrator.api.http import Call
from orchestrator.bots.fleet import BotFleet
from orchestrator.cli import main
from orchestrator.gateway.gateway import Gateway
from orchestrator.gateway.ports import GatewaySettings
from orchestrator.ports import BotPatch
from orchestrator.store.idempotency import Idempotency


def _plant(target: object, name: str, bug: object) -> None:
    setattr(target, name, bug)


def _owner_unchecked() -> None:
    """A bot's id is enough to reach it."""
    checked = BotFleet.mailbox

    def mailbox(fleet: BotFleet, user: str, bot_id: str) -> Any:
        found = fleet._mailboxes.get(bot_id)
        return found if found is not None else checked(fleet, user, bot_id)

    _plant(BotFleet, "mailbox", mailbox)


def _anybodys_things() -> None:
    """`?userId=` works for everybody."""

    def user(call: Call) -> str:
        return call.request.query.get("userId", call.principal.user)

    _plant(Call, "user", user)


def _shared_buffer() -> None:
    """A frame is made in a buffer that all users share: now and then it holds another event's data."""
    kept: list[bytes] = []
    bounded = frames._bounded

    def mixed(frame: frames.Frame) -> bytes:
        kept.append(bytes(frame.data))
        if len(kept) < 40:
            return bounded(frame)
        return bounded(msgspec.structs.replace(frame, data=msgspec.Raw(kept.pop(0))))

    _plant(frames, "_bounded", mixed)


def _one_key_space() -> None:
    """Idempotency keys are not each user's own."""
    for name in ("reserve", "record", "release", "leave"):
        scoped = getattr(Idempotency, name)

        def unscoped(self: Idempotency, _: str, *rest: Any, scoped: Callable[..., Any] = scoped) -> Any:
            return scoped(self, "everybody", *rest)

        _plant(Idempotency, name, unscoped)


def _when_renamed(tell: Callable[[BotFleet, str, str], None]) -> None:
    patch = BotFleet.patch

    async def told(fleet: BotFleet, user: str, bot_id: str, change: BotPatch) -> Any:
        if isinstance(change.name, str):
            tell(fleet, bot_id, change.name)
        return await patch(fleet, user, bot_id, change)

    _plant(BotFleet, "patch", told)


def _named_in_the_log() -> None:
    """A log line holds a bot's name."""
    _when_renamed(lambda _, bot, name: structlog.get_logger("bots").info("Bot renamed", botId=bot, name=name))


def _labelled_by_bot() -> None:
    """A metric has a label for every bot."""
    _when_renamed(lambda fleet, bot, _: fleet._room.metrics.suppressed(bot))


PLANTS: dict[str, Callable[[], None]] = {
    "owner unchecked": _owner_unchecked,
    "anybody's things": _anybodys_things,
    "shared buffer": _shared_buffer,
    "one key space": _one_key_space,
    "named in the log": _named_in_the_log,
    "labelled by bot": _labelled_by_bot,
}


def unhindered() -> None:
    """Let everybody ask as often as they like: fifty thousand steps of three people are no load, and not the subject."""
    table = {name: one if one.exact else replace(one, burst=10**6) for name, one in limits.TABLE.items()}
    _plant(limits, "TABLE", table)
    made: Callable[..., None] = Gateway.__init__

    def patient(gateway: Gateway, *parts: object, **named: object) -> None:
        def unlimited(part: object) -> object:
            if not isinstance(part, GatewaySettings):
                return part
            admission = replace(part.admission, connects=10**6, takeovers=10**6)
            return replace(part, requests=10**6, idle_messages=10**6, admission=admission)

        made(gateway, *map(unlimited, parts), **named)

    _plant(Gateway, "__init__", patient)


if __name__ == "__main__":
    unhindered()
    planted = os.environ.pop("PLANTED", "")
    if planted:
        PLANTS[planted]()
    main()
