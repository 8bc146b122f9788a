"""`runbookd backtest`."""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from service.cli.output import FAILED, MISUSED, Rows, fail, note, print_json, say, tell
from service.cli.reading import AsJson
from service.cli.times import parse_moment

if TYPE_CHECKING:
    from service.backtest.installation import Assumed
    from service.bootstrap.backtest import Backtested
    from service.domain.backtests.limits import Limit
    from service.domain.backtests.tally import Comparison
    from service.domain.rules.rules import RuleBook
    from service.settings import Settings

app = typer.Typer(add_completion=False, rich_markup_mode="rich")


@app.command("backtest")
def backtest(  # noqa: PLR0917 - one parameter per option, all given by name
    rules: Annotated[
        list[Path], typer.Option("--rules", help="A new rule file; may be repeated, in order.")
    ],
    against: Annotated[
        list[Path] | None,
        typer.Option(
            "--against",
            help="What it is compared with; otherwise the files that RULES names.",
            show_default=False,
        ),
    ] = None,
    since: Annotated[
        str, typer.Option(help="From when: ISO 8601, or a time ago (7d, 24h).")
    ] = "30d",
    until: Annotated[
        str | None, typer.Option(help="Until when; otherwise until now.", show_default=False)
    ] = None,
    fail_on: Annotated[
        list[str] | None,
        typer.Option("--fail-on", help="Exit 1 beyond this: 'actions>+10'; may be repeated."),
    ] = None,
    approvals: Annotated[
        str, typer.Option(help="What people say to a plan that waits: granted or refused.")
    ] = "granted",
    load: Annotated[
        float, typer.Option(min=0.0, help="The load in percent that returns are judged by.")
    ] = 0.0,
    limit: Annotated[
        int, typer.Option(min=0, help="How many of the alerts that differ are shown.")
    ] = 10,
    as_json: AsJson = False,
    chart: Annotated[
        Path | None, typer.Option(help="A file for a picture of it (SVG).", show_default=False)
    ] = None,
) -> None:
    """What changed rules would have done with the alerts of the past.

    The stored alerts go twice through everything that decides: once by the rules in force, once by
    the new files, on a clock that only pretends. Then both are compared: actions, pages, holds,
    flaps, dollars, and which alerts come out differently. Nothing is changed, no vendor is called,
    and nothing is written to the store.

    [bold]--fail-on[/bold] makes it a check for changed rules: exit 1 beyond a limit. With a sign it
    is about the difference, without one about the new rules alone. There are actions, pages, holds,
    messages, approvals, flaps, failed, dollars and verdicts.

    [bold]Examples[/bold]

      runbookd backtest --rules new.yml --since 30d

      runbookd backtest --rules new.yml --fail-on 'actions>+10' --fail-on 'pages>+5'

      runbookd backtest --against old.yml --rules new.yml --json --chart diff.svg
    """
    from service.backtest.installation import Approvals, Assumed
    from service.cli.beside import settings_beside_dev

    limits = _limits(fail_on or [])
    if approvals not in {each.value for each in Approvals}:
        fail(f"--approvals is granted or refused, and not {approvals!r}.", MISUSED)
    span = _span(since, until)
    settings = settings_beside_dev()
    books = _books(settings, against, rules)
    found = _run(settings, books, span, Assumed(Approvals(approvals), load))
    if chart is not None:
        _draw(found.comparison, chart)
    passed = _passed(limits, found.comparison)
    if as_json:
        print_json(
            {
                "since": _moment(span[0]),
                "until": _moment(span[1]),
                "assumed": _assumptions(found, approvals, load),
                **found.comparison.to_json(),
                "beyond": list(passed),
            }
        )
    else:
        _show(found, span, limit, _assumptions(found, approvals, load))
    for sentence in passed:
        note(sentence, "red")
    if passed:
        raise SystemExit(FAILED)


def _limits(texts: Sequence[str]) -> list[Limit]:
    from service.domain.backtests.limits import BadLimit, read_limit

    try:
        return [read_limit(text) for text in texts]
    except BadLimit as wrong:
        fail(f"--fail-on: {wrong}", MISUSED)


def _passed(limits: Sequence[Limit], comparison: Comparison) -> tuple[str, ...]:
    from service.domain.backtests.limits import passed_limits

    return passed_limits(limits, comparison.totals())


def _span(since: str, until: str | None) -> tuple[float, float]:
    begin, end = parse_moment(since), parse_moment(until)
    end = time.time() if end is None else end
    if begin is None or begin >= end:
        fail("--since has to be before --until: there is no time between them.", MISUSED)
    return begin, end


def _books(
    settings: Settings, against: Sequence[Path] | None, rules: Sequence[Path]
) -> tuple[RuleBook, RuleBook]:
    """Both rule books, checked as `check` does it; errors are sentences with file and line."""
    from service.bootstrap.backtest import load_rules_of
    from service.bootstrap.rules import rule_paths

    return (
        load_rules_of(settings, against or rule_paths(settings)),
        load_rules_of(settings, rules),
    )


def _run(
    settings: Settings,
    books: tuple[RuleBook, RuleBook],
    span: tuple[float, float],
    assumed: Assumed,
) -> Backtested:
    from service.bootstrap.backtest import run_backtest
    from service.cli.stored import GO_WHERE_IT_RUNS, open_stored

    stored = open_stored(GO_WHERE_IT_RUNS)
    try:
        return run_backtest(settings, stored, books, span, assumed)
    finally:
        stored.dispose()


def _draw(comparison: Comparison, chart: Path) -> None:
    from service.domain.backtests.chart import svg

    try:
        chart.write_text(svg(comparison.totals()), encoding="utf-8")
    except OSError as error:
        fail(f"--chart: {chart} cannot be written: {error.strerror}.", MISUSED)


def _show(
    found: Backtested, span: tuple[float, float], limit: int, assumptions: Sequence[str]
) -> None:
    comparison = found.comparison
    before, after = comparison.before.rules_hash, comparison.after.rules_hash
    tell(
        f"{_count(comparison.alerts, 'alert')} in "
        f"{_count(comparison.notifications, 'notification')}, from "
        f"{_moment(span[0])} to {_moment(span[1])}. In force: rules {before}. New: rules {after}.\n"
    )
    shown = Rows("counted", "of", "in force", "new", "difference")
    for row in comparison.rows():
        shown.add(
            row.what,
            row.of,
            f"{row.before:,g}",
            f"{row.after:,g}",
            f"{row.difference:+,g}" if row.difference else "",
        )
    shown.print()
    _show_differing(comparison, limit)
    say("")
    for sentence in assumptions:
        tell(sentence)


def _show_differing(comparison: Comparison, limit: int) -> None:
    from service.domain.backtests.tally import told

    differing = comparison.differing()
    if not differing:
        tell("\nEvery alert comes out the same.")
        return
    some = f"; the first {limit}" if len(differing) > limit else ""
    come = "comes" if len(differing) == 1 else "come"
    tell(
        f"\n{_count(len(differing), 'alert')} {come} out differently{some} "
        "(`runbookd explain ID` tells what became of one):"
    )
    for each in differing[:limit]:
        say(each.alert, "bold")
        tell(f"  in force: {told(each.before) or 'nothing'}")
        tell(f"  new:      {told(each.after) or 'nothing'}")


def _assumptions(found: Backtested, approvals: str, load: float) -> list[str]:
    """What is not on record, and what was taken for it."""
    repeats = (
        "Assumed: repeats of an alert came evenly between its first and its last notification, "
        "because only their number is kept."
    )
    changes = (
        "A change takes no time and never fails. What people did meanwhile (pauses, locks, changes "
        "of their own) is not repeated; jobs and scenarios are not run. A rule rests for "
        "its cooldown once it would have started a scenario, because nobody knows how long that "
        "scenario would go on."
    )
    people = (
        f"People have {approvals} every plan that waited for them (--approvals). Readings of that "
        f"time are not asked: the load is {load:g} % throughout (--load)."
    )
    said = [repeats, changes, people]
    if found.began_anywhere:
        said.append(
            f"No run tells how these were at the start, so they begin with the least that the "
            f"rules allow: {', '.join(found.began_anywhere)}."
        )
    if found.simple:
        said.append(
            f"Of these no bounds and no dollars are known, and each action finds something to do: "
            f"{', '.join(found.simple)}."
        )
    if unpriced := sorted(
        {*found.comparison.before.unpriced, *found.comparison.after.unpriced} - {*found.simple}
    ):
        said.append(f"What these cost is not known: {', '.join(unpriced)}.")
    return said


def _count(number: int, word: str) -> str:
    return f"{number:,} {word}" if number == 1 else f"{number:,} {word}s"


def _moment(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M:%SZ")
