"""firebase-admin with Google on loopback: fixtures of the tests of AUTH=firebase, and how they ask.

Owns building and closing. It must never know which answer a test expects. Read `issuer.py` next.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from orchestrator.auth import firebase
from orchestrator.auth.firebase import FirebaseIssuer, FirebaseSettings
from orchestrator.errors import Refused
from orchestrator.tasks import Tasks
from tests.support.canaries import Canaries
from tests.support.issuer import PROJECT, AheadClock, Issuer, key

FIRST, SECOND = key("first"), key("second")
"""Google's keys; it has the first."""


@pytest.fixture
async def google(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Issuer]:
    """Google, as far as firebase-admin can tell."""
    async with Issuer.running(FIRST) as running:
        running.plays_google(monkeypatch)
        yield running


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody waits five seconds."""
    monkeypatch.setattr(firebase, "NETWORK_S", 0.3)


@pytest.fixture
async def checker(google: Issuer, clock: AheadClock, tasks: Tasks) -> AsyncIterator[FirebaseIssuer]:
    """Without credentials: tokens are checked, accounts are not asked about."""
    made = FirebaseIssuer(FirebaseSettings(PROJECT, None), clock, tasks)
    yield made
    made.close()


@pytest.fixture
async def asker(google: Issuer, clock: AheadClock, tasks: Tasks, tmp_path: Path) -> AsyncIterator[FirebaseIssuer]:
    """With a service account."""
    made = FirebaseIssuer(FirebaseSettings(PROJECT, google.service_account(tmp_path)), clock, tasks)
    yield made
    made.close()


async def refused(checker: FirebaseIssuer, token: str, canaries: Canaries) -> str:
    """Assert that a token is refused; return the code."""
    with pytest.raises(Refused) as error:
        await checker.verify(canaries.hide(token))
    canaries.saw(error.value)
    return error.value.code


async def code(checker: FirebaseIssuer, token: str) -> str | None:
    """The refusal, or None."""
    try:
        await checker.verify(token)
    except Refused as refusal:
        return refusal.code
    return None


def why(canaries: Canaries) -> str:
    """What the operator reads about the last refusal."""
    return str(canaries.told("Token refused")[-1]["why"])
