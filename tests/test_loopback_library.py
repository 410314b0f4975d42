"""The private copy of the library: our root in, everything else as installed, the installed package untouched."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.loopback.library import PINNED_ROOT, LibraryNotPatchable, find_library, installed_package, patched_copy

OUR_ROOT = bytes(range(32))


def fake_package(directory: Path, content: bytes) -> Path:
    package = directory / "installed" / "neonize"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("name = 'neonize'\n")
    (package / "neonize-anything.so").write_bytes(content)
    return package


def test_only_the_pinned_key_differs(tmp_path: Path) -> None:
    """The copy has our 32 bytes in the place of WhatsApp's; the original keeps its own."""
    package = fake_package(tmp_path, b"before" + PINNED_ROOT + b"after")
    path = patched_copy(tmp_path / "copy", OUR_ROOT, package)
    assert (path / "neonize" / "neonize-anything.so").read_bytes() == b"before" + OUR_ROOT + b"after"
    assert (path / "neonize" / "__init__.py").read_text() == "name = 'neonize'\n"
    assert (package / "neonize-anything.so").read_bytes() == b"before" + PINNED_ROOT + b"after"


@pytest.mark.parametrize("content", [b"no key here", PINNED_ROOT + b"and again" + PINNED_ROOT])
def test_a_library_without_exactly_one_key_is_not_patched(tmp_path: Path, content: bytes) -> None:
    """None or two occurrences: a clear error that tests turn into a skip, and nothing is copied."""
    package = fake_package(tmp_path, content)
    with pytest.raises(LibraryNotPatchable, match="times, not once"):
        patched_copy(tmp_path / "copy", OUR_ROOT, package)
    assert not (tmp_path / "copy").exists()


def test_a_package_without_a_library_is_not_patched(tmp_path: Path) -> None:
    """A platform whose wheel has no shared library (it would be downloaded at first import)."""
    package = fake_package(tmp_path, b"")
    (package / "neonize-anything.so").unlink()
    with pytest.raises(LibraryNotPatchable, match="found 0"):
        find_library(package)


@pytest.mark.skipif(sys.platform != "linux", reason="only the Linux wheel is known to hold the key exactly once")
def test_the_installed_library_holds_the_key_once() -> None:
    """On Linux the real library can always be patched: the loopback tests are never skipped there."""
    library, offset = find_library(installed_package())
    assert library.read_bytes()[offset : offset + 32] == PINNED_ROOT


def test_the_copy_is_what_a_child_imports(tmp_path: Path) -> None:
    """With the directory first on PYTHONPATH a child process finds the copy, in any working directory."""
    path = patched_copy(tmp_path / "copy", OUR_ROOT)
    code = "import importlib.util as u; print(u.find_spec('neonize').submodule_search_locations[0])"
    found = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONPATH": str(path)},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    assert found.stdout.strip() == str(path / "neonize")
