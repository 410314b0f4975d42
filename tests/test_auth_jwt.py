"""AUTH=jwt on real tokens, checked by the real library against a JWKS on loopback."""

from __future__ import annotations

import time
import warnings
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import jwt
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from orchestrator.auth.jwt import JwtIssuer, JwtSettings
from orchestrator.auth.names import user_id
from orchestrator.errors import Refused
from orchestrator.model import Principal
from orchestrator.tasks import Tasks
from tests.support.auth import clock, tasks
from tests.support.canaries import Canaries, canaries
from tests.support.examples import examples
from tests.support.issuer import AheadClock, Issuer, by_hand, key, segment

__all__ = ["canaries", "clock", "tasks"]

RSA, OTHER = key("rsa"), key("other")
EC, ED = key("ec", "ES256"), key("ed", "EdDSA")


@pytest.fixture
async def issuer() -> AsyncIterator[Issuer]:
    async with Issuer.running(RSA, EC, ED) as running:
        yield running


def auth0(issuer: Issuer, **changes: Any) -> JwtSettings:
    made = JwtSettings(f"{issuer.url}/.well-known/jwks.json", issuer.issuer, ("our-api",), ())
    return replace(made, **changes)


def clerk(issuer: Issuer) -> JwtSettings:
    return auth0(issuer, audience=(), authorized_parties=("https://app.example.com", "https://example.com"))


@pytest.fixture
def checker(issuer: Issuer, clock: AheadClock, tasks: Tasks) -> JwtIssuer:
    return JwtIssuer(auth0(issuer), clock, tasks)


async def refused(checker: JwtIssuer, token: str, canaries: Canaries) -> str:
    with pytest.raises(Refused) as error:
        await checker.verify(canaries.hide(token))
    canaries.saw(error.value)
    return error.value.code


def why(canaries: Canaries) -> str:
    """What the operator reads about the last refusal."""
    line = canaries.told("Token refused")[-1]
    assert line["issuer"] == "jwt"
    return str(line["why"])


# --- good tokens ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("signer", [RSA, EC, ED], ids=lambda signer: signer.alg)
async def test_a_token_says_whose_it_is(issuer: Issuer, checker: JwtIssuer, signer: Any) -> None:
    """With each algorithm that is allowed; never an operator, whatever it claims."""
    claims = issuer.claims(op=True, operator=True, roles=["operator"])
    who = await checker.verify(signer.sign(claims))
    assert who == Principal("ada", False, claims["exp"] * 1000, None, None, claims["iat"] * 1000)
    assert await checker.still_valid(who) is None


async def test_auth0(issuer: Issuer, checker: JwtIssuer) -> None:
    """Its user ids are no identifiers: a stand-in, and the client may say either."""
    who = await checker.verify(RSA.sign(issuer.claims(sub="auth0|507f1f77", aud=["https://x/userinfo", "our-api"])))
    assert who.user == user_id("auth0|507f1f77")
    assert who.answers_to("auth0|507f1f77") and who.answers_to(who.user)
    assert not who.answers_to("auth0|507f1f78") and not who.answers_to("")


async def test_clerk(issuer: Issuer, clock: AheadClock, tasks: Tasks) -> None:
    """Its session tokens have no audience; the page they were made for must be one of ours."""
    checker = JwtIssuer(clerk(issuer), clock, tasks)
    claims = issuer.claims(aud=None, azp="https://app.example.com", sub="user_2NNEqL2nrIRdJ194", sid="sess_1", v=2)
    assert (await checker.verify(RSA.sign(claims))).user == "user_2NNEqL2nrIRdJ194"


async def test_clocks_may_differ_a_little(issuer: Issuer, checker: JwtIssuer) -> None:
    """Ten seconds, both ways."""
    now = int(time.time())
    await checker.verify(RSA.sign(issuer.claims(exp=now - 5)))
    await checker.verify(RSA.sign(issuer.claims(nbf=now + 5, iat=now + 5)))


async def test_an_only_key_needs_no_id(issuer: Issuer, clock: AheadClock, tasks: Tasks, canaries: Canaries) -> None:
    """Small issuers name no key; with several a token must say which."""
    nameless = key(None)
    issuer.keys = [nameless]
    token = nameless.sign(issuer.claims())
    assert (await JwtIssuer(auth0(issuer), clock, tasks).verify(token)).user == "ada"
    issuer.keys = [nameless, RSA]
    assert await refused(JwtIssuer(auth0(issuer), clock, tasks), token, canaries) == "unauthorized"
    assert why(canaries) == "key"


async def test_another_claim_can_name_the_user(
    issuer: Issuer, clock: AheadClock, tasks: Tasks, canaries: Canaries
) -> None:
    """An address only when the issuer has verified it: anybody may sign up with another's."""
    checker = JwtIssuer(auth0(issuer, user_claim="email"), clock, tasks)
    claims = issuer.claims(email="ada@example.com")
    who = await checker.verify(RSA.sign(claims | {"email_verified": True}))
    assert who.user == user_id("ada@example.com") and who.answers_to("ada@example.com")
    for unproved in ({}, {"email_verified": False}, {"email_verified": "true"}):
        assert await refused(checker, RSA.sign(claims | unproved), canaries) == "unauthorized"
    assert why(canaries) == "claim"


# --- bad tokens -----------------------------------------------------------------------------------------------------

NOW = int(time.time())
BAD_CLAIMS: list[tuple[str, dict[str, Any], str]] = [
    ("expired", {"exp": NOW - 60, "iat": NOW - 120}, "expired"),
    ("not yet valid", {"nbf": NOW + 36_000}, "not_yet"),
    ("issued in the future", {"iat": NOW + 36_000}, "not_yet"),
    ("another audience", {"aud": ["their-api"]}, "audience"),
    ("no audience", {"aud": None}, "claim"),
    ("an audience of ours as a part", {"aud": "our-api-too"}, "audience"),
    ("another issuer", {"iss": "https://evil.example.com/"}, "issuer"),
    ("the issuer without its slash", {"iss": "http://127.0.0.1"}, "issuer"),
    ("no issuer", {"iss": None}, "claim"),
    ("no end", {"exp": None}, "claim"),
    ("an end that is no time", {"exp": "tomorrow"}, "malformed"),
    ("an end that is text", {"exp": str(NOW + 36_000)}, "claim"),
    ("an endless end", {"exp": 1e300}, "claim"),
    ("nobody", {"sub": None}, "claim"),
    ("a name that is empty", {"sub": ""}, "claim"),
    ("a name that is a number", {"sub": 7}, "malformed"),
    ("a name that is too long", {"sub": "a" * 256}, "claim"),
]


@pytest.mark.parametrize(("changes", "reason"), [row[1:] for row in BAD_CLAIMS], ids=[row[0] for row in BAD_CLAIMS])
async def test_wrong_claims(
    issuer: Issuer, checker: JwtIssuer, canaries: Canaries, changes: dict[str, Any], reason: str
) -> None:
    """Signed by the issuer, and not for us, or not now; the operator's log says what was wrong."""
    expected = "token_expired" if reason == "expired" else "unauthorized"
    assert await refused(checker, RSA.sign(issuer.claims(**changes)), canaries) == expected
    assert why(canaries) == reason


@pytest.mark.parametrize("azp", ["https://evil.example.com", "https://app.example.com.evil.com", None, ["a"], "*"])
async def test_wrong_party(issuer: Issuer, clock: AheadClock, tasks: Tasks, canaries: Canaries, azp: object) -> None:
    """A token made for another page does not count, nor one that doesn't say for which."""
    checker = JwtIssuer(clerk(issuer), clock, tasks)
    assert await refused(checker, RSA.sign(issuer.claims(aud=None, azp=azp)), canaries) == "unauthorized"
    assert why(canaries) == "party"


def hmac_with(secret: bytes, claims: dict[str, Any], kid: str) -> str:
    """A token signed with a public text as if it were a shared secret; made by hand, PyJWT refuses to make it."""
    import hashlib
    import hmac

    signed = f"{segment({'alg': 'HS256', 'kid': kid})}.{segment(claims)}"
    return f"{signed}.{segment(hmac.new(secret, signed.encode(), hashlib.sha256).digest())}"


async def test_forged_heads(issuer: Issuer, checker: JwtIssuer, canaries: Canaries) -> None:
    """`none`, a public key as HMAC secret, a key the token brings along, another algorithm than the key's."""
    claims = issuer.claims()
    evil = key("evil")
    forged = {
        "none": by_hand({"alg": "none", "kid": "rsa"}, claims),
        "None": by_hand({"alg": "None", "kid": "rsa"}, claims, b"x"),
        "no algorithm": by_hand({"kid": "rsa"}, claims),
        "public key as secret": hmac_with(RSA.public_pem(), claims, "rsa"),
        "modulus as secret": hmac_with(RSA.jwk()["n"].encode(), claims, "rsa"),
        "key in the head": evil.sign(claims, kid="rsa", jwk=evil.jwk()),
        "key elsewhere": evil.sign(claims, kid="rsa", jku=f"{issuer.url}/elsewhere", x5u=f"{issuer.url}/elsewhere"),
        "RS512": jwt.encode(claims, RSA.private, algorithm="RS512", headers={"kid": "rsa"}),
        "PS256": jwt.encode(claims, RSA.private, algorithm="PS256", headers={"kid": "rsa"}),
        "another's signature": evil.sign(claims, kid="rsa"),
        "EC head on an RSA key": EC.sign(claims, kid="rsa"),
        "no key named": RSA.sign(claims, kid=""),
        "unknown extension": RSA.sign(claims, crit=["exp"]),
    }
    for name, token in forged.items():
        assert await refused(checker, token, canaries) == "unauthorized", name
    assert issuer.asked.keys() == {"jwks"}
    reasons = {line["why"] for line in canaries.told("Token refused")}
    assert reasons == {"algorithm", "signature", "key", "malformed"}


async def test_weak_and_foreign_keys_do_not_count(
    issuer: Issuer, clock: AheadClock, tasks: Tasks, canaries: Canaries
) -> None:
    """A set may hold keys for other uses: encryption, shared secrets, curves and sizes that are not ours."""
    weak, curve, enc = key("weak", bits=1024), key("p384", "ES384"), key("enc")
    secret = {"kty": "oct", "kid": "oct", "alg": "HS256", "k": segment(b"k" * 32)}
    sets = [weak.jwk(), curve.jwk(), enc.jwk() | {"use": "enc"}, secret, {"kty": "?"}, 7, RSA.jwk()]
    issuer.keys = [type("", (), {"jwk": staticmethod(lambda jwk=jwk: jwk)})() for jwk in sets]
    checker = JwtIssuer(auth0(issuer), clock, tasks)
    claims = issuer.claims()
    assert (await checker.verify(RSA.sign(claims))).user == "ada"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # PyJWT warns when it signs with the weak key
        tokens = [weak.sign(claims), curve.sign(claims), enc.sign(claims)]
    tokens.append(jwt.encode(claims, b"k" * 32, algorithm="HS256", headers={"kid": "oct"}))
    for token in tokens:
        assert await refused(checker, token, canaries) == "unauthorized"


async def test_a_changed_claim_breaks_the_signature(issuer: Issuer, checker: JwtIssuer, canaries: Canaries) -> None:
    """Nobody becomes somebody else."""
    head, _, tail = RSA.sign(issuer.claims()).split(".")
    assert await refused(checker, f"{head}.{segment(issuer.claims(sub='bob'))}.{tail}", canaries) == "unauthorized"
    assert why(canaries) == "signature"


async def test_what_is_no_token(issuer: Issuer, checker: JwtIssuer, canaries: Canaries) -> None:
    """Refused without asking the issuer."""
    deep = segment(b"[" * 9000)
    canaries.hide(f"{deep}.e30.aa")
    odd = ["", ".", "..", "a.b.c", "é.é.é", f"{deep}.e30.aa", "x" * 40_000, by_hand([], {}), by_hand({"alg": 7}, {})]
    for token in odd:
        assert await refused(checker, token, canaries) == "unauthorized"
    assert issuer.asked.total() == 0


@settings(max_examples=examples(300), suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(cut=st.integers(0, 400), put=st.one_of(st.binary(max_size=40), st.text(max_size=40)), whole=st.booleans())
async def test_whatever_arrives_is_refused_or_known(
    issuer: Issuer, clock: AheadClock, tasks: Tasks, cut: int, put: bytes | str, whole: bool
) -> None:
    """Mutilated tokens and plain noise end in one of three refusals, never in a bug."""
    token = RSA.sign(issuer.claims())
    noise = put if isinstance(put, str) else segment(put)
    mutilated = noise if whole else token[:cut] + noise + token[cut:]
    try:
        who = await JwtIssuer(auth0(issuer), clock, tasks).verify(mutilated)
    except Refused as error:
        assert error.code in {"unauthorized", "token_expired"}
    else:
        # A signature may be written with padding; what was signed is the same to the letter.
        assert mutilated.rpartition(".")[0] == token.rpartition(".")[0] and who.user == "ada"
