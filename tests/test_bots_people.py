"""Who is who through the whole room: one conversation for both forms of a person, and one `identity` when two become one."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from orchestrator.bots.outbox_told import Forms
from orchestrator.bots.people import People, decode
from sessions.model import Found, MessageReceived, NotSent, OutgoingReaction, OutgoingText, ReactionReceived, Sent
from tests.support.fleet_room import USER, FleetRoom, linked, run, settle

LID, PN = "120300@lid", "4915100000001@s.whatsapp.net"
OWN_LID, OWN_PN = "99887766@lid", "4915112345678@s.whatsapp.net"


def text(room: FleetRoom, bot: str, message_id: str, chat: str, pn: str | None = None, **more: Any) -> None:
    """Let the worker tell a text from the chat's other side, as it names it."""
    event = MessageReceived(chat, pn, chat, pn, False, message_id, "text", 7, None)
    body = {"chat": chat, "chatPn": pn, "sender": chat, "senderPn": pn, "fromMe": False, "messageId": message_id}
    data = json.dumps(body | {"sentAt": 7, "text": message_id}).encode()
    room.host.tell(bot, event, data, **more)


async def told(room: FleetRoom, kind: str) -> list[dict[str, Any]]:
    return [json.loads(event.data) for event in await room.events() if event.type == kind]


async def stored(room: FleetRoom, bot: str, chat: str) -> list[dict[str, Any]]:
    return [json.loads(one.data) for one in await room.bus.messages(USER, bot, chat)]


IDENTITY = {"chat": LID, "chatPn": PN, "lid": LID, "pn": PN}


def test_a_mapping_learned_later_is_told_once(tmp_path: Path) -> None:
    """A conversation under the phone form and one under the LID become one: one event, whatever dies around it."""

    async def scenario(room: FleetRoom) -> None:
        bot = await linked(room)
        text(room, bot, "M1", PN)
        await settle()
        assert await told(room, "identity") == []
        for number in range(3):
            text(room, bot, f"N{number}", LID, PN, commit=False)
            await settle()
            await room.kill()
            room.host.on_start = lambda bot: None
            await room.open()
        assert await told(room, "identity") == [IDENTITY]
        messages = await told(room, "message")
        assert [one["chat"] for one in messages] == [PN, LID, LID, LID]
        assert {one["messageId"] for one in await stored(room, bot, PN)} == {"M1", "N0", "N1", "N2"}
        assert await stored(room, bot, PN) == await stored(room, bot, LID)
        types = [event.type for event in await room.events()]
        assert types.index("identity") < len(types) - 1 - types[::-1].index("message")

    run(tmp_path, scenario)


def test_who_is_known_from_the_start_needs_no_event(tmp_path: Path) -> None:
    """Nothing was told under the phone form: there is nothing to merge."""

    async def scenario(room: FleetRoom) -> None:
        bot = await linked(room)
        text(room, bot, "M1", LID, PN)
        await settle()
        assert await told(room, "identity") == []

    run(tmp_path, scenario)


def test_events_are_named_canonically(tmp_path: Path) -> None:
    """Once the LID is known, chat and sender have it also where WhatsApp tells only the phone, and the other way round."""

    async def scenario(room: FleetRoom) -> None:
        bot = await linked(room)
        text(room, bot, "M1", LID, PN)
        text(room, bot, "M2", PN, PN)
        text(room, bot, "M3", LID)
        reaction = ReactionReceived(PN, PN, PN, PN, False, "R", "M1", 7, None)
        room.host.tell(
            bot, reaction, b'{"chat":"%b","chatPn":null,"sender":"%b","targetId":"M1"}' % ((PN.encode(),) * 2)
        )
        await settle()
        for one in await told(room, "message"):
            assert (one["chat"], one["chatPn"], one["sender"], one["senderPn"]) == (LID, PN, LID, PN)
        (one,) = await told(room, "reaction")
        assert (one["chat"], one["sender"], "senderPn" in one) == (LID, LID, False)

    run(tmp_path, scenario)


def test_a_redelivery_under_the_other_form_is_known(tmp_path: Path) -> None:
    """What was told under the phone form is not told again when WhatsApp redelivers it under the LID."""

    async def scenario(room: FleetRoom) -> None:
        bot = await linked(room)
        text(room, bot, "M1", PN)
        text(room, bot, "M1", LID, PN)
        text(room, bot, "M1", PN)
        await settle()
        assert len(await told(room, "message")) == 1
        assert room.metrics.dropped["redelivered"] == 2

    run(tmp_path, scenario)


def test_a_send_goes_to_the_canonical_chat(tmp_path: Path) -> None:
    """A phone number whose LID is known, also the bot's own, is that chat, and the message is stored there."""

    async def scenario(room: FleetRoom) -> None:
        bot = await linked(room)
        text(room, bot, "M1", LID, PN)
        await settle()
        job = await room.outbox.submit(USER, bot, OutgoingText("+49 151 00000001", "hello"))
        assert (job.to, (await room.outbox.submit(USER, bot, OutgoingText(OWN_PN, "note"))).to) == (LID, OWN_LID)
        await settle()
        assert room.host.outgoing[job.id].to == LID
        newest = next(one for one in await stored(room, bot, PN) if one["text"] == "hello")
        assert (newest["chat"], newest["chatPn"], newest["sender"], newest["senderPn"]) == (LID, PN, OWN_LID, OWN_PN)
        assert (newest["text"], newest["state"], newest["messageId"]) == ("hello", "sent", f"3EB0{job.id}")

    run(tmp_path, scenario)


def test_what_a_send_tells_of_a_person_is_kept(tmp_path: Path) -> None:
    """The library learns the LID of whom it writes to: it is known with the outcome, and told if that merges two chats."""

    async def scenario(room: FleetRoom) -> None:
        bot = await linked(room)
        room.host.on_send = lambda bot, job: Sent(f"3EB0{job}", 1, LID)
        first = await room.outbox.submit(USER, bot, OutgoingText(PN, "hello"))
        await settle()
        second = await room.outbox.submit(USER, bot, OutgoingText(PN, "again"))
        assert (first.to, second.to) == (PN, LID)
        await settle()
        assert await told(room, "identity") == [IDENTITY]
        assert len(await stored(room, bot, LID)) == 2

    run(tmp_path, scenario)


def test_order_within_a_chat_holds_across_its_forms(tmp_path: Path) -> None:
    """Sends queued under the phone form before its LID was known go before later ones to the LID."""

    async def scenario(room: FleetRoom) -> None:
        bot = await linked(room)
        failing = {"a1"}
        room.host.on_send = lambda bot, job: (
            NotSent("no_lid") if room.host.sends[-1][3] in failing else Sent(f"3EB0{job}", 1)
        )
        await room.outbox.submit(USER, bot, OutgoingText(PN, "a1"))
        await room.outbox.submit(USER, bot, OutgoingText(PN, "a2"))
        await settle()
        text(room, bot, "M1", LID, PN)
        await settle()
        assert (await room.outbox.submit(USER, bot, OutgoingText(PN, "a3"))).to == LID
        await room.outbox.submit(USER, bot, OutgoingText("4915100000002", "b1"))
        await settle()
        failing.clear()
        await settle(60)
        assert [one[3] for one in room.host.sends] == ["a1", "b1", "a1", "a2", "a3"]

    run(tmp_path, scenario)


def test_a_reaction_of_the_bot_changes_the_stored_message(tmp_path: Path) -> None:
    """What the bot does to a message is seen on it once WhatsApp has taken it; it is no message itself."""

    async def scenario(room: FleetRoom) -> None:
        bot = await linked(room)
        text(room, bot, "M1", LID, PN)
        await settle()
        await room.outbox.submit(USER, bot, OutgoingReaction(LID, "M1", "👍"))
        await settle()
        (one,) = await stored(room, bot, LID)
        assert [(made["sender"], made["emoji"], made["fromMe"]) for made in one["reactions"]] == [(OWN_LID, "👍", True)]

    run(tmp_path, scenario)


def test_a_number_is_asked_about_before_it_is_queued(tmp_path: Path) -> None:
    """A number nobody wrote from yet is resolved while the bot is connected: the job has the canonical chat."""

    async def scenario(room: FleetRoom) -> None:
        bot = await linked(room)
        answer = asyncio.get_running_loop().create_future()

        async def find(phone: str) -> Found:
            return await answer  # type: ignore[no-any-return]

        room.host.on_find = find
        submits = [asyncio.ensure_future(room.outbox.submit(USER, bot, OutgoingText(PN, text))) for text in "ab"]
        await settle()
        answer.set_result(Found(True, LID))
        assert [(await one).to for one in submits] == [LID, LID]
        assert room.host.numbers_asked == [PN.partition("@")[0]], "one question for both"
        assert (await room.outbox.submit(USER, bot, OutgoingText(PN, "c"))).to == LID
        await settle()
        assert [one[3] for one in room.host.sends] == ["a", "b", "c"] and len(room.host.numbers_asked) == 1
        assert await told(room, "identity") == []

    run(tmp_path, scenario)


def test_nobody_there_fails_at_once(tmp_path: Path) -> None:
    """A send to a number that is not on WhatsApp fails with that code, not by time-out, and is not handed over."""

    async def scenario(room: FleetRoom) -> None:
        bot = await linked(room)
        room.host.on_find = lambda phone: _soon(Found(False))
        job = await room.outbox.submit(USER, bot, OutgoingText(PN, "hello"))
        assert job.state == "failed" and job.error is not None and job.error.code == "not_on_whatsapp"
        assert await room.sends(job.id) == ["queued", "failed"] and room.host.sends == []
        (one,) = await stored(room, bot, PN)
        assert (one["state"], one["error"]["code"]) == ("failed", "not_on_whatsapp")

    run(tmp_path, scenario)


async def _soon(found: Found) -> Found:
    return found


def test_questions_are_few_and_short(tmp_path: Path) -> None:
    """No answer holds a send up for 3 s at most; a bot asks ten at once, then one in two seconds; the rest go as they are.
    A bot that is not connected, and what is known already, is not asked about."""

    async def scenario(room: FleetRoom) -> None:
        bot = await linked(room)
        never = asyncio.get_running_loop().create_future()
        room.host.on_find = lambda phone: never
        began_s = room.clock.monotonic()
        assert (await room.outbox.submit(USER, bot, OutgoingText(PN, "slow"))).to == PN
        assert 2.9 < room.clock.monotonic() - began_s < 3.5
        room.host.on_find = lambda phone: _soon(Found(None))
        for number in range(30):
            await room.outbox.submit(USER, bot, OutgoingText(f"49151000001{number:02}", "hello"))
        assert len(room.host.numbers_asked) == 11
        await settle(60)
        for address in (LID, "9-9@g.us".replace("9", "99999"), OWN_PN):
            await room.outbox.submit(USER, bot, OutgoingText(address, "hello"))
        assert len(room.host.numbers_asked) == 11
        await room.fleet.stop(USER, bot)
        await settle()
        await room.outbox.submit(USER, bot, OutgoingText("4915100000077", "later"))
        assert len(room.host.numbers_asked) == 11

    run(tmp_path, scenario)


LIDS, PNS = ["1@lid", "2@lid"], ["1@s.whatsapp.net", "2@s.whatsapp.net", "3@s.whatsapp.net"]
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("learn"), st.sampled_from(LIDS), st.sampled_from(PNS)),
        st.tuples(st.just("meet"), st.sampled_from(LIDS + PNS + ["9@g.us"]), st.just("")),
    ),
    max_size=12,
)


@given(STEPS)
def test_people_are_the_same_after_the_store(steps: list[tuple[str, str, str]]) -> None:
    """What is stored is what is known, in every order of mappings that come, change and come back."""
    people, disk, merged = People("bot"), dict[str, bytes](), list[tuple[str, str]]()
    for step, one, other in steps:
        if step == "meet":
            put = people.meet(people.canonical(one))
            puts = [put] if put is not None else []
        else:
            learned = people.learn(other, one)
            puts = [learned.put] if learned is not None else []
            if learned is not None and learned.merges:
                merged.append((one, other))
            assert people.forms(other) == Forms(one, other) and people.forms(one) == Forms(one, other)
        disk |= {put.key: put.value for put in puts if put.value is not None}
        again = People("bot", [decode(value) for value in disk.values()])
        for address in LIDS + PNS:
            assert again.forms(address) == people.forms(address)
            assert again.was_alone(address) == people.was_alone(address)
    for (lid, pn), (before_lid, before_pn) in zip(merged[1:], merged, strict=False):
        assert (lid, pn) != (before_lid, before_pn), "told twice in a row"
