"""Revoked, disabled and deleted accounts, asked about by the real firebase-admin; Google is a server on loopback."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import pytest

from orchestrator.auth.firebase import FirebaseIssuer
from tests.support.auth import clock, tasks
from tests.support.canaries import Canaries, canaries
from tests.support.firebase import FIRST, asker, code, google, quick, refused, why
from tests.support.issuer import AheadClock, Issuer
from tests.support.waiting import until

__all__ = ["asker", "canaries", "clock", "google", "quick", "tasks"]


async def test_revoked_disabled_and_deleted(
    google: Issuer, asker: FirebaseIssuer, clock: AheadClock, canaries: Canaries
) -> None:
    """Told apart to the operator; refused at connect and when a live socket is looked at again."""
    canaries.hide(google.access_token)
    claims = google.firebase_claims()
    token = canaries.hide(FIRST.sign(claims))
    google.accounts["ada"] = {"validSince": str(claims["iat"])}
    who = await asker.verify(token)
    assert await asker.still_valid(who) is None
    rows: list[tuple[dict[str, dict[str, Any]], str]] = [
        ({"ada": {"validSince": str(claims["iat"] + 1)}}, "revoked"),
        ({"ada": {"disabled": True}}, "disabled"),
        ({}, "deleted"),
    ]
    for google.accounts, reason in rows:
        clock.ahead_s += 6
        refusal = await asker.still_valid(who)
        assert refusal is not None and refusal.code == "unauthorized" and not refusal.retryable
        canaries.saw(refusal)
        assert why(canaries) == reason
        assert await code(asker, token) == "unauthorized"
    google.accounts["ada"] = {}
    clock.ahead_s += 6
    assert await asker.still_valid(who) is None
    assert await code(asker, token) is None


async def test_requests_do_not_ask_each_time(google: Issuer, asker: FirebaseIssuer, clock: AheadClock) -> None:
    """An answer serves requests for five minutes, and the socket that connects right after."""
    google.accounts["ada"] = {}
    token = FIRST.sign(google.firebase_claims())
    who = await asker.verify(token)
    assert await asker.still_valid(who) is None
    clock.ahead_s += 299
    await asker.verify(token)
    assert google.asked["lookup"] == 1
    assert await asker.still_valid(who) is None
    assert google.asked["lookup"] == 2
    google.accounts = {}
    clock.ahead_s += 301
    assert await code(asker, token) == "unauthorized"


async def test_a_thousand_at_once(google: Issuer, asker: FirebaseIssuer) -> None:
    """Everybody comes back after a restart; everybody is asked about once, many at a time."""
    users = [f"user{number}" for number in range(1000)]
    google.accounts = {user: {} for user in users}
    tokens = [FIRST.sign(google.firebase_claims(sub=user)) for user in users]
    found = await asyncio.gather(*(asker.verify(token) for token in tokens))
    assert [who.user for who in found] == users
    assert sum(google.batches) == 1000 and max(google.batches) <= 100


async def test_accounts_cannot_be_asked_about(
    quick: None, google: Issuer, asker: FirebaseIssuer, clock: AheadClock, canaries: Canaries
) -> None:
    """Whoever was good within the hour stays and comes in; whoever is not known is told to come back; nobody waits."""
    canaries.hide(google.access_token)
    google.accounts["ada"] = google.accounts["bob"] = {}
    claims = google.firebase_claims(exp=int(time.time()) + 86400)
    ada, bob = FIRST.sign(claims), FIRST.sign(claims | {"sub": "bob"})
    who = await asker.verify(ada)
    google.mood = "hangs"
    clock.ahead_s += 301
    async with asyncio.timeout(3):
        assert await asker.still_valid(who) is None
        assert await code(asker, ada) is None
        assert await code(asker, bob) == "auth_unavailable"
        assert google.asked["lookup"] <= 3, "asked again at once"  # the library itself reads a second time
        clock.ahead_s += 3600
        refusal = await asker.still_valid(who)
    assert refusal is not None and refusal.code == "auth_unavailable"
    (line,) = canaries.told("Accounts cannot be looked up")
    assert line["why"] == "timeout"
    google.mood = "well"
    clock.ahead_s += 11
    assert await code(asker, bob) is None
    assert canaries.told("Accounts can be looked up again")


@pytest.mark.parametrize("mood", ["error", "html"])
async def test_accounts_answered_badly(
    quick: None, google: Issuer, asker: FirebaseIssuer, canaries: Canaries, mood: Any
) -> None:
    """An outage, not a bad token; neither the page nor the server's own token is repeated."""
    canaries.hide("canary-issuer-page")
    canaries.hide(google.access_token)
    google.accounts["ada"] = {}
    asker.warm()
    await until(lambda: asker._kept.data != b"{}")
    google.mood = mood
    assert await refused(asker, FIRST.sign(google.firebase_claims()), canaries) == "auth_unavailable"
