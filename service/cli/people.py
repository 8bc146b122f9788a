"""`runbookd audit` and `runbookd token`."""

from __future__ import annotations

import time
from typing import Annotated

import typer

from service.cli.desk import Yes, agreed, open_desk
from service.cli.output import Rows, print_json, say
from service.cli.reading import AsJson, TokenFile, Url
from service.cli.times import ago
from service.domain.filters import MAX_LIMIT

APPS = {
    "audit": typer.Typer(add_completion=False, rich_markup_mode="rich"),
    "token": typer.Typer(add_completion=False, rich_markup_mode="rich", no_args_is_help=True),
}
Name = Annotated[str, typer.Argument(help="Whose token it is.")]


@APPS["audit"].command("audit")
def audit(
    limit: Annotated[int, typer.Option(min=1, max=MAX_LIMIT, help="How many.")] = 20,
    url: Url = None,
    token_file: TokenFile = None,
    as_json: AsJson = False,
) -> None:
    """What people did, newest first: who, when, from where, why.

    [bold]Example[/bold]

      runbookd audit --limit 50
    """
    desk, _ = open_desk(url, token_file)
    found = desk.audit(limit)
    if as_json:
        print_json(found)
        return
    if not found["items"]:
        say("Nobody has changed anything yet.")
        return
    now = time.time()
    shown = Rows("when", "who", "did", "to", "why", "from")
    for each in found["items"]:
        place = each["address"] or each["via"]
        shown.add(
            ago(each["at"], now), each["who"], each["verb"], each["subject"], each["why"], place
        )
    shown.print()


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
