"""Sign-in by other issuers on whole servers: REST, socket, page and command line share one function."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest

from orchestrator import app
from orchestrator.auth.firebase import FirebaseIssuer, FirebaseSettings
from orchestrator.auth.names import user_id
from orchestrator.auth.principal import AtConnect, open_local
from orchestrator.gateway.ports import GatewaySettings
from orchestrator.settings import Settings
from orchestrator.store.database import Database
from orchestrator.store.sessions import Sessions, Users
from orchestrator.tasks import Tasks
from tests.support.canaries import Canaries, canaries
from tests.support.gateway import GatewayServer
from tests.support.issuer import PROJECT, AheadClock, Issuer, key
from tests.support.node_client import NodeClient
from tests.support.rest import Rest
from tests.support.server import Server
from tests.support.simulated import clean_environment
from tests.support.waiting import until
from tests.test_cli import Shell

__all__ = ["canaries"]

KEY = key("first")
NAME = "auth0|507f1f77bcf86cd799439020"
USER = user_id(NAME)


@pytest.fixture
async def issuer() -> AsyncIterator[Issuer]:
    async with Issuer.running(KEY) as running:
        yield running


@pytest.fixture
async def node() -> AsyncIterator[NodeClient]:
    async with NodeClient() as client:
        yield client


@pytest.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as session:
        yield session


@pytest.fixture
async def server(tmp_path: Path, issuer: Issuer) -> AsyncIterator[Server]:
    """`orchestrator serve` under AUTH=jwt, a process of its own."""
    options = ("--driver", "simulated", "--auth", "jwt", "--jwt-issuer", issuer.issuer, "--jwt-audience", "our-api")
    async with Server.running(tmp_path / "data", clean_environment(), *options) as running:
        yield running


def pieces(token: str) -> list[str]:
    return [part[:24] for part in token.split(".") if len(part) > 24]


async def test_every_door_asks_the_same(
    issuer: Issuer, server: Server, node: NodeClient, http: aiohttp.ClientSession
) -> None:
    """A good token opens REST and socket, in the issuer's words and in ours; a bad one opens nothing anywhere."""
    token = KEY.sign(issuer.claims(sub=NAME))
    rest = Rest(http, server.url, token)
    me = (await rest("GET", "/me")).ok(200)
    assert (me["userId"], me["operator"]) == (USER, False)
    (await rest("GET", "/bots?userId=local")).refused("forbidden")
    assert (await rest("GET", f"/bots?userId={NAME}")).ok(200)["bots"] == []
    bot = (await rest("POST", "/bots", {"name": "shop", "start": False})).ok(201)
    assert bot["userId"] == USER

    socket = await node.connect(server.url, token=token, user=NAME)
    await socket.ready()
    assert (await socket.frame("connection_update", "snapshot"))["data"]["bots"][0]["id"] == bot["id"]
    socket.disconnect()
    await socket.wait("disconnect")
    for other in ("auth0|somebody", "local", ""):
        assert (await (await node.connect(server.url, token=token, user=other)).refused())["code"] == "user_mismatch"

    expired, forged = KEY.sign(issuer.claims(sub=NAME, exp=1)), key("evil").sign(issuer.claims(sub=NAME), kid="first")
    for bad, code in ((expired, "token_expired"), (forged, "unauthorized")):
        for path in ("/me", "/bots", "/events"):
            (await Rest(http, server.url, bad)("GET", path)).refused(code)
        (await Rest(http, server.url, bad, headers={"Accept": "text/event-stream"})("GET", "/events")).refused(code)
        (await Rest(http, server.url, headers={"X-Api-Key": bad})("GET", "/me")).refused(code)
        refused = await (await node.connect(server.url, token=bad, user=NAME)).refused()
        assert (refused["code"], refused["retryable"]) == (code, False)
    assert '"why": "signature"' in server.log
    for secret in (token, expired, forged):
        assert not [piece for piece in pieces(secret) if piece in server.log]


async def test_the_page_and_the_command_line(
    issuer: Issuer, server: Server, http: aiohttp.ClientSession, tmp_path: Path
) -> None:
    """Our own tokens, codes and cookies are good beside the issuer's; an operator may name a user as the issuer does."""
    shell = Shell(
        tmp_path,
        ORCHESTRATOR_DATA_DIR=str(server.data_dir),
        ORCHESTRATOR_AUTH="jwt",
        ORCHESTRATOR_JWT_ISSUER=issuer.issuer,
        ORCHESTRATOR_JWT_AUDIENCE="our-api",
    )
    address = (await shell.ok("open", "--user", NAME)).out.strip()
    code = address.partition("#code=")[2]
    page = Rest(http, server.url, headers={"Origin": server.url})
    answer = await page("POST", "/session", {"code": code})
    answer.ok(200)
    (cookie,) = answer.cookies.values()
    seen = Rest(http, server.url, headers={"Cookie": cookie.partition(";")[0]})
    assert (await seen("GET", "/me")).ok(200)["userId"] == USER

    ours = (await shell.ok("token", "--user", NAME)).out.strip()
    assert (await Rest(http, server.url, ours)("GET", "/me")).ok(200)["userId"] == USER
    operator = (await Rest(http, server.url, server.token)("GET", "/me")).ok(200)
    assert (operator["userId"], operator["operator"]) == ("local", True)
    assert (await shell.ok("bots", "list", "--user", NAME, "--json")).json()["bots"] == []
    local = await Shell(tmp_path, ORCHESTRATOR_DATA_DIR=str(server.data_dir))("token", "--user", NAME)
    assert local.code == 2 and "ORCHESTRATOR_AUTH" in local.err
    taken = (await Rest(http, server.url, KEY.sign(issuer.claims(sub="local")))("GET", "/me")).ok(200)
    assert taken["userId"] == user_id("local") != "local"
    assert code not in server.log


async def test_an_outage_of_the_issuer(
    issuer: Issuer, server: Server, node: NodeClient, http: aiohttp.ClientSession
) -> None:
    """Known keys keep working; a server that starts without any says 503 and come back; our own tokens work."""
    token = KEY.sign(issuer.claims(sub="ada"))
    await issuer.stop()
    assert (await Rest(http, server.url, token)("GET", "/me")).ok(200)["userId"] == "ada"
    await server.stop()
    await server.start()
    answer = await Rest(http, server.url, token)("GET", "/me")
    assert answer.refused("auth_unavailable")["status"] == 503
    assert answer.headers["Retry-After"] == "5"
    refused = await (await node.connect(server.url, token=token, user="ada")).refused()
    assert (refused["code"], refused["retryable"], refused["retryAfterMs"]) == ("auth_unavailable", True, 5000)
    assert (await Rest(http, server.url, server.token)("GET", "/me")).ok(200)["operator"] is True
    assert '"event": "Sign-in keys cannot be fetched"' in server.log


async def test_firebase_on_a_whole_server(
    issuer: Issuer,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    node: NodeClient,
    http: aiohttp.ClientSession,
    canaries: Canaries,
) -> None:
    """The server that AUTH=firebase builds, with Google on loopback: REST and socket, good, revoked and expired."""
    issuer.plays_google(monkeypatch)
    claims = issuer.firebase_claims()
    issuer.accounts["ada"] = {"validSince": str(claims["iat"])}
    token = canaries.hide(KEY.sign(claims))
    settings = Settings(
        port=0,
        data_dir=tmp_path / "data",
        driver="simulated",
        auth="firebase",
        firebase_project_id=PROJECT,
        firebase_credentials=issuer.service_account(tmp_path),
    )
    tasks, failures = Tasks(), list[object]()
    tasks.failures.listen(failures.append)
    async with app.running(settings, tasks) as address:
        rest = Rest(http, address.url, token)
        assert (await rest("GET", "/me")).ok(200)["userId"] == "ada"
        socket = await node.connect(address.url, token=token, user="ada")
        await socket.ready()
        expired = canaries.hide(KEY.sign(claims | {"exp": 1000, "iat": 1}))
        (await Rest(http, address.url, expired)("GET", "/me")).refused("token_expired")
        issuer.accounts["bob"] = {"disabled": True}
        theirs = canaries.hide(KEY.sign(claims | {"sub": "bob"}))
        (await Rest(http, address.url, theirs)("GET", "/me")).refused("unauthorized")
        assert (await (await node.connect(address.url, token=theirs, user="bob")).refused())["code"] == "unauthorized"
        local_token = canaries.hide((settings.data_dir / "token").read_text().strip())
        assert (await Rest(http, address.url, local_token)("GET", "/me")).ok(200)["operator"] is True
    assert failures == []


async def test_a_withdrawn_user_loses_the_live_socket(
    issuer: Issuer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, node: NodeClient
) -> None:
    """Asked again while it is there, and anew at connect; an outage in between closes nothing."""
    issuer.plays_google(monkeypatch)
    clock, tasks = AheadClock(), Tasks()
    checker = FirebaseIssuer(FirebaseSettings(PROJECT, issuer.service_account(tmp_path)), clock, tasks)
    database = await Database.open(tmp_path / "people.db", clock)
    users, sessions = Users(database, clock), Sessions(database, clock)
    identity = await open_local(tmp_path, users, sessions, clock, checker)
    token = KEY.sign(issuer.firebase_claims())
    issuer.accounts["ada"] = {}
    quick = GatewaySettings(recheck_s=0.1)
    async with GatewayServer.running(quick, tokens=AtConnect(identity), rechecks=identity) as server:
        socket = await node.connect(server.url, token=token, user="ada")
        await socket.ready()
        issuer.mood = "html"
        clock.ahead_s += 6
        asked = issuer.asked["lookup"]
        await until(lambda: issuer.asked["lookup"] > asked)
        issuer.mood = "well"
        assert not socket.happened("disconnect")
        issuer.accounts["ada"] = {"disabled": True}
        clock.ahead_s += 11
        assert (await socket.closing())["code"] == "revoked"
        assert await socket.disconnected() == "io server disconnect"
        assert (await (await node.connect(server.url, token=token, user="ada")).refused())["code"] == "unauthorized"
    checker.close()
    await tasks.close()
    await database.close()


@pytest.mark.parametrize(
    ("options", "line"),
    [
        (["--auth", "firebase"], "FIREBASE_PROJECT_ID: AUTH=firebase needs the id of the project"),
        (
            ["--auth", "firebase", "--firebase-project-id", "p", "--firebase-credentials", "nowhere.json"],
            "FIREBASE_CREDENTIALS: nowhere.json cannot be read: No such file or directory",
        ),
        (
            ["--auth", "jwt", "--jwt-audience", "a"],
            "JWT_ISSUER: AUTH=jwt needs the issuer, exactly as `iss` in its tokens",
        ),
    ],
)
async def test_wrong_settings_are_one_line(tmp_path: Path, options: list[str], line: str) -> None:
    """The start stops with it, and nothing else is said."""
    done = await Shell(tmp_path)("serve", "--port", "0", *options)
    assert done.code in {1, 2} and done.out == ""
    assert [said for said in done.err.splitlines() if not _is_log(said)] == [line]


def _is_log(line: str) -> bool:
    try:
        return isinstance(json.loads(line), dict)
    except ValueError:
        return False


async def test_the_emulators_variable_is_one_line(tmp_path: Path) -> None:
    """With it firebase-admin would take unsigned tokens."""
    shell = Shell(tmp_path, FIREBASE_AUTH_EMULATOR_HOST="127.0.0.1:9099")
    done = await shell("serve", "--port", "0", "--auth", "firebase", "--firebase-project-id", "p")
    assert (done.code, done.out) == (2, "")
    assert done.err.startswith("FIREBASE_AUTH_EMULATOR_HOST: unset it") and done.err.count("\n") == 1
