"""REST about files that are to be sent: taken in piece by piece, looked at, removed.

Owns reading a body that may be 100 MB without holding it; what a file may be is the bots' room's to say. It must never
look into one. Read `http.py` for the boundary around it, `schema_send.py` for how a message names a file.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import get_args

from aiohttp import BodyPartReader, web
from aiohttp.http_exceptions import HttpProcessingError

from orchestrator.api.http import Call, Route, reply
from orchestrator.api.once import once
from orchestrator.errors import invalid
from orchestrator.ports import Incoming, Media
from sessions.model import FileKind

CHUNK = 256 * 1024
SILENT_S = 60.0
"""An upload that brings nothing for so long is over."""


async def add_media(call: Call) -> web.StreamResponse:
    user, bot, request = call.user(), call.request.match_info["bot"], call.request
    kind, name = _kind(request.query.get("kind")), request.query.get("name")
    form = request.content_type == "multipart/form-data"
    declared, size = request.headers.get("Content-Type"), request.content_length
    chunks = _plain(request)
    if form:
        part = await _file_part(request)
        declared, name, size, chunks = part.headers.get("Content-Type"), name or part.filename, None, _part(part)
    async with call.parts.files.receive(user, bot, declared=declared, name=name, kind=kind, size=size) as incoming:
        try:
            async for chunk in chunks:
                await incoming.feed(chunk)
        except TimeoutError:
            raise invalid("body", f"body: nothing came for {SILENT_S:.0f} s; send it again") from None
        except (ValueError, HttpProcessingError, EOFError):
            raise invalid("body", "body: this is not a whole file") from None
        return await _finish(call, incoming)


async def _finish(call: Call, incoming: Incoming) -> web.StreamResponse:
    async def keep(call: Call) -> web.Response:
        kept = await incoming.finish()
        return reply(kept, 201, Location=f"{call.request.path}/{kept.media_id}")

    key = call.request.headers.get("Idempotency-Key")
    return (
        await keep(call) if key is None else await once(call, replace(ROUTES[0], handler=keep), key, incoming.digest())
    )


def _kind(text: str | None) -> FileKind | None:
    for kind in get_args(FileKind):
        if text == kind:
            return kind  # type: ignore[no-any-return]
    if text is None:
        return None
    raise invalid("kind", f"kind: give one of {', '.join(get_args(FileKind))}, or leave it out")


async def _plain(request: web.Request) -> AsyncIterator[bytes]:
    while chunk := await asyncio.wait_for(request.content.read(CHUNK), SILENT_S):
        yield chunk


async def _part(part: BodyPartReader) -> AsyncIterator[bytes]:
    while chunk := await asyncio.wait_for(part.read_chunk(CHUNK), SILENT_S):
        yield chunk


async def _file_part(request: web.Request) -> BodyPartReader:
    """Find the form's file; fields before it are passed over."""
    try:
        reader = await request.multipart()
        while (part := await reader.next()) is not None:
            if isinstance(part, BodyPartReader) and part.name == "file":
                return part
    except (ValueError, AssertionError, HttpProcessingError, EOFError):
        raise invalid("body", "body: this is not valid multipart/form-data") from None
    raise invalid("file", "file: the form needs a part of this name, the file")


async def get_media(call: Call) -> web.StreamResponse:
    info = call.request.match_info
    return reply(await call.parts.files.get(call.user(), info["bot"], info["media"]))


async def remove_media(call: Call) -> web.StreamResponse:
    info = call.request.match_info
    await call.parts.files.remove(call.user(), info["bot"], info["media"])
    return web.Response(status=204)


_USER = ("userId", "another user's, for operators")
_CODES = ("invalid_field", "not_found", "forbidden", "storage_unavailable", "server_draining")

ROUTES = (
    Route(
        "POST",
        "/bots/{bot}/media",
        add_media,
        "Upload a file to send: the bytes themselves, or a form with a part `file`. It can be named as `mediaId` in any "
        "number of the bot's messages for 24 hours",
        Media,
        201,
        codes=(*_CODES, "payload_too_large", "media_full"),
        query=(
            ("kind", "what it is meant for: image, video, audio, voice, document or sticker; checks it at once"),
            ("name", "its file name, for documents"),
            _USER,
        ),
        upload=True,
    ),
    Route("GET", "/bots/{bot}/media/{media}", get_media, "One uploaded file", Media, codes=_CODES, query=(_USER,)),
    Route(
        "DELETE",
        "/bots/{bot}/media/{media}",
        remove_media,
        "Remove an uploaded file; messages that wait to be sent with it fail",
        status=204,
        codes=_CODES,
        query=(_USER,),
    ),
)
"""Under /api/v1."""
