"""OpenAPI from the routes' own table: the types that decode and encode are the ones that are shown.

Pure. Owns the document; a test compares it with the routes that are mounted.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

import msgspec

from orchestrator.api.http import PROBLEM_JSON, Route
from orchestrator.api.limits import TABLE
from orchestrator.api.schema import EventFrame, ProblemAnswer
from orchestrator.api.schema_send import show_forms
from orchestrator.errors import PROBLEMS

_REF = "#/components/schemas/{name}"


def document(routes: Iterable[tuple[str, Route]], version: str) -> dict[str, Any]:
    """Return the OpenAPI 3.1 document of these (prefix, route) pairs."""
    listed = list(routes)
    types = [kind for _, route in listed for kind in (route.body, route.answer) if kind is not None]
    schemas, components = msgspec.json.schema_components([*types, ProblemAnswer, EventFrame], ref_template=_REF)
    by_type = dict(zip([*types, ProblemAnswer, EventFrame], schemas, strict=True))
    _show_events(components)
    show_forms(components)
    paths: dict[str, dict[str, Any]] = {}
    for prefix, route in listed:
        paths.setdefault(prefix + route.path, {})[route.method.lower()] = _operation(route, by_type)
    return {
        "openapi": "3.1.0",
        "info": {"title": "WhatsApp bot orchestrator", "version": version, "description": _limits()},
        "paths": paths,
        "components": {
            "schemas": components,
            "headers": _HEADERS,
            "securitySchemes": {
                "bearer": {"type": "http", "scheme": "bearer"},
                "key": {"type": "apiKey", "in": "header", "name": "X-Api-Key"},
            },
        },
    }


def _limits() -> str:
    """What the RateLimit fields of answers tell about."""
    each = "; ".join(f"{one.what}: {one.burst} {one.pace}" for one in TABLE.values())
    return f"Requests are counted per user ({each}). Answers tell what is left in the RateLimit fields."


def _show_events(components: dict[str, Any]) -> None:
    # Events are spliced in as finished JSON (msgspec.Raw), which has no schema of its own.
    components["Events"]["properties"]["events"] = {"type": "array", "items": {"$ref": _REF.format(name="EventFrame")}}


def _operation(route: Route, by_type: dict[Any, Any]) -> dict[str, Any]:
    operation: dict[str, Any] = {
        "summary": route.summary,
        "operationId": f"{route.method.lower()}_{re.sub(r'[^a-z0-9]+', '_', route.path.lower()).strip('_')}",
        "responses": _responses(route, by_type),
        "parameters": _parameters(route),
    }
    if not route.open:
        operation["security"] = [{"bearer": []}, {"key": []}]
    if route.upload:
        raw = {"type": "string", "contentMediaType": "application/octet-stream"}
        form = {"type": "object", "properties": {"file": raw}, "required": ["file"]}
        content = {"*/*": {"schema": raw}, "multipart/form-data": {"schema": form}}
        operation["requestBody"] = {"required": True, "content": content}
    if route.body is not None:
        content = {"application/json": {"schema": by_type[route.body]}}
        operation["requestBody"] = {"required": bool(_required(route.body)), "content": content}
    return operation


def _required(kind: type) -> list[str]:
    return [field.name for field in msgspec.structs.fields(kind) if field.required]


def _parameters(route: Route) -> list[dict[str, Any]]:
    text = {"type": "string"}
    found = [
        {"name": name, "in": "path", "required": True, "schema": text} for name in re.findall(r"{(\w+)}", route.path)
    ]
    found += [{"name": name, "in": "query", "description": what, "schema": text} for name, what in route.query]
    found += [{"name": name, "in": "header", "description": what, "schema": text} for name, what in route.headers]
    if route.once or route.secret or route.upload:
        what = "the same key with the same body is carried out once; the answer is kept 24 h"
        if route.secret:
            what = "the same key with the same body is answered the same for a minute; the answer is never stored"
        found.append({"name": "Idempotency-Key", "in": "header", "description": what, "schema": text})
    return found


def _responses(route: Route, by_type: dict[Any, Any]) -> dict[str, Any]:
    success: dict[str, Any] = {"description": route.summary}
    if route.answer is not None:
        success["content"] = {
            media: {"schema": by_type[route.answer] if media == "application/json" else {"type": "string"}}
            for media in route.media
        }
    responses: dict[str, Any] = {str(route.status): success}
    if route.status == 202 and any(name == "wait" for name, _ in route.query):
        responses["200"] = success
    if route.path == "/readyz":
        responses["503"] = success
    for status, codes in sorted(_problems(route).items()):
        responses.setdefault(
            str(status),
            {
                "description": "; ".join(f"`{code}`: {PROBLEMS[code].text}" for code in codes),
                "content": {PROBLEM_JSON: {"schema": by_type[ProblemAnswer]}},
            },
        )
    for code, response in responses.items():
        names = () if route.open else tuple(_HEADERS)[:-1]
        names = (*names, "Retry-After") if code in {"429", "503"} and route.path != "/readyz" else names
        if names:
            headers = {name: {"$ref": f"#/components/headers/{name}"} for name in names}
            responses[code] = {**response, "headers": headers}
    return responses


_COUNT = {"type": "integer", "minimum": 0}
_HEADERS: dict[str, Any] = {
    "RateLimit-Limit": {"description": "How many requests at once", "schema": _COUNT},
    "RateLimit-Remaining": {"description": "How many are left", "schema": _COUNT},
    "RateLimit-Reset": {"description": "Seconds until all of them are back", "schema": _COUNT},
    "Retry-After": {"description": "Seconds to wait before the next attempt", "schema": _COUNT},
}


def _problems(route: Route) -> dict[int, list[str]]:
    codes = {*route.codes, "internal"}
    if not route.open:
        codes |= {"unauthorized", "token_expired", "auth_unavailable", "rate_limited"}
    if route.query:
        codes |= {"invalid_field"}
    if route.body is not None:
        codes |= {"invalid_field", "payload_too_large", "unsupported_media_type"}
    if route.once or route.secret or route.upload:
        codes |= {"idempotency_conflict", "rate_limited"}
    found: dict[int, list[str]] = {}
    for code in sorted(codes):
        found.setdefault(PROBLEMS[code].http or 400, []).append(code)
    return found
