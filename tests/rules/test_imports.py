"""Imports go down only, siblings never meet, each third-party library has one door, pure files stay pure."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.rules.tree import PRODUCT, ROOT, Source, sources

LEVELS: tuple[tuple[str, ...], ...] = (
    (
        "app",
        "demo",
        "listening",
        "wiring",
        "cli",
        "cli_client",
        "cli_output",
        "cli_bots",
        "cli_events",
        "cli_demo",
        "cli_doctor",
        "doctor",
        "__main__",
    ),
    ("api", "gateway", "scripting", "bots"),
    ("supervisor", "bus", "auth", "operations"),
    ("store",),
    (
        "ports",
        "model",
        "errors",
        "clock",
        "settings",
        "log",
        "tasks",
        "qr",
        "metrics",
        "frames",
        "proxies",
        "filetypes",
        "fetching",
    ),
)
"""Rooms of `orchestrator/`, top to bottom. A room imports from lower levels and from itself; the lowest level's files
may import each other."""

FROM_SESSIONS = {
    "sessions.model", "sessions.media", "sessions.session", "sessions.wire", "sessions.lifecycle", "sessions.slots",
}  # fmt: skip

PLAYS_PHONES = {
    "orchestrator.demo.": {"sessions.simulated_control", "sessions.simulated_phone", "sessions.simulated_store"}
}
"""Who plays simulated phones may know their ends; nobody else in the orchestrator knows that there are any."""

DOORS = {
    "neonize": {"sessions.whatsapp"},
    "socketio": {"orchestrator.gateway.gateway"},
    "engineio": {"orchestrator.gateway.gateway"},
    "aiosqlite": {"orchestrator.store.database"},
    "qrcode": {"orchestrator.qr"},
    "PIL": {"sessions.pictures"},
    "jwt": {"orchestrator.auth.local", "orchestrator.auth.jwt"},
    "firebase_admin": {"orchestrator.auth.firebase"},
    "prometheus_client": {"orchestrator.metrics"},
    "uvloop": {"orchestrator.app"},
    "typer": {
        f"orchestrator.{name}" for name in ("cli", "cli_client", "cli_bots", "cli_events", "cli_demo", "cli_doctor")
    },
}

PURE = {
    "sessions.around", "sessions.translate_around", "orchestrator.bots.group_names", "orchestrator.bots.calls",
    "orchestrator.bots.presences",
    "sessions.media", "sessions.compose_media", "orchestrator.bots.outbox_media", "orchestrator.filetypes",
    "sessions.content", "sessions.outgoing", "sessions.compose", "sessions.people", "sessions.translate_messages",
    "sessions.translate_history",
    "sessions.translate_frames", "orchestrator.bots.outbox_kinds", "orchestrator.api.schema_send", "sessions.model",
    "sessions.lifecycle", "sessions.lifecycle_rows", "sessions.translate", "sessions.texts", "sessions.kinds",
    "sessions.wire", "orchestrator.model", "orchestrator.errors", "orchestrator.frames", "orchestrator.bus.bus",
    "orchestrator.supervisor.policy", "orchestrator.supervisor.child", "orchestrator.supervisor.pacing",
    "orchestrator.supervisor.placement", "orchestrator.supervisor.quarantine", "orchestrator.supervisor.incidents",
    "orchestrator.gateway.protocol", "orchestrator.gateway.admission", "orchestrator.gateway.window",
    "orchestrator.gateway.rate", "orchestrator.gateway.command", "orchestrator.api.bodies", "orchestrator.auth.names",
    "orchestrator.bots.fold", "orchestrator.bots.outbox_fold", "orchestrator.bots.record", "orchestrator.bots.history",
    "orchestrator.operations.figures", "orchestrator.operations.log", "orchestrator.supervisor.incident_texts",
    "orchestrator.supervisor.outdated",
    "orchestrator.bots.people", "orchestrator.bots.outbox_told", "orchestrator.api.schema_stored",
    "orchestrator.bus.messages", "orchestrator.bus.conversation",
}  # fmt: skip
"""Files that decide: no event loop, no I/O, no clock."""

IMPURE = {
    "asyncio",
    "socket",
    "time",
    "threading",
    "os",
    "sqlite3",
    "subprocess",
    "aiohttp",
    "aiosqlite",
    "pathlib",
    "ssl",
}


def _room(module: str) -> str:
    parts = module.split(".")
    return parts[1] if len(parts) > 1 else ""


def _level(room: str) -> int | None:
    return next((index for index, rooms in enumerate(LEVELS) if room in rooms), None)


@pytest.mark.parametrize("source", sources("orchestrator"), ids=lambda source: source.module)
def test_imports_go_down_only(source: Source) -> None:
    """A room of the orchestrator imports from rooms below it, never from beside or above."""
    room = _room(source.module)
    if not room:
        return
    mine = _level(room)
    assert mine is not None, f"{source.module}: give room {room} a place in LEVELS"
    for imported, line in source.imports():
        if not imported.startswith("orchestrator."):
            continue
        other = _room(imported)
        theirs = _level(other)
        lowest = mine == theirs in {0, len(LEVELS) - 1}
        assert theirs is None or other == room or theirs > mine or lowest, f"{source.path}:{line} imports {imported}"


@pytest.mark.parametrize("source", sources(*PRODUCT), ids=lambda source: source.module)
def test_sessions_is_a_leaf(source: Source) -> None:
    """Sessions never import the orchestrator, which sees only their records."""
    for imported, line in source.imports():
        where = f"{source.path}:{line} imports {imported}"
        if source.module.startswith("sessions"):
            assert not imported.startswith("orchestrator"), where
        elif imported.startswith("sessions."):
            doors = FROM_SESSIONS.union(
                *(more for room, more in PLAYS_PHONES.items() if source.module.startswith(room))
            )
            assert any(imported == door or imported.startswith(f"{door}.") for door in doors), where


@pytest.mark.parametrize("source", sources(*PRODUCT), ids=lambda source: source.module)
def test_each_library_has_one_door(source: Source) -> None:
    """A third-party library with state of its own is imported by one file."""
    for imported, line in source.imports():
        doors = DOORS.get(imported.split(".")[0])
        assert doors is None or source.module in doors, f"{source.path}:{line} imports {imported}; its door is {doors}"


@pytest.mark.parametrize("source", [s for s in sources(*PRODUCT) if s.module in PURE], ids=lambda source: source.module)
def test_pure_files_stay_pure(source: Source) -> None:
    """Files that decide import no event loop, no I/O and no clock."""
    for imported, line in source.imports():
        assert imported.split(".")[0] not in IMPURE, f"{source.path}:{line} imports {imported}"


def test_pure_files_exist() -> None:
    """The list of pure files names files that are there."""
    assert {s.module for s in sources(*PRODUCT)} >= PURE


def test_importing_does_nothing() -> None:
    """Importing any module but the library's door starts no thread, opens no file, prints nothing."""
    modules = [s.module for s in sources(*PRODUCT) if s.module not in {"sessions.whatsapp", "orchestrator.__main__"}]
    code = (
        "import importlib, threading, sys\n"
        f"for name in {modules!r}: importlib.import_module(name)\n"
        "assert threading.active_count() == 1, threading.enumerate()\n"
        "assert 'neonize' not in sys.modules\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
