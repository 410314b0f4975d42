"""The real library in real workers against a WhatsApp on loopback: what can't be seen from one session alone."""

from __future__ import annotations

import asyncio
import itertools
import os
import socket
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from sessions import model, wire
from sessions.session import SessionSpec
from sessions.slots import Slots
from tests.loopback import messages
from tests.loopback.library import LibraryNotPatchable
from tests.loopback.phone import Contact, Phone
from tests.loopback.server import LoopbackServer
from tests.support.real_session import library_environment
from tests.support.waiting import PUT_OFF_S
from tests.support.worker_child import Lock, WorkerChild

_numbers = itertools.count(1)


class Stage:
    """A WhatsApp, the environment of workers that find it, and where they keep their files."""

    def __init__(self, wa: LoopbackServer, directory: Path) -> None:
        self.wa = wa
        self.directory = directory
        try:
            self.environment = library_environment(wa)
        except LibraryNotPatchable as error:
            pytest.skip(str(error))

    def spec(self, bot: str = "bot_a", account_jid: str | None = None, proxy: str | None = None) -> SessionSpec:
        file = self.directory / "devices" / bot / "attempt.db"
        incarnation = f"inc_{next(_numbers)}"
        return SessionSpec(bot, incarnation, str(file), account_jid, "Test", proxy or self.wa.proxy_url)

    async def link(self, worker: WorkerChild, phone: Phone, bot: str = "bot_a") -> SessionSpec:
        """Link a bot by QR; the spec it is resumed with later."""
        made = self.spec(bot)
        await worker.take_up(made)
        await phone.scan((await worker.event(model.QrOffered, made.incarnation)).code)
        connected = await worker.event(model.Connected, made.incarnation)
        return SessionSpec(bot, made.incarnation, made.device_file, connected.account.jid, "Test", made.proxy)

    async def resume(self, worker: WorkerChild, before: SessionSpec) -> SessionSpec:
        """Log a linked bot in again, as a new incarnation."""
        made = self.spec(before.bot, before.account_jid)
        await worker.take_up(made)
        await worker.event(model.Connected, made.incarnation)
        return made


@pytest.fixture
async def stage(tmp_path: Path) -> AsyncIterator[Stage]:
    async with LoopbackServer.start() as wa:
        yield Stage(wa, tmp_path)


@pytest.fixture
async def worker(stage: Stage) -> AsyncIterator[WorkerChild]:
    async with WorkerChild.start(stage.directory, "whatsapp", stage.environment) as child:
        yield child


@pytest.fixture
def phone(stage: Stage) -> Phone:
    return stage.wa.add_account()


@pytest.fixture
def ada(stage: Stage) -> Contact:
    return stage.wa.add_contact(name="Ada")


def texts(frames: list[wire.EventFrame]) -> list[str]:
    """Ids of the messages among them."""
    return [frame.event.message_id for frame in frames if isinstance(frame.event, model.MessageReceived)]


def alive(worker: WorkerChild) -> bool:
    return worker.process.returncode is None


class TestWorker:
    """One bot in a worker."""

    async def test_hello_names_the_library(self, worker: WorkerChild) -> None:
        """A worker with the real library says its version."""
        hello = await worker.wait(wire.Hello)
        assert (hello.driver, hello.library) == ("whatsapp", "neonize 0.5.2")

    async def test_linked_by_code_and_chatting(
        self, stage: Stage, worker: WorkerChild, phone: Phone, ada: Contact
    ) -> None:
        """A bot links by pairing code, hears a text and answers it; files and directory are private."""
        made = stage.spec()
        await worker.take_up(made)
        await worker.event(model.QrOffered)
        result = await worker.call(lambda n: wire.PairPhone(n, made.bot, made.incarnation, phone.number))
        assert result.code is not None
        await phone.enter_code(result.code)
        await worker.event(model.Connected)
        await ada.send_text(phone, "hello bot")
        heard = await worker.event(model.MessageReceived)
        outcome = (await worker.send(made, heard.chat, "hello Ada")).outcome
        assert isinstance(outcome, model.Sent)
        assert (await ada.wait_text("hello Ada")).message_id == outcome.message_id
        device_file = Path(made.device_file)
        assert device_file.parent.stat().st_mode & 0o777 == 0o700
        modes = {path.name: path.stat().st_mode & 0o777 for path in device_file.parent.iterdir()}
        assert set(modes.values()) == {0o600}
        assert "attempt.db-wal" in modes, "the store runs in WAL mode"

    async def test_no_code_before_an_offer(self, stage: Stage, worker: WorkerChild, phone: Phone) -> None:
        """Calls for a bot that is not paired are answered without reaching the library, which they would abort."""
        stage.wa.faults.withhold_refs = True
        made = stage.spec()
        await worker.take_up(made)
        code = await worker.call(lambda n: wire.PairPhone(n, made.bot, made.incarnation, phone.number))
        logout = await worker.call(lambda n: wire.Logout(n, made.bot, made.incarnation))
        assert not code.ok and not logout.ok
        assert (await worker.send(made, "15550100999@s.whatsapp.net", "x")).outcome == model.NotSent("not_connected")
        assert stage.wa.ledger.count("message_from_device") == 0
        assert alive(worker)

    async def test_keys_of_another(self, stage: Stage, worker: WorkerChild, phone: Phone) -> None:
        """An account that the file does not hold is KeysMissing in the same process again and again, and no abort."""
        before = await stage.link(worker, phone)
        assert await worker.stop(before)
        for _ in range(3):
            made = stage.spec("bot_a", "15550000001:9@s.whatsapp.net")
            await worker.take_up(made)
            await worker.event(model.KeysMissing, made.incarnation)
            assert await worker.stop(made)
        await stage.resume(worker, before)

    async def test_twenty_in_one(self, stage: Stage, worker: WorkerChild) -> None:
        """Twenty bots are started at once in one worker, come to connected, and are stopped at once, three times."""
        phones = [stage.wa.add_account() for _ in range(20)]
        known = [await stage.link(worker, phone, f"bot_{number}") for number, phone in enumerate(phones)]
        current = known
        for _ in range(3):
            assert all(await asyncio.gather(*(worker.stop(made) for made in current)))
            current = list(await asyncio.gather(*(stage.resume(worker, made) for made in known)))
        ada = stage.wa.add_contact()
        for to in phones:
            await ada.send_text(to, "are you there?")
        for made in current:
            await worker.event(model.MessageReceived, made.incarnation)

    async def test_move_between_workers(self, stage: Stage, worker: WorkerChild, phone: Phone, ada: Contact) -> None:
        """A bot stopped here and started there loses no text and is told none twice, in the middle of a flood."""
        before = await stage.link(worker, phone)
        await ada.send_text(phone, "first")
        await worker.event(model.MessageReceived)
        prepared = [ada.prepare_text(phone, f"text {number}")[0] for number in range(300)]
        flood = asyncio.create_task(ada.flood(prepared, 1000.0))
        await worker.event(model.MessageReceived, count=60)
        assert await worker.stop(before)
        async with WorkerChild.start(stage.directory, "whatsapp", stage.environment, name="w2") as other:
            await stage.resume(other, before)
            await flood
            await other.wait(wire.EventFrame, where=lambda f: texts([f]) == [prepared[-1].message_id])
            heard = texts(worker.events()) + texts(other.events())
        assert heard[1:] == [message.message_id for message in prepared]


class TestHanging:
    """Bounded, whatever the library waits for."""

    @pytest.mark.slow
    async def test_stop_of_a_dial_that_hangs(self, stage: Stage, worker: WorkerChild, phone: Phone) -> None:
        """A session whose dial never ends is refused by no bound: its stop is unclean, its lock kept, and the other
        bot of the worker goes on."""
        other = stage.wa.add_account()
        healthy = await stage.link(worker, other, "bot_b")
        stage.wa.faults.stall = "upgrade"
        made = stage.spec()
        lock = await worker.take_up(made)
        began = time.monotonic()
        assert await worker.stop(made, 12.0) is False
        assert time.monotonic() - began < 11
        assert not lock.free
        ada = stage.wa.add_contact()
        assert isinstance((await worker.send(healthy, str(ada.lid_jid), "still here")).outcome, model.Sent)
        worker.hang_up()
        await worker.ended_within(3.0 + PUT_OFF_S)
        assert lock.free

    @pytest.mark.slow
    async def test_start_that_hangs(self, stage: Stage, worker: WorkerChild) -> None:
        """A start without a sign of life is taken up after a second, and said to have timed out after 15 s."""
        stage.wa.faults.stall = "upgrade"
        made = stage.spec()
        began = time.monotonic()
        await worker.take_up(made)
        assert time.monotonic() - began < 1.0 + PUT_OFF_S
        assert await worker.event(model.StartFailed) == model.StartFailed("timed_out")
        assert 14.0 < time.monotonic() - began < 15.0 + PUT_OFF_S

    async def test_stop_while_a_code_is_on_offer(self, stage: Stage, worker: WorkerChild, phone: Phone) -> None:
        """Stopping a link attempt is quick and closes its connection; the process links the next one."""
        made = stage.spec()
        await worker.take_up(made)
        await worker.event(model.QrOffered)
        began = time.monotonic()
        assert await worker.stop(made)
        assert time.monotonic() - began < 1.0 + PUT_OFF_S
        await until(lambda: stage.wa.connections == 0)
        await stage.link(worker, phone, "bot_b")


class TestKeeping:
    """What reached the spool reaches the journal."""

    async def test_kill_in_a_flood(self, stage: Stage, phone: Phone, ada: Contact) -> None:
        """After kill -9 in a flood the drain tells every spooled event once, in order, first what had been told."""
        async with WorkerChild.start(stage.directory, "whatsapp", stage.environment) as worker:
            before = await stage.link(worker, phone)
            await ada.send_text(phone, "first")
            prepared = [ada.prepare_text(phone, f"text {number}")[0] for number in range(1500)]
            flood = asyncio.create_task(ada.flood(prepared, 0))
            await worker.event(model.MessageReceived, count=200)
            await worker.killed()
            told = [frame for frame in worker.events() if frame.ordinal is not None]
            flood.cancel()
        drained = await WorkerChild.drain(stage.directory, "whatsapp", stage.environment)
        assert drained[: len(told)] == told
        assert [frame.ordinal for frame in drained] == list(range(1, len(drained) + 1))
        sent = [message.message_id for message in prepared]
        assert texts(drained)[1:] == sent[: len(texts(drained)) - 1]
        # What was acknowledged and not spooled is lost with a kill; what was not acknowledged comes again.
        async with WorkerChild.start(stage.directory, "whatsapp", stage.environment, name="w2") as after:
            await stage.resume(after, before)
            await after.event(model.OfflineSync, count=2)
            again = set(texts(after.events()))
        assert not again & set(texts(told))

    async def test_end_in_a_flood(self, stage: Stage, phone: Phone, ada: Contact) -> None:
        """A worker that loses its supervisor in a flood hangs up first: nothing acknowledged is missing afterwards."""
        async with WorkerChild.start(stage.directory, "whatsapp", stage.environment) as worker:
            before = await stage.link(worker, phone)
            await ada.send_text(phone, "first")
            prepared = [ada.prepare_text(phone, f"text {number}")[0] for number in range(1500)]
            flood = asyncio.create_task(ada.flood(prepared, 0))
            await worker.event(model.MessageReceived, count=200)
            worker.hang_up()
            await worker.ended_within(3.0 + PUT_OFF_S)
            await flood
        drained = texts(await WorkerChild.drain(stage.directory, "whatsapp", stage.environment))
        async with WorkerChild.start(stage.directory, "whatsapp", stage.environment, name="w2") as after:
            await stage.resume(after, before)
            last = prepared[-1].message_id
            await after.wait(wire.EventFrame, where=lambda frame: texts([frame]) == [last])
            again = texts(after.events())
        assert set(drained[1:]) | set(again) == {message.message_id for message in prepared}

    async def test_dead_pump_is_disconnected(self, stage: Stage, worker: WorkerChild, phone: Phone) -> None:
        """A receipt the library can't encode kills its pump: that is said, and the connection is closed at once."""
        await stage.link(worker, phone)
        device = phone.devices[-1]
        messages.receipt_to_device(device, phone.lid_jid, "3EB0", "a-type-nobody-knows", phone)
        await worker.event(model.PumpDied)
        await until(lambda: stage.wa.connections == 0)

    async def test_notes_name_who_is_inside(
        self, stage: Stage, worker: WorkerChild, phone: Phone, ada: Contact
    ) -> None:
        """While a send waits for WhatsApp, the slot file names its bot; afterwards nobody is noted."""
        made = await stage.link(worker, phone)
        slots = stage.directory / "w1.slots"
        stage.wa.faults.withhold_acks = True
        outgoing = model.OutgoingText(str(ada.lid_jid), "hello")
        await worker.say(wire.Send(1, made.bot, made.incarnation, "job_1", outgoing))
        await until(lambda: [(note.bot, note.operation) for note in Slots.read(slots)] == [("bot_a", "send")])
        phone.devices[-1].close()
        await worker.killed()
        assert [(note.bot, note.operation) for note in Slots.read(slots)] == [("bot_a", "send")]


async def until(true: Callable[[], bool], timeout_s: float = 10.0) -> None:
    """Wait until something holds in another process."""
    deadline = time.monotonic() + timeout_s
    while not true():
        assert time.monotonic() < deadline, "it did not come to hold"
        await asyncio.sleep(0.01)


# --- why a first dial fails ------------------------------------------------------------------------------------

Answer = Callable[[asyncio.StreamReader, asyncio.StreamWriter], object]
OK = b"HTTP/1.1 200 Connection established\r\n\r\n"


def says(*parts: bytes) -> Answer:
    """A server that answers each thing it reads with the next of these, then closes."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for part in parts:
            await reader.read(4096)
            writer.write(part)
            await writer.drain()
        writer.close()

    return serve


@asynccontextmanager
async def serving(answer: Answer) -> AsyncIterator[int]:
    server = await asyncio.start_server(answer, "127.0.0.1", 0)  # type: ignore[arg-type]
    async with server:
        yield server.sockets[0].getsockname()[1]


def closed_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


class TestStartFailed:
    """Each way a first dial fails has its cause, read from the library's real words."""

    @pytest.mark.parametrize(
        ("scheme", "answer", "cause"),
        [
            ("http", says(b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n"), "proxy_failed"),
            ("http", says(b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n"), "proxy_failed"),
            ("http", says(b"SSH-2.0-OpenSSH_9.2\r\n"), "proxy_failed"),
            ("http", says(OK, b"this is no TLS at all, whatever it is"), "tls_failed"),
            ("socks5", says(b"\x05\xff"), "proxy_failed"),
            ("socks5", says(b"\x05\x00", b"\x05\x01\x00\x01\x00\x00\x00\x00\x00\x00"), "proxy_failed"),
            ("socks5", says(b"\x05\x00", b"\x05\x04\x00\x01\x00\x00\x00\x00\x00\x00"), "whatsapp_unreachable"),
        ],
        ids=["502", "407", "no_proxy_at_all", "no_tls", "socks_login", "socks_failure", "socks_unreachable"],
    )
    async def test_answers(
        self, stage: Stage, worker: WorkerChild, scheme: str, answer: Answer, cause: model.StartCause
    ) -> None:
        """What a proxy answers tells whether it, TLS or WhatsApp is the trouble."""
        async with serving(answer) as port:
            await self._fails(stage, worker, f"{scheme}://user:secret@127.0.0.1:{port}", cause)

    @pytest.mark.parametrize("proxy", ["http://127.0.0.1:{}", "socks5://127.0.0.1:{}", "http://nobody.invalid:{}"])
    async def test_no_proxy(self, stage: Stage, worker: WorkerChild, proxy: str) -> None:
        """A proxy that is not there is the trouble itself, also when its name is unknown."""
        await self._fails(stage, worker, proxy.format(closed_port()), "proxy_failed")

    async def test_no_name_service(self, stage: Stage, worker: WorkerChild) -> None:
        """Without a proxy the first thing to fail is looking WhatsApp's name up (this network resolves nothing)."""
        made = stage.spec()
        direct = SessionSpec(made.bot, made.incarnation, made.device_file, None, "Test", None)
        if _resolves("web.whatsapp.com"):
            pytest.skip("this machine has a network: the test would reach the real WhatsApp")
        await worker.take_up(direct)
        assert await worker.event(model.StartFailed) == model.StartFailed("dns_failed")

    async def test_unknown_authority(self, stage: Stage, tmp_path: Path) -> None:
        """A certificate nobody vouches for is TLS trouble."""
        trusting_nobody = {**stage.environment, "SSL_CERT_FILE": os.devnull, "SSL_CERT_DIR": str(tmp_path / "none")}
        async with WorkerChild.start(tmp_path, "whatsapp", trusting_nobody) as worker:
            await self._fails(stage, worker, stage.wa.proxy_url, "tls_failed")

    async def _fails(self, stage: Stage, worker: WorkerChild, proxy: str, cause: model.StartCause) -> None:
        made = stage.spec(proxy=proxy)
        await worker.take_up(made)
        assert await worker.event(model.StartFailed) == model.StartFailed(cause)
        assert await worker.stop(made)
        assert Lock(worker.directory / f"{made.bot}.lock").free


def _resolves(name: str) -> bool:
    try:
        socket.getaddrinfo(name, 443)
    except OSError:
        return False
    return True
