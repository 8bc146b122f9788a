"""The forms of a plan of the months ahead: a table, CSV, JSON, SVG and PNG."""

from __future__ import annotations

import csv
import io
import json
import sys
from pathlib import Path
from typing import Any

from service.cli.output import MISUSED, Rows, fail, say, tell
from service.domain.capacity.chart import svg
from service.domain.capacity.projection import Projection

_MOST_NAMES = 12
"""Months that are named below the picture; more would lie on one another."""
NO_MATPLOTLIB = (
    "A PNG is drawn by matplotlib, which is not installed here: pip install 'runbookd[plot]'. "
    "--format svg needs nothing."
)


def show(plan: Projection, metric: str) -> None:
    """Print the plan for people."""
    tell(growth_told(plan, metric))
    rows = Rows(*plan.columns)
    for row in plan.rows:
        rows.add(*(_cell(each) for each in row))
    rows.print()
    for sentence in plan.passed:
        tell(sentence, "red")
    if not plan.passed:
        tell("Nothing that is known is passed.")
    for sentence in plan.assumed:
        tell(sentence)


def growth_told(plan: Projection, metric: str) -> str:
    """How much grows, and how that is known."""
    growth = plan.growth
    if growth.is_sure:
        return f"Growth: {_percent(growth.mid)} a month, as given."
    return (
        f"Growth of {metric}: {_percent(growth.mid)} a month, with 95 % certainty between "
        f"{_percent(growth.low)} and {_percent(growth.high)}; measured on {growth.days} days."
    )


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"


def csv_of(plan: Projection) -> str:
    """The table alone, for a spreadsheet."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(plan.columns)
    writer.writerows(plan.rows)
    return text.getvalue()


def json_of(plan: Projection) -> str:
    """Everything, for programs."""
    growth = plan.growth
    value: dict[str, Any] = {
        "model": plan.model,
        "growth": {
            "low": growth.low,
            "mid": growth.mid,
            "high": growth.high,
            "days": growth.days,
        },
        "budget": plan.budget,
        "months": [dict(zip(plan.columns, row, strict=True)) for row in plan.rows],
        "passed": list(plan.passed),
        "assumed": list(plan.assumed),
    }
    return json.dumps(value, indent=2, ensure_ascii=False) + "\n"


def svg_of(plan: Projection) -> str:
    """A picture that needs nothing but a browser."""
    return svg(plan)


def png(plan: Projection) -> bytes:
    """A picture for where SVG is not shown, such as Slack."""
    try:
        from matplotlib.figure import Figure
    except ImportError:
        fail(NO_MATPLOTLIB)
    figure = Figure(figsize=(8, 4), layout="tight")
    axes = figure.subplots()
    places = range(len(plan.months))
    axes.fill_between(
        places,
        [each.low for each in plan.dollars],
        [each.high for each in plan.dollars],
        alpha=0.3,
        label=None if plan.growth.is_sure else "95 % certain",
    )
    axes.plot(places, [each.mid for each in plan.dollars], marker="o", label="expected")
    highest = max(each.high for each in plan.dollars)
    if plan.budget is not None:
        axes.axhline(plan.budget, color="red", linestyle="--", label=f"budget ${plan.budget:,.0f}")
        highest = max(highest, plan.budget)
    axes.set_ylim(0, 1.1 * highest or 1.0)
    axes.set_ylabel("dollars a month")
    axes.yaxis.set_major_formatter("{x:,.0f}")
    axes.legend(loc="upper left")
    every = -(-len(places) // _MOST_NAMES)
    axes.set_xticks(places[::every], [month.name for month in plan.months[::every]])
    axes.tick_params(axis="x", rotation=45)
    content = io.BytesIO()
    figure.savefig(content, format="png")
    return content.getvalue()


def put(content: bytes, out: Path | None, *, is_picture: bool) -> None:
    """Write it to a file, or to standard output."""
    if out is None:
        if is_picture and sys.stdout.isatty():
            fail("A PNG is no text for a terminal: name a file with --out.", MISUSED)
        sys.stdout.buffer.write(content)
        sys.stdout.flush()
        return
    try:
        out.write_bytes(content)
    except OSError as error:
        fail(f"{out} cannot be written: {error.strerror or error}.")
    say(f"{out} was written.")


def _cell(value: str | int | float) -> str:
    if isinstance(value, float):
        return f"{value:,.2f}"
    return f"{value:,}" if isinstance(value, int) else value
