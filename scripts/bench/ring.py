"""Measures the ring: `python scripts/bench/ring.py`, `--quick` for a smoke run. See `measure.py`, which does it.

Owns only the way in: the parts import from `tests/`, so the repository's root has to be on the path.
"""

from __future__ import annotations

import runpy
import sys
from pathlib import Path

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
    runpy.run_module("scripts.bench.measure", run_name="__main__")
