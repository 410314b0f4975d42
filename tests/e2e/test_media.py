"""Files through REST on the real library, opened by a contact, and the other way round; what dies does not lose them."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from tests.e2e.journeys import connect, linked, send_states
from tests.loopback import files as loopback_files
from tests.loopback.phone import Contact
from tests.loopback.server import LoopbackServer
from tests.support import files
from tests.support.node_client import NodeClient, NodeSocket
from tests.support.server import Server

THUMBNAIL = files.picture(width=60, height=40)
IN_BASE64 = base64.b64encode(THUMBNAIL).decode()
OUT: list[tuple[str, bytes, dict[str, Any], str, dict[str, Any]]] = [
    ("image", files.picture(), {"caption": "look at the bill"}, "image/jpeg",
     {"caption": "look at the bill", "width": 320, "height": 200}),
    ("video", files.mp4(), {"caption": "watch", "seconds": 3, "width": 64, "height": 36, "thumbnail": IN_BASE64},
     "video/mp4", {"caption": "watch", "seconds": 3, "width": 64, "height": 36, "thumbnail": THUMBNAIL}),
    ("audio", files.mp3(), {"seconds": 60}, "audio/mpeg", {"seconds": 60}),
    ("voice", files.ogg(), {"seconds": 2}, "audio/ogg; codecs=opus", {"seconds": 2}),
    ("document", files.pdf(), {"caption": "due soon"}, "application/pdf", {"caption": "due soon", "name": "bill.pdf"}),
    ("sticker", files.picture("WEBP", 512, 512), {}, "image/webp", {"width": 512, "height": 512}),
]  # fmt: skip
IN: list[tuple[str, bytes, str, dict[str, Any]]] = [
    ("image", files.picture(), "image/jpeg",
     {"caption": "see", "width": 320, "height": 200, "thumbnail": THUMBNAIL}),
    ("video", files.mp4(), "video/mp4", {"seconds": 9, "width": 64, "height": 36, "thumbnail": THUMBNAIL}),
    ("audio", files.mp3(), "audio/mpeg", {"seconds": 61}),
    ("voice", files.ogg(), "audio/ogg; codecs=opus", {"seconds": 4}),
    ("document", files.pdf(), "application/pdf", {"name": "report.pdf", "caption": "mine", "thumbnail": THUMBNAIL}),
    ("sticker", files.picture("WEBP", 512, 512), "image/webp", {"width": 512, "height": 512}),
]  # fmt: skip


@pytest.fixture
async def server(tmp_path: Path, whatsapp: LoopbackServer, environment: dict[str, str]) -> AsyncIterator[Server]:
    options = ("--proxy", whatsapp.proxy_url, "--media-allow", "127.0.0.1")
    async with Server.running(tmp_path / "data", environment, *options) as running:
        yield running


@pytest.fixture
async def shop() -> AsyncIterator[TestServer]:
    """A web server with a picture."""

    async def picture(_: web.Request) -> web.Response:
        return web.Response(body=OUT[0][1], content_type="image/jpeg")

    app = web.Application()
    app.router.add_get("/shop/{name}", picture)
    site = TestServer(app, host="127.0.0.1")
    await site.start_server()
    yield site
    await site.close()


async def upload(server: Server, bot: str, data: Any, status: int = 201, **query: str) -> dict[str, Any]:
    """Upload a file; return the answer."""
    headers = {"Authorization": f"Bearer {server.token}"}
    url = f"{server.url}/api/v1/bots/{bot}/media"
    async with (
        aiohttp.ClientSession() as http,
        http.post(url, data=data, params=query, headers=headers) as answer,
    ):
        assert answer.status == status, await answer.text()
        found: dict[str, Any] = await answer.json(content_type=None)
        return found


async def test_files_both_ways(server: Server, whatsapp: LoopbackServer, node: NodeClient, shop: TestServer) -> None:
    """Each kind of file that REST is given is what the contact opens, byte for byte, delivered and read; what a contact
    sends is told, live and stored, with the metadata and the thumbnail it has. An address does as well as an upload. No
    name, caption or address is in the log, and what was fetched is gone from the disk."""
    socket = await connect(node, server)
    bot, phone, _ = await linked(server, whatsapp)
    ada = whatsapp.add_contact(name="Ada")
    await _out(server, whatsapp, socket, ada, bot)
    await _by_address(server, whatsapp, ada, bot, shop)
    for kind, data, mimetype, beside in IN:
        content = loopback_files.message(whatsapp.media, kind, data, mimetype, **beside)  # type: ignore[arg-type]
        message_id = await ada.send(phone, content)
        await socket.until(lambda message_id=message_id: _told(socket, message_id), what=kind)  # type: ignore[misc]
        expected = {"mimetype": mimetype, "size": len(data)}
        expected |= {name: value for name, value in beside.items() if name not in {"caption", "thumbnail"}}
        expected |= {"thumbnail": IN_BASE64} if "thumbnail" in beside else {}
        (live,) = _told(socket, message_id)
        page = await server.call("GET", f"/bots/{bot}/messages?limit=50")
        (stored,) = [one["data"] for one in page["messages"] if one["data"]["messageId"] == message_id]
        for told in (live, stored):
            assert (told["kind"], told["media"], told.get("text")) == (kind, expected, beside.get("caption"))
    assert whatsapp.ledger.count("media_downloaded") == 0, "files that arrive are not fetched"
    for secret in ("look at the bill", "due soon", "bill.pdf", "sunset", IN_BASE64[:40], str(shop.port), ada.number):
        assert secret not in server.log
    assert await server.metric("orchestrator_task_failures_total") == 0


def _told(socket: NodeSocket, message_id: str) -> list[dict[str, Any]]:
    return [one["data"] for one in socket.of("message_sync", "message") if one["data"]["messageId"] == message_id]


async def _out(server: Server, whatsapp: LoopbackServer, socket: NodeSocket, ada: Contact, bot: str) -> None:
    for kind, data, members, mimetype, beside in OUT:
        kept = await upload(server, bot, data, kind=kind, name="C:\\papers\\bill.pdf")
        assert (kept["mimetype"], kept["size"], kept["name"]) == (mimetype, len(data), "bill.pdf")
        body = {"to": f"+{ada.number}", kind: {"mediaId": kept["mediaId"], **members}}
        job = await server.call("POST", f"/bots/{bot}/messages", body, status=202)
        received = await ada.wait_text()
        opened = loopback_files.opened(whatsapp.media, received.content)
        assert (opened.kind, opened.data, opened.mimetype) == (kind, data, mimetype)
        if kind == "image":
            assert max(files.size_of(opened.beside.pop("thumbnail"))) == 100
        assert opened.beside == beside
        await socket.until(lambda job=job: "delivered" in send_states(socket, job["id"]), what="delivered")  # type: ignore[misc]
        ada.mark_read(received.message_id)
        await socket.until(lambda job=job: send_states(socket, job["id"])[-1:] == ["read"], what="read")  # type: ignore[misc]
        ada.received.clear()


async def _by_address(server: Server, whatsapp: LoopbackServer, ada: Contact, bot: str, shop: TestServer) -> None:
    url = str(shop.make_url("/shop/sunset%20red.jpg"))
    body = {"to": f"+{ada.number}", "document": {"url": url}, "quoted": {"messageId": "3A01"}}
    await server.call("POST", f"/bots/{bot}/messages?wait=20", body, status=200)
    opened = loopback_files.opened(whatsapp.media, (await ada.wait_text()).content)
    assert opened.data == OUT[0][1] and opened.mimetype == "image/jpeg"
    assert opened.beside["name"] == "sunset red.jpg" and opened.beside["quoted"][0] == "3A01"
    ada.received.clear()
    missing = {"to": f"+{ada.number}", "image": {"url": str(shop.make_url("/nothing"))}}
    failed = await server.call("POST", f"/bots/{bot}/messages?wait=20", missing, status=200)
    assert failed["state"] == "failed"
    assert failed["error"] == {"code": "media_failed", "text": "The address answered 404."}
    fetched = [path for path in (server.data_dir / "media" / bot).glob("*.json") if b'"once":true' in path.read_bytes()]
    assert not fetched, "what was fetched for a send goes with it"


async def test_a_crash_between_upload_and_send(server: Server, whatsapp: LoopbackServer) -> None:
    """A file that was uploaded, and a send that names it, survive SIGKILL of the server while WhatsApp's media host keeps
    the worker waiting: nothing was in a chat, so it is sent by the next one, once. The file is for its owner only;
    deleting the bot erases it."""
    bot, _, _ = await linked(server, whatsapp)
    ada = whatsapp.add_contact(name="Ada")
    whatsapp.faults.upload = "hang"
    data = files.mp4(3_000_000)
    form = aiohttp.FormData()
    form.add_field("file", data, filename="film.mp4", content_type="application/x-nonsense")
    kept = await upload(server, bot, form)
    assert (kept["mimetype"], kept["name"]) == ("video/mp4", "film.mp4")
    folder = server.data_dir / "media" / bot
    assert {path.stat().st_mode & 0o777 for path in folder.iterdir()} == {0o600}
    assert folder.stat().st_mode & 0o777 == folder.parent.stat().st_mode & 0o777 == 0o700
    body = {"to": f"+{ada.number}", "video": {"mediaId": kept["mediaId"]}}
    job = await server.call("POST", f"/bots/{bot}/messages", body, status=202)
    await whatsapp.ledger.wait("media_upload_hung")
    (folder / "med_torn").write_bytes(b"half a file")
    await server.kill()
    whatsapp.faults.upload = ""
    await server.start()
    async with asyncio.timeout(40):
        while (sent := await server.call("GET", f"/bots/{bot}/sends/{job['id']}"))["state"] == "queued":  # noqa: ASYNC110
            await asyncio.sleep(0.1)
    assert sent["state"] != "unknown", "the file was in no chat yet"
    received = await ada.wait_text(timeout_s=30)
    opened = loopback_files.opened(whatsapp.media, received.content)
    assert hashlib.sha256(opened.data).digest() == hashlib.sha256(data).digest()
    assert len(ada.received) == 1 and whatsapp.ledger.count("message_from_device") == 1
    assert not (folder / "med_torn").exists()
    assert json.loads((folder / f"{kept['mediaId']}.json").read_bytes())["size"] == len(data)
    await server.call("DELETE", f"/bots/{bot}", status=202)
    async with asyncio.timeout(20):
        while folder.exists():  # noqa: ASYNC110 - another process removes it
            await asyncio.sleep(0.05)
