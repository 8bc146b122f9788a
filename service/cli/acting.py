"""`runbookd run`, `cancel`, `retry` and `undo`."""

from __future__ import annotations

import json
import re
import time
from typing import Annotated, Any

import typer

from service.cli import scenarios
from service.cli.completion import complete_action, complete_target
from service.cli.desk import Why, WhyOrNot, Yes, agreed, not_empty, open_desk
from service.cli.output import fail, note, print_json, say
from service.cli.reading import AsJson, Reader, TokenFile, Url
from service.cli.runs import show_run
from service.domain.filters import ACTIONS, UNTARGETED, BadFilter
from service.domain.scenarios.scenarios import is_scenario_run

APPS = {
    name: typer.Typer(add_completion=False, rich_markup_mode="rich")
    for name in ("run", "cancel", "retry", "undo")
}
Run = Annotated[str, typer.Argument(help="A run's id, such as api.out.7.", callback=not_empty)]
Wait = Annotated[
    bool,
    typer.Option("--wait", help="Wait until the run has ended, and show it.", show_default=False),
]
LONGEST_WAIT_S = 3_600.0
"""Seconds that `--wait` waits for a run to end."""
_NUMBER = re.compile(r"-?[0-9]{1,9}")
"""A value that is sent as a number."""
_WORDS = ("true", "false", "null")
_LOOK_S = 0.5
"""Seconds between two looks at a run that is waited for."""
_TOLD_AFTER_S = 5.0
"""Seconds after which whoever waits is told what for."""
_UNENDED = ("queued", "running")


@APPS["run"].command("run")
def run(
    action: Annotated[str, typer.Argument(help="What to do.", autocompletion=complete_action)],
    target: Annotated[
        str,
        typer.Argument(
            help="To what, if anything; nothing for a scenario.",
            autocompletion=complete_target,
            show_default=False,
        ),
    ] = "",
    *,
    to: Annotated[
        list[str] | None, typer.Option("--to", help="A value: replicas=5, size=s-2vcpu-4gb.")
    ] = None,
    step: Annotated[
        int | None, typer.Option("--step", help="Steps up or, below zero, down.")
    ] = None,
    with_: Annotated[
        list[str] | None,
        typer.Option("--with", help="An option: prefixes=quizmentor.app/assets/; also repeated."),
    ] = None,
    why: WhyOrNot = "",
    override: Annotated[
        str, typer.Option("--override", help="Why it is done although a pause or freeze holds it.")
    ] = "",
    plan: Annotated[
        bool, typer.Option("--plan", help="Only show what would be changed.", show_default=False)
    ] = False,
    lasts: Annotated[
        str, typer.Option("--for", help="How long the value is held; half a day without it.")
    ] = "",
    pin: Annotated[
        bool, typer.Option("--pin", help="Let alerts not even add to it.", show_default=False)
    ] = False,
    wait: Wait = False,
    yes: Yes = False,
    url: Url = None,
    token_file: TokenFile = None,
    as_json: AsJson = False,
) -> None:
    """Change a target, or start a scenario, under every guard; with [bold]--plan[/bold] only show
    what would be changed.

    [bold]Examples[/bold]

      runbookd run horizontal_scale api --to replicas=5 --plan

      runbookd run horizontal_scale api --to replicas=5 --why "a big exam" --yes --wait

      runbookd run set_capacity api --to replicas=8 --to size=professional-m --plan

      runbookd run vertical_scale worker-vm --step -1 --why "it was for the exam" --yes

      runbookd run apply_balancer edge --plan

      runbookd run horizontal_scale api --to replicas=8 --for 4h --pin --why "the exam" --yes

      runbookd run kill_queries app-database --with older_than=60s --plan

      runbookd run purge cdn --with prefixes=quizmentor.app/assets/ --why "a bad build" --yes

      runbookd run watch api --with for=2h --with "readings=cpu > 80" --why "after the exam" --yes

      runbookd run tell --with "channels=#ops" --with "text=We scale now." --why "an exam" --yes

      runbookd run viral-growth --plan

      runbookd run emergency --why "everything is down" --yes --wait
    """
    if not target and action not in ACTIONS:
        given = (to, step, with_, override, lasts, pin)
        if any(each not in (None, "", False) for each in given):
            raise BadFilter(f"A scenario takes only --plan, --why and --wait. Is {action} one?")
        _run_scenario(action, why, url, token_file, plan=plan, wait=wait, yes=yes, as_json=as_json)
        return
    body = {
        "action": action,
        "why": why or "a plan",
        "plan": plan,
        **({"target": target} if target else {}),
        **_asked(to=to, step=step, with_=with_, override=override, lasts=lasts, pin=pin),
    }
    if not plan:
        if not why:
            raise BadFilter("Say why with --why, for those who find it at 3 am.")
        steps = [] if step is None else [f"{step:+} steps"]
        wanted = ", ".join([*(to or []), *(with_ or []), *steps]) or "as the rules say"
        on = f" of {target}" if target else ""
        tells = action in UNTARGETED
        asked = f"asks for {action}{on}" if tells else f"changes {target} by {action}"
        agreed(f"This {asked}: {wanted}.", yes=yes)
    desk, reader = open_desk(url, token_file)
    _show_asked(desk.run(body), reader, wait=wait or plan, as_json=as_json)


def _run_scenario(
    name: str,
    why: str,
    url: str | None,
    token_file: str | None,
    *,
    plan: bool,
    wait: bool,
    yes: bool,
    as_json: bool,
) -> None:
    desk, _ = open_desk(url, token_file)
    if not plan:
        if not why:
            raise BadFilter("Say why with --why, for those who find it at 3 am.")
        agreed(_starts(name, desk.scenarios(1)["items"]), yes=yes)
    scenarios.started(desk, name, why or "a plan", plan=plan, wait=wait, as_json=as_json)


def _starts(name: str, known: list[dict[str, Any]]) -> str:
    """What is agreed to. A name that is not known is refused by who starts it."""
    found = next((each for each in known if each["name"] == name), None)
    steps = "" if found is None else f": {', '.join(each['id'] for each in found['steps'])}"
    lifts = ""
    if found is not None and found["emergency"]:
        lifts = (
            " It asks nobody, and ends the pauses, locks and pinned holds in its way. Other "
            "scenarios on its targets begin no further step."
        )
    return f"This starts scenario {name}{steps}.{lifts}"


@APPS["cancel"].command("cancel")
def cancel(
    run: Run,
    why: Why,
    yes: Yes = False,
    url: Url = None,
    token_file: TokenFile = None,
    as_json: AsJson = False,
) -> None:
    """Stop a run before its first write, or between two of its steps. It leaves no droplet off.

    [bold]Example[/bold]

      runbookd cancel api.out.7 --why "wrong target" --yes
    """
    agreed(f"This stops run {run} before its next step.", yes=yes)
    desk, _ = open_desk(url, token_file)
    answer = desk.on_run("cancel", run, why)
    if as_json:
        print_json(answer)
    elif is_scenario_run(run):
        say(f"Scenario {run} begins no further step: `runbookd scenarios {run}` shows it.")
    else:
        say(
            f"Run {run} is {answer['status']}, and stops before its next step: "
            f"`runbookd runs {run}` shows it."
        )


@APPS["retry"].command("retry")
def retry(
    run: Run,
    why: WhyOrNot = "",
    wait: Wait = False,
    yes: Yes = False,
    url: Url = None,
    token_file: TokenFile = None,
    as_json: AsJson = False,
) -> None:
    """Request once more the change of a run that failed, was held or was cancelled.

    [bold]Example[/bold]

      runbookd retry api.out.7 --yes
    """
    agreed(f"This asks once more for what run {run} was to reach.", yes=yes)
    desk, reader = open_desk(url, token_file)
    _show_asked(desk.on_run("retry", run, why), reader, wait=wait, as_json=as_json)


@APPS["undo"].command("undo")
def undo(
    run: Run,
    why: WhyOrNot = "",
    wait: Wait = False,
    yes: Yes = False,
    url: Url = None,
    token_file: TokenFile = None,
    as_json: AsJson = False,
) -> None:
    """Put back what a run has changed, and pause its target for an hour; or what the steps of a
    scenario have changed.

    The worker changes nothing if the target is no longer what the run made of it. An undo may take
    capacity away while alerts fire.

    [bold]Example[/bold]

      runbookd undo api.out.7 --why "too dear" --yes

      runbookd undo viral-growth.3 --why "the rush is over" --yes
    """
    if is_scenario_run(run):
        agreed(
            f"This puts back what the steps of {run} have changed, also if alerts fire now.",
            yes=yes,
        )
        desk, _ = open_desk(url, token_file)
        asked = desk.on_run("undo", run, why)
        if wait:
            scenarios.wait_for(desk, run, as_json=as_json)
        elif as_json:
            print_json(asked)
        else:
            say(f"Taken back: scenario {run}. `runbookd scenarios {run}` shows it.")
        return
    agreed(
        f"This puts back what run {run} has changed, also if alerts fire now, and pauses its "
        "target for an hour.",
        yes=yes,
    )
    desk, reader = open_desk(url, token_file)
    _show_asked(desk.on_run("undo", run, why), reader, wait=wait, as_json=as_json)


def _asked(
    *,
    to: list[str] | None,
    step: int | None,
    with_: list[str] | None,
    override: str,
    lasts: str,
    pin: bool,
) -> dict[str, Any]:
    """The parts of a request that were given."""
    given = {
        "to": _values(to) if to else None,
        "step": step,
        "with": _options(with_) if with_ else None,
        "override": override or None,
        "for": lasts or None,
        "pin": pin or None,
    }
    return {name: value for name, value in given.items() if value is not None}


def _values(given: list[str]) -> dict[str, int | str]:
    values: dict[str, int | str] = {}
    for each in given:
        name, equals, value = each.partition("=")
        if not (name and equals and value):
            raise BadFilter(f"--to {each!r} must be a name and a value, such as replicas=5.")
        if name in values:
            raise BadFilter(f"--to names {name} twice.")
        # What is no number is a size, or is told as what it is.
        values[name] = int(value) if _NUMBER.fullmatch(value) else value
    return values


def _options(given: list[str]) -> dict[str, Any]:
    """The options that were typed: JSON where one is no plain text, and a list of a name that comes
    twice."""
    options: dict[str, Any] = {}
    for each in given:
        name, equals, text = each.partition("=")
        if not (name and equals and text):
            raise BadFilter(f"--with {each!r} must be a name and a value, such as most=5.")
        value = _option(each, text)
        if name not in options:
            options[name] = value
        elif isinstance(options[name], list):
            options[name].append(value)
        else:
            options[name] = [options[name], value]
    return options


def _option(typed: str, text: str) -> Any:
    if text not in _WORDS and text[0] not in "[{":
        return text
    try:
        return json.loads(text)
    except ValueError as error:
        raise BadFilter(f"--with {typed!r} is no JSON: {error}.") from None


def _show_asked(asked: dict[str, Any], reader: Reader, *, wait: bool, as_json: bool) -> None:
    if wait:
        _show_ended(asked["id"], reader, as_json)
        return
    if as_json:
        print_json(asked)
        return
    on = f" on {asked['target']}" if asked["target"] else ""
    say(f"Queued: run {asked['id']}{on}. `runbookd runs {asked['id']}` shows it.")
    if asked["pause"]:
        say(
            f"{asked['target']} is paused for an hour; `runbookd resume {asked['target']}` ends "
            "that."
        )


def _show_ended(run: str, reader: Reader, as_json: bool) -> None:
    """Wait until a run has ended, and show it. The exit status is 1 if it did not succeed."""
    began, told = time.monotonic(), False
    while (found := reader.run(run)) is not None and found["status"] in _UNENDED:
        waited = time.monotonic() - began
        if waited > LONGEST_WAIT_S:
            fail(f"Run {run} is still {found['status']} after an hour; `runbookd runs {run}`.")
        if not told and waited > _TOLD_AFTER_S:
            told = True
            note(_waits_for(run, found["status"], reader))
        time.sleep(_LOOK_S)
    if found is None:
        fail(f"There is no run {run} any more.")
    if as_json:
        print_json(found)
    else:
        show_run(found)
    if found["status"] in ("held", "failed", "cancelled"):
        raise typer.Exit(1)
    for planned in _planned_by(found):
        _show_ended(planned, reader, as_json)


def _planned_by(run: dict[str, Any]) -> list[str]:
    """The run that a plan of `decide` has asked for: that one makes the plan of the change."""
    if run["status"] != "shadow":
        return []
    asked = [each["detail"].get("run") for each in run["steps"] if each["name"] == "ask"]
    return [str(each) for each in asked if each]


def _waits_for(run: str, status: str, reader: Reader) -> str:
    """What a person reads who waits for a run that has not ended."""
    nobody = status == "queued" and not reader.status(None)["workers"]
    why = ", and no worker is alive: start `runbookd worker`" if nobody else ""
    return f"Run {run} is {status}{why}. Ctrl-C ends this wait, and not the run."
