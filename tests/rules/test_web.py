"""House rules of the TypeScript side: generated types are current, sizes as in Python, nothing installed is tracked."""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

from scripts import web_types
from tests.rules.test_sizes import MAX_FILE_LINES
from tests.rules.tree import ROOT

WEB = ROOT / "orchestrator" / "web"
INSTALLED = {"node_modules", "dist"}
ENDINGS = {".ts", ".tsx", ".css", ".mjs"}


def _texts() -> Iterator[tuple[str, str]]:
    for directory, below, names in os.walk(WEB):
        below[:] = sorted({*below} - INSTALLED)
        for path in (Path(directory, name) for name in sorted(names)):
            if path.suffix in ENDINGS and path != web_types.TARGET:
                yield path.relative_to(WEB).as_posix(), path.read_text("utf-8")


def test_types_are_current() -> None:
    """The client's types and codes are those of the server."""
    assert web_types.TARGET.read_text("utf-8") == web_types.written(), "run python scripts/web_types.py"


def test_sizes() -> None:
    """A file stays under 400 lines. (Functions: biome.json.)"""
    assert [name for name, text in _texts() if text.count("\n") > MAX_FILE_LINES] == [], "split them by verb"


def test_nothing_is_left_for_later() -> None:
    """No note to do it some day, no rule switched off for a whole file."""
    later = re.compile(r"\b(TODO|FIXME|XXX|HACK)\b|@ts-ignore|@ts-expect-error|biome-ignore-all")
    assert [name for name, text in _texts() if later.search(text)] == []


def test_every_file_says_what_it_owns() -> None:
    """A file of the client or the page begins with that."""
    head = re.compile(r'(["\']use client["\'];\n+)?/\*\*?')
    assert [name for name, text in _texts() if name.startswith("src/") and not head.match(text)] == []


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
