"""When a session may call the library and what it makes of a library that hangs, lies or dies; without the library."""

from __future__ import annotations

import asyncio
import itertools
import sqlite3
import threading
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import msgspec
import pytest

from sessions import kinds, model, translate, whatsapp_session
from sessions.media import Uploaded
from sessions.model import (
    Account,
    GroupKnown,
    Jid,
    NotSent,
    Outgoing,
    OutgoingMedia,
    OutgoingText,
    SendOutcome,
    SendUnknown,
    Sent,
)
from sessions.session import NotReady, SessionSpec
from sessions.slots import Slots
from sessions.uploads import UploadRoom
from sessions.whatsapp_library import FileReady, Told
from sessions.whatsapp_session import WhatsAppSession
from sessions.worker_gate import Gate
from tests.contracts.session_harness import RecordingOutlet

DEVICE, CONNECTED = 0, 3
ADA = OutgoingText("15550100002@s.whatsapp.net", "hello")


class Odd(msgspec.Struct):
    """An event object that has nothing a reader looks for."""


class FakeLibrary:
    """A library that does what a test tells it to, and remembers who came in."""

    def __init__(self, directory: Path) -> None:
        self.gate = Gate()
        self.notes = Slots.create(directory / "slots")
        self.parsers: translate.Parsers = {kind: lambda _: Odd() for kind in (DEVICE, CONNECTED)}
        self.came_in: list[str] = []
        self.connected = threading.Event()
        self.told: Told | None = None
        self.returns = threading.Event()
        self.may_appear = True
        self.error = ""
        self.answer = threading.Event()
        self.outcome: SendOutcome = Sent("3EB0", 1)
        self.uploads = UploadRoom()
        self.upload_answer = threading.Event()
        self.uploaded: FileReady | SendOutcome = FileReady(Uploaded("https://…", "/v/x", b"k", b"h", b"e", 3), None)
        self.unblock_disconnect = threading.Event()
        self.unblock_disconnect.set()

    def connect(self, told: Told, spec: SessionSpec, device: bytes) -> str:
        self.came_in.append("connect")
        self.told = told
        self.connected.set()
        self.returns.wait(30)
        return self.error

    def disconnect(self, device: bytes) -> None:
        self.came_in.append("disconnect")
        self.unblock_disconnect.wait(30)

    def forget(self, device: bytes) -> None:
        self.came_in.append("forget")
        self.returns.set()

    def upload(self, device: bytes, outgoing: OutgoingMedia) -> FileReady | SendOutcome:
        self.came_in.append("upload")
        self.upload_answer.wait(30)
        return self.uploaded

    def send(self, device: bytes, to: Jid, outgoing: Outgoing, file: FileReady | None = None) -> SendOutcome:
        self.came_in.append("send")
        self.answer.wait(30)
        return self.outcome

    def group_info(self, device: bytes, group: Jid, known: Account | None) -> GroupKnown:
        return GroupKnown(str(group), "failed")

    def appear(self, device: bytes) -> bool:
        self.came_in.append("appear")
        return self.may_appear

    def watch(self, device: bytes, person: Jid) -> bool:
        self.came_in.append(f"watch {person}")
        return True

    def is_there(self, device: bytes, phone: str) -> bool | None:
        self.came_in.append("is_there")
        self.answer.wait(30)
        return True

    def pair_phone(self, device: bytes, phone: str) -> str:
        self.came_in.append("pair_phone")
        return "ABCD-EFGH"

    def logout(self, device: bytes) -> bool:
        self.came_in.append("logout")
        return True


class Room:
    """A session over a fake library."""

    def __init__(self, directory: Path, account_jid: str | None = None) -> None:
        self.library = FakeLibrary(directory)
        self.outlet = RecordingOutlet()
        file = directory / "devices" / "attempt.db"
        if account_jid is not None:
            file.parent.mkdir(exist_ok=True)
            with closing(sqlite3.connect(file)) as database, database:
                database.execute("CREATE TABLE whatsmeow_device (jid TEXT, lid TEXT, push_name TEXT)")
                database.execute("INSERT INTO whatsmeow_device VALUES (?, '77:3@lid', 'Ada')", (account_jid,))
        spec = SessionSpec("bot_a", "inc_1", str(file), account_jid, "Test", None)
        self.session = WhatsAppSession(self.library, spec, self.outlet)

    async def tell(self, what: Callable[[Told], None]) -> None:
        """Call back from a thread, as the library does."""
        await asyncio.to_thread(self.library.connected.wait, 10)
        assert self.library.told is not None
        await asyncio.to_thread(what, self.library.told)

    async def start(self) -> None:
        starting = asyncio.create_task(self.session.start())
        await self.tell(lambda told: told.on_event(DEVICE, b""))
        await starting

    async def come_up(self) -> None:
        """Start a session with stored keys, up to Connected."""
        await self.start()
        await self.tell(lambda told: told.on_event(CONNECTED, b""))


@pytest.fixture
def paired(tmp_path: Path) -> Room:
    return Room(tmp_path, "15550100001:3@s.whatsapp.net")


class TestGating:
    """No call reaches the library for a client it does not know, that is not paired, or that is over."""

    async def test_nothing_before_start(self, paired: Room) -> None:
        """Before start nothing reaches the library, and stopping needs it not either."""
        assert await paired.session.send("job", ADA) == NotSent("gone")
        assert await paired.session.logout() is False
        with pytest.raises(NotReady):
            await paired.session.pair_phone("15550100001")
        assert await paired.session.stop()
        assert paired.library.came_in == []

    async def test_nothing_without_keys(self, tmp_path: Path) -> None:
        """An account the device file does not hold never reaches the library."""
        room = Room(tmp_path, "15550100001:3@s.whatsapp.net")
        other = WhatsAppSession(
            room.library,
            SessionSpec("b", "i", str(tmp_path / "devices" / "attempt.db"), "1:4@s.whatsapp.net", "T", None),
            room.outlet,
        )
        await other.start()
        assert room.outlet.events == [model.KeysMissing()]
        assert await other.stop()
        assert room.library.came_in == []

    async def test_a_damaged_device_file(self, tmp_path: Path) -> None:
        """A device file that is no database is told, and never reaches the library."""
        room = Room(tmp_path)
        file = tmp_path / "damaged.db"
        file.write_bytes(b"this is no database at all, but it is long enough to look like one" * 20)
        spec = SessionSpec("b", "i", str(file), "15550100001:3@s.whatsapp.net", "T", None)
        session = WhatsAppSession(room.library, spec, room.outlet)
        await session.start()
        assert len(room.outlet.of(model.PumpDied)) == 1
        assert room.library.came_in == []

    async def test_nothing_but_pairing_while_unpaired(self, tmp_path: Path) -> None:
        """While linking, only a pairing code can be asked for, and only once a QR code is on offer."""
        room = Room(tmp_path)
        starting = asyncio.create_task(room.session.start())
        await asyncio.to_thread(room.library.connected.wait, 10)
        with pytest.raises(NotReady):
            await room.session.pair_phone("15550100001")
        assert await room.session.send("job", ADA) == NotSent("not_connected")
        assert await room.session.logout() is False
        await room.tell(lambda told: told.on_qr("code"))
        await starting
        assert await room.session.pair_phone("15550100001") == "ABCD-EFGH"
        assert room.library.came_in == ["connect", "pair_phone"]

    @pytest.mark.parametrize("word", ["timeout", "error", "passkey-request"])
    async def test_nothing_after_the_codes(self, tmp_path: Path, word: str) -> None:
        """Once the attempt has ended, nothing but a disconnect reaches the library, and no code is offered any more."""
        room = Room(tmp_path)
        starting = asyncio.create_task(room.session.start())
        await room.tell(lambda told: told.on_qr("code"))
        await starting
        await room.tell(lambda told: told.on_login_status(word))
        await room.tell(lambda told: told.on_qr("late code"))
        with pytest.raises(NotReady):
            await room.session.pair_phone("15550100001")
        assert await room.session.stop()
        assert room.library.came_in == ["connect", "disconnect"], "forgetting it here can abort the process"
        assert len(room.outlet.of(model.QrOffered)) == 1

    async def test_nothing_after_stop(self, paired: Room) -> None:
        """After stop nothing reaches the library."""
        await paired.come_up()
        assert await paired.session.stop()
        before = list(paired.library.came_in)
        assert before == ["connect", "disconnect", "forget"]
        assert await paired.session.send("job", ADA) == NotSent("gone")
        assert await paired.session.logout() is False
        assert await paired.session.stop()
        assert paired.library.came_in == before

    async def test_a_start_overtaken_by_a_stop(self, paired: Room) -> None:
        """A session stopped while its start waits for its turn never enters the library."""
        busy: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        await paired.library.gate.start(lambda: None, busy)
        starting = asyncio.create_task(paired.session.start())
        await asyncio.sleep(0)
        assert await paired.session.stop()
        busy.set_result(None)
        await starting
        assert paired.library.came_in == []


class TestSending:
    """The first outcome counts, and is spooled once."""

    async def test_no_answer(self, paired: Room, monkeypatch: pytest.MonkeyPatch) -> None:
        """A message WhatsApp never acknowledges is unknown when the time is up; a late answer changes nothing."""
        monkeypatch.setattr(whatsapp_session, "SEND_S", 0.1)
        await paired.come_up()
        assert await paired.session.send("job", ADA) == SendUnknown()
        paired.library.answer.set()
        await paired.session.send("job_2", ADA)
        finished = [event.job for event in paired.outlet.of(model.SendFinished)]
        assert finished == ["job", "job_2"]

    async def test_waiting_behind_another(self, paired: Room, monkeypatch: pytest.MonkeyPatch) -> None:
        """A message that waited behind one without answer was surely not sent."""
        monkeypatch.setattr(whatsapp_session, "SEND_S", 0.2)
        await paired.come_up()
        outcomes = await asyncio.gather(*(paired.session.send(f"job_{number}", ADA) for number in range(3)))
        assert outcomes == [SendUnknown(), NotSent("not_connected"), NotSent("not_connected")]
        assert paired.library.came_in.count("send") == 1
        paired.library.answer.set()

    async def test_outcome_without_the_loop(self, paired: Room) -> None:
        """The outcome of a send is spooled by its own thread: the loop may hang meanwhile."""
        await paired.come_up()
        sending = asyncio.create_task(paired.session.send("job", ADA))
        await asyncio.to_thread(lambda: _until(lambda: "send" in paired.library.came_in))
        paired.library.answer.set()
        # The loop does nothing here until the outcome is there.
        _until(lambda: any(entry.kind == kinds.SEND_FINISHED for entry in paired.outlet.spooled))
        assert not sending.done()
        assert await sending == Sent("3EB0", 1)

    async def test_an_address_of_nothing(self, paired: Room) -> None:
        """A recipient that is no address is refused for good, without the library."""
        await paired.come_up()
        assert await paired.session.send("job", OutgoingText("nobody", "x")) == model.SendRejected("rejected")
        assert "send" not in paired.library.came_in


class TestEndings:
    """What the library does not say itself."""

    async def test_dead_pump(self, paired: Room) -> None:
        """A pump that ends is told once, and the client is disconnected so that it acknowledges nothing more."""
        await paired.come_up()
        paired.library.error = "proto: required field neonize.Receipt.Type not set"
        paired.library.returns.set()
        died = await paired.outlet.wait(model.PumpDied)
        assert "Receipt.Type" in died.detail
        await paired.outlet.until(lambda: "disconnect" in paired.library.came_in, "a disconnect")
        assert await paired.session.stop()
        assert len(paired.outlet.of(model.PumpDied)) == 1

    async def test_asked_to_end(self, paired: Room) -> None:
        """An end we asked for is no dead pump."""
        await paired.come_up()
        await paired.session.stop()
        assert not paired.outlet.of(model.PumpDied)

    async def test_disconnect_hangs(self, paired: Room, monkeypatch: pytest.MonkeyPatch) -> None:
        """A disconnect that hangs makes the stop fail in time, for good, and the client is not forgotten."""
        monkeypatch.setattr(whatsapp_session, "STOP_S", 0.2)
        await paired.come_up()
        paired.library.unblock_disconnect.clear()
        assert await paired.session.stop() is False
        assert await paired.session.stop() is False
        paired.library.unblock_disconnect.set()
        assert "forget" not in paired.library.came_in

    async def test_still_dialling(self, paired: Room, monkeypatch: pytest.MonkeyPatch) -> None:
        """A client without a sign of life is not forgotten: the library would read a client that is no more."""
        monkeypatch.setattr(whatsapp_session, "STOP_S", 0.2)
        starting = asyncio.create_task(paired.session.start())
        await asyncio.to_thread(paired.library.connected.wait, 10)
        assert await paired.session.stop() is False
        assert "forget" not in paired.library.came_in
        paired.library.returns.set()
        await starting


class TestEvents:
    """Spooled first, translated next, delivered in order."""

    async def test_a_bug_of_ours(self, paired: Room, monkeypatch: pytest.MonkeyPatch) -> None:
        """A translator that raises loses no event and ends no pump: the raw event is kept, an unrecognised one told."""
        await paired.come_up()

        def broken(*_: object) -> None:
            raise ZeroDivisionError

        monkeypatch.setattr(translate, "from_raw", broken)
        await paired.tell(lambda told: told.on_event(17, b"raw"))
        assert paired.outlet.spooled[-1].raw == b"raw"
        assert paired.outlet.events[-1] == model.Unrecognised(17)

    async def test_secrets_are_not_spooled(self, paired: Room) -> None:
        """A rotated secret is told without its payload and never spooled."""
        await paired.come_up()
        before = len(paired.outlet.spooled)
        await paired.tell(lambda told: told.on_event(45, b"old and new secret"))
        assert len(paired.outlet.spooled) == before
        assert paired.outlet.events[-1] == model.SecretRotated()

    async def test_the_disk_refuses_for_a_while(self, paired: Room) -> None:
        """While the disk refuses, the library is held back; the event is there once the disk takes it."""
        await paired.come_up()
        paired.outlet.broken = True
        telling = asyncio.create_task(paired.tell(lambda told: told.on_event(CONNECTED, b"kept")))
        sending = asyncio.create_task(paired.session.send("job", OutgoingText("nobody", "x")))
        done, _ = await asyncio.wait({telling, sending}, timeout=0.3)
        assert not done
        paired.outlet.broken = False
        await asyncio.wait_for(asyncio.gather(telling, sending), 10)
        assert paired.outlet.spooled[-2].raw == b"kept" or paired.outlet.spooled[-1].raw == b"kept"

    async def test_order_across_threads(self, paired: Room) -> None:
        """Events and outcomes from several threads are delivered in the order of their ordinals."""
        await paired.come_up()
        paired.library.answer.set()
        numbers = itertools.count()

        def talk(told: Told) -> None:
            for _ in range(200):
                told.on_event(CONNECTED, str(next(numbers)).encode())

        sends = [paired.session.send(f"job_{number}", ADA) for number in range(40)]
        await asyncio.gather(paired.tell(talk), *sends)
        ordinals = [entry.ordinal for entry in paired.outlet.delivered]
        assert ordinals == list(range(1, len(ordinals) + 1))


def _until(true: Callable[[], bool]) -> None:
    done = threading.Event()
    for _ in range(2000):
        if true():
            return
        done.wait(0.005)
    raise AssertionError("it did not come to hold")
