"""`runbookd check`."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from service.cli.output import Rows, say

if TYPE_CHECKING:
    from service.domain.rules.rules import RuleBook

app = typer.Typer(add_completion=False, rich_markup_mode="rich")


@app.command("check")
def check(
    files: Annotated[
        list[Path] | None,
        typer.Argument(help="Rule files, in order; without any: those that RULES names."),
    ] = None,
    strict: Annotated[bool, typer.Option("--strict", help="A warning is an error too.")] = False,
) -> None:
    """Check rule files as web does before it starts. Changes nothing.

    Each error is printed as [bold]file:line: what is wrong[/bold] and the exit status is 1: an
    unknown action or target, an empty matcher, missing bounds or cooldown, a rule that an earlier
    one shadows, a target that no rule uses, a ${NAME} that is not set or that RULES_ENV does not
    list. All files are checked together, because rules in one may use targets of another.

    A [bold]warning[/bold] names what is allowed but probably a mistake: a misspelt size or label,
    two targets on one droplet, a step past the maximum, a size that is on no price list. The
    vendors' own lists are read as runs have kept them. The exit status stays 0 without --strict.

    [bold]Examples[/bold]

      runbookd check

      runbookd check --strict rules/ours.yml
    """
    from service.bootstrap.prices import kept_prices
    from service.bootstrap.rules import rule_paths
    from service.rulebook import load_rulebook
    from service.settings import load_settings, rule_variables

    settings = load_settings()
    paths = files or rule_paths(settings)
    variables, kept = rule_variables(settings), kept_prices(settings)
    _show(load_rulebook(paths, variables, strict=strict, kept=kept))


def _show(book: RuleBook) -> None:
    shown = Rows("rule", "action", "target", "cooldown", "written at")
    for rule in book.rules:
        target = book.target_of(rule)
        shown.add(
            rule.name,
            rule.action,
            "" if target is None else f"{target.name}  ({target.bounds})",
            duration(rule.cooldown) if rule.cooldown else "none needed",
            str(rule.origin),
        )
    shown.print()
    _show_scopes(book)
    for warning in book.warnings:
        say(f"\n{warning}")
    doubts = f", {_count(len(book.warnings), 'warning')}" if book.warnings else ""
    scenarios = f"{_count(len(book.scenarios), 'scenario')}, " if book.scenarios else ""
    say(
        f"\n{_count(len(book.rules), 'rule')}, {_count(len(book.targets), 'target')}, "
        f"{scenarios}hash {book.hash}: valid{doubts}."
    )


def _show_scopes(book: RuleBook) -> None:
    if book.scopes.by_name is None:
        return
    say("")
    shown = Rows("credential", "may earn", "may resolve")
    for name, scope in book.scopes.by_name.items():
        rules = "all rules" if scope.rules is None else ", ".join(sorted(scope.rules)) or "nothing"
        shown.add(name, rules, "yes" if scope.may_resolve else "no")
    shown.print()


def duration(value: timedelta) -> str:
    """A duration as rules write it: 1h30m."""
    rest = int(value.total_seconds())
    parts: list[str] = []
    for unit, seconds in (("d", 86_400), ("h", 3_600), ("m", 60), ("s", 1)):
        count, rest = divmod(rest, seconds)
        if count:
            parts.append(f"{count}{unit}")
    return "".join(parts) or "0s"


def _count(number: int, word: str) -> str:
    return f"{number} {word}" if number == 1 else f"{number} {word}s"
