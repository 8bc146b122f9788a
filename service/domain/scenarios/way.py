"""What stands in the way of an emergency, and which others make way for it. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from service.domain.decisions.controls import HOLD, Control, Subject
from service.domain.scenarios.going import UNSIGNED
from service.domain.scenarios.scenarios import Scenario


def in_the_way(scenario: Scenario, controls: Sequence[Control], now: float) -> list[Control]:
    """The pauses, locks and pinned holds that would hold a step at `now`, in seconds since the
    epoch. An emergency lifts them when it begins."""
    changes = [
        Subject(each.target, scenario.name, "out", each.action)
        for each in scenario.steps
        if each.target is not None
    ]
    return [
        each
        for each in controls
        if each.in_force(now)
        and (each.kind != HOLD or each.pin)
        and any(_covers(each, change) for change in changes)
    ]


def _covers(control: Control, change: Subject) -> bool:
    """Whether it holds the change whichever way that goes."""
    of_target = control.target is None or control.target == change.target
    of_action = control.action is None or control.action == change.action
    return of_target and of_action and control.rule in (None, change.rule)


def shared_targets(one: Scenario, other: Scenario) -> list[str]:
    """The targets that both change, by name."""
    return sorted(set(one.targets) & set(other.targets))


def only_waits(state: str, *, emergency: bool) -> bool:
    """Whether it is an emergency that waits for a sign-off. It has touched nothing, so it keeps
    nothing else from starting; once it is signed, it suspends what has started meanwhile."""
    return emergency and state == UNSIGNED
