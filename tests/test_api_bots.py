"""REST about bots on a whole server with simulated phones: every route, every documented refusal, two users apart."""

from __future__ import annotations

import asyncio
import io
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
import zxingcpp
from PIL import Image

from tests.support.rest import Rest
from tests.support.simulated import Simulated, simulated

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def world(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Simulated]:
    """One server for all tests of this file; each test is a user of its own."""
    async with simulated(tmp_path_factory.mktemp("rest") / "data", "--max-bots-per-user", "3") as running:
        yield running


async def _create(rest: Rest, name: str = "support", **members: object) -> str:
    return str((await rest("POST", "/bots", {"name": name, **members})).ok(201)["id"])


async def test_create_and_list(world: Simulated) -> None:
    """A bot is made with what was asked for, is listed at a position, and its events start there."""
    ada = world.someone()
    before = (await ada("GET", "/bots")).ok(200)
    assert before["bots"] == []
    answer = await ada("POST", "/bots", {"name": " front desk ", "deviceName": "Desk", "start": False})
    bot = answer.ok(201)
    assert answer.headers["Location"] == f"/api/v1/bots/{bot['id']}"
    assert (bot["name"], bot["deviceName"], bot["status"], bot["desired"]) == (
        "front desk",
        "Desk",
        "stopped",
        "stopped",
    )
    assert (bot["userAction"], bot["proxy"], bot["account"], bot["link"]) == ("start", False, None, None)
    listing = (await ada("GET", "/bots")).ok(200)
    assert listing["bots"] == [bot] and listing["position"]["seq"] == 1
    after = f"{before['position']['epoch']}:{before['position']['seq']}"
    told = (await ada("GET", "/events", after=after)).ok(200)["events"]
    assert [(frame["type"], frame["data"]["id"]) for frame in told] == [("created", bot["id"])]


async def test_another_users_bot_is_not_there(world: Simulated) -> None:
    """For every route another user's bot is 404, word for word as one that never was; an operator says whose it is."""
    ada, eve = world.someone(), world.someone()
    bot = await _create(ada, start=False)
    for method, path, body in (
        ("GET", "", None),
        ("PATCH", "", {"name": "mine"}),
        ("DELETE", "", None),
        ("POST", "/start", {}),
        ("POST", "/stop", {}),
        ("POST", "/restart", {}),
        ("POST", "/link", {}),
        ("POST", "/logout", {}),
        ("GET", "/qr", None),
        ("POST", "/pairing-code", {"phone": "4915112345678"}),
        ("POST", "/messages", {"to": "4915112345678", "text": "x"}),
        ("GET", "/sends/job_1", None),
    ):
        theirs = (await eve(method, f"/bots/{bot}{path}", body)).refused("not_found")
        nobodys = (await eve(method, f"/bots/bot_00000000000000000000{path}", body)).refused("not_found")
        assert theirs == nobodys, (method, path)
    assert (await eve("GET", "/bots")).ok(200)["bots"] == []
    me = (await ada("GET", "/me")).ok(200)["userId"]
    boss = world.by("boss", operator=True)
    (await boss("GET", f"/bots/{bot}")).refused("not_found")
    assert (await boss("GET", f"/bots/{bot}", userId=me)).ok(200)["id"] == bot
    assert [one["id"] for one in (await boss("GET", "/bots", userId=me)).ok(200)["bots"]] == [bot]
    assert (await boss("PATCH", f"/bots/{bot}", {"name": "seen to"}, userId=me)).ok(200)["name"] == "seen to"
    (await eve("GET", "/bots", userId=me)).refused("forbidden")


async def test_patch(world: Simulated) -> None:
    """What is given changes; a proxy is written and never read back."""
    ada = world.someone()
    bot = await _create(ada, start=False)
    version = (await ada("GET", f"/bots/{bot}")).ok(200)["statusVersion"]
    secret = "http://user:hunter2@8.8.8.8:3128"
    answer = await ada("PATCH", f"/bots/{bot}", {"name": "new", "deviceName": "Phone", "proxy": secret})
    changed = answer.ok(200)
    assert (changed["name"], changed["deviceName"], changed["proxy"]) == ("new", "Phone", True)
    assert changed["statusVersion"] == version
    assert (await ada("PATCH", f"/bots/{bot}", {})).ok(200) == changed
    assert (await ada("PATCH", f"/bots/{bot}", {"proxy": None})).ok(200)["proxy"] is False
    assert changed["presence"] is False
    assert (await ada("PATCH", f"/bots/{bot}", {"presence": True})).ok(200)["presence"] is True
    told = (await ada("GET", "/events")).body + answer.body
    assert b"hunter2" not in told and "hunter2" not in world.server.log
    for body, field in (
        ({"name": " "}, "name"),
        ({"name": None}, "name"),
        ({"deviceName": "\n"}, "deviceName"),
        ({"proxy": "ftp://x"}, "proxy"),
        ({"proxy": "http://10.0.0.1:3128"}, "proxy"),
        ({"proxy": "http://[::1]:3128"}, "proxy"),
        ({"presence": "yes"}, "presence"),
        ({"status": "connected"}, "status"),
    ):
        (await ada("PATCH", f"/bots/{bot}", body)).refused("invalid_field", field)


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "name"),
        ({"name": ""}, "name"),
        ({"name": "x" * 65}, "name"),
        ({"name": "a\tb"}, "name"),
        ({"name": "x", "proxy": "proxy:1"}, "proxy"),
        ({"name": "x", "script": "bot.py"}, "script"),
        ({"name": "x", "id": "bot_mine"}, "id"),
    ],
)
async def test_create_refuses(world: Simulated, body: dict[str, object], field: str) -> None:
    """A wrong field makes no bot; a field of a later version is refused, not ignored."""
    ada = world.someone()
    (await ada("POST", "/bots", body)).refused("invalid_field", field)
    assert (await ada("GET", "/bots")).ok(200)["bots"] == []


async def test_too_many_bots(world: Simulated) -> None:
    """A user has at most as many bots as the setting says, also when asked for at once; a deleted one makes room."""
    ada = world.someone()
    answers = await asyncio.gather(*(ada("POST", "/bots", {"name": str(n), "start": False}) for n in range(5)))
    assert sorted(answer.status for answer in answers) == [201, 201, 201, 429, 429]
    (await ada("POST", "/bots", {"name": "more"})).refused("too_many_bots")
    bots = (await ada("GET", "/bots")).ok(200)["bots"]
    (await ada("DELETE", f"/bots/{bots[0]['id']}")).ok(202)
    await _until_deleted(world, ada, bots[0]["id"])
    await _create(ada, start=False)


async def _until_deleted(world: Simulated, rest: Rest, bot: str) -> None:
    async def read() -> dict[str, object]:
        return dict((await rest("GET", "/events", limit=1000)).ok(200))

    def done(page: dict[str, object]) -> bool:
        events = page["events"]
        assert isinstance(events, list)
        return any(frame["type"] == "deleted" and frame["botId"] == bot for frame in events)

    await world.server.poll(read, done)


async def test_qr_in_every_form(world: Simulated) -> None:
    """The code on offer as JSON, SVG or PNG, the same code, kept by nobody; without one 409."""
    ada = world.someone()
    bot = await _create(ada, start=False)
    (await ada("GET", f"/bots/{bot}/qr")).refused("no_code_on_offer")
    (await ada("POST", f"/bots/{bot}/link", {})).ok(202)
    await world.until(ada, bot, lambda seen: seen["status"] == "awaiting_scan" and seen["link"]["index"])
    forms = {
        "application/json": "application/json",
        "*/*": "application/json",
        "image/*": "image/svg+xml",
        "image/svg+xml": "image/svg+xml",
        "image/png, */*;q=0.1": "image/png",
        "image/svg+xml;q=0.5, image/png": "image/png",
    }
    answers = {}
    for accept, content_type in forms.items():
        answer = await ada("GET", f"/bots/{bot}/qr", headers={"Accept": accept})
        assert (answer.status, answer.content_type) == (200, content_type), accept
        assert answer.headers["Cache-Control"] == "no-store, private" and answer.headers["Vary"] == "Accept"
        assert answer.headers["Referrer-Policy"] == "no-referrer"
        answers[content_type] = answer
    offer = answers["application/json"].json()
    assert (offer["index"], offer["of"], offer["attempt"]) == (1, 6, 1)
    seen = zxingcpp.read_barcodes(Image.open(io.BytesIO(answers["image/png"].body)))
    assert [code.text for code in seen] == [offer["qr"]]
    assert answers["image/svg+xml"].body.startswith(b"<svg")
    for accept in ("text/html", "image/png;q=0"):
        (await ada("GET", f"/bots/{bot}/qr", headers={"Accept": accept})).refused("not_acceptable")
    assert offer["qr"] not in world.server.log
    await world.phone(bot).scan()
    await world.until(ada, bot, lambda seen: seen["status"] == "connected")
    (await ada("GET", f"/bots/{bot}/qr")).refused("no_code_on_offer")


async def test_pairing_code(world: Simulated) -> None:
    """A pairing code is answered once it is there, kept by nobody, the same while it is good, and links the bot."""
    ada = world.someone()
    bot = await _create(ada, start=False)
    (await ada("POST", f"/bots/{bot}/pairing-code", {"phone": "none"})).refused("invalid_field", "phone")
    answer = await ada("POST", f"/bots/{bot}/pairing-code", {"phone": "+49 151 12345678"})
    code = answer.ok(200)["code"]
    assert len(code) == 9 and code[4] == "-"
    assert answer.headers["Cache-Control"] == "no-store, private"
    assert (await ada("POST", f"/bots/{bot}/pairing-code", {"phone": "4915112345678"})).ok(200)["code"] == code
    assert (await ada("GET", f"/bots/{bot}")).ok(200)["link"]["method"] == "code"
    await world.phone(bot).do("enter_code", code=code)
    await world.until(ada, bot, lambda seen: seen["status"] == "connected")
    assert code not in world.server.log


async def test_messages(world: Simulated) -> None:
    """A text is queued (202), or waited for (200); its job is read later; addresses are resolved, others refused."""
    ada = world.someone()
    bot = await world.linked(ada)
    job = (await ada("POST", f"/bots/{bot}/messages", {"to": "+4915112345678", "text": "one"})).ok(202)
    assert (job["state"], job["botId"], job["messageId"], job["error"]) == ("queued", bot, None, None)
    assert job["to"].endswith("@s.whatsapp.net") or job["to"].endswith("@lid")
    await world.phone(bot).received("one")
    waited = (await ada("POST", f"/bots/{bot}/messages", {"to": "4915112345678@c.us", "text": "two"}, wait=10)).ok(200)
    assert waited["state"] in {"sent", "delivered"} and waited["messageId"]
    for index in range(2):
        again = (await ada("GET", f"/bots/{bot}/sends/{(job, waited)[index]['id']}")).ok(200)
        assert again["state"] in {"sent", "delivered"} and again["messageId"]
    (await ada("GET", f"/bots/{bot}/sends/job_unknown")).refused("not_found")
    for body, field in (
        ({"to": "12", "text": "x"}, "to"),
        ({"to": "ada@example.org", "text": "x"}, "to"),
        ({"to": "4915112345678", "text": ""}, "text"),
        ({"to": "4915112345678"}, "text"),
        ({"to": "4915112345678", "text": "x", "media": {}}, "media"),
    ):
        (await ada("POST", f"/bots/{bot}/messages", body)).refused("invalid_field", field)
    (await ada("POST", f"/bots/{bot}/messages", {"to": "4915112345678", "text": "x"}, wait=61)).refused(
        "invalid_field", "wait"
    )


async def test_not_linked(world: Simulated) -> None:
    """Without an account there is nothing to send from or to log out of."""
    ada = world.someone()
    bot = await _create(ada, start=False)
    (await ada("POST", f"/bots/{bot}/messages", {"to": "4915112345678", "text": "x"})).refused("not_linked")
    (await ada("POST", f"/bots/{bot}/logout", {})).refused("not_linked")


async def test_send_once(world: Simulated) -> None:
    """The same Idempotency-Key sends one text, however often it is asked."""
    ada = world.someone()
    bot = await world.linked(ada)
    key = {"Idempotency-Key": "order-7"}
    body = {"to": "4915112345678", "text": "once"}
    answers = await asyncio.gather(*(ada("POST", f"/bots/{bot}/messages", body, headers=key) for _ in range(6)))
    jobs = {answer.json()["id"] for answer in answers if answer.status == 202}
    assert len(jobs) == 1 and {answer.status for answer in answers} <= {202, 429}
    assert (await ada("POST", f"/bots/{bot}/messages", body, headers=key)).ok(202)["id"] in jobs
    (await ada("POST", f"/bots/{bot}/messages", {**body, "text": "x"}, headers=key)).refused("idempotency_conflict")
    await world.phone(bot).received("once")
    state = await world.phone(bot).state()
    assert [text["text"] for text in state["received"]] == ["once"]


async def test_commands_are_legal_in_every_status(world: Simulated) -> None:
    """start, stop and restart are accepted whatever the bot does, and again."""
    ada = world.someone()
    bot = await world.linked(ada)
    for command, ends in (
        ("start", "connected"),
        ("stop", "stopped"),
        ("stop", "stopped"),
        ("start", "connected"),
        ("restart", "connected"),
        ("restart", "connected"),
    ):
        seen = (await ada("POST", f"/bots/{bot}/{command}")).ok(202)
        assert seen["desired"] == ("stopped" if command == "stop" else "running")
        await world.until(ada, bot, lambda seen, ends=ends: seen["status"] == ends)  # type: ignore[misc]


async def test_logout(world: Simulated) -> None:
    """Logging out says whether WhatsApp confirmed; the bot is then without an account and can be linked again."""
    ada = world.someone()
    bot = await world.linked(ada)
    (await ada("POST", f"/bots/{bot}/stop")).ok(202)
    await world.until(ada, bot, lambda seen: seen["status"] == "stopped")
    assert (await ada("POST", f"/bots/{bot}/logout")).ok(200) == {"unlinked": True}
    seen = await world.until(ada, bot, lambda seen: seen["status"] == "logged_out")
    assert (seen["reason"]["code"], seen["userAction"]) == ("logged_out_by_user", "link_again")
    (await ada("POST", f"/bots/{bot}/link", {})).ok(202)
    await world.until(ada, bot, lambda seen: seen["status"] == "awaiting_scan")


async def test_delete_erases(world: Simulated) -> None:
    """A deleted bot is gone at once; in the end nothing of it is left but the event that says so."""
    ada = world.someone()
    bot = await world.linked(ada)
    await world.phone(bot).text("4915112345678", "a secret of the past")
    answer = await ada("DELETE", f"/bots/{bot}")
    answer.ok(202)
    (await ada("GET", f"/bots/{bot}")).refused("not_found")
    (await ada("DELETE", f"/bots/{bot}")).refused("not_found")
    await _until_deleted(world, ada, bot)
    page = await ada("GET", "/events", limit=1000)
    assert [frame["type"] for frame in page.json()["events"] if frame["botId"] == bot] == ["deleted"]
    assert b"a secret of the past" not in page.body
    assert (await ada("GET", "/bots")).ok(200)["bots"] == []
    devices: Path = world.server.data_dir / "devices"
    assert not (devices / bot).exists()


@pytest.mark.slow
async def test_retry_after_a_crash_makes_no_second(tmp_path: Path) -> None:
    """The server is killed after a bot was made and before the answer was kept: the retry finds that bot, or makes it."""
    key = {"Idempotency-Key": "make-1"}
    body = {"name": "one", "start": False}
    async with simulated(tmp_path / "data") as world:
        ada = world.by("ada")
        for number in range(4):
            headers = {"Idempotency-Key": f"make-{number}"}
            asked = asyncio.ensure_future(ada("POST", "/bots", {**body, "name": str(number)}, headers=headers))
            # Some are killed before the bot is made, some between, some after: each must end with one bot.
            await asyncio.wait({asked}, timeout=0.004 * number)
            await world.server.kill()
            await asyncio.wait({asked}, timeout=5)
            assert asked.done()
            asked.exception()
            await world.server.start()
            again = (await ada("POST", "/bots", {**body, "name": str(number)}, headers=headers)).ok(201)
            bots = (await ada("GET", "/bots")).ok(200)["bots"]
            assert [bot["id"] for bot in bots if bot["name"] == str(number)] == [again["id"]]
        assert (await ada("POST", "/bots", {**body, "name": "new"}, headers=key)).refused("idempotency_conflict")


async def test_draining(tmp_path: Path) -> None:
    """While the server stops it refuses or closes; it never answers half of something, and exits 0."""
    async with simulated(tmp_path / "data") as world:
        ada = world.by("ada")
        bot = await world.linked(ada)
        stopping = asyncio.ensure_future(world.server.stop())
        while not stopping.done():
            try:
                answer = await ada("GET", f"/bots/{bot}")
            except OSError:
                continue
            assert answer.status == 200 or answer.refused("server_draining")
        assert await stopping == 0
