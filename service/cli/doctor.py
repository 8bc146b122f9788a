"""`runbookd doctor`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from service.cli.output import FAILED, Rows, keep_logs_aside, say, words

if TYPE_CHECKING:
    from service.doctor.checks import Finding
    from service.settings import Given

app = typer.Typer(add_completion=False, rich_markup_mode="rich")


@app.command("doctor")
def doctor() -> None:
    """Show what is set and what can be reached. Changes nothing and pages nobody.

    The first table shows every setting and where its value comes from. It never shows a secret. The
    second one shows what was found: rules, the age of the price lists that runs have kept, database
    and tables, whether PostgreSQL's notifications arrive, Redis, live workers, every target at its
    vendor with the token that a worker would use, Slack, Prometheus. PagerDuty can only be tested
    by paging somebody, so it is not tested.

    The exit status is 1 when something required is missing, refuses or does not answer.

    [bold]Examples[/bold]

      runbookd doctor

      SANDBOX_URL=http://127.0.0.1:8090 runbookd doctor
    """
    from service.cli.beside import settings_beside_dev
    from service.doctor.checks import Health, examine
    from service.settings import misspelt, where_given

    keep_logs_aside()
    settings = settings_beside_dev()
    _show_settings(where_given())
    for sentence in misspelt():
        say(sentence, "yellow")
    say("")
    findings = examine(settings)
    _show(findings)
    wrong = [each.name for each in findings if each.health is Health.WRONG]
    if wrong:
        say(f"\nNot in order: {', '.join(wrong)}.", "bold red")
        raise typer.Exit(FAILED)
    say("\nAll that is required is there.", "green")


def _show_settings(given: tuple[Given, ...]) -> None:
    shown = Rows("setting", "value", "from")
    for each in given:
        shown.add(
            words(each.name, "" if each.origin else "dim"),
            each.shown or words("not set", "dim"),
            each.origin or words("default", "dim"),
        )
    shown.print()


def _show(findings: list[Finding]) -> None:
    from service.doctor.checks import Health

    colours = {Health.OK: "green", Health.NOTE: "yellow", Health.WRONG: "bold red"}
    shown = Rows("part", "", "what was found")
    for each in findings:
        shown.add(each.name, words(each.health.value, colours[each.health]), words(each.saw))
    shown.print()
