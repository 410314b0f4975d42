"""Handing over a dead worker's spool: every record as the frame the worker itself would have sent, in order.

Owns that one pass over a spool nobody writes to any more. It must never load the Go library: reading events needs only
the generated classes, and reading our own kinds needs not even those. Read `spool.py` for the records.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Callable

from sessions import model, spool, translate, wire
from sessions.model import Account, SessionEvent
from sessions.worker_relay import event_frame
from sessions.worker_tasks import report, say


def drain(directory: str, sock: socket.socket, load_parsers: Callable[[], translate.Parsers]) -> None:
    """Send every whole record of the spool, then `Drained`; blocks until the supervisor took it.

    Args:
        load_parsers: called when the first event of the library is met.

    Raises:
        OSError: the spool can't be read, or the supervisor is gone: nothing is lost, the next drain begins anew.
    """
    parsers: translate.Parsers = {}
    known: dict[str, Account | None] = {}
    count = 0
    for record in spool.read(directory, _damaged):
        if record.kind >= 0 and not parsers:
            parsers = load_parsers()
        event: SessionEvent = model.Unrecognised(record.kind)
        try:
            account = known.get(record.incarnation)
            event, known[record.incarnation] = translate.from_raw(record.kind, record.raw, parsers, account)
        except Exception as error:
            report(f"translate {record.kind}", error)
        frame = event_frame(record.bot, record.incarnation, record.ordinal, record.at_ms, event)
        sock.sendall(wire.encode(frame))
        count += 1
    sock.sendall(wire.encode(wire.Drained(count)))
    os.close(sock.detach())


def _damaged(damage: spool.Damage) -> None:
    say(f"spool damaged segment={damage.segment} offset={damage.offset} bytes={damage.length}")
