"""What a demo's bots have behind them when it begins: linked devices, a week of statuses, figures, messages that wait.

Owns a fresh data directory before the server opens it, and writes only what a server writes itself. It must never touch
one that has been used. Read `scenario.py` for what is asked for.
"""

from __future__ import annotations

import random
from collections.abc import Iterable
from itertools import pairwise
from pathlib import Path

from orchestrator.bots import history
from orchestrator.bots.history import Day
from orchestrator.bots.record import Private
from orchestrator.bus.bus import Entry, StatePut
from orchestrator.bus.sqlite import SqliteBus
from orchestrator.clock import Clock
from orchestrator.demo import scenario
from orchestrator.demo.scenario import Cast, Scenario
from orchestrator.errors import REASONS, ban_text
from orchestrator.model import Bot, Reason, Status, new_id, to_json
from orchestrator.operations.figures import Sample
from orchestrator.ports import Incident
from orchestrator.ports.histories import SLOT_MS, PastStatus
from orchestrator.store.database import Database
from orchestrator.store.operations import IncidentRow, OperationRows
from orchestrator.tasks import Tasks
from sessions import simulated_store
from sessions.lifecycle import USER_ACTIONS
from sessions.model import LID_SERVER, USER_SERVER, Account, Jid
from sessions.simulated_store import Inbox, Saved, TextIn

WEEK_MS = 7 * 86_400_000
SAMPLE_EVERY_MS = 600_000
SAMPLE_LAST_MS = 3_600_000
"""The last hour has a sample a minute."""
EVENTS_A_MINUTE = 4
BOTS_A_WORKER = 8
BAN_MS = 2 * 3_600_000
BAN_CODE = 101

_REASONS: dict[Status, str] = {
    "logged_out": "unlinked_on_phone", "banned": "temporary_ban", "blocked": "main_device_gone",
    "login_expired": "codes_expired", "passkey_required": "passkey_required", "replaced": "stream_replaced",
    "failed": "restart_budget_spent",
}  # fmt: skip
_LINKED: frozenset[Status] = frozenset({"banned", "replaced", "failed", "stopped"})
"""Statuses of a bot that keeps its device."""


async def prepare(data_dir: Path, played: Scenario, cast: list[Cast], seed: int, clock: Clock) -> bool:
    """Fill a fresh data directory; False, and nothing changes, when a server has run there before."""
    if (data_dir / "orchestrator.db").exists():
        return False
    tasks = Tasks()
    database = await Database.open(data_dir / "orchestrator.db", clock)
    bus = await SqliteBus.open(database, clock, tasks)
    try:
        now_ms = clock.wall_ms()
        behind = [bot for bot in cast if bot.actor.linked or bot.actor.status is not None]
        for bot in behind:
            await bus.commit([_entry(bot, data_dir, now_ms)])
        rows = OperationRows(database)
        await rows.add_samples([(sample.at, to_json(sample)) for sample in samples(behind, now_ms)])
        await rows.put_incidents([_incident_row(one, now_ms) for one in _incidents(played, now_ms)], now_ms)
        for bot in behind:
            if bot.actor.talk is not None and bot.actor.status is None:
                _write_waiting(data_dir / "run" / "phones", bot, played, seed, now_ms)
    finally:
        await bus.close()
        await tasks.close()
        await database.close()
    return True


def past_of(bot: Cast, end_ms: int) -> list[tuple[int, PastStatus]]:
    """Return (when, status) of the bot's changes over the last week, oldest first; the past of the file repeats."""
    pattern = scenario.past(bot.actor.past, "past") or ["connected"]
    last: PastStatus = bot.actor.status or "connected"
    pattern = [*pattern[:-1], last]
    count = WEEK_MS // SLOT_MS
    found: list[tuple[int, PastStatus]] = []
    # Bots don't change in step: each has its own minute.
    shift_ms = random.Random(bot.id).randrange(SLOT_MS)  # noqa: S311
    for number in range(count):
        status = pattern[(number - count) % len(pattern)]
        if not found or found[-1][1] != status:
            found.append((end_ms - (count - number) * SLOT_MS - (shift_ms if number else 0), status))
    return found


def days_of(bot: Cast, changes: list[tuple[int, PastStatus]]) -> Iterable[Day]:
    """Yield the bot's history as its mailbox would have written it."""
    kept: dict[int, Day] = {}
    newest: Day | None = None
    for (since_ms, was), (at_ms, now) in pairwise(changes):
        newest = history.changed(newest, was, since_ms, at_ms, now)
        kept[newest.day] = newest
    return kept.values()


def samples(cast: list[Cast], now_ms: int) -> list[Sample]:
    """Return the fleet's samples of the week that went with these pasts."""
    pasts = [past_of(bot, now_ms) for bot in cast]
    first_ms = now_ms - WEEK_MS
    times = [
        *range(first_ms, now_ms - SAMPLE_LAST_MS, SAMPLE_EVERY_MS),
        *range(now_ms - SAMPLE_LAST_MS, now_ms + 1, 60_000),
    ]
    places = [0] * len(pasts)
    found = []
    for at_ms in times:
        span_ms = SAMPLE_EVERY_MS if at_ms < now_ms - SAMPLE_LAST_MS else 60_000
        statuses: dict[str, int] = {}
        for index, changes in enumerate(pasts):
            while places[index] + 1 < len(changes) and changes[places[index] + 1][0] <= at_ms:
                places[index] += 1
            status = changes[places[index]][1]
            statuses[status] = statuses.get(status, 0) + 1
        events = len(cast) * EVENTS_A_MINUTE * span_ms // 60_000
        found.append(Sample(at_ms, statuses, 1 + len(cast) // BOTS_A_WORKER, 1, {"events": events}))
    return found


def _reason(status: Status) -> Reason | None:
    code = _REASONS.get(status)
    if code is None:
        return None
    return Reason(code, ban_text(BAN_CODE), BAN_CODE) if status == "banned" else Reason(code, REASONS[code].text)


def _entry(bot: Cast, data_dir: Path, now_ms: int) -> Entry:
    status: Status = bot.actor.status or "connected"
    changes = past_of(bot, now_ms)
    private, account = Private(attempt=1), None
    if bot.actor.status is None or status in _LINKED:
        account = _account(bot)
        file = f"1-{bot.id[-8:]}.db"
        simulated_store.save(str(data_dir / "devices" / bot.id / file), _saved(account, status, now_ms))
        private = Private(
            device_file=file, account_jid=account.jid, account_phone=account.phone, generation=1, attempt=1
        )
    record = Bot(
        id=bot.id, name=bot.name, user_id=bot.actor.owner, status=status, since=changes[-1][0], status_version=1,
        reason=_reason(status), user_action=USER_ACTIONS[status],
        retry_at=now_ms + BAN_MS + 600_000 if status == "banned" else None,
        until=now_ms + BAN_MS if status == "banned" else None, proved_at=None,
        desired="stopped" if status in {"stopped", "logged_out"} else "running", account=account, link=None, proxy=False,
        device_name=bot.actor.device_name, script=None, restarts=0, created_at=now_ms - WEEK_MS + bot.index,
    )  # fmt: skip
    puts = [StatePut(f"bot/{bot.id}", to_json(record)), StatePut(f"private/{bot.id}", to_json(private))]
    puts += [StatePut(f"history/{bot.id}/{day.day}", to_json(day)) for day in days_of(bot, changes)]
    return Entry(bot.actor.owner, None, tuple(puts), bot=bot.id)


def _account(bot: Cast) -> Account:
    number, device = simulated_store.number_of_bot(bot.id), 10 + bot.index % 80
    jid, lid = Jid(number, USER_SERVER, device), Jid(simulated_store.lid_of(number), LID_SERVER, device)
    return Account(str(jid), str(lid), number, bot.name)


def _saved(account: Account, status: Status, now_ms: int) -> Saved:
    banned_until_ms = now_ms + BAN_MS if status == "banned" else 0
    return Saved(account=account, banned_until_ms=banned_until_ms, ban_code=BAN_CODE if banned_until_ms else 0)


def _write_waiting(phones: Path, bot: Cast, played: Scenario, seed: int, now_ms: int) -> None:
    """Leave what contacts wrote before the demo: it arrives with the first login, as after any absence."""
    assert bot.actor.talk is not None
    phones.mkdir(mode=0o700, parents=True, exist_ok=True)
    inbox = Inbox(phones / f"{bot.id}.inbox")
    lines = scenario.chatter(played, bot.actor.talk, 300.0, f"{bot.name}/before", seed)
    texts: list[TextIn] = []
    at_ms = now_ms - random.Random(f"{seed}/{bot.id}").randrange(60_000, 600_000)  # noqa: S311
    for _, (wait_s, person, line) in zip(range(_WAITING), lines, strict=False):
        texts.append(
            TextIn(
                simulated_store.new_message_id(), played.people[person], line.text, at_ms,
                from_me=line.way == "out", push_name=person,
            )
        )  # fmt: skip
        at_ms += round(wait_s * 1000)
    shift_ms = max(0, texts[-1].at_ms - (now_ms - 30_000)) if texts else 0
    for text in texts:
        inbox.add(_moved(text, shift_ms))


_WAITING = 9


def _moved(text: TextIn, back_ms: int) -> TextIn:
    return TextIn(
        text.message_id, text.person, text.text, text.at_ms - back_ms, from_me=text.from_me, push_name=text.push_name
    )


def _incidents(played: Scenario, now_ms: int) -> list[Incident]:
    found = []
    for one in played.incidents:
        since_ms = now_ms - round(one.hours_ago * 3_600_000)
        holds = one.kind != "worker_lost"
        cause = "worker_crashed" if one.kind == "worker_lost" else one.kind
        until_ms = since_ms + round(one.minutes * 60_000)
        found.append(
            Incident(new_id("icd"), one.kind, since_ms, one.bots, one.text, holds, cause, one.title, None, until_ms)
        )
    return found


def _incident_row(incident: Incident, now_ms: int) -> IncidentRow:
    return IncidentRow(incident.id, incident.since, min(incident.until or now_ms, now_ms), to_json(incident))
