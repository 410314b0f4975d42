"""A bot's record as the command line prints it."""

from __future__ import annotations

from typing import Any

from orchestrator.cli_words import bot_rows, moment

BOT: dict[str, Any] = {
    "id": "bot_1", "name": "Front desk", "userId": "ada", "status": "degraded", "since": 1_795_904_071_040,
    "statusVersion": 4, "reason": {"code": "keepalive_lost", "text": "WhatsApp does not answer.", "number": None},
    "userAction": None, "retryAt": None, "provedAt": 1_795_904_094_926, "proxy": False,
    "account": {"jid": "4915112345678@s.whatsapp.net", "lid": None, "phone": "4915112345678", "pushName": "Desk"},
    "link": {"method": "qr", "attempt": 2, "index": 1, "of": 6, "expiresAt": 1_795_904_094_926, "triesLeft": None},
    "repair": {"n": 2, "of": 3, "step": "new_client"}, "restarts": 0,
}  # fmt: skip


def test_a_record_is_told_to_people() -> None:
    """Times are times, members without a value and those for programs are left out, nothing is shown as Python has it."""
    rows = dict(bot_rows(BOT))
    assert rows["reason"] == "WhatsApp does not answer. (keepalive_lost)"
    assert rows["account"] == "+4915112345678, Desk"
    assert rows["repair"] == "2 of 3: new client"
    assert rows["proxy"] == "no" and rows["restarts"] == "0"
    assert rows["since"] == moment(BOT["since"]) and rows["proved at"] == moment(BOT["provedAt"])
    assert rows["link"] == f"method qr, attempt 2, index 1, of 6, until {moment(BOT['link']['expiresAt'])}"
    assert not {"userId", "statusVersion", "next", "userAction", "retries at"} & rows.keys()


def test_a_moment_is_of_this_machine_s_zone() -> None:
    """To the second, in the order that sorts."""
    assert len(moment(1_795_904_071_040)) == len("2026-11-28 21:41:11")
    assert moment(1_000) < moment(86_401_000 * 2)
