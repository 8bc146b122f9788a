"""What a step of a scenario wants of its target, checked as a person's request is. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from service.catalogue.actions import MAX_STEP, TELL
from service.catalogue.registry import NotInCatalogue, action_spec, checked_options, kind_spec
from service.catalogue.spec import ActionSpec
from service.catalogue.watch import WATCH
from service.domain.announced import unknown_fields
from service.domain.decisions.claims import NOTIFY
from service.domain.decisions.directions import SET
from service.domain.decisions.requests import Wanted
from service.domain.people import BadRequest
from service.domain.rules.rules import Target
from service.domain.scenarios.scenarios import Step
from service.triggers.people.asked import changing_action, options_of, wanted_of

_STEPS_UP = re.compile(r"\+([0-9]{1,3})")
_NEXT = "next"
TELLING = (TELL.name, WATCH.name)
"""The actions of a step that changes no target."""
TOLD = ("rule", "run")
"""The fields of an announcement that a scenario can fill: no alert has asked for it."""


@dataclass(frozen=True, slots=True)
class StepWants:
    """What one step asks for: an action, which way it goes, values or options."""

    spec: ActionSpec
    direction: str
    wanted: tuple[Wanted, ...]
    options: Mapping[str, Any]


def step_wants(step: Step, target: Target | None) -> StepWants:
    """What a step asks for.

    Raises:
        BadRequest: its values or options cannot be used, or not on this target.
    """
    if step.action in TELLING:
        spec = action_spec(step.action)
        return StepWants(spec, NOTIFY, (), _told(step, spec))
    if target is None:
        raise BadRequest(f"{step.action} must know what to change: name a target.")
    spec = changing_action(step.action, target)
    if not spec.sets and not spec.wanted(checked_options(spec.name, {})):
        if step.to:
            raise BadRequest(f"{spec.name} moves nothing, so it takes no `to`: say `with`.")
        return StepWants(spec, spec.direction, (), options_of(spec, target, step.options))
    if step.options:
        raise BadRequest(f"{spec.name} takes no `with`: say `to`.")
    if not step.to and not spec.absolute:
        raise BadRequest(f"to is missing: say what {target.name} shall become.")
    wanted = _wanted(spec, target, step)
    for each in wanted:
        _within(target, each)
    _suits(spec, target, step, wanted)
    return StepWants(spec, _direction(spec, step, wanted), wanted, {})


def is_disruptive(action: str, target: Target) -> bool:
    """Whether this action takes a target of this kind down for a while."""
    return action_spec(action).climbs and kind_spec(target.kind).interrupts


def _told(step: Step, spec: ActionSpec) -> Mapping[str, Any]:
    if step.to:
        raise BadRequest(f"{spec.name} takes no `to`: say `with`.")
    try:
        options = checked_options(spec.name, step.options)
    except NotInCatalogue as refused:
        raise BadRequest(f"with: {refused}") from None
    if lacking := spec.lacking(options):
        raise BadRequest(f"with: {lacking}")
    if spec is not TELL:
        return options
    # Its own fields are checked already, so what is left is a field of alerts.
    braced = [name for name in _fields(options["text"]) if name not in TOLD]
    if braced:
        raise BadRequest(
            f"with: text holds {{{braced[0]}}}, and a scenario has no alert to fill it from; it "
            f"can hold {' and '.join('{' + each + '}' for each in TOLD)}."
        )
    return options


def _fields(text: str) -> list[str]:
    return [*unknown_fields(text), *re.findall(r"\{([a-z]+)\}", text)]


def _wanted(spec: ActionSpec, target: Target, step: Step) -> tuple[Wanted, ...]:
    values = {name: value for name, value in step.to.items() if _by(name, value) is None}
    found = wanted_of(spec, target, values or None, None) if values or not step.to else ()
    if not step.exact:
        found = tuple(replace(each, least=_can_be_more(target, each)) for each in found)
    moved = {name: by for name, value in step.to.items() if (by := _by(name, value)) is not None}
    for name in moved:
        _require_counted(spec, target, name)
    return (*found, *(Wanted(name, by=by) for name, by in moved.items()))


def _require_counted(spec: ActionSpec, target: Target, name: str) -> None:
    wanted = [] if spec.sets else spec.wanted(checked_options(spec.name, {}))
    known = list(spec.sets) or [each.attribute for each in wanted]
    named = name != "size" and kind_spec(target.kind).choices(target, name)
    if name not in known or named:
        raise BadRequest(f"{spec.name} of {target.name} takes a value of {name}, and no steps.")


def _by(name: str, value: Any) -> int | None:
    """How many steps up a value means; None where it is the value itself."""
    if name == "size" and value == _NEXT:
        return 1
    found = _STEPS_UP.fullmatch(value) if isinstance(value, str) else None
    return min(int(found[1]), MAX_STEP) if found else None


def _can_be_more(target: Target, wanted: Wanted) -> bool:
    """Whether `at least` makes sense of a value: a count, or a size of the ladder."""
    return isinstance(wanted.to, int) or (wanted.attribute == "size" and wanted.to in target.sizes)


def _within(target: Target, wanted: Wanted) -> None:
    """Refuse a count beyond what anybody may ask for.

    Raises:
        BadRequest: it is.
    """
    bounds = kind_spec(target.kind).levels(target).get(wanted.attribute)
    if bounds is None or not isinstance(wanted.to, int):
        return
    if bounds.most is not None and wanted.to > bounds.most:
        raise BadRequest(
            f"{wanted.attribute} {wanted.to} is above the limit {bounds.most} of {target.name}, "
            "which holds for everybody. Ask for less, or raise limit of the target."
        )
    if bounds.least is not None and wanted.to < bounds.least:
        raise BadRequest(
            f"{wanted.attribute} {wanted.to} is below the min {bounds.least} of {target.name}."
        )


def _suits(spec: ActionSpec, target: Target, step: Step, wanted: tuple[Wanted, ...]) -> None:
    """Refuse what the kind can never do. Where levels can hold it, its bounds have been asked:
    alerts have others than a scenario.

    Raises:
        BadRequest: it cannot.
    """
    kind = kind_spec(target.kind)
    if kind.levels(target) or any(each.to is None for each in wanted):
        return
    named = {each.attribute: each.to for each in wanted}
    known = spec.options.model_fields
    if not named.keys() <= known.keys():
        return
    if "exact" in known:
        named["exact"] = step.exact
    options = checked_options(spec.name, named)
    for sentence in kind.refuses(target, spec.name, options):
        raise BadRequest(f"{spec.name} of {target.name}: {sentence}")


def _direction(spec: ActionSpec, step: Step, wanted: tuple[Wanted, ...]) -> str:
    """At least so much is an addition; any other value may take away."""
    if spec.direction != SET:
        return spec.direction
    if step.exact:
        return SET
    return "out" if any(each.attribute != "size" for each in wanted) else "up"
