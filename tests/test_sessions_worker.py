"""The worker process, with simulated sessions: frames, locks, spool, back-pressure, drain, and how it ends."""

from __future__ import annotations

import asyncio
import functools
import itertools
import os
import resource
import signal
import socket
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from sessions import model, spool, wire
from sessions.session import SessionSpec
from sessions.simulated_control import PhoneClient
from sessions.slots import Slots
from tests.support.waiting import PUT_OFF_S
from tests.support.worker_child import ROOT, WAIT_S, Lock, WorkerChild

_numbers = itertools.count(1)


def spec(directory: Path, bot: str = "bot_a", account_jid: str | None = None) -> SessionSpec:
    file = directory / "devices" / bot / "attempt.db"
    return SessionSpec(bot, f"inc_{next(_numbers)}", str(file), account_jid, "Test", None)


def phone(directory: Path, bot: str = "bot_a") -> PhoneClient:
    return PhoneClient(directory / "phones", bot)


async def linked(worker: WorkerChild, bot: str = "bot_a") -> SessionSpec:
    """Start a bot and scan its code."""
    made = spec(worker.directory, bot)
    await worker.take_up(made)
    await worker.event(model.QrOffered, made.incarnation)
    await phone(worker.directory, bot).scan()
    await worker.event(model.Connected, made.incarnation)
    return made


@pytest.fixture
async def worker(tmp_path: Path) -> AsyncIterator[WorkerChild]:
    async with WorkerChild.start(tmp_path) as child:
        yield child


def ordinals(frames: list[wire.EventFrame]) -> list[int]:
    return [frame.ordinal for frame in frames if frame.ordinal is not None]


class TestHosting:
    """Start, calls, stop."""

    async def test_hello(self, worker: WorkerChild) -> None:
        """The first frame says who it is."""
        assert worker.frames[0] == wire.Hello(worker.process.pid, "simulated", "simulated")

    async def test_a_text_both_ways(self, worker: WorkerChild) -> None:
        """A linked bot hears a text with its finished JSON, and sends one whose outcome is an event before it is a
        result."""
        made = await linked(worker)
        await phone(worker.directory).text("491701234567", "hello bot")
        heard = await worker.wait(wire.EventFrame, where=lambda f: isinstance(f.event, model.MessageReceived))
        assert isinstance(heard.event, model.MessageReceived)
        assert heard.event.content is None
        assert b'"text":"hello bot"' in heard.data
        result = await worker.send(made, "491701234567@s.whatsapp.net", "hello you")
        assert isinstance(result.outcome, model.Sent)
        finished = next(frame for frame in worker.events() if isinstance(frame.event, model.SendFinished))
        assert worker.frames.index(finished) < worker.frames.index(result)
        assert finished.event == model.SendFinished("job_1", result.outcome)
        assert ordinals(worker.events()) == list(range(1, len(ordinals(worker.events())) + 1))

    async def test_codes_have_no_ordinal(self, worker: WorkerChild) -> None:
        """A QR code is told without an ordinal, and no byte of it is in the spool."""
        made = spec(worker.directory)
        await worker.take_up(made)
        offer = await worker.event(model.QrOffered)
        assert [frame.ordinal for frame in worker.events() if isinstance(frame.event, model.QrOffered)] == [None]
        for segment in (worker.directory / "spool" / "w1").iterdir():
            assert offer.code.encode() not in segment.read_bytes()

    async def test_pairing_code(self, worker: WorkerChild) -> None:
        """A pairing code is the result of a call."""
        made = spec(worker.directory)
        await worker.take_up(made)
        await worker.event(model.QrOffered)
        result = await worker.call(lambda n: wire.PairPhone(n, made.bot, made.incarnation, "491555000111"))
        assert result.ok and result.code is not None and len(result.code) == 9

    async def test_lock_is_held_until_stopped(self, worker: WorkerChild) -> None:
        """The bot's lock stays with the worker from start to stop, and is free when Stopped is said."""
        made = spec(worker.directory)
        lock = await worker.take_up(made)
        assert not lock.free
        assert await worker.stop(made)
        assert lock.free

    async def test_locks_of_many(self, worker: WorkerChild) -> None:
        """Each bot's descriptor finds its bot, also when starts come at once."""
        specs = [spec(worker.directory, f"bot_{number}") for number in range(8)]
        locks = await asyncio.gather(*(worker.take_up(made) for made in specs))
        await worker.stop(specs[3])
        assert [lock.free for lock in locks] == [number == 3 for number in range(8)]

    @pytest.mark.slow
    async def test_a_hanging_stop_keeps_the_lock(self, worker: WorkerChild) -> None:
        """A session whose library does not let go is Stopped unclean, and its bot stays locked."""
        made = await linked(worker)
        await phone(worker.directory).do("hang_in_stop")
        assert await worker.stop(made) is False
        assert not Lock(worker.directory / f"{made.bot}.lock").free

    async def test_strangers(self, worker: WorkerChild) -> None:
        """Calls for a bot or an incarnation it does not run are answered, and change nothing."""
        made = await linked(worker)
        for ghost in (spec(worker.directory, "bot_ghost"), spec(worker.directory, made.bot)):
            assert await worker.stop(ghost)
            assert (await worker.send(ghost, "491701234567@s.whatsapp.net", "x")).outcome == model.NotSent("gone")
            for make in (
                lambda n, g=ghost: wire.PairPhone(n, g.bot, g.incarnation, "491555000111"),
                lambda n, g=ghost: wire.Logout(n, g.bot, g.incarnation),
            ):
                result = await worker.call(make)
                assert not result.ok and result.error
        assert isinstance((await worker.send(made, "491701234567@s.whatsapp.net", "hi")).outcome, model.Sent)

    async def test_heartbeat(self, worker: WorkerChild) -> None:
        """A ping is answered with its number, the spool's size and no stuck callback."""
        await linked(worker)
        await worker.say(wire.Ping(7))
        pong = await worker.wait(wire.Pong, where=lambda frame: frame.number == 7)
        assert pong.spool_bytes > 0 and pong.stuck_s == 0.0

    async def test_commits_free_the_spool(self, worker: WorkerChild) -> None:
        """What is in the journal leaves the spool."""
        made = await linked(worker)
        for number in range(50):
            await phone(worker.directory).text("491701234567", f"text {number}")
        await worker.event(model.MessageReceived, count=50)
        await worker.say(wire.SpoolCommitted(made.incarnation, ordinals(worker.events())[-1]))
        await worker.say(wire.Ping(1))
        assert (await worker.wait(wire.Pong)).spool_bytes < 100

    async def test_shutdown(self, worker: WorkerChild) -> None:
        """A shutdown stops every session, says so for each, and exits 0."""
        await linked(worker)
        await linked(worker, "bot_b")
        await worker.say(wire.Shutdown())
        assert await worker.ended_within(5) == 0
        stopped = {frame.bot for frame in worker.frames if isinstance(frame, wire.Stopped) and frame.clean}
        assert stopped == {"bot_a", "bot_b"}


class TestKeeping:
    """Nothing that was spooled is lost."""

    async def test_kill_then_drain(self, tmp_path: Path) -> None:
        """After kill -9 in a flood the drain tells every spooled event once, in order, as the worker had told it."""
        async with WorkerChild.start(tmp_path) as worker:
            await linked(worker)
            talking = [phone(tmp_path).text("491701234567", f"text {number}") for number in range(60)]
            spoken = asyncio.gather(*talking, return_exceptions=True)
            await worker.event(model.MessageReceived, count=20)
            await worker.killed()
            await spoken
            told = [frame for frame in worker.events() if frame.ordinal is not None]
        drained = await WorkerChild.drain(tmp_path, "simulated")
        assert len(told) >= 22
        assert drained[: len(told)] == told
        assert ordinals(drained) == list(range(1, len(drained) + 1))

    async def test_drain_starts_after_what_was_freed(self, tmp_path: Path) -> None:
        """What the journal has and the spool freed is not told again."""
        async with WorkerChild.start(tmp_path) as worker:
            made = await linked(worker)
            last = ordinals(worker.events())[-1]
            await worker.say(wire.SpoolCommitted(made.incarnation, last))
            await worker.say(wire.Ping(1))
            await worker.wait(wire.Pong)
            await phone(tmp_path).text("491701234567", "after")
            await worker.event(model.MessageReceived)
            await worker.killed()
        assert ordinals(await WorkerChild.drain(tmp_path, "simulated")) == [last + 1]

    async def test_a_slow_supervisor(self, tmp_path: Path) -> None:
        """While nobody reads, events wait in the spool and memory stays bounded; then all arrive once, in order."""
        async with WorkerChild.start(tmp_path) as worker:
            made = await linked(worker)
            before_kb = memory_kb(worker.process.pid)
            worker.reading.clear()
            text = "x" * 50_000
            for _ in range(1000):
                await phone(tmp_path).text("491701234567", text)
            # The queue's 8 MiB and what they cost; not the 50 MB that wait.
            assert memory_kb(worker.process.pid) - before_kb < 25_000
            worker.reading.set()
            await worker.event(model.MessageReceived, count=1000)
            assert ordinals(worker.events(made.incarnation)) == list(range(1, len(worker.events(made.incarnation))))
            await phone(tmp_path).text("491701234567", "the queue is live again")
            await worker.event(model.MessageReceived, count=1001)

    async def test_spool_full(self, tmp_path: Path) -> None:
        """A spool over its limit is said, and every session is disconnected within a second."""
        async with WorkerChild.start(tmp_path, spool_max=50_000) as worker:
            await linked(worker)
            await linked(worker, "bot_b")
            flood = asyncio.create_task(self._flood(tmp_path))
            assert (await worker.wait(wire.SpoolFailed)).cause == "full"
            flood.cancel()
            for bot in ("bot_a", "bot_b"):
                await gone(tmp_path / "phones" / f"{bot}.sock", 1.0)
            assert sum(isinstance(frame, wire.SpoolFailed) for frame in worker.frames) == 1

    async def _flood(self, directory: Path) -> None:
        for _ in range(40):
            await phone(directory).text("491701234567", "y" * 2000)


class TestEnding:
    """Within 3 s, whatever hangs."""

    @pytest.mark.parametrize("way", ["sigterm", "socket"])
    @pytest.mark.parametrize("hung", [False, True])
    async def test_end(self, worker: WorkerChild, way: str, hung: bool) -> None:
        """SIGTERM or a closed socket ends the worker within 3 s, also when its loop hangs; its locks are free then."""
        made = spec(worker.directory)
        lock = await worker.take_up(made)
        if hung:
            frozen = asyncio.ensure_future(phone(worker.directory).do("freeze", seconds=30))
            await hanging(worker)
        if way == "sigterm":
            worker.process.send_signal(signal.SIGTERM)
        else:
            worker.hang_up()
        await worker.ended_within(3.0 + PUT_OFF_S)
        assert lock.free
        if hung:
            await asyncio.gather(frozen, return_exceptions=True)

    async def test_a_send_in_flight(self, worker: WorkerChild) -> None:
        """A send that WhatsApp does not answer delays the end by no more than the 2 s it is given."""
        made = await linked(worker)
        await phone(worker.directory).do("mute_sends")
        outgoing = model.OutgoingText("491701234567@s.whatsapp.net", "hello")
        await worker.say(wire.Send(1, made.bot, made.incarnation, "job_1", outgoing))
        await noted(worker, "send")
        began = time.monotonic()
        worker.process.send_signal(signal.SIGTERM)
        assert await worker.ended_within(3.0 + PUT_OFF_S) == 0
        assert time.monotonic() - began >= 1.9

    async def test_parent_dies(self, tmp_path: Path) -> None:
        """The parent's death alone ends the worker, although somebody still holds the socket."""
        own, theirs = socket.socketpair()
        command = [
            *(sys.executable, "-m", "sessions.worker", "--fd", str(theirs.fileno()), "--driver", "simulated"),
            *("--spool", str(tmp_path / "spool"), "--slots", str(tmp_path / "slots")),
        ]
        code = "import subprocess,sys,time;subprocess.Popen(sys.argv[1:],close_fds=False);time.sleep(60)"
        parent = await asyncio.create_subprocess_exec(
            *(sys.executable, "-c", code), *command, cwd=ROOT, pass_fds=(theirs.fileno(),)
        )
        splitter = wire.Splitter()
        loop = asyncio.get_running_loop()
        own.setblocking(False)
        bodies = list(splitter.feed(await asyncio.wait_for(loop.sock_recv(own, 65536), WAIT_S)))
        hello = wire.decode_from_worker(bodies[0])
        assert isinstance(hello, wire.Hello)
        parent.kill()
        await parent.wait()
        await gone(Path(f"/proc/{hello.pid}/root"), 3.0 + PUT_OFF_S)
        own.close()
        theirs.close()

    async def test_nothing_is_left_lying_open(self, worker: WorkerChild) -> None:
        """Cores are off, files are private, and standard output goes nowhere."""
        await linked(worker)
        pid = worker.process.pid
        assert resource.prlimit(pid, resource.RLIMIT_CORE) == (0, 0)
        assert str(Path(f"/proc/{pid}/fd/1").readlink()) == os.devnull
        modes = {path.name: path.stat().st_mode & 0o777 for path in worker.directory.rglob("*")}
        private = {"w1", "w1.slots", "attempt.db", "phones"}
        assert {name: mode & 0o077 for name, mode in modes.items() if name in private} == dict.fromkeys(private, 0)

    async def test_usage(self, tmp_path: Path) -> None:
        """A wrong command line ends with status 2."""
        async with WorkerChild.run(tmp_path, "simulated", []) as child:
            assert await child.ended_within(WAIT_S) == 2


async def noted(worker: WorkerChild, operation: str) -> None:
    """Wait until the slot file says that a bot is in this operation."""
    deadline = time.monotonic() + WAIT_S
    while not any(note.operation == operation for note in Slots.read(worker.directory / "w1.slots")):
        assert time.monotonic() < deadline, f"nobody is noted in {operation}"
        await asyncio.sleep(0.01)


async def hanging(worker: WorkerChild) -> None:
    """Wait until its loop answers no more."""
    for number in itertools.count(1):
        await worker.say(wire.Ping(number))
        try:
            await worker.wait(wire.Pong, where=functools.partial(_answers, number), timeout_s=0.3)
        except AssertionError:
            return


def _answers(number: int, pong: wire.Pong) -> bool:
    return pong.number == number


async def gone(path: Path, seconds: float) -> None:
    """Wait until a path is no longer there."""
    deadline = time.monotonic() + seconds
    while path.exists():
        assert time.monotonic() < deadline, f"{path.name} was still there after {seconds} s"
        await asyncio.sleep(0.01)


def memory_kb(pid: int) -> int:
    """Resident memory of a process."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith("VmRSS")).split()[1])


def test_spool_of_the_simulated_driver_is_readable(tmp_path: Path) -> None:
    """An empty or missing spool drains to nothing."""
    assert list(spool.read(tmp_path / "nowhere")) == []
