"""REST about stored messages: a bot's, or one chat's, newest first.

Owns the cursor and the shape of a page; what is stored, and how long, is the bus's. It must never look into a body.
Read `http.py` for the boundary around it.
"""

from __future__ import annotations

import re

from aiohttp import web

from orchestrator.api.http import Call, Route, reply
from orchestrator.api.schema_stored import Message, Messages, stored
from orchestrator.bus.bus import Before
from orchestrator.errors import invalid
from sessions.model import USER_SERVER, Jid

MOST = 200


async def list_messages(call: Call) -> web.StreamResponse:
    limit = call.number("limit", 50, 1, MOST)
    chat, before = _chat(call.request.query.get("chat")), _before(call.request.query.get("before"))
    user = call.user()
    bot = (await call.parts.fleet.bot(user, call.request.match_info["bot"])).id
    found = await call.parts.bus.messages(user, bot, chat, before, limit)
    # A page may end for its bytes: only asking tells whether there is another.
    older = await call.parts.bus.messages(user, bot, chat, found[-1].before, 1) if found else []
    last = f"{found[-1].before.sent_at_ms}-{found[-1].before.seq}" if older else None
    page = [Message(one.id, "message", one.bot, one.at, stored(one.data)) for one in found]
    return reply(Messages(page, last))


_BEFORE = re.compile(r"([0-9]{1,15})(?:-([0-9]{1,12}))?")
_FILLERS = re.compile(r"[\s().-]")
_PHONE = re.compile(r"\+?[0-9]{5,15}")


def _before(text: str | None) -> Before | None:
    if text is None:
        return None
    match = _BEFORE.fullmatch(text)
    if match is None or not text.isascii():
        raise invalid("before", "before: give `next` of the page before, or a time in milliseconds")
    return Before(int(match[1]), int(match[2] or 0))


def _chat(text: str | None) -> str | None:
    """Return a chat's address as it is stored: a phone number or JID in any form users may write to."""
    if text is None:
        return None
    plain = _FILLERS.sub("", text)
    if _PHONE.fullmatch(plain) and plain.isascii():
        return str(Jid(plain.removeprefix("+"), USER_SERVER))
    try:
        chat = Jid.parse(text.strip()).bare
    except ValueError as error:
        raise invalid("chat", f"chat: give a phone number or an address; {error}") from None
    if not re.fullmatch(r"[0-9A-Za-z_-]{1,64}", chat.user):
        raise invalid("chat", f"chat: there is no valid name in front of @{chat.server}")
    return str(chat)


ROUTES = (
    Route(
        "GET",
        "/bots/{bot}/messages",
        list_messages,
        "Stored messages, newest first by the time they were sent",
        Messages,
        codes=("invalid_field", "not_found", "forbidden", "storage_unavailable", "server_draining"),
        query=(
            ("chat", "of this chat only: a phone number, or …@s.whatsapp.net, …@c.us, …@lid or …@g.us"),
            ("before", "`next` of the page before, or a time in milliseconds"),
            ("limit", "1 to 200, 50; a page holds at most 1 MiB besides"),
            ("userId", "another user's, for operators"),
        ),
    ),
)
"""Under /api/v1."""
