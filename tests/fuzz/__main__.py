"""`python -m tests.fuzz [INPUTS] [SEED]`: a million inputs unless told, a fresh seed unless told."""

from __future__ import annotations

import sys
import time

from tests.fuzz.run import report, run_all

if __name__ == "__main__":
    given = [int(text.replace("_", "").replace(",", "")) for text in sys.argv[1:]]
    seed = given[1] if len(given) > 1 else time.time_ns() % 10**6
    print(f"seed {seed}", flush=True)
    print(report(run_all(given[0] if given else 1_000_000, seed)))
