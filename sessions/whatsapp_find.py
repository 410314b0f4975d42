"""Who is behind a phone number, over the library's calls.

Owns the order of the questions: first what the device file knows, then WhatsApp, which the library also keeps the answer
of. The library's own look-up of a LID aborts the process when it does not know the client (neonize main.go), so the
device file is read instead, from a child process (see `whatsapp_device.py`). Read `whatsapp_session.py` next.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from sessions import whatsapp_device
from sessions.model import Found
from sessions.worker_gate import Gate
from sessions.worker_tasks import in_thread

FIND_S = 5.0
"""For WhatsApp to answer."""


async def find(
    device_file: str, phone: str, gate: Gate, is_up: Callable[[], bool], ask: Callable[[], asyncio.Future[bool | None]]
) -> Found:
    """Return what is known of a number.

    Args:
        is_up: whether calls may be made now.
        ask: begins the call that asks WhatsApp whether somebody is there; its thread may outlast our patience.
    """
    if not is_up():
        return Found(None)
    known = await in_thread("find", lambda: _lid(device_file, phone))
    if known is not None:
        return Found(True, known)
    await gate.call()
    if not is_up():
        return Found(None)
    try:
        there = await asyncio.wait_for(ask(), FIND_S)
    except TimeoutError:
        return Found(None)
    return Found(True, await in_thread("find", lambda: _lid(device_file, phone))) if there else Found(there)


def _lid(device_file: str, phone: str) -> str | None:
    try:
        return whatsapp_device.lid(device_file, phone)
    except whatsapp_device.DeviceUnreadable:
        return None
