"""The faults of docs/reliability.md: each row belongs to the test that provokes it.

    @scenario("A droplet that is off", "PostgreSQL is frozen.", "Paged; …", "shutdown", "resize")
    def test_…(stand: Stand, vendor_saw: VendorSaw) -> None:
        …
        vendor_saw(stand.writes())

The test proves what the row says, and its writes are compared with those of the row. A test that
forgets to show its writes fails. `python -m tests.reliability` writes the document from the rows of
all tests; a test compares it.
"""

from __future__ import annotations

import importlib
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import pytest

from tests.processes import ROOT

PAGE = ROOT / "docs" / "reliability.md"
MARKER = "scenario"
PARTS = (
    "A droplet that is off",
    "Other writes",
    "People who change things meanwhile",
    "Alerts that measured nothing",
    "Clocks, workers and mistakes of our own",
    "Where runbookd itself cannot work",
)
"""The tables of the page, in their order."""

VendorSaw = Callable[[Iterable[str]], None]
"""The fixture `vendor_saw`: takes the names of all writes that the vendor took, in their order."""
_T = TypeVar("_T", bound=Callable[..., None])

_HEAD = """\
# Reliability

What runbookd does when something around it fails. Each row is a fault that a test provokes. Tests
under `crash` and `integration` run real processes on SQLite and PostgreSQL; those under `contract`
use the sandbox, which follows the vendors' documents ([vendors.md](vendors.md)); those under `unit`
use a vendor in memory. Where a row speaks of minutes, the test moves a clock or shortens the minute
instead of waiting.

**Writes** are the requests that changed something at the vendor, in their order, by the name of
the action (`power_on`, `resize`) or of the request. "None" means that nothing was changed. Requests
that the vendor refused are not counted.

This page is made from the tests by `python -m tests.reliability`. A test fails when the page says
something else than they do, or when a vendor was sent something else than its row says. The last
column names the test.
"""


@dataclass(frozen=True, slots=True)
class Scenario:
    """One row: `fault` and `happened` are sentences, `writes` what the vendor took."""

    part: str
    fault: str
    happened: str
    writes: tuple[str, ...]


def scenario(part: str, fault: str, happened: str, *writes: str) -> Callable[[_T], _T]:
    """Make a test a row of the page. `writes` are as `shown` says them; none: nothing is sent."""
    assert part in PARTS, part
    row = Scenario(part, fault, happened, writes)

    def decorate(test: _T) -> _T:
        marked: _T = pytest.mark.scenario(row)(test)
        return marked

    return decorate


def shown(writes: Iterable[str]) -> tuple[str, ...]:
    """Writes as the page says them: those made several times once, with how often."""
    return tuple(f"{name}{_times(count)}" for name, count in Counter(writes).items())


def _times(count: int) -> str:
    return {1: "", 2: " twice"}.get(count, " again and again")


def scenario_of(item: Any) -> Scenario | None:
    """The row of a test."""
    marks = [mark for mark in getattr(item, "pytestmark", []) if mark.name == MARKER]
    return marks[0].args[0] if marks else None


def all_scenarios() -> list[tuple[Scenario, str]]:
    """The rows of all tests, with the file of each, in the order of the files."""
    found = []
    for path in sorted((ROOT / "tests").rglob("test_*.py")):
        if "@scenario(" not in path.read_text(encoding="utf-8"):
            continue
        name = str(path.relative_to(ROOT))
        module = importlib.import_module(name.removesuffix(".py").replace("/", "."))
        rows = [scenario_of(each) for each in vars(module).values() if callable(each)]
        found += [(row, name) for row in rows if row is not None]
    return found


def page(found: Iterable[tuple[Scenario, str]]) -> str:
    """The document."""
    rows = list(found)
    parts = [_HEAD, *(_table(part, rows) for part in PARTS)]
    return "\n".join(parts)


def _table(part: str, rows: list[tuple[Scenario, str]]) -> str:
    lines = [f"## {part}\n", "| fault | what happened | writes | test |", "|---|---|---|---|"]
    lines += [
        f"| {row.fault} | {row.happened} | {', '.join(row.writes) or 'none'} | {_link(test)} |"
        for row, test in rows
        if row.part == part
    ]
    return "\n".join(lines) + "\n"


def _link(test: str) -> str:
    path = Path(test)
    return f"[{path.relative_to('tests').parts[0]}: {path.stem.removeprefix('test_')}](../{test})"


if __name__ == "__main__":
    PAGE.write_text(page(all_scenarios()), encoding="utf-8")
