"""`runbookd explain`."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from service.cli.output import Rows, fail, print_json, say, words
from service.cli.reading import AsJson, TokenFile, Url, open_reader
from service.cli.runs import change, show_run
from service.cli.times import clock
from service.cli.verdicts import show_checks, show_traces, verdict_words
from service.domain.text import one_line

app = typer.Typer(add_completion=False, rich_markup_mode="rich")


@app.command("explain")
def explain(
    of: Annotated[
        str | None,
        typer.Argument(
            help="The id of an alert (a-…), of a decision (d-…), of a run (api.out.7) or of an "
            "alert that could not be read (n-….0), or the name of an alert, for its newest."
        ),
    ] = None,
    last: Annotated[bool, typer.Option("--last", help="The alert that came last.")] = False,
    url: Url = None,
    token_file: TokenFile = None,
    as_json: AsJson = False,
) -> None:
    """Why something was done about an alert, or not: answers, rules, guards, decisions and runs.

    It answers what happened, what was done, why and why not, how things are, what comes next and
    when, how to stop and to undo it, what it costs, and who decided. Then it shows three things.
    Every rule of now that was consulted, and what each matcher saw. The decisions on record, each
    with its guards: what each guard saw, and whether it passed. The runs. Ids are in the answer to
    the sender, in /api/v1/alerts and in /api/v1/decisions.

    [bold]Examples[/bold]

      runbookd explain a-1a209c1021200001497ec6a2

      runbookd explain api.out.7

      runbookd explain "High CPU Usage"

      runbookd explain --last
    """
    if (of is None) == (not last):
        raise typer.BadParameter("name an alert, a decision or a run, or say --last")
    found = open_reader(url, token_file).explain(of)
    if found is None:
        what = "no alert yet" if of is None else f"no alert, decision or run {of!r}"
        fail(f"There is {what}; `runbookd alerts` and `runbookd runs` list those there are.")
    if as_json:
        print_json(found)
        return
    _show_answers(found)
    if found["run"] is not None:
        show_run(found["run"])
    if found["alert"] is None:
        return
    if found["run"] is not None:
        say("")
    _show_alert(found["alert"])
    _show_rules(found["rules"], found["decisions"])
    _show_decisions(found["decisions"])
    _show_runs(found["runs"])


def _show_answers(found: dict[str, Any]) -> None:
    """What a person asks first. A service of an earlier version does not answer it."""
    shown = Rows("", "", header=False)
    for each in found.get("answers", ()):
        shown.add(words(each["question"], "bold"), one_line(each["answer"]))
    shown.print()
    say("")


def _show_alert(alert: dict[str, Any]) -> None:
    say(f"{one_line(alert['name']) or 'unnamed alert'}  ({alert['id']})", "bold")
    shown = Rows("", "", header=False)
    shown.add("status", f"{alert['status']}, seen {alert['times_seen']} times")
    shown.add("from", f"{_sender(alert)}, first at {clock(alert['first_seen'])}")
    shown.add("labels", ", ".join(f'{k}="{v}"' for k, v in sorted(alert["labels"].items())))
    shown.print()


def _sender(alert: dict[str, Any]) -> str:
    """The source, with the credential and the address of its sender where they are known."""
    told = [alert["source"]]
    if alert["credential"]:
        told.append(f"credential {one_line(alert['credential'])}")
    if alert["address"]:
        told.append(f"at {one_line(alert['address'])}")
    return ", ".join(told)


def _show_rules(rules: dict[str, Any], decisions: list[dict[str, Any]]) -> None:
    if "invalid" in rules:
        said = f"The rules can't be used now, so they aren't explained:\n{rules['invalid']}"
        say(f"\n{said}", "yellow")
        return
    then = {each["rules_hash"] for each in decisions}
    others = then - {rules["hash"]}
    changed = " (it was decided by others: they have changed since)" if others else ""
    say(f"\nRules consulted, hash {rules['hash']}{changed}", "bold")
    show_traces(rules["consulted"])


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
