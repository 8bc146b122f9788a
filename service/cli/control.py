"""`runbookd pause`, `resume`, `lock`, `unlock`, `hold` and `release`."""

from __future__ import annotations

import time
from datetime import datetime
from typing import Annotated, Any

import typer

from service.cli.completion import complete_target
from service.cli.desk import Lasts, Why, WhyOrNot, Yes, agreed, not_empty, open_desk
from service.cli.output import print_json, say
from service.cli.reading import AsJson, TokenFile, Url
from service.domain.durations import moment
from service.domain.filters import BadFilter

APPS = {
    name: typer.Typer(add_completion=False, rich_markup_mode="rich")
    for name in ("pause", "resume", "lock", "unlock", "hold", "release")
}
Target = Annotated[
    str,
    typer.Argument(
        help="A target of the rules.", autocompletion=complete_target, callback=not_empty
    ),
]
AnyTarget = Annotated[
    str | None,
    typer.Argument(
        help="A target of the rules.", autocompletion=complete_target, callback=not_empty
    ),
]
All = Annotated[bool, typer.Option("--all", help="Every target.", show_default=False)]


@APPS["pause"].command("pause")
def pause(
    target: AnyTarget = None,
    *,
    every: All = False,
    lasts: Lasts,
    why: Why,
    rule: Annotated[str | None, typer.Option(help="Only what this rule asks for.")] = None,
    direction: Annotated[str | None, typer.Option(help="Only this way: out, in, up, down.")] = None,
    yes: Yes = False,
    url: Url = None,
    token_file: TokenFile = None,
    as_json: AsJson = False,
) -> None:
    """Let nothing be changed by itself for a while: one target, or all of them.

    Pages and messages go on. A run that has begun to write goes on to its end. When the pause ends,
    by itself or by `runbookd resume`, everything that it held is decided again.

    [bold]Examples[/bold]

      runbookd pause api --for 30m --why "the vendor is down" --yes

      runbookd pause --all --for 2h --why "a big exam" --yes
    """
    _one_or_all(target, every)
    agreed(f"This pauses {target or 'every target'} for {lasts}.", yes=yes)
    desk, _ = open_desk(url, token_file)
    scope = {"target": target, "rule": rule, "direction": direction}
    _show_put(desk.put("pause", scope, lasts, why), as_json)


@APPS["resume"].command("resume")
def resume(
    target: AnyTarget = None,
    every: All = False,
    why: WhyOrNot = "",
    url: Url = None,
    token_file: TokenFile = None,
    as_json: AsJson = False,
) -> None:
    """End the pauses of a target, or all of them. What they held is decided again at once.

    [bold]Examples[/bold]

      runbookd resume api

      runbookd resume --all
    """
    _one_or_all(target, every)
    desk, _ = open_desk(url, token_file)
    _show_ended(desk.resume(target, why), as_json)


@APPS["lock"].command("lock")
def lock(
    target: Target,
    lasts: Lasts,
    why: Why,
    yes: Yes = False,
    url: Url = None,
    token_file: TokenFile = None,
    as_json: AsJson = False,
) -> None:
    """Keep everybody else, runbookd and people, from changing a target for a while.

    [bold]Example[/bold]

      runbookd lock api --for 30m --why "I move it to another region" --yes
    """
    agreed(f"This locks {target} for {lasts}: nobody but you may change it.", yes=yes)
    desk, _ = open_desk(url, token_file)
    _show_put(desk.put("lock", {"target": target}, lasts, why), as_json)


@APPS["unlock"].command("unlock")
def unlock(
    target: Target,
    why: WhyOrNot = "",
    url: Url = None,
    token_file: TokenFile = None,
    as_json: AsJson = False,
) -> None:
    """End the locks of a target. Only their owner or an admin may do this.

    [bold]Example[/bold]

      runbookd unlock api
    """
    desk, _ = open_desk(url, token_file)
    _show_ended(desk.unlock(target, why), as_json)


@APPS["hold"].command("hold")
def hold(
    target: Target,
    why: Why,
    lasts: Annotated[str, typer.Option("--for", help="How long: 30m, 2h.")] = "12h",
    pin: Annotated[
        bool, typer.Option("--pin", help="Let alerts not even add to it.", show_default=False)
    ] = False,
    yes: Yes = False,
    url: Url = None,
    token_file: TokenFile = None,
    as_json: AsJson = False,
) -> None:
    """Keep what a target has from being taken away. Alerts may still add to it.

    [bold]Example[/bold]

      runbookd hold api --for 12h --why "I have set five by hand" --yes
    """
    added = ", nor added to it" if pin else ""
    agreed(f"For {lasts} nothing is taken away from {target} by itself{added}.", yes=yes)
    desk, _ = open_desk(url, token_file)
    scope = {"target": target, "pin": pin}
    _show_put(desk.put("hold", scope, lasts, why), as_json)


@APPS["release"].command("release")
def release(
    target: Target,
    why: WhyOrNot = "",
    url: Url = None,
    token_file: TokenFile = None,
    as_json: AsJson = False,
) -> None:
    """End the holds and locks of a target: runbookd is in charge of it again.

    [bold]Example[/bold]

      runbookd release api
    """
    desk, _ = open_desk(url, token_file)
    _show_ended(desk.release(target, why), as_json)


def _one_or_all(target: str | None, every: bool) -> None:
    if (target is None) is not every:
        raise BadFilter("Name a target, or say --all; not both.")
    if target == "all":
        raise BadFilter("For every target say --all. Nothing was done.")


def _show_put(made: dict[str, Any], as_json: bool) -> None:
    if as_json:
        print_json(made)
        return
    until = moment(datetime.fromisoformat(made["until"]).timestamp(), time.time())
    scope = made["target"] or "every target"
    said = {"pause": "is paused", "lock": "is locked by you", "hold": "is held as it is"}
    say(f"{scope} {said[made['kind']]} until {until} ({made['id']}).")
    if made["going_on"]:
        runs = ", ".join(made["going_on"])
        say(f"Going on, because it has written: {runs}. To stop it: runbookd cancel RUN.", "yellow")


def _show_ended(answer: dict[str, Any], as_json: bool) -> None:
    if as_json:
        print_json(answer)
        return
    for each in answer["ended"]:
        say(f"Ended: the {each['kind']} of {each['target'] or 'every target'} by {each['by']}.")
