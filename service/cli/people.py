"""`runbookd audit` and `runbookd token`."""

from __future__ import annotations

import time
from typing import Annotated, Any

import typer

from service.cli.desk import Yes, agreed, not_empty, open_desk
from service.cli.output import Rows, print_json, say
from service.cli.reading import AsJson, TokenFile, Url, filters
from service.cli.times import ago
from service.domain.filters import MAX_LIMIT
from service.domain.people import DONE

APPS = {
    "audit": typer.Typer(add_completion=False, rich_markup_mode="rich"),
    "token": typer.Typer(add_completion=False, rich_markup_mode="rich", no_args_is_help=True),
}
_NOTHING = "Nobody has changed anything yet."
Name = Annotated[str, typer.Argument(help="Whose token it is.", callback=not_empty)]


@APPS["audit"].command("audit")
def audit(
    limit: Annotated[int, typer.Option(min=1, max=MAX_LIMIT, help="How many.")] = 20,
    who: Annotated[str | None, typer.Option(help="Only what this person did.")] = None,
    subject: Annotated[
        str | None, typer.Option(help="Only what is about this target, run, approval or token.")
    ] = None,
    url: Url = None,
    token_file: TokenFile = None,
    as_json: AsJson = False,
) -> None:
    """What people did and were refused, newest first: who, when, from where, why.

    [bold]Examples[/bold]

      runbookd audit --limit 50

      runbookd audit --who anna --subject api
    """
    desk, _ = open_desk(url, token_file)
    found = desk.audit(limit, filters(who=who, subject=subject))
    if as_json:
        print_json(found)
        return
    if not found["items"]:
        say("There is nothing on record that fits." if who or subject else _NOTHING)
        return
    now = time.time()
    shown = Rows("when", "who", "did", "to", "why", "from")
    for each in found["items"]:
        place = each["address"] or each["via"]
        did = each["verb"] if each["outcome"] == DONE else f"{each['verb']}: {each['outcome']}"
        shown.add(ago(each["at"], now), each["who"], did, each["subject"], _why(each), place)
    shown.print()


def _why(entry: dict[str, Any]) -> str:
    override = entry["what"].get("override")
    return f"{entry['why']} (overriding: {override})" if override else str(entry["why"])


@APPS["token"].callback()
def _token() -> None:
    """Tokens of people: make one, list them, end one.

    [bold]Example[/bold]

      runbookd token new anna --role operator --for 30d
    """


@APPS["token"].command("new")
def new(
    name: Name,
    role: Annotated[list[str], typer.Option(help="viewer, operator, approver or admin.")],
    group: Annotated[list[str] | None, typer.Option(help="A group, such as finance.")] = None,
    lasts: Annotated[str | None, typer.Option("--for", help="How long it is good: 30d.")] = None,
    url: Url = None,
    token_file: TokenFile = None,
    as_json: AsJson = False,
) -> None:
    """Make a token for somebody; its secret is shown once.

    [bold]Example[/bold]

      runbookd token new anna --role operator --group devops --for 30d
    """
    desk, _ = open_desk(url, token_file)
    made = desk.new_token(name, role, group or [], lasts)
    if as_json:
        print_json(made)
        return
    say(f"The token of {name}, which is shown only now:")
    typer.echo(made["secret"])


@APPS["token"].command("list")
def list_tokens(url: Url = None, token_file: TokenFile = None, as_json: AsJson = False) -> None:
    """The tokens that are kept here; those of API_TOKENS stand in the environment."""
    desk, _ = open_desk(url, token_file)
    found = desk.tokens()
    if as_json:
        print_json(found)
        return
    if not found["items"]:
        say("No token is kept here.")
        return
    shown = Rows("name", "roles", "groups", "made by", "good until", "revoked")
    for each in found["items"]:
        shown.add(
            each["name"],
            ", ".join(each["roles"]),
            ", ".join(each["groups"]),
            each["created_by"],
            each["expires_at"] or "it is revoked",
            each["revoked_at"] or "",
        )
    shown.print()


@APPS["token"].command("revoke")
def revoke(
    name: Name,
    yes: Yes = False,
    url: Url = None,
    token_file: TokenFile = None,
    as_json: AsJson = False,
) -> None:
    """End a token; within a second nobody is let in by it."""
    agreed(f"This ends the token of {name}.", yes=yes)
    desk, _ = open_desk(url, token_file)
    made = desk.revoke(name)
    if as_json:
        print_json(made)
    else:
        say(f"The token of {name} is revoked.")
