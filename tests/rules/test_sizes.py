"""Small functions, small files; tasks are spawned in one place; nothing is swallowed or left for later."""

from __future__ import annotations

import re

from tests.rules.tree import PRODUCT, sources

MAX_FILE_LINES = 400
MAX_FUNCTION_LINES = 60
GENERATED = {"tests/loopback/tokens.py"}
STARTS_TASKS = {"orchestrator.tasks", "sessions.worker_tasks"}


def test_sizes() -> None:
    """A function stays under 60 lines of code and a file under 400; what has outgrown that is split by verb."""
    found = [source for source in sources(*PRODUCT, "tests", "scripts") if str(source.path) not in GENERATED]
    assert [(str(source.path), source.lines) for source in found if source.lines > MAX_FILE_LINES] == []
    long = [(str(s.path), name, lines) for s in found for name, lines in s.functions if lines > MAX_FUNCTION_LINES]
    assert long == []


def test_every_module_says_what_it_owns() -> None:
    """Every module of the product has a docstring."""
    assert [str(source.path) for source in sources(*PRODUCT) if not source.documented] == []


def test_no_bare_tasks() -> None:
    """Tasks are started through `spawn`, which names and keeps them."""
    bare = [
        f"{source.path}:{line}"
        for source in sources(*PRODUCT)
        for name, line in source.methods
        if name in {"create_task", "ensure_future"} and source.module not in STARTS_TASKS
    ]
    assert bare == []


def test_nothing_is_swallowed() -> None:
    """Nobody takes every exception and does nothing."""
    assert [f"{source.path}:{line}" for source in sources(*PRODUCT) for line in source.swallows] == []


def test_nothing_is_left_for_later() -> None:
    """No note to do it some day, no method without a body."""
    later = re.compile(r"\b(TODO|FIXME|XXX|HACK)\b|NotImplementedError")
    assert [str(source.path) for source in sources(*PRODUCT) if later.search(source.text)] == []
