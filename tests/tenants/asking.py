"""Random requests after the server's own OpenAPI document: whatever it offers, now or later, is asked for.

Owns addresses, bodies and headers, with planted words in every text. Ids are taken from what the person was told before
and, now and then, from what somebody else was told. It must never know what an answer should be.
"""

from __future__ import annotations

import itertools
import json
import random
from collections import defaultdict, deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tests.tenants.witness import Person, Witness

RARELY = {
    ("post", "/api/v1/bots"): 0.05,
    ("delete", "/api/v1/bots/{bot}"): 0.02,
    ("post", "/api/v1/bots/{bot}/logout"): 0.01,
    ("post", "/api/v1/bots/{bot}/link"): 0.02,
    ("post", "/api/v1/bots/{bot}/pairing-code"): 0.01,
    ("post", "/api/v1/bots/{bot}/start"): 0.05,
    ("post", "/api/v1/bots/{bot}/stop"): 0.02,
    ("post", "/api/v1/bots/{bot}/restart"): 0.02,
    ("post", "/api/v1/bots/{bot}/simulate"): 0.1,
    ("get", "/metrics"): 0.05,
    ("post", "/api/v1/proxy-checks"): 0.1,
}
"""Operations that cost a process, or end what the others live on. Everything else comes equally often."""
OFTEN = {("post", "/api/v1/bots/{bot}/messages"): 4.0, ("get", "/api/v1/bots/{bot}/messages"): 3.0}

KNOWN_AS = {"id": "", "botId": "bot", "messageId": "messageId", "chat": "chat", "to": "chat", "connectionId": "proof"}
"""Members of answers whose values are asked for later, and as what; ids are told apart by their prefix."""


@dataclass(slots=True)
class Memory:
    """What one person was told and may name again."""

    told: dict[str, deque[str]] = field(default_factory=lambda: defaultdict(lambda: deque(maxlen=60)))

    def learn(self, value: object) -> None:
        """Remember the ids in an answer or a frame."""
        if isinstance(value, list):
            for item in value:
                self.learn(item)
        elif isinstance(value, dict):
            for key, inner in value.items():
                if isinstance(inner, str) and key in KNOWN_AS:
                    self.add(KNOWN_AS[key] or inner.partition("_")[0], inner)
                elif isinstance(inner, dict | list):
                    self.learn(inner)
            if isinstance(value.get("epoch"), str) and isinstance(value.get("seq"), int):
                self.add("position", f"{value['epoch']}:{value['seq']}")

    def add(self, kind: str, word: str) -> None:
        """Remember one more of a kind."""
        if word not in self.told[kind]:
            self.told[kind].append(word)

    def forget(self, kind: str, word: str) -> None:
        """It is there no longer."""
        if word in self.told[kind]:
            self.told[kind].remove(word)

    def one(self, chance: random.Random, kind: str, default: str) -> str:
        """One of a kind."""
        return chance.choice(self.told[kind]) if self.told[kind] else default


@dataclass(frozen=True, slots=True)
class Request:
    """One request, and what of it is somebody else's."""

    method: str
    template: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes | None
    foreign: bool
    """It names somebody else's bot, or somebody else: the answer must be a refusal."""
    about: str | None
    """Whom an operator asks about."""


class Asking:
    """Makes one person's requests."""

    def __init__(
        self,
        document: dict[str, Any],
        person: Person,
        others: list[Person],
        memories: Mapping[str, Memory],
        witness: Witness,
        chance: random.Random,
        keys: itertools.count[int],
    ) -> None:
        self._components = document["components"]
        self._person = person
        self._others = others
        self._memories = memories
        self._witness = witness
        self._chance = chance
        self._operations = [
            (method, path, operation)
            for path, methods in document["paths"].items()
            for method, operation in methods.items()
        ]
        self._weights = [
            RARELY.get((method, path), OFTEN.get((method, path), 1.0)) for method, path, _ in self._operations
        ]
        self._keys = keys

    def next(self) -> Request:
        """One request."""
        ((method, template, operation),) = self._chance.choices(self._operations, self._weights)
        about = self._whose(operation)
        whose = about or self._person
        foreign = whose is not self._person and not self._person.operator
        path, query, headers = template, dict[str, str](), dict[str, str]()
        if about is not None:
            query["userId"] = about.user
        for parameter in operation.get("parameters", ()):
            name, place = parameter["name"], parameter["in"]
            if place == "path":
                word, theirs = self._named(name, whose)
                foreign = foreign or (theirs and name == "bot")
                path = path.replace(f"{{{name}}}", word)
            elif place == "query" and name != "userId" and self._chance.random() < 0.4:
                query[name] = self._queried(name, whose)
            elif name == "Idempotency-Key" and self._chance.random() < 0.5:
                headers[name] = f"key-{next(self._keys)}"  # everybody counts alike: a key is each user's own
        body, content = self._body(operation, whose)
        if body is not None:
            headers["Content-Type"] = content
        told = about.name if about is not None and self._person.operator else None
        return Request(method.upper(), template, path, query, headers, body, foreign, told)

    def _whose(self, operation: dict[str, Any]) -> Person | None:
        """Whom this is about: operators mostly ask about others, and others now and then try to."""
        if not any(one["name"] == "userId" for one in operation.get("parameters", ())):
            return None
        return (
            self._chance.choice(self._others)
            if self._chance.random() < (0.7 if self._person.operator else 0.1)
            else None
        )

    def _named(self, name: str, whose: Person) -> tuple[str, bool]:
        """A value of a path's parameter, and whether it is somebody's who is not asked about."""
        theirs = self._chance.random() < 0.12
        if theirs:
            whose = self._chance.choice([one for one in [self._person, *self._others] if one is not whose])
        word = self._memories[whose.name].one(self._chance, name, f"{name}_unknown")
        return word, theirs and not word.endswith("_unknown")

    def _queried(self, name: str, whose: Person) -> str:
        memory = self._memories[whose.name if self._chance.random() < 0.9 else self._chance.choice(self._others).name]
        match name:
            case "after":
                return memory.one(self._chance, "position", "log_unknown:1")
            case "chat":
                return memory.one(self._chance, "chat", self._witness.number(whose))
            case "limit" | "hours":
                return str(self._chance.randrange(1, 30))
            case "wait":
                return self._chance.choice("001")
            case "before":
                return str(self._chance.randrange(1, 2_000_000_000_000))
            case _:
                return memory.one(self._chance, name, self._witness.word(self._person, "query"))

    # --- bodies ---------------------------------------------------------------------------------------------------

    def _body(self, operation: dict[str, Any], whose: Person) -> tuple[bytes | None, str]:
        content = operation.get("requestBody", {}).get("content")
        if content is None:
            return None, ""
        if "application/json" not in content:
            kind = next(iter(content))
            return self._witness.word(whose, "bytes").encode(), kind
        value = self._value(content["application/json"]["schema"], "", whose)
        if operation.get("operationId") == "post_bots" and isinstance(value, dict):
            value["start"] = False  # linking costs a process: those who look after the bots do it
        return json.dumps(value).encode(), "application/json"

    def _value(self, schema: dict[str, Any], name: str, whose: Person) -> Any:
        chance = self._chance
        if "$ref" in schema:
            schema = {**self._components["schemas"][schema["$ref"].rpartition("/")[2]], **schema}
        for choices in ("enum", "const"):
            if choices in schema:
                return chance.choice(schema[choices]) if choices == "enum" else schema[choices]
        if "properties" in schema:
            return self._object(schema, whose)
        for choices in ("anyOf", "oneOf"):
            if choices in schema:
                return self._value(chance.choice(schema[choices]), name, whose)
        match schema.get("type"):
            case "string":
                return self._text(name, whose, schema)
            case "integer":
                return chance.randint(
                    schema.get("minimum", 0), min(schema.get("maximum", 5), schema.get("minimum", 0) + 5)
                )
            case "number":
                return chance.uniform(schema.get("minimum", 0), schema.get("maximum", 5))
            case "boolean":
                return chance.random() < 0.5
            case "array":
                fewest = schema.get("minItems", 0)
                return [self._value(schema.get("items", {}), name, whose) for _ in range(fewest + chance.randrange(2))]
            case "object":
                return {}
            case _:
                return None

    def _object(self, schema: dict[str, Any], whose: Person) -> dict[str, Any]:
        chance, properties = self._chance, schema["properties"]
        required = set(schema.get("required", ()))
        forms = [form["required"] for form in schema.get("oneOf", ()) if "required" in form]
        chosen = required | set(chance.choice(forms) if forms else ())
        left_out = {name for form in forms for name in form} - chosen
        beside = schema.get("dependentRequired", {})
        for name in properties:
            if name not in chosen and name not in left_out and chance.random() < 0.3:
                chosen |= {name} if set(beside.get(name, ())) <= chosen else set()
        return {name: self._value(properties[name], name, whose) for name in properties if name in chosen}

    def _text(self, name: str, whose: Person, schema: dict[str, Any]) -> str:
        witness, memory = self._witness, self._memories[whose.name]
        match name:
            case "to" | "phone" | "expectedPhone" | "sender" | "mentions" | "participants":
                return witness.number(whose)
            case "messageId":
                return memory.one(self._chance, "messageId", witness.word(whose, "message"))
            case "proxy":
                return f"http://{witness.word(whose, 'proxy')}:pass@127.0.0.1:9"
            case "url":
                return f"http://127.0.0.1:9/{witness.word(whose, 'url')}"
            case "vcard":
                return f"BEGIN:VCARD\nVERSION:3.0\nFN:{witness.word(whose, 'card')}\nEND:VCARD"
            case "userId":
                return (whose if self._chance.random() < 0.8 else self._chance.choice(self._others)).user
            case _:
                kind = "".join(letter for letter in name.lower() if letter.isalpha()) or "text"
                return witness.word(whose, kind)[: schema.get("maxLength", 200)]
