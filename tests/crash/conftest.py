"""Fixtures of the crash tests: the end-to-end ones, and a way to show figures without asking pytest for them."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.e2e.conftest import environment, node, server, server_options, whatsapp

__all__ = ["environment", "node", "say", "server", "server_options", "whatsapp"]


@pytest.fixture
def say(capsys: pytest.CaptureFixture[str]) -> Callable[[str], None]:
    """Print a figure, whether or not output is captured."""

    def print_it(line: str) -> None:
        with capsys.disabled():
            print(f"\n  {line}", end="", flush=True)

    return print_it
