"""`text/event-stream` on /api/v1/events: what is streamed, where it begins, who may, and how it ends."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from pathlib import Path

from orchestrator.api.streams import StreamSettings, encoded
from orchestrator.bus.bus import Committed, Entry
from orchestrator.gateway.protocol import delivery_frame
from orchestrator.model import Event, Position, new_id
from tests.support.api import Api, serving
from tests.support.sse import streaming
from tests.support.waiting import until

SSE = {"Accept": "text/event-stream"}
SOON = StreamSettings(heartbeat_s=0.05)


def _event(user: str, text: str, data: bytes | None = None) -> Event:
    content = json.dumps({"text": text}).encode() if data is None else data
    return Event(user, "bot_1", "message_sync", "message", new_id("evt"), 1_790_000_000_000, content)


async def _tell(api: Api, *texts: str, user: str = "ada") -> None:
    await api.bus.commit([Entry(user, _event(user, text)) for text in texts])


async def test_replay_then_live(tmp_path: Path) -> None:
    """What is kept comes first, marked as replayed, then what happens; ids are positions; others' events never come."""
    async with serving(tmp_path) as api:
        await _tell(api, "1", "2")
        await _tell(api, "of bob", user="bob")
        async with streaming(api.by("ada")) as stream:
            before = await stream.take(2)
            await _tell(api, "of bob again", user="bob")
            await _tell(api, "3")
            live = await stream.take(1)
            assert stream.answer.headers["Cache-Control"] == "no-store"
            assert stream.answer.headers["RateLimit-Limit"] == "1200"
        told = [*before, *live]
        assert [one.frame["data"]["text"] for one in told] == ["1", "2", "3"]
        assert [one.id for one in told] == [f"{one.frame['epoch']}:{one.frame['seq']}" for one in told]
        assert [one.frame["prev"] for one in told] == [0, 1, 2]
        assert [one.frame.get("replayed", False) for one in told] == [True, True, False]
        assert {one.name for one in told} == {"message_sync"} and stream.retry_ms


async def test_the_socket_and_the_stream_send_the_same_frame() -> None:
    """A frame is encoded by one function for both ways, so that a client can switch between them."""
    event = _event("ada", "", b'{"a":1,\n"b":"x"}')
    delivery = Committed(Position("e", 2), Position("e", 1), event, replayed=True)
    lines = encoded(delivery).decode().split("\n")
    assert lines[:2] == ["id: e:2", "event: message_sync"] and lines[3:] == ["", ""]
    assert json.loads(lines[2].removeprefix("data: ")) == json.loads(delivery_frame(delivery))


async def test_coming_back(tmp_path: Path) -> None:
    """Last-Event-ID goes on after it and wins over `after`; a stream tells where it begins before any event."""
    async with serving(tmp_path) as api:
        await _tell(api, "1", "2", "3", "4")
        epoch = (await api.bus.state("ada")).head.epoch
        async with streaming(api.by("ada"), after=f"{epoch}:1") as stream:
            assert (await stream.take(1))[0].frame["data"]["text"] == "2"
        async with streaming(api.by("ada"), last=f"{epoch}:3", after=f"{epoch}:1") as stream:
            assert (await stream.take(1))[0].frame["data"]["text"] == "4"
        async with streaming(api.by("ada"), after=f"{epoch}:4") as stream:
            line = b""
            while not line.startswith(b"id"):
                line = await stream.answer.content.readline()
            assert line.decode().strip() == f"id: {epoch}:4"


async def test_positions_that_are_not_there(tmp_path: Path) -> None:
    """A position that is not kept, or none at all, is a problem before the stream begins."""
    async with serving(tmp_path) as api:
        ada = api.by("ada")
        found = (await ada("GET", "/events", headers=SSE, after="elsewhere:1")).refused("position_expired")
        assert found["floor"] == 0 and found["epoch"]
        (await ada("GET", "/events", headers={**SSE, "Last-Event-ID": "elsewhere:1"})).refused("position_expired")
        (await ada("GET", "/events", headers={**SSE, "Last-Event-ID": "x"})).refused("invalid_field", "Last-Event-ID")
        (await ada("GET", "/events", headers=SSE, userId="bob")).refused("forbidden")
        (await api.rest("GET", "/events", headers=SSE)).refused("unauthorized")


async def test_announcements_have_no_id(tmp_path: Path) -> None:
    """A code on offer is streamed without an id: who comes back goes on after the last event, and gets the code again."""
    async with serving(tmp_path) as api:
        await _tell(api, "1")
        event = Event("ada", "bot_1", "whatsapp_connection_event", "qr", "evt_qr", 1, b'{"qr":"secret"}')
        api.bus.announce("ada", "bot_1/qr", event, api.clock.wall_ms() + 60_000)
        async with streaming(api.by("ada")) as stream:
            first, code = await stream.take(2)
        assert (code.name, code.frame["type"], code.id) == ("whatsapp_connection_event", "qr", first.id)
        assert not {"epoch", "seq", "prev"} & set(code.frame)
        async with streaming(api.by("ada"), last=code.id) as stream:
            assert (await stream.take(1))[0].frame["type"] == "qr"


async def test_three_at_a_time(tmp_path: Path) -> None:
    """A user has at most three streams; a stream that was left is free at once, others are not counted."""
    async with serving(tmp_path) as api:
        ada = api.by("ada")
        async with streaming(ada), streaming(ada):
            async with streaming(ada):
                refused = await ada("GET", "/events", headers=SSE)
                refused.refused("rate_limited")
                assert refused.headers["Retry-After"]
                async with streaming(api.by("bob")):
                    pass
            await until(lambda: api.streams.live("ada") == 2)
            async with streaming(ada) as stream:
                assert stream.answer.status == 200


async def test_heartbeats(tmp_path: Path) -> None:
    """A quiet stream shows that it is there."""
    async with serving(tmp_path, streams=SOON) as api, streaming(api.by("ada")) as stream:
        await stream.comment()
        await stream.comment()
        await _tell(api, "x")
        assert (await stream.take(1))[0].frame["data"]["text"] == "x"


async def test_it_ends_with_the_token(tmp_path: Path) -> None:
    """A stream does not outlive the token it was opened with."""
    async with serving(tmp_path, streams=SOON) as api:
        rest = api.rest.as_(api.token("ada", ttl_s=60))
        async with streaming(rest) as stream:
            await stream.comment()
            api.clock.advance(61)
            assert await stream.next() is None
        (await rest("GET", "/events", headers=SSE)).refused("token_expired")


async def test_it_ends_with_the_cookie(tmp_path: Path) -> None:
    """Signing out ends the page's streams when they are next asked about, at the latest five minutes later."""
    async with serving(tmp_path, streams=SOON) as api:
        signed = await api.identity.swap(api.identity.code("ada", operator=False)[0])
        headers = {**SSE, "Cookie": f"orchestrator_session={signed.cookie}"}
        async with api.rest.http.get(f"{api.rest.url}/api/v1/events", headers=headers) as answer:
            assert answer.status == 200
            await api.identity.sign_out(signed.cookie)
            api.clock.advance(301)
            async with asyncio.timeout(5):
                await answer.content.read()


async def test_it_ends_when_the_server_does(tmp_path: Path) -> None:
    """A draining server ends its streams at once and takes no new ones."""
    async with serving(tmp_path) as api:
        async with streaming(api.by("ada")) as stream:
            await stream.answer.content.readline()
            await api.streams.drain()
            assert await stream.next() is None
        (await api.by("ada")("GET", "/events", headers=SSE)).refused("server_draining")


async def test_a_slow_reader_is_cut_off_and_goes_on_later(tmp_path: Path) -> None:
    """A client that takes nothing is cut off, others go on meanwhile, and what it missed is there when it returns."""
    async with serving(tmp_path, streams=replace(SOON, slow_s=0.3)) as api:
        port = int(api.host.rpartition(":")[2])
        reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=1024)
        writer.write(
            f"GET /api/v1/events HTTP/1.1\r\nHost: {api.host}\r\nAccept: text/event-stream\r\n"
            f"Authorization: Bearer {api.token('ada')}\r\n\r\n".encode()
        )
        assert (await reader.readline()).startswith(b"HTTP/1.1 200")
        big = b'{"text":"%s"}' % (b"x" * 50_000)
        for _ in range(10):
            await api.bus.commit([Entry("ada", _event("ada", "", big)) for _ in range(40)])
        await until(lambda: not api.streams.count)
        writer.close()
        async with streaming(api.by("ada")) as stream:
            told = await stream.take(400)
        assert [one.frame["seq"] for one in told] == list(range(1, 401))


async def test_what_a_frame_cannot_hold_is_whole_by_rest(tmp_path: Path) -> None:
    """A frame is at most 64 KiB and says `truncated`; its position names the whole event."""
    async with serving(tmp_path) as api:
        ada = api.by("ada")
        text = "é" * 60_000
        event = _event("ada", "", json.dumps({"messageId": "m", "text": text}, ensure_ascii=False).encode())
        (position,) = await api.bus.commit([Entry("ada", event)])
        assert isinstance(position, Position)
        async with streaming(ada, after=f"{position.epoch}:{position.seq - 1}") as stream:
            (told,) = await stream.take(1)
        assert told.frame["truncated"] and told.frame["data"] == {"messageId": "m"}
        assert len(json.dumps(told.frame)) <= 64 * 1024
        page = (await ada("GET", "/events", after=f"{told.frame['epoch']}:{told.frame['prev']}", limit=1)).ok(200)
        assert page["events"][0]["data"]["text"] == text and "truncated" not in page["events"][0]
