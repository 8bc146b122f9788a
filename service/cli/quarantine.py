"""`runbookd quarantine`."""

from __future__ import annotations

from typing import Annotated

import typer

from service.cli.output import Rows, print_json, say
from service.cli.reading import AsJson, TokenFile, Url, filters, open_reader
from service.domain.filters import MAX_LIMIT

app = typer.Typer(add_completion=False, rich_markup_mode="rich")


@app.command("quarantine")
def quarantine(
    limit: Annotated[int, typer.Option(min=1, max=MAX_LIMIT, help="How many.")] = 20,
    url: Url = None,
    token_file: TokenFile = None,
    as_json: AsJson = False,
) -> None:
    """Alerts that could not be read, newest first, each with the reason.

    They are stored as they came, and nothing else happens with them. Correct what sends them.
    `runbookd explain ID` explains one. --json shows them whole. The read API has the same at
    /api/v1/quarantine.

    [bold]Examples[/bold]

      runbookd quarantine

      runbookd quarantine --limit 1 --json
    """
    page = open_reader(url, token_file).page("quarantine", filters(limit=limit))
    if as_json:
        print_json(page)
        return
    if not page["items"]:
        say("Every alert that came could be read.")
        return
    shown = Rows("id", "alert", "what is wrong with it", whole=("id",))
    for item in page["items"]:
        shown.add(item["id"], str(item["index"] + 1), item["reason"])
    shown.print()
