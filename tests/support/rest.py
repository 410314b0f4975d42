"""A plain HTTP client for REST tests: whole answers, no cookie of its own, every answer checked against OpenAPI.

Owns requests and answers; it must never know which answer a test expects. Read `openapi.py` next.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import aiohttp

from tests.support.openapi import Contract

PROBLEM = "application/problem+json"


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer, read to its end."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    cookies: Mapping[str, str]
    """Raw `Set-Cookie` attributes by cookie name."""

    @property
    def content_type(self) -> str:
        return self.headers.get("Content-Type", "").split(";")[0]

    def json(self) -> Any:
        """The decoded body."""
        return json.loads(self.body)

    def ok(self, status: int) -> Any:
        """Assert the status; return the decoded body (None when it is empty)."""
        assert self.status == status, (self.status, self.body[:500])
        return self.json() if self.body else None

    def refused(self, code: str, field: str | None = None) -> dict[str, Any]:
        """Assert that this is the refusal of that code, whole and well formed; return it."""
        found = self.json() if self.content_type == PROBLEM else {}
        assert found.get("code") == code, (self.status, self.body[:500])
        assert found["status"] == self.status and found["type"] == f"urn:problem:{code}"
        assert found["title"] and found["detail"] and "\n" not in found["detail"]
        assert found.get("field") == field, found
        assert field is None or found["detail"].startswith(field), "the message names the field first"
        assert self.headers["Cache-Control"] == "no-store"
        return dict(found)


class Rest:
    """One caller of one server."""

    def __init__(
        self,
        http: aiohttp.ClientSession,
        url: str,
        token: str | None = None,
        contract: Contract | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        """`http` must not keep cookies (`aiohttp.DummyCookieJar`): tests send them themselves."""
        self.http = http
        self.url = url
        self.token = token
        self._contract = contract
        self._headers = dict(headers or {})

    def as_(self, token: str | None = None, **headers: str) -> Rest:
        """The same server for another caller; header names with `_` for `-`."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return Rest(self.http, self.url, token, self._contract, named)

    async def __call__(
        self,
        method: str,
        path: str,
        body: object = None,
        *,
        raw: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        **query: object,
    ) -> Answer:
        """Ask; `path` is under /api/v1 unless it starts with `//` (then from the root). `raw` is sent as it is."""
        path = path[1:] if path.startswith("//") else f"/api/v1{path}"
        sent = {**self._headers, **(headers or {})}
        if self.token is not None:
            sent.setdefault("Authorization", f"Bearer {self.token}")
        if raw is None and body is not None:
            raw = json.dumps(body).encode()
            sent.setdefault("Content-Type", "application/json")
        params = {name: str(value) for name, value in query.items()}
        async with self.http.request(
            method,
            self.url + path,
            data=raw,
            headers=sent,
            params=params,
            allow_redirects=False,
            skip_auto_headers=("Content-Type",),
        ) as answer:
            cookies = {name: morsel.OutputString() for name, morsel in answer.cookies.items()}
            whole = Answer(answer.status, answer.headers, await answer.read(), cookies)
        if self._contract is not None and method != "HEAD":
            self._contract.check(method, path, whole.status, whole.content_type, whole.body)
        return whole
