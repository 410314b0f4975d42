"""What every test gets: logs that do not leak from one into another, and the mark of those that take whole systems."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from typing import Any

import pytest
import structlog


def pytest_configure() -> None:
    """Let children of the tests hear Ctrl-C: a shell starts its background jobs deaf to it, and that is inherited."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


WHOLE_SYSTEMS = frozenset(
    {
        "test_api_garbage", "test_auth_server", "test_bus_machine", "test_cli", "test_cli_events", "test_gateway_admission",
        "test_gateway_commands", "test_gateway_drops", "test_gateway_floods", "test_gateway_memory", "test_gateway_races",
        "test_gateway_storm", "test_gateway_tenure", "test_gateway_window", "test_loopback_real",
        "test_api_media", "test_cli_files", "test_loopback_history", "test_loopback_holds",
        "test_loopback_real_endings", "test_sessions_real_contract", "test_sessions_real_groups", "test_sessions_whatsapp",
        "test_sessions_worker",
        "test_supervisor_chaos", "test_supervisor_killed", "test_supervisor_real_worker", "test_supervisor_room",
    }
)  # fmt: skip
"""Modules that start processes, the real library or thousands of steps; with `e2e/` and `crash/` they are marked `system`."""

ALONE = frozenset({"test_bench", "test_gateway_memory", "test_gateway_storm"})
"""Modules that measure a process or need all of the machine: they run after the others, one at a time."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark whole modules in one place, so that plain `pytest` stays under two minutes."""
    for item in items:
        if item.path.stem in ALONE:
            item.add_marker("alone")
        if item.path.parent.name in {"e2e", "crash"} or item.path.stem in WHOLE_SYSTEMS:
            item.add_marker("system")


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Print what tests have to say beside that they passed: `record_property("shown", LINE)`."""
    reports = terminalreporter.stats.get("passed", []) + terminalreporter.stats.get("failed", [])
    lines = [str(line) for report in reports for name, line in report.user_properties if name == "shown"]
    if lines:
        terminalreporter.section("shown")
        for line in lines:
            terminalreporter.write_line(line)


@pytest.fixture(autouse=True)
def _plain_logs() -> Iterator[None]:
    yield
    structlog.reset_defaults()
