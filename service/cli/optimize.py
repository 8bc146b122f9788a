"""`runbookd optimize`."""

from __future__ import annotations

import time
from decimal import Decimal
from typing import TYPE_CHECKING, Annotated, Any

import typer

from service.cli.output import Rows, keep_logs_aside, print_json, say
from service.cli.reading import AsJson, Reader, TokenFile, Url, open_reader

if TYPE_CHECKING:
    from service.domain.costs.off_peak import Hour
    from service.domain.rules.rules import RuleBook
    from service.settings import Settings

app = typer.Typer(add_completion=False, rich_markup_mode="rich")


@app.command("optimize")
def optimize(
    zone: Annotated[
        str | None,
        typer.Option(help="The time zone of the hours; the rules' own where it is not given."),
    ] = None,
    url: Url = None,
    token_file: TokenFile = None,
    as_json: AsJson = False,
) -> None:
    """What could cost less: hours in which fewer instances are enough, and what nobody uses.

    Changes nothing. Quiet hours are those with a 95th percentile of CPU below 30 % on each of 14
    days of readings; each is shown as a level for a rule file, with what it saves. What seems
    unused is listed by the vendor's own lists, asked now with the tokens of this machine; what has
    the tag `keep` is left out. `remove_unused` removes it, once a person has approved the list.

    [bold]Examples[/bold]

      runbookd optimize

      runbookd optimize --zone America/New_York --json
    """
    from service.bootstrap.rules import load_rules
    from service.cli.beside import settings_beside_dev
    from service.domain.filters import BadFilter
    from service.domain.windows import WindowError, check_zone

    settings = settings_beside_dev()
    book = load_rules(settings)
    chosen = zone or book.levels.zone
    try:
        check_zone(chosen)
    except WindowError as error:
        raise BadFilter(f"--zone: {error}") from None
    quiet = _quiet(open_reader(url, token_file), book, chosen)
    idle, unread = _unused(settings, book)
    found = {"zone": chosen, "off_peak": quiet, "unused": idle, "unread": unread}
    if as_json:
        print_json(found)
    else:
        _show(found)


def _quiet(reader: Reader, book: RuleBook, zone: str) -> list[dict[str, Any]]:
    """The quiet hours of each target that has a number of instances."""
    from service.catalogue.registry import kind_spec
    from service.domain.costs.off_peak import DAYS, quiet_hours
    from service.domain.readings.metrics import COUNT, DOLLARS
    from service.domain.readings.readings import DAY_S

    since = time.time() - DAYS * DAY_S
    cpu = {each["at"]: each["p95"] for each in _read(reader, since, metric="cpu")}
    found = []
    for target in book.targets.values():
        counts = kind_spec(target.kind).counts(target)
        if counts is None:
            continue
        instances = _read(reader, since, metric=COUNT, target=target.name)
        hours = _hours(cpu, instances)
        dollars = [
            each["mean"] for each in _read(reader, since, metric=DOLLARS, target=target.name)
        ]
        each = _dollars_each(dollars, [one["mean"] for one in instances])
        found += [
            one.to_json(target.name, zone) for one in quiet_hours(hours, zone, counts[0], each)
        ]
    return found


def _read(reader: Reader, since: float, **wanted: str) -> list[dict[str, Any]]:
    from datetime import UTC, datetime

    from service.cli.readings import read_all

    begins = datetime.fromtimestamp(since, UTC).isoformat()
    return list(read_all(reader, {"span": "hour", "since": begins, **wanted}))


def _hours(cpu: dict[str, float], instances: list[dict[str, Any]]) -> list[Hour]:
    """The hours of which both are known."""
    from datetime import datetime

    from service.domain.costs.off_peak import Hour

    return [
        Hour(datetime.fromisoformat(each["at"]).timestamp(), cpu[each["at"]], each["mean"])
        for each in instances
        if each["at"] in cpu
    ]


def _dollars_each(dollars: list[float], instances: list[float]) -> Decimal | None:
    if not dollars or not instances:
        return None
    return Decimal(repr(sum(dollars) / len(dollars))) / Decimal(
        repr(sum(instances) / len(instances))
    )


def _unused(settings: Settings, book: RuleBook) -> tuple[list[dict[str, Any]], list[str]]:
    from service.bootstrap.vendors import build_bills
    from service.catalogue.unused import needed_by, unused
    from service.domain.errors import VendorError

    keep_logs_aside()
    found: list[dict[str, Any]] = []
    unread: list[str] = []
    for account in build_bills(settings):
        try:
            inventory = account.inventory()
        except VendorError as error:
            unread.append(str(error))
            continue
        needed = needed_by(book.targets.values())
        found += [each.to_json() for each in unused(inventory.resources, time.time(), needed)]
        unread += inventory.unread
    return found, unread


def _show(found: dict[str, Any]) -> None:
    from service.messages.costs import amount

    say("Quiet hours", "bold")
    if not found["off_peak"]:
        say("  None that 14 days of readings show: `runbookd readings cpu --hours` has them.")
    for each in found["off_peak"]:
        saves = amount(each["saves_dollars_month"])
        say(
            f"  {each['target']}, {each['days']} {each['start']:02}:00 to {each['end']:02}:00 "
            f"{found['zone']}: CPU at most {each['cpu_p95']:.0f} %, {each['instances']} → "
            f"{each['count']} instances, saves {saves} a month"
        )
        say(f"    - {each['level']}")
    say("\nUnused", "bold")
    if not found["unused"]:
        say("  Nothing that the vendor's lists show.")
    shown = Rows("what", "name", "a month", "why")
    for each in found["unused"]:
        name = f"{each['name']} ({each['id']})" if each["name"] != each["id"] else each["id"]
        shown.add(each["kind"], name, amount(each["dollars_month"]), each["because"])
    if found["unused"]:
        shown.print()
        say("  `runbookd run remove_unused TARGET` removes it: docs/kinds/digitalocean_account.md")
    for sentence in found["unread"]:
        say(f"  Not read: {sentence}", "yellow")
