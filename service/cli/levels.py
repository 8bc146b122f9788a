"""`runbookd levels`."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from service.cli.output import Rows, print_json, say, tell
from service.cli.reading import AsJson, TokenFile, Url, open_reader
from service.cli.times import clock, parse_moment
from service.domain.text import one_line

app = typer.Typer(add_completion=False, rich_markup_mode="rich")


@app.command("levels")
def levels(
    at: Annotated[
        str | None,
        typer.Option(
            "--at",
            help="Another moment than now: 2026-09-01T07:00:00-04:00, or a time ago such as 2h.",
            show_default=False,
        ),
    ] = None,
    days: Annotated[int, typer.Option("--days", help="How many days to look ahead.")] = 14,
    url: Url = None,
    token_file: TokenFile = None,
    as_json: AsJson = False,
) -> None:
    """What should hold by the schedules and calendars of the rules, why, and when it changes.

    For each attribute: what holds, the levels that it follows from, and what these have beaten;
    what was applied, when and by which run, and what holds a level back. Then each change of it, in
    the zone of the rules and in UTC. Changes nothing, and asks no vendor. The read API has the same
    at /api/v1/levels.

    [bold]Examples[/bold]

      runbookd levels

      runbookd levels --at 2026-12-01T07:00:00-05:00 --days 30

      runbookd levels --url https://runbookd.example.com --json
    """
    found = open_reader(url, token_file).levels(parse_moment(at), days)
    if as_json:
        print_json(found)
        return
    if not found["items"]:
        tell("The rules have no levels: nothing is held by a schedule or a calendar.")
    for item in found["items"]:
        _show(item, found)
    tell(f"Rules {found['rules_hash']}.{_others(found)}")


def _others(found: dict[str, Any]) -> str:
    """What there is to say where workers judge levels by other rules, or by none."""
    in_force = found["in_force"]
    if in_force == found["rules_hash"]:
        return ""
    if in_force is None:
        return " No worker has begun to act by levels."
    return (
        f" The workers act by other rules, {in_force}: they take these within seconds. If this "
        "stays, `runbookd status` says which process has refused its files."
    )


def _show_applied(applied: dict[str, Any], shown: Rows) -> None:
    """What a worker last found or made to be as it should, and what it waits for now."""
    if applied["at"] is not None:
        by = f"by run {applied['run']}" if applied["run"] else "it was so already"
        shown.add("  applied", f"{one_line(applied['holds'])}, at {clock(applied['at'])}, {by}")
    if applied["waits"]:
        shown.add("  waits", one_line(applied["waits"]))


def _show(item: dict[str, Any], found: dict[str, Any]) -> None:
    name = f"{item['target']} {item['attribute']}"
    say(f"{name}: {one_line(item['holds'])}, at {clock(found['at'])}", "bold")
    shown = Rows("", "", header=False)
    for key in ("why", "beat"):
        for place, each in enumerate(item[key]):
            shown.add("" if place else f"  {key}", one_line(each))
    _show_applied(item["applied"], shown)
    shown.print()
    if not item["changes"]:
        say(f"  It stays so for {found['days']} days.\n")
        return
    say("")
    coming = Rows(f"changes ({found['zone']})", "UTC", "holds", "why")
    for each in item["changes"]:
        coming.add(each["local"], clock(each["at"]), each["holds"], ", ".join(each["why"]))
    coming.print()
    say("")
