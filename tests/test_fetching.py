"""Addresses users name: what is fetched, and that none leads into the server's own network."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from orchestrator import fetching
from orchestrator.fetching import Fetcher, FetchFailed

HERE = ("127.0.0.1",)
PRIVATE = "not public"


class Site:
    """A web server on loopback that notes who asked for what."""

    def __init__(self) -> None:
        self.asked: list[web.Request] = []
        self.server: TestServer
        self.other: TestServer

    async def answer(self, request: web.Request) -> web.StreamResponse:
        self.asked.append(request)
        match request.path.split("/")[1:]:
            case ["file"]:
                return web.Response(body=b"x" * 600_000, content_type="image/png")
            case ["to", *_]:
                return web.Response(status=302, headers={"Location": request.query["where"], "Set-Cookie": "a=b"})
            case ["again"]:
                return web.Response(status=307, headers={"Location": "/again"})
            case ["packed"]:
                return web.Response(body=b"x", headers={"Content-Encoding": "br"})
            case ["short"]:
                response = web.StreamResponse(headers={"Content-Length": "1000"})
                await response.prepare(request)
                await response.write(b"x" * 10)
                assert request.transport is not None
                request.transport.abort()
                return response
            case ["silent"]:
                await asyncio.sleep(30)
        return web.Response(status=int(request.query.get("status", "404")))

    def url(self, path: str) -> str:
        return f"http://127.0.0.1:{self.server.port}{path}"


@pytest.fixture
async def site() -> AsyncIterator[Site]:
    made = Site()
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", made.answer)
    made.server = TestServer(app, host="127.0.0.1")
    await made.server.start_server(shutdown_timeout=0.1)
    yield made
    await made.server.close()


async def _get(url: str, allow: tuple[str, ...] = HERE) -> bytes:
    async with Fetcher(allow).get(url) as answer:
        return b"".join([chunk async for chunk in answer.chunks])


async def _fails(url: str, allow: tuple[str, ...] = HERE) -> FetchFailed:
    with pytest.raises(FetchFailed) as failed:
        await _get(url, allow)
    assert "127.0" not in failed.value.text and "secret" not in failed.value.text
    return failed.value


async def test_a_file(site: Site) -> None:
    """A file comes whole with its size and declared type, over redirects too; nothing of ours goes along."""
    async with Fetcher(HERE).get(site.url("/to/it?where=/file%3Fa=%252F")) as answer:
        assert (answer.size, answer.mimetype) == (600_000, "image/png")
        assert sum([len(chunk) async for chunk in answer.chunks]) == 600_000
    for request in site.asked:
        assert not {"Cookie", "Authorization", "Referer"} & set(request.headers)
        assert request.headers["Accept-Encoding"] == "identity"
    assert site.asked[-1].raw_path == "/file?a=%2F", "an address goes letter by letter: it may be signed"


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1/", "http://127.1/", "http://2130706433/", "http://0x7f.1/", "http://localhost/", "http://0.0.0.0/",
        "http://[::1]/", "http://[::ffff:127.0.0.1]/", "http://[64:ff9b::7f00:1]/", "http://169.254.169.254/latest",
        "http://10.0.0.1/", "http://192.168.1.1/", "http://[fe80::1]/", "http://[fc00::1]/", "http://224.0.0.1/",
        "http://100.64.0.1/",
    ],
)  # fmt: skip
async def test_private_addresses(url: str) -> None:
    """Whatever is not public, however it is written, is refused before anything is sent there."""
    assert fetching.wrong(url) is None
    failed = await _fails(url, ())
    # Shortened and whole numbers are names to some and addresses to others: here they are neither.
    assert PRIVATE in failed.text or failed.text == "The address is not one that can be asked."


async def test_a_redirect_inside(site: Site) -> None:
    """A redirect to a private address, another scheme, or with credentials in it is not followed."""
    for where in ("http://10.0.0.1/", "http://169.254.169.254/", "file:///etc/passwd", "http://me:secret@example.com/"):
        site.asked.clear()
        failed = await _fails(site.url(f"/to/it?where={where}"))
        assert not failed.again and len(site.asked) == 1, where


async def test_a_name_with_two_faces(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """A name is refused when one of its addresses is private, and when it changes between look-up and connection."""
    answers: list[list[str]] = []
    real = asyncio.get_running_loop().getaddrinfo

    async def lookup(host: str | bytes | None, port: Any, **more: Any) -> Any:
        if host != "two.example":
            return await real(host, port, **more)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in answers.pop(0)]

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", lookup)
    url = f"http://two.example:{site.server.port}/file"
    answers.append(["93.184.216.34", "127.0.0.1"])
    assert PRIVATE in (await _fails(url, ())).text
    # A guard that were asked once and trusted later: what it let pass is checked on the socket again.
    monkeypatch.setattr(fetching._PublicOnly, "resolve", _trusting)
    answers.append(["127.0.0.1"])
    assert PRIVATE in (await _fails(url, ())).text
    assert site.asked == []


async def _trusting(self: Any, host: str, port: int = 0, family: Any = 0) -> Any:
    found = await asyncio.get_running_loop().getaddrinfo(host, port)
    return [
        {"hostname": host, "host": one[4][0], "port": port, "family": one[0], "proto": one[2], "flags": 0}
        for one in found
    ]


@pytest.mark.parametrize(
    ("status", "again"), [(404, False), (403, False), (204, False), (500, True), (503, True), (429, True)]
)
async def test_other_answers(site: Site, status: int, again: bool) -> None:
    """An answer without the file is told by its number; only some may go better later."""
    failed = await _fails(site.url(f"/none?status={status}"))
    assert (failed.text, failed.again) == (f"The address answered {status}.", again)


async def test_bad_answers(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """Endless redirects, packed, torn and silent answers and closed ports each fail in time, with their reason."""
    monkeypatch.setattr(fetching, "SILENT_S", 0.2)
    assert "on and on" in (await _fails(site.url("/again"))).text
    assert "packed" in (await _fails(site.url("/packed"))).text
    assert (await _fails(site.url("/short"))).again
    assert "in time" in (await _fails(site.url("/silent"))).text
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        failed = await _fails(f"http://127.0.0.1:{closed.getsockname()[1]}/")
    assert failed.again and "reached" in failed.text
    assert (await _fails("http://nothing.invalid/")).again
    assert not (await _fails(site.url("/file").replace("http:", "https:"))).text.endswith("allowed.")


@pytest.mark.parametrize(
    "url",
    ["", "ftp://a.example/", "//a.example/", "https:///x", "https://a b.example/", "https://a.example:99999/", "https://[::1",
     "javascript:alert(1)", "https://u:p@a.example/", "https://a.example/\n", "https://a.example/" + "x" * 2050],
)  # fmt: skip
def test_what_is_no_address(url: str) -> None:
    """What can't be fetched is told without asking anybody, and without repeating it."""
    said = fetching.wrong(url)
    assert said is not None and "u:p" not in said and said.startswith("give an address")
