"""When an issuer's keys are fetched: once for all, beside the work, again for an unknown key, not at all in between."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import replace

import pytest

from orchestrator.auth import jwt as auth_jwt
from orchestrator.auth.issuer import IssuerDown
from orchestrator.auth.jwt import JwtIssuer, JwtSettings
from orchestrator.auth.keys import KEEP_S, MISS_S, RENEW_S, RETRY_S, Held, Keys, plan
from orchestrator.clock import ManualClock
from orchestrator.errors import Refused
from orchestrator.tasks import Tasks
from tests.support.auth import clock, tasks
from tests.support.canaries import Canaries, canaries
from tests.support.issuer import AheadClock, Issuer, Mood, key
from tests.support.waiting import until

__all__ = ["canaries", "clock", "tasks"]

FIRST, SECOND = key("first"), key("second")
HELD = Held(frozenset({"a"}), fetched_at=1000.0)


@pytest.mark.parametrize(
    ("held", "kid", "now", "expected"),
    [
        (Held(), "a", 0.0, "fetch"),
        (Held(failed_at=0.0), "a", RETRY_S - 1, "unavailable"),
        (Held(failed_at=0.0), "a", RETRY_S, "fetch"),
        (HELD, "a", 1000.0, "use"),
        (HELD, None, 1000.0, "use"),
        (HELD, "a", 1000.0 + RENEW_S, "renew"),
        (replace(HELD, failed_at=1590.0), "a", 1000.0 + RENEW_S, "renew"),
        (replace(HELD, failed_at=1595.0), "a", 1000.0 + RENEW_S, "use"),
        (HELD, "a", 1000.0 + KEEP_S, "renew"),
        (HELD, "a", 1000.5 + KEEP_S, "fetch"),
        (replace(HELD, failed_at=1000.0 + KEEP_S), "a", 1001.0 + KEEP_S, "unavailable"),
        (HELD, "b", 1001.0, "fetch"),
        (replace(HELD, missed_at=1000.0), "b", 999.0 + MISS_S, "unknown"),
        (replace(HELD, missed_at=1000.0), "b", 1000.0 + MISS_S, "fetch"),
        (replace(HELD, failed_at=1001.0), "b", 1002.0, "unavailable"),
        (replace(HELD, failed_at=1001.0, missed_at=1000.0), "b", 1001.0 + RETRY_S, "fetch"),
    ],
)
def test_plan(held: Held, kid: str | None, now: float, expected: str) -> None:
    """Every row of the decision."""
    assert plan(held, kid, now) == expected


class Source:
    """A fetch whose answers a test hands over."""

    def __init__(self) -> None:
        self.asked: list[asyncio.Future[Mapping[str, int]]] = []

    async def __call__(self) -> Mapping[str, int]:
        self.asked.append(asyncio.get_running_loop().create_future())
        return await self.asked[-1]


async def test_all_who_wait_share_one_fetch(tasks: Tasks) -> None:
    """Also when the first of them gives up."""
    source = Source()
    keys: Keys[int] = Keys(source, ManualClock(), tasks)
    waiting = [tasks.spawn("waiter", keys.get("a")) for _ in range(50)]
    await until(lambda: source.asked)
    waiting[0].cancel()
    source.asked[0].set_result({"a": 1})
    assert [await one for one in waiting[1:]] == [{"a": 1}] * 49
    assert len(source.asked) == 1


async def test_old_keys_serve_while_new_ones_are_fetched(tasks: Tasks) -> None:
    """Nobody waits for a renewal, and a withdrawn key is gone after it."""
    source, clock = Source(), ManualClock()
    keys: Keys[int] = Keys(source, clock, tasks)
    keys.warm()
    await until(lambda: source.asked)
    source.asked[0].set_result({"a": 1})
    assert await keys.get("a") == {"a": 1}
    clock.advance(RENEW_S)
    assert [await keys.get("a") for _ in range(5)] == [{"a": 1}] * 5
    await until(lambda: len(source.asked) == 2)
    source.asked[1].set_result({"b": 2})
    await until(lambda: not tasks.statistics())
    assert await keys.get("b") == {"b": 2}


async def test_a_failed_renewal_changes_nothing(tasks: Tasks) -> None:
    """Keys are kept for six hours, and no longer."""
    source, clock = Source(), ManualClock()
    keys: Keys[int] = Keys(source, clock, tasks)
    keys.warm()
    await until(lambda: source.asked)
    source.asked[0].set_result({"a": 1})
    await until(lambda: not tasks.statistics())
    for seen in range(1, 5):
        clock.advance(KEEP_S / 4)
        assert await keys.get("a") == {"a": 1}
        await until(lambda: len(source.asked) == seen + 1)  # noqa: B023  # waited for within the round
        source.asked[seen].set_exception(IssuerDown("timeout"))
        await until(lambda: not tasks.statistics())
    clock.advance(1)
    with pytest.raises(Refused) as error:
        await keys.get("a")
    assert (error.value.code, error.value.retryable, error.value.retry_after_s) == ("auth_unavailable", True, 5.0)


# --- the same with a real JWKS --------------------------------------------------------------------------------------


@pytest.fixture
async def issuer() -> AsyncIterator[Issuer]:
    async with Issuer.running(FIRST) as running:
        yield running


@pytest.fixture
def checker(issuer: Issuer, clock: AheadClock, tasks: Tasks) -> JwtIssuer:
    url = f"{issuer.url}/.well-known/jwks.json"
    return JwtIssuer(JwtSettings(url, issuer.issuer, ("our-api",), ()), clock, tasks)


async def code(checker: JwtIssuer, token: str) -> str | None:
    """The refusal, or None."""
    try:
        await checker.verify(token)
    except Refused as refused:
        return refused.code
    return None


def far(issuer: Issuer) -> Callable[[str], str]:
    """Sign tokens that outlive the clock's jumps."""
    return lambda kid: key(kid).sign(issuer.claims())


async def test_rotation(issuer: Issuer, checker: JwtIssuer, clock: AheadClock) -> None:
    """A token of a new key is good at once; made-up keys cost one fetch in five minutes."""
    sign = far(issuer)
    assert await code(checker, sign("first")) is None
    issuer.keys = [FIRST, SECOND]
    assert await code(checker, sign("second")) is None
    assert issuer.asked["jwks"] == 2
    for number in range(20):
        assert await code(checker, sign("second").replace(".", f".{number}", 1)) == "unauthorized"
        assert await code(checker, FIRST.sign(issuer.claims(), kid=f"made-up-{number}")) == "unauthorized"
    assert issuer.asked["jwks"] == 3
    clock.ahead_s += MISS_S + 1
    assert await code(checker, FIRST.sign(issuer.claims(), kid="made-up")) == "unauthorized"
    assert issuer.asked["jwks"] == 4


async def test_a_withdrawn_key_ends(issuer: Issuer, checker: JwtIssuer, clock: AheadClock) -> None:
    """After the next renewal its tokens count no more."""
    sign = far(issuer)
    assert await code(checker, sign("first")) is None
    issuer.keys = [SECOND]
    clock.ahead_s += RENEW_S
    assert await code(checker, sign("first")) is None
    await until(lambda: issuer.asked["jwks"] == 2)
    await until(lambda: not checker._keys._flight)
    assert await code(checker, sign("first")) == "unauthorized"
    assert await code(checker, sign("second")) is None


async def test_an_outage_is_not_a_bad_token(
    issuer: Issuer, checker: JwtIssuer, clock: AheadClock, canaries: Canaries
) -> None:
    """Known keys keep working; what cannot be known is told to come back; the operator reads it once."""
    sign = far(issuer)
    await issuer.stop()
    assert await code(checker, canaries.hide(sign("first"))) == "auth_unavailable"
    await issuer.start()
    assert await code(checker, sign("first")) == "auth_unavailable", "asked again too soon"
    clock.ahead_s += RETRY_S
    assert await code(checker, sign("first")) is None
    await issuer.stop()
    for _ in range(10):
        clock.ahead_s += RENEW_S
        assert await code(checker, sign("first")) is None
        assert await code(checker, sign("second")) == "auth_unavailable"
        assert await code(checker, FIRST.sign(issuer.claims(exp=1))) == "token_expired"
    issuer.keys = [SECOND]
    await issuer.start()
    clock.ahead_s += RETRY_S
    assert await code(checker, sign("second")) is None
    assert len(canaries.told("Sign-in keys cannot be fetched")) == 2
    assert len(canaries.told("Sign-in keys can be fetched again")) == 2


@pytest.mark.parametrize(
    ("mood", "reason"),
    [
        ("error", "status 503"),
        ("hangs", "timeout"),
        ("html", "no usable keys"),
        ("empty", "no usable keys"),
        ("moved", "status 302"),
        ("endless", "answer too large"),
    ],
)
async def test_an_issuer_that_answers_badly(
    issuer: Issuer,
    checker: JwtIssuer,
    canaries: Canaries,
    monkeypatch: pytest.MonkeyPatch,
    mood: Mood,
    reason: str,
) -> None:
    """Down, slow, moved or talking nonsense: unavailable in bounded time, one request, nothing of it in the log."""
    monkeypatch.setattr(auth_jwt, "NETWORK_S", 0.2)
    issuer.mood = mood
    canaries.hide("canary-issuer-page")
    token = canaries.hide(far(issuer)("first"))
    async with asyncio.timeout(3):
        codes = await asyncio.gather(*(code(checker, token) for _ in range(20)))
    assert codes == ["auth_unavailable"] * 20
    assert issuer.asked.total() == 1
    (line,) = canaries.told("Sign-in keys cannot be fetched")
    assert (line["why"], line["usable"]) == (reason, False)
