"""Who is calling, page sessions with their cookie, events, and what the server tells about itself."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from orchestrator.api.http import COOKIE
from orchestrator.bus.bus import Entry
from orchestrator.model import Event, Position, new_id
from tests.support.api import Api, serving
from tests.support.rest import Answer, Rest


def _page(api: Api, cookie: str | None = None, **headers: str) -> Rest:
    """A browser that shows the bundled page."""
    sent = {"Origin": f"http://{api.host}", "Sec_Fetch_Site": "same-origin", **headers}
    if cookie is not None:
        sent["Cookie"] = f"{COOKIE}={cookie}"
    return api.rest.as_(None, **{name: value for name, value in sent.items() if value})


def _cookie(answer: Answer) -> str:
    return answer.cookies[COOKIE].split(";")[0].partition("=")[2]


async def _signed_in(api: Api, user: str = "ada", *, operator: bool = False) -> str:
    code, _ = api.identity.code(user, operator=operator)
    answer = await _page(api)("POST", "/session", {"code": code})
    answer.ok(200)
    return _cookie(answer)


async def test_me(tmp_path: Path) -> None:
    """/me says who calls and when the proof ends."""
    async with serving(tmp_path) as api:
        seen = (await api.by("boss", operator=True)("GET", "/me")).ok(200)
        limits = {"bots": 20, "linkAttemptsPerHour": 10}
        ends = api.clock.wall_ms() + 3_600_000
        assert seen == {"userId": "boss", "operator": True, "expiresAt": ends, "limits": limits}


async def test_code_becomes_cookie(tmp_path: Path) -> None:
    """A one-time code works once, for five minutes; the cookie is HttpOnly, SameSite=Strict, for the whole site, 30 days."""
    async with serving(tmp_path) as api:
        made = await api.by("ada")("POST", "/session/code", {})
        assert made.ok(200)["expiresAt"] == api.clock.wall_ms() + 300_000
        assert made.headers["Cache-Control"] == "no-store"
        body = {"code": made.json()["code"]}
        answer = await _page(api)("POST", "/session", body)
        swapped = answer.ok(200)
        assert answer.headers["Cache-Control"] == "no-store"
        attributes = {part.strip() for part in answer.cookies[COOKIE].split(";")[1:]}
        assert attributes == {"HttpOnly", "SameSite=Strict", "Path=/", "Max-Age=2592000"}
        assert swapped["expiresAt"] == api.clock.wall_ms() + 600_000
        assert (await api.rest.as_(swapped["token"])("GET", "/me")).ok(200)["userId"] == "ada"
        (await _page(api)("POST", "/session", body)).refused("unauthorized")
        late, _ = api.identity.code("ada", operator=False)
        api.clock.advance(301)
        (await _page(api)("POST", "/session", {"code": late})).refused("unauthorized")


async def test_cookie_behind_tls_is_secure(tmp_path: Path) -> None:
    """With TLS in front the cookie is Secure."""
    async with serving(tmp_path, secure_cookie=True) as api:
        code, _ = api.identity.code("ada", operator=False)
        answer = await _page(api)("POST", "/session", {"code": code})
        assert "Secure" in answer.cookies[COOKIE]


async def test_cookie_gives_fresh_tokens_until_sign_out(tmp_path: Path) -> None:
    """The cookie alone gives ten-minute tokens; after signing out, or 30 days, it gives nothing."""
    async with serving(tmp_path) as api:
        cookie = await _signed_in(api, "boss", operator=True)
        page = _page(api, cookie)
        answer = await page("POST", "/session")
        token = answer.ok(200)["token"]
        assert COOKIE not in answer.cookies and cookie.encode() not in answer.body
        assert (await api.rest.as_(token)("GET", "/me")).ok(200)["operator"]
        seen = (await page("GET", "/me")).ok(200)
        assert (seen["userId"], seen["operator"], seen["expiresAt"]) == ("boss", True, None)
        other = await _signed_in(api, "boss", operator=True)
        gone = await page("DELETE", "/session")
        gone.ok(204)
        assert "Max-Age=0" in gone.cookies[COOKIE]
        (await page("GET", "/me")).refused("unauthorized")
        (await page("POST", "/session")).refused("unauthorized")
        (await _page(api, other)("GET", "/me")).ok(200)
        api.clock.advance(30 * 86_400)
        (await _page(api, other)("GET", "/me")).refused("token_expired")


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://127.0.0.1:1"},
        {"Origin": "", "Sec_Fetch_Site": "same-site"},
        {"Origin": "", "Sec_Fetch_Site": "cross-site"},
        {"Host": "evil.example", "Origin": "http://evil.example"},
        {"Host": "evil.example", "Origin": ""},
    ],
    ids=[
        "site",
        "opaque",
        "port",
        "image from another port",
        "image from another site",
        "rebound name",
        "rebound image",
    ],
)
async def test_cookie_is_only_for_our_page(tmp_path: Path, headers: dict[str, str]) -> None:
    """The cookie is refused when another page asks, also from another port, and under a Host that isn't ours."""
    async with serving(tmp_path) as api:
        foreign = _page(api, await _signed_in(api), **headers)
        (await foreign("GET", "/me")).refused("unauthorized")
        (await foreign("POST", "/session")).refused("unauthorized")
        (await foreign("DELETE", "/session")).refused("unauthorized")
        code, _ = api.identity.code("ada", operator=False)
        (await foreign("POST", "/session", {"code": code})).refused("unauthorized")
        await api.identity.swap(code)  # it was not used up


async def test_writing_with_the_cookie_needs_an_origin(tmp_path: Path) -> None:
    """Without Origin the cookie reads and never writes; a token needs neither."""
    async with serving(tmp_path) as api:
        bare = _page(api, await _signed_in(api), Origin="", Sec_Fetch_Site="")
        (await bare("GET", "/me")).ok(200)
        (await bare("POST", "/session/code", {})).refused("unauthorized")
        (await api.by("ada")("POST", "/session/code", {})).ok(200)


async def test_codes_for_others_are_for_operators(tmp_path: Path) -> None:
    """An operator makes codes for another user, who is then no operator; others make only their own."""
    async with serving(tmp_path) as api:
        made = (await api.by("boss", operator=True)("POST", "/session/code", {"userId": "ada"})).ok(200)
        swapped = (await _page(api)("POST", "/session", {"code": made["code"]})).ok(200)
        seen = (await api.rest.as_(swapped["token"])("GET", "/me")).ok(200)
        assert (seen["userId"], seen["operator"]) == ("ada", False)
        (await api.by("ada")("POST", "/session/code", {"userId": "boss"})).refused("forbidden")
        (await api.by("boss", operator=True)("POST", "/session/code", {"userId": "a b"})).refused(
            "invalid_field", "userId"
        )


def _event(user: str, text: str) -> Entry:
    event = Event(
        user, "bot_1", "message_sync", "message", new_id("evt"), 1_790_000_000_000, b'{"text":"%s"}' % text.encode()
    )
    return Entry(user, event)


async def test_events_page_by_page(tmp_path: Path) -> None:
    """Events come oldest first; the answer's position reads on, and an empty page keeps it."""
    async with serving(tmp_path) as api:
        await api.bus.commit([_event("ada", str(number)) for number in range(7)])
        await api.bus.commit([_event("bob", "of bob")])
        ada = api.by("ada")
        seen: list[dict[str, object]] = []
        after: dict[str, Any] = {}
        for size in (3, 3, 1, 0):
            page = (await ada("GET", "/events", limit=3, **after)).ok(200)
            assert len(page["events"]) == size
            seen += page["events"]
            after = {"after": f"{page['position']['epoch']}:{page['position']['seq']}"}
        assert [frame["data"] for frame in seen] == [{"text": str(number)} for number in range(7)]
        assert [(frame["seq"], frame["prev"]) for frame in seen] == [(seq, seq - 1) for seq in range(1, 8)]
        assert {(frame["event"], frame["type"], frame["botId"]) for frame in seen} == {
            ("message_sync", "message", "bot_1")
        }
        theirs = (await api.by("boss", operator=True)("GET", "/events", userId="bob")).ok(200)
        assert [frame["data"]["text"] for frame in theirs["events"]] == ["of bob"]
        (await ada("GET", "/events", userId="bob")).refused("forbidden")


async def test_events_of_a_quiet_user(tmp_path: Path) -> None:
    """A user without events gets an empty page and a position to read on from."""
    async with serving(tmp_path) as api:
        page = (await api.by("new")("GET", "/events")).ok(200)
        assert page["events"] == [] and page["position"]["seq"] == 0
        again = f"{page['position']['epoch']}:0"
        assert (await api.by("new")("GET", "/events", after=again)).ok(200)["position"] == page["position"]


async def test_expired_positions(tmp_path: Path) -> None:
    """A position of another epoch or ahead of the log is 410 with the floor to start from."""
    async with serving(tmp_path) as api:
        await api.bus.commit([_event("ada", "x")])
        head = (await api.bus.state("ada")).head
        for wrong in (Position("elsewhere", 1), Position(head.epoch, 99)):
            found = (await api.by("ada")("GET", "/events", after=str(wrong))).refused("position_expired")
            assert (found["floor"], found["epoch"]) == (0, head.epoch)


@pytest.mark.parametrize("after", ["", "1", ":1", "e:", "e:-1", "e:x", "e:1.0", "e:" + "9" * 30])
async def test_wrong_positions(tmp_path: Path, after: str) -> None:
    """A text that is no position is a wrong field, not an expired position."""
    async with serving(tmp_path) as api:
        (await api.by()("GET", "/events", after=after)).refused("invalid_field", "after")


async def test_events_accept(tmp_path: Path) -> None:
    """Events are a page of JSON unless a stream is asked for (test_api_streams.py); other forms are not on offer."""
    async with serving(tmp_path) as api:
        for accept, status in (
            ("application/json", 200),
            ("*/*", 200),
            ("text/event-stream;q=0.1, application/json", 200),
            ("text/event-stream;q=0", 406),
            ("image/png", 406),
        ):
            assert (await api.by()("GET", "/events", headers={"Accept": accept})).status == status


async def test_health_and_version(tmp_path: Path) -> None:
    """healthz is always fine while the process serves; readyz says what is missing; neither needs a token."""
    async with serving(tmp_path) as api:
        assert (await api.rest("GET", "//healthz")).ok(200) == {"status": "ok"}
        assert (await api.rest("GET", "//readyz")).ok(200) == {"status": "ok"}
        api.missing.append("storage")
        assert (await api.rest("GET", "//readyz")).ok(503) == {"status": "storage"}
        assert (await api.rest("GET", "//healthz")).ok(200) == {"status": "ok"}
        assert (await api.rest("GET", "/version")).ok(200)["contract"] == 1


async def test_metrics(tmp_path: Path) -> None:
    """Metrics are open on a loopback host; elsewhere they need an operator's token."""
    async with serving(tmp_path / "open") as api:
        assert (await api.rest("GET", "//metrics")).headers["Content-Type"].startswith("text/plain")
    async with serving(tmp_path / "closed", open_metrics=False) as api:
        (await api.rest("GET", "//metrics")).refused("unauthorized")
        (await api.by("ada")("GET", "//metrics")).refused("forbidden")
        assert b"orchestrator_sockets" in (await api.by("boss", operator=True)("GET", "//metrics")).body
