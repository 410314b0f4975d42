"""The lists that mark and order tests name tests that are there."""

from __future__ import annotations

from tests.conftest import ALONE, LONGEST, WHOLE_SYSTEMS
from tests.rules.tree import sources


def test_marked_modules_are_there() -> None:
    """A module that is renamed takes its marks with it."""
    assert (WHOLE_SYSTEMS | ALONE) - {source.path.stem for source in sources("tests")} == set()


def test_the_longest_are_there() -> None:
    """So is a test that begins before the others."""
    there = {
        f"{source.path.relative_to('tests').as_posix()}::{name}"
        for source in sources("tests")
        for name, _ in source.functions
    }
    assert {*LONGEST} - there == set()
