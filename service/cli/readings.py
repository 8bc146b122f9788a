"""`runbookd readings`."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from typing import Annotated, Any

import typer

from service.cli.completion import complete_target
from service.cli.output import Rows, print_json, say
from service.cli.reading import AsJson, Reader, TokenFile, Url, filters, open_reader
from service.cli.times import ago, clock, parse_moment
from service.domain.filters import MAX_LIMIT

app = typer.Typer(add_completion=False, rich_markup_mode="rich")

_LARGE = 1_000.0
_MOST_PAGES = 100
"""Pages that one command reads: all days of two years, or all hours of a month."""


@app.command("readings")
def readings(
    metric: Annotated[
        str | None, typer.Argument(help="Only this metric, with each day: cpu, rps, dollars, …")
    ] = None,
    target: Annotated[
        str | None,
        typer.Option(help="Only readings of this target.", autocompletion=complete_target),
    ] = None,
    hours: Annotated[bool, typer.Option("--hours", help="Hours instead of days.")] = False,
    since: Annotated[
        str, typer.Option(help="Only those that began since then: 30d, 12h, or a time.")
    ] = "30d",
    url: Url = None,
    token_file: TokenFile = None,
    as_json: AsJson = False,
) -> None:
    """What was measured, by the day or by the hour.

    Without a metric: each metric in one line, over the whole time. What was not measured has no
    reading. Days and hours are those of UTC. The read API has the same at /api/v1/readings.

    [bold]Examples[/bold]

      runbookd readings

      runbookd readings rps --since 90d

      runbookd readings instances --target api --hours --since 2d --json
    """
    wanted = filters(
        metric=metric,
        target=target,
        span="hour" if hours else "day",
        since=parse_moment(since),
        limit=MAX_LIMIT,
    )
    found = list(read_all(open_reader(url, token_file), wanted))
    if as_json:
        print_json({"items": found})
    elif not found:
        say(f"There are no such readings since {since}. `runbookd doctor` says what is kept.")
    elif metric is None:
        _show_each_metric(found, "hours" if hours else "days")
    else:
        _show_each_reading(found)


def read_all(reader: Reader, wanted: Mapping[str, str]) -> Iterator[dict[str, Any]]:
    """The readings that these filters name, newest first, from as many pages as there are."""
    after: dict[str, str] = {}
    for _ in range(_MOST_PAGES):
        page = reader.page("readings", {**wanted, **after})
        yield from page["items"]
        if page["next"] is None:
            return
        after = {"after": page["next"]}


def number(value: float) -> str:
    """A measured value with as many digits as people read."""
    return f"{value:,.0f}" if abs(value) >= _LARGE else f"{value:.4g}"


def _show_each_metric(found: list[dict[str, Any]], spans: str) -> None:
    of_each: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for item in found:
        of_each.setdefault((item["metric"], item["target"]), []).append(item)
    now = time.time()
    shown = Rows("metric", "target", "unit", "newest", "mean", "low", "high", spans)
    for (metric, target), items in sorted(of_each.items()):
        shown.add(
            metric,
            target,
            items[0]["unit"],
            ago(items[0]["at"], now),
            number(sum(item["mean"] for item in items) / len(items)),
            number(min(item["low"] for item in items)),
            number(max(item["high"] for item in items)),
            str(len(items)),
        )
    shown.print()


def _show_each_reading(found: list[dict[str, Any]]) -> None:
    shown = Rows("began", "target", "mean", "low", "high", "p95", "samples", "unit")
    for item in found:
        values = (number(item[name]) for name in ("mean", "low", "high", "p95"))
        shown.add(clock(item["at"]), item["target"], *values, str(item["samples"]), item["unit"])
    shown.print()
