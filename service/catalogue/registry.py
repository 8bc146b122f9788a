"""All kinds of targets and all actions: the one place that lists them.

A new kind is a line in `KINDS`. Its actions come with it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from service.catalogue import (
    app_database,
    app_platform,
    bucket,
    cache,
    cloudflare_zone,
    digitalocean_account,
    droplet,
    nginx,
    supabase,
    valkey,
    valkey_cluster,
)
from service.catalogue.actions import (
    COST_REPORT,
    DECIDE,
    IGNORE,
    INVESTIGATE,
    PAGE_ONCALL,
    START_SCENARIO,
    TELL,
    WEEKLY_REPORT,
    branches_of,
)
from service.catalogue.spec import ActionSpec, Change, Effect, KindSpec, Work
from service.catalogue.watch import WATCH
from service.domain.decisions.directions import takes_away
from service.domain.decisions.planning import Plan
from service.domain.decisions.requests import PERSON, RETURN, SCENARIO, Request
from service.domain.errors import StepFailed
from service.domain.rules.rules import Target

KINDS: tuple[KindSpec, ...] = (
    app_platform.KIND,
    droplet.KIND,
    nginx.KIND,
    supabase.KIND,
    cloudflare_zone.KIND,
    valkey.KIND,
    valkey_cluster.KIND,
    app_database.KIND,
    cache.KIND,
    bucket.KIND,
    digitalocean_account.KIND,
)
ACTIONS: tuple[ActionSpec, ...] = (
    *dict.fromkeys(action for kind in KINDS for action in kind.actions),
    PAGE_ONCALL,
    INVESTIGATE,
    IGNORE,
    TELL,
    DECIDE,
    WATCH,
    COST_REPORT,
    WEEKLY_REPORT,
    START_SCENARIO,
)

_KINDS = {kind.name: kind for kind in KINDS}
_ACTIONS = {action.name: action for action in ACTIONS}
_SUITED = {(kind.name, action.name) for kind in KINDS for action in kind.actions}


class NotInCatalogue(ValueError):  # noqa: N818 - a fact about a name, told as it is
    """No action, kind or option of this name is known here."""


def action_spec(name: str) -> ActionSpec:
    """What is known of an action.

    Raises:
        NotInCatalogue: there is no such action.
    """
    try:
        return _ACTIONS[name]
    except KeyError:
        known = ", ".join(_ACTIONS)
        raise NotInCatalogue(f"There is no action {name!r}; there are {known}.") from None


def kind_spec(name: str) -> KindSpec:
    """What is known of a kind of target.

    Raises:
        NotInCatalogue: there is no such kind.
    """
    try:
        return _KINDS[name]
    except KeyError:
        known = ", ".join(_KINDS)
        raise NotInCatalogue(f"There is no kind of target {name!r}; there are {known}.") from None


def change_of(works: Mapping[str, Work], request: Request) -> Change:
    """How a request changes its target; `works` holds the work of each kind, over its port.

    Raises:
        StepFailed: the action cannot change targets of that kind.
    """
    target = request.target
    if (target.kind, request.action) not in _SUITED:
        kinds = " or ".join(kinds_of(request.action)) or "none"
        raise StepFailed(
            "observe",
            f"{request.action} cannot change {target.name}, which is of kind {target.kind}; it "
            f"needs one of kind {kinds}. Nothing was done. Correct rule {request.origin.by}.",
        )
    kind = kind_spec(target.kind)
    return Change(kind.plan, works[target.kind], kind.state, kind.values)


def kinds_of(action: str) -> tuple[str, ...]:
    """The kinds of target that an action can change."""
    return tuple(kind.name for kind in KINDS if (kind.name, action) in _SUITED)


def action_that_sets(kind: KindSpec, attribute: str) -> ActionSpec | None:
    """The first action of a kind that gives an attribute a value, else the one that takes it a
    step further, such as to the next size; None where none does."""
    steps = None
    for action in kind.actions:
        wanted = action.wanted(action.options().model_dump()) if not action.sets else ()
        if attribute in (*action.sets, *(each.attribute for each in wanted if each.to is not None)):
            return action
        if steps is None and attribute in [each.attribute for each in wanted]:
            steps = action
    return steps


def names_with(effect: Effect) -> tuple[str, ...]:
    """The names of all actions with that effect."""
    return tuple(action.name for action in ACTIONS if action.effect is effect)


def kind_of_size(size: str) -> str | None:
    """The kind of target that a known size belongs to; None for a size that is not listed."""
    return next((kind.name for kind in KINDS if size in kind.prices.documented), None)


def taken_by(request: Request, plan: Plan) -> list[str]:
    """The attributes of its target that a plan makes less of, where others may still want them.

    A person may always take away, by a scenario's way back too, and a return is judged by its own
    guard.
    """
    if request.origin.kind == SCENARIO and request.override:
        return []
    if not request.removes or request.origin.kind in (PERSON, RETURN):
        return []
    return takes_away(kind_spec(request.target.kind).changed(plan), request.target.sizes)


def target_fields(target: Target) -> dict[str, Any]:
    """A target's own fields, as plain values."""
    fields = kind_spec(target.kind).target.__dataclass_fields__
    return {name: getattr(target, name) for name in fields}


def checked_options(action: str, options: Mapping[str, Any]) -> dict[str, Any]:
    """The options of an action, checked, with the defaults put in: plain JSON.

    Raises:
        NotInCatalogue: the action is not known, or takes no such options.
    """
    try:
        checked = action_spec(action).options.model_validate(dict(options)).model_dump()
    except ValidationError as invalid:
        said = "; ".join(f"{each['loc'][0]}: {each['msg']}" for each in invalid.errors())
        raise NotInCatalogue(f"{action} cannot be done with these options: {said}.") from None
    if action == DECIDE.name:
        for name, branch in branches_of(checked).items():
            kept = checked_options(branch["action"], branch["with"])
            checked[name] = {**branch, "with": kept}
    return checked
