"""`runbookd signoff`: a person signs a scenario."""

from __future__ import annotations

from typing import Annotated

import typer

from service.cli.desk import Why, not_empty, open_desk
from service.cli.output import print_json, say
from service.cli.reading import AsJson, TokenFile, Url

app = typer.Typer(add_completion=False, rich_markup_mode="rich")


@app.command("signoff")
def signoff(
    run: Annotated[
        str,
        typer.Argument(
            help="A scenario that was started, such as viral-growth.3.", callback=not_empty
        ),
    ],
    role: Annotated[
        str, typer.Option("--as", help="As whom: devops, finance or cto; a group of your token.")
    ],
    why: Why,
    plan: Annotated[
        str, typer.Option("--plan", help="The plan's hash as you read it; another is refused.")
    ] = "",
    url: Url = None,
    token_file: TokenFile = None,
    as_json: AsJson = False,
) -> None:
    """Sign a scenario: its plan, before its first step; or after its last, what became of it.

    A sign-off counts for the plan that was shown. Another plan is asked for again.

    [bold]Example[/bold]

      runbookd signoff viral-growth.3 --as devops --why "the plan is right"
    """
    desk, _ = open_desk(url, token_file)
    made = desk.sign_off(run, role, why, plan)
    if as_json:
        print_json(made)
        return
    say(
        f"Signed: scenario {run} as {made['role']}, {made['phase']} it, plan {made['plan_hash']}. "
        f"`runbookd scenarios {run}` shows who is missing."
    )
