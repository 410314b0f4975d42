"""The contract of `Bus` about stored messages: what is stored, how it is read, when it goes.

Part of the suite of `bus_suite.py`; it must never know a back end.
"""

from __future__ import annotations

import json
from dataclasses import replace

from orchestrator.bus.bus import Before, Bus, Entry, Source, StoredMessage
from orchestrator.bus.retention import Retention
from orchestrator.model import Event
from tests.contracts.bus_suite import ANA, BEN, Bench, entry, numbers

LID, PN, GROUP = "1203@lid", "4915112345678@s.whatsapp.net", "99-1@g.us"
DAY_S = 86_400


def message(
    number: int,
    sent_at: int,
    chat: str = LID,
    *,
    user: str = ANA,
    bot: str = "bot_a",
    pn: str | None = None,
    size: int = 0,
) -> Entry:
    """A message's entry, as a mailbox makes it."""
    body = {
        "chat": chat,
        "chatPn": pn,
        "sender": LID,
        "sentAt": sent_at,
        "messageId": f"3EB0{number}",
        "text": "x" * size,
    }
    data = json.dumps(body).encode()
    return Entry(user, Event(user, bot, "message_sync", "message", f"evt_{number}", 1000 + number, data))


def ids(found: list[StoredMessage]) -> list[str]:
    return [one.id for one in found]


async def whole_chat(bus: Bus, limit: int, chat: str | None = None, bot: str = "bot_a") -> list[StoredMessage]:
    """Read all pages."""
    found: list[StoredMessage] = []
    while page := await bus.messages(ANA, bot, chat, found[-1].before if found else None, limit):
        assert len(page) <= limit
        found += page
    return found


class DurableMessageContract:
    """For back ends that declare `Features(durable=True)`."""

    async def test_messages_survive(self, bench: Bench) -> None:
        """What was acknowledged is stored after kill -9, both forms of its chat known; what was erased is gone."""
        await bench.bus.commit([message(1, 10, pn=PN), message(2, 20, PN), message(3, 30, bot="bot_b")])
        await bench.bus.erase(ANA, "bot_b")
        before = await whole_chat(bench.bus, 10, PN)
        bus = await bench.reopen()
        assert ids(await whole_chat(bus, 10, PN)) == ["evt_2", "evt_1"]
        assert await whole_chat(bus, 10, PN) == before
        assert await whole_chat(bus, 10, None, "bot_b") == []


class MessageContract:
    """Stored messages."""

    async def test_newest_first(self, bench: Bench) -> None:
        """Messages come by the time they were sent, newest first, in pages that neither repeat nor leave out any."""
        sent = [50, 10, 30, 30, 30, 40, 20, 30]
        await bench.bus.commit([message(number, at) for number, at in enumerate(sent)])
        expected = [f"evt_{number}" for number in (0, 5, 7, 4, 3, 2, 6, 1)]
        for limit in (1, 2, 3, 100):
            assert ids(await whole_chat(bench.bus, limit)) == expected
        assert ids(await bench.bus.messages(ANA, "bot_a", None, Before(30, 0))) == ["evt_6", "evt_1"]

    async def test_a_message_is_as_its_event(self, bench: Bench) -> None:
        """A stored message has its event's id, time and data, to the byte."""
        one = message(7, 123)
        await bench.bus.commit([entry(1), one])
        assert one.event is not None
        (found,) = await bench.bus.messages(ANA, "bot_a")
        assert found == StoredMessage("evt_7", "bot_a", one.event.at, Before(123, 2), one.event.data)

    async def test_only_messages_are_stored(self, bench: Bench) -> None:
        """Other events, events without a bot, and bodies that are no message's are not; they are committed all the same."""
        whole = message(1, 10).event
        assert whole is not None
        others = [
            Event(ANA, "bot_a", "message_sync", "receipt", "evt_2", 1, whole.data),
            Event(ANA, "bot_a", "bot_status_update", "message", "evt_3", 1, whole.data),
            Event(ANA, None, "message_sync", "message", "evt_4", 1, whole.data),
            *(
                Event(ANA, "bot_a", "message_sync", "message", f"evt_{5 + index}", 1, data)
                for index, data in enumerate(
                    (b"", b"{}", b"\xff", b'{"chat":1,"sentAt":2}', b'{"chat":"c","sentAt":%d}' % 2**60, b"[1]")
                )
            ),
        ]
        await bench.bus.commit([Entry(ANA, whole), *(Entry(ANA, other) for other in others)])
        assert ids(await whole_chat(bench.bus, 10)) == ["evt_1"]
        assert len(await numbers(bench.bus)) == 1 + len(others)

    async def test_a_duplicate_is_stored_once(self, bench: Bench) -> None:
        """What WhatsApp redelivers and what a spool hands over again is not stored again."""
        one = message(1, 10)
        keyed = Entry(ANA, one.event, (), Source("wrk", "inc", 1), "key")
        await bench.bus.commit([keyed, keyed])
        await bench.bus.commit([Entry(ANA, one.event, (), Source("wrk", "inc", 2), "key")])
        assert ids(await whole_chat(bench.bus, 10)) == ["evt_1"]

    async def test_each_bot_and_chat_has_its_own(self, bench: Bench) -> None:
        """Users, bots and chats don't see each other's messages; nobody's are nothing."""
        await bench.bus.commit(
            [
                message(1, 10),
                message(2, 20, GROUP),
                message(3, 30, bot="bot_b"),
                message(4, 40, user=BEN),
                message(5, 50),
            ]
        )
        assert ids(await whole_chat(bench.bus, 10)) == ["evt_5", "evt_2", "evt_1"]
        assert ids(await whole_chat(bench.bus, 10, LID)) == ["evt_5", "evt_1"]
        assert ids(await whole_chat(bench.bus, 10, GROUP)) == ["evt_2"]
        assert ids(await whole_chat(bench.bus, 10, None, "bot_b")) == ["evt_3"]
        assert ids(await bench.bus.messages(BEN, "bot_a")) == ["evt_4"]
        assert await bench.bus.messages("nobody", "bot_a") == []
        assert await bench.bus.messages(ANA, "bot_a", "unknown@lid") == []

    async def test_a_chat_answers_to_both_forms(self, bench: Bench) -> None:
        """Once both forms of a person are known, either finds everything, also what came before; for that bot only."""
        await bench.bus.commit([message(1, 10, PN), message(2, 20, PN, bot="bot_b")])
        assert ids(await whole_chat(bench.bus, 10, LID)) == []
        await bench.bus.commit(
            [message(3, 30, LID, pn=PN), message(4, 25, LID), message(5, 5, PN), message(6, 7, GROUP)]
        )
        for form in (LID, PN):
            for limit in (1, 2, 10):
                assert ids(await whole_chat(bench.bus, limit, form)) == ["evt_3", "evt_4", "evt_1", "evt_5"]
        assert ids(await whole_chat(bench.bus, 10, LID, "bot_b")) == []

    async def test_large_messages_come_a_few_at_a_time(self, bench: Bench) -> None:
        """A page holds 1 MiB, at least one message, and nothing is left out, whichever form a row is under."""
        sizes = [400_000, 700_000, 10, 1_500_000, 10, 300_000, 900_000]
        await bench.bus.commit(
            [
                message(number, 100 - number, (LID, PN)[number % 2], pn=(PN, None)[number % 2], size=size)
                for number, size in enumerate(sizes)
            ]
        )
        assert len(await bench.bus.messages(ANA, "bot_a", LID)) == 1
        assert ids(await whole_chat(bench.bus, 50, LID)) == [f"evt_{number}" for number in range(7)]

    async def test_messages_outlive_their_events(self, bench: Bench) -> None:
        """Messages stay when retention has cut their events, and go after their own time; a log goes on from there."""
        bus = await bench.limited(Retention(max_events=10, max_age_ms=3_600_000, max_message_age_ms=90 * DAY_S * 1000))
        await bus.commit([message(number, number) for number in range(1, 51)])
        bench.clock.advance(89 * DAY_S)
        await bench.tidy(bus)
        assert await numbers(bus) == []
        assert ids(await whole_chat(bus, 7)) == [f"evt_{number}" for number in range(50, 0, -1)]
        await bus.commit([message(51, 0)])
        bench.clock.advance(DAY_S + 1)
        await bench.tidy(bus)
        assert ids(await whole_chat(bus, 7)) == ["evt_51"]
        bench.clock.advance(89 * DAY_S)
        await bench.tidy(bus)
        assert ids(await whole_chat(bus, 7)) == []
        await bus.commit([message(52, 0)])
        assert ids(await whole_chat(bus, 7)) == ["evt_52"]

    async def test_many_old_messages_all_go(self, bench: Bench) -> None:
        """Letting go in steps lets go of everything that is due, and of nothing else."""
        limits = replace(Retention(), max_events=10**6, max_message_age_ms=DAY_S * 1000)
        bus = await bench.limited(limits)
        await bus.commit([message(number, number) for number in range(2500)])
        bench.clock.advance(DAY_S + 1)
        await bus.commit([message(number, number) for number in range(2500, 2510)])
        await bench.tidy(bus)
        assert ids(await whole_chat(bus, 500)) == [f"evt_{number}" for number in range(2509, 2499, -1)]

    async def test_erasing_a_bot_erases_its_messages(self, bench: Bench) -> None:
        """A deleted bot's messages are gone, however many; other bots' and users' stay."""
        await bench.bus.commit([message(number, number, pn=PN) for number in range(1200)])
        await bench.bus.commit([message(2000, 1, bot="bot_b"), message(2001, 1, user=BEN)])
        await bench.bus.erase(ANA, "bot_a")
        assert await whole_chat(bench.bus, 100) == []
        assert ids(await whole_chat(bench.bus, 100, None, "bot_b")) == ["evt_2000"]
        assert ids(await bench.bus.messages(BEN, "bot_a")) == ["evt_2001"]
        await bench.bus.commit([message(2002, 1, PN)])
        assert ids(await whole_chat(bench.bus, 100, LID)) == []
