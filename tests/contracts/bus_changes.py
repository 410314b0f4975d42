"""The contract of `Bus` about stored messages that change: edits, deletions, reactions, receipts, a bot's own sends.

Part of the suite of `bus_suite.py`; it must never know a back end.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from itertools import permutations
from typing import Any

import pytest

from orchestrator.bus.bus import Bus, Entry
from orchestrator.bus.retention import Retention
from orchestrator.model import Event
from tests.contracts.bus_suite import ANA, Bench

LID, PN, OTHER, GROUP = "1203@lid", "4915112345678@s.whatsapp.net", "77@lid", "99-1@g.us"
DAY_S = 86_400


def told(name: str, /, bot: str = "bot_a", **data: Any) -> Entry:
    """An entry of one `message_sync`, as a mailbox makes it."""
    event = Event(ANA, bot, "message_sync", name, f"evt_{name}", 1000, json.dumps(data).encode())
    return Entry(ANA, event)


def place(chat: str, sender: str, message_id: str) -> dict[str, Any]:
    people = {"chat": chat, "chatPn": None, "sender": sender, "senderPn": None}
    return people | {"fromMe": False, "messageId": message_id}


def message(message_id: str = "M", *, chat: str = LID, sender: str = LID, **more: Any) -> Entry:
    body = place(chat, sender, message_id) | {"kind": "text", "sentAt": 10, "text": "before", "pushName": "Bob"}
    return told("message", **(body | more))


def change(kind: str, at: int = 20, *, target: str = "M", chat: str = LID, sender: str = LID, **more: Any) -> Entry:
    return told(kind, **(place(chat, sender, f"C{at}") | {"targetId": target, "at": at} | more))


def edit(text: str, at: int = 20, **more: Any) -> Entry:
    return change("edited", at, text=text, **more)


def reaction(emoji: str, at: int = 20, **more: Any) -> Entry:
    return change("reaction", at, emoji=emoji, **more)


def send(state: str, message_id: str | None = None, **more: Any) -> Entry:
    """A `send_result`, as a mailbox makes it."""
    return told("send_result", id="snd_1", botId="bot_a", to=PN, state=state, messageId=message_id, error=None, **more)


OWN = {"chat": PN, "chatPn": PN, "sender": "me@lid", "senderPn": None, "fromMe": True, "messageId": None,
       "kind": "text", "sentAt": 30, "pushName": None, "text": "from the bot"}  # fmt: skip


async def stored(bus: Bus, chat: str | None = None) -> list[dict[str, Any]]:
    return [json.loads(one.data) for one in await bus.messages(ANA, "bot_a", chat)]


async def in_every_order(bus: Bus, make: Callable[[str], list[Entry]]) -> list[dict[str, Any]]:
    """Commit steps about one message in every order, each order about a message of its own; return what each became."""
    orders = list(permutations(range(len(make("")))))
    for number, order in enumerate(orders):
        steps = make(f"M{number}")
        for index in order:
            await bus.commit([steps[index]])
    found = await stored(bus)
    assert sorted(one.pop("messageId") for one in found) == sorted(f"M{number}" for number in range(len(orders)))
    return found


async def only(bus: Bus) -> dict[str, Any]:
    (one,) = await stored(bus)
    return one


class ChangeContract:
    """Stored messages that change."""

    async def test_an_edit_replaces_the_words(self, bench: Bench) -> None:
        """Words and mentions are the newest edit's, whatever the order of edits and message; the rest stays."""

        def steps(target: str) -> list[Entry]:
            first = edit("one", 20, target=target, mentions=["1@lid"])
            return [message(target), first, edit("two", 30, target=target)]

        for found in await in_every_order(bench.bus, steps):
            assert (found["text"], found["editedAt"], found["pushName"]) == ("two", 30, "Bob")
            assert "mentions" not in found

    async def test_edits_of_one_second_are_in_the_order_they_came(self, bench: Bench) -> None:
        """WhatsApp's times are whole seconds: of two equal ones the later told is the newer."""
        await bench.bus.commit([message(), edit("one"), edit("two")])
        assert (await only(bench.bus))["text"] == "two"

    @pytest.mark.parametrize("first", [True, False], ids=["before", "after"])
    async def test_only_the_author_edits(self, bench: Bench, first: bool) -> None:
        """Somebody else's edit, one in another chat, and one that claims to be the account's own change nothing."""
        wrong = [
            edit("x", sender=OTHER),
            edit("x", chat=OTHER),
            edit("x", sender="me@lid", fromMe=True),
            edit("x", bot="bot_b"),
        ]
        one = message(chat=LID)
        await bench.bus.commit([*wrong, one] if first else [one, *wrong])
        found = await only(bench.bus)
        assert found["text"] == "before" and "editedAt" not in found
        await bench.bus.commit([edit("right", 5)])
        assert (await only(bench.bus))["text"] == "right"

    async def test_somebody_elses_edit_does_not_displace_the_authors(self, bench: Bench) -> None:
        """What waits for its message is kept for each person apart."""
        await bench.bus.commit([edit("right", 20, chat=GROUP), edit("wrong", 30, chat=GROUP, sender=OTHER)])
        await bench.bus.commit([message(chat=GROUP)])
        assert (await only(bench.bus))["text"] == "right"

    async def test_a_deletion_leaves_nothing_of_what_was_said(self, bench: Bench) -> None:
        """Content and reactions are gone, in every order with edits and reactions; who, when and what kind stay."""
        said: dict[str, Any] = {
            "mentions": ["1@lid"],
            "media": {"size": 3},
            "quoted": {"messageId": "Q"},
            "new": "secret",
        }

        def steps(target: str) -> list[Entry]:
            changes = [edit("said again", 15, target=target), reaction("👍", 16, target=target)]
            return [message(target, **said), *changes, change("revoked", 20, target=target)]

        for found in await in_every_order(bench.bus, steps):
            assert found == {
                "chat": LID, "chatPn": None, "sender": LID, "senderPn": None, "fromMe": False,
                "kind": "text", "sentAt": 10, "pushName": "Bob", "revokedAt": 20,
            }  # fmt: skip

    async def test_who_may_delete(self, bench: Bench) -> None:
        """The author, and in a group whom WhatsApp let through (an admin); nobody else in a chat of two."""
        await bench.bus.commit([message(), change("revoked", sender="me@lid", fromMe=True)])
        assert (await only(bench.bus))["text"] == "before"
        await bench.bus.commit([message("G", chat=GROUP), change("revoked", target="G", chat=GROUP, sender=OTHER)])
        (deleted,) = await stored(bench.bus, GROUP)
        assert (deleted["revokedAt"], deleted["revokedBy"], "text" in deleted) == (20, OTHER, False)

    async def test_reactions_are_the_newest_of_each_person(self, bench: Bench) -> None:
        """One reaction a person; an empty one takes it back, also when it is told before the one it takes back."""

        def steps(target: str) -> list[Entry]:
            mine = [reaction("👍", 20, target=target), reaction("", 30, target=target)]
            return [message(target), *mine, reaction("❤️", 25, target=target, sender=OTHER)]

        for found in await in_every_order(bench.bus, steps):
            shown = [(one["sender"], one["emoji"], one["at"]) for one in found["reactions"]]
            assert shown == [(OTHER, "❤️", 25)]
        await bench.bus.commit([message(sentAt=99), reaction("👍"), reaction("")])
        assert "reactions" not in (await stored(bench.bus))[0]

    async def test_people_are_known_by_both_forms(self, bench: Bench) -> None:
        """A change under the other form of an address is the same person's, in the same chat."""
        await bench.bus.commit([message(chat=PN, sender=PN), told("identity", chat=LID, lid=LID, pn=PN)])
        await bench.bus.commit([reaction("👍", 20, chat=PN, sender=PN), reaction("😀", 21), edit("after", 22)])
        found = await only(bench.bus)
        assert found["text"] == "after" and [one["emoji"] for one in found["reactions"]] == ["😀"]
        assert await stored(bench.bus, LID) == await stored(bench.bus, PN) == [found]

    async def test_an_own_send_is_a_message(self, bench: Bench) -> None:
        """A send is among the messages from when it is queued, with its state; its place is where WhatsApp took it."""
        await bench.bus.commit([send("queued", message=OWN)])
        found = await only(bench.bus)
        assert found == OWN | {"jobId": "snd_1", "state": "queued", "error": None}
        await bench.bus.commit([message(sentAt=40)])
        assert [one["sentAt"] for one in await stored(bench.bus)] == [40, 30]
        await bench.bus.commit([send("sent", "S", sentAt=50), send("delivered", "S")])
        newest, _ = await stored(bench.bus)
        assert (newest["sentAt"], newest["state"], newest["messageId"]) == (50, "delivered", "S")
        await bench.bus.commit([reaction("👍", target="S", chat=PN, sender=PN)])
        newest, _ = await stored(bench.bus)
        assert newest["reactions"][0]["emoji"] == "👍"

    async def test_a_failed_send_stays_with_its_reason(self, bench: Bench) -> None:
        """What could not be sent is shown with why."""
        failed = told("send_result", id="snd_1", state="failed", messageId=None, error={"code": "expired", "text": "x"})
        await bench.bus.commit([send("queued", message=OWN), failed])
        found = await only(bench.bus)
        assert (found["state"], found["error"]["code"], found["text"]) == ("failed", "expired", "from the bot")

    async def test_whatsapps_copy_of_a_send_is_not_a_second_message(self, bench: Bench) -> None:
        """The account's other devices' view of a send that is stored adds nothing; another's of the same id does."""
        await bench.bus.commit([send("queued", message=OWN), send("sent", "S")])
        await bench.bus.commit([message("S", chat=PN, sender="me@lid", fromMe=True), message("S")])
        assert [one["fromMe"] for one in await stored(bench.bus)] == [True, False]

    @pytest.mark.parametrize("kind", ["edited", "revoked", "reaction"])
    async def test_an_own_send_may_change_a_message(self, bench: Bench, kind: str) -> None:
        """Edits, deletions and reactions the bot sends change the row once WhatsApp has taken them."""
        about = place(LID, "me@lid", "C") | {"type": kind, "fromMe": True, "targetId": "M", "at": 60}
        body = about | {"text": "new"} if kind == "edited" else about | ({"emoji": "👍"} if kind == "reaction" else {})
        await bench.bus.commit([message(fromMe=kind != "reaction"), send("queued")])
        assert (await only(bench.bus))["text"] == "before"
        await bench.bus.commit([send("sent", "C", change=body, sentAt=60)])
        found = await only(bench.bus)
        shown = {"edited": found.get("text"), "revoked": found.get("revokedAt"), "reaction": found.get("reactions")}
        expected = [{"sender": "me@lid", "senderPn": None, "fromMe": True, "emoji": "👍", "at": 60}]
        assert shown[kind] == {"edited": "new", "revoked": 60, "reaction": expected}[kind]

    async def test_receipts_advance_what_was_written_elsewhere(self, bench: Bench) -> None:
        """Own messages from another device get their ticks from receipts, never back; others' messages get none."""
        await bench.bus.commit([message(fromMe=True, sender="me@lid"), message("N", sentAt=5)])

        def receipt(kind: str, **more: Any) -> Entry:
            return told("receipt", **({"chat": LID, "sender": LID, "messageIds": ["M", "N"], "kind": kind} | more))

        for step, state in [
            (receipt("read", fromMe=True), None),
            (receipt("read", chat=OTHER), None),
            (receipt("retry"), None),
            (receipt("delivered"), "delivered"),
            (receipt("played"), "read"),
            (receipt("delivered"), "read"),
        ]:
            await bench.bus.commit([step])
            mine, theirs = await stored(bench.bus)
            assert (mine.get("state"), theirs.get("state")) == (state, None)

    async def test_odd_bodies_change_nothing(self, bench: Bench) -> None:
        """Events with bodies this version doesn't expect are committed and leave the messages alone."""
        kinds = ("message", "send_result", "receipt", "identity", "edited", "revoked", "reaction")
        bodies: list[Any] = [{}, [], 7, {"targetId": 1, "at": "x"}, {"id": 5}, {"messageIds": "M"}]
        await bench.bus.commit([message()])
        for kind in kinds:
            for body in bodies:
                event = Event(ANA, "bot_a", "message_sync", kind, f"evt_{kind}", 1, json.dumps(body).encode())
                await bench.bus.commit([Entry(ANA, event)])
        assert (await only(bench.bus))["text"] == "before"
        assert (await bench.bus.state(ANA)).head.seq == 1 + len(kinds) * len(bodies)

    async def test_what_waits_goes_too(self, bench: Bench) -> None:
        """Changes kept for messages that never come are let go of after the messages' time, and with their bot."""
        bus = await bench.limited(Retention(max_message_age_ms=90 * DAY_S * 1000))
        await bus.commit([edit("late")])
        bench.clock.advance(91 * DAY_S)
        await bench.tidy(bus)
        await bus.commit([message()])
        assert (await only(bus))["text"] == "before"
        await bus.commit([edit("late", target="N"), reaction("👍")])
        await bus.erase(ANA, "bot_a")
        await bus.commit([message(), message("N")])
        assert {one["text"] for one in await stored(bus)} == {"before"}
        assert all("reactions" not in one for one in await stored(bus))


class DurableChangeContract:
    """For back ends that declare `Features(durable=True)`."""

    async def test_changes_survive(self, bench: Bench) -> None:
        """What was acknowledged is applied after kill -9, and what waited still waits."""
        await bench.bus.commit([message(), edit("after"), reaction("👍", 21), edit("early", target="N")])
        bus = await bench.reopen()
        assert (await only(bus))["text"] == "after"
        await bus.commit([message("N", sentAt=5), reaction("", 22)])
        first, second = await stored(bus)
        assert second["text"] == "early" and "reactions" not in first
