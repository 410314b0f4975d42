"""The bundled pages as files: headers that keep everything else out, and nothing that points outside."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from orchestrator.api import routes
from tests.support.api import serving

PAGES = [*routes.PAGES, *routes.ASSETS]


@pytest.mark.parametrize("address", PAGES)
async def test_page_headers(tmp_path: Path, address: str) -> None:
    """Every file has a type, a policy that allows only this server, and is asked for anew."""
    async with serving(tmp_path) as api:
        answer = await api.rest("GET", "/" + address)
        assert answer.status == 200 and answer.body
        policy = dict(part.strip().split(" ", 1) for part in answer.headers["Content-Security-Policy"].split(";"))
        assert policy["default-src"] == "'none'" and policy["frame-ancestors"] == "'none'"
        assert policy["script-src"] == policy["style-src"] == policy["connect-src"] == "'self'"
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert answer.headers["Referrer-Policy"] == "no-referrer"
        assert answer.headers["Cache-Control"] == "no-cache"
        suffix = {"html": "text/html", "js": "text/javascript", "css": "text/css", "svg": "image/svg+xml"}
        name = {**routes.PAGES, **routes.ASSETS}[address]
        assert answer.content_type == suffix[name.rpartition(".")[2]]
        assert (await api.rest("HEAD", "/" + address)).status == 200


@pytest.mark.parametrize("address", PAGES)
async def test_pages_point_nowhere_else(tmp_path: Path, address: str) -> None:
    """No file asks another host, and none has inline script or style, which the policy would refuse."""
    async with serving(tmp_path) as api:
        text = (await api.rest("GET", "/" + address)).body.decode()
    hosts = set(re.findall(r"(?:https?:)?//[\w.-]+\.\w+[^\s\"')]*", text)) - {"http://www.w3.org/2000/svg"}
    assert not hosts
    if address in routes.PAGES:
        assert "<style" not in text and "style=" not in text and not re.search(r"\son\w+=", text)
        assert all("src=" in tag for tag in re.findall(r"<script[^>]*>", text))


async def test_every_file_of_the_page_is_served(tmp_path: Path) -> None:
    """What the pages load is there, and nothing lies in the folder unserved."""
    folder = Path(routes.__file__).parent / "static"
    assert {path.name for path in folder.iterdir()} == {*routes.PAGES.values(), *routes.ASSETS.values()}
    async with serving(tmp_path) as api:
        for address in routes.PAGES:
            text = (await api.rest("GET", "/" + address)).body.decode()
            for wanted in re.findall(r'(?:src|href)="(/[^"]*)"', text):
                assert (await api.rest("GET", "/" + wanted)).status == 200, wanted


async def test_pages_need_no_session(tmp_path: Path) -> None:
    """The page itself is for everybody: it holds nothing but the way to sign in."""
    async with serving(tmp_path) as api:
        assert b"orchestrator open" in (await api.rest("GET", "//")).body
