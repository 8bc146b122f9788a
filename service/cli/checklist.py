"""`runbookd checklist`: the runbook's checklist for scaling."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from service.cli.output import print_json
from service.cli.reading import AsJson

app = typer.Typer(add_completion=False, rich_markup_mode="rich")


@app.command("checklist")
def checklist(
    file: Annotated[
        Path | None,
        typer.Argument(help="A checklist; without one, the shipped rules/checklists.yml."),
    ] = None,
    evidence: Annotated[
        bool, typer.Option("--evidence", help="Below each item, what shows that it is so.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Print the checklist for scaling as Markdown, with nothing ticked.

    The exit status is 1 where the file is wrong; each error is told with its line.

    [bold]Examples[/bold]

      runbookd checklist > scaling.md

      runbookd checklist --evidence
    """
    from service.domain.checklists import markdown
    from service.rulebook.checklists import load_checklist
    from service.rulebook.pack import packaged

    found = load_checklist(packaged("checklists.yml") if file is None else file)
    if as_json:
        print_json(asdict(found))
    else:
        typer.echo(markdown(found, evidence=evidence), nl=False)
