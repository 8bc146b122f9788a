"""`runbookd`: the entry point, and the sentences for failures."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from service.cli.commands import Commands
from service.cli.output import MISUSED, fail, hide_with
from service.domain.errors import Told
from service.domain.filters import BadFilter

app = typer.Typer(
    cls=Commands,
    no_args_is_help=True,
    rich_markup_mode="rich",
    # `main` prints exceptions instead, without secrets.
    pretty_exceptions_enable=False,
    epilog=(
        "Exit status: 0 all is well, 1 something is wrong (a sentence says what), 2 the command "
        "line was not understood.\n\nEach command tells more: [bold]runbookd dev --help[/bold]."
    ),
)


@app.callback()
def _runbookd(
    _version: Annotated[
        bool,
        typer.Option(
            "--version",
            help="Print the version and exit.",
            callback=lambda asked: _print_version() if asked else None,
            is_eager=True,
        ),
    ] = False,
) -> None:
    """runbookd runs the scaling runbook: Alertmanager and Grafana post alerts, it decides by rules,
    scales through the vendors' APIs under guards, proves that it worked, and tells Slack and
    PagerDuty.

    Settings come from the environment, each also as NAME_FILE; see [bold]runbookd doctor[/bold].
    """


def main() -> None:
    """Run the command line.

    A failure that we know is one sentence, without a traceback. No failure shows a secret.
    """
    hide_with(None)
    try:
        app()
    except BadFilter as misused:
        fail(str(misused), MISUSED)
    except Told as told:
        fail(str(told))
    except KeyboardInterrupt:
        sys.exit(130)
    except BrokenPipeError:
        # The reader of our output (head, less) has had enough.
        sys.stderr.close()
        sys.exit(0)
    except Exception:
        import traceback

        fail(f"{traceback.format_exc()}\nThis is a fault of runbookd itself; please report it.")


def _print_version() -> None:
    from importlib.metadata import PackageNotFoundError, version

    try:
        number = version("runbookd")
    except PackageNotFoundError:
        number = "(not installed: run from its source)"
    typer.echo(f"runbookd {number}")
    raise typer.Exit
