"""How often a user may ask: the arithmetic, the headers, the refusal, and that users don't share."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.api.limits import TABLE, Allowance, Allowances, Bucket, take
from tests.support.api import serving

PLAIN = Allowance("x", 5, 10.0)
EXACT = Allowance("x", 5, 10.0, exact=True)


@given(st.lists(st.floats(0, 30), min_size=1, max_size=60), st.sampled_from([PLAIN, EXACT]))
def test_no_more_than_what_came_back(gaps: list[float], allowance: Allowance) -> None:
    """In any window of time no more is allowed than the burst and what came back in it; exact ones: than the burst."""
    now, bucket, allowed = 0.0, None, list[float]()
    for gap in gaps:
        now += gap
        bucket, taken = take(bucket, allowance, now)
        assert 0 <= taken.left <= taken.limit == 5 and taken.reset_s >= 0
        assert taken.allowed == (taken.retry_after_s == 0.0)
        if taken.allowed:
            allowed.append(now)
    for first in allowed:
        within = [at for at in allowed if first <= at < first + allowance.refill_s]
        assert len(within) <= (5 if allowance.exact else 10)


@given(st.lists(st.floats(0, 3), min_size=6, max_size=40), st.sampled_from([PLAIN, EXACT]))
def test_who_waits_as_told_is_let_in(gaps: list[float], allowance: Allowance) -> None:
    """After the time a refusal names the next one is allowed; not before."""
    now, bucket = 0.0, None
    for gap in gaps:
        now += gap
        bucket, taken = take(bucket, allowance, now)
        if not taken.allowed:
            assert not take(bucket, allowance, now + taken.retry_after_s * 0.99 - 0.001)[1].allowed
            assert take(bucket, allowance, now + taken.retry_after_s + 1e-6)[1].allowed


def test_a_clock_that_goes_back_gives_nothing() -> None:
    """Time that does not pass brings nothing back."""
    bucket = Bucket(0.0, 100.0)
    assert not take(bucket, PLAIN, 50.0)[1].allowed


def test_full_buckets_are_forgotten() -> None:
    """Memory is bounded by who asked lately, not by who ever asked."""
    allowances = Allowances()
    for number in range(1000):
        allowances.take(f"user {number}", "read", 0.0)
    allowances.take("ada", "proxy_check", 0.0)
    for _ in range(600):
        allowances.take("ada", "read", 60.0)
    assert len(allowances) == 2
    assert allowances.take("ada", "proxy_check", 60.0).left == 8


async def test_answers_tell_what_is_left(tmp_path: Path) -> None:
    """Every answer to a user carries the RateLimit fields; past the limit it is 429 until Retry-After has passed."""
    async with serving(tmp_path) as api:
        api.parts.allowances._table = {**TABLE, "read": Allowance("x", 3, 6.0)}
        ada = api.by("ada")
        left = []
        for _ in range(3):
            answer = await ada("GET", "/me")
            answer.ok(200)
            left.append((answer.headers["RateLimit-Limit"], answer.headers["RateLimit-Remaining"]))
        assert left == [("3", "2"), ("3", "1"), ("3", "0")]
        refused = await ada("GET", "/me")
        refused.refused("rate_limited")
        assert (refused.headers["Retry-After"], refused.headers["RateLimit-Reset"]) == ("2", "6")
        (await api.by("bob")("GET", "/me")).ok(200)
        (await ada("POST", "/session/code", {})).ok(200)
        api.clock.advance(2)
        (await ada("GET", "/me")).ok(200)
        assert "RateLimit-Limit" not in (await api.rest("GET", "//healthz")).headers


async def test_refusals_cost_as_well(tmp_path: Path) -> None:
    """A request that is refused counts, and its answer says so; who is nobody has nothing to spend."""
    async with serving(tmp_path) as api:
        answer = await api.by("ada")("GET", "/events", after="x")
        answer.refused("invalid_field", "after")
        assert answer.headers["RateLimit-Remaining"] == str(TABLE["read"].burst - 1)
        answer = await api.rest.as_("wrong")("GET", "/me")
        answer.refused("unauthorized")
        assert "RateLimit-Limit" not in answer.headers


@pytest.mark.parametrize("name", list(TABLE))
def test_the_table_is_sane(name: str) -> None:
    """Whole numbers that a person can be told."""
    allowance = TABLE[name]  # type: ignore[index]
    assert allowance.burst >= 10 and allowance.refill_s >= 1 and allowance.what and allowance.pace
