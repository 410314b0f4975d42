"""Writes `orchestrator/web/src/generated.ts`: records, types of events and codes as the server has them.

Owns that one file. The records and tables of the code are the one source, so the client's types cannot fall behind::

    python scripts/web_types.py            rewrites the file
    python scripts/web_types.py --check    exit 1 when the file isn't what would be written

Neighbour to read next: `tests/rules/test_web.py`.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, get_args

import msgspec

from orchestrator import errors
from orchestrator.api.schema import AskPairingCode, Me, Ribbons, Version
from orchestrator.api.schema import Link as LinkRequest
from orchestrator.api.schema_send import SendMessage
from orchestrator.bots.around import GroupData
from orchestrator.bots.calls import CallData
from orchestrator.bots.contents import HistoryData
from orchestrator.bots.presences import PresenceData
from orchestrator.errors import Code
from orchestrator.gateway import protocol
from orchestrator.gateway.command import Action
from orchestrator.model import Bot, EventName, Position, SendJob, Status
from orchestrator.ports import BotHistory, FleetHistory, FleetNow, IncidentList, PairingCode, Play
from sessions import translate_frames
from sessions.lifecycle_rows import ROWS

TARGET = Path(__file__).resolve().parent.parent / "orchestrator" / "web" / "src" / "generated.ts"

SERVER: Mapping[str, type] = {
    "Bot": Bot,
    "Position": Position,
    "SendJob": SendJob,
    "PairingCode": PairingCode,
    "Ready": protocol.Ready,
    "MessageData": translate_frames._MessageData,
    "ChangeData": translate_frames._ChangeData,
    "ReceiptData": translate_frames._ReceiptData,
    "UndecryptableData": translate_frames._UndecryptableData,
    "GroupData": GroupData,
    "CallData": CallData,
    "PresenceData": PresenceData,
    "HistoryData": HistoryData,
    "Me": Me,
    "Version": Version,
    "BotHistory": BotHistory,
    "Ribbons": Ribbons,
    "FleetNow": FleetNow,
    "FleetHistory": FleetHistory,
    "IncidentList": IncidentList,
}
"""What the server sends: every member without a default is there."""

CLIENT: Mapping[str, type] = {
    "LinkRequest": LinkRequest,
    "PairingCodeRequest": AskPairingCode,
    "SendRequest": SendMessage,
    "Play": Play,
}
"""What a client sends: members with a default may be left out."""

LISTS: Mapping[str, tuple[str, ...]] = {
    "STATUSES": get_args(Status),
    "EVENT_NAMES": get_args(EventName),
    "ACTIONS": get_args(Action),
    "TERMINAL_CLOSINGS": get_args(protocol.Terminal),
    "RETRYABLE_CLOSINGS": get_args(protocol.Retryable),
    "LIFECYCLE_TYPES": tuple(dict.fromkeys(row.frame for row in ROWS if row.frame is not None)),
}

CODES: Mapping[str, Mapping[str, Code]] = {
    "PROBLEMS": errors.PROBLEMS,
    "SOCKET_CODES": errors.SOCKET,
    "REASONS": errors.REASONS,
    "SEND_ERRORS": errors.SEND_ERRORS,
    "PAIR_ERRORS": errors.PAIR_ERRORS,
}


def written() -> str:
    """The file as it should be."""
    parts = ["// Written by scripts/web_types.py from the server's records and codes; never edited by hand.\n"]
    for name, words in LISTS.items():
        parts.append(f"export const {name} = {json.dumps(words)} as const;\n")
    parts.append("export type Status = (typeof STATUSES)[number];\n")
    parts.append("export type EventName = (typeof EVENT_NAMES)[number];\n")
    parts.append("export type Action = (typeof ACTIONS)[number];\n")
    for name, codes in CODES.items():
        parts.append(f"export const {name} = {{\n{''.join(map(_code, codes.values()))}}} as const;\n")
    parts.extend(_records(SERVER, sent_by_client=False))
    parts.extend(_records(CLIENT, sent_by_client=True))
    return "\n".join(parts)


def _code(code: Code) -> str:
    text = json.dumps(code.text, ensure_ascii=False)
    return f"  {code.name}: {{ text: {text}, retryable: {json.dumps(code.retryable)} }},\n"


def _records(kinds: Mapping[str, type], *, sent_by_client: bool) -> list[str]:
    schemas, components = msgspec.json.schema_components(kinds.values(), ref_template="{name}")
    names = {schema["$ref"]: name for name, schema in zip(kinds, schemas, strict=True)}
    sparse = _leave_out_defaults(kinds.values())
    declared = []
    for name, schema in components.items():
        members = _members(schema, names, full=not sent_by_client and name not in sparse)
        text = " ".join(schema.get("description", "").split("\n\n")[0].split())
        comment = f"/** {text} */\n" if text else ""
        declared.append(f"{comment}export interface {names.get(name, name)} {{\n{members}}}\n")
    return declared


def _leave_out_defaults(kinds: Iterable[type]) -> set[str]:
    """Names of the records, at any depth, whose members are left out when they have their default."""
    found: set[str] = set()
    seen: set[type] = set()

    def visit(kind: msgspec.inspect.Type) -> None:
        match kind:
            case msgspec.inspect.StructType(cls=cls, fields=members):
                if cls.__struct_config__.omit_defaults:
                    found.add(cls.__name__)
                if cls not in seen:
                    seen.add(cls)
                    for member in members:
                        visit(member.type)
            case msgspec.inspect.UnionType(types=types):
                for one in types:
                    visit(one)
            case msgspec.inspect.VarTupleType(item_type=item) | msgspec.inspect.ListType(item_type=item):
                visit(item)
            case _:
                return

    for kind in kinds:
        visit(msgspec.inspect.type_info(kind))
    return found


def _members(schema: dict[str, Any], names: Mapping[str, str], *, full: bool) -> str:
    required = set(schema.get("required", ()))
    lines = []
    for name, member in schema["properties"].items():
        # A default of null is written out by the server; one that is no value at all (unset) leaves the member out.
        there = name in required or (full and "default" in member)
        lines.append(f"  readonly {name}{'' if there else '?'}: {_type(member, names)};\n")
    return "".join(lines)


def _type(schema: dict[str, Any], names: Mapping[str, str]) -> str:
    if "$ref" in schema:
        return names.get(schema["$ref"], schema["$ref"])
    if "enum" in schema:
        words = schema["enum"]
        return "Status" if {*words} == {*get_args(Status)} else " | ".join(json.dumps(word) for word in words)
    if "anyOf" in schema:
        return " | ".join(dict.fromkeys(_type(one, names) for one in schema["anyOf"]))
    if schema.get("type") == "array":
        return f"ReadonlyArray<{_type(schema.get('items') or {}, names)}>"
    if schema.get("type") == "object" and "additionalProperties" in schema:
        return f"Readonly<Record<string, {_type(schema['additionalProperties'], names)}>>"
    plain = {"string": "string", "integer": "number", "number": "number", "boolean": "boolean", "null": "null"}
    return plain.get(schema.get("type", ""), "unknown")


def main(arguments: list[str]) -> int:
    """Writes or checks; the exit code of the command."""
    after = written()
    if "--check" in arguments:
        same = TARGET.exists() and TARGET.read_text("utf-8") == after
        print("generated.ts is up to date" if same else "generated.ts differs: run python scripts/web_types.py")
        return 0 if same else 1
    TARGET.write_text(after, "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
