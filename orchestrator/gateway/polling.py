"""Polling's two ends over HTTP, with bounds: what a client posts is read whole, what it is answered is written out.

Owns bodies only. It must never know Engine.IO or a packet. Read `gateway.py`, which calls it.
"""

from __future__ import annotations

import asyncio

from aiohttp import web
from aiohttp.http import HttpProcessingError

from orchestrator.gateway.protocol import MESSAGE_MAX_BYTES

POST_MAX_BYTES = 2 * MESSAGE_MAX_BYTES
"""Greater than a message may be, so that an oversized one is told `protocol_error` instead of a bare end."""
_WRITE_S = 45.0
"""Longest time given to one answer: what a client gets to answer a ping, too."""
_READ_S = 20.0


async def whole_body(request: web.Request) -> bytes | None:
    """Return what a client posts, once all of it is there; None when it is more than `POST_MAX_BYTES`, or does not come."""
    body = bytearray()
    try:
        async with asyncio.timeout(_READ_S):
            async for chunk in request.content.iter_chunked(64 * 1024):
                body += chunk
                if len(body) > POST_MAX_BYTES:
                    return None
    except (TimeoutError, ConnectionError, web.RequestPayloadError, HttpProcessingError):
        return None
    return bytes(body)


class ReadBody:
    """A body that is there already, for a library that takes the first segment for the whole."""

    def __init__(self, body: bytes) -> None:
        self._body = body

    async def read(self, _: int = -1) -> bytes:
        """Return all of it."""
        return self._body


async def written(request: web.Request, response: web.StreamResponse) -> bool:
    """Write an answer and wait until little of it is left; False when the client does not take it, or went."""
    try:
        async with asyncio.timeout(_WRITE_S):
            await response.prepare(request)
            await response.write_eof()
    except (TimeoutError, ConnectionError):
        return False
    return request.transport is not None
