"""Bot states and moments for tests of the pure fold."""

from __future__ import annotations

import itertools

import msgspec

from orchestrator.bots.moves import BotState, Moment, Session
from orchestrator.bots.record import Candidate, Private
from orchestrator.model import Bot, Link, Status
from sessions.model import Account

_numbers = itertools.count(1)

ACCOUNT = Account("4915112345678:7@s.whatsapp.net", "99887766@lid", "4915112345678", "Ada")


def at(mono_s: float = 1_000.0, random: float = 0.5) -> Moment:
    """Return a moment; its wall time moves with it, its incarnation is unused."""
    return Moment(mono_s, 1_790_000_000_000 + round(mono_s * 1000), random, f"inc_{next(_numbers)}")


def fresh_bot(status: Status = "stopped") -> Bot:
    """Return a record as `create` makes it."""
    return Bot(
        id="bot_1", name="Shop", user_id="ada", status=status, since=0, status_version=1, reason=None,
        user_action=None, retry_at=None, until=None, proved_at=None, desired="stopped", account=None, link=None,
        proxy=False, device_name="Bot", script=None, restarts=0, created_at=0,
    )  # fmt: skip


def connected() -> BotState:
    """Return a linked bot that is up in the pool."""
    bot = msgspec.structs.replace(fresh_bot("connected"), desired="running", account=ACCOUNT)
    private = Private(device_file="1.db", account_jid=ACCOUNT.jid, account_phone=ACCOUNT.phone, incarnation="inc_0")
    return BotState(bot, private, session=Session("inc_0", "run", "pool", "up"))


def scanning() -> BotState:
    """Return a bot whose link attempt is under way."""
    bot = msgspec.structs.replace(fresh_bot("starting"), desired="running", link=Link("qr", 1))
    private = Private(candidate=Candidate(1, "1.db", incarnation="inc_0"), incarnation="inc_0", attempt=1)
    return BotState(bot, private, session=Session("inc_0", "link", "linking", "up"))
