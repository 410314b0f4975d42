"""Seeds of the long crash tests: one in every test run, as many as asked for in a soak."""

from __future__ import annotations

import os

VARIABLE = "SOAK_SEEDS"


def soaked(first: int) -> list[int]:
    """Return the seeds to run: `first`, or as many from there on as the environment asks for (`scripts/soak`)."""
    return [first + step for step in range(int(os.environ.get(VARIABLE, "1")))]
