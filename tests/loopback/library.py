"""A private copy of the installed neonize that trusts our Noise root instead of WhatsApp's.

Owns finding the package, copying it and replacing the one pinned 32-byte key in the copy's shared library. The
installed package is only read. It must never import neonize (that would start its Go runtime). The pinned key is
whatsmeow's ``WACertPubKey`` (handshake.go); there is no checksum on the library. Neighbour to read next: ``noise.py``.
"""

from __future__ import annotations

import importlib.util
import shutil
from pathlib import Path

PINNED_ROOT = bytes.fromhex("142375574d0a587166aae71ebe516437c4a28b73e3695c6ce1f7f9545da8ee6b")
_LIBRARY_SUFFIXES = (".so", ".dylib", ".dll")


class LibraryNotPatchable(RuntimeError):
    """The installed library doesn't hold the pinned key exactly once (or isn't there); tests skip with this text."""


def installed_package() -> Path:
    """The directory of the installed neonize package, found without importing it; LibraryNotPatchable if absent."""
    spec = importlib.util.find_spec("neonize")
    if spec is None or not spec.submodule_search_locations:
        raise LibraryNotPatchable("neonize is not installed")
    return Path(spec.submodule_search_locations[0])


def find_library(package: Path) -> tuple[Path, int]:
    """The shared library in ``package`` and the offset of the pinned key; LibraryNotPatchable unless there is exactly
    one library with exactly one occurrence."""
    libraries = [path for path in sorted(package.iterdir()) if path.suffix in _LIBRARY_SUFFIXES]
    if len(libraries) != 1:
        raise LibraryNotPatchable(f"expected one shared library in the neonize package, found {len(libraries)}")
    content = libraries[0].read_bytes()
    occurrences = content.count(PINNED_ROOT)
    if occurrences != 1:
        raise LibraryNotPatchable(f"{libraries[0].name} holds the pinned Noise root {occurrences} times, not once")
    return libraries[0], content.index(PINNED_ROOT)


def patched_copy(directory: Path, root_public: bytes, package: Path | None = None) -> Path:
    """Copy the package into ``directory`` with our root (32 bytes) in it; the directory to put first on sys.path.

    LibraryNotPatchable as in ``find_library``; nothing is copied then.
    """
    source = package or installed_package()
    library, offset = find_library(source)
    target = directory / "neonize"
    shutil.copytree(source, target)
    copied = target / library.name
    copied.chmod(0o700)
    with copied.open("r+b") as file:
        file.seek(offset)
        file.write(root_public)
    return directory
