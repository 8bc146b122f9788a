"""`runbookd jobs`."""

from __future__ import annotations

import time
from typing import Annotated, Any

import typer

from service.cli.desk import WhyOrNot, Yes, agreed, not_empty, open_desk
from service.cli.output import Rows, print_json, say
from service.cli.reading import AsJson, TokenFile, Url
from service.cli.times import ago
from service.domain.filters import BadFilter

app = typer.Typer(add_completion=False, rich_markup_mode="rich")


@app.command("jobs")
def jobs(
    name: Annotated[
        str | None, typer.Argument(help="One job, to be done now.", callback=not_empty)
    ] = None,
    now: Annotated[bool, typer.Option("--now", help="Have this job done now.")] = False,
    why: WhyOrNot = "",
    yes: Yes = False,
    url: Url = None,
    token_file: TokenFile = None,
    as_json: AsJson = False,
) -> None:
    """The chores of the rules: when each was last due, what became of it, and when it is due next.

    With --now a job is done at once, as it is done when it is due. Its times stay as they are.

    [bold]Examples[/bold]

      runbookd jobs

      runbookd jobs cost-monitor --now --why "the bill of the month" --yes
    """
    if now != (name is not None):
        raise BadFilter("To have a job done now, name it and say --now. Nothing was done.")
    if name is None:
        _list(open_desk(url, token_file)[0].jobs(), as_json=as_json)
        return
    if not why:
        raise BadFilter("Say why with --why, for those who find it at 3 am. Nothing was done.")
    agreed(f"This has job {name} done now.", yes=yes)
    made = open_desk(url, token_file)[0].run_job(name, why)
    if as_json:
        print_json(made)
        return
    say(f"Queued: run {made['id']} does {made['action']}: `runbookd runs {made['id']}`.")


def _list(found: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        print_json(found)
        return
    if not found["items"]:
        say("The rules have no jobs.")
        return
    at = time.time()
    shown = Rows("job", "every", "does", "last", "next")
    for each in found["items"]:
        does = f"{each['action']} of {each['target']}" if each["target"] else each["action"]
        every = f"{each['every']} {each['zone']}"
        shown.add(each["name"], every, does, _last(each["last"], at), ago(each["next"], at))
    shown.print()


def _last(last: dict[str, Any] | None, at: float) -> str:
    if last is None:
        return "never"
    what = f"run {last['run']}" if last["run"] else "left out, as too long ago"
    return f"{ago(last['due'], at)}: {what}"
