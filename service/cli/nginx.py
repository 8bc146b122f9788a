"""`runbookd nginx`: look at files for nginx before they are in force."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from service.cli.completion import complete_target
from service.cli.findings import read_or_fail, show_findings
from service.cli.output import FAILED, MISUSED, say
from service.domain.filters import BadFilter

if TYPE_CHECKING:
    from service.providers.nginx import NginxCommand

app = typer.Typer(add_completion=False, rich_markup_mode="rich", no_args_is_help=True)
NOT_TESTED = MISUSED
"""Exit status: nothing wrong was found, and nginx, which has the last word, is not here."""


@app.callback()
def _nginx() -> None:
    """Look at files for nginx before they are in force.

    [bold]Example[/bold]

      runbookd nginx check /etc/nginx/conf.d/edge.conf

      runbookd nginx render --target edge
    """


@app.command("check")
def check(
    file: Annotated[Path, typer.Argument(help="A file for nginx, whole or a part of http.")],
) -> None:
    """Find in a file what works in a test and fails in an incident, and have nginx test it.

    Each finding is printed as [bold]file:line: name: what is wrong[/bold], with what to write
    instead. The exit status is 1 if there is one, or if nginx refuses the file. It is 2 if nothing
    was found and nginx is not on this machine, so that nobody takes the file for tested. Names of
    servers are looked up, as nginx does when it starts.

    [bold]Example[/bold]

      runbookd nginx check /etc/nginx/conf.d/edge.conf
    """
    from service.catalogue.nginx.lint import find_faults
    from service.providers.nginx import NginxCommand
    from service.settings import load_settings

    text = read_or_fail(file, FAILED)
    found = find_faults(text)
    show_findings(file, found)
    words = _refusal(NginxCommand(load_settings().nginx_words), file)
    if words is None:
        say(f"{file}: nginx is not here, so whether it takes the file is not known.")
    elif words:
        say(f"{file}: nginx refuses it: {words}")
    else:
        say(f"{file}: nginx takes it.")
    if found or words:
        raise typer.Exit(FAILED)
    if words is None:
        raise typer.Exit(NOT_TESTED)


@app.command("render")
def render_file(
    target: Annotated[
        str,
        typer.Option("--target", help="A target of kind nginx.", autocompletion=complete_target),
    ] = "",
) -> None:
    """Print the file that apply_balancer would write for a target of the rules. Changes nothing.

    Without [bold]--target[/bold] the rules must have exactly one target of kind nginx. Names of
    servers that cannot be looked up here are told on standard error: nginx refuses such a file.

    [bold]Example[/bold]

      runbookd nginx render --target edge > edge.conf
    """
    from service.bootstrap.rules import load_rules
    from service.catalogue.nginx.render import render
    from service.catalogue.nginx.target import NginxTarget
    from service.settings import load_settings

    targets = load_rules(load_settings()).targets
    balancers = {name: each for name, each in targets.items() if isinstance(each, NginxTarget)}
    if target and target not in balancers:
        known = ", ".join(balancers) or "none"
        raise BadFilter(f"There is no target {target!r} of kind nginx; there is {known}.")
    if not target and len(balancers) != 1:
        known = ", ".join(balancers) or "there is none in the rules"
        raise BadFilter(f"Say which target of kind nginx with --target: {known}.")
    chosen = balancers[target or next(iter(balancers))]
    for name in _unknown(chosen.addresses):
        typer.echo(
            f"{name} cannot be looked up here; nginx refuses a file that names it.", err=True
        )
    typer.echo(render(chosen), nl=False)


def _unknown(addresses: Sequence[str]) -> list[str]:
    """The hosts that nobody knows here."""
    import socket

    hosts = dict.fromkeys(each.rpartition(":")[0].strip("[]") for each in addresses)
    unknown: list[str] = []
    for host in hosts:
        try:
            socket.getaddrinfo(host, None)
        except (OSError, UnicodeError):  # the latter for what can be no name
            unknown.append(host)
    return unknown


def _refusal(command: NginxCommand, file: Path) -> str | None:
    """What nginx says against a file; empty where it takes it, None where there is no nginx."""
    import subprocess

    from service.providers.nginx import check_file

    if not command.there:
        return None
    try:
        ran = check_file(command, file)
    except subprocess.TimeoutExpired as problem:
        return f"it did not end within {problem.timeout:.0f} s."
    return "" if ran.status == 0 else ran.words
