"""OpenAPI from the routes' own table: the types that decode and encode are the ones that are shown.

Pure. Owns the document; a test compares it with the routes that are mounted.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

import msgspec

from orchestrator.api.http import PROBLEM_JSON, Route
from orchestrator.api.schema import EventFrame, ProblemAnswer
from orchestrator.errors import PROBLEMS

_REF = "#/components/schemas/{name}"


def document(routes: Iterable[tuple[str, Route]], version: str) -> dict[str, Any]:
    """Return the OpenAPI 3.1 document of these (prefix, route) pairs."""
    listed = list(routes)
    types = [kind for _, route in listed for kind in (route.body, route.answer) if kind is not None]
    schemas, components = msgspec.json.schema_components([*types, ProblemAnswer, EventFrame], ref_template=_REF)
    by_type = dict(zip([*types, ProblemAnswer, EventFrame], schemas, strict=True))
    _show_events(components)
    paths: dict[str, dict[str, Any]] = {}
    for prefix, route in listed:
        paths.setdefault(prefix + route.path, {})[route.method.lower()] = _operation(route, by_type)
    return {
        "openapi": "3.1.0",
        "info": {"title": "WhatsApp bot orchestrator", "version": version},
        "paths": paths,
        "components": {
            "schemas": components,
            "securitySchemes": {
                "bearer": {"type": "http", "scheme": "bearer"},
                "key": {"type": "apiKey", "in": "header", "name": "X-Api-Key"},
            },
        },
    }


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
    if route.once:
        what = "the same key with the same body is carried out once; the answer is kept 24 h"
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
    return responses


def _problems(route: Route) -> dict[int, list[str]]:
    codes = {*route.codes, "internal"}
    if not route.open:
        codes |= {"unauthorized", "token_expired", "auth_unavailable"}
    if route.body is not None:
        codes |= {"invalid_field", "payload_too_large", "unsupported_media_type"}
    if route.once:
        codes |= {"idempotency_conflict", "rate_limited"}
    found: dict[int, list[str]] = {}
    for code in sorted(codes):
        found.setdefault(PROBLEMS[code].http or 400, []).append(code)
    return found
