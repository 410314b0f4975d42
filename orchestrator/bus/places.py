"""Row ids of the durable bus: an event's place is its log's number and its sequence number in one. Pure.

Owns that one packing; it must never know a table. Read `statements.py` next.
"""

from __future__ import annotations

_SEQ_BITS = 40
SEQ_MASK = (1 << _SEQ_BITS) - 1
FIRST_PAST = 1 << (_SEQ_BITS - 1)
"""From here on lie messages without an event of their own, numbered as they are stored: no log gets as long."""


def place(log: int, seq: int) -> int:
    """Return the row id of an event: a log lies together, in order."""
    return log << _SEQ_BITS | seq
