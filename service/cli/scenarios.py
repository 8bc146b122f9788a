"""`runbookd scenarios`, and scenarios as `run` starts and plans them."""

from __future__ import annotations

import time
from typing import Annotated, Any

import typer

from service.cli.desk import Desk, open_desk
from service.cli.output import Rows, fail, print_json, say, tell, width
from service.cli.reading import AsJson, TokenFile, Url
from service.cli.times import clock
from service.domain.decisions.planning import change_of
from service.domain.text import one_line

TABLE_FROM = 150
"""Columns from which the steps are a table."""
app = typer.Typer(add_completion=False, rich_markup_mode="rich")

LONGEST_WAIT_S = 3_600.0
"""Seconds that `--wait` waits for a scenario."""
_LOOK_S = 0.5
_GOES_ON = ("planning", "running", "undoing")
_NOT_DONE = ("incomplete", "cancelled", "rejected")


@app.command("scenarios")
def scenarios(
    run: Annotated[str, typer.Argument(help="One that was started, such as viral-growth.3.")] = "",
    limit: Annotated[int, typer.Option("--limit", help="How many that were started.")] = 20,
    url: Url = None,
    token_file: TokenFile = None,
    as_json: AsJson = False,
) -> None:
    """The scenarios of the rules, and those that were started; or one of these with its steps.

    [bold]Examples[/bold]

      runbookd scenarios

      runbookd scenarios viral-growth.3
    """
    desk, _ = open_desk(url, token_file)
    found = desk.scenario(run) if run else desk.scenarios(limit)
    if as_json:
        print_json(found)
    elif run:
        show(found)
    else:
        _show_all(found)


def started(desk: Desk, name: str, why: str, *, plan: bool, wait: bool, as_json: bool) -> None:
    """Start a scenario, or look at its plan, and tell what came of it."""
    made = desk.start(name, why, plan=plan)
    if not plan and not wait:
        if as_json:
            print_json(made)
            return
        for each in made["lifted"]:
            what = each["target"] or "everything"
            say(f"Lifted: the {each['kind']} of {what} by {each['by']} ({one_line(each['why'])}).")
        for each in made["suspended"]:
            say(f"Suspended: scenario {each}; no further step of it begins.")
        if made["unsigned"]:
            of = ", ".join(made["unsigned"])
            sign = f"runbookd signoff {made['id']} --as ROLE --why WHY"
            say(f"It begins once one of {of} has signed: `{sign}`.")
            say("Until then it lifts no pause or lock, and suspends no other scenario.")
        say(f"Started: scenario {made['id']}. `runbookd scenarios {made['id']}` shows it.")
        return
    found = _waited_for(desk, made["id"])
    if as_json:
        print_json(found)
    else:
        show(found)
    if found["state"] in _NOT_DONE:
        raise typer.Exit(1)


def wait_for(desk: Desk, run: str, *, as_json: bool) -> None:
    """Wait until a scenario does no more by itself, and show it."""
    found = _waited_for(desk, run)
    if as_json:
        print_json(found)
    else:
        show(found)


def _waited_for(desk: Desk, run: str) -> dict[str, Any]:
    until = time.monotonic() + LONGEST_WAIT_S
    while (found := desk.scenario(run))["state"] in _GOES_ON:
        if time.monotonic() > until:
            fail(f"Scenario {run} is still {found['state']} after an hour.")
        time.sleep(_LOOK_S)
    return dict(found)


def show(found: dict[str, Any]) -> None:
    """Print one scenario that was started, with its steps."""
    reason = f", {one_line(found['reason'])}" if found["reason"] else ""
    plan = " (a plan)" if found["plan"] else ""
    say(f"{found['id']}{plan}: {found['state']}{reason}", "bold")
    say(f"  {one_line(found['started_by'])}: {one_line(found['why'])}")
    if found["asked"] is not None and found["state"] == "waiting":
        say(f"  waits for approval until {clock(found['asked']['until'])}: {found['asked']['why']}")
    if found["plan"]:
        say(f"  approval: {_approval(found)}")
    for each in found["signoffs"]:
        shown_by = one_line(each["who"])
        say(
            f"  signed {each['phase']} it as {each['role']} by {shown_by}, plan {each['plan_hash']}"
        )
    if found["unsigned_after"]:
        say(f"  still to sign: {', '.join(found['unsigned_after'])}")
    if found["back_at"]:
        early = f", or until {found['early']}" if found["early"] else ""
        say(f"  in force until {clock(found['back_at'])}{early}")
    elif found["state"] == "active":
        say(f"  does not go back by itself: `runbookd undo {found['id']}` takes it back")
    if width() < TABLE_FROM:
        for each in found["steps"]:
            _show_step(each)
    else:
        _show_table(found)
    _show_notes(found)


def _show_step(step: dict[str, Any]) -> None:
    """A step in lines of its own, where a table would break each cell."""
    on = f"{step['target']}: " if step["target"] else ""
    tell(f"{step['id']}  {_state(step)}, {on}{_change(step)}", "bold")
    dollars = _dollars(step)
    facts = [
        f"{dollars} dollars a month" if dollars else "",
        f"undo: {_undo(step)}",
        step["run"] or "",
    ]
    tell("  " + " · ".join(filter(None, facts)))
    if step["downtime"]:
        tell("  " + one_line(step["downtime"]))


def _show_table(found: dict[str, Any]) -> None:
    shown = Rows(
        *("step", "state", "target", "before → after", "$ a month", "downtime", "undo", "run")
    )
    for each in found["steps"]:
        shown.add(
            each["id"],
            _state(each),
            each["target"] or "",
            _change(each),
            _dollars(each),
            one_line(each["downtime"]),
            _undo(each),
            each["run"] or "",
        )
    shown.print()


def _show_notes(found: dict[str, Any]) -> None:
    for each in found["steps"]:
        if each["in_the_way"]:
            say(f"in the way of {each['id']}: {one_line(each['in_the_way'])}")
        if each["reason"] and each["state"] != "done":
            say(f"{each['id']}: {one_line(each['reason'])}")
        if each["back_reason"]:
            say(f"{each['id']}, taken back: {one_line(each['back_reason'])}")
    known = [each["dollars"] for each in found["steps"] if each["dollars"] is not None]
    unknown = any(each["run"] and each["dollars"] is None for each in found["steps"])
    more = ", and what is not known" if unknown else ""
    if known:
        tell(f"In all it adds ${sum(known):,.10g} a month{more}.")


def _state(step: dict[str, Any]) -> str:
    return f"{step['state']}; {step['back']}" if step["back"] else str(step["state"])


def _change(step: dict[str, Any]) -> str:
    if step["what"] is None:
        return f"{step['action']}" if step["target"] is None else f"{step['action']}: no plan"
    return change_of(step["what"], step["before"], step["to"])


def _dollars(step: dict[str, Any]) -> str:
    if step["target"] is None:
        return ""
    if step["dollars"] is None:
        return "not known" if step["run"] else ""
    return f"{step['dollars']:+,.10g}"


def _undo(step: dict[str, Any]) -> str:
    return f"{step['undo']}, confirmed by a person" if step["confirm"] else str(step["undo"])


def _show_all(found: dict[str, Any]) -> None:
    if not found["items"]:
        tell("The rules have no scenarios.")
    else:
        shown = Rows("scenario", "steps", "approval", "written at")
        for each in found["items"]:
            shown.add(
                each["name"],
                ", ".join(step["id"] for step in each["steps"]),
                _approval(each),
                each["written"],
            )
        shown.print()
    if found["runs"]:
        say("")
        shown = Rows("started", "state", "by", "why", "what became of it")
        for each in found["runs"]:
            shown.add(*(each["id"], each["state"], each["started_by"], each["why"], each["reason"]))
        shown.print()


def _approval(scenario: dict[str, Any]) -> str:
    if scenario["emergency"]:
        return "asks nobody"
    if scenario["approval"] is None:
        return "none"
    of = " or ".join(scenario["approval"]["of"])
    return f"{of}, above ${scenario['above']:,.10g} a month" if scenario["above"] else of
