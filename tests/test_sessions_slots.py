"""Slot notes: readable after the writer's death, by anybody, whatever the threads did."""

from __future__ import annotations

import stat
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from sessions.slots import UNKNOWN_BOT, Slots


def test_note_is_read_while_held(tmp_path: Path) -> None:
    """A note is there from `note` to the end of its block, and carries bot, operation and the machine's clock."""
    path = tmp_path / "slots"
    slots = Slots.create(path)
    before = time.monotonic()
    with slots.note("bot_a", "send"):
        found = Slots.read(path)
        assert [(note.bot, note.operation) for note in found] == [("bot_a", "send")]
        assert before <= found[0].since <= time.monotonic()
        assert slots.notes() == found
    assert Slots.read(path) == []


def test_notes_are_oldest_first(tmp_path: Path) -> None:
    """The note held longest comes first: that is the call that doesn't return."""
    slots = Slots.create(tmp_path / "slots")
    held = [slots.note(f"bot_{number}", "callback:17") for number in range(5)]
    held[2].clear()
    assert [note.bot for note in slots.notes()] == ["bot_0", "bot_1", "bot_3", "bot_4"]


def test_clear_is_idempotent(tmp_path: Path) -> None:
    """Clearing twice doesn't free somebody else's slot."""
    slots = Slots.create(tmp_path / "slots", 1)
    first = slots.note("bot_a", "stop")
    first.clear()
    second = slots.note("bot_b", "start")
    first.clear()
    assert [note.bot for note in slots.notes()] == ["bot_b"]
    second.clear()


def test_full_file_says_that_somebody_is_unknown(tmp_path: Path) -> None:
    """With every slot taken a further bot is noted as unknown, and forgotten when it leaves."""
    path = tmp_path / "slots"
    slots = Slots.create(path, 2)
    held = [slots.note("bot_a", "x"), slots.note("bot_b", "x")]
    further = slots.note("bot_c", "x")
    assert [note.bot for note in Slots.read(path)] == ["bot_a", "bot_b", UNKNOWN_BOT]
    further.clear()
    assert [note.bot for note in Slots.read(path)] == ["bot_a", "bot_b"]
    for note in held:
        note.clear()
    assert Slots.read(path) == []


def test_long_names_are_cut(tmp_path: Path) -> None:
    """A name longer than its place is cut, never spilt into the next slot."""
    path = tmp_path / "slots"
    slots = Slots.create(path, 3)
    held = [slots.note("b" * 64, "o" * 100), slots.note("ü" * 64, "ok")]
    notes = Slots.read(path)
    assert (notes[0].bot, notes[0].operation) == ("b" * 64, "o" * 38)
    assert notes[1].bot.startswith("ü" * 32)
    assert len(held) == 2


@pytest.mark.parametrize("content", [None, b"", b"foreign file", b"WASLOT01\xff\xff\xff\xff\x00\x00\x00\x00"])
def test_odd_files_hold_no_notes(tmp_path: Path, content: bytes | None) -> None:
    """A missing, empty, foreign or cut-off file is read as empty."""
    path = tmp_path / "slots"
    if content is not None:
        path.write_bytes(content)
    assert Slots.read(path) == []


def test_file_is_private(tmp_path: Path) -> None:
    """Nobody else can read who is in the library."""
    path = tmp_path / "slots"
    Slots.create(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


_WRITER = """
import sys, time
from sessions.slots import Slots
slots = Slots.create(sys.argv[1])
slots.note("bot_gone", "finished").clear()
held = [slots.note("bot_a", "callback:17"), slots.note("bot_b", "send")]
print("ready", flush=True)
time.sleep(60)
"""


def test_notes_survive_sigkill(tmp_path: Path) -> None:
    """What was noted when a process was killed is read afterwards, and only that."""
    path = tmp_path / "slots"
    writer = subprocess.Popen([sys.executable, "-c", _WRITER, str(path)], stdout=subprocess.PIPE)
    try:
        assert writer.stdout is not None
        assert writer.stdout.readline() == b"ready\n"
    finally:
        writer.kill()
        writer.wait(10)
        assert writer.stdout is not None
        writer.stdout.close()
    assert [(note.bot, note.operation) for note in Slots.read(path)] == [("bot_a", "callback:17"), ("bot_b", "send")]


def test_threads_share_the_slots(tmp_path: Path) -> None:
    """Many threads noting at once never lose, mix or leak a slot, also beyond the file's size."""
    path = tmp_path / "slots"
    slots = Slots.create(path, 8)
    wrong: list[str] = []

    def work(bot: str) -> None:
        for number in range(500):
            with slots.note(bot, f"call {number}"):
                seen = [note for note in slots.notes() if note.bot == bot]
                if len(seen) > 1 or (seen and seen[0].operation != f"call {number}"):
                    wrong.append(bot)

    threads = [threading.Thread(target=work, args=(f"bot_{number}",)) for number in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert not wrong
    assert Slots.read(path) == []
