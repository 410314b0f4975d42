"""The socket to a worker: frames, descriptors, pauses and ends; the worker's stderr and environment."""

from __future__ import annotations

import asyncio
import os
import socket
from pathlib import Path

import msgspec
import pytest

from orchestrator.supervisor.channel import MAX_UNSENT_BYTES, READ_BYTES, Channel
from orchestrator.supervisor.stderr import MAX_BYTES, Stderr, cause_in
from orchestrator.supervisor.worker_process import describe, environment
from sessions.wire import MAX_FRAME_BYTES
from tests.support.waiting import stays, until


class Pair:
    """A channel and the other end of its socket."""

    def __init__(self) -> None:
        ours, self.peer = socket.socketpair()
        self.bodies: list[bytes] = []
        self.ends = 0
        self.channel = Channel(ours, self._take, self._end)

    def _take(self, body: bytes) -> None:
        if body == b"nonsense":
            raise msgspec.DecodeError("nonsense")
        if body == b"bug":
            raise RuntimeError("a bug of ours")
        self.bodies.append(body)

    def _end(self) -> None:
        self.ends += 1

    def write(self, *bodies: bytes) -> None:
        self.peer.sendall(b"".join(len(body).to_bytes(4, "big") + body for body in bodies))


async def test_bodies_come_in_order_and_the_end_last() -> None:
    """What the peer wrote before it left is taken before the end is told, once."""
    pair = Pair()
    pair.write(b"one", b"", b"three")
    pair.peer.close()
    await until(lambda: pair.ends, what="the end")
    assert pair.bodies == [b"one", b"", b"three"]
    pair.channel.close()
    pair.channel.send(b"too late")
    await stays(lambda: pair.ends == 1, 0.05)


async def test_a_descriptor_comes_with_its_frame_and_is_closed_here() -> None:
    """The peer has the open file, we have not: the lock is its alone."""
    pair = Pair()
    reading, writing = os.pipe()
    pair.channel.send(b"frame", writing)
    data, descriptors, _, _ = socket.recv_fds(pair.peer, 100, 4)
    assert data == b"frame"
    (received,) = descriptors
    os.close(received)
    assert os.read(reading, 1) == b"", "nobody has the writing end any more"
    os.close(reading)
    pair.channel.close()
    pair.peer.close()


async def test_a_descriptor_does_not_leak_into_a_dead_channel() -> None:
    """Sent on a channel that has ended, or still queued when it ends, it is closed all the same."""
    pair = Pair()
    one = os.open(os.devnull, os.O_RDONLY)
    while not pair.channel._unsent:
        pair.channel.send(b"x" * READ_BYTES)
    pair.channel.send(b"queued", one)
    pair.channel.close()
    two = os.open(os.devnull, os.O_RDONLY)
    pair.channel.send(b"late", two)
    for descriptor in {one, two}:
        with pytest.raises(OSError, match="Bad file descriptor"):
            os.fstat(descriptor)
    pair.peer.close()


async def test_paused_means_not_read() -> None:
    """What the peer writes during a pause waits in the socket, in order."""
    pair = Pair()
    pair.channel.pause()
    pair.write(b"one")
    await stays(lambda: not pair.bodies, 0.05)
    pair.channel.resume()
    await until(lambda: pair.bodies == [b"one"])
    pair.channel.close()
    pair.peer.close()


async def test_much_is_written_whole() -> None:
    """More than the socket holds goes out as the peer reads, byte for byte."""
    pair = Pair()
    frames = [bytes([number]) * 100_000 for number in range(50)]
    for frame in frames:
        pair.channel.send(frame)
    loop = asyncio.get_running_loop()
    pair.peer.setblocking(False)
    received = bytearray()
    while len(received) < 5_000_000:
        received += await loop.sock_recv(pair.peer, 1 << 20)
    assert bytes(received) == b"".join(frames)
    pair.channel.close()
    pair.peer.close()


async def test_a_peer_that_does_not_read_is_given_up() -> None:
    """What waits to be written is bounded: past it the channel ends."""
    pair = Pair()
    for _ in range(MAX_UNSENT_BYTES // READ_BYTES + 3):
        pair.channel.send(b"x" * READ_BYTES)
    await until(lambda: pair.ends == 1, what="the end")
    pair.peer.close()


@pytest.mark.parametrize("data", [b"\x00\x00\x00\x08nonsense", (MAX_FRAME_BYTES + 1).to_bytes(4, "big")])
async def test_a_peer_without_manners_is_not_listened_to(data: bytes) -> None:
    """A body that can't be read, or one announced as too large, ends the channel."""
    pair = Pair()
    pair.peer.sendall(data)
    await until(lambda: pair.ends == 1, what="the end")
    pair.peer.close()


async def test_a_bug_of_ours_ends_the_channel_and_surfaces() -> None:
    """A failing taker loses no frame silently: the channel ends and the loop is told."""
    pair = Pair()
    reported: list[BaseException] = []
    asyncio.get_running_loop().set_exception_handler(lambda _loop, context: reported.append(context["exception"]))
    pair.write(b"one", b"bug", b"three")
    await until(lambda: pair.ends == 1, what="the end")
    assert pair.bodies == [b"one"]
    assert [type(error) for error in reported] == [RuntimeError]
    pair.peer.close()


@pytest.mark.parametrize(
    ("text", "cause"),
    [
        (b"noise\nfatal error: concurrent map writes\ngoroutine 7", "fatal error: concurrent map writes"),
        (b"panic: runtime error: nil pointer dereference\n", "panic: runtime error: nil pointer dereference"),
        (b"panic: message of 4915112345678 was odd\n", None),
        (b"fatal error: for 4915112345678\n", "fatal error: for #"),
        (b'Traceback (most recent call last):\n  File "x.py", line 1\n    boom()\nValueError: 4915112345678\n', "ValueError"),
        (b"", None),
        (b"\xff\xfe said 4915112345678", None),
    ],
)  # fmt: skip
def test_only_harmless_words_of_a_death_are_shown(text: bytes, cause: str | None) -> None:
    """The Go runtime's own lines and the class of a Python error are told; values and people's numbers never."""
    assert cause_in(text) == cause


def test_stderr_is_bounded_and_remembers_the_cause(tmp_path: Path) -> None:
    """A worker that writes without end fills no disk, and what it said about its death is not lost by that."""
    stderr = Stderr(tmp_path)
    assert list(tmp_path.iterdir()) == [], "the file has no name"
    os.write(stderr.fileno(), b"fatal error: concurrent map writes\n" + b"x" * MAX_BYTES)
    stderr.bound()
    assert os.fstat(stderr.fileno()).st_size == 0
    os.write(stderr.fileno(), b"more")
    assert os.fstat(stderr.fileno()).st_size == 4, "the worker goes on at the new end"
    assert stderr.cause() == "fatal error: concurrent map writes"
    assert stderr.bytes_written == MAX_BYTES + 35 + 4
    stderr.close()


def test_a_worker_gets_no_secrets_of_ours() -> None:
    """Settings and credentials stay here; the trust store and the way to our packages go along, after a private copy."""
    given = environment({
        "ORCHESTRATOR_JWT_ISSUER": "x", "FIREBASE_TOKEN": "x", "GOOGLE_APPLICATION_CREDENTIALS": "x",
        "SSL_CERT_FILE": "/ca.pem", "PYTHONPATH": "/private/copy", "PATH": "/bin",
    })  # fmt: skip
    assert not {name for name in given if name.startswith(("ORCHESTRATOR_", "FIREBASE_", "GOOGLE_"))}
    assert (given["SSL_CERT_FILE"], given["PATH"]) == ("/ca.pem", "/bin")
    assert given["PYTHONPATH"].split(os.pathsep)[0] == "/private/copy"
    assert (Path(given["PYTHONPATH"].split(os.pathsep)[1]) / "sessions" / "worker.py").exists()


@pytest.mark.parametrize(
    ("status", "words"), [(0, "exit 0"), (3, "exit 3"), (-9, "SIGKILL"), (-6, "SIGABRT"), (-99, "signal 99")]
)
def test_endings_have_words(status: int, words: str) -> None:
    """An exit status reads as a person would say it."""
    assert describe(status) == words
