"""`runbookd runs`."""

from __future__ import annotations

import time
from typing import Annotated, Any

import typer
from rich.text import Text

from service.cli.completion import complete_action, complete_run_status, complete_target
from service.cli.output import Rows, fail, print_json, say, words
from service.cli.reading import AsJson, Reader, TokenFile, Url, filters, open_reader
from service.cli.times import ago, clock, took
from service.cli.verdicts import show_checks
from service.domain.commands import to_type
from service.domain.decisions.planning import change_of
from service.domain.errors import Told
from service.domain.filters import ACTIONS, MAX_LIMIT, RUN_STATUSES, require_known
from service.domain.scenarios.scenarios import is_scenario_run
from service.domain.text import one_line

app = typer.Typer(add_completion=False, rich_markup_mode="rich")

_COLOURS = {"succeeded": "green", "failed": "red", "running": "yellow", "queued": "yellow"}
_LONGEST_DETAIL = 300
"""Characters of a step's record in the table."""


@app.command("runs")
def runs(
    run: Annotated[
        str | None, typer.Argument(help="A run's id (api.out.7): its steps with times.")
    ] = None,
    status: Annotated[
        str | None,
        typer.Option(
            help=f"Only these: {', '.join(RUN_STATUSES)}.", autocompletion=complete_run_status
        ),
    ] = None,
    target: Annotated[
        str | None, typer.Option(help="Only runs on this target.", autocompletion=complete_target)
    ] = None,
    action: Annotated[
        str | None,
        typer.Option(help=f"Only these: {', '.join(ACTIONS)}.", autocompletion=complete_action),
    ] = None,
    limit: Annotated[int, typer.Option(min=1, max=MAX_LIMIT, help="How many.")] = 20,
    url: Url = None,
    token_file: TokenFile = None,
    as_json: AsJson = False,
) -> None:
    """What was done: recent runs, newest first, or one run with its steps.

    A run is the execution of one decision. A line shows before → after, when the run was requested
    and how long it took. The read API has the same at /api/v1/runs.

    [bold]Examples[/bold]

      runbookd runs --target api

      runbookd runs api.out.7

      runbookd runs --status failed --json
    """
    require_known("--status", status, RUN_STATUSES)
    reader = open_reader(url, token_file)
    if run is not None:
        found = reader.run(run)
        if found is None:
            fail(f"There is no run {run!r}; `runbookd runs` lists those there are.")
        if as_json:
            print_json(found)
        else:
            show_run(found)
        return
    wanted = filters(status=status, target=target, action=action, limit=limit)
    page = reader.page("runs", wanted)
    if not page["items"] and target is not None:
        _require_target(reader, target)
    if as_json:
        print_json(page)
    else:
        _show(page["items"])


def _require_target(reader: Reader, target: str) -> None:
    """Refuse a target that has no runs and is not in the rules: it is misspelt."""
    try:
        known = reader.targets()
    except Told:
        return  # the rules cannot be used now, or the service is an older one: nobody knows
    require_known("--target", target, known)


def change(run: dict[str, Any]) -> str:
    """before → after, where the run planned a change."""
    plan = run["plan"]
    return change_of(plan["what"], plan["before"], plan["after"]) if plan else ""


def coloured(status: str) -> Text:
    """A run's status in its colour."""
    return words(status, _COLOURS.get(status, ""))


def _show(items: list[dict[str, Any]]) -> None:
    if not items:
        say("There are no such runs.")
        return
    now = time.time()
    shown = Rows("run", "status", "asked for", "took", "what", "why", whole=("status", "took"))
    for item in items:
        shown.add(
            item["id"],
            coloured(item["status"]),
            ago(item["created_at"], now),
            took(item["started_at"], item["ended_at"]),
            change(item) or item["action"],
            _cause(item),
        )
    shown.print()


def _cause(run: dict[str, Any]) -> str:
    """The alert and the rule that requested the run, and why it changed nothing if it did not."""
    replay = "replay of " if run["replay"] else ""
    asked = f"{replay}{run['why']} ({_asker(run)})"
    return f"{asked}: {run['reason']}" if run["status"] in ("held", "failed") else asked


def _asker(run: dict[str, Any]) -> str:
    """Who asked for a run, with what it is: a rule, a level, a job or a scenario."""
    claim = str(run["claim"])
    if _of_scenario(run):
        return f"scenario {run['parent']}"
    if claim.endswith(".level"):
        return f"level {run['rule']}"
    what = "job" if claim == f"{run['rule']}.job" else "rule"
    return f"{what} {run['rule']}"


def _of_scenario(run: dict[str, Any]) -> bool:
    """Whether it is a step of a scenario. A service of an earlier version does not tell it."""
    return bool(run.get("step")) and is_scenario_run(run["parent"] or "")


def show_run(run: dict[str, Any]) -> None:
    """Print one run with its facts and steps."""
    replay = " (a replay)" if run["replay"] else ""
    say(f"{run['id']}{replay}: {run['status']}, {one_line(run['reason'])}", "bold")
    facts = Rows("", "", header=False)
    for name, value in (
        ("action", run["action"]),
        ("target", run["target"] or ""),
        ("change", change(run)),
        ("price", _price(run)),
        ("effect", (run["plan"] or {}).get("downtime", "")),
        ("rule", "" if _of_scenario(run) else run["rule"]),
        ("scenario", f"{run['parent']}, step {run['step']}" if _of_scenario(run) else ""),
        ("alerts", ", ".join(run["alerts"])),
        ("asked for at", clock(run["created_at"])),
        ("began at", clock(run["started_at"])),
        ("took", took(run["started_at"], run["ended_at"])),
        ("executions", str(run["attempt"])),
        ("outcome", _outcome(run)),
    ):
        if value:
            facts.add(name, value)
    # A service of an earlier version does not tell whether the run wrote.
    wrote = run.get("wrote", True)
    action = run.get("action") or ""
    words = to_type(run["id"], run["status"], run["target"] or "", wrote=wrote, action=action)
    for label, typed in words:
        facts.add(label.lower(), typed)
    show_checks(facts, run["checks"])
    facts.print()
    say("")
    _show_steps(run["steps"])


def _outcome(run: dict[str, Any]) -> str:
    """What became of a verified change. Empty where nothing was expected of it."""
    outcome = run.get("outcome")  # a service of an earlier version does not tell it
    if outcome is None:
        return ""
    from service.messages.answers import outcome_words

    return outcome_words(outcome, time.time())


def _price(run: dict[str, Any]) -> str:
    """What the change costs a month. Empty if the run has no plan."""
    if not run["plan"]:
        return ""
    from service.domain.decisions.planning import Plan
    from service.messages.announcements import price_change

    return price_change(Plan.from_json(run["plan"]))


def _show_steps(steps: list[dict[str, Any]]) -> None:
    shown = Rows("step", "status", "began at", "took", "what came of it")
    for step in steps:
        shown.add(
            step["name"],
            step["status"],
            clock(step["started_at"]),
            took(step["started_at"], step["ended_at"]),
            _told(step["detail"]),
        )
    shown.print()


def _told(record: dict[str, Any]) -> str:
    """The plain values of a step's record in one line. --json has all of it."""
    plain = (f"{key} {value}" for key, value in record.items() if isinstance(value, str | int))
    return ", ".join(plain)[:_LONGEST_DETAIL]
