"""The source tree as data for the house rules: every file, what it imports, how long its functions are."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PRODUCT = ("orchestrator", "sessions")


@dataclass(frozen=True, slots=True)
class Source:
    """One Python file."""

    path: Path
    module: str
    tree: ast.Module
    lines: int

    def imports(self) -> Iterator[tuple[str, int]]:
        """Yield (dotted module, line) for every import anywhere in the file, types-only blocks too."""
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Import):
                for alias in node.names:
                    yield alias.name, node.lineno
            elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
                yield node.module, node.lineno
                for alias in node.names:
                    yield f"{node.module}.{alias.name}", node.lineno

    def functions(self) -> Iterator[tuple[str, int]]:
        """Yield (name, lines without the docstring) of every function."""
        for node in ast.walk(self.tree):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                yield node.name, (node.end_lineno or 0) - node.lineno + 1 - _docstring_lines(node)


def _docstring_lines(node: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    first = node.body[0]
    if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant) and isinstance(first.value.value, str):
        return (first.end_lineno or 0) - first.lineno + 1
    return 0


@cache
def sources(*tops: str) -> tuple[Source, ...]:
    """Return the Python files under these top-level folders."""
    found = []
    for top in tops:
        for path in sorted((ROOT / top).rglob("*.py")):
            if "node_modules" in path.parts:
                continue
            text = path.read_text()
            module = ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
            found.append(Source(path.relative_to(ROOT), module, ast.parse(text), text.count("\n")))
    return tuple(found)
