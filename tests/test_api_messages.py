"""REST about stored messages: on a whole server with a simulated phone, and with a bus of the test's own."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from tests.support.rest import Rest
from tests.support.simulated import Simulated, simulated

pytestmark = pytest.mark.asyncio(loop_scope="module")

NUMBER = "4915112345678"
PHONE = f"{NUMBER}@s.whatsapp.net"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def world(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Simulated]:
    """One server for all tests of this file; each test is a user of its own."""
    async with simulated(tmp_path_factory.mktemp("messages") / "data") as running:
        yield running


async def _stored(rest: Rest, bot: str, count: int, **query: Any) -> list[str]:
    """Wait until so many messages are stored; return their texts, newest first."""
    async with asyncio.timeout(15):
        while True:
            answer = (await rest("GET", f"/bots/{bot}/messages", **query)).ok(200)
            if len(answer["messages"]) >= count:
                return [one["data"]["text"] for one in answer["messages"]]
            await asyncio.sleep(0.05)


async def test_what_arrives_is_stored(world: Simulated) -> None:
    """Messages are found newest first, whole, paged by `next`, by chat in every form of its address; and go with the bot."""
    ada = world.someone()
    bot = await world.linked(ada)
    empty = (await ada("GET", f"/bots/{bot}/messages")).ok(200)
    assert empty == {"messages": [], "next": None}
    after = str_position((await ada("GET", "/bots")).ok(200)["position"])
    phone = world.phone(bot)
    for number in range(5):
        await phone.text(NUMBER, f"text {number}")
    await phone.text("4917000000001", "another chat")
    texts = await _stored(ada, bot, 6)
    assert sorted(texts) == sorted(["another chat", *(f"text {number}" for number in range(5))])
    page = (await ada("GET", f"/bots/{bot}/messages", limit="4")).ok(200)
    rest = (await ada("GET", f"/bots/{bot}/messages", limit="4", before=page["next"])).ok(200)
    assert [one["data"]["text"] for one in page["messages"] + rest["messages"]] == texts
    assert rest["next"] is None
    told = {one["id"]: one for one in (await ada("GET", "/events", after=after)).ok(200)["events"]}
    for one in page["messages"]:
        frame = told[one["id"]]
        assert (one["type"], one["botId"], one["at"], one["data"]) == ("message", bot, frame["at"], frame["data"])
    chat = next(one["data"]["chat"] for one in page["messages"] if one["data"]["text"].startswith("text"))
    for form in (chat, "4915112345678", "+49 151 12345678", PHONE, "4915112345678:0@c.us"):
        assert sorted(await _stored(ada, bot, 5, chat=form)) == [f"text {number}" for number in range(5)], form
    assert (await ada("GET", f"/bots/{bot}/messages", chat="1-1@g.us")).ok(200)["messages"] == []
    first = min(one["data"]["sentAt"] for one in rest["messages"])
    assert (await ada("GET", f"/bots/{bot}/messages", before=str(first))).ok(200)["messages"] == []
    (await ada("DELETE", f"/bots/{bot}")).ok(202)
    (await ada("GET", f"/bots/{bot}/messages")).refused("not_found")


def str_position(position: dict[str, object]) -> str:
    return f"{position['epoch']}:{position['seq']}"


async def test_wrong_queries_are_named(world: Simulated) -> None:
    """Each wrong part of the query is refused by name."""
    ada = world.someone()
    bot = str((await ada("POST", "/bots", {"name": "support", "start": False})).ok(201)["id"])
    for name, values in {
        "limit": ("0", "201", "x", "-1", ""),
        "before": ("x", "-1", "1-", "-", "1-2-3", "", "1" * 16, "١"),
        "chat": ("", "x", "@lid", "ada@example.org", "12", "a b@lid", "%@g.us", "١٢٣٤٥٦٧", "x" * 65 + "@g.us"),
    }.items():
        for value in values:
            query: Any = {name: value}
            (await ada("GET", f"/bots/{bot}/messages", **query)).refused("invalid_field", name)


async def test_others_messages_are_not_there(world: Simulated) -> None:
    """Another user's bot is 404, word for word as one that never was; an operator names the user."""
    ada, eve = world.someone(), world.someone()
    bot = await world.linked(ada)
    await world.phone(bot).text(NUMBER, "for ada alone")
    assert await _stored(ada, bot, 1) == ["for ada alone"]
    theirs = (await eve("GET", f"/bots/{bot}/messages")).refused("not_found")
    assert theirs == (await eve("GET", "/bots/bot_00000000000000000000/messages")).refused("not_found")
    me = (await ada("GET", "/me")).ok(200)["userId"]
    boss = world.by("boss", operator=True)
    assert await _stored(boss, bot, 1, userId=me) == ["for ada alone"]
    (await eve("GET", f"/bots/{bot}/messages", userId=me)).refused("forbidden")
    assert "for ada alone" not in world.server.log


async def test_messages_show_what_became_of_them(world: Simulated) -> None:
    """Edits, deletions, reactions and the bot's own sends with their ticks: one conversation, as it is now."""
    ada = world.someone()
    bot = await world.linked(ada)
    phone = world.phone(bot)
    for number in range(3):
        await phone.text(NUMBER, f"text {number}")
    await _stored(ada, bot, 3)
    page = (await ada("GET", f"/bots/{bot}/messages")).ok(200)
    ids = {one["data"]["text"]: one["data"]["messageId"] for one in page["messages"]}
    await phone.do("edit", sender=NUMBER, target=ids["text 0"], text="new words")
    await phone.do("react", sender=NUMBER, target=ids["text 1"], emoji="👍")
    await phone.do("revoke", sender=NUMBER, target=ids["text 2"])
    job = (await ada("POST", f"/bots/{bot}/messages", {"to": NUMBER, "text": "from the bot"}, wait="10")).ok(200)
    await phone.received("from the bot")
    for kind in ("delivered", "read"):
        await phone.do("receipt", message_id=job["messageId"], kind=kind)

    async def read() -> dict[str, Any]:
        found = (await ada("GET", f"/bots/{bot}/messages", chat=NUMBER)).ok(200)["messages"]
        return {one["data"]["messageId"]: one["data"] for one in found}

    def settled(seen: dict[str, Any]) -> bool:
        return seen[job["messageId"]]["state"] == "read" and "revokedAt" in seen[ids["text 2"]]

    seen = await world.server.poll(read, settled)
    assert len(seen) == 4
    assert (seen[ids["text 0"]]["text"], seen[ids["text 0"]]["editedAt"] > 0) == ("new words", True)
    assert [one["emoji"] for one in seen[ids["text 1"]]["reactions"]] == ["👍"]
    assert "text" not in seen[ids["text 2"]] and "revokedBy" not in seen[ids["text 2"]]
    own = seen[job["messageId"]]
    assert (own["text"], own["fromMe"], own["jobId"], own["error"]) == ("from the bot", True, job["id"], None)
    assert own["chat"] == seen[ids["text 0"]]["chat"] and own["chat"].endswith("@lid")
    (
        await ada(
            "POST", f"/bots/{bot}/messages", {"to": own["chat"], "edit": {"messageId": own["messageId"], "text": "x"}}
        )
    )
    changed = await world.server.poll(read, lambda seen: seen[own["messageId"]]["text"] == "x")
    assert len(changed) == 4
