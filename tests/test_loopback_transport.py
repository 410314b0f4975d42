"""The port: proxy, TLS and WebSocket as a client meets them, where they hang or fail, and closing and reopening."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.loopback import framing, tls
from tests.loopback.faults import Faults, Stall
from tests.loopback.ledger import Ledger
from tests.loopback.media_host import MediaStore
from tests.loopback.transport import Listener, Wire

CONNECT = b"CONNECT web.whatsapp.com:443 HTTP/1.1\r\nHost: web.whatsapp.com:443\r\n\r\n"
UPGRADE = b"GET /ws/chat HTTP/1.1\r\nUpgrade: websocket\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
SILENCE_S = 0.3


class Recorder:
    """A handler that keeps what it is told and echoes frames."""

    def __init__(self) -> None:
        self.wire: Wire | None = None
        self.frames: list[bytes] = []
        self.is_closed = asyncio.Event()

    def opened(self, wire: Wire) -> None:
        self.wire = wire

    def frame(self, payload: bytes) -> None:
        if payload == b"bad":
            raise ValueError("no sense")
        self.frames.append(payload)
        assert self.wire is not None
        self.wire.send(payload)

    def closed(self) -> None:
        self.is_closed.set()


class Port:
    """A listener with its handlers and a client."""

    def __init__(self, directory: Path) -> None:
        self.identity = tls.make_identity(directory)
        self.faults = Faults()
        self.handlers: list[Recorder] = []
        self.listener = Listener(self.identity.context, self.faults, self._make, MediaStore(Ledger()))

    def _make(self) -> Recorder:
        self.handlers.append(Recorder())
        return self.handlers[-1]

    async def dial(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """A socket that has sent CONNECT."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.listener.port)
        writer.write(CONNECT)
        return reader, writer

    async def secure(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """A socket that is through CONNECT and TLS and has asked for the upgrade."""
        reader, writer = await self.dial()
        assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 200")
        context = ssl.create_default_context(cafile=str(self.identity.ca_file))
        await writer.start_tls(context, server_hostname="web.whatsapp.com")
        writer.write(UPGRADE)
        return reader, writer

    async def connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """A WebSocket that has greeted."""
        reader, writer = await self.secure()
        assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 101")
        writer.write(client_message(framing.CLIENT_GREETING))
        return reader, writer


def client_message(payload: bytes) -> bytes:
    """A binary message under the zero mask."""
    return bytes((0x82, 0x80 | len(payload))) + bytes(4) + payload


@pytest.fixture
async def port(tmp_path: Path) -> AsyncIterator[Port]:
    made = Port(tmp_path)
    await made.listener.open()
    yield made
    made.listener.refuse()
    made.listener.drop_all()
    await made.listener.wait_idle()


async def test_frames_pass_both_ways(port: Port) -> None:
    """Through proxy, TLS and WebSocket a frame arrives whole, and what is sent back arrives as a frame."""
    reader, writer = await port.connect()
    writer.write(client_message(b"\x00\x00\x05hello"))
    assert await reader.readexactly(10) == b"\x82\x08\x00\x00\x05hello"
    assert port.handlers[0].frames == [b"hello"]
    writer.close()


async def test_only_web_whatsapp_com_is_reached(port: Port) -> None:
    """The proxy leads nowhere else: another host gets 502."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port.listener.port)
    writer.write(b"CONNECT example.org:443 HTTP/1.1\r\n\r\n")
    assert (await reader.read()).startswith(b"HTTP/1.1 502")
    writer.close()


async def test_the_certificate_counts_only_under_its_own_authority(port: Port) -> None:
    """A client that trusts the system's authorities alone refuses the server."""
    reader, writer = await port.dial()
    await reader.readuntil(b"\r\n\r\n")
    with pytest.raises(ssl.SSLCertVerificationError):
        await writer.start_tls(ssl.create_default_context(), server_hostname="web.whatsapp.com")
    assert port.handlers == [] or port.handlers[0].wire is None


@pytest.mark.parametrize(("stall", "answer"), [("garbage", b"\x00\xff"), ("proxy_502", b"HTTP/1.1 502")])
async def test_a_failing_proxy_answers_wrongly_and_hangs_up(port: Port, stall: Stall, answer: bytes) -> None:
    """Garbage or 502, then the end of the connection."""
    port.faults.stall = stall
    reader, writer = await port.dial()
    assert (await asyncio.wait_for(reader.read(), 5)).startswith(answer)
    writer.close()


async def test_a_stalled_proxy_never_answers(port: Port) -> None:
    """CONNECT gets no byte, and the connection stays."""
    port.faults.stall = "connect"
    reader, writer = await port.dial()
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(reader.read(1), SILENCE_S)
    writer.close()


async def test_a_stalled_tls_never_says_hello(port: Port) -> None:
    """200, then silence to the client's TLS hello."""
    port.faults.stall = "tls"
    reader, writer = await port.dial()
    await reader.readuntil(b"\r\n\r\n")
    writer.write(b"\x16\x03\x01")
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(reader.read(1), SILENCE_S)
    writer.close()


async def test_a_stalled_upgrade_never_comes(port: Port) -> None:
    """TLS is up, the WebSocket isn't: no byte and no handler told."""
    port.faults.stall = "upgrade"
    reader, writer = await port.secure()
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(reader.read(1), SILENCE_S)
    assert port.handlers[0].wire is None
    writer.close()


async def test_a_handler_that_refuses_a_frame_loses_the_connection(port: Port) -> None:
    """ValueError from the handler resets the connection, and the handler hears of its end once."""
    reader, writer = await port.connect()
    writer.write(client_message(b"\x00\x00\x03bad"))
    with pytest.raises((ConnectionError, asyncio.IncompleteReadError)):
        await reader.readexactly(1)
    await asyncio.wait_for(port.handlers[0].is_closed.wait(), 5)
    writer.close()


async def test_a_close_is_said_and_an_abort_is_not(port: Port) -> None:
    """close sends what was queued and a WebSocket close; abort resets."""
    reader, writer = await port.connect()
    wire = port.handlers[0].wire
    assert wire is not None
    wire.send(b"last words")
    wire.close()
    assert await reader.read() == b"\x82\x0d\x00\x00\x0alast words" + framing.build_close(1000)
    writer.close()
    reader, writer = await port.connect()
    wire = port.handlers[1].wire
    assert wire is not None
    wire.send(b"never sent")
    wire.abort()
    with pytest.raises(ConnectionError):
        await reader.read()
    writer.close()


async def test_a_refusing_port_opens_again_under_its_number(port: Port) -> None:
    """refuse keeps present connections and refuses new ones; open accepts them at the same port."""
    reader, writer = await port.connect()
    number = port.listener.port
    port.listener.refuse()
    with pytest.raises(ConnectionRefusedError):
        await port.dial()
    writer.write(client_message(b"\x00\x00\x05still"))
    assert await reader.readexactly(10) == b"\x82\x08\x00\x00\x05still"
    await port.listener.open()
    assert port.listener.port == number
    _, second = await port.connect()
    for one in (writer, second):
        one.close()


async def test_dropping_all_ends_every_connection(port: Port) -> None:
    """Finished, half-finished and fresh connections are reset."""
    port.faults.stall = "tls"
    half, half_writer = await port.dial()
    await half.readuntil(b"\r\n\r\n")
    port.faults.stall = ""
    reader, writer = await port.connect()
    port.listener.drop_all()
    for one in (half, reader):
        with pytest.raises((ConnectionError, asyncio.IncompleteReadError)):
            await asyncio.wait_for(one.readexactly(1), 5)
    for each in (half_writer, writer):
        each.close()
