"""Local tokens, the key and token files, one-time codes and page sessions."""

from __future__ import annotations

import base64
import json
import stat
import subprocess
import sys
import warnings
from collections.abc import AsyncIterator
from pathlib import Path

import jwt
import pytest

from orchestrator.auth import local
from orchestrator.auth.local import LocalTokens, check, open_key, parse_ttl, read_key, sign
from orchestrator.auth.principal import Identity, open_local
from orchestrator.clock import ManualClock, SystemClock
from orchestrator.errors import Refused
from orchestrator.model import Principal
from orchestrator.store.database import Database
from orchestrator.store.sessions import Sessions, Users

KEY = b"0123456789abcdef0123456789abcdef"
NOW_MS = 1_790_000_000_000


def refused(token: str, key: bytes = KEY, now_ms: int = NOW_MS) -> str:
    with pytest.raises(Refused) as error:
        check(key, token, now_ms)
    for part in token.split("."):
        assert len(part) < 8 or part not in str(error.value), "the refusal holds a piece of the token"
    return error.value.code


def test_a_token_says_whose_it_is() -> None:
    """User, operator and end come back as they were signed."""
    token, expires_at_ms = sign(KEY, "ada", 60, operator=True, now_ms=NOW_MS)
    assert check(KEY, token, NOW_MS) == Principal("ada", True, expires_at_ms)
    assert expires_at_ms == NOW_MS + 60_000
    plain, _ = sign(KEY, "bob", 60, operator=False, now_ms=NOW_MS)
    assert check(KEY, plain, NOW_MS).operator is False


def test_a_token_ends_at_its_time() -> None:
    """To the millisecond, by the clock handed in."""
    token, expires_at_ms = sign(KEY, "ada", 60, operator=False, now_ms=NOW_MS)
    assert check(KEY, token, expires_at_ms - 1).user == "ada"
    assert refused(token, now_ms=expires_at_ms) == "token_expired"


def forged(claims: dict[str, object], algorithm: str = "HS256", key: bytes = KEY) -> str:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # PyJWT would rather have a longer key for the algorithms we refuse
        return jwt.encode(claims, key, algorithm=algorithm)


GOOD: dict[str, object] = {"iss": "orchestrator", "sub": "ada", "op": False, "exp": NOW_MS // 1000 + 60}


@pytest.mark.parametrize(
    "token",
    [
        "",
        "x",
        "a.b.c",
        "eyJ" * 4000,
        forged(GOOD, key=b"another key of 32 bytes.........."),
        forged(GOOD, algorithm="HS384"),
        forged({**GOOD, "iss": "somebody"}),
        forged({key: value for key, value in GOOD.items() if key != "exp"}),
        forged({key: value for key, value in GOOD.items() if key != "iss"}),
        forged({**GOOD, "sub": "../../etc"}),
        forged({**GOOD, "sub": ""}),
        forged({**GOOD, "sub": "a" * 65}),
        forged({**GOOD, "op": "yes"}),
        forged({**GOOD, "op": 1}),
        forged({**GOOD, "exp": "tomorrow"}),
        jwt.encode(GOOD, "", algorithm="none"),
    ],
)
def test_anything_else_is_unauthorized(token: str) -> None:
    """Other keys, algorithms, issuers, malformed claims, `none`."""
    assert refused(token) == "unauthorized"


def test_a_changed_claim_breaks_the_signature() -> None:
    """Making oneself an operator needs the key."""
    head, body, tail = sign(KEY, "ada", 60, operator=False, now_ms=NOW_MS)[0].split(".")
    claims = json.loads(base64.urlsafe_b64decode(body + "=="))
    claims["op"] = True
    changed = base64.urlsafe_b64encode(json.dumps(claims).encode()).rstrip(b"=").decode()
    assert refused(f"{head}.{changed}.{tail}") == "unauthorized"


@pytest.mark.parametrize(
    ("text", "seconds"), [("3600", 3600), ("90s", 90), ("30m", 1800), ("12h", 43200), ("7d", 604800)]
)
def test_ttls_are_read_with_their_units(text: str, seconds: int) -> None:
    """As the command line shows them."""
    assert parse_ttl(text) == seconds


@pytest.mark.parametrize("text", ["", "0", "0h", "-1h", "1w", "h", "1.5h", "999999d", "١h"])
def test_other_ttls_are_named_as_wrong(text: str) -> None:
    """The line names the option and an example."""
    with pytest.raises(ValueError, match="--ttl"):
        parse_ttl(text)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_the_key_is_made_once_and_private(tmp_path: Path) -> None:
    """The same key at every start, readable by its owner only, nothing left beside it."""
    key = open_key(tmp_path)
    assert len(key) == 32
    assert open_key(tmp_path) == key == read_key(tmp_path)
    assert mode(tmp_path / local.KEY_FILE) == 0o600
    assert [path.name for path in tmp_path.iterdir()] == [local.KEY_FILE]


def test_two_servers_that_start_at_once_agree_on_the_key(tmp_path: Path) -> None:
    """The file appears whole or not at all, and the first one wins."""
    program = (
        "import sys, pathlib; from orchestrator.auth.local import open_key;"
        "print(open_key(pathlib.Path(sys.argv[1])).hex())"
    )
    running = [
        subprocess.Popen([sys.executable, "-c", program, str(tmp_path)], stdout=subprocess.PIPE, text=True)
        for _ in range(4)
    ]
    keys = {process.communicate(timeout=30)[0] for process in running}
    assert len(keys) == 1
    assert len(keys.pop().strip()) == 64


@pytest.mark.parametrize("content", ["", "zz", "00"])
def test_a_damaged_key_file_stops_the_start_with_one_line(tmp_path: Path, content: str) -> None:
    """It is never replaced silently: every token would end."""
    (tmp_path / local.KEY_FILE).write_text(content)
    with pytest.raises(ValueError, match="damaged"):
        open_key(tmp_path)


def test_a_token_can_be_signed_without_a_server(tmp_path: Path) -> None:
    """`orchestrator token` needs only the data directory, and says so when it is not one."""
    with pytest.raises(ValueError, match="orchestrator serve"):
        local.issue(tmp_path, "ada", 60, operator=False)
    key = open_key(tmp_path)
    token = local.issue(tmp_path, "ada", 60, operator=False)
    assert LocalTokens(key, SystemClock()).verify(token).user == "ada"
    with pytest.raises(ValueError, match="--user"):
        local.issue(tmp_path, "not a user", 60, operator=False)


# --- the server's sign-in -------------------------------------------------------------------------------------------


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    opened = await Database.open(tmp_path / "orchestrator.db", SystemClock())
    yield opened
    await opened.close()


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
async def identity(tmp_path: Path, database: Database, clock: ManualClock) -> Identity:
    return await open_local(tmp_path, Users(database, clock), Sessions(database, clock), clock)


async def test_a_start_makes_the_operator_and_a_fresh_token_file(
    tmp_path: Path, database: Database, clock: ManualClock
) -> None:
    """User `local` is an operator; the file is private and new at each start; the key stays."""
    users, sessions = Users(database, clock), Sessions(database, clock)
    first = await open_local(tmp_path, users, sessions, clock)
    token = (tmp_path / "token").read_text().strip()
    assert mode(tmp_path / "token") == 0o600
    who = await first.verify(token)
    assert (who.user, who.operator) == ("local", True)
    assert await users.operators() == ["local"]
    clock.advance(1)
    second = await open_local(tmp_path, users, sessions, clock)
    again = (tmp_path / "token").read_text().strip()
    assert again != token
    assert (await second.verify(again)).operator
    assert (await second.verify(token)).operator


async def test_a_code_opens_one_session(identity: Identity) -> None:
    """One use; the cookie proves the user and gives fresh tokens of 10 minutes."""
    code, _ = identity.code("ada", operator=False)
    signed = await identity.swap(code)
    assert (signed.principal.user, signed.principal.operator) == ("ada", False)
    who = await identity.cookie(signed.cookie)
    assert who == signed.principal
    token, expires_at_ms = identity.fresh_token(who)
    assert await identity.verify(token) == Principal("ada", False, expires_at_ms)
    with pytest.raises(Refused) as used:
        await identity.swap(code)
    assert used.value.code == "unauthorized"


async def test_a_code_ends_after_five_minutes(identity: Identity, clock: ManualClock) -> None:
    """Unused codes end by themselves."""
    code, expires_at_ms = identity.code("ada", operator=True)
    assert expires_at_ms == clock.wall_ms() + 300_000
    clock.advance(300)
    with pytest.raises(Refused) as old:
        await identity.swap(code)
    assert old.value.code == "unauthorized"
    assert code not in str(old.value)


async def test_codes_do_not_pile_up(identity: Identity) -> None:
    """The oldest of very many gives way; the newest works."""
    first, _ = identity.code("ada", operator=False)
    for _ in range(1000):
        last, _ = identity.code("ada", operator=False)
    with pytest.raises(Refused):
        await identity.swap(first)
    assert (await identity.swap(last)).principal.user == "ada"


async def test_sessions_survive_a_restart_and_end_for_good(
    tmp_path: Path, database: Database, identity: Identity, clock: ManualClock
) -> None:
    """Stored; signing out ends one; 30 days end all."""
    out = await identity.swap(identity.code("ada", operator=False)[0])
    stays = await identity.swap(identity.code("ada", operator=True)[0])
    restarted = await open_local(tmp_path, Users(database, clock), Sessions(database, clock), clock)
    assert (await restarted.cookie(stays.cookie)).operator
    await restarted.sign_out(out.cookie)
    await restarted.sign_out("never heard of")
    with pytest.raises(Refused) as gone:
        await identity.cookie(out.cookie)
    assert gone.value.code == "unauthorized"
    clock.advance(30 * 86400)
    with pytest.raises(Refused) as ended:
        await identity.cookie(stays.cookie)
    assert ended.value.code == "token_expired"


async def test_the_database_holds_no_cookie(tmp_path: Path, database: Database, identity: Identity) -> None:
    """Only hashes: a stolen copy of the file signs nobody in."""
    signed = await identity.swap(identity.code("ada", operator=False)[0])
    await database.close()
    stored = b"".join(path.read_bytes() for path in tmp_path.iterdir() if path.is_file())
    assert signed.cookie.encode() not in stored
