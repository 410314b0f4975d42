"""Docs are tests: what a user can meet is in the README, and its generated sections are those of the code."""

from __future__ import annotations

import re
from dataclasses import fields
from typing import get_args

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


def test_codes() -> None:
    """Every code is explained."""
    codes = {*errors.PROBLEMS, *errors.SOCKET, *errors.REASONS, *errors.SEND_ERRORS, *errors.PAIR_ERRORS}
    assert codes - MENTIONED == set()


def test_statuses() -> None:
    """Every status has a row in the table of statuses."""
    rows = set(re.findall(r"^\| `(\w+)` \|", README, re.MULTILINE))
    assert {*get_args(Status)} - rows == set()


def test_settings() -> None:
    """Every setting is listed, and `serve` takes it as an option of the same name."""
    names = [field.name for field in fields(Settings)]
    assert {name.upper() for name in names} - MENTIONED == set()
    options = {option.name: option.opts for option in docs._command("serve").params}
    assert [name for name in names if f"--{name.replace('_', '-')}" not in options[name]] == []


def test_commands() -> None:
    """Every command is listed with its arguments, and says in one line what it does."""
    commands = dict(docs._commands(docs._command(), "orchestrator"))
    assert {*commands} - MENTIONED == set()
    assert [command for command, text in commands.items() if not text] == []


def test_metrics() -> None:
    """Every metric is listed."""
    names = {name.split("{")[0] for name in MENTIONED}
    assert {family.name for family in Metrics().families} - names == set()


def test_scripts_exist() -> None:
    """What the README tells to run is there."""
    told = re.findall(r"scripts/[\w/.]+\w|\.ci/run", README)
    assert told and [path for path in told if not (docs.README.parent / path).exists()] == []


def test_no_route_is_a_secret() -> None:
    """The README names OpenAPI and its page, which list every route."""
    assert {"/openapi.json", "/docs"} <= MENTIONED
    assert "/docs" in static_files.STATIC
