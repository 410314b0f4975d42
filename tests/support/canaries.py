"""Everything that is written anywhere while a test runs, searched for what must not be in it.

Owns collecting: our own log lines before they are masked, every library's at debug, what goes to standard output and
error, and the texts and causes of refusals. It must never know what the secrets are for.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from structlog.testing import capture_logs

from orchestrator.errors import Refused

PIECE_CHARS = 16
"""Whoever finds this much of a secret has found it."""


@dataclass
class Canaries:
    """What must not appear, and what has been written."""

    lines: list[Any]
    """Our own log, line by line."""
    secrets: list[str] = field(default_factory=list)
    texts: list[str] = field(default_factory=list)

    def hide(self, secret: str) -> str:
        """Name a secret; each part of a token is one."""
        self.secrets += [part for part in secret.split(".") if len(part) >= PIECE_CHARS]
        return secret

    def saw(self, error: BaseException) -> None:
        """Keep what an error says, with all that a traceback of it would show."""
        seen: BaseException | None = error
        while seen is not None:
            self.texts += [str(seen), repr(seen)]
            if isinstance(seen, Refused):
                self.texts.append(repr(seen.extra))
            seen = seen.__cause__ or (None if seen.__suppress_context__ else seen.__context__)

    def told(self, event: str) -> list[Any]:
        """Our own log lines of that name."""
        return [line for line in self.lines if line["event"] == event]

    def check(self) -> None:
        """Fail when a piece of a secret was written."""
        written = "\n".join([*self.texts, *map(repr, self.lines)])
        assert self.secrets, "no secret was named: this test proves nothing"
        for secret in self.secrets:
            for start in range(0, len(secret) - PIECE_CHARS + 1, PIECE_CHARS):
                assert secret[start : start + PIECE_CHARS] not in written


@pytest.fixture
def canaries(capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture) -> Iterator[Canaries]:
    """Collects from here on, and checks at the end."""
    caplog.set_level(logging.DEBUG)
    with capture_logs() as lines:
        found = Canaries(lines)
        yield found
    taken = capsys.readouterr()
    found.texts += [taken.out, taken.err, caplog.text, *(repr(record.args) for record in caplog.records)]
    found.check()
