"""`runbookd`: the entry point, and how failures are told."""

from __future__ import annotations

import sys
import traceback
from importlib.metadata import PackageNotFoundError, version
from typing import Annotated

import typer

from service.cli.commands import Commands
from service.cli.output import fail, hide_with
from service.dev.home import DevRefused, running_beside
from service.domain.errors import StoreConflict, StoreUnavailable
from service.rulebook import RuleBookInvalid
from service.settings import SettingsInvalid, fill_in, load_settings, redactor_of

_TOLD = (SettingsInvalid, RuleBookInvalid, StoreUnavailable, StoreConflict, DevRefused)
"""Failures whose text is made for the person at the terminal."""

app = typer.Typer(
    cls=Commands,
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="rich",
    # Told in `main`, where secrets are taken out of it.
    pretty_exceptions_enable=False,
    epilog=(
        "Exit status: 0 all is well, 1 something is wrong (a sentence says what), 2 the command "
        "line was not understood.\n\nEach command tells more: [bold]runbookd dev --help[/bold]."
    ),
)


BESIDE_DEV = frozenset({"runs", "alerts", "quarantine", "explain", "replay", "doctor"})
"""Commands that look at what runs; beside `runbookd dev` they mean its service."""


@app.callback()
def _runbookd(
    context: typer.Context,
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
    if context.invoked_subcommand in BESIDE_DEV:
        fill_in(running_beside(load_settings().runbookd_home))


def main() -> None:
    """Run the command line; failures we know are told in their sentences, without a traceback. No
    failure shows a secret."""
    hide_with(redactor_of())
    try:
        app()
    except _TOLD as error:
        fail(str(error))
    except KeyboardInterrupt:
        sys.exit(130)
    except BrokenPipeError:
        # The reader of our output (head, less) has had enough.
        sys.stderr.close()
        sys.exit(0)
    except Exception:
        fail(f"{traceback.format_exc()}\nThis is a fault of runbookd itself; please report it.")


def _print_version() -> None:
    try:
        number = version("runbookd")
    except PackageNotFoundError:
        number = "(not installed: run from its source)"
    typer.echo(f"runbookd {number}")
    raise typer.Exit
