"""A server that finds a database it must not use: one clear line, exit code 1, and nothing written."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from orchestrator.clock import SystemClock
from orchestrator.store.database import Database
from tests.test_cli import Shell


def _damaged(path: Path) -> None:
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])


def _foreign(path: Path) -> None:
    path.write_bytes(b"this is a letter, not a database" * 200)


def _read_only(path: Path) -> None:
    """For every user, root included: the header's write version (SQLite file format, section 1.3.3)."""
    header = bytearray(path.read_bytes())
    header[18] = 3
    path.write_bytes(header)


async def _database(path: Path, *statements: str) -> None:
    database = await Database.open(path, SystemClock())
    for statement in statements:
        await database.write(lambda connection, sql=statement: connection.execute(sql))  # type: ignore[misc]
    await database.close()


def _seen(directory: Path) -> dict[str, str]:
    return {
        str(path.relative_to(directory)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(directory.rglob("*"))
        if path.is_file()
    }


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (_damaged, "damaged or not a database"),
        (_foreign, "damaged or not a database"),
        (_read_only, "cannot be written"),
        (None, "newer version"),
    ],
    ids=["torn", "letter", "read-only", "newer"],
)
async def test_one_line_and_nothing_written(tmp_path: Path, spoil: object, said: str) -> None:
    """The line names the file and what to do; every byte of the data directory is as it was."""
    data = tmp_path / "data"
    data.mkdir(mode=0o700)
    path = data / "orchestrator.db"
    newer = () if callable(spoil) else ("INSERT INTO migrations VALUES (4711, 'future', 0)",)
    await _database(path, *newer)
    if callable(spoil):
        spoil(path)
    before = _seen(data)
    ended = await Shell(tmp_path)("serve", "--data-dir", "data", "--driver", "simulated", "--port", "0")
    assert ended.code == 1 and ended.out == ""
    (line,) = [one for one in ended.err.splitlines() if one]
    assert said in line and "orchestrator.db" in line
    assert _seen(data) == before
