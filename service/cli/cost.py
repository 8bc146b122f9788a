"""`runbookd cost`."""

from __future__ import annotations

import time
from typing import Any

import typer

from service.cli.output import Rows, keep_logs_aside, print_json, say, tell
from service.cli.reading import AsJson

app = typer.Typer(add_completion=False, rich_markup_mode="rich")


@app.command("cost")
def cost(as_json: AsJson = False) -> None:
    """What this month costs: booked by the vendor, running now, and what both come to by its end.

    Asks the vendors now, with the tokens of this machine's settings, and changes nothing. A price
    that nobody knows is listed as unknown. Months are the vendor's, by UTC.

    [bold]Examples[/bold]

      runbookd cost

      runbookd cost --json
    """
    from service.bootstrap.rules import load_rules
    from service.bootstrap.vendors import build_bills, build_works
    from service.cli.beside import settings_beside_dev
    from service.engine.costing import report_of
    from service.store.clock import StoreClock

    keep_logs_aside()
    settings = settings_beside_dev()
    book = load_rules(settings)
    works = build_works(settings, StoreClock())
    report = report_of(
        book, build_bills(settings), lambda target: works[target.kind], time.time()
    ).to_json()
    if as_json:
        print_json(report)
    else:
        _show(report)


def _show(report: dict[str, Any]) -> None:
    from service.messages.costs import amount, dearest_first, summary

    shown = Rows("what", "name", "is", "a month")
    for each in dearest_first(report["lines"]):
        shown.add(each["kind"], each["name"], each["what"], amount(each["dollars_month"]))
    shown.print()
    say("")
    tell(summary(report))
