"""`runbookd checklist`: the runbook's checklist for scaling."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from service.cli.output import print_json
from service.cli.reading import AsJson, TokenFile, Url

if TYPE_CHECKING:
    from service.cli.reading import Reader

_HOUR_S, _BEFORE_S = 3_600.0, 86_400.0
"""An hour of readings, and how far back from the beginning they are looked for, in seconds."""

app = typer.Typer(add_completion=False, rich_markup_mode="rich")


@app.command("checklist")
def checklist(
    what: Annotated[
        str,
        typer.Argument(
            metavar="[RUN|FILE]",
            help="A scenario that was started, such as emergency.3, or a file with a checklist.",
        ),
    ] = "",
    evidence: Annotated[
        bool, typer.Option("--evidence", help="Below each item, what shows that it is so.")
    ] = False,
    url: Url = None,
    token_file: TokenFile = None,
    as_json: AsJson = False,
) -> None:
    """Print the checklist for scaling as Markdown: of a scenario what is known, with who and when,
    else with nothing ticked.

    The exit status is 1 where the file is wrong; each error is told with its line.

    [bold]Examples[/bold]

      runbookd checklist > scaling.md

      runbookd checklist --evidence

      runbookd checklist viral-growth.3 > scaling.md
    """
    from service.domain.scenarios.scenarios import is_scenario_run

    if is_scenario_run(what) and not Path(what).exists():
        _of_run(what, url, token_file, as_json=as_json)
        return
    from service.domain.checklists import markdown
    from service.rulebook.checklists import load_checklist
    from service.rulebook.pack import packaged

    found = load_checklist(Path(what) if what else packaged("checklists.yml"))
    if as_json:
        print_json(asdict(found))
    else:
        typer.echo(markdown(found, evidence=evidence), nl=False)


def _of_run(run: str, url: str | None, token_file: str | None, *, as_json: bool) -> None:
    """Print the shipped checklist for one scenario that was started."""
    from service.cli.desk import open_desk
    from service.domain.checklists import markdown_of
    from service.domain.scenarios.evidence import found_of, signed_of
    from service.rulebook.checklists import load_checklist
    from service.rulebook.kpis import load_kpis
    from service.rulebook.pack import packaged

    desk, reader = open_desk(url, token_file)
    told = desk.scenario(run)
    kpis = load_kpis(packaged("kpis.yml"))
    found = found_of(told, *_readings(reader, told["began_at"]), kpis)
    signed = signed_of(told)
    if as_json:
        items = {name: asdict(each) for name, each in found.items()}
        print_json(
            {"run": run, "items": items, "signed": {k: asdict(v) for k, v in signed.items()}}
        )
        return
    whole = load_checklist(packaged("checklists.yml"))
    title = f"Scenario {run}: {told['state']}"
    typer.echo(markdown_of(whole, title, found, signed), nl=False)


def _readings(reader: Reader, began_at: str | None) -> tuple[list[Any], list[Any]]:
    """The readings of the whole application by the hour: those of the hours that were over when the
    scenario began, and those of the hours after it."""
    if began_at is None:
        return [], []
    began = datetime.fromisoformat(began_at).timestamp()
    wanted = {"span": "hour", "target": "", "limit": "100"}
    before = {**wanted, "since": f"{began - _BEFORE_S:.0f}", "until": f"{began - _HOUR_S + 1:.0f}"}
    after = {**wanted, "since": f"{began:.0f}"}
    return reader.page("readings", before)["items"], reader.page("readings", after)["items"]
