"""A send is made once or its author is told that nobody knows: sends are queued while workers and supervisor die."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass

import aiohttp
import pytest

from tests.crash import processes
from tests.crash.letters import Letters
from tests.crash.seeds import soaked
from tests.e2e.journeys import linked
from tests.loopback.devices import LinkedDevice
from tests.loopback.nodes import Node, Value
from tests.loopback.phone import Contact
from tests.loopback.server import LoopbackServer
from tests.support.server import Json, Server
from tests.support.waiting import until

ANSWER_S = 1.5
ACK_DELAY_S = 0.1
PER_SECOND = 9.0
"""A little less than the library can do, one at a time."""


@pytest.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as session:
        yield session


async def _kill(server: Server, who: str) -> None:
    """One death; returns when the server is ready again (a worker's bot may still be on its way back)."""
    workers = processes.workers(server.data_dir)
    if who == "worker":
        for worker in workers:
            processes.strike(worker, signal.SIGKILL)
        return
    if who == "both":
        os.kill(server.pid, signal.SIGSTOP)
        for worker in workers:
            processes.strike(worker, signal.SIGKILL)
    await server.kill()
    await until(lambda: not processes.workers(server.data_dir), 6, "the end of the workers")
    await server.start()


async def _bot_with_letters(server: Server, whatsapp: LoopbackServer, http: aiohttp.ClientSession) -> Letters:
    """Four people to write to, and a WhatsApp that takes its time to answer: a death hits a send nearly every time."""
    bot, _, _ = await linked(server, whatsapp)
    whatsapp.faults.ack_delay_s = ACK_DELAY_S
    people = [whatsapp.add_contact() for _ in range(4)]
    people[0].auto_receipts = False
    return Letters(server, http, bot, people, PER_SECOND)


async def _endure(letters: Letters, server: Server, deaths: list[str], say: Callable[[str], None]) -> None:
    """Send through these deaths, and judge: every job ends, none is sent twice, and one death leaves at most one send of
    which nobody knows, the one that was in flight."""
    async with letters:
        await letters.more(5)
        for death in deaths:
            await _kill(server, death)
            await letters.more(8)
    jobs = await letters.ended()
    received = letters.received()
    states: Counter[str] = Counter(job["state"] for job in jobs.values())
    asked_again = sum(letter.tries > 1 for letter in letters.all)
    say(f"{len(letters.all)} sends through {', '.join(deaths)}; {asked_again} asked for again: {dict(states)}")
    assert len({letter.job for letter in letters.all}) == len(letters.all)
    assert set(received.values()) == {1}, [text for text, times in received.items() if times > 1]
    for letter in letters.all:
        if jobs[letter.job]["state"] != "unknown":
            assert received[letter.text] == 1, (letter.text, jobs[letter.job])
    assert not states["failed"]
    assert states["unknown"] <= len(deaths)
    if "both" not in deaths and "worker" not in deaths:
        # Where only supervisors died, what WhatsApp got is known: unknown is what was on its way to a worker.
        lost = [letter.text for letter in letters.all if jobs[letter.job]["state"] == "unknown"]
        assert not any(received[text] for text in lost), lost
    for letter in random.Random(0).sample(letters.all, 5):
        told = jobs[letter.job]
        asked = await server.call("GET", f"/bots/{told['botId']}/sends/{letter.job}")
        assert asked == {member: told[member] for member in asked}, "REST and the journal tell the same"
    await _same_keys(letters)


async def test_supervisor_dies(
    server: Server, whatsapp: LoopbackServer, http: aiohttp.ClientSession, say: Callable[[str], None]
) -> None:
    """Every send is made once, and none that WhatsApp answers becomes `unknown`: the workers outlive the supervisor for
    its answers."""
    letters = await _bot_with_letters(server, whatsapp, http)
    await _endure(letters, server, ["supervisor"] * 3, say)


async def test_workers_die(
    server: Server, whatsapp: LoopbackServer, http: aiohttp.ClientSession, say: Callable[[str], None]
) -> None:
    """Every send is made once at most; `unknown` is only the one in the library's hands when its worker died."""
    letters = await _bot_with_letters(server, whatsapp, http)
    await _endure(letters, server, ["worker", "both", "worker"], say)


@pytest.mark.slow
@pytest.mark.parametrize("seed", soaked(1))
async def test_many_deaths(
    seed: int, server: Server, whatsapp: LoopbackServer, http: aiohttp.ClientSession, say: Callable[[str], None]
) -> None:
    """The same through a dozen deaths in a random order."""
    letters = await _bot_with_letters(server, whatsapp, http)
    deaths = random.Random(seed).choices(["supervisor", "both", "worker"], [5, 5, 2], k=12)
    await _endure(letters, server, deaths, say)


async def _same_keys(letters: Letters) -> None:
    """The same key gives the same job; with another text it is refused."""
    for letter in (letters.all[0], letters.all[len(letters.all) // 2], letters.all[-1]):
        again = await letters.post(letter)
        assert (again["status"], again["body"]["id"]) == (202, letter.job), again
        other = await letters.post(letter, "another text")
        assert (other["status"], other["body"]["code"]) == (409, "idempotency_conflict")


@dataclass(frozen=True, slots=True)
class _Open:
    """A send WhatsApp has, and has not answered."""

    bot: str
    job: str
    device: LinkedDevice
    ada: Contact
    message_id: str


async def _in_the_library(server: Server, whatsapp: LoopbackServer) -> _Open:
    bot, phone, device = await linked(server, whatsapp)
    ada = whatsapp.add_contact(name="Ada")
    ada.auto_receipts = False
    whatsapp.faults.withhold_acks = True
    job = await server.call("POST", f"/bots/{bot}/messages", {"to": f"+{ada.number}", "text": "once"}, status=202)
    sent = await whatsapp.ledger.wait("message_from_device", phone=phone.number)
    await ada.wait_text("once")
    whatsapp.faults.withhold_acks = False
    return _Open(bot, job["id"], device, ada, str(sent.data["id"]))


def _answer(send: _Open) -> None:
    """WhatsApp acknowledges the message at last."""
    assert send.device.connection is not None
    attrs: dict[str, Value] = {"class": "message", "id": send.message_id, "from": send.ada.lid_jid}
    send.device.connection.send(Node("ack", {**attrs, "t": str(int(time.time()))}))


async def _outcome(server: Server, bot: str, job: str) -> Json:
    return await server.poll(
        lambda: server.call("GET", f"/bots/{bot}/sends/{job}"), lambda seen: seen["state"] != "queued"
    )


async def test_answer_after_supervisors_death(
    server: Server, whatsapp: LoopbackServer, say: Callable[[str], None]
) -> None:
    """What WhatsApp answers within two seconds of the supervisor's death is known to the next supervisor."""
    send = await _in_the_library(server, whatsapp)
    await server.kill()
    await asyncio.sleep(ANSWER_S)  # what WhatsApp takes to answer
    _answer(send)
    await server.start()
    seen = await _outcome(server, send.bot, send.job)
    say(f"answered {ANSWER_S:g} s after the supervisor's death: {seen['state']}")
    assert (seen["state"], seen["messageId"]) == ("sent", send.message_id)
    await server.bot_until(send.bot, lambda seen: seen["status"] == "connected")
    assert whatsapp.ledger.count("message_from_device") == 1


@pytest.mark.parametrize("death", ["worker", "supervisor", "both"])
async def test_never_answered(death: str, server: Server, whatsapp: LoopbackServer) -> None:
    """A send in the library's hands when its worker dies is `unknown`: not sent again, and it holds nothing up."""
    send = await _in_the_library(server, whatsapp)
    later = {"to": f"+{send.ada.number}", "text": "next"}
    following = await server.call("POST", f"/bots/{send.bot}/messages", later, status=202)
    await _kill(server, death)
    assert (await _outcome(server, send.bot, send.job))["state"] == "unknown"
    assert (await _outcome(server, send.bot, following["id"]))["state"] == "sent"
    await send.ada.wait_text("next")
    assert [text.text for text in send.ada.received] == ["once", "next"]
