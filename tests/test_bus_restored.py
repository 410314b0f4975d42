"""A bus on files that came from elsewhere or from before: restored, repaired, or of an earlier version."""

from __future__ import annotations

import contextlib
import json
import shutil
import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from orchestrator.bots.people import Person, decode
from orchestrator.bus.bus import Duplicate, Entry, Source, StatePut
from orchestrator.bus.retention import Retention
from orchestrator.clock import ManualClock
from orchestrator.errors import Refused
from orchestrator.model import Position
from orchestrator.store import database as module
from orchestrator.store.database import Database, migrations
from tests.contracts import bus_changes as changes
from tests.contracts.bus_suite import ANA, BEN, entry, event, numbers, position, start, whole_log
from tests.support.bus import DurableBus

CLOCK = ManualClock()


@pytest.fixture
async def files(tmp_path: Path) -> AsyncIterator[DurableBus]:
    made = DurableBus(tmp_path, CLOCK)
    await made.open()
    yield made
    await made.close()
    assert made.failures == []


async def epochs(files: DurableBus) -> list[str]:
    return [(await files.bus.state(user)).head.epoch for user in (ANA, BEN)]


async def commit(files: DurableBus, first: int, last: int) -> Position:
    outcomes = [await files.bus.commit([entry(number), entry(number, user=BEN)]) for number in range(first, last + 1)]
    return position(outcomes[-1][0])


async def refused_in_new_epoch(files: DurableBus, old: Position, kept: int) -> None:
    """A position of before is refused, the log holds what is there, and goes on in its new epoch."""
    state = await files.bus.state(ANA)
    assert state.head.epoch != old.epoch
    for way in (files.bus.read, files.bus.subscribe):
        with pytest.raises(Refused) as refused:
            await way(ANA, old)
        assert refused.value.code == "position_expired"
    assert await numbers(files.bus) == [f"evt_{number}" for number in range(1, kept + 1)]
    (outcome,) = await files.bus.commit([entry(kept + 1)])
    assert outcome == Position(state.head.epoch, kept + 1)


async def test_a_restart_keeps_the_epoch(files: DurableBus) -> None:
    """Stopped or killed at any moment, a log goes on in its epoch."""
    await commit(files, 1, 3)
    before = await epochs(files)
    await files.restart()
    assert await epochs(files) == before
    for number in range(4, 10):
        await commit(files, number, number)
        await files.crash()
        assert await epochs(files) == before


async def test_a_backup_put_back_in_place_is_noticed(files: DurableBus) -> None:
    """A database whose content is older than what clients were told has new epochs, once; also after a kill."""
    await commit(files, 1, 3)
    await files.restart()
    backup = {ending: data for ending, data in files.files().items() if ending != ".heads"}
    last = await commit(files, 4, 6)
    await files.close()
    files.put_back(backup)
    await files.open(files.path)
    await refused_in_new_epoch(files, last, 3)
    renewed = await epochs(files)
    await files.crash()
    await files.restart()
    assert await epochs(files) == renewed


async def test_a_lost_write_ahead_log_is_noticed(files: DurableBus) -> None:
    """After a repair that lost commits, every log has a new epoch."""
    await commit(files, 1, 2)
    await files.restart()
    first = files.files()
    last = await commit(files, 3, 5)
    await files.close()
    note = files.files()[".heads"]
    files.put_back({"": first[""], ".heads": note})
    await files.open(files.path)
    await refused_in_new_epoch(files, last, 2)


async def test_a_whole_directory_restored_is_noticed(files: DurableBus, tmp_path: Path) -> None:
    """A backup of the whole directory, its note included, is another file: new epochs."""
    await commit(files, 1, 3)
    await files.close()
    shutil.copytree(files.path.parent, tmp_path / "backup")
    await files.open(files.path)
    last = await commit(files, 4, 6)
    await files.close()
    files.path.rename(tmp_path / "damaged.db")  # its inode stays taken
    shutil.copytree(tmp_path / "backup", files.path.parent, dirs_exist_ok=True)
    await files.open(files.path)
    await refused_in_new_epoch(files, last, 3)


@pytest.mark.parametrize("note", [None, b"", b"{}", b"\xff", b'{"file":"x","count":1}'])
async def test_a_database_without_its_note_came_from_elsewhere(files: DurableBus, note: bytes | None) -> None:
    """Without a readable note every log has a new epoch; the next start has one."""
    last = await commit(files, 1, 3)
    await files.close()
    beside = Path(f"{files.path}.heads")
    beside.unlink() if note is None else beside.write_bytes(note)
    await files.open(files.path)
    await refused_in_new_epoch(files, last, 3)
    renewed = await epochs(files)
    await files.restart()
    assert await epochs(files) == renewed


def _replaced_by_a_directory(note: Path) -> None:
    """Also when the bus is just writing it."""
    while not note.is_dir():
        note.unlink(missing_ok=True)
        with contextlib.suppress(FileExistsError):
            note.mkdir()


async def test_a_note_that_cannot_be_written_stops_nothing(files: DurableBus) -> None:
    """Commits go on when the note cannot be written."""
    await commit(files, 1, 1)
    _replaced_by_a_directory(Path(f"{files.path}.heads"))
    await commit(files, 2, 3)
    await files.restart()
    assert await numbers(files.bus) == ["evt_1", "evt_2", "evt_3"]
    await commit(files, 4, 4)
    Path(f"{files.path}.heads").rmdir()


async def test_the_note_is_private_and_says_little(files: DurableBus) -> None:
    """The note has mode 0600 and holds two numbers."""
    await commit(files, 1, 3)
    await files.restart()
    beside = Path(f"{files.path}.heads")
    assert beside.stat().st_mode & 0o777 == 0o600
    assert json.loads(beside.read_bytes()) == {"file": files.path.stat().st_ino, "count": 6}


def write_old(path: Path, upto: int) -> None:
    """Make a database as the version with so many migrations left it."""
    connection = sqlite3.connect(path)
    connection.executescript(
        "CREATE TABLE migrations (number INTEGER PRIMARY KEY, name TEXT NOT NULL, applied_at INTEGER NOT NULL) STRICT;"
        f"PRAGMA application_id={module._APPLICATION_ID};"
    )
    for number, name, sql in migrations()[:upto]:
        connection.executescript(sql)
        connection.execute("INSERT INTO migrations VALUES (?, ?, 0)", (number, name))
        if number == 1:
            _write_rows(connection)
    connection.commit()
    connection.close()


def _write_rows(connection: sqlite3.Connection) -> None:
    connection.executescript(
        "INSERT INTO logs (log, user, epoch, head, floor) VALUES (1, 'ana', 'log_old', 3, 0), (2, 'ben', 'log_b', 0, 0);"
        "INSERT INTO latest VALUES (1, 'bot/bot_a', 'bot_a', x'31');"
        "INSERT INTO marks VALUES ('inc_1', 7, 'wrk_1', 1, 'bot_a');"
    )
    for number in (1, 2, 3):
        one = event(number, data=b"x" * 1000)
        connection.execute(
            "INSERT INTO events VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (1 << 40 | number, one.bot, one.name, one.type, one.id, CLOCK.wall_ms() - number, one.data, None, None),
        )


def _schema(connection: sqlite3.Connection) -> list[str]:
    rows = connection.execute("SELECT name, sql FROM sqlite_schema WHERE name <> 'migrations' ORDER BY name")
    return [f"{name}: {sql}" for name, sql in rows]


@pytest.mark.parametrize("upto", range(1, len(migrations())))
async def test_from_every_earlier_version(tmp_path: Path, upto: int) -> None:
    """A database of any earlier version opens, with the same tables as a new one; its log goes on and is cut like others."""
    path = tmp_path / "old" / "bus.db"
    path.parent.mkdir()
    write_old(path, upto)
    new = await Database.open(tmp_path / "new.db", CLOCK)
    schema = await new.read(_schema)
    await new.close()
    files = DurableBus(tmp_path, CLOCK)
    files.retention = Retention(max_events=5, max_bytes=3 * 1200 + 1000)
    bus = await files.open(path)
    assert await files.database.read(_schema) == schema
    assert [one.event.id for one in await whole_log(bus)] == ["evt_1", "evt_2", "evt_3"]
    assert (await bus.snapshot(ANA)).values == {"bot/bot_a": b"1"}
    outcomes = await bus.commit([Entry(ANA, event(4), (StatePut("k", b"2"),), Source("w", "inc_1", 7)), entry(4)])
    assert outcomes[0] == Duplicate()
    assert position(outcomes[1]).seq == 4
    await bus.commit([entry(5, data=b"x" * 1000)])
    assert (await bus.state(ANA)).floor.seq == 1
    assert start(await bus.state(BEN)).seq == 0
    CLOCK.advance(100 * 3600)
    await bus.tidy()
    assert await numbers(bus) == []
    await files.close()
    assert files.failures == []


async def test_messages_of_an_earlier_version_change_too(tmp_path: Path) -> None:
    """Rows stored before messages could change are found by their id; who was known is known, by either form."""
    path = tmp_path / "old" / "bus.db"
    path.parent.mkdir()
    write_old(path, 5)
    connection = sqlite3.connect(path)
    bodies = [changes.message("M", sentAt=3), changes.message("N", chat=changes.PN, sender=changes.PN, sentAt=2)]
    bodies += [changes.message("O", chat=ALONE, sender=ALONE, sentAt=1)]
    for number, one in enumerate(bodies, 1):
        assert one.event is not None
        chat = json.loads(one.event.data)["chat"]
        row = (1 << 40 | number, 1, "bot_a", chat, 10 - number, CLOCK.wall_ms(), f"evt_{number}", 1, one.event.data)
        connection.execute("INSERT INTO messages VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", row)
    connection.execute(
        "INSERT INTO messages VALUES (?, 1, 'bot_a', 'odd@lid', 1, 1, 'evt_9', 1, x'ff')", (1 << 40 | 9,)
    )
    connection.execute("INSERT INTO chat_forms VALUES (1, 'bot_a', ?, ?)", (changes.LID, changes.PN))
    connection.commit()
    connection.close()
    files = DurableBus(tmp_path, CLOCK)
    bus = await files.open(path)
    await bus.commit([changes.edit("after", target="M"), changes.edit("late", target="N", chat=changes.LID)])
    await bus.commit([changes.change("revoked", target="O", chat=ALONE, sender=ALONE)])
    first, second = await changes.stored(bus, changes.PN)
    assert (first["text"], second["text"]) == ("after", "late")
    assert "text" not in (await changes.stored(bus, ALONE))[0]
    people = (await bus.snapshot(ANA, "person/")).values
    assert [decode(value) for _, value in sorted(people.items())] == [
        Person(ALONE, None, alone=True, newest=1),
        Person(changes.PN, changes.LID, alone=True, newest=1),
    ]
    await files.close()
    assert files.failures == []


ALONE = "4915100000000@s.whatsapp.net"
