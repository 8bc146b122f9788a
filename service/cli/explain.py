"""`runbookd explain`."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from service.bootstrap.rules import in_force, load_rules
from service.cli.output import Rows, fail, print_json, say
from service.cli.runs import change, show_run
from service.cli.stored import open_stores
from service.cli.times import clock
from service.cli.verdicts import show_checks, show_traces, trace_json, verdict_words
from service.domain.alerts.alert import Alert
from service.domain.rules.matching import RuleTrace
from service.domain.rules.rules import RuleBook
from service.domain.text import one_line
from service.rulebook import RuleBookInvalid
from service.settings import Settings, load_settings
from service.store.queries import AlertFilter, Queries
from service.store.replays import Replays

app = typer.Typer(add_completion=False, rich_markup_mode="rich")


@app.command("explain")
def explain(
    of: Annotated[
        str | None,
        typer.Argument(
            help="The id of an alert (a-…), of a decision (d-…) or of a run (api.out.7), or the "
            "name of an alert: the newest of that name."
        ),
    ] = None,
    last: Annotated[bool, typer.Option("--last", help="The alert that came last.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="The same for programs.")] = False,
) -> None:
    """Why something was done about an alert, or not: rules, guards, decisions and runs.

    First every rule that was consulted and what each of its matchers saw, by the rules in force
    now; then the decisions on record, each with every guard, what the guard saw and whether it let
    pass; then the runs. Ids are in the answer to the sender, in /api/v1/alerts and /decisions.

    [bold]Examples[/bold]

      runbookd explain a-1a209c1021200001497ec6a2

      runbookd explain api.out.7

      runbookd explain "High CPU Usage"

      runbookd explain --last
    """
    if (of is None) == (not last):
        raise typer.BadParameter("name an alert, a decision or a run, or say --last")
    settings = load_settings()
    stores = open_stores(settings)
    replays = Replays(stores.engine)
    run = stores.queries.run(of) if of is not None else None
    alert_id = _alert_of(of, run, stores.queries, replays)
    found = stores.queries.explain(alert_id) if alert_id is not None else None
    alert = replays.alert_as_stored(alert_id) if alert_id is not None else None
    if found is None or alert is None:
        _explain_run(run, of, as_json=as_json)
        return
    book, traces = _traces(settings, alert)
    if as_json:
        rules = {
            "hash": book.hash if book else None,
            "consulted": [trace_json(trace) for trace in traces],
        }
        print_json({**found, "rules": rules})
        return
    if run is not None:
        show_run(run)
        say("")
    _show_alert(found["alert"])
    _show_rules(book, traces, found["decisions"])
    _show_decisions(found["decisions"])
    _show_runs(found["runs"])


def _alert_of(
    of: str | None, run: dict[str, Any] | None, queries: Queries, replays: Replays
) -> str | None:
    """The id of the alert that is meant; None where there is none."""
    if run is not None:
        return next(iter(run["alerts"]), None)
    if of is not None and of.startswith("d-"):
        return replays.alert_of_decision(of)
    if of is not None and queries.alert(of) is not None:
        return of
    newest = queries.alerts(AlertFilter(name=of), 1).items
    return newest[0]["id"] if newest else None


def _explain_run(run: dict[str, Any] | None, of: str | None, *, as_json: bool) -> None:
    """A run that no alert asked for; or nothing is stored of what was named."""
    if run is None:
        what = "no alert yet" if of is None else f"no alert, decision or run {of!r}"
        fail(f"There is {what}; `runbookd alerts` and `runbookd runs` list those there are.")
    if as_json:
        print_json(run)
    else:
        show_run(run)


def _traces(settings: Settings, alert: Alert) -> tuple[RuleBook | None, tuple[RuleTrace, ...]]:
    """By the rules in force now; none when they can't be used (what is stored is shown anyway)."""
    try:
        book = load_rules(settings)
    except RuleBookInvalid as invalid:
        say(f"The rules can't be used now, so they aren't explained:\n{invalid}", "yellow")
        return None, ()
    return book, in_force(book).index.explain(alert)


def _show_alert(alert: dict[str, Any]) -> None:
    say(f"{one_line(alert['name']) or 'unnamed alert'}  ({alert['id']})", "bold")
    shown = Rows("", "", header=False)
    shown.add("status", f"{alert['status']}, seen {alert['times_seen']} times")
    shown.add("from", f"{_sender(alert)}, first at {clock(alert['first_seen'])}")
    shown.add("labels", ", ".join(f'{k}="{v}"' for k, v in sorted(alert["labels"].items())))
    shown.print()


def _sender(alert: dict[str, Any]) -> str:
    """The source, and where it is known the credential and the address behind it."""
    told = [alert["source"]]
    if alert["credential"]:
        told.append(f"credential {one_line(alert['credential'])}")
    if alert["address"]:
        told.append(f"at {one_line(alert['address'])}")
    return ", ".join(told)


def _show_rules(
    book: RuleBook | None, traces: tuple[RuleTrace, ...], decisions: list[dict[str, Any]]
) -> None:
    if book is None:
        return
    then = {each["rules_hash"] for each in decisions}
    changed = " (it was decided by others: they have changed since)" if then - {book.hash} else ""
    say(f"\nRules consulted, hash {book.hash}{changed}", "bold")
    show_traces(traces)


def _show_decisions(decisions: list[dict[str, Any]]) -> None:
    say("\nDecisions", "bold")
    for each in decisions:
        shown = Rows("", "", header=False)
        times = f", {each['times']} times, last at {clock(each['last_at'])}"
        shown.add(
            verdict_words(each["verdict"]),
            f"{each['reason']}  ({each['id']}, {each['stage']}, {clock(each['decided_at'])}"
            f"{times if each['times'] > 1 else ''})",
        )
        show_checks(shown, each["checks"])
        shown.print()


def _show_runs(runs: list[dict[str, Any]]) -> None:
    if not runs:
        return
    say("\nRuns", "bold")
    shown = Rows("run", "status", "change", "why")
    for run in runs:
        replay = " (replay)" if run["replay"] else ""
        shown.add(run["id"] + replay, run["status"], change(run), run["reason"])
    shown.print()
    for run in runs:
        if run["checks"]:
            say(f"\nWhat the worker checked for {run['id']}")
            checked = Rows("", "", header=False)
            show_checks(checked, run["checks"])
            checked.print()
