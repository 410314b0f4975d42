"""Playing a simulated phone from another process."""

from __future__ import annotations

import asyncio
import signal
import sys
from pathlib import Path

import msgspec
import pytest

from sessions import model
from sessions.model import OutgoingText
from sessions.simulated import PhoneError, SimulatedSession
from sessions.simulated_control import COMMANDS, ControlledSession, PhoneClient, PhoneGone, driver
from sessions.simulated_store import Saved, load
from sessions.slots import Slots
from tests.contracts.session_harness import RecordingOutlet
from tests.test_sessions_simulated import ADA, QUICK, spec


async def test_play_over_the_socket(tmp_path: Path) -> None:
    """A phone can be played from outside: scan, text, take a text, look on; the socket goes with the session."""
    phones = tmp_path / "phones"
    outlet = RecordingOutlet()
    session = driver(phones)(spec(tmp_path), outlet)
    client = PhoneClient(phones, "bot_a")
    with pytest.raises(PhoneGone):
        await client.state()
    await session.start()
    await client.scan()
    state = await client.connected()
    account = session.account()
    assert account is not None and (state["jid"], state["phone"]) == (account.jid, account.phone)
    assert state["stream_restarts"] == 1 and state["code"] is None
    message_id = await client.text(ADA, "hello")
    assert (await outlet.wait(model.MessageReceived)).message_id == message_id
    await session.send("job", OutgoingText(f"{ADA}@s.whatsapp.net", "hi Ada"))
    assert (await client.received("hi Ada"))["person"] == ADA
    for request, error in (("scan", "no QR code"), ("__class__", "no command"), ("text", "argument")):
        with pytest.raises(PhoneError, match=error):
            await client.do(request)
    assert await session.stop()
    assert not list(phones.glob("*.sock"))
    waiting = await client.text(ADA, "while you were away")
    later = RecordingOutlet()
    again = driver(phones)(spec(tmp_path, account), later)
    await again.start()
    assert (await later.wait(model.MessageReceived)).message_id == waiting
    await again.stop()


async def test_text_whose_answer_is_lost(tmp_path: Path) -> None:
    """A text taken by a session that went away before it answered comes again under the same id, never as another."""
    path, hidden, outlet = tmp_path / "bot_a.sock", tmp_path / "hidden.sock", RecordingOutlet()
    session = driver(tmp_path)(spec(tmp_path), outlet)
    await session.start()
    await PhoneClient(tmp_path, "bot_a").scan()
    await PhoneClient(tmp_path, "bot_a").connected()
    path.rename(hidden)

    async def take_without_answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        to_session = (await asyncio.open_unix_connection(hidden))[1]
        to_session.write(await reader.readline())
        await outlet.wait(model.MessageReceived)
        for stream in (to_session, writer):
            stream.close()

    async with await asyncio.start_unix_server(take_without_answer, path):
        sent = await PhoneClient(tmp_path, "bot_a").text(ADA, "hello")
    await session.stop()
    later = RecordingOutlet()
    again = driver(tmp_path)(spec(tmp_path, session.account()), later)
    await again.start()
    again_told = await later.wait(model.MessageReceived)
    assert [event.message_id for event in outlet.of(model.MessageReceived)] == [sent] == [again_told.message_id]
    await again.stop()


async def test_every_kind_over_the_socket(tmp_path: Path) -> None:
    """Other kinds are played from outside too, wait for an absent bot, and what the bot sends is shown whole."""
    phones = tmp_path / "phones"
    outlet = RecordingOutlet()
    session = driver(phones)(spec(tmp_path), outlet)
    client = PhoneClient(phones, "bot_a")
    await session.start()
    await client.scan()
    await client.connected()
    said = await client.do("say", sender=ADA, kind="location", content={"location": {"latitude": 1, "longitude": 2}})
    heard = await outlet.wait(model.MessageReceived)
    assert (heard.message_id, heard.kind) == (said, "location")
    assert heard.content is not None and heard.content.location == model.Location(1, 2)
    reacted = await client.do("react", sender=ADA, target=said, emoji="👍")
    assert (await outlet.wait(model.ReactionReceived)).message_id == reacted
    await session.send("job", model.OutgoingRevoke(f"{ADA}@s.whatsapp.net", "3EB0"))
    (shown,) = (await client.state())["received"]
    assert shown["sent"] == {"type": "revoke", "to": f"{ADA}@s.whatsapp.net", "message_id": "3EB0"}
    assert shown["text"] == ""
    await client.do("drop")
    edited = await client.do("edit", sender=ADA, target=said, text="new")
    revoked = await client.do("revoke", sender=ADA, target=said)
    assert not outlet.of(model.MessageEdited)
    await client.do("reconnect")
    edit, revoke = await outlet.wait(model.MessageEdited), await outlet.wait(model.MessageRevoked)
    assert (edit.message_id, edit.target_id, edit.content) == (edited, said, model.Content("new"))
    assert (revoke.message_id, revoke.target_id) == (revoked, said)
    await session.stop()


async def test_socket_in_a_deep_directory(tmp_path: Path) -> None:
    """A path too long for a socket's address works all the same."""
    phones = tmp_path / ("d" * 60) / ("e" * 60)
    session = driver(phones)(spec(tmp_path), RecordingOutlet())
    await session.start()
    assert (await PhoneClient(phones, "bot_a").state())["state"] in {"offering", "new"}
    await session.stop()
    assert not list(phones.glob("*.sock"))


async def test_spoilt_requests(tmp_path: Path) -> None:
    """A line that is no request is answered with an error, and the next one is served."""
    session = ControlledSession(spec(tmp_path), RecordingOutlet(), tmp_path, QUICK)
    await session.start()
    reader, writer = await asyncio.open_unix_connection(str(tmp_path / "bot_a.sock"))
    for line in (b"nonsense\n", b"[1]\n", b'{"do":1}\n', b'{"do":"state"}\n'):
        writer.write(line)
        answer = await asyncio.wait_for(reader.readline(), 10)
        assert (b'"ok":true' in answer) == (b"state" in line)
    writer.close()
    await session.stop()


def test_commands_exist() -> None:
    """Every command is a method of the phone."""
    phone = SimulatedSession(spec(Path("/nowhere")), RecordingOutlet()).phone
    assert all(callable(getattr(phone, name)) for name in COMMANDS)


_WORKER = """
import asyncio, sys
from pathlib import Path
from sessions.session import SessionSpec
from sessions.simulated_control import driver
from sessions.slots import Slots
from tests.contracts.session_harness import RecordingOutlet

async def main():
    directory = Path(sys.argv[1])
    spec = SessionSpec("bot_a", "inc_1", str(directory / "device.db"), None, "Test", None)
    session = driver(directory, Slots.create(directory / "slots"))(spec, RecordingOutlet())
    await session.start()
    await asyncio.sleep(60)

asyncio.run(main())
"""


async def test_groups_over_the_socket(tmp_path: Path) -> None:
    """Groups, presence and calls are played from outside, as JSON says it."""
    outlet = RecordingOutlet()
    session = driver(tmp_path / "phones")(msgspec.structs.replace(spec(tmp_path), presence=True), outlet)
    client = PhoneClient(tmp_path / "phones", "bot_a")
    await session.start()
    await client.scan()
    await client.connected()
    chat = await client.do("make_group", subject="Team", members=[ADA])
    await client.do("group_add", group=chat, actor=ADA, people=["491700000002"])
    await client.do("group_text", group=chat, sender=ADA, text="hello all")
    await client.do("presence", sender=ADA, state="typing", group=chat)
    call = await client.do("call", sender=ADA, video=True)
    await client.do("end_call", sender=ADA, call_id=call, reason="timeout")
    changes = [change.action for event in outlet.of(model.GroupChanged) for change in event.changes]
    assert changes == ["joined", "added"]
    (message,) = outlet.of(model.MessageReceived)
    (typing,) = outlet.of(model.PresenceChanged)
    assert (message.chat, typing.chat, typing.state) == (chat, chat, "typing")
    assert [event.state for event in outlet.of(model.CallChanged)] == ["offer", "ended"]
    with pytest.raises(PhoneError, match="no such group"):
        await client.do("group_rename", group="1@g.us", actor=ADA, subject="x")
    await session.stop()


async def test_die_in_the_library(tmp_path: Path) -> None:
    """A simulated crash ends the whole process by the signal asked for, and leaves the bot noted as inside."""
    worker = await asyncio.create_subprocess_exec(sys.executable, "-c", _WORKER, str(tmp_path))
    try:
        client = PhoneClient(tmp_path, "bot_a")
        await client.scan()
        state = await client.connected()
        assert state["pid"] == worker.pid
        await client.die(signal.SIGKILL)
        assert await asyncio.wait_for(worker.wait(), 10) == -signal.SIGKILL
    finally:
        if worker.returncode is None:
            worker.kill()
            await worker.wait()
    assert [(note.bot, note.operation) for note in Slots.read(tmp_path / "slots")] == [("bot_a", "die")]
    assert isinstance(load(str(tmp_path / "device.db")), Saved)
