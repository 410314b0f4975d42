"""The HTTP boundary: principals, bodies, problem+json, idempotency, and what a bug looks like from outside."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import msgspec
import pytest
from aiohttp import web

from orchestrator.api import http
from orchestrator.api.http import Call, Route, reply
from orchestrator.errors import PROBLEMS, Refused, invalid
from tests.support.api import serving
from tests.support.rest import PROBLEM, Rest


class Order(msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """A body with a field of each kind."""

    dish_name: str
    count: int = 1


class Meal(msgspec.Struct, frozen=True):
    """An answer that tells two executions apart."""

    number: int
    user: str
    operation: str | None


class Kitchen:
    """A handler with something to count, to wait for and to fail with."""

    def __init__(self) -> None:
        self.cooked = 0
        self.started = asyncio.Event()
        self.go_on = asyncio.Event()
        self.go_on.set()
        self.fail: list[Exception] = []
        self.operations: list[str | None] = []

    async def cook(self, call: Call) -> web.StreamResponse:
        self.started.set()
        await self.go_on.wait()
        self.cooked += 1
        self.operations.append(call.operation)
        if self.fail:
            raise self.fail.pop(0)
        return reply(Meal(self.cooked, call.user(), call.operation), 201)

    async def look(self, call: Call) -> web.StreamResponse:
        return reply(Meal(call.number("limit", 7, 1, 100), call.user(), None))

    def routes(self) -> tuple[Route, ...]:
        return (
            Route("POST", "/order", self.cook, "Order", Meal, 201, Order, once=True),
            Route("GET", "/menu", self.look, "Look", Meal),
        )


ORDER = {"dishName": "soup"}


@pytest.mark.parametrize(
    ("raw", "content_type", "code", "field"),
    [
        (b"{", "application/json", "invalid_field", "body"),
        (b"\xff\xfe", "application/json", "invalid_field", "body"),
        (b"[1]", "application/json", "invalid_field", "body"),
        (b"null", "application/json", "invalid_field", "body"),
        (b"", "application/json", "invalid_field", "dishName"),
        (b"{}", "application/json", "invalid_field", "dishName"),
        (b'{"dishName": 3}', "application/json", "invalid_field", "dishName"),
        (b'{"dishName": "x", "count": "3"}', "application/json", "invalid_field", "count"),
        (b'{"dishName": "x", "count": 1.5}', "application/json", "invalid_field", "count"),
        (b'{"dishName": "x", "dish_name": "y"}', "application/json", "invalid_field", "dish_name"),
        (b'{"dishName": "x", "sauce": 1}', "application/json", "invalid_field", "sauce"),
        (b'{"dishName": "\\ud800"}', "application/json", "invalid_field", "body"),
        (b'{"dishName": "x"}', "text/plain", "unsupported_media_type", None),
        (b"dishName=x", "application/x-www-form-urlencoded", "unsupported_media_type", None),
    ],
)
async def test_wrong_bodies(tmp_path: Path, raw: bytes, content_type: str, code: str, field: str | None) -> None:
    """A wrong body is refused with the field's name in the words of JSON, and nothing is carried out."""
    kitchen = Kitchen()
    async with serving(tmp_path, *kitchen.routes()) as api:
        answer = await api.by()("POST", "//order", raw=raw, headers={"Content-Type": content_type})
        found = answer.refused(code, field)
    assert found["status"] == PROBLEMS[code].http and kitchen.cooked == 0
    assert "msgspec" not in found["detail"] and "$" not in found["detail"]


async def test_body_size(tmp_path: Path) -> None:
    """A body over the limit is 413, announced or streamed; one at the limit is read."""
    kitchen = Kitchen()
    async with serving(tmp_path, *kitchen.routes()) as api:
        ada = api.by()
        large = json.dumps({"dishName": "x" * http.MAX_BODY_BYTES}).encode()
        (await ada("POST", "//order", raw=large, headers={"Content-Type": "application/json"})).refused(
            "payload_too_large"
        )

        async def pieces() -> object:
            for start in range(0, len(large), 65_536):
                yield large[start : start + 65_536]

        headers = {"Authorization": f"Bearer {ada.token}", "Content-Type": "application/json"}
        async with ada.http.post(f"{ada.url}/order", data=pieces(), headers=headers) as streamed:
            assert (streamed.status, (await streamed.json(content_type=PROBLEM))["code"]) == (413, "payload_too_large")
        fits = json.dumps({"dishName": "x" * (http.MAX_BODY_BYTES - 40)}).encode()
        (await ada("POST", "//order", raw=fits, headers={"Content-Type": "application/json; charset=utf-8"})).ok(201)


async def test_unknown_addresses_and_methods(tmp_path: Path) -> None:
    """Unknown addresses are 404, wrong methods 405 with Allow, HEAD is GET without a body."""
    async with serving(tmp_path) as api:
        (await api.rest("GET", "//nowhere")).refused("not_found")
        (await api.rest("GET", "/bots/x/y/z")).refused("not_found")
        wrong = await api.rest("PUT", "/bots")
        wrong.refused("method_not_allowed")
        assert set(wrong.headers["Allow"].split(",")) == {"GET", "HEAD", "POST"}
        got, head = await api.rest("GET", "//healthz"), await api.rest("HEAD", "//healthz")
        assert (head.status, head.body, head.headers["Content-Length"]) == (200, b"", str(len(got.body)))


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Authorization": "Basic YTpi"},
        {"Authorization": "Bearer"},
        {"Authorization": "Bearer nonsense"},
        {"Authorization": "Bearer eyJhbGciOiJub25lIn0.eyJzdWIiOiJsb2NhbCJ9."},
        {"X-Api-Key": "nonsense"},
        {"Cookie": f"{http.COOKIE}=nonsense"},
        {"Authorization": "Bearer " + "x" * 7000},
    ],
)
async def test_unauthorized(tmp_path: Path, headers: dict[str, str]) -> None:
    """Without a valid proof of who calls there is 401, a challenge, and nothing of the proof in the answer."""
    async with serving(tmp_path) as api:
        answer = await api.rest("GET", "/me", headers=headers)
        answer.refused("unauthorized")
        assert answer.headers["WWW-Authenticate"] == "Bearer"
        assert b"nonsense" not in answer.body and b"eyJ" not in answer.body


async def test_ways_to_say_who(tmp_path: Path) -> None:
    """Bearer (in any case) and X-Api-Key take the same token; an expired one says so."""
    async with serving(tmp_path) as api:
        token = api.token("ada", ttl_s=60)
        for headers in ({"Authorization": f"bearer {token}"}, {"X-Api-Key": token}):
            assert (await api.rest("GET", "/me", headers=headers)).ok(200)["userId"] == "ada"
        api.clock.advance(61)
        (await api.rest("GET", "/me", headers={"X-Api-Key": token})).refused("token_expired")


async def test_operators_ask_for_others(tmp_path: Path) -> None:
    """?userId= is for operators; others may only name themselves."""
    async with serving(tmp_path, *Kitchen().routes()) as api:
        boss, ada = api.by("boss", operator=True), api.by("ada")
        assert (await boss("GET", "//menu", userId="ada")).ok(200)["user"] == "ada"
        assert (await ada("GET", "//menu", userId="ada")).ok(200)["user"] == "ada"
        (await ada("GET", "//menu", userId="boss")).refused("forbidden")
        (await boss("GET", "//menu", userId="../ada")).refused("invalid_field", "userId")


@pytest.mark.parametrize("limit", ["0", "101", "-1", "1.5", "x", "", "٣", "9" * 30])
async def test_numbers_of_the_query(tmp_path: Path, limit: str) -> None:
    """A wrong number in the query is refused with its bounds."""
    async with serving(tmp_path, *Kitchen().routes()) as api:
        found = (await api.by()("GET", "//menu", limit=limit)).refused("invalid_field", "limit")
    assert "1 to 100" in found["detail"]


async def test_bugs_stay_inside(tmp_path: Path) -> None:
    """A bug is 500 without a word of it, reported once; also a TimeoutError, which is no client's fault."""
    kitchen = Kitchen()
    kitchen.fail = [ValueError("the secret is 1234"), TimeoutError("the secret is 1234")]
    async with serving(tmp_path, *kitchen.routes()) as api:
        for kind in ("ValueError", "TimeoutError"):
            answer = await api.by()("POST", "//order", ORDER)
            found = answer.refused("internal")
            assert found["retryable"] and b"secret" not in answer.body
            assert (api.failures[-1].kind, api.failures[-1].task) == (kind, "http POST /order")
    assert len(api.failures) == 2


async def test_refusals_say_when_to_come_back(tmp_path: Path) -> None:
    """retryAfterMs and Retry-After agree, rounded up to whole seconds."""
    kitchen = Kitchen()
    kitchen.fail = [
        Refused("too_many_link_attempts", retry_after_s=61.2),
        invalid("dishName", "dishName: not on the menu"),
    ]
    async with serving(tmp_path, *kitchen.routes()) as api:
        answer = await api.by()("POST", "//order", ORDER)
        assert answer.refused("too_many_link_attempts")["retryAfterMs"] == 61_200
        assert answer.headers["Retry-After"] == "62"
        assert "Retry-After" not in (await api.by()("POST", "//order", ORDER)).headers


KEY = {"Idempotency-Key": "k-1"}


async def test_once(tmp_path: Path) -> None:
    """The same key gives the same answer for 24 h; another body, method or address is a conflict; another user is free."""
    kitchen = Kitchen()
    async with serving(tmp_path, *kitchen.routes()) as api:
        ada, bob = api.by("ada"), api.by("bob")
        first = await ada("POST", "//order", ORDER, headers=KEY)
        again = await ada("POST", "//order", ORDER, headers=KEY)
        assert (again.status, again.body) == (first.status, first.body)
        (await ada("POST", "//order", {**ORDER, "count": 2}, headers=KEY)).refused("idempotency_conflict")
        (await ada("POST", "//order", ORDER, headers=KEY, userId="ada")).refused("idempotency_conflict")
        assert (await bob("POST", "//order", ORDER, headers=KEY)).ok(201)["number"] == 2
        api.clock.advance(24 * 3600 - 1)
        assert (await ada.as_(api.token("ada"))("POST", "//order", ORDER, headers=KEY)).body == first.body
        api.clock.advance(2)
        assert (await ada.as_(api.token("ada"))("POST", "//order", ORDER, headers=KEY)).ok(201)["number"] == 3


async def test_once_at_the_same_time(tmp_path: Path) -> None:
    """Of equal requests at once one is carried out; the others are told to ask again, and then get its answer."""
    kitchen = Kitchen()
    kitchen.go_on.clear()
    async with serving(tmp_path, *kitchen.routes()) as api:
        ada = api.by()
        first = asyncio.ensure_future(ada("POST", "//order", ORDER, headers=KEY))
        await asyncio.wait_for(kitchen.started.wait(), 5)
        others = await asyncio.gather(*(ada("POST", "//order", ORDER, headers=KEY) for _ in range(5)))
        for other in others:
            assert other.refused("rate_limited")["retryAfterMs"] == 1000
        kitchen.go_on.set()
        answer = await first
        assert (await ada("POST", "//order", ORDER, headers=KEY)).body == answer.body
    assert kitchen.cooked == 1


async def test_once_after_a_refusal(tmp_path: Path) -> None:
    """A refusal is not kept: the same key may try again, as a new request."""
    kitchen = Kitchen()
    kitchen.fail = [Refused("too_many_bots")]
    async with serving(tmp_path, *kitchen.routes()) as api:
        (await api.by()("POST", "//order", ORDER, headers=KEY)).refused("too_many_bots")
        (await api.by()("POST", "//order", {**ORDER, "count": 2}, headers=KEY)).ok(201)
    assert len(set(kitchen.operations)) == 2


@pytest.mark.parametrize("error", [Refused("storage_unavailable"), RuntimeError("a bug")], ids=["storage", "bug"])
async def test_once_after_a_failure(tmp_path: Path, error: Exception) -> None:
    """After a failure nobody knows what was done: the next attempt gets the first one's name, and no other body."""
    kitchen = Kitchen()
    kitchen.fail = [error]
    async with serving(tmp_path, *kitchen.routes()) as api:
        assert (await api.by()("POST", "//order", ORDER, headers=KEY)).status >= 500
        (await api.by()("POST", "//order", {**ORDER, "count": 2}, headers=KEY)).refused("idempotency_conflict")
        (await api.by()("POST", "//order", ORDER, headers=KEY)).ok(201)
    assert kitchen.operations[0] is not None and kitchen.operations == [kitchen.operations[0]] * 2


@pytest.mark.parametrize("key", ["x" * 129, "tab\tbed", "ä\x80".encode().decode("latin-1")])
async def test_wrong_keys(tmp_path: Path, key: str) -> None:
    """A key that is too long or not printable is refused, naming the header."""
    kitchen = Kitchen()
    async with serving(tmp_path, *kitchen.routes()) as api:
        answer = await api.by()("POST", "//order", ORDER, headers={"Idempotency-Key": key})
        answer.refused("invalid_field", "Idempotency-Key")
    assert kitchen.cooked == 0


async def test_every_problem_is_whole(tmp_path: Path) -> None:
    """Every code of the closed list is answered with its status, text and whether trying again helps."""
    kitchen = Kitchen()
    async with serving(tmp_path, *kitchen.routes()) as api:
        ada: Rest = api.by()
        for code, entry in PROBLEMS.items():
            kitchen.fail = [Refused(code)]
            found = (await ada("POST", "//order", ORDER)).refused(code)
            assert (found["status"], found["retryable"], found["title"]) == (entry.http, entry.retryable, entry.text)
