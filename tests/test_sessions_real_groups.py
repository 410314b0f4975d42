"""Groups, presence and calls on the real library beyond the contract: keys, retries, hashes, and what ends its pump."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path

import pytest

from sessions import model
from sessions.model import OutgoingText
from tests.contracts.session_steps import linked
from tests.loopback import kinds, present
from tests.loopback.library import LibraryNotPatchable
from tests.loopback.nodes import Node
from tests.loopback.server import LoopbackServer
from tests.support.loopback_group import LoopbackGroupHarness
from tests.support.real_session import RealSessions, library_environment
from tests.test_sessions_real_contract import RealHarness


@pytest.fixture
async def wa() -> AsyncIterator[LoopbackServer]:
    async with LoopbackServer.start() as server:
        yield server


@pytest.fixture
async def child(wa: LoopbackServer) -> AsyncIterator[RealSessions]:
    try:
        environment = library_environment(wa)
    except LibraryNotPatchable as error:
        pytest.skip(str(error))
    async with RealSessions.start(environment) as sessions:
        yield sessions


@pytest.fixture
def harness(wa: LoopbackServer, child: RealSessions, tmp_path: Path) -> RealHarness:
    return RealHarness(wa, child, tmp_path)


async def _group(harness: RealHarness) -> LoopbackGroupHarness:
    made = await harness.group()
    assert isinstance(made, LoopbackGroupHarness)
    return made


async def test_first_message_is_two_events(harness: RealHarness) -> None:
    """A member's first message is two of the library's events with one id: only the one with the words is a message, the
    key is a note; the second message is one."""
    _, outlet, _ = await linked(harness)
    team = await _group(harness)
    first = await team.write("hello")
    await outlet.wait(model.MessageReceived)
    second = await team.write("again")
    await outlet.wait(model.MessageReceived, count=2)
    assert [one.message_id for one in outlet.of(model.MessageReceived)] == [first, second]
    assert [one.kind for one in outlet.of(model.ProtocolNote)].count("sender_key") == 1


async def test_bot_asks_again(harness: RealHarness, wa: LoopbackServer) -> None:
    """A message whose key the bot was never given is asked for again, told as undecryptable first, and then arrives."""
    _, outlet, _ = await linked(harness)
    team = await _group(harness)
    team.group.forget_told(team._ada)
    message_id = await team.write("can you read this?")
    lost = await outlet.wait(model.Undecryptable)
    assert (lost.chat, lost.sender, lost.message_id) == (team.chat, team.ada[0], message_id)
    found = await outlet.wait(model.MessageReceived)
    assert (found.message_id, found.chat, found.sender) == (message_id, team.chat, team.ada[0])
    assert found.content is not None and found.content.text == "can you read this?"
    assert wa.ledger.count("message_retry", id=message_id) == 1


async def test_member_asks_again(harness: RealHarness) -> None:
    """A member who can't read a message gets it once more from the library, alone."""
    session, outlet, _ = await linked(harness)
    team = await _group(harness)
    team._bob.loses_group_messages = True
    outcome = await session.send("job_1", OutgoingText(team.chat, "hello all"))
    assert isinstance(outcome, model.Sent)
    words = await team.next_words()
    assert words == [(outcome.message_id, {"type": "text", "text": "hello all"})] * 3
    retry = await outlet.wait(
        model.ReceiptReceived, where=lambda one: one.sender == team.bob[0] and one.kind == "retry"
    )
    assert retry.message_ids == (outcome.message_id,)


async def test_participant_hash_is_the_servers(harness: RealHarness, wa: LoopbackServer) -> None:
    """The library's list of devices is the server's, so its cached group lasts: members are asked for once. A list that
    is not costs one more question, and everybody is reached again."""
    session, _, _ = await linked(harness)
    team = await _group(harness)
    for number in range(3):
        assert isinstance(await session.send(f"job_{number}", OutgoingText(team.chat, "hi")), model.Sent)
    assert wa.ledger.count("iq", name="w:g2/query") == 1
    dora = wa.add_contact(name="Dora")
    team.group.members.append(dora)  # Nobody is told.
    assert isinstance(await session.send("job_4", OutgoingText(team.chat, "where is Dora?")), model.Sent)
    assert isinstance(await session.send("job_5", OutgoingText(team.chat, "hello Dora")), model.Sent)
    assert wa.ledger.count("iq", name="w:g2/query") == 2
    received = await dora.wait_text("hello Dora")
    assert received.chat == team.chat


async def test_only_admins_write(harness: RealHarness) -> None:
    """Where only admins may write, a send is refused with WhatsApp's number."""
    session, _, _ = await linked(harness)
    team = await _group(harness)
    await team.change("announce")
    outcome = await session.send("job_1", OutgoingText(team.chat, "may I?"))
    assert outcome == model.SendRejected("rejected", 403)


async def test_two_bots_in_one_group(
    harness: RealHarness, wa: LoopbackServer, child: RealSessions, tmp_path: Path
) -> None:
    """What one bot writes another one reads, and the owner's phone sees both."""
    session, outlet, _ = await linked(harness)
    other = RealHarness(wa, child, tmp_path / "other", account="491555000222")
    _, heard, _ = await linked(other)
    team = await _group(harness)
    team.group.members.append(other._phone)
    outcome = await session.send("job_1", OutgoingText(team.chat, "hello, bot"))
    assert isinstance(outcome, model.Sent)
    found = await heard.wait(model.MessageReceived)
    assert (found.message_id, found.chat, found.sender) == (outcome.message_id, team.chat, str(harness._phone.lid_jid))
    assert not outlet.of(model.MessageReceived)
    assert (await harness._phone.wait_text("hello, bot")).chat == team.chat


async def test_odd_ones_are_unrecognised(harness: RealHarness) -> None:
    """A change and a call nobody has a name for are told as such, and nothing ends."""
    _, outlet, _ = await linked(harness)
    team = await _group(harness)
    team.group.notify(team._ada, Node("juggle"))
    present.odd_call(team._ada, harness._phone)
    change = await outlet.wait(model.GroupChanged)
    assert change.changes == (model.GroupChange("unrecognised", reason="juggle"),)
    await outlet.wait(model.Unrecognised, where=lambda one: one.kind == 43)
    await team.group.send(team._ada, kinds.message(listMessage={"title": "choose"}))
    assert (await outlet.wait(model.MessageReceived)).kind == "unrecognised"


@pytest.mark.parametrize("wanted", [False, True], ids=["without", "with"])
async def test_a_chat_state_nobody_knows(harness: RealHarness, wanted: bool) -> None:
    """The library's encoder has no name for it and its pump ends. A bot that does not ask for presence never notices."""
    harness.presence = wanted
    session, outlet, _ = await linked(harness)
    team = await _group(harness)
    present.chat_state(team._ada, harness._phone, "juggling")
    if wanted:
        assert "ChatPresence.State" in (await outlet.wait(model.PumpDied)).detail
        return
    await team.presence("typing")
    await harness.text("still there?")
    await outlet.wait(model.MessageReceived)
    assert not outlet.of(model.PumpDied) and not outlet.of(model.PresenceChanged)
    assert await session.stop()


async def test_questions_side_by_side(harness: RealHarness) -> None:
    """Questions about groups, sends and incoming messages at the same time get all their answers."""
    session, outlet, _ = await linked(harness)
    team = await _group(harness)
    work = [session.ask_group(team.chat) for _ in range(10)]
    sends = [session.send(f"job_{number}", OutgoingText(team.chat, str(number))) for number in range(10)]
    written = [team.write(f"in {number}") for number in range(10)]
    outcomes = await asyncio.gather(*sends, *work, *written)
    assert all(isinstance(outcome, model.Sent) for outcome in outcomes[:10])
    await outlet.wait(model.GroupKnown, count=10)
    await outlet.wait(model.MessageReceived, count=10)


async def test_presence_has_its_price(harness: RealHarness, wa: LoopbackServer) -> None:
    """A bot that wants presence is available itself and asks about whom it talks with, at every connection; before its
    account's name is known the library lets it do neither, and everything else goes on."""
    session, outlet, spec = await linked(harness)
    await harness.text("hello")
    await outlet.wait(model.MessageReceived)
    assert not wa.ledger.entries("presence", "subscribed")
    account = session.account()
    assert account is not None and await session.stop()
    with closing(sqlite3.connect(spec.device_file)) as database, database:
        database.execute("UPDATE whatsmeow_device SET push_name = 'Bot'")
    again, heard = await harness.make_session(harness.spec(account.jid))
    await again.start()
    await wa.ledger.wait("presence", type="available")
    await harness.text("hello again")
    await wa.ledger.wait("subscribed", whom=harness.contact_lid)
    mark = len(wa.ledger)
    await harness.drop()
    await heard.wait(model.Connected, count=2)
    await wa.ledger.wait("presence", after=mark, type="available")
    await wa.ledger.wait("subscribed", after=mark, whom=harness.contact_lid)
    assert await again.stop()
