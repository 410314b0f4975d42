"""Our own kinds of spooled events: negative, beside the library's event numbers.

Owns five numbers. Read `spool.py` for where they are written, `translate.py` for how each is read back.
"""

from __future__ import annotations

SEND_FINISHED = -1
"""msgpack of `model.SendFinished`, written before the outcome is reported."""
SIMULATED = -2
"""msgpack of a `model.SessionEvent` of the simulated driver."""
LOGIN_STATUS = -3
"""A login-status string of the library (it has no event for those), UTF-8."""
TASK_ENDED = -4
"""msgpack of what we concluded ourselves: `PumpDied`, `StartFailed`, `ConnectFailed`, `KeysMissing`, …"""
GROUP_KNOWN = -5
"""msgpack of `model.GroupKnown`: the answer to a question of ours about a group."""
