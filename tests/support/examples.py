"""How many examples Hypothesis tries: all in the gate, a quarter of them in plain `pytest`.

Owns that rule for tests which name a number of their own. The profiles are in `tests/conftest.py`.
"""

from __future__ import annotations

from hypothesis import settings

GATE = 100
QUICK = 25


def examples(gate: int) -> int:
    """Return `gate` where `scripts/test` runs, and a quarter of it in plain `pytest`.

    For use as `max_examples`, at import: the profile is chosen before test files are read.
    """
    return max(1, gate * settings().max_examples // GATE)
