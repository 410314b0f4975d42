"""The pages as files: headers that keep everything else out, nothing that points outside, one line when there is no build."""

from __future__ import annotations

import gzip
import re
from pathlib import Path

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from orchestrator.api import static_files
from tests.support.api import serving

DOCUMENT = '<!doctype html><title>Bots</title><script type="module" src="/assets/index-1a2b3c4d.js"></script>'
SCRIPT = "console.log(1);" * 200


@pytest.fixture
def build(tmp_path: Path) -> Path:
    """A build of the page as Vite makes one, small."""
    folder = tmp_path / "built"
    (folder / "assets").mkdir(parents=True)
    (folder / "index.html").write_text(DOCUMENT)
    (folder / "theme.js").write_text("/* theme */")
    (folder / "assets" / "index-1a2b3c4d.js").write_text(SCRIPT)
    (folder / ".made-of").write_text("no file of the page")
    return folder


def served(folder: Path) -> TestClient[web.Request, web.Application]:
    """The files of a build, served."""
    app = web.Application()
    static_files.add_files(app, folder)
    return TestClient(TestServer(app))


async def test_every_file_keeps_others_out(build: Path) -> None:
    """Every file has a type and a policy that allows only this server; only files named by their content are kept."""
    types = {"html": "text/html", "js": "text/javascript", "css": "text/css", "svg": "image/svg+xml"}
    async with served(build) as client:
        for address, file in static_files.files(build).items():
            answer = await client.get(address.replace("{bot}", "bot_1"))
            assert answer.status == 200, address
            policy = dict(part.strip().split(" ", 1) for part in answer.headers["Content-Security-Policy"].split(";"))
            assert policy["default-src"] == policy["base-uri"] == policy["frame-ancestors"] == "'none'"
            assert policy["script-src"] == policy["style-src"] == policy["connect-src"] == "'self'"
            assert answer.headers["X-Content-Type-Options"] == "nosniff"
            assert answer.headers["Referrer-Policy"] == "no-referrer"
            assert ("immutable" in answer.headers["Cache-Control"]) == address.startswith("/assets/")
            assert answer.content_type == file.content_type and file.content_type in types.values()
            assert (await client.head(address.replace("{bot}", "bot_1"))).status == 200


async def test_every_address_of_the_page_is_its_document(build: Path) -> None:
    """Whatever part of the page is asked for: the same document, which holds nothing of anybody."""
    async with served(build) as client:
        for address in ("/", "/new", "/new/options", "/fleet", "/bots/bot_1", "/bots/bot_1/link", "/bots/bot_1/ready"):
            assert await (await client.get(address)).text() == DOCUMENT
        assert (await client.get("/assets/other.js")).status == 404
        assert (await client.get("/.made-of")).status == 404


@pytest.mark.parametrize(
    ("accepted", "encoding"),
    [
        ("gzip, deflate, br, zstd", "br"),
        ("gzip", "gzip"),
        ("BR;q=0.5", "br"),
        ("br;q=0, gzip;q=1.0", "gzip"),
        ("br;q=0.000, xgzip", None),
        ("identity", None),
    ],
)
async def test_compression(build: Path, accepted: str, encoding: str | None) -> None:
    """Large files go out as small as whoever asks takes them: as the build compressed them, with gzip, or whole."""
    (build / "assets" / "index-1a2b3c4d.js.br").write_bytes(b"as the build made it")
    async with served(build) as client:
        answer = await client.get(
            "/assets/index-1a2b3c4d.js", headers={"Accept-Encoding": accepted}, auto_decompress=False
        )
        body = await answer.read()
        assert {"br": b"as the build made it"}.get(str(encoding), body) == body
        assert encoding == "br" or (gzip.decompress(body) if encoding else body).decode() == SCRIPT
        assert answer.headers.get("Content-Encoding") == encoding
        assert answer.headers["Vary"] == "Accept-Encoding"
        assert (await client.get("/assets/index-1a2b3c4d.js.br")).status == 404


async def test_without_a_build(tmp_path: Path) -> None:
    """A server whose page was never built says so and what to do; what needs no build is there."""
    async with served(tmp_path / "nothing") as client:
        for address in ("/", "/bots/bot_1", "/fleet"):
            answer = await client.get(address)
            assert answer.status == 503 and "scripts/start" in await answer.text()
        assert (await client.get("/docs")).status == 200


async def test_static_files_point_nowhere_else(tmp_path: Path) -> None:
    """No file asks another host, none has inline script or style, and nothing lies in the folder unserved."""
    folder = Path(static_files.__file__).parent / "static"
    assert {path.name for path in folder.iterdir()} == {*static_files.STATIC.values()}
    async with serving(tmp_path) as api:
        for address, name in static_files.STATIC.items():
            text = (await api.rest("GET", "/" + address)).body.decode()
            assert not set(re.findall(r"(?:https?:)?//[\w.-]+\.\w+[^\s\"')]*", text)) - {"http://www.w3.org/2000/svg"}
            if name.endswith(".html"):
                assert "<style" not in text and "style=" not in text and not re.search(r"\son\w+=", text)
                for wanted in re.findall(r'(?:src|href)="(/[^"]*)"', text):
                    assert wanted == "/" or (await api.rest("GET", "/" + wanted)).status == 200, wanted
