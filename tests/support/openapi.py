"""Checks real answers against the server's own OpenAPI document: status, content type and JSON schema.

Owns matching an address to its operation and validating; it must never know what an answer should say. Used by
`rest.py` for every answer of every test.
"""

from __future__ import annotations

import json
import re
from typing import Any

import jsonschema

SCHEMA_DIALECT = "https://json-schema.org/draft/2020-12/schema"


class Contract:
    """One OpenAPI 3.1 document."""

    def __init__(self, document: dict[str, Any]) -> None:
        self.document = document
        self._paths = [
            (
                re.compile(
                    "^" + re.sub(r"{\w+}", "[^/]+", re.escape(path).replace(r"\{", "{").replace(r"\}", "}")) + "$"
                ),
                path,
            )
            for path in document["paths"]
        ]

    def operation(self, method: str, path: str) -> dict[str, Any] | None:
        """The documented operation of an address; None when there is none."""
        for pattern, template in self._paths:
            if pattern.match(path):
                found: dict[str, Any] | None = self.document["paths"][template].get(method.lower())
                return found
        return None

    def check(self, method: str, path: str, status: int, content_type: str, body: bytes) -> None:
        """Assert that an answer is one the document allows; addresses it doesn't know are not checked."""
        operation = self.operation(method, path)
        if operation is None:
            return
        where = f"{method} {path} answered {status}"
        assert str(status) in operation["responses"], f"{where}, which is not documented: {body[:400]!r}"
        content = operation["responses"][str(status)].get("content")
        if content is None:
            assert body == b"", f"{where} with a body, none is documented"
            return
        assert content_type in content, f"{where} as {content_type}, documented are {sorted(content)}"
        if content_type.endswith("json"):
            self.validate(content[content_type]["schema"], json.loads(body))

    def validate(self, schema: dict[str, Any], value: object) -> None:
        """Assert that a value is what a schema of the document says."""
        whole = {"$schema": SCHEMA_DIALECT, "components": self.document["components"], **schema}
        jsonschema.Draft202012Validator(whole).validate(value)
