"""`runbookd alerts`."""

from __future__ import annotations

import time
from typing import Annotated, Any

import typer

from service.cli.output import Rows, print_json, say, words
from service.cli.stored import open_stores
from service.cli.times import ago, parse_moment
from service.settings import load_settings
from service.store.pages import MAX_LIMIT
from service.store.queries import AlertFilter

app = typer.Typer(add_completion=False, rich_markup_mode="rich")


@app.command("alerts")
def alerts(
    name: Annotated[str | None, typer.Option(help="Only alerts of this name.")] = None,
    source: Annotated[str | None, typer.Option(help="Only alerts from this source.")] = None,
    firing: Annotated[
        bool | None, typer.Option("--firing/--resolved", help="Only those that fire, or do not.")
    ] = None,
    since: Annotated[
        str | None, typer.Option(help="Only those that came since then: 2h, 30m, or a time.")
    ] = None,
    limit: Annotated[int, typer.Option(min=1, max=MAX_LIMIT, help="How many.")] = 20,
    as_json: Annotated[bool, typer.Option("--json", help="The same for programs.")] = False,
) -> None:
    """The alerts that came, newest first.

    [bold]runbookd explain ID[/bold] says what each led to, and why. The read API tells the same at
    /api/v1/alerts.

    [bold]Examples[/bold]

      runbookd alerts --firing

      runbookd alerts --name "High CPU Usage" --since 2h --json
    """
    wanted = AlertFilter(name=name, source=source, firing=firing, since=parse_moment(since))
    page = open_stores(load_settings()).queries.alerts(wanted, limit)
    if as_json:
        print_json(page.to_json())
    else:
        _show(page.items)


def _show(items: tuple[dict[str, Any], ...]) -> None:
    if not items:
        say("There are no such alerts.")
        return
    now = time.time()
    shown = Rows("alert", "status", "first seen", "times", "name", "source")
    for item in items:
        fires = item["status"] == "firing"
        shown.add(
            item["id"],
            words(item["status"], "yellow" if fires else ""),
            ago(item["first_seen"], now),
            str(item["times_seen"]),
            item["name"],
            item["source"],
        )
    shown.print()
