"""Docs are tests: what a user can meet is in the README, and its generated sections are those of the code."""

from __future__ import annotations

import re
from dataclasses import fields
from typing import get_args

import pytest

from orchestrator import errors
from orchestrator.api import static_files
from orchestrator.metrics import Metrics
from orchestrator.model import Status
from orchestrator.settings import Settings
from scripts import docs

README = docs.README.read_text("utf-8")
MENTIONED = set(re.findall(r"`([^`\n]+)`", README))


def test_generated_sections_are_current() -> None:
    """The README holds exactly what scripts/docs.py writes."""
    assert docs.written(README) == README, "run python scripts/docs.py"


@pytest.mark.parametrize(
    "code", [*errors.PROBLEMS, *errors.SOCKET, *errors.REASONS, *errors.SEND_ERRORS, *errors.PAIR_ERRORS]
)
def test_codes(code: str) -> None:
    """Every code is explained."""
    assert code in MENTIONED


@pytest.mark.parametrize("status", get_args(Status))
def test_statuses(status: str) -> None:
    """Every status has a row in the table of statuses."""
    assert re.search(rf"^\| `{status}` \|", README, re.MULTILINE)


@pytest.mark.parametrize("name", [field.name for field in fields(Settings)])
def test_settings(name: str) -> None:
    """Every setting is listed, and `serve` takes it as an option of the same name."""
    assert name.upper() in MENTIONED
    options = {option.name: option.opts for option in docs._command("serve").params}
    assert f"--{name.replace('_', '-')}" in options[name]


@pytest.mark.parametrize("command", [path for path, _ in docs._commands(docs._command(), "orchestrator")])
def test_commands(command: str) -> None:
    """Every command is listed with its arguments, and says in one line what it does."""
    assert command in MENTIONED
    assert dict(docs._commands(docs._command(), "orchestrator"))[command]


@pytest.mark.parametrize("family", Metrics().families, ids=lambda family: family.name)
def test_metrics(family: object) -> None:
    """Every metric is listed."""
    assert any(name.split("{")[0] == family.name for name in MENTIONED)  # type: ignore[attr-defined]


@pytest.mark.parametrize("path", re.findall(r"scripts/[\w/.]+\w|\.ci/run", README))
def test_scripts_exist(path: str) -> None:
    """What the README tells to run is there."""
    assert (docs.README.parent / path).exists()


def test_no_route_is_a_secret() -> None:
    """The README names OpenAPI and its page, which list every route."""
    assert {"/openapi.json", "/docs"} <= MENTIONED
    assert "/docs" in static_files.STATIC
