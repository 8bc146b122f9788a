"""What a person may ask for without a target, such as `tell` and `cost_report`. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from service.catalogue.actions import (
    ALWAYS,
    COST_REPORT,
    START_SCENARIO,
    TELL,
    WEEKLY_REPORT,
    branches_of,
)
from service.catalogue.registry import (
    ACTIONS,
    NotInCatalogue,
    action_spec,
    checked_options,
    kind_spec,
    names_with,
)
from service.catalogue.spec import Effect
from service.catalogue.watch import WATCH, unknown_in
from service.domain.announced import fields_in
from service.domain.filters import UNTARGETED
from service.domain.people import BadRequest
from service.domain.rules.rules import RuleBook
from service.triggers.people.asked import changing_action, given_options, known_target

_OF_A_RUN = ("run",)
"""The fields of a text that there are without an alert."""


def require_target(action: str) -> None:
    """Refuse an action that was asked for without a target, and that changes one.

    Raises:
        BadRequest: always.
    """
    without = ", ".join(UNTARGETED)
    if action in names_with(Effect.CHANGES):
        raise BadRequest(
            f"target: {action} must know what to change. Without one there is {without}."
        )
    if action == START_SCENARIO.name:
        raise BadRequest(
            f"{action} is what a rule does. A person starts a scenario by its name, such as "
            "`runbookd run viral-growth`; `runbookd scenarios` lists them."
        )
    if action not in [each.name for each in ACTIONS]:
        raise BadRequest(f"There is no action {action!r}. Without a target there is {without}.")
    raise BadRequest(
        f"{action} cannot be asked for by a person. Without a target there is {without}."
    )


def telling_options(
    book: RuleBook, action: str, target: str, given: Mapping[str, Any]
) -> dict[str, Any]:
    """The options of such a request. A target that stands beside `watch` is what it watches.

    Raises:
        BadRequest: an option is not known, or cannot be used.
    """
    spec = action_spec(action)
    if target and action != WATCH.name:
        raise BadRequest(f"{action} takes no target: it changes none. Leave {target} out.")
    if target and given.get("target", target) != target:
        raise BadRequest(f"with: target is {given['target']}, and {target} was named before it.")
    if action == COST_REPORT.name:
        # Who asks for a report wants to be told, whatever the budget says.
        return given_options(spec, {"tell": ALWAYS, **given})
    if action == WEEKLY_REPORT.name:
        return given_options(spec, given)
    options = given_options(spec, {**given, "target": target} if target else given)
    if action == TELL.name:
        _check_text(options["text"])
    elif action == WATCH.name:
        for key, name, known in unknown_in(options, book.targets, book.readings):
            what = "reading" if key == "readings" else key
            raise BadRequest(f"with: There is no {what} {name!r}. There is {', '.join(known)}.")
    else:
        for name, branch in branches_of(options).items():
            _check_branch(book, name, branch)
    return options


def _check_text(text: str) -> None:
    if of_alerts := [name for name in fields_in(text) if name not in _OF_A_RUN]:
        shown = ", ".join(f"{{{name}}}" for name in of_alerts)
        raise BadRequest(f"with: text holds {shown}, which only an alert has; say it in words.")


def _check_branch(book: RuleBook, name: str, branch: Mapping[str, Any]) -> None:
    """Refuse what a rule may not name for a branch either."""
    on = known_target(book, branch["target"])
    spec = changing_action(branch["action"], on)
    if spec.climbs and not on.sizes:
        raise BadRequest(f"with: {name}: {spec.name} needs a ladder, and {on.name} has none.")
    try:
        options = checked_options(spec.name, branch["with"])
    except NotInCatalogue as refused:
        raise BadRequest(f"with: {name}: {refused}") from None
    if lacking := spec.lacking(options):
        raise BadRequest(f"with: {name}: {lacking}")
    for sentence in kind_spec(on.kind).refuses(on, spec.name, options):
        raise BadRequest(f"with: {name}: {spec.name} of {on.name}: {sentence}")
