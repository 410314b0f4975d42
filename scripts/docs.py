"""Writes the tables of README.md that come from the code: settings, commands, codes and metrics.

Owns the text between the marks `<!-- docs: NAME -->` and `<!-- docs: end -->`; everything else of the README is written
by hand. The tables of the code are the one source, so the README cannot fall behind them::

    python scripts/docs.py            rewrites the sections
    python scripts/docs.py --check    exit 1 when a section isn't what would be written

Neighbour to read next: `tests/rules/test_docs.py`.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

import typer.main

from orchestrator import cli, errors
from orchestrator.api.limits import TABLE
from orchestrator.errors import Code
from orchestrator.metrics import Metrics
from orchestrator.settings import PREFIX, Settings

README = Path(__file__).resolve().parent.parent / "README.md"
SECTION = re.compile(r"(<!-- docs: (\w+) -->\n).*?(<!-- docs: end -->)", re.DOTALL)


def _cell(value: object) -> str:
    return str(value).replace("|", "\\|").replace("\n", " ")


def _table(head: tuple[str, ...], rows: Iterable[tuple[object, ...]]) -> str:
    lines = [head, ("---",) * len(head), *rows]
    return "\n".join("| " + " | ".join(_cell(cell) for cell in line) + " |" for line in lines)


def _folded(title: str, body: str) -> str:
    return f"<details><summary>{title}</summary>\n\n{body}\n\n</details>\n"


def _command(*path: str) -> Any:
    found: Any = typer.main.get_command(cli.cli)
    for name in path:
        found = found.commands[name]
    return found


_UNITS = {
    "socket_max_age": (3600, "h"),
    "spool_max": (1024 * 1024, "MB"),
    "media_max": (1024 * 1024, "MB"),
    "retain_bytes": (1024 * 1024, "MB"),
}


def _default(name: str, value: object) -> str:
    if name in _UNITS and isinstance(value, int):
        unit, sign = _UNITS[name]
        return f"`{value // unit}{sign}`"
    if value is None or value == ():
        return "–"
    return f"`{str(value).lower() if isinstance(value, bool) else value}`"


def settings() -> str:
    """Every setting: the environment's name, the default, what it does (the help of the `serve` option)."""
    helps = {option.name: re.sub(r"\s*\[[^\]]*\]", "", option.help or "") for option in _command("serve").params}
    rows = [
        (f"`{field.name.upper()}`", _default(field.name, field.default), helps[field.name])
        for field in fields(Settings)
    ]
    lead = (
        f"Environment `{PREFIX}` and the name, the `serve` option of that name (`--data-dir`), or a line of a TOML file"
    )
    return f"{lead} (`--config`).\n\n{_table(('setting', 'default', 'meaning'), rows)}\n"


def _commands(command: Any, path: str) -> Iterator[tuple[str, str]]:
    children: Mapping[str, Any] = getattr(command, "commands", {})
    if not children:
        arguments = [
            param.metavar or param.name.upper() for param in command.params if param.param_type_name == "argument"
        ]
        yield " ".join([path, *arguments]), (command.help or "").strip().split("\n")[0]
    for name, child in children.items():
        yield from _commands(child, f"{path} {name}")


def commands() -> str:
    """Every command with its arguments and the first line of its help."""
    return _table(("command", ""), [(f"`{path}`", text) for path, text in _commands(_command(), "orchestrator")]) + "\n"


def _codes(codes: Mapping[str, Code], *, http: bool = False) -> str:
    if http:
        rows = [
            (f"`{code.name}`", code.http or "", "yes" if code.retryable else "", code.text) for code in codes.values()
        ]
        return _table(("code", "status", "again?", "meaning"), rows)
    return _table(("code", "meaning"), [(f"`{code.name}`", code.text) for code in codes.values()])


def codes() -> str:
    """Every code a user can meet, by where it appears."""
    tables = (
        (
            "Refusals of REST (`code` of problem+json); the socket uses the same names",
            _codes(errors.PROBLEMS, http=True),
        ),
        ("Refusals and closings of the socket alone", _codes(errors.SOCKET)),
        ("Reasons of a bot's status (`reason.code`)", _codes(errors.REASONS)),
        ("Why a send failed (`error.code` of a send)", _codes(errors.SEND_ERRORS)),
        ("Why linking failed (`pair_error`)", _codes(errors.PAIR_ERRORS)),
    )
    return "\n".join(_folded(title, table) for title, table in tables)


def limits() -> str:
    """How often one user may ask over REST."""
    rows = [(one.what, one.burst, one.pace) for one in TABLE.values()]
    lead = "Answers tell what is left in `RateLimit-Limit`, `-Remaining` and `-Reset`; past it: 429."
    return _folded("How often a user may ask (REST)", f"{lead}\n\n{_table(('what', 'how many', ''), rows)}")


def metrics() -> str:
    """Every metric with its labels and help, as a scraper sees them."""
    rows = []
    for metric in Metrics().families:
        labels = f"{{{','.join(metric.labels)}}}" if metric.labels else ""
        rows.append((f"`{metric.name}{labels}`", metric.help))
    return _folded("Metrics", _table(("metric", "meaning"), sorted(rows)))


SECTIONS: Mapping[str, Callable[[], str]] = {
    "settings": settings,
    "commands": commands,
    "codes": codes,
    "limits": limits,
    "metrics": metrics,
}


def written(readme: str) -> str:
    """The README with its generated sections as they should be. ValueError when a section is missing."""
    missing = SECTIONS.keys() - {match[2] for match in SECTION.finditer(readme)}
    if missing:
        raise ValueError(f"README.md has no section {', '.join(sorted(missing))}")
    return SECTION.sub(lambda match: f"{match[1]}{SECTIONS[match[2]]()}{match[3]}", readme)


def main(arguments: list[str]) -> int:
    """Writes or checks; the exit code of the command."""
    before = README.read_text("utf-8")
    after = written(before)
    if "--check" in arguments:
        print("README.md is up to date" if after == before else "README.md differs: run python scripts/docs.py")
        return 0 if after == before else 1
    README.write_text(after, "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
