"""House rules of the TypeScript side: generated types are current, sizes as in Python, nothing installed is tracked."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path

import pytest

from scripts import web_types
from tests.rules.test_sizes import MAX_FILE_LINES
from tests.rules.tree import ROOT

WEB = ROOT / "orchestrator" / "web"
INSTALLED = {"node_modules", "dist"}
SOURCES = sorted(
    path
    for pattern in ("*.ts", "*.tsx", "*.css", "*.mjs")
    for path in WEB.rglob(pattern)
    if not INSTALLED & {*path.relative_to(WEB).parts} and path != web_types.TARGET
)


def test_types_are_current() -> None:
    """The client's types and codes are those of the server."""
    assert web_types.TARGET.read_text("utf-8") == web_types.written(), "run python scripts/web_types.py"


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(WEB)))
def test_files(path: Path) -> None:
    """A file stays under 400 lines, says what it owns, and leaves nothing for later. (Functions: biome.json.)"""
    text = path.read_text("utf-8")
    assert text.count("\n") <= MAX_FILE_LINES, f"{path} is too long: split it by verb"
    assert not re.search(r"\b(TODO|FIXME|XXX|HACK)\b|@ts-ignore|@ts-expect-error|biome-ignore-all", text)
    if path.is_relative_to(WEB / "src"):
        assert re.match(r'(["\']use client["\'];\n+)?/\*\*?', text), f"{path} does not say what it owns"


def test_lock_works_anywhere() -> None:
    """The lock file pins by hash and names no host."""
    lock = json.loads((WEB / "package-lock.json").read_text("utf-8"))
    packages = {name: package for name, package in lock["packages"].items() if name}
    assert packages and all("resolved" not in package for package in packages.values())
    assert all(package.get("integrity") for package in packages.values() if not package.get("inBundle"))


def test_versions_are_exact() -> None:
    """What the package is built with is pinned in package.json too."""
    package = json.loads((WEB / "package.json").read_text("utf-8"))
    assert all(re.fullmatch(r"\d+\.\d+\.\d+", version) for version in package["devDependencies"].values())
    assert "dependencies" not in package, "what a consumer has itself is a peer"


def test_nothing_installed_is_tracked() -> None:
    """No node_modules and no build is in the repository."""
    listed = subprocess.run(
        ["git", "ls-files", "orchestrator/web"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert not [name for name in listed.stdout.splitlines() if INSTALLED & {*Path(name).parts}]
