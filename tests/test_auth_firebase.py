"""AUTH=firebase on real ID tokens, checked by the real firebase-admin; Google is a server on loopback."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import firebase_admin._token_gen
import firebase_admin.auth
import jwt
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from orchestrator.auth import firebase
from orchestrator.auth.firebase import FirebaseIssuer, FirebaseSettings
from orchestrator.auth.keys import RETRY_S
from orchestrator.auth.names import user_id
from orchestrator.errors import Refused
from orchestrator.model import Principal
from orchestrator.settings import FIREBASE_EMULATOR
from orchestrator.tasks import Tasks
from tests.support.auth import clock, tasks
from tests.support.canaries import Canaries, canaries
from tests.support.examples import examples
from tests.support.firebase import FIRST, SECOND, checker, code, google, quick, refused, why
from tests.support.issuer import PROJECT, AheadClock, Issuer, by_hand, key, segment
from tests.support.waiting import until

__all__ = ["canaries", "checker", "clock", "google", "quick", "tasks"]

# --- tokens ---------------------------------------------------------------------------------------------------------


def test_the_members_that_are_not_public_are_where_they_were() -> None:
    """The two members of the pinned library that this server uses beside its interface."""
    app = firebase_admin.App("pin", firebase._credential(None), {"projectId": PROJECT, "httpTimeout": 5.0})
    verifier = firebase_admin.auth.Client(app)._token_verifier
    assert verifier.id_token_verifier.cert_url == firebase_admin._token_gen.ID_TOKEN_CERT_URI
    assert verifier.id_token_verifier.cert_url.startswith("https://www.googleapis.com/")
    assert verifier.request.timeout_seconds == 5.0


async def test_a_token_says_whose_it_is(google: Issuer, checker: FirebaseIssuer) -> None:
    """Certificates are fetched once; a claim makes nobody an operator."""
    claims = google.firebase_claims(operator=True, op=True)
    token = FIRST.sign(claims)
    expected = Principal("ada", False, claims["exp"] * 1000, None, "ada", claims["iat"] * 1000)
    assert await asyncio.gather(*(checker.verify(token) for _ in range(20))) == [expected] * 20
    assert await checker.still_valid(expected) is None
    assert google.asked == {"certificates": 1}


async def test_warming_fetches_before_anybody_comes(google: Issuer, checker: FirebaseIssuer) -> None:
    """The first user does not wait for Google."""
    checker.warm()
    await until(lambda: checker._kept.data != b"{}")
    await google.stop()
    assert await code(checker, FIRST.sign(google.firebase_claims())) is None


async def test_uids_that_are_no_identifiers(google: Issuer, checker: FirebaseIssuer) -> None:
    """Custom sign-in may use anything as uid."""
    who = await checker.verify(FIRST.sign(google.firebase_claims(sub="line:U123/ä")))
    assert who.user == user_id("line:U123/ä") and who.answers_to("line:U123/ä") and who.account == "line:U123/ä"


async def test_another_claim_can_name_the_user(google: Issuer, clock: AheadClock, tasks: Tasks) -> None:
    """FIREBASE_USER_CLAIM; the account asked about stays the uid's."""
    checker = FirebaseIssuer(FirebaseSettings(PROJECT, None, "customer"), clock, tasks)
    who = await checker.verify(FIRST.sign(google.firebase_claims(customer="acme-1")))
    assert (who.user, who.account) == ("acme-1", "ada")
    assert await code(checker, FIRST.sign(google.firebase_claims())) == "unauthorized"
    checker.close()


async def test_clocks_may_differ_a_little(google: Issuer, checker: FirebaseIssuer) -> None:
    """Ten seconds, both ways."""
    now = int(time.time())
    await checker.verify(FIRST.sign(google.firebase_claims(exp=now - 5, iat=now - 3600)))
    await checker.verify(FIRST.sign(google.firebase_claims(iat=now + 5)))


NOW = int(time.time())
BAD_CLAIMS: list[tuple[str, dict[str, Any], str]] = [
    ("expired", {"exp": NOW - 60, "iat": NOW - 3660}, "expired"),
    ("not yet valid", {"iat": NOW + 36_000}, "not_yet"),
    ("another project", {"aud": "their-project"}, "audience"),
    ("another project's issuer", {"iss": "https://securetoken.google.com/their-project"}, "issuer"),
    ("a custom token's audience", {"aud": firebase_admin._token_gen.FIREBASE_AUDIENCE}, "malformed"),
    ("no audience", {"aud": None}, "audience"),
    ("no issuer", {"iss": None}, "issuer"),
    ("nobody", {"sub": None}, "claim"),
    ("a name that is empty", {"sub": ""}, "claim"),
    ("a name that is a number", {"sub": 7}, "claim"),
    ("a name that is too long", {"sub": "a" * 129}, "claim"),
    ("no end", {"exp": None}, "malformed"),
    ("an end that is no time", {"exp": "tomorrow"}, "malformed"),
    ("a tenant's user", {"firebase": {"tenant": "acme"}}, "tenant"),
]


@pytest.mark.parametrize(("changes", "reason"), [row[1:] for row in BAD_CLAIMS], ids=[row[0] for row in BAD_CLAIMS])
async def test_wrong_claims(
    google: Issuer, checker: FirebaseIssuer, canaries: Canaries, changes: dict[str, Any], reason: str
) -> None:
    """Signed by Google, and not for us, or not now; the operator's log says what was wrong."""
    expected = "token_expired" if reason == "expired" else "unauthorized"
    # PyJWT signs no `sub` that is not text; the signature is made over what the row says.
    claims = google.firebase_claims(**changes)
    token = jwt.api_jws.encode(json.dumps(claims).encode(), FIRST.private, "RS256", {"kid": "first"})
    assert await refused(checker, token, canaries) == expected
    assert why(canaries) == reason


async def test_forged_heads(google: Issuer, checker: FirebaseIssuer, canaries: Canaries) -> None:
    """`none`, a certificate as HMAC secret, another's key, an unknown key, a legacy token's shape."""
    claims = google.firebase_claims()
    evil, head = key("evil"), {"alg": "HS256", "typ": "JWT"}
    legacy = {"v": 0, "d": 5, "iat": 1}
    forged = {
        "none": by_hand({"alg": "none", "kid": "first"}, claims),
        "none without a key": by_hand({"alg": "none"}, claims),
        "public key as secret": jwt.encode(claims, b"k" * 32, algorithm="HS256", headers={"kid": "first"}),
        "another's signature": evil.sign(claims, kid="first"),
        "an expired one of another": evil.sign(claims | {"exp": 1}, kid="first"),
        "unknown key": evil.sign(claims),
        "no key": FIRST.sign(claims, kid=""),
        "RS512": jwt.encode(claims, FIRST.private, algorithm="RS512", headers={"kid": "first"}),
        "legacy": by_hand(head, legacy, b"x"),
        "legacy with our algorithm": by_hand({"alg": "RS256", "kid": "first"}, legacy, b"x"),
        "a list for claims": by_hand({"alg": "RS256", "kid": "first"}, [1], b"x"),
        "no JSON": f"{segment({'alg': 'RS256', 'kid': 'first'})}.{segment(b'x' * 99)}.{segment(b'y' * 99)}",
        "deep": f"{segment({'alg': 'RS256', 'kid': 'first'})}.{segment(b'[' * 9000)}.{segment(b'y' * 99)}",
        "empty": "",
        "noise": "eyJhbGciOiJub25lIn0",
    }
    for name, token in forged.items():
        assert await refused(checker, token, canaries) == "unauthorized", name
    reasons = {line["why"] for line in canaries.told("Token refused")}
    assert reasons == {"algorithm", "signature", "key", "malformed", "audience"}


@settings(max_examples=examples(150), suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(cut=st.integers(0, 500), put=st.one_of(st.binary(max_size=40), st.text(max_size=40)), whole=st.booleans())
async def test_whatever_arrives_is_refused_or_known(
    google: Issuer, checker: FirebaseIssuer, cut: int, put: bytes | str, whole: bool
) -> None:
    """Mutilated tokens and plain noise end in a refusal, never in a bug; what is accepted was signed to the letter."""
    token = FIRST.sign(google.firebase_claims())
    noise = put if isinstance(put, str) else segment(put)
    mutilated = noise if whole else token[:cut] + noise + token[cut:]
    try:
        who = await checker.verify(mutilated)
    except Refused as error:
        assert error.code in {"unauthorized", "token_expired"}
    else:
        assert mutilated.rpartition(".")[0] == token.rpartition(".")[0] and who.user == "ada"


def test_the_emulators_variable_stops_the_start(
    monkeypatch: pytest.MonkeyPatch, clock: AheadClock, tasks: Tasks
) -> None:
    """With it the library would take unsigned tokens."""
    monkeypatch.setenv(FIREBASE_EMULATOR, "127.0.0.1:9099")
    with pytest.raises(ValueError, match=f"{FIREBASE_EMULATOR} is set"):
        FirebaseIssuer(FirebaseSettings(PROJECT, None), clock, tasks)


@pytest.mark.parametrize("content", [None, "", "[]", "{}", '{"type": "service_account"}', '{"private_key": "canary"}'])
def test_credentials_that_cannot_be_used(tmp_path: Path, clock: AheadClock, content: str | None) -> None:
    """One line that names the file and holds nothing of it."""
    path = tmp_path / "key.json"
    if content is not None:
        path.write_text(content)
    with pytest.raises(ValueError, match="FIREBASE_CREDENTIALS: ") as error:
        FirebaseIssuer(FirebaseSettings(PROJECT, path), clock, Tasks())
    assert str(path) in str(error.value) and "canary" not in str(error.value) and "\n" not in str(error.value)


def test_other_auths_do_not_pay_for_the_library() -> None:
    """The server of AUTH=local never imports it."""
    program = "import sys, orchestrator.app, orchestrator.cli; sys.exit('firebase_admin' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


# --- Google is down, or slow ----------------------------------------------------------------------------------------


async def test_certificates_are_kept_through_an_outage(
    google: Issuer, checker: FirebaseIssuer, clock: AheadClock, canaries: Canaries
) -> None:
    """Known ones keep working for hours; rotation is noticed; what cannot be known is told to come back."""
    claims = google.firebase_claims(exp=int(time.time()) + 86400)
    old, new = canaries.hide(FIRST.sign(claims)), SECOND.sign(claims)
    await google.stop()
    assert await code(checker, old) == "auth_unavailable"
    await google.start()
    clock.ahead_s += RETRY_S
    assert await code(checker, old) is None
    await google.stop()
    for number in range(10):
        clock.ahead_s += 600
        fresh = FIRST.sign(claims | {"n": number})
        assert await code(checker, fresh) is None
        assert await code(checker, new) == "auth_unavailable"
        assert await code(checker, SECOND.sign(claims, kid="first")) == "unauthorized"
    google.keys = [FIRST, SECOND]
    await google.start()
    clock.ahead_s += RETRY_S
    assert await code(checker, new) is None
    assert len(canaries.told("Sign-in keys cannot be fetched")) == 2


async def test_rotation_goes_past_the_librarys_cache(google: Issuer, checker: FirebaseIssuer) -> None:
    """Google says its certificates may be kept for hours; a token of a new one is good at once all the same."""
    assert await code(checker, FIRST.sign(google.firebase_claims())) is None
    google.keys = [SECOND]
    assert await code(checker, SECOND.sign(google.firebase_claims())) is None
    assert await code(checker, FIRST.sign(google.firebase_claims(n=1))) == "unauthorized"


@pytest.mark.parametrize("mood", ["error", "hangs", "html", "empty"])
async def test_google_answers_badly(
    quick: None, google: Issuer, checker: FirebaseIssuer, canaries: Canaries, mood: Any
) -> None:
    """Unavailable in bounded time, and the threads that hang hold nobody up."""
    google.mood = mood
    canaries.hide("canary-issuer-page")
    token = canaries.hide(FIRST.sign(google.firebase_claims()))
    async with asyncio.timeout(3):
        codes = await asyncio.gather(*(code(checker, token) for _ in range(20)))
    assert codes == ["auth_unavailable"] * 20
    assert google.asked.total() == 1
    for thread in threading.enumerate():
        assert not thread.name.startswith("firebase") or thread.daemon
