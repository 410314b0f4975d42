"""The database file: modes, lock, migrations, refusals in one line, transactions."""

from __future__ import annotations

import asyncio
import logging
import sqlite3
import stat
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import aiosqlite
import pytest

from orchestrator.clock import ManualClock
from orchestrator.errors import Refused
from orchestrator.store import database as module
from orchestrator.store.database import Database, DatabaseRefused, migrations

CLOCK = ManualClock()


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    opened = await Database.open(tmp_path / "data" / "orchestrator.db", CLOCK)
    yield opened
    await opened.close()


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def write_user(connection: sqlite3.Connection) -> None:
    connection.execute("INSERT INTO users VALUES ('ana', 1, 0)")


def users(connection: sqlite3.Connection) -> int:
    (count,) = connection.execute("SELECT count(*) FROM users").fetchone()
    assert isinstance(count, int)
    return count


async def refusal(path: Path) -> str:
    """Open what cannot be opened and return the line an operator sees."""
    with pytest.raises(DatabaseRefused) as refused:
        await Database.open(path, CLOCK)
    line = str(refused.value)
    assert line.startswith(str(path))
    assert "\n" not in line
    return line


async def test_files_are_private(database: Database) -> None:
    """The directory made for it has mode 0700, every file in it 0600."""
    await database.write(write_user)
    files = list(database.path.parent.iterdir())
    assert {file.name for file in files} >= {"orchestrator.db", "orchestrator.db-wal", "orchestrator.db.lock"}
    assert mode(database.path.parent) == 0o700
    assert {mode(file) for file in files} == {0o600}


async def test_a_database_left_open_to_others_is_closed_to_them(tmp_path: Path) -> None:
    """A file that others could read is made private when it is opened."""
    path = tmp_path / "orchestrator.db"
    await (await Database.open(path, CLOCK)).close()
    path.chmod(0o644)
    opened = await Database.open(path, CLOCK)
    assert mode(path) == 0o600
    await opened.close()


async def test_connection_rules(database: Database) -> None:
    """Writing is WAL with full sync, foreign keys and a busy timeout; reading connections cannot write."""

    def pragmas(connection: sqlite3.Connection) -> list[object]:
        names = ("journal_mode", "synchronous", "foreign_keys", "secure_delete", "busy_timeout")
        return [connection.execute(f"PRAGMA {name}").fetchone()[0] for name in names]

    assert await database.write(pragmas) == ["wal", 2, 1, 1, 5000]
    assert (await database.read(pragmas))[:3] == ["wal", 2, 1]
    with pytest.raises(Refused) as refused:
        await database.read(write_user)
    assert refused.value.code == "storage_unavailable"
    assert await database.read(users) == 0


async def test_a_failed_write_leaves_nothing(database: Database) -> None:
    """When the function raises, nothing it wrote stays, its exception travels, and the next write works."""

    def fails(connection: sqlite3.Connection) -> None:
        write_user(connection)
        raise KeyError("a bug")

    with pytest.raises(KeyError):
        await database.write(fails)
    assert await database.read(users) == 0
    await database.write(write_user)
    assert await database.read(users) == 1


async def test_a_bug_in_sql_is_not_called_storage_trouble(database: Database) -> None:
    """Wrong SQL and violated constraints travel as they are; only the disk's faults are `storage_unavailable`."""
    with pytest.raises(sqlite3.OperationalError):
        await database.write(lambda connection: connection.execute("INSERT INTO nowhere VALUES (1)"))
    await database.write(write_user)
    with pytest.raises(sqlite3.IntegrityError):
        await database.write(write_user)


async def test_cancelling_the_caller_does_not_undo_the_write(database: Database) -> None:
    """A write whose caller has gone is carried out all the same."""
    writing = asyncio.ensure_future(database.write(write_user))
    await asyncio.sleep(0)
    writing.cancel()
    await database.write(lambda _: None)
    assert await database.read(users) == 1


async def test_a_read_is_of_one_moment(database: Database) -> None:
    """Everything a reading function sees is of one moment, whatever is written meanwhile."""
    loop = asyncio.get_running_loop()

    def twice(connection: sqlite3.Connection) -> tuple[int, int]:
        first = users(connection)
        asyncio.run_coroutine_threadsafe(database.write(write_user), loop).result(10)
        return first, users(connection)

    assert await database.read(twice) == (0, 0)
    assert await database.read(users) == 1


async def test_readers_do_not_wait_for_the_writer(database: Database) -> None:
    """A read is answered while a write is still running."""
    loop = asyncio.get_running_loop()

    def slow(connection: sqlite3.Connection) -> int:
        write_user(connection)
        return asyncio.run_coroutine_threadsafe(database.read(users), loop).result(10)

    assert await database.write(slow) == 0


async def test_after_closing_it_refuses(database: Database) -> None:
    """A closed database refuses work; closing again is fine."""
    await database.close()
    await database.close()
    for way in (database.write, database.read):
        with pytest.raises(Refused) as refused:
            await way(users)
        assert refused.value.code == "server_draining"


async def test_what_is_there_is_migrated_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Migrations run in order, each once and as a whole; a failing one changes nothing."""
    path = tmp_path / "orchestrator.db"
    known = migrations()
    assert [number for number, _, _ in known] == list(range(1, len(known) + 1))
    first = await Database.open(path, CLOCK)
    await first.write(write_user)
    await first.close()
    added = (len(known) + 1, "9000_test", "CREATE TABLE added (x INTEGER) STRICT; UPDATE users SET operator = 0;")
    broken = (len(known) + 2, "9001_broken", "CREATE TABLE half (x INTEGER) STRICT; INSERT INTO nowhere VALUES (1);")
    monkeypatch.setattr(module, "migrations", lambda: [*known, added, broken])
    assert "nowhere" in await refusal(path)
    monkeypatch.setattr(module, "migrations", lambda: [*known, added])
    second = await Database.open(path, CLOCK)

    def look(connection: sqlite3.Connection) -> tuple[list[int], list[str], int]:
        applied = [number for (number,) in connection.execute("SELECT number FROM migrations ORDER BY number")]
        tables = [
            name for (name,) in connection.execute("SELECT name FROM sqlite_schema WHERE name IN ('added', 'half')")
        ]
        return applied, tables, connection.execute("SELECT operator FROM users").fetchone()[0]

    assert await second.read(look) == (list(range(1, len(known) + 2)), ["added"], 0)
    await second.close()


async def test_a_newer_database_is_refused(tmp_path: Path) -> None:
    """A database with migrations this version doesn't know is left alone, with what to do."""
    path = tmp_path / "orchestrator.db"
    opened = await Database.open(path, CLOCK)
    await opened.write(lambda connection: connection.execute("INSERT INTO migrations VALUES (4711, 'future', 0)"))
    await opened.close()
    assert "newer version (migration 4711" in await refusal(path)


@pytest.mark.parametrize("damage", ["not a database", "torn", "schema"])
async def test_a_damaged_database_is_refused(tmp_path: Path, damage: str) -> None:
    """A file that is no database, or a broken one, is refused in one line and not touched."""
    path = tmp_path / "orchestrator.db"
    opened = await Database.open(path, CLOCK)
    await opened.close()
    whole = path.read_bytes()
    broken = {
        "not a database": b"this is a letter, not a database" * 200,
        "torn": whole[: len(whole) // 2],
        "schema": whole[:200] + b"\xff" * 3896 + whole[4096:],
    }[damage]
    path.write_bytes(broken)
    assert "damaged or not a database" in await refusal(path)
    assert path.read_bytes() == broken


async def test_another_programs_database_is_refused(tmp_path: Path) -> None:
    """A valid database of another program is not taken over."""
    path = tmp_path / "orchestrator.db"
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE theirs (x)")
    connection.close()
    assert "another program's" in await refusal(path)


async def test_a_read_only_database_is_refused(tmp_path: Path) -> None:
    """A database that cannot be written is refused at the start, not at the first event.

    The header's write version makes SQLite treat the file as read-only for every user, root included (SQLite file
    format, section 1.3.3).
    """
    path = tmp_path / "orchestrator.db"
    await (await Database.open(path, CLOCK)).close()
    header = bytearray(path.read_bytes())
    header[18] = 3
    path.write_bytes(header)
    assert "cannot be written" in await refusal(path)


async def test_a_path_that_cannot_be_a_file_is_refused(tmp_path: Path) -> None:
    """A directory in the file's place, or a file in the directory's, is one line too."""
    (tmp_path / "orchestrator.db").mkdir()
    assert "Is a directory" in await refusal(tmp_path / "orchestrator.db")
    (tmp_path / "file").touch()
    assert "cannot be written" in await refusal(tmp_path / "file" / "orchestrator.db")


async def test_a_second_process_is_refused(database: Database) -> None:
    """While one process has it open another is refused, and gets it when the first is gone."""
    program = (
        "import asyncio, pathlib, sys\n"
        "from orchestrator.clock import SystemClock\n"
        "from orchestrator.store.database import Database, DatabaseRefused\n"
        "async def main():\n"
        "    try:\n"
        "        await (await Database.open(pathlib.Path(sys.argv[1]), SystemClock())).close()\n"
        "    except DatabaseRefused as refused:\n"
        "        print(refused)\n"
        "asyncio.run(main())\n"
    )

    async def other() -> str:
        arguments = (sys.executable, "-c", program, str(database.path))
        child = await asyncio.create_subprocess_exec(*arguments, stdout=asyncio.subprocess.PIPE)
        said, _ = await child.communicate()
        assert child.returncode == 0
        return said.decode()

    assert "in use by another process" in await other()
    await database.close()
    assert await other() == ""


async def test_what_is_written_never_reaches_a_log(database: Database, caplog: pytest.LogCaptureFixture) -> None:
    """aiosqlite logs its calls with their arguments at debug level; whatever level is set, it is kept from that."""
    with caplog.at_level(logging.DEBUG):
        await database.write(write_user)
        assert logging.getLogger("orchestrator").isEnabledFor(logging.DEBUG)
        assert not logging.getLogger("aiosqlite").isEnabledFor(logging.INFO)
    assert caplog.text == ""


def test_the_members_of_aiosqlite_we_use_are_there() -> None:
    """`database.py` takes two private members of aiosqlite for one hop per transaction; they have not moved."""
    assert aiosqlite.__version__ == "0.22.1"
    assert callable(aiosqlite.Connection._execute)
    assert isinstance(aiosqlite.Connection._conn, property)
