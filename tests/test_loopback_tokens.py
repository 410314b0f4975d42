"""The generator of the token table: reads the published form, refuses another dictionary version."""

from __future__ import annotations

import runpy
from pathlib import Path

import pytest

_script = runpy.run_path(str(Path(__file__).resolve().parent.parent / "scripts" / "loopback_tokens.py"))
read_array, render = _script["read_array"], _script["render"]

SOURCE = "export const TAGS = {};\nexport const SINGLE_BYTE_TOKENS = [\n    '',\n    'it\\'s',\n    'iq'\n];\n"


def test_an_array_of_the_published_file_is_read() -> None:
    """Single-quoted strings, escapes included, become Python strings in order."""
    assert read_array(SOURCE, "SINGLE_BYTE_TOKENS") == ["", "it's", "iq"]


def test_a_table_of_another_shape_is_refused() -> None:
    """Version 3 has 236 and four times 256 tokens; anything else is not written."""
    with pytest.raises(ValueError, match="not dictionary version 3"):
        render(SOURCE + "export const DOUBLE_BYTE_TOKENS = [\n    ['a', 'b']\n];\n")
    with pytest.raises(ValueError, match="no array DOUBLE_BYTE_TOKENS"):
        render(SOURCE)
