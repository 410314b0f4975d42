"""Figures of a benchmark as a table: target, measured, the library's share, met or missed. Pure."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Figure:
    """One line of the table; times in seconds."""

    name: str
    measured: float
    library: float | None
    """The library's own share; None where there is none."""
    target: float | None
    unit: str
    at_least: bool = False

    @property
    def met(self) -> bool:
        """Whether the target is reached; a figure without one always is."""
        if self.target is None:
            return True
        return self.measured >= self.target if self.at_least else self.measured <= self.target


def median(values: Sequence[float]) -> float:
    """The middle value."""
    return statistics.median(values)


def p99(values: Sequence[float]) -> float:
    """The smallest value that 99 of 100 don't exceed; of fewer than 100 values the greatest."""
    return sorted(values)[math.ceil(0.99 * len(values)) - 1]


def p95(values: Sequence[float]) -> float:
    """The smallest value that 95 of 100 don't exceed."""
    return sorted(values)[math.ceil(0.95 * len(values)) - 1]


def _amount(value: float | None, unit: str) -> str:
    if value is None:
        return "–"
    if unit == "s":
        return f"{value * 1000:.1f} ms" if value < 1 else f"{value:.2f} s"
    return f"{value:.0f} /s" if unit == "/s" else f"{value:.{0 if value == int(value) else 2}f}"


def show(figures: Sequence[Figure]) -> str:
    """The table as Markdown; without the library's column where no figure has one."""
    lines: list[tuple[str, ...]] = [("figure", "target", "measured", "library alone", ""), ("---",) * 5]
    for figure in figures:
        sign = "≥" if figure.at_least else "≤"
        target = "–" if figure.target is None else f"{sign} {_amount(figure.target, figure.unit)}"
        verdict = "–" if figure.target is None else "met" if figure.met else "MISSED"
        measured, library = _amount(figure.measured, figure.unit), _amount(figure.library, figure.unit)
        lines.append((figure.name, target, measured, library, verdict))
    if all(figure.library is None for figure in figures):
        lines = [(name, target, measured, verdict) for name, target, measured, _, verdict in lines]
    widths = [max(len(line[index]) for line in lines) for index in range(len(lines[0]))]
    return "\n".join(
        "| "
        + " | ".join(cell.ljust(width, "-" if cell == "---" else " ") for cell, width in zip(line, widths, strict=True))
        + " |"
        for line in lines
    )
