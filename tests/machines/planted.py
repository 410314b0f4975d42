"""The search for a planted bug: long enough that what can be found is found, whatever else this machine does.

Owns how a machine proves that it is sharp. It must never know a machine.
"""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import RuleBasedStateMachine, run_state_machine_as_test

_SEARCH = settings(
    # What is drawn depends on which modules are loaded, so no number that was enough once is enough for good. All that is
    # planted takes some ten to two hundred; the search ends with the first find, and makes it no smaller.
    max_examples=5000,
    stateful_step_count=40,
    phases=(Phase.generate,),
    database=None,
    report_multiple_bugs=False,
    suppress_health_check=list(HealthCheck),
)


def check_found(broken: type[RuleBasedStateMachine], steps: int = 40) -> None:
    """Check that an assertion or a `pytest.raises` of the machine fails in some example of at most `steps` steps."""
    with pytest.raises((AssertionError, pytest.fail.Exception)):
        run_state_machine_as_test(broken, settings=settings(_SEARCH, stateful_step_count=steps))
