"""Idempotency-Key: a request is carried out once, and the same request again is answered the same.

Owns what becomes of a keyed request. Answers without secrets are kept for 24 hours beside the request's name. Answers
that hold one (a pairing code, a token, a cookie) never reach a disk: they are kept in memory for a minute, long enough
for whoever lost the answer on the way; that the key was used, and with which body, is known for 24 hours too. It must
never know a route. Read `store/idempotency.py` for the rows.
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from aiohttp import web

from orchestrator.errors import Refused, invalid
from orchestrator.store.idempotency import Conflict, Fresh, Pending, Recorded

if TYPE_CHECKING:
    from orchestrator.api.http import Call, Route

MAX_KEY_CHARS = 128
SECRET_KEEP_S = 60.0
_SECRETS_MOST = 1000
_NOT_KEPT = 0
"""Recorded in place of a status: it was answered, and the answer is not on disk."""


async def once(call: Call, route: Route, key: str, raw: bytes) -> web.StreamResponse:
    """Carry a request out, or answer as the first time. Refuses `invalid_field`, `idempotency_conflict`, `rate_limited`."""
    _check(key)
    match await _reserve(call, key, raw):
        case Recorded(status, body):
            return web.Response(body=body, status=status, content_type="application/json" if body else None)
        case Fresh(operation):
            return await _carry_out(replace(call, operation=operation), route, key)


async def _reserve(call: Call, key: str, raw: bytes) -> Fresh | Recorded:
    reserved = await call.parts.keys.reserve(call.principal.user, key, _digest(call, raw), call.parts.clock.wall_ms())
    match reserved:
        case Conflict():
            raise Refused("idempotency_conflict")
        case Pending():
            raise Refused(
                "rate_limited", "The same request is being carried out; ask again in a moment.", retry_after_s=1
            )
        case _:
            return reserved


async def _carry_out(call: Call, route: Route, key: str) -> web.StreamResponse:
    user, keys = call.principal.user, call.parts.keys
    try:
        answer = await route.handler(call)
        assert isinstance(answer, web.Response) and isinstance(answer.body, bytes | None)
        if route.secret:
            await keys.record(user, key, _NOT_KEPT, b"")
        else:
            await keys.record(user, key, answer.status, answer.body or b"")
    except Refused as refused:
        # A refusal has changed nothing, save one of the store's: the work may be done and only the answer not kept.
        if refused.retryable:
            keys.leave(user, key)
        else:
            await keys.release(user, key)
        raise
    except BaseException:
        keys.leave(user, key)
        raise
    return answer


# --- answers that hold a secret -------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Kept:
    until: float
    status: int
    body: bytes
    headers: tuple[tuple[str, str], ...]
    cookies: tuple[str, ...]


class SecretAnswers:
    """What was answered in the last minute, in memory only."""

    def __init__(self) -> None:
        self._kept: OrderedDict[tuple[str, str, bytes], _Kept] = OrderedDict()

    def __len__(self) -> int:
        return len(self._kept)

    def keep(self, name: tuple[str, str, bytes], answer: web.Response, now: float) -> None:
        """Remember an answer; the oldest go when there are too many."""
        assert isinstance(answer.body, bytes)
        cookies = tuple(morsel.OutputString() for morsel in answer.cookies.values())
        headers = tuple(answer.headers.items())
        self._kept[name] = _Kept(now + SECRET_KEEP_S, answer.status, answer.body, headers, cookies)
        while len(self._kept) > _SECRETS_MOST or next(iter(self._kept.values())).until <= now:
            self._kept.popitem(last=False)

    def find(self, name: tuple[str, str, bytes], now: float) -> web.Response | None:
        """The same answer again, while it is kept."""
        kept = self._kept.get(name)
        if kept is None or kept.until <= now:
            return None
        answer = web.Response(body=kept.body, status=kept.status, headers=dict(kept.headers))
        for cookie in kept.cookies:
            answer.headers.add("Set-Cookie", cookie)
        return answer


async def once_secret(call: Call, route: Route, key: str, raw: bytes) -> web.StreamResponse:
    """See `once`. Before anybody has signed in there is no user to whom a key belongs: it goes with its body alone."""
    _check(key)
    user, secrets, now = call.principal.user, call.parts.secrets, call.parts.clock.monotonic()
    name = (user, key, _digest(call, raw))
    before = secrets.find(name, now)
    if before is not None:
        return before
    if not user:
        answer = await route.handler(call)
    else:
        match await _reserve(call, key, raw):
            case Fresh(operation):
                answer = await _carry_out(replace(call, operation=operation), route, key)
            case Recorded():  # longer ago than a minute: what it asked for is asked for again
                answer = await route.handler(call)
    assert isinstance(answer, web.Response)
    secrets.keep(name, answer, now)
    return answer


def _check(key: str) -> None:
    if not 1 <= len(key) <= MAX_KEY_CHARS or not key.isprintable():
        raise invalid("Idempotency-Key", f"Idempotency-Key: give 1 to {MAX_KEY_CHARS} printable characters")


def _digest(call: Call, raw: bytes) -> bytes:
    return hashlib.sha256(f"{call.request.method} {call.request.path_qs}\n".encode() + raw).digest()
