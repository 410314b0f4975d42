"""The HTTP boundary: who calls, what they sent, and how a refusal or a bug is answered.

Owns the route record, principals, bodies and problem+json; no route. It must never know a bot. Read `once.py` for
Idempotency-Key, `routes_bots.py` next.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import urlsplit

import msgspec
import structlog
from aiohttp import web

from orchestrator.api.limits import AllowanceName, Allowances
from orchestrator.api.once import SecretAnswers, once, once_secret
from orchestrator.api.schema import ProblemAnswer, UserLimits, validation_problem
from orchestrator.bus.bus import Bus
from orchestrator.clock import Clock
from orchestrator.errors import PROBLEMS, Refused, invalid
from orchestrator.model import Principal, to_json
from orchestrator.ports import Fleet, Histories, MediaRoom, Operations, Outbox, Phones, ProxyCheck, SignIn, Tokens
from orchestrator.store.idempotency import Idempotency
from orchestrator.tasks import Tasks

_log = structlog.get_logger("api")

COOKIE = "orchestrator_session"
MAX_BODY_BYTES = 256 * 1024
PROBLEM_JSON = "application/problem+json"


@dataclass(frozen=True, slots=True)
class Parts:
    """Everything the routes use, joined by `app.py`."""

    fleet: Fleet
    outbox: Outbox
    bus: Bus
    tokens: Tokens
    sign_in: SignIn
    keys: Idempotency
    tasks: Tasks
    clock: Clock
    version: Callable[[], Any]
    ready: Callable[[], str | None]
    """None when everything runs, else what is missing."""
    metrics: Callable[[], tuple[bytes, str]]
    known_host: Callable[[str], bool]
    """Whether a Host header names this server: cookies are only good there."""
    open_metrics: bool
    secure_cookie: bool
    proxy_check: ProxyCheck
    files: MediaRoom
    histories: Histories
    operations: Operations
    limits: UserLimits
    phones: Phones | None = None
    """Simulated ones; None where there is a WhatsApp."""
    allowances: Allowances = field(default_factory=Allowances)
    secrets: SecretAnswers = field(default_factory=SecretAnswers)


@dataclass(frozen=True, slots=True)
class Call:
    """One request, with its principal and decoded body."""

    parts: Parts
    request: web.Request
    principal: Principal
    body: Any
    operation: str | None = None
    """Name of this request for good when it carries an Idempotency-Key: the key of what it creates."""

    def user(self) -> str:
        """Whose things this is about: the caller's, or those of `?userId=` for operators.

        Refuses `forbidden`, `invalid_field`.
        """
        other = self.request.query.get("userId")
        if other is None or self.principal.answers_to(other):
            return self.principal.user
        if not self.principal.operator:
            raise Refused("forbidden")
        return self.parts.sign_in.user_id(other)

    def spend(self, name: AllowanceName) -> None:
        """Take one of the caller's; the answer's headers tell what is left. Refuses `rate_limited`."""
        taken = self.parts.allowances.take(self.principal.user, name, self.parts.clock.monotonic())
        self.request[_ALLOWANCE] = taken.headers()
        if not taken.allowed:
            raise Refused("rate_limited", retry_after_s=taken.retry_after_s)

    def allowance_headers(self) -> dict[str, str]:
        """What is left to the caller, for answers that begin before their handler ends."""
        return dict(self.request.get(_ALLOWANCE, {}))

    def number(self, name: str, default: int, low: int, high: int) -> int:
        """Return a whole number of the query. Refuses `invalid_field`."""
        text = self.request.query.get(name)
        if text is None:
            return default
        if not (text.isdecimal() and text.isascii() and len(text) <= 9 and low <= int(text) <= high):
            raise invalid(name, f"{name}: give a whole number from {low} to {high}")
        return int(text)


_ALLOWANCE = web.RequestKey("allowance", dict[str, str])

Handler = Callable[[Call], Awaitable[web.StreamResponse]]


@dataclass(frozen=True, slots=True)
class Route:
    """One operation: how it is reached, what it takes and answers, which refusals it documents."""

    method: str
    path: str
    handler: Handler
    summary: str
    answer: Any = None
    """Type of the success answer; None for an empty one."""
    status: int = 200
    body: type | None = None
    codes: tuple[str, ...] = ()
    query: tuple[tuple[str, str], ...] = ()
    """(name, what it is)."""
    headers: tuple[tuple[str, str], ...] = ()
    """(name, what it is)."""
    open: bool = False
    """Reachable without a principal."""
    once: bool = False
    """Honours Idempotency-Key by keeping the answer; never for answers that hold a secret."""
    secret: bool = False
    """The answer holds a secret: Idempotency-Key is honoured, and the answer kept in memory only, for a minute."""
    upload: bool = False
    """The body is a file: the handler reads it piece by piece, and honours Idempotency-Key itself."""
    media: tuple[str, ...] = field(default=("application/json",))


def reply(value: object, status: int = 200, **headers: str) -> web.Response:
    """Encode an answer as JSON."""
    return web.Response(body=to_json(value), status=status, content_type="application/json", headers=headers)


def problem(refused: Refused) -> web.Response:
    """Encode a refusal as problem+json."""
    entry = PROBLEMS.get(refused.code)
    retry_ms = None if refused.retry_after_s is None else max(0, round(refused.retry_after_s * 1000))
    floor, epoch = refused.extra.get("floor"), refused.extra.get("epoch")
    answer = ProblemAnswer(
        type=f"urn:problem:{refused.code}",
        title=entry.text if entry else refused.message,
        status=refused.http,
        code=refused.code,
        detail=refused.message,
        retryable=refused.retryable,
        field=refused.field,
        retry_after_ms=retry_ms,
        floor=floor if isinstance(floor, int) else None,
        epoch=epoch if isinstance(epoch, str) else None,
    )
    headers = {} if retry_ms is None else {"Retry-After": str(-(-retry_ms // 1000))}
    if refused.http == 401:
        headers["WWW-Authenticate"] = "Bearer"
    return web.Response(body=to_json(answer), status=refused.http, content_type=PROBLEM_JSON, headers=headers)


_Next = Callable[[web.Request], Awaitable[web.StreamResponse]]


@web.middleware
async def boundary(request: web.Request, handler: _Next) -> web.StreamResponse:
    """Turn refusals, aiohttp's own errors and bugs into problem+json. One of the three places that catch everything.

    Answers hold messages and codes: unless a handler says otherwise nobody keeps them, and no other site embeds them.
    """
    answer = await _answered(request, handler)
    if not answer.prepared:
        for name, value in {**_PRIVATE, **request.get(_ALLOWANCE, {})}.items():
            answer.headers.setdefault(name, value)
    return answer


_PRIVATE = {
    "Cache-Control": "no-store",
    "Cross-Origin-Resource-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
}


async def _answered(request: web.Request, handler: _Next) -> web.StreamResponse:
    try:
        return await handler(request)
    except Refused as refused:
        return problem(refused)
    except web.HTTPException as error:
        return _of_http(error)
    except ConnectionResetError:
        raise
    except Exception as error:
        tasks: Tasks = request.app[TASKS]
        tasks.failures.report(f"http {request.method} {_pattern(request)}", error)
        if request.writer.output_size > 0:
            raise ConnectionResetError("the answer had begun") from None
        return problem(Refused("internal"))


TASKS = web.AppKey("tasks", Tasks)


def _pattern(request: web.Request) -> str:
    resource = request.match_info.route.resource
    return resource.canonical if resource is not None else "?"


_HTTP_CODES = {404: "not_found", 405: "method_not_allowed", 413: "payload_too_large", 415: "unsupported_media_type"}


def _of_http(error: web.HTTPException) -> web.Response:
    if error.status < 400:
        raise error
    code = _HTTP_CODES.get(error.status)
    answer = problem(Refused(code) if code else invalid("request", "request: this is not valid HTTP for this address"))
    if "Allow" in error.headers:
        answer.headers["Allow"] = error.headers["Allow"]
    return answer


def handle(parts: Parts, route: Route) -> _Next:
    """Return the aiohttp handler of a route: principal, body, idempotency, then the route's own work."""

    async def run(request: web.Request) -> web.StreamResponse:
        principal = await authenticate(parts, request) if not route.open else ANONYMOUS
        call = Call(parts, request, principal, None)
        if not route.open:
            call.spend("read" if request.method in {"GET", "HEAD"} else "write")
        raw = await _read(request) if route.body is not None else b""
        body = _decode(route.body, raw, request) if route.body is not None else None
        call = replace(call, body=body)
        key = request.headers.get("Idempotency-Key")
        if not (route.once or route.secret) or key is None:
            return await route.handler(call)
        return await (once_secret if route.secret else once)(call, route, key, raw)

    return run


ANONYMOUS = Principal("", False, None)


async def authenticate(parts: Parts, request: web.Request) -> Principal:
    """Return who calls: Bearer token, X-Api-Key, or the page's cookie (same Origin, known Host).

    Raises:
        Refused: `unauthorized`, `token_expired`, `auth_unavailable`.
    """
    header = request.headers.get("Authorization")
    if header is not None:
        kind, _, token = header.partition(" ")
        if kind.lower() != "bearer" or not token:
            raise Refused("unauthorized", "Authorization: send Bearer and the token.")
        return await parts.tokens.verify(token.strip())
    key = request.headers.get("X-Api-Key")
    if key is not None:
        return await parts.tokens.verify(key)
    cookie = request.cookies.get(COOKIE)
    if cookie is None:
        raise Refused("unauthorized")
    check_same_origin(parts, request)
    return await parts.sign_in.cookie(cookie)


def check_same_origin(parts: Parts, request: web.Request) -> None:
    """Refuse a cookie that another page makes the browser send.

    A missing Origin is a navigation or a GET without CORS (Fetch standard), which changes nothing here; browsers say in
    Sec-Fetch-Site who asked. SameSite=Strict alone lets pages on other ports of the same host through.
    """
    origin, site = request.headers.get("Origin"), request.headers.get("Sec-Fetch-Site")
    foreign = origin is not None and urlsplit(origin).netloc != request.host
    foreign = foreign or site not in {None, "same-origin", "none"}
    unsafe = origin is None and request.method not in {"GET", "HEAD"}
    if foreign or unsafe or not parts.known_host(request.host):
        raise Refused("unauthorized", "The session cookie is only good for this server's own page.")


async def _read(request: web.Request) -> bytes:
    if request.content_length is not None and request.content_length > MAX_BODY_BYTES:
        raise Refused("payload_too_large")
    body = bytearray()
    async for chunk in request.content.iter_chunked(65_536):
        body += chunk
        if len(body) > MAX_BODY_BYTES:
            raise Refused("payload_too_large")
    return bytes(body)


def _decode(kind: type, raw: bytes, request: web.Request) -> Any:
    if not raw:
        raw = b"{}"
    elif request.content_type != "application/json":
        raise Refused("unsupported_media_type")
    try:
        return msgspec.json.decode(raw, type=kind)
    except msgspec.ValidationError as error:
        raise validation_problem(error, kind) from None
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise invalid("body", "body: this is not valid JSON") from None
