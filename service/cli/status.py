"""`runbookd status`."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any

import typer
from rich.text import Text

from service.cli.completion import complete_target
from service.cli.output import Rows, print_json, say, tell, width, words
from service.cli.reading import AsJson, TokenFile, Url, open_reader
from service.cli.runs import change
from service.cli.times import clock
from service.domain.decisions.planning import change_of
from service.domain.durations import away
from service.domain.text import one_line

app = typer.Typer(add_completion=False, rich_markup_mode="rich")

WIDE, NARROW = 120, 72
"""Widths in columns. From `WIDE` on, the table has a column for each thing. Below `NARROW` there is
no room for an id beside a time, so each target has lines of its own. In between, a column shows two
things."""
_NOTHING = "–"


@app.command("status")
def status(
    target: Annotated[
        str | None,
        typer.Argument(help="Only this target, with more of it.", autocompletion=complete_target),
    ] = None,
    url: Url = None,
    token_file: TokenFile = None,
    as_json: AsJson = False,
) -> None:
    """What is now: each target of the rules, its cooldowns, what is under way, its last run.

    A target's state is the last one that a run saw or set, with its time. No vendor is asked. A
    cooldown says until when alerts leave the target alone in that direction. The read API has the
    same at /api/v1/status.

    [bold]Examples[/bold]

      runbookd status

      runbookd status api

      runbookd status --url https://runbookd.example.com --json
    """
    found = open_reader(url, token_file).status(target)
    if as_json:
        print_json(found)
        return
    now = _seconds(found["at"])
    targets = list(found["targets"].values())
    if target is not None:
        _show_closely(targets[0], now)
    elif width() < NARROW:
        _show_apart(targets, now)
    else:
        show = _show_wide if width() >= WIDE else _show_table
        show(targets, now)
    _show_whole(found)


def _show_wide(targets: list[dict[str, Any]], now: float) -> None:
    shown = Rows("target", "now", "bounds", "cooldown", "under way", "last run")
    for each in targets:
        shown.add(
            each["name"],
            _lines(_state(each), _seen(each, now)),
            each["bounds"] or _NOTHING,
            _lines(*_cooldowns(each, now)),
            _lines(*(_run_line(run, now) for run in each["under_way"])),
            _lines(_run_line(each["last_run"], now)),
        )
    shown.print()


def _show_table(targets: list[dict[str, Any]], now: float) -> None:
    """A table with two things in a column, so that ids and sizes fit in one line."""
    shown = Rows("target", "now, bounds", "cooldown", "under way, last run")
    for each in targets:
        shown.add(
            each["name"],
            _lines(_state(each), _seen(each, now), f"bounds: {each['bounds'] or 'none'}"),
            _lines(*_cooldowns(each, now)),
            _lines(
                *(_run_line(run, now) for run in each["under_way"] or [None]),
                f"last: {_run_line(each['last_run'], now)}",
            ),
        )
    shown.print()


def _show_apart(targets: list[dict[str, Any]], now: float) -> None:
    for place, each in enumerate(targets):
        if place:
            say("")
        _show_one(each, now)


def _show_one(target: dict[str, Any], now: float) -> None:
    say(target["name"], "bold")
    shown = Rows("", "", header=False)
    shown.add("  now", _state(target))
    if seen := _seen(target, now):
        shown.add("", seen)
    shown.add("  bounds", target["bounds"] or _NOTHING)
    for place, each in enumerate(_cooldowns(target, now) or [_NOTHING]):
        shown.add("" if place else "  cooldown", each)
    for place, run in enumerate(target["under_way"] or [None]):
        shown.add("" if place else "  under way", _run_line(run, now))
    shown.add("  last run", _run_line(target["last_run"], now))
    for place, each in enumerate(target.get("added", [])):
        shown.add("" if place else "  by alerts", _added(each, now))
    shown.print()


def _show_closely(target: dict[str, Any], now: float) -> None:
    """Print one target with its reasons, its firing alerts and its console."""
    _show_one(target, now)
    shown = Rows("", "", header=False)
    for each in target["cooldowns"]:
        why = f": {one_line(each['reason'])}" if each["reason"] else ""
        shown.add(f"  {each['direction']}", f"after {each['run']}{why}")
    for run in target["under_way"]:
        shown.add(f"  {run['id']}", f"{change(run) or run['action']}, for {one_line(run['why'])}")
    last = target["last_run"]
    if last and last["reason"]:
        shown.add(f"  {last['id']}", one_line(last["reason"]))
    firing = target["open_episodes"]
    for each in firing["items"]:
        since = _when(_seconds(each["first_seen"]), now)
        shown.add("  fires", f"{one_line(each['name'])}, {since} ({each['id']})")
    if firing["count"] > len(firing["items"]):
        shown.add(
            "", f"and {firing['count'] - len(firing['items'])} more: runbookd alerts --firing"
        )
    shown.add("  console", target["console"])
    say("")
    shown.print()


def _show_whole(found: dict[str, Any]) -> None:
    workers, queue = found["workers"], found["queue"]
    # A service of an earlier version tells nothing of the rules of its processes.
    for line in found.get("rules", {}).get("wrong", ()):
        say(one_line(line), "red")
    for line in _by_people(found):
        say(line, "yellow")
    for line in _demoted(found):
        say(line, "yellow")
    for each in found.get("stuck_scenarios", ()):
        since = away(_seconds(each["since"]), _seconds(found["at"]))
        why = one_line(each["why"])
        say(f"Scenario {each['id']} does not go on (first seen {since}): {why}", "red")
    for line in _listening(found):
        say(line, "red")
    for line in _money(found.get("budget")):
        say(line)
    for line in _scenarios(found):
        say(line)
    say("")
    if not workers:
        tell("No worker is alive, so nothing that waits is done: start `runbookd worker`.", "red")
    tell(
        f"Workers alive: {workers}. Runs waiting: {queue['queued']}, under way: "
        f"{queue['running']}. Messages waiting: {queue['messages']}."
    )
    tell(f"Rules {found['rules_hash']}. Times are UTC.")


def _demoted(found: dict[str, Any]) -> list[str]:
    """A line for each rule that has demoted itself. A service of an earlier version tells none."""
    now = _seconds(found["at"])
    return [
        f"rule {each['rule']} has demoted itself to {each['mode']}, "
        f"{_when(_seconds(each['since']), now)}: {one_line(each['why'])}. To let it act again: "
        f"runbookd promote {each['rule']} --why WHY"
        for each in found.get("demotions", ())
    ]


def _scenarios(found: dict[str, Any]) -> list[str]:
    """A line for each scenario that goes on, and for each that cannot start because of it. A
    service of an earlier version tells none."""
    return [
        *(_going(each) for each in found.get("scenarios", ())),
        *(
            f"Scenario {each['scenario']} cannot start now: {each['why']}."
            for each in found.get("cannot_start", ())
        ),
    ]


def _going(scenario: dict[str, Any]) -> str:
    """How one stands: which steps are over, which is under way, and until when it is in force."""
    states = scenario["steps"]
    over = sum(state not in ("pending", "under way") for state in states.values())
    begun = [step for step, state in states.items() if state == "under way"]
    now = f", under way: {', '.join(begun)}" if begun else ""
    until = f", in force until {clock(scenario['due_at'])}" if scenario["due_at"] else ""
    waits = f" ({one_line(scenario['reason'])})" if scenario["reason"] else ""
    return (
        f"Scenario {scenario['id']} by {one_line(scenario['by'])}: {scenario['state']}{waits}, "
        f"{over} of {len(states)} steps over{now}{until}."
    )


def _listening(found: dict[str, Any]) -> list[str]:
    """A line for each watchdog that is silent, and for a heartbeat that is not sent. A service of
    an earlier version tells neither."""
    now = _seconds(found["at"])
    lines = [
        f"watchdog {one_line(each['alert'])} is silent, last heard "
        f"{_when(_seconds(each['heard_at']), now)}: alerts may not arrive. To see what answers: "
        "runbookd doctor"
        for each in found.get("watchdogs", ())
        if each["silent_since"] and each["heard_at"]
    ]
    heartbeat = found.get("heartbeat") or {}
    if problem := heartbeat.get("problem"):
        lines.append(f"the heartbeat is not sent: {one_line(problem)}")
    return lines


def _money(budget: dict[str, Any] | None) -> list[str]:
    """A line about the budget: what the targets cost of it. Empty if the rules have none."""
    if budget is None:
        return []
    parts = [f"${budget['dollars_month']:,.2f} of ${budget['monthly']:,.2f} a month"]
    if budget["reserved"]:
        parts.append(f"${budget['reserved']:,.2f} more reserved by runs under way")
    parts.append(f"${budget['this_month']:,.2f} spent this month")
    if budget["unknown"]:
        parts.append(f"not known yet: {', '.join(budget['unknown'])}")
    return [f"Budget: {'; '.join(parts)}."]


def _by_people(found: dict[str, Any]) -> list[str]:
    """Pauses, locks, holds and approvals that wait. One that holds for all targets comes once."""
    now = _seconds(found["at"])
    lines: dict[str, str] = {}
    for target in found["targets"].values():
        for kind, said in (("pauses", "paused"), ("locks", "locked"), ("holds", "held as it is")):
            for each in target.get(kind, []):
                what = each["target"] or "every target"
                until = _when(_seconds(each["until"]), now)
                why = one_line(each["why"])
                lines[each["id"]] = f"{what} is {said}, ends {until}, by {each['by']}: {why}"
        for each in target.get("approvals", []):
            change = f"{each['target']}: {change_of(each['what'], each['before'], each['after'])}"
            until = _when(_seconds(each["until"]), now)
            lines[each["id"]] = f"waits for approval until {until}: {change} ({each['id']})"
    return list(lines.values())


def _added(added: dict[str, Any], now: float) -> str:
    """What alerts added, and what its return waits for."""
    since = _when(_seconds(added["since"]), now)
    waits = f"; not taken back: {one_line(added['waits_for'])}" if added["waits_for"] else ""
    return f"{added['attribute']} {added['from']} → {added['to']}, {since}{waits}"


def _state(target: dict[str, Any]) -> str:
    present = target["present"]
    if present is None:
        return "not seen yet"
    return ", ".join(
        f"{value} {name}" if isinstance(value, int) else value
        for name, value in present["state"].items()
    )


def _seen(target: dict[str, Any], now: float) -> str:
    """When the state was seen or set. If it is in doubt, also which run makes it so."""
    present = target["present"]
    if present is None:
        return ""
    when = _when(_seconds(present["seen_at"]), now) if present["seen_at"] else "before"
    if present["known"] == "unsure":
        return f"{when}; {present['run']} failed since, so look at it"
    return f"{present['known']} {when}"


def _cooldowns(target: dict[str, Any], now: float) -> list[str]:
    return [
        f"{each['direction']} {_when(_seconds(each['until']), now)}" for each in target["cooldowns"]
    ]


def _run_line(run: dict[str, Any] | None, now: float) -> str:
    if run is None:
        return _NOTHING
    if run["ended_at"]:
        return f"{run['id']} {run['status']} {_when(_seconds(run['ended_at']), now)}"
    since = _when(_seconds(run["started_at"] or run["created_at"]), now)
    return f"{run['id']} {run['status']} since {since}"


def _lines(*parts: str) -> Text:
    return words("\n".join(one_line(part) for part in parts if part) or _NOTHING)


def _when(at: float, now: float) -> str:
    """A time relative to now and by the clock (UTC): `in 9 min, 03:42`. Another day has its
    date."""
    then, today = (datetime.fromtimestamp(each, UTC) for each in (at, now))
    by_clock = f"{then:%H:%M}" if then.date() == today.date() else f"{then:%Y-%m-%d %H:%M}"
    return f"{away(at, now)}, {by_clock}"


def _seconds(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()
