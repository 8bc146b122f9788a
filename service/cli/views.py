"""`runbookd views`: the runbook's dashboard views in the application's database."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

from service.cli.beside import settings_beside_dev
from service.cli.output import FAILED, MISUSED, Rows, fail, keep_logs_aside, print_json, say, tell
from service.cli.reading import AsJson
from service.domain.errors import VendorError

if TYPE_CHECKING:
    from service.domain.app_views import Plan
    from service.ports.app_views import AppViews

app = typer.Typer(add_completion=False, rich_markup_mode="rich", no_args_is_help=True)

_SHOWN = {"performance": "performance_metrics", "database": "database_performance"}


@app.callback()
def _views() -> None:
    """The runbook's dashboard views, in schema [bold]runbook[/bold] of the application's database.

    The database is that of APP_DATABASE_URL. The database that runbookd keeps its own state in is
    refused.

    [bold]Example[/bold]

      runbookd views apply --plan
    """


@app.command("check")
def check(as_json: AsJson = False) -> None:
    """Say what is missing: versions, partitions, roles and rights. Changes nothing.

    The exit status is 1 while anything is missing.

    [bold]Example[/bold]

      runbookd views check
    """
    plan = _planned(_open())
    _tell(plan, as_json, done=False)
    if not plan.complete:
        raise typer.Exit(FAILED)


@app.command("apply")
def apply(
    plan_only: Annotated[
        bool, typer.Option("--plan", help="Say what would be made, and change nothing.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Make what is missing, each part whole or not at all.

    What is there already stays as it is, so a second time changes nothing. What a person has to do
    is told, and the rest is made without it. The exit status is 1 where nothing could be made.

    [bold]Examples[/bold]

      runbookd views apply --plan

      runbookd views apply
    """
    views = _open()
    plan = _planned(views)
    if plan.refused:
        fail(plan.refused)
    if not plan_only:
        for change in plan.changes:
            try:
                views.make(change)
            except VendorError as problem:
                fail(
                    f"This was not done, and nothing of it is there: {change.sentence}. {problem} "
                    "What was made before it stays. Run `runbookd views apply` again afterwards."
                )
    _tell(plan, as_json, done=not plan_only)


@app.command("show")
def show(
    view: Annotated[
        str, typer.Argument(help="performance (by the minute) or database (by statement).")
    ] = "performance",
    as_json: AsJson = False,
) -> None:
    """Show what a view says now.

    [bold]Examples[/bold]

      runbookd views show

      runbookd views show database --json
    """
    if view not in _SHOWN:
        fail(f"There is no view {view!r}; there are {', '.join(_SHOWN)}.", MISUSED)
    try:
        rows = _open().rows(_SHOWN[view])
    except VendorError as problem:
        fail(f"{problem} `runbookd views check` says what is missing.")
    if as_json:
        print_json([{name: _plain(value) for name, value in row.items()} for row in rows])
    else:
        _print(rows)


def _open() -> AppViews:
    from service.bootstrap.vendors import Vendors

    keep_logs_aside()
    return Vendors(settings_beside_dev()).app_views


def _planned(views: AppViews) -> Plan:
    import time
    from datetime import UTC, datetime

    from service.domain.app_views import plan

    try:
        return plan(views.find(), views.digests, datetime.fromtimestamp(time.time(), UTC).date())
    except VendorError as problem:
        _not_asked(problem)


def _not_asked(problem: VendorError) -> NoReturn:
    fail(f"{problem} Nothing was changed.")


def _tell(plan: Plan, as_json: bool, *, done: bool) -> None:
    if as_json:
        changes = [each.sentence for each in plan.changes]
        told = {"changes": changes, "notes": list(plan.notes), "refused": plan.refused}
        print_json({**told, "done": done})
        return
    if plan.refused:
        say(plan.refused, "red")
        return
    for each in plan.changes:
        say(f"{'done' if done else 'missing'}: {each.sentence}")
    for note in plan.notes:
        tell(f"to do: {note}")
    if plan.complete:
        say("Schema runbook has all that belongs there. No downtime, and nothing to pay.")
    elif not plan.changes:
        say("Nothing else is missing.")
    elif not done:
        say("Nothing was changed. It costs nothing, and nobody waits for it longer than 5 s.")


def _print(rows: Sequence[Mapping[str, Any]]) -> None:
    if not rows:
        say("The view has no rows: no request was logged within the last hour.")
        return
    shown = Rows(*rows[0])
    for row in rows:
        shown.add(*("" if value is None else _short(value) for value in row.values()))
    shown.print()


def _short(value: Any) -> str:
    if hasattr(value, "strftime"):
        return f"{value:%Y-%m-%d %H:%M} UTC"
    return " ".join(str(value).split())


def _plain(value: Any) -> Any:
    from decimal import Decimal

    if isinstance(value, Decimal):
        return float(value)
    return value.isoformat() if hasattr(value, "isoformat") else value
