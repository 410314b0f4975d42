"""The upload that goes before a file's message: its turn, its time, and what it means that it did not come to its end.

Owns the waiting. A file on WhatsApp's media hosts is in no chat: whatever ends an upload early, nothing was sent, so it
may be tried again. A call that hangs is left behind in its thread and keeps its place in the room. Read `uploads.py`
next for that room, `whatsapp_session.py` for the send that follows.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from sessions.media import OutgoingMedia, upload_s
from sessions.model import NotSent, SendOutcome
from sessions.whatsapp_library import FileReady, Library

LOOK_S = 0.1
"""How often it is asked, during an upload, whether somebody still waits for it."""

Begin = Callable[[OutgoingMedia], "asyncio.Future[FileReady | SendOutcome] | None"]
"""Makes the library's call; None when the session can't be asked now."""


async def upload(
    library: Library, outgoing: OutgoingMedia, begin: Begin, wanted: Callable[[], bool]
) -> FileReady | SendOutcome:
    """Upload a file; an outcome when that failed, took too long, or the session or its process is about to end."""
    room, call = library.uploads, None
    try:
        async with asyncio.timeout(upload_s(outgoing.size)):
            await room.enter(outgoing.size)
            try:
                await library.gate.call()
                call = begin(outgoing)
            finally:
                if call is None:
                    room.leave(outgoing.size)
            if call is not None:
                call.add_done_callback(lambda _: room.leave(outgoing.size))
            while call is not None and wanted() and not room.closed:
                done, _ = await asyncio.wait({call}, timeout=LOOK_S)
                if done:
                    return call.result()
            return NotSent("not_connected" if wanted() and not room.closed else "gone")
    except TimeoutError:
        return NotSent("media")
