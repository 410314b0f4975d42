"""Small functions, small files; tasks are spawned in one place; nothing is swallowed or left for later."""

from __future__ import annotations

import ast
import re

import pytest

from tests.rules.tree import PRODUCT, ROOT, Source, sources

MAX_FILE_LINES = 400
MAX_FUNCTION_LINES = 60
GENERATED = {"tests/loopback/tokens.py"}


@pytest.mark.parametrize("source", sources(*PRODUCT, "tests", "scripts"), ids=lambda source: str(source.path))
def test_sizes(source: Source) -> None:
    """A function stays under 60 lines of code and a file under 400."""
    if str(source.path) in GENERATED:
        return
    assert source.lines <= MAX_FILE_LINES, f"{source.path} has {source.lines} lines: split it by verb"
    long = {name: lines for name, lines in source.functions() if lines > MAX_FUNCTION_LINES}
    assert not long, f"{source.path}: {long}"


@pytest.mark.parametrize("source", sources(*PRODUCT), ids=lambda source: source.module)
def test_house_rules(source: Source) -> None:
    """Every module says what it owns; no bare tasks, no silent excepts, nothing left for later."""
    assert ast.get_docstring(source.tree), f"{source.path} has no docstring"
    for node in ast.walk(source.tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            bare = node.func.attr in {"create_task", "ensure_future"}
            assert not bare or source.module in {"orchestrator.tasks", "sessions.worker_tasks"}, (
                f"{source.path}:{node.lineno} starts a task outside tasks.spawn"
            )
        if isinstance(node, ast.ExceptHandler) and _broad(node):
            silent = all(isinstance(part, ast.Pass) for part in node.body)
            assert not silent, f"{source.path}:{node.lineno} swallows every exception"
    text = (ROOT / source.path).read_text()
    assert not re.search(r"\b(TODO|FIXME|XXX|HACK)\b|NotImplementedError", text), (
        f"{source.path} leaves something for later"
    )


def _broad(node: ast.ExceptHandler) -> bool:
    return node.type is None or (isinstance(node.type, ast.Name) and node.type.id in {"Exception", "BaseException"})
