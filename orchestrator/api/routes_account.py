"""REST about the caller: who they are, page sessions, their events; and what the server tells about itself.

Owns these handlers only. Read `http.py` for the boundary around them.
"""

from __future__ import annotations

import msgspec
from aiohttp import web

from orchestrator.api import schema
from orchestrator.api.accept import wanted
from orchestrator.api.http import COOKIE, Call, Route, authenticate, check_same_origin, reply
from orchestrator.api.streams import STREAMS
from orchestrator.bus.bus import Committed
from orchestrator.errors import Refused, invalid
from orchestrator.model import Position


async def me(call: Call) -> web.StreamResponse:
    who = call.principal
    return reply(schema.Me(who.user, who.operator, who.expires_at_ms, call.parts.limits))


async def open_session(call: Call) -> web.StreamResponse:
    body: schema.SwapCode = call.body
    sign_in = call.parts.sign_in
    check_same_origin(call.parts, call.request)
    if body.code is None:
        value = call.request.cookies.get(COOKIE)
        if value is None:
            raise Refused("unauthorized", "There is no session. Run `orchestrator open` for a fresh address.")
        principal = await sign_in.cookie(value)
    else:
        signed = await sign_in.swap(body.code)
        value, principal = signed.cookie, signed.principal
    token, expires_at = sign_in.fresh_token(principal)
    answer = reply(schema.Session(token, expires_at), 200, **{"Cache-Control": "no-store"})
    if body.code is not None:
        lives_s = (signed.expires_at_ms - call.parts.clock.wall_ms()) // 1000
        answer.set_cookie(
            COOKIE, value, max_age=lives_s, httponly=True, samesite="Strict", secure=call.parts.secure_cookie, path="/"
        )
    return answer


async def close_session(call: Call) -> web.StreamResponse:
    check_same_origin(call.parts, call.request)
    value = call.request.cookies.get(COOKIE)
    if value is not None:
        await call.parts.sign_in.sign_out(value)
    answer = web.Response(status=204)
    answer.del_cookie(COOKIE, path="/")
    return answer


async def session_code(call: Call) -> web.StreamResponse:
    body: schema.AskCode = call.body
    user, operator = call.principal.user, call.principal.operator
    if body.user_id is not None and not call.principal.answers_to(body.user_id):
        if not operator:
            raise Refused("forbidden")
        user, operator = call.parts.sign_in.user_id(body.user_id), False
    code, expires_at = call.parts.sign_in.code(user, operator=operator)
    return reply(schema.SessionCode(code, expires_at), 200, **{"Cache-Control": "no-store"})


async def events(call: Call) -> web.StreamResponse:
    form = wanted(call.request.headers.get("Accept"), _EVENT_FORMS)
    user = call.user()
    limit = call.number("limit", 100, 1, 1000)
    after = await _after(call, user, stream=form == STREAM)
    if form == STREAM:
        return await call.request.app[STREAMS].serve(call, user, after)
    try:
        found = await call.parts.bus.read(user, after, limit)
    except Refused:
        if "after" in call.request.query:
            raise
        # From the oldest on was asked for, and retention moved what is oldest in between.
        after = (await call.parts.bus.state(user)).floor
        found = await call.parts.bus.read(user, after, limit)
    position = found[-1].position if found else after
    return reply(schema.Events(position, [_frame(item) for item in found]))


STREAM = "text/event-stream"
_EVENT_FORMS = {
    "application/json": "application/json",
    "application/*": "application/json",
    "*/*": "application/json",
    STREAM: STREAM,
    "text/*": STREAM,
}


async def _after(call: Call, user: str, *, stream: bool) -> Position:
    """Where to read on: a browser that comes back names its last event beside the address it began with."""
    last = call.request.headers.get("Last-Event-ID") if stream else None
    if last:
        return _position("Last-Event-ID", last)
    given = call.request.query.get("after")
    return (await call.parts.bus.state(user)).floor if given is None else _position("after", given)


def _position(field: str, text: str) -> Position:
    try:
        return Position.parse(text)
    except ValueError:
        raise invalid(field, f"{field}: give a position in the form EPOCH:SEQ, as events carry it") from None


def _frame(item: Committed) -> msgspec.Raw:
    event = item.event
    return msgspec.Raw(
        msgspec.json.encode(
            schema.EventFrame(
                event=event.name,
                id=event.id,
                type=event.type,
                bot_id=event.bot,
                at=event.at,
                epoch=item.position.epoch,
                seq=item.position.seq,
                prev=item.prev.seq,
                data=msgspec.Raw(event.data or b"null"),
                status=event.status,
                status_version=event.status_version,
            )
        )
    )


async def version(call: Call) -> web.StreamResponse:
    return reply(call.parts.version())


async def healthz(_: Call) -> web.StreamResponse:
    return reply(schema.Health("ok"))


async def readyz(call: Call) -> web.StreamResponse:
    missing = call.parts.ready()
    return reply(schema.Health(missing or "ok"), 503 if missing else 200)


async def metrics(call: Call) -> web.StreamResponse:
    if not call.parts.open_metrics:
        who = await authenticate(call.parts, call.request)
        if not who.operator:
            raise Refused("forbidden")
    body, content_type = call.parts.metrics()
    return web.Response(body=body, headers={"Content-Type": content_type})


ROUTES = (
    Route("GET", "/me", me, "Who is calling", schema.Me),
    Route(
        "POST",
        "/session",
        open_session,
        "Swap a one-time code for the cookie, or get a fresh token",
        schema.Session,
        200,
        schema.SwapCode,
        codes=("unauthorized", "token_expired", "invalid_field"),
        open=True,
        secret=True,
    ),
    Route("DELETE", "/session", close_session, "Sign out", None, 204, open=True, codes=("unauthorized",)),
    Route(
        "POST",
        "/session/code",
        session_code,
        "A one-time code that opens the page signed in",
        schema.SessionCode,
        200,
        schema.AskCode,
        codes=("forbidden", "invalid_field"),
        secret=True,
    ),
    Route(
        "GET",
        "/events",
        events,
        "Events after a position, oldest first: a page of them, or a stream that goes on (server-sent events)",
        schema.Events,
        codes=("invalid_field", "position_expired", "forbidden", "not_acceptable", "server_draining"),
        query=(
            ("after", "EPOCH:SEQ"),
            ("limit", "of a page: 1 to 1000, 100"),
            ("userId", "another user's, for operators"),
        ),
        headers=(("Last-Event-ID", "of a stream: EPOCH:SEQ to go on after; wins over `after`"),),
        media=("application/json", STREAM),
    ),
    Route("GET", "/version", version, "What is running", schema.Version, open=True),
)
"""Under /api/v1."""

SYSTEM_ROUTES = (
    Route("GET", "/healthz", healthz, "Alive", schema.Health, open=True),
    Route("GET", "/readyz", readyz, "Ready to serve; 503 says what is missing", schema.Health, open=True),
    Route(
        "GET",
        "/metrics",
        metrics,
        "Prometheus metrics",
        str,
        open=True,
        codes=("forbidden", "unauthorized", "token_expired", "auth_unavailable"),
        media=("text/plain",),
    ),
)
"""At the root."""
