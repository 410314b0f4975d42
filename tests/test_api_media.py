"""Uploads over REST as callers see them: kept once for one key, checked at once, looked at, removed, and nobody else's."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import aiohttp

from tests.support.files import pdf
from tests.support.simulated import Simulated, simulated


class Uploads:
    """Somebody's requests about the files of a bot."""

    def __init__(self, http: aiohttp.ClientSession, world: Simulated, bot: str, user: str) -> None:
        self._http = http
        self._url = f"{world.server.url}/api/v1/bots/{bot}/media"
        self._token = world.token(user)

    async def __call__(self, method: str, media: str = "", data: Any = None, key: str = "", **query: str) -> Any:
        """(status, answer)."""
        headers = {"Authorization": f"Bearer {self._token}", **({"Idempotency-Key": key} if key else {})}
        address = f"{self._url}/{media}" if media else self._url
        async with self._http.request(method, address, data=data, params=query, headers=headers) as answer:
            return answer.status, await answer.json(content_type=None)


async def test_uploads(tmp_path: Path) -> None:
    """One key keeps one file; another body is a conflict; what is wrong leaves nothing; others see no file of mine."""
    async with simulated(tmp_path / "data") as world, aiohttp.ClientSession() as http:
        bot = (await world.server.call("POST", "/bots", {"name": "b", "start": False}, status=201))["id"]
        mine, hers = Uploads(http, world, bot, "local"), Uploads(http, world, bot, "eve")
        status, kept = await mine("POST", data=pdf(), key="k1", name="a/bill.pdf")
        assert (status, kept["mimetype"], kept["size"], kept["name"]) == (
            201,
            "application/pdf",
            len(pdf()),
            "bill.pdf",
        )
        assert await mine("POST", data=pdf(), key="k1", name="a/bill.pdf") == (201, kept)
        wrong: list[tuple[bytes | aiohttp.FormData, str, dict[str, str], int, str]] = [
            (pdf(9), "k1", {"name": "a/bill.pdf"}, 409, "idempotency_conflict"),
            (pdf(), "k2", {"kind": "image"}, 422, "invalid_field"),
            (pdf(), "", {"kind": "film"}, 422, "invalid_field"),
            (b"x" * 1_100_000, "", {"kind": "sticker"}, 413, "payload_too_large"),
            (b"", "", {}, 422, "invalid_field"),
            (aiohttp.FormData({"other": "x"}, default_to_multipart=True), "", {}, 422, "invalid_field"),
        ]
        for data, key, query, expected, code in wrong:
            status, answer = await mine("POST", data=data, key=key, **query)
            assert (status, answer["code"]) == (expected, code), answer
        assert len(list((world.server.data_dir / "media" / bot).iterdir())) == 2
        for media in (kept["mediaId"], "med_none", ".."):
            assert (await hers("GET", media))[0] == (await hers("DELETE", media))[0] == 404
        assert (await hers("POST", data=pdf()))[0] == 404
        assert await mine("GET", kept["mediaId"]) == (200, kept)
        assert (await mine("DELETE", kept["mediaId"]))[0] == 204
        assert (await mine("GET", kept["mediaId"]))[0] == 404
        assert list((world.server.data_dir / "media" / bot).iterdir()) == []
