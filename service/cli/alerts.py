"""`runbookd alerts`."""

from __future__ import annotations

import time
from typing import Annotated, Any

import typer

from service.cli.completion import complete_source
from service.cli.output import Rows, print_json, say, words
from service.cli.reading import AsJson, TokenFile, Url, filters, open_reader
from service.cli.times import ago, parse_moment
from service.domain.filters import MAX_LIMIT, SOURCES, require_known

app = typer.Typer(add_completion=False, rich_markup_mode="rich")


@app.command("alerts")
def alerts(  # noqa: PLR0917 - one parameter per option, all given by name
    name: Annotated[str | None, typer.Option(help="Only alerts of this name.")] = None,
    source: Annotated[
        str | None,
        typer.Option(
            help=f"Only alerts from this sender: {', '.join(SOURCES)}.",
            autocompletion=complete_source,
        ),
    ] = None,
    firing: Annotated[
        bool | None, typer.Option("--firing/--resolved", help="Only those that fire, or do not.")
    ] = None,
    since: Annotated[
        str | None, typer.Option(help="Only those that came since then: 2h, 30m, or a time.")
    ] = None,
    until: Annotated[str | None, typer.Option(help="Only those that came before then.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=MAX_LIMIT, help="How many.")] = 20,
    url: Url = None,
    token_file: TokenFile = None,
    as_json: AsJson = False,
) -> None:
    """The alerts that came, newest first.

    [bold]runbookd explain ID[/bold] says what an alert led to, and why. The read API has the same
    at /api/v1/alerts.

    [bold]Examples[/bold]

      runbookd alerts --firing

      runbookd alerts --name "High CPU Usage" --since 2h --json
    """
    wanted = filters(
        name=name,
        source=require_known("--source", source, SOURCES),
        status={None: None, True: "firing", False: "resolved"}[firing],
        since=parse_moment(since),
        until=parse_moment(until),
        limit=limit,
    )
    page = open_reader(url, token_file).page("alerts", wanted)
    if as_json:
        print_json(page)
    else:
        _show(page["items"])


def _show(items: list[dict[str, Any]]) -> None:
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
