"""Imports go down only, siblings never meet, each third-party library has one door, pure files stay pure."""

from __future__ import annotations

import subprocess
import sys

from tests.rules.tree import PRODUCT, ROOT, sources

LEVELS: tuple[tuple[str, ...], ...] = (
    (
        "app",
        "demo",
        "listening",
        "wiring",
        "cli",
        "cli_client",
        "cli_words",
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


def test_imports_go_down_only() -> None:
    """A room of the orchestrator imports from rooms below it, never from beside or above."""
    rooms = [(source, _room(source.module)) for source in sources("orchestrator") if _room(source.module)]
    assert {room for _, room in rooms if _level(room) is None} == set(), "give these rooms a place in LEVELS"
    up = [
        f"{source.path}:{line} imports {imported}"
        for source, room in rooms
        for imported, line in source.imports
        if imported.startswith("orchestrator.") and not _down(room, _room(imported))
    ]
    assert up == []


def _down(room: str, other: str) -> bool:
    mine, theirs = _level(room), _level(other)
    assert mine is not None
    among_themselves = mine == theirs in {0, len(LEVELS) - 1}
    return theirs is None or other == room or theirs > mine or among_themselves


def test_sessions_is_a_leaf() -> None:
    """Sessions never import the orchestrator, which sees only their records."""
    wrong = []
    for source in sources(*PRODUCT):
        doors = FROM_SESSIONS.union(*(more for room, more in PLAYS_PHONES.items() if source.module.startswith(room)))
        for imported, line in source.imports:
            if source.module.startswith("sessions"):
                allowed = not imported.startswith("orchestrator")
            else:
                inside = any(imported == door or imported.startswith(f"{door}.") for door in doors)
                allowed = inside or not imported.startswith("sessions.")
            if not allowed:
                wrong.append(f"{source.path}:{line} imports {imported}")
    assert wrong == []


def test_each_library_has_one_door() -> None:
    """A third-party library with state of its own is imported by one file."""
    wrong = [
        f"{source.path}:{line} imports {imported}; its door is {DOORS[imported.split('.')[0]]}"
        for source in sources(*PRODUCT)
        for imported, line in source.imports
        if source.module not in DOORS.get(imported.split(".")[0], {source.module})
    ]
    assert wrong == []


def test_pure_files_stay_pure() -> None:
    """Files that decide import no event loop, no I/O and no clock."""
    wrong = [
        f"{source.path}:{line} imports {imported}"
        for source in sources(*PRODUCT)
        if source.module in PURE
        for imported, line in source.imports
        if imported.split(".")[0] in IMPURE
    ]
    assert wrong == []


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
