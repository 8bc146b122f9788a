"""The table: what was to be reached, what was measured, and whether it is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the table; `met` is None where there is nothing to be met, or no measure."""

    what: str
    target: str
    measured: str
    met: bool | None
    aim: bool | None = None

    @property
    def verdict(self) -> str:
        if self.met is None:
            return "–"
        if not self.met:
            return "missed"
        return "met, aim too" if self.aim else "met"


def at_least(what: str, value: float, bound: float, shown: str, aim: float | None = None) -> Line:
    """A ratio or a rate that is to be at least `bound`, and is aimed at `aim`."""
    target = f"≥ {bound:g}" + (f", aim {aim:g}" if aim is not None else "")
    return Line(what, target, shown, value >= bound, None if aim is None else value >= aim)


def below(what: str, value: float, bound: float, unit: str, shown: str) -> Line:
    """Something that is to stay below `bound`."""
    return Line(what, f"< {bound:g}{unit}", shown, value < bound)


def text(lines: Sequence[Line]) -> str:
    """For a terminal."""
    rows = [("what", "target", "measured", "verdict"), *(_cells(line) for line in lines)]
    widths = [max(len(row[column]) for row in rows) for column in range(4)]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    )


def markdown(lines: Sequence[Line]) -> str:
    """For docs/performance.md."""
    rows = ["| what | target | measured | verdict |", "|---|---|---|---|"]
    rows += ["| " + " | ".join(_cells(line)) + " |" for line in lines]
    return "\n".join(rows)


def _cells(line: Line) -> tuple[str, str, str, str]:
    return line.what, line.target, line.measured, line.verdict
