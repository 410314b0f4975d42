"""How people of other issuers are called here: never two the same, never the operator, always an identifier."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.auth.names import NAME_MAX_CHARS, is_user_id, meant, user_id

IDENTIFIER = re.compile(r"[A-Za-z0-9_-]{1,64}")


@pytest.mark.parametrize(
    "name", ["user_2NNEqL2nrIRdJ194ndJqAHwEfxC", "kQ8vXcYb1rTz0mWnL5sDpA7uJg23", "ada", "x-ray", "7"]
)
def test_identifiers_are_kept(name: str) -> None:
    """Clerk's and Firebase's ids stay as people know them."""
    assert user_id(name) == name == meant(name)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("auth0|507f1f77bcf86cd799439020", "x-xltrcfa7pdt5db3tehtn2srscozbli63"),
        ("google-oauth2|103547991597142817347", "x-pqon64q6frkqtzw4eziwv4f5fdybfltq"),
        ("ada@example.com", "x-wx6ilzkxkx46bubquefliqu3nmuujbk7"),
    ],
)
def test_other_names_have_a_stand_in_for_good(name: str, expected: str) -> None:
    """The same in every version: bots belong to it. Nothing of the name is in it."""
    assert user_id(name) == expected == meant(name)


def test_nobody_can_take_the_operators_name() -> None:
    """Whoever calls themselves `local` at another issuer is not the operator; an operator who says `local` means it."""
    taken = user_id("local")
    assert taken is not None and taken.startswith("x-")
    assert meant("local") == "local"


def test_nobody_can_take_a_stand_in() -> None:
    """A name that looks like another's stand-in gets one itself."""
    victim = user_id("auth0|victim")
    assert victim is not None
    thief = user_id(victim)
    assert thief is not None and thief != victim and user_id(thief) != thief
    assert meant(victim) == victim


@pytest.mark.parametrize("name", ["", "a" * (NAME_MAX_CHARS + 1), "\ud800", "a\udfffb"])
def test_what_cannot_be_a_name_is_nobody(name: str) -> None:
    """Empty, endless, and half of a surrogate pair."""
    assert user_id(name) is None and meant(name) is None


@given(st.text(max_size=80), st.text(max_size=80))
def test_two_people_are_never_one(one: str, other: str) -> None:
    """Every id is an identifier, and different names have different ones."""
    ids = [user_id(one), user_id(other)]
    for made in ids:
        assert made is None or (IDENTIFIER.fullmatch(made) and is_user_id(made) and made != "local")
    assert one == other or None in ids or ids[0] != ids[1]
