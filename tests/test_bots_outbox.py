"""Durable sends through the whole room: states, order, what survives, what is never sent twice."""

from __future__ import annotations

import asyncio
import dataclasses
from pathlib import Path

import msgspec
import pytest

from orchestrator.bots import outbox_fold
from orchestrator.bots.outbox_book import KEEP_MS
from orchestrator.bots.pace import Pace
from orchestrator.bus.bus import Entry, StatePut
from orchestrator.errors import Refused
from orchestrator.model import to_json
from orchestrator.ports import LinkRequest
from sessions.model import (
    Connected,
    Disconnected,
    NotSent,
    OutgoingText,
    ReceiptReceived,
    SendFinished,
    SendOutcome,
    SendRejected,
    SendUnknown,
    Sent,
)
from tests.support import virtual_time
from tests.support.fake_host import account, link, offer
from tests.support.fleet_room import USER, FleetRoom, linked, run, settle

TO = "+49 151 87654321"


def receipt(kind: str, *ids: str, from_me: bool = False) -> ReceiptReceived:
    """Make a header as the worker sends it."""
    return ReceiptReceived("55@lid", None, "55@lid", ids, kind, from_me, 1)  # type: ignore[arg-type]


def test_queued_sent_delivered_read(tmp_path: Path) -> None:
    """Every state is told once, in order; a receipt of an own device, a repeated or a lesser one changes nothing."""

    async def scenario(room: FleetRoom) -> None:
        bot = await linked(room)
        job = await room.outbox.submit(USER, bot, OutgoingText(TO, "hello"))
        assert (job.state, job.to) == ("queued", "4915187654321@s.whatsapp.net")
        sent = await room.outbox.wait(USER, bot, job.id, 10)
        assert sent.state == "sent" and sent.message_id == f"3EB0{job.id}"
        room.host.tell(bot, receipt("read", f"3EB0{job.id}", from_me=True), b"{}")
        room.host.tell(bot, receipt("delivered", f"3EB0{job.id}"), b"{}")
        room.host.tell(bot, receipt("delivered", f"3EB0{job.id}"), b"{}")
        room.host.tell(bot, receipt("read", "OTHER", f"3EB0{job.id}"), b"{}")
        room.host.tell(bot, receipt("played", f"3EB0{job.id}"), b"{}")
        await settle()
        assert await room.sends(job.id) == ["queued", "sent", "delivered", "read"]
        assert (await room.outbox.job(USER, bot, job.id)).state == "read"
        assert room.metrics.dropped["redelivered"] == 1 and room.metrics.jobs["read"] == 1
        told = [event.data for event in await room.events() if event.type == "send_result"]
        assert [b"hello" in data for data in told] == [True, False, False, False], "the message is told once"

    run(tmp_path, scenario)


def test_reading_proves_delivery(tmp_path: Path) -> None:
    """One receipt for both is told as both; a delivery told afterwards changes nothing."""

    async def scenario(room: FleetRoom) -> None:
        bot = await linked(room)
        job = await room.outbox.submit(USER, bot, OutgoingText(TO, "hello"))
        await room.outbox.wait(USER, bot, job.id, 10)
        room.host.tell(bot, receipt("read", f"3EB0{job.id}"), b"{}")
        room.host.tell(bot, receipt("delivered", f"3EB0{job.id}"), b"{}")
        await settle()
        assert await room.sends(job.id) == ["queued", "sent", "delivered", "read"]

    run(tmp_path, scenario)


def test_a_receipt_that_is_ahead_of_its_send(tmp_path: Path) -> None:
    """The library may tell the receipt before the send returns: delivered is told after sent."""

    async def scenario(room: FleetRoom) -> None:
        bot = await linked(room)
        room.host.on_send = lambda bot, job: None
        job = await room.outbox.submit(USER, bot, OutgoingText(TO, "hello"))
        await settle()
        room.host.tell(bot, receipt("delivered", "3EB01"), b"{}")
        room.host.tell(bot, SendFinished(job.id, Sent("3EB01", 1)))
        await settle()
        assert await room.sends(job.id) == ["queued", "sent", "delivered"]

    run(tmp_path, scenario)


@pytest.mark.parametrize(
    ("outcome", "state", "code"),
    [
        (SendRejected("not_on_whatsapp"), "failed", "not_on_whatsapp"),
        (SendRejected("restricted", 463), "failed", "restricted"),
        (SendUnknown(), "unknown", None),
    ],
)
def test_ends(tmp_path: Path, outcome: SendOutcome, state: str, code: str | None) -> None:
    """Refused for good fails with its code; not knowing is final: neither is ever sent again."""

    async def scenario(room: FleetRoom) -> None:
        bot = await linked(room)
        room.host.on_send = lambda bot, job: outcome
        job = await room.outbox.submit(USER, bot, OutgoingText(TO, "hello"))
        ended = await room.outbox.wait(USER, bot, job.id, 10)
        assert ended.state == state and (ended.error.code if ended.error else None) == code
        room.host.on_send = lambda bot, job: Sent("3EB0", 1)
        await settle(90_000)
        assert len(room.host.sends) == 1

    run(tmp_path, scenario)


def test_order_within_a_chat_and_one_at_a_time(tmp_path: Path) -> None:
    """A chat whose head waits for its retry holds back only itself; within a chat first in is first out."""

    async def scenario(room: FleetRoom) -> None:
        bot = await linked(room)
        failing = {"a1"}

        def outcome(_: str, job: str) -> SendOutcome:
            text = room.host.sends[-1][3]
            return NotSent("no_lid") if text in failing else Sent(f"3EB0{job}", 1)

        room.host.on_send = outcome
        jobs = [
            await room.outbox.submit(USER, bot, OutgoingText(chat, text))
            for chat, text in [("4915100000001", "a1"), ("4915100000001", "a2"), ("4915100000002", "b1")]
        ]
        await settle(1)
        assert [text for _, _, _, text in room.host.sends] == ["a1", "b1"]
        failing.clear()
        await settle(30)
        assert [text for _, _, _, text in room.host.sends] == ["a1", "b1", "a1", "a2"]
        assert {(await room.outbox.job(USER, bot, job.id)).state for job in jobs} == {"sent"}

    run(tmp_path, scenario)


def test_sends_wait_for_the_bot_and_expire_after_a_day(tmp_path: Path) -> None:
    """A stopped bot's sends stay queued; they go when it is back, in order, and fail `expired` after 24 h."""

    async def scenario(room: FleetRoom) -> None:
        bot = await linked(room)
        await room.fleet.stop(USER, bot)
        await settle()
        old = await room.outbox.submit(USER, bot, OutgoingText(TO, "old"))
        assert (await room.outbox.wait(USER, bot, old.id, 5)).state == "queued"
        await settle(86_000)
        new = await room.outbox.submit(USER, bot, OutgoingText(TO, "new"))
        await settle(1000)
        failed = await room.outbox.job(USER, bot, old.id)
        assert failed.state == "failed" and failed.error is not None and failed.error.code == "expired"
        room.host.on_start = lambda bot: room.host.tell(bot, Connected(account()))
        await room.fleet.start(USER, bot)
        assert (await room.outbox.wait(USER, bot, new.id, 10)).state == "sent"
        assert [text for _, _, _, text in room.host.sends] == ["new"]

    run(tmp_path, scenario)


def test_the_supervisors_death_makes_no_unknown_of_a_spooled_outcome(tmp_path: Path) -> None:
    """The outcome was spooled: it is told. Nothing was spooled: unknown, and never sent again. Queued: sent."""

    async def scenario(room: FleetRoom) -> None:
        bot = await linked(room)
        room.host.on_send = lambda bot, job: None
        known = await room.outbox.submit(USER, bot, OutgoingText("4915100000001", "known"))
        await settle()
        room.host.listener = Deaf()
        room.host.tell(bot, SendFinished(known.id, Sent("3EB01", 1)))
        await room.kill()
        room.host.on_start = lambda bot: room.host.tell(bot, Connected(account()))
        await room.open()
        await settle(5)
        assert (await room.outbox.job(USER, bot, known.id)).state == "sent"
        lost = await room.outbox.submit(USER, bot, OutgoingText("4915100000001", "lost"))
        queued = await room.outbox.submit(USER, bot, OutgoingText("4915100000001", "queued"))
        await settle()
        await room.kill()
        room.host.on_send = lambda bot, job: Sent(f"3EB0{job}", 1)
        await room.open()
        await settle(5)
        assert (await room.outbox.job(USER, bot, lost.id)).state == "unknown"
        assert (await room.outbox.job(USER, bot, queued.id)).state == "sent"
        assert [text for _, _, _, text in room.host.sends] == ["known", "lost", "queued"]

    run(tmp_path, scenario)


class Deaf:
    """A supervisor process that dies before it reads."""

    def on_host_event(self, bot: str, event: object) -> None:
        """Lose it."""


def test_the_sessions_death_makes_what_it_held_unknown(tmp_path: Path) -> None:
    """A worker that dies with a send inside: unknown, told when its spool is drained; the next send goes."""

    async def scenario(room: FleetRoom) -> None:
        bot = await linked(room)
        room.host.on_send = lambda bot, job: None
        lost = await room.outbox.submit(USER, bot, OutgoingText(TO, "lost"))
        waits = await room.outbox.submit(USER, bot, OutgoingText(TO, "next"))
        await settle()
        room.host.on_send = lambda bot, job: Sent(f"3EB0{job}", 1)
        room.host.on_start = lambda bot: room.host.tell(bot, Connected(account()))
        room.host.die(bot)
        assert (await room.outbox.wait(USER, bot, waits.id, 60)).state == "sent"
        assert (await room.outbox.job(USER, bot, lost.id)).state == "unknown"
        assert [text for _, _, _, text in room.host.sends] == ["lost", "next"]

    run(tmp_path, scenario)


def test_another_account_fails_what_was_written_for_the_first(tmp_path: Path) -> None:
    """A job is bound to its account; the same account linked anew carries on."""

    async def scenario(room: FleetRoom) -> None:
        bot = await linked(room)
        room.host.tell(bot, Disconnected())
        job = await room.outbox.submit(USER, bot, OutgoingText(TO, "hello"))
        await room.fleet.link(USER, bot, LinkRequest())
        await settle()
        offer(room.host, bot)
        link(room.host, bot)
        assert (await room.outbox.wait(USER, bot, job.id, 10)).state == "sent"
        room.host.tell(bot, Disconnected())
        await settle()
        job = await room.outbox.submit(USER, bot, OutgoingText(TO, "hello"))
        await room.fleet.link(USER, bot, LinkRequest())
        await settle()
        offer(room.host, bot)
        link(room.host, bot, "4915100000000")
        ended = await room.outbox.wait(USER, bot, job.id, 10)
        assert ended.state == "failed" and ended.error is not None and ended.error.code == "account_changed"

    run(tmp_path, scenario)


def test_the_move_to_the_pool_waits_for_a_send(tmp_path: Path) -> None:
    """A send in flight is not made unknown by a move of our own."""

    async def scenario(room: FleetRoom) -> None:
        bot = await room.new()
        offer(room.host, bot.id)
        await settle()
        link(room.host, bot.id)
        await settle(29)
        room.host.on_send = lambda bot, job: None
        job = await room.outbox.submit(USER, bot.id, OutgoingText(TO, "hello"))
        await settle(60)
        assert room.host.placement(bot.id) == "linking"
        room.host.tell(bot.id, SendFinished(job.id, Sent("3EB01", 1)))
        await settle(40)
        assert room.host.placement(bot.id) == "pool"
        assert (await room.outbox.job(USER, bot.id, job.id)).state == "sent"

    run(tmp_path, scenario)


def test_refusals_and_idempotency(tmp_path: Path) -> None:
    """Not linked, unknown jobs and wrong fields are refused; a job id that exists is returned as it is."""

    async def scenario(room: FleetRoom) -> None:
        unlinked = await room.new()
        with pytest.raises(Refused, match="not linked"):
            await room.outbox.submit(USER, unlinked.id, OutgoingText(TO, "hello"))
        bot = await linked(room)
        with pytest.raises(Refused):
            await room.outbox.job(USER, bot, "snd_nothing")
        with pytest.raises(Refused) as wrong:
            await room.outbox.submit(USER, bot, OutgoingText(TO, ""))
        assert wrong.value.field == "text"
        both = await asyncio.gather(
            *(room.outbox.submit(USER, bot, OutgoingText(TO, "hello"), job_id="snd_1") for _ in range(2))
        )
        assert both[0].id == both[1].id == "snd_1"
        await settle()
        assert len(room.host.sends) == 1

    run(tmp_path, scenario)


def test_old_sends_are_forgotten(tmp_path: Path) -> None:
    """A week after it was made a send is no longer kept; younger ones are."""

    async def scenario(room: FleetRoom) -> None:
        bot = await linked(room)
        old = await room.outbox.submit(USER, bot, OutgoingText(TO, "hello"))
        young = await room.outbox.submit(USER, bot, OutgoingText(TO, "hello"))
        await settle()
        await room.kill()
        key = f"job/{bot}/{old.id}"
        stored = outbox_fold.decode((await room.bus.snapshot(USER, key)).values[key])
        aged = msgspec.structs.replace(stored, job=msgspec.structs.replace(stored.job, at=old.at - KEEP_MS + 3_000_000))
        await room.bus.commit([Entry(USER, None, (StatePut(key, to_json(aged)),))])
        await room.open()
        assert (await room.outbox.job(USER, bot, old.id)).state == "sent"
        await settle(3_700)
        with pytest.raises(Refused):
            await room.outbox.job(USER, bot, old.id)
        assert list((await room.bus.snapshot(USER, "job/")).values) == [f"job/{bot}/{young.id}"]
        assert sum(room.metrics.jobs.values()) == 1

    run(tmp_path, scenario)


def test_sends_keep_a_pace(tmp_path: Path) -> None:
    """After a burst a bot sends one message a second, in order over all chats, and may burst again when it has rested."""

    async def scenario(room: FleetRoom) -> None:
        bot = await linked(room)
        times: list[float] = []

        def outcome(_: str, job: str) -> SendOutcome:
            times.append(room.clock.monotonic())
            return Sent(f"3EB0{job}", 1)

        room.host.on_send = outcome
        began_s = room.clock.monotonic()
        for number in range(10):
            await room.outbox.submit(USER, bot, OutgoingText(f"491510000000{number % 3}", f"m{number}"))
        await settle(20)
        assert [text for _, _, _, text in room.host.sends] == [f"m{number}" for number in range(10)]
        assert [round(at_s - began_s) for at_s in times] == [0, 0, 0, 0, 1, 2, 3, 4, 5, 6]
        began_s = room.clock.monotonic()
        for number in range(4):
            await room.outbox.submit(USER, bot, OutgoingText(TO, f"n{number}"))
        await settle(0.5)
        assert [round(at_s - began_s) for at_s in times[10:]] == [0, 0, 0, 0]

    async def main(clock: virtual_time.VirtualClock) -> None:
        room = FleetRoom(clock, tmp_path)
        room.limits = dataclasses.replace(room.limits, sends=Pace(1.0, 4))
        await room.open()
        await scenario(room)
        await room.fleet.close()
        assert room.failures == []

    virtual_time.run(main)
