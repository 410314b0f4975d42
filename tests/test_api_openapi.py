"""The OpenAPI document is what is mounted, whole, and its schemas are the records themselves."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from orchestrator.api import openapi, routes, static_files
from orchestrator.api.http import PROBLEM_JSON
from orchestrator.errors import PROBLEMS
from tests.support.api import serving

DOCUMENT = openapi.document(routes.all_routes(), "0.1.0")
OPERATIONS = [
    pytest.param(path, method, operation, id=f"{method} {path}")
    for path, methods in DOCUMENT["paths"].items()
    for method, operation in methods.items()
]
UNDOCUMENTED = {"/openapi.json", *static_files.STATIC, *static_files.PAGE_ADDRESSES, "/theme.js"}


async def test_mounted_is_documented(tmp_path: Path) -> None:
    """Every mounted address is in the document and the other way round; the server gives out this document."""
    async with serving(tmp_path) as api:
        assert (await api.rest("GET", "//openapi.json")).ok(200) == DOCUMENT
        mounted = {
            (route.method, route.resource.canonical)
            for route in routes.make_app(api.parts, "0.1.0").router.routes()
            if route.resource is not None and route.method != "HEAD"
        }
    documented = {(method.upper(), path) for path, methods in DOCUMENT["paths"].items() for method in methods}
    assert {
        (method, path) for method, path in mounted if path not in UNDOCUMENTED and not path.startswith("/assets/")
    } == documented


def test_schemas_are_json_schema() -> None:
    """Every component is a valid JSON Schema (OpenAPI 3.1 uses the 2020-12 dialect), every reference leads somewhere."""
    for schema in DOCUMENT["components"]["schemas"].values():
        jsonschema.Draft202012Validator.check_schema(schema)
    for name in _references(DOCUMENT):
        kind, _, short = name.removeprefix("#/components/").partition("/")
        assert short in DOCUMENT["components"][kind], name


def _references(value: Any) -> set[str]:
    if isinstance(value, dict):
        own = {value["$ref"]} if isinstance(value.get("$ref"), str) else set()
        return own.union(*map(_references, value.values()))
    return set().union(*map(_references, value)) if isinstance(value, list) else set()


@pytest.mark.parametrize(("path", "method", "operation"), OPERATIONS)
def test_operations_are_whole(path: str, method: str, operation: dict[str, Any]) -> None:
    """An operation has a summary, its path's parameters, who may call it, and every problem by code."""
    assert operation["summary"]
    required = {one["name"] for one in operation["parameters"] if one["in"] == "path"}
    assert required == set(re.findall(r"{(\w+)}", path))
    assert path.startswith(routes.API) or operation.get("security") is None
    codes: dict[str, set[str]] = {}
    for status, answer in operation["responses"].items():
        if PROBLEM_JSON in answer.get("content", {}):
            codes[status] = set(re.findall(r"`(\w+)`: ", answer["description"]))
    for status, named in codes.items():
        assert named and all(str(PROBLEMS[code].http) == status for code in named)
    assert "internal" in codes["500"]
    if "security" in operation:
        assert {"unauthorized", "token_expired"} <= codes["401"]
    if "{bot}" in path:
        assert "not_found" in codes["404"]
    if method == "post" and any(one["name"] == "Idempotency-Key" for one in operation["parameters"]):
        assert "idempotency_conflict" in codes["409"]


def test_names_of_operations_are_unique() -> None:
    """Generated clients name methods by operationId."""
    names = [param.values[2]["operationId"] for param in OPERATIONS]  # type: ignore[index]
    assert len(set(names)) == len(names)
