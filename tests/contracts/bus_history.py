"""The contract of `Bus` about past messages: stored with the event that brought them, beside live ones, each once.

Part of the suite of `bus_suite.py`; it must never know a back end. Read `bus_messages.py` for live messages.
"""

from __future__ import annotations

import json
from dataclasses import replace

from orchestrator.bus.bus import Bus, Duplicate, Entry, Source, StoredMessage
from orchestrator.bus.retention import Retention
from orchestrator.model import Event
from tests.contracts.bus_messages import DAY_S, GROUP, LID, PN, whole_chat
from tests.contracts.bus_suite import ANA, BEN, Bench, numbers

Past = tuple[str, int]
"""(message id, days ago)."""


def body(message_id: str, sent_at: int, text: str, chat: str = LID) -> bytes:
    pn = None if chat == GROUP else PN
    return json.dumps(
        {"chat": chat, "chatPn": pn, "sender": LID, "sentAt": sent_at, "messageId": message_id, "text": text}
    ).encode()


def live(
    bench: Bench, message_id: str, days: float, text: str = "live", chat: str = LID, *, bot: str = "bot_a"
) -> Entry:
    data = body(message_id, ago(bench, days), text, chat)
    return Entry(ANA, Event(ANA, bot, "message_sync", "message", f"evt_{message_id}", 1, data))


def change(kind: str, target: str, at: int, **more: object) -> Entry:
    data = json.dumps({"chat": LID, "sender": LID, "targetId": target, "at": at, **more}).encode()
    return Entry(ANA, Event(ANA, "bot_a", "message_sync", kind, f"evt_{kind}_{at}", 1, data))


def history(
    bench: Bench, number: int, *past: Past, source: Source | None = None, user: str = ANA, bot: str = "bot_a",
    key: str | None = None, chat: str = LID,
) -> Entry:  # fmt: skip
    """A note with its messages, as a mailbox makes it."""
    rows = tuple(body(message_id, ago(bench, days), "past", chat) for message_id, days in past)
    note = Event(user, bot, "message_sync", "history", f"evt_note{number}", 2, b"{}")
    return Entry(user, note, (), source, key, bot, (), rows)


def ago(bench: Bench, days: float) -> int:
    return bench.clock.wall_ms() - round(days * DAY_S * 1000)


async def texts(bus: Bus, chat: str | None = None, bot: str = "bot_a") -> list[tuple[str, str | None]]:
    """(message id, text), oldest first."""
    return [
        (doc["messageId"], doc.get("text")) for doc in map(_doc, reversed(await whole_chat(bus, 3, chat, bot)))
    ]  # fmt: skip


def _doc(one: StoredMessage) -> dict[str, str]:
    found: dict[str, str] = json.loads(one.data)
    return found


class DurableHistoryContract:
    """For back ends that declare `Features(durable=True)`."""

    async def test_past_messages_survive(self, bench: Bench) -> None:
        """What came with an acknowledged note is there after kill -9; a spool that is read again adds nothing to it."""
        part = history(bench, 1, ("A", 3), ("B", 2), source=Source("wrk", "inc", 4))
        await bench.bus.commit([live(bench, "L", 1), part])
        before = await whole_chat(bench.bus, 10)
        bus = await bench.reopen()
        assert await whole_chat(bus, 10) == before and len(before) == 3
        assert await bus.commit([part]) == [Duplicate()]
        await bus.commit([history(bench, 2, ("C", 5), ("A", 3))])
        assert await texts(bus) == [("C", "past"), ("A", "past"), ("B", "past"), ("L", "live")]


class HistoryContract:
    """Past messages."""

    async def test_they_lie_among_live_ones(self, bench: Bench) -> None:
        """Past messages are told by one event and lie by the time they were sent, for either form of their chat."""
        await bench.bus.commit([live(bench, "L1", 4), history(bench, 1, ("P2", 2), ("P1", 5)), live(bench, "L2", 1)])
        await bench.bus.commit([history(bench, 2, ("P3", 3)), history(bench, 3, ("G", 3), chat=GROUP)])
        assert await numbers(bench.bus) == ["evt_L1", "evt_note1", "evt_L2", "evt_note2", "evt_note3"]
        expected = [("P1", "past"), ("L1", "live"), ("P3", "past"), ("P2", "past"), ("L2", "live")]
        assert await texts(bench.bus, LID) == await texts(bench.bus, PN) == expected
        ids = [one.id for one in await whole_chat(bench.bus, 2)]
        assert len(set(ids)) == len(ids) == 6 and {"evt_note1_1", "evt_note1_2"} < set(ids)

    async def test_each_is_stored_once(self, bench: Bench) -> None:
        """By (bot, chat, message id): what is stored stays as it is, whichever way it came first."""
        part = history(bench, 1, ("A", 4), ("B", 3), ("A", 4))
        await bench.bus.commit([live(bench, "A", 4, chat=PN), part, live(bench, "B", 3)])
        await bench.bus.commit([history(bench, 2, ("A", 4), ("B", 3))])
        assert await texts(bench.bus) == [("A", "live"), ("B", "past")]
        await bench.bus.commit([history(bench, 3, ("A", 2), chat=GROUP), history(bench, 4, ("A", 4), bot="bot_b")])
        assert await texts(bench.bus, GROUP) == [("A", "past")]
        assert await texts(bench.bus, None, "bot_b") == [("A", "past")]

    async def test_a_redelivered_part_stores_nothing(self, bench: Bench) -> None:
        """A part whose key or source is known is a duplicate, rows and all."""
        part = history(bench, 1, ("A", 4), source=Source("wrk", "inc", 1), key="part")
        await bench.bus.commit([part])
        again = history(bench, 2, ("B", 4), source=Source("wrk", "inc", 2), key="part")
        assert await bench.bus.commit([part, again]) == [Duplicate(), Duplicate()]
        assert await texts(bench.bus) == [("A", "past")]
        assert await numbers(bench.bus) == ["evt_note1"]

    async def test_they_change_as_live_ones_do(self, bench: Bench) -> None:
        """Edits, deletions and reactions reach past messages, before and after they came, and outlive the next part."""
        early = [change("edited", "A", 10, text="early"), change("reaction", "B", 11, emoji="+")]
        late = [change("edited", "C", 12, text="late"), change("revoked", "D", 13)]
        names: list[Past] = [("A", 5), ("B", 4), ("C", 3), ("D", 2)]
        await bench.bus.commit([*early, history(bench, 1, *names), *late])
        found = [_doc(one) for one in reversed(await whole_chat(bench.bus, 9))]
        assert [doc.get("text") for doc in found] == ["early", "past", "late", None]
        assert "reactions" in found[1] and "revokedAt" in found[3]
        await bench.bus.commit([history(bench, 2, *names), *(live(bench, *one) for one in names)])
        assert [_doc(one) for one in reversed(await whole_chat(bench.bus, 9))] == found

    async def test_bodies_that_are_none(self, bench: Bench) -> None:
        """What is no message is left out; the others of its part are stored."""
        odd = (b"", b"{}", b"\xff", b"[1]", body("", 2**60, "far"), b'{"chat":"c","sentAt":1}')
        part = history(bench, 1, ("A", 1))
        bad = Entry(ANA, part.event, rows=(*odd, *part.rows))
        nobody = Entry(ANA, Event(ANA, None, "message_sync", "history", "evt_x", 2, b"{}"), rows=part.rows)
        await bench.bus.commit([bad, nobody])
        assert await texts(bench.bus) == [("A", "past")]

    async def test_they_go_with_their_time_and_bot(self, bench: Bench) -> None:
        """Those older than messages are kept are not stored; the others go as live ones do, and with their bot."""
        bus = await bench.limited(replace(Retention(), max_message_age_ms=90 * DAY_S * 1000))
        many: list[Past] = [(f"M{number}", 80) for number in range(1500)]
        await bus.commit([history(bench, 1, ("old", 91), *many)])
        bench.clock.advance(50 * DAY_S)
        await bus.commit([history(bench, 2, ("new", 1)), history(bench, 3, ("ben", 1), user=BEN)])
        assert len(await whole_chat(bus, 400)) == 1501
        bench.clock.advance(41 * DAY_S)
        await bench.tidy(bus)
        assert await texts(bus) == [("new", "past")]
        bench.clock.advance(50 * DAY_S)
        await bench.tidy(bus)
        assert await texts(bus) == []
        await bus.commit([history(bench, 4, ("a", 1)), history(bench, 5, ("b", 1), bot="bot_b")])
        await bus.erase(ANA, "bot_a")
        assert (await texts(bus), await texts(bus, None, "bot_b")) == ([], [("b", "past")])
