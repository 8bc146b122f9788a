"""`runbookd approvals`, `approve`, `reject` and `promote`."""

from __future__ import annotations

import time
from datetime import datetime
from typing import Annotated, Any

import typer

from service.cli.desk import Why, WhyOrNot, Yes, agreed, not_empty, open_desk
from service.cli.output import Rows, print_json, say
from service.cli.reading import AsJson, TokenFile, Url
from service.domain.decisions.planning import change_of
from service.domain.durations import away, moment

APPS = {
    name: typer.Typer(add_completion=False, rich_markup_mode="rich")
    for name in ("approvals", "approve", "reject", "promote")
}
Approval = Annotated[
    str, typer.Argument(help="Its id, as `runbookd approvals` shows it.", callback=not_empty)
]


@APPS["approvals"].command("approvals")
def approvals(url: Url = None, token_file: TokenFile = None, as_json: AsJson = False) -> None:
    """What waits for a person's approval, and what was decided lately, newest first.

    [bold]Example[/bold]

      runbookd approvals
    """
    desk, _ = open_desk(url, token_file)
    found = desk.approvals()
    if as_json:
        print_json(found)
        return
    if not found["items"]:
        say("Nothing waits for approval.")
        return
    now = time.time()
    shown = Rows("approval", "state", "change", "may decide", "why")
    for each in found["items"]:
        shown.add(
            each["id"], _state(each, now), _change(each), ", ".join(each["from"]), each["why"]
        )
    shown.print()


@APPS["approve"].command("approve")
def approve(
    approval: Approval,
    why: WhyOrNot = "",
    url: Url = None,
    token_file: TokenFile = None,
    as_json: AsJson = False,
) -> None:
    """Approve a plan that waits. A run then looks at the target again. It carries out exactly this
    plan, or asks for approval of another one.

    [bold]Example[/bold]

      runbookd approve q-1a21d67c4f700000a7670b3c
    """
    _decide("approve", approval, why, url, token_file, as_json)


@APPS["reject"].command("reject")
def reject(
    approval: Approval,
    why: WhyOrNot = "",
    url: Url = None,
    token_file: TokenFile = None,
    as_json: AsJson = False,
) -> None:
    """Reject a plan that waits. Nobody is asked again within the rule's cooldown.

    [bold]Example[/bold]

      runbookd reject q-1a21d67c4f700000a7670b3c --why "too dear"
    """
    _decide("reject", approval, why, url, token_file, as_json)


@APPS["promote"].command("promote")
def promote(
    rule: Annotated[
        str, typer.Argument(help="A rule that has demoted itself.", callback=not_empty)
    ],
    why: Why,
    yes: Yes = False,
    url: Url = None,
    token_file: TokenFile = None,
    as_json: AsJson = False,
) -> None:
    """Let a rule act again that has demoted itself, because too few of its changes helped.

    It is then in the mode that the rules say. What became of its changes is counted anew. Alerts
    that fire and ask for it are decided again.

    [bold]Example[/bold]

      runbookd promote high-cpu --why "the alert looked at the wrong service" --yes
    """
    agreed(f"This lets rule {rule} act again as it is written.", yes=yes)
    desk, _ = open_desk(url, token_file)
    made = desk.promote(rule, why)
    if as_json:
        print_json(made)
        return
    since = moment(datetime.fromisoformat(made["ended"]["since"]).timestamp(), time.time())
    say(f"Rule {rule} is promoted. It was in mode {made['ended']['mode']} since {since}.")


def _decide(
    verb: str, approval: str, why: str, url: str | None, token_file: str | None, as_json: bool
) -> None:
    desk, _ = open_desk(url, token_file)
    made = desk.decide(verb, approval, why)
    if as_json:
        print_json(made)
    elif made["next_run"]:
        say(f"Approved. Run {made['next_run']} does it: `runbookd runs {made['next_run']}`.")
    elif made["state"] == "approved":
        say(f"Approved. It begins now: `runbookd scenarios {made['id']}`.")
    else:
        say("Rejected. Nothing is changed.")


def _state(item: dict[str, Any], now: float) -> str:
    if item["state"] == "waiting":
        return f"waits, ends {away(datetime.fromisoformat(item['until']).timestamp(), now)}"
    return f"{item['state'].replace('_', ' ')} by {item['decided_by']}"


def _change(item: dict[str, Any]) -> str:
    change = f"{item['target']}: {change_of(item['what'], item['before'], item['after'])}"
    before, after = item["price_before"], item["price_after"]
    return change if before is None or after is None else f"{change}, ${before:g} → ${after:g}"
