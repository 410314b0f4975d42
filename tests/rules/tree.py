"""The source tree as data for the house rules: what every file imports, calls and defines, and how long it is."""

from __future__ import annotations

import ast
from dataclasses import dataclass, field
from functools import cache
from itertools import chain
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PRODUCT = ("orchestrator", "sessions")


@dataclass(slots=True)
class Source:
    """One Python file, read once. Places are (name, line)."""

    path: Path
    module: str
    text: str
    documented: bool
    imports: list[tuple[str, int]] = field(default_factory=list)
    """Dotted names imported anywhere in the file, in types-only blocks too; of `from a import b` both `a` and `a.b`."""
    methods: list[tuple[str, int]] = field(default_factory=list)
    """Names called as attributes of something."""
    swallows: list[int] = field(default_factory=list)
    """Lines of handlers that take every exception and do nothing."""
    functions: list[tuple[str, int]] = field(default_factory=list)
    """Here the number is how many lines it has without its docstring."""

    @property
    def lines(self) -> int:
        """How many it has."""
        return self.text.count("\n")


def _note(source: Source, node: ast.AST) -> None:
    match node:
        case ast.Import():
            source.imports += [(alias.name, node.lineno) for alias in node.names]
        case ast.ImportFrom(module=str(module), level=0):
            source.imports += [(module, node.lineno)]
            source.imports += [(f"{module}.{alias.name}", node.lineno) for alias in node.names]
        case ast.Call(func=ast.Attribute(attr=name)):
            source.methods.append((name, node.lineno))
        case ast.ExceptHandler(type=None | ast.Name(id="Exception" | "BaseException"), body=body):
            if all(isinstance(part, ast.Pass) for part in body):
                source.swallows.append(node.lineno)
        case ast.FunctionDef() | ast.AsyncFunctionDef():
            lines = (node.end_lineno or 0) - node.lineno + 1 - _docstring_lines(node)
            source.functions.append((node.name, lines))


def _docstring_lines(node: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    first = node.body[0]
    if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant) and isinstance(first.value.value, str):
        return (first.end_lineno or 0) - first.lineno + 1
    return 0


def _read(path: Path) -> Source:
    text = path.read_text("utf-8")
    tree = ast.parse(text)
    module = ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
    source = Source(path.relative_to(ROOT), module, text, ast.get_docstring(tree) is not None)
    for node in ast.walk(tree):
        _note(source, node)
    return source


@cache
def _under(top: str) -> tuple[Source, ...]:
    paths = sorted((ROOT / top).rglob("*.py"))
    return tuple(_read(path) for path in paths if "node_modules" not in path.parts)


def sources(*tops: str) -> tuple[Source, ...]:
    """Return the Python files under these top-level folders; whoever asks again gets the same ones."""
    return tuple(chain.from_iterable(_under(top) for top in tops))
