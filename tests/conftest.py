"""What every test gets: logs that do not leak from one into another, and the mark of those that take whole systems."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from typing import Any

import pytest
import structlog
from hypothesis import HealthCheck, settings

from tests.support.examples import GATE, QUICK

for _profile, _examples in {"quick": QUICK, "gate": GATE}.items():
    # How long an example takes says nothing about it on a machine that does other things too.
    settings.register_profile(
        _profile, max_examples=_examples, deadline=None, suppress_health_check=[HealthCheck.too_slow]
    )


def pytest_configure() -> None:
    """Let children of the tests hear Ctrl-C, and keep what is compiled.

    A shell starts its background jobs deaf to Ctrl-C, and that is inherited. The tests start more than a thousand
    processes: where the environment forbids to write bytecode, each of them would compile the whole project.
    """
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    sys.dont_write_bytecode = False
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)


WHOLE_SYSTEMS = frozenset(
    {
        "test_api_garbage", "test_auth_server", "test_bots_real_room", "test_bus_machine", "test_cli", "test_cli_database",
        "test_cli_events", "test_gateway_admission", "test_gateway_serve", "test_supervisor_real_library",
        "test_gateway_commands", "test_gateway_drops", "test_gateway_floods", "test_gateway_memory", "test_gateway_races",
        "test_gateway_storm", "test_gateway_tenure", "test_gateway_transport", "test_gateway_window", "test_loopback_real",
        "test_api_media", "test_cli_files", "test_loopback_history", "test_loopback_holds",
        "test_loopback_real_endings", "test_sessions_real_contract", "test_sessions_real_groups", "test_sessions_whatsapp",
        "test_sessions_worker",
        "test_supervisor_chaos", "test_supervisor_killed", "test_supervisor_real_worker", "test_supervisor_room",
    }
)  # fmt: skip
"""Modules that start processes, the real library or thousands of steps; with `e2e/` and `crash/` they are marked `system`."""

ALONE = frozenset({"test_bench", "test_gateway_storm"})
"""Modules that need all of the machine: they run after the others, one at a time."""


LONGEST = (
    "tenants/test_tenants.py::test_nothing_of_one_reaches_another",
    "e2e/test_page_states.py::test_six_codes_run_out",
    "e2e/test_page_states.py::test_states_of_linking",
    "test_demo.py::test_bots_fail_and_come_back",
    "crash/test_ring_crash.py::test_many_deaths",
    "crash/test_sends_crash.py::test_many_deaths",
    "test_api_fuzzed.py::test_no_500_and_nothing_undocumented",
)
"""Those that take a minute or more, longest first. They begin when the run does: what runs side by side ends together."""


@pytest.hookimpl(wrapper=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> Iterator[None]:
    """Mark whole modules in one place, so that plain `pytest` stays under two minutes; let the long ones begin."""
    for item in items:
        if item.path.stem in ALONE:
            item.add_marker("alone")
        if item.path.parent.name in {"e2e", "crash"} or item.path.stem in WHOLE_SYSTEMS:
            item.add_marker("system")
    yield
    beside = getattr(config, "workerinput", {"workercount": 1})
    items[:] = _dealt(items, beside["workercount"])


def _dealt(items: list[pytest.Item], processes: int) -> list[pytest.Item]:
    """Order the tests so that each process begins with some of the longest.

    pytest-xdist cuts the list into as many equal runs; who is through with its own takes from the ends of the others.
    """
    ranks = {item: _rank(item) for item in items}
    long = sorted((item for item in items if ranks[item] is not None), key=lambda item: ranks[item] or 0)
    others = [item for item in items if ranks[item] is None]
    order: list[pytest.Item] = []
    for number in range(processes):
        first = long[number::processes]
        room = max(0, (len(items) - len(order)) // (processes - number) - len(first))
        order += [*first, *others[:room]]
        del others[:room]
    return order


def _rank(item: pytest.Item) -> int | None:
    name = item.nodeid.removeprefix("tests/")
    listed = (number for number, long in enumerate(LONGEST) if name.startswith(long))
    return next(listed, None if item.get_closest_marker("slow") is None else len(LONGEST))


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
