"""What a person may ask for, checked against the rules in force. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, get_args, get_origin

from pydantic.fields import FieldInfo

from service.catalogue.actions import MAX_STEP
from service.catalogue.registry import (
    ACTIONS,
    NotInCatalogue,
    action_spec,
    checked_options,
    kind_spec,
    kinds_of,
)
from service.catalogue.spec import ActionSpec
from service.domain.decisions.demoted import Demotion
from service.domain.decisions.directions import DIRECTIONS
from service.domain.decisions.planning import Plan
from service.domain.decisions.requests import Wanted
from service.domain.durations import MAX_DAYS, parse_duration
from service.domain.jobs.jobs import Job
from service.domain.people import BadRequest
from service.domain.rules.rules import RuleBook, Target
from service.domain.text import cut
from service.ports.jobs import Firing

_NUMBER = re.compile(r"-?[0-9]{1,9}")

LONGEST_DAYS = 30
"""A pause, lock or hold that should last longer belongs in the rules."""
LONGEST_SHOWN = 80
"""Characters of a mistaken value in the sentence about it."""
LONGEST_WHY = 500
"""Characters of a reason: it is shown in messages and tables."""


@dataclass(frozen=True, slots=True)
class Scope:
    """What a control covers; each that is None covers all. `pin` is whether a hold bars adding."""

    target: str | None = None
    rule: str | None = None
    direction: str | None = None
    pin: bool = False


def checked_scope(book: RuleBook, scope: Scope) -> Scope:
    """The scope, once each name in it is known.

    Raises:
        BadRequest: a target, rule or direction is not known.
    """
    if scope.target is not None:
        known_target(book, scope.target)
    if scope.rule is not None:
        _known("rule", scope.rule, [rule.name for rule in book.rules])
    if scope.direction is not None:
        _known("direction", scope.direction, DIRECTIONS)
    return scope


def known_target(book: RuleBook, name: str) -> Target:
    """The target of this name.

    Raises:
        BadRequest: the rules in force have none.
    """
    _known("target", name, book.targets)
    return book.targets[name]


def known_job(book: RuleBook, name: str) -> Job:
    """The job of this name.

    Raises:
        BadRequest: the rules in force have none.
    """
    _known("job", name, book.jobs)
    return book.jobs[name]


def job_shown(job: Job, last: Firing | None, now: float) -> dict[str, Any]:
    """A job for the API and the terminal, with its last time and its next."""
    following = job.cron.following(now)
    taken = last and {
        "due": _moment(last.due_at),
        "at": _moment(last.at),
        "state": last.state,
        "run": last.run or None,
    }
    return {
        **job.to_json(),
        "last": taken,
        "next": None if following is None else _moment(following),
    }


def _moment(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).isoformat()


def demoted_rule(book: RuleBook, demotions: Mapping[str, Demotion], name: str) -> Demotion:
    """The demotion of the rule of this name. A rule that is gone from the file may still have one.

    Raises:
        BadRequest: there is no such rule, or it has not demoted itself.
    """
    if name in demotions:
        return demotions[name]
    _known("rule", name, [rule.name for rule in book.rules])
    demoted = ", ".join(sorted(demotions)) or "none"
    raise BadRequest(
        f"Rule {name} has not demoted itself, so there is nothing to promote. Demoted: {demoted}."
    )


def control_lasts(given: str) -> float:
    """How long a pause, lock or hold lasts, in seconds.

    Raises:
        BadRequest: it is no duration, or none at all, or longer than 30 days.
    """
    return _seconds(given, LONGEST_DAYS, "such as 30m: everything has an end")


def token_lasts(given: str) -> float:
    """How long a token is good, in seconds.

    Raises:
        BadRequest: it is no duration, or none at all, or longer than a calendar can hold.
    """
    return _seconds(given, MAX_DAYS, "such as 90d; without it the token is good until it is ended")


def _seconds(given: str, most_days: int, such_as: str) -> float:
    try:
        seconds = parse_duration(given, most_days).total_seconds()
    except ValueError as error:
        raise BadRequest(f"for: {error}.") from None
    if seconds <= 0:
        raise BadRequest(f"for: it must be longer than 0, {such_as}.")
    return seconds


def reason_of(given: str) -> str:
    """Why a person wants it, in that person's words.

    Raises:
        BadRequest: nothing was said, or more than anybody reads.
    """
    said = " ".join(given.split())
    if not said:
        raise BadRequest("why: say in a few words why, for those who find it at 3 am.")
    if len(said) > LONGEST_WHY:
        raise BadRequest(f"why: at most {LONGEST_WHY} characters, not {len(said)}.")
    return said


def changing_action(name: str, target: Target) -> ActionSpec:
    """An action that can change this target.

    Raises:
        BadRequest: there is none of this name, or it can't.
    """
    able = [each.name for each in ACTIONS if target.kind in kinds_of(each.name)]
    if name not in [each.name for each in ACTIONS]:
        raise BadRequest(f"There is no action {name!r}. {target.name} takes {', '.join(able)}.")
    if name not in able:
        raise BadRequest(
            f"{name} cannot change {target.name}, which is of kind {target.kind}. It takes "
            f"{', '.join(able) or 'none'}."
        )
    return action_spec(name)


def wanted_of(
    action: ActionSpec, target: Target, to: Mapping[str, Any] | None, step: int | None
) -> tuple[Wanted, ...]:
    """What the target shall become: values, or steps from what it is when the worker looks.

    Raises:
        BadRequest: neither or both are given, or a value makes no sense, or the rules alone say it.
    """
    wanted = [] if action.sets else action.wanted(checked_options(action.name, {}))
    attributes = list(action.sets) or [each.attribute for each in wanted]
    if not attributes:
        if to is not None or step is not None:
            raise BadRequest(f"{action.name} takes neither `to` nor `step`: it moves nothing.")
        return ()
    named = any(kind_spec(target.kind).choices(target, each) for each in attributes)
    if action.absolute and not named:
        if to is None and step is None:
            return tuple(wanted)
        raise BadRequest(
            f"{action.name} takes neither a value nor steps: it does what the rules say. To put "
            "back what was there before a run, undo that run."
        )
    _check_one_of(action, attributes, to, step)
    if step is not None:
        if step == 0:
            raise BadRequest("step: 0 steps change nothing.")
        if abs(step) > MAX_STEP:
            raise BadRequest(f"step: at most {MAX_STEP} steps, up or down.")
        return tuple(Wanted(each, by=step) for each in attributes)
    if not to:
        raise BadRequest(f"to: name what to change: {' or '.join(attributes)}.")
    return tuple(_value(action, target, attributes, *pair) for pair in to.items())


def _check_one_of(
    action: ActionSpec, attributes: list[str], to: Mapping[str, Any] | None, step: int | None
) -> None:
    """Refuse steps where the action takes values only, and both or neither of them."""
    if action.sets and step is not None:
        raise BadRequest(
            f"{action.name} takes values and no steps: say to what, such as {{{attributes[0]}: …}}."
        )
    if (to is None) == (step is None):
        raise BadRequest(
            f"Say either to what, such as {{{attributes[0]}: …}}, or by how many steps, not both."
        )


def _value(
    action: ActionSpec, target: Target, attributes: list[str], name: str, given: object
) -> Wanted:
    if name not in attributes:
        raise BadRequest(f"{action.name} changes {' and '.join(attributes)}, not {name}.")
    choices = kind_spec(target.kind).choices(target, name)
    if name == "size":
        if given not in (*target.sizes, *choices):
            ladder = " → ".join(target.sizes)
            besides = f", nor one of {', '.join(choices)}" if choices else ""
            shown = cut(repr(given), LONGEST_SHOWN)
            raise BadRequest(
                f"size {shown} is not on the ladder of {target.name}: {ladder}{besides}."
            )
        return Wanted(name, to=str(given))
    if choices:
        if given not in choices:
            shown = cut(repr(given), LONGEST_SHOWN)
            known = ", ".join(choices)
            raise BadRequest(f"{name} {shown} is not known at {target.name}: there is {known}.")
        return Wanted(name, to=str(given))
    if action.sets and name in action.options.model_fields:
        return Wanted(name, to=_of_options(action, name, given))
    if isinstance(given, bool) or not isinstance(given, int) or given < 0:
        raise BadRequest(f"{name} must be a whole number, not {cut(repr(given), LONGEST_SHOWN)}.")
    if given > MAX_STEP:
        raise BadRequest(f"{name}: at most {MAX_STEP}, whatever the rules say.")
    return Wanted(name, to=given)


def _of_options(action: ActionSpec, name: str, given: object) -> int | str:
    """A value as a rule may give it.

    Raises:
        BadRequest: a rule may not.
    """
    try:
        value: int | str = checked_options(action.name, {name: given})[name]
    except NotInCatalogue:
        field = action.options.model_fields[name]
        shown = cut(repr(given), LONGEST_SHOWN)
        wanted = field.description or " and ".join(_bound(each) for each in field.metadata)
        raise BadRequest(f"{name} must be {wanted}, not {shown}.") from None
    return value


def _bound(limit: Any) -> str:
    least, most = getattr(limit, "ge", None), getattr(limit, "le", None)
    return f"at least {least}" if least is not None else f"at most {most}"


def options_of(action: ActionSpec, target: Target, given: Mapping[str, Any]) -> dict[str, Any]:
    """The options of an action that moves nothing. Of any other, `to` and `step` say all there is.

    Raises:
        BadRequest: an option is not known, or cannot be used.
    """
    if action.sets or action.wanted(checked_options(action.name, {})):
        if given:
            raise BadRequest(f"{action.name} takes no options: say `to` or `step`.")
        return {}
    options = given_options(action, given)
    for sentence in kind_spec(target.kind).refuses(target, action.name, options):
        raise BadRequest(f"{action.name} of {target.name}: {sentence}")
    return options


def given_options(action: ActionSpec, given: Mapping[str, Any]) -> dict[str, Any]:
    """The options that were given, checked, with the defaults put in.

    Raises:
        BadRequest: an option is not known, or cannot be used.
    """
    fields = action.options.model_fields.items()
    known = {field.alias or name: field for name, field in fields}
    for name in given:
        if name not in known:
            takes = ", ".join(known) or "no options"
            raise BadRequest(f"with: unknown key {name}; {action.name} takes {takes}.")
    typed = {name: _as_a_rule_has_it(known[name], value) for name, value in given.items()}
    try:
        options = checked_options(action.name, typed)
    except NotInCatalogue as refused:
        forms = [f"{name} is {form}" for name in given if (form := known[name].description)]
        here = f" Here {'; '.join(forms)}." if forms else ""
        raise BadRequest(f"with: {refused}{here}") from None
    if lacking := action.lacking(options):
        raise BadRequest(f"with: {lacking}")
    return options


def _as_a_rule_has_it(field: FieldInfo, given: object) -> object:
    """An option in the form that a rule gives it. A terminal sends texts: no numbers, no list of
    one."""
    forms = (field.annotation, *get_args(field.annotation))
    if isinstance(given, str) and int in forms and _NUMBER.fullmatch(given):
        return int(given)
    if (
        not isinstance(given, list)
        and list in [get_origin(form) for form in forms]
        and given is not None
    ):
        return [given]
    return given


def reached(target: Target, plan: Plan) -> tuple[Wanted, ...]:
    """What a plan made of its target, as absolute values."""
    changed = kind_spec(target.kind).changed(plan)
    return tuple(Wanted(name, to=after) for name, (_, after) in changed.items())


def before(target: Target, plan: Plan) -> tuple[Wanted, ...]:
    """What the target was when the plan was made, as absolute values."""
    changed = kind_spec(target.kind).changed(plan)
    return tuple(Wanted(name, to=was) for name, (was, _) in changed.items())


def _known(what: str, given: str, known: Iterable[str]) -> None:
    names = list(known)
    if given not in names:
        raise BadRequest(f"There is no {what} {given!r}. There is {', '.join(names) or 'none'}.")
