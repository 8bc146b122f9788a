"""`runbookd migrate`."""

from __future__ import annotations

import typer

from service.cli.output import say

app = typer.Typer(add_completion=False, rich_markup_mode="rich")


@app.command("migrate")
def migrate() -> None:
    """Bring the database's tables up to date, ours and the durable engine's.

    web and worker do this when they start. Use this command if your deployment has a step of its
    own for migrations. It is safe to repeat, and to run in several places at once.

    [bold]Example[/bold]

      DATABASE_URL=postgresql://… runbookd migrate
    """
    from service.bootstrap.startup import migrate as migrate_tables
    from service.settings import load_settings

    migrate_tables(load_settings())
    say("The tables are up to date.")
