"""What would take capacity away while an alert asks for more of the same target, or a scenario has
set it. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from service.domain.decisions.directions import is_less
from service.domain.decisions.planning import PlanHeld
from service.domain.decisions.returns import Asker, first_firing


def held_by_askers(target: str, less: Sequence[str], askers: Sequence[Asker]) -> PlanHeld | None:
    """The hold of a plan that makes less of these attributes; `askers` are the alerts that have
    asked for more of the target lately. Whoever asks for more wins."""
    firing = first_firing(askers)
    if not less or firing is None:
        return None
    return PlanHeld(
        "more_asked",
        f"{firing.name} fires and asks for more of {target}, so nothing of its "
        f"{' and '.join(less)} is taken away. Nothing was changed; it may be asked for again once "
        "that alert has resolved.",
        facts={"alert": firing.name},
    )


def held_by_scenario(
    target: str,
    changed: Mapping[str, tuple[Any, Any]],
    floors: Mapping[str, tuple[Any, str]],
    ladder: Sequence[str],
) -> PlanHeld | None:
    """The hold of a plan that goes below what a scenario has set that is in force.

    `changed` has each attribute with its values before and after, `floors` each attribute with what
    it was set to and the scenario's run. `ladder` holds sizes, smallest first.
    """
    for name, (_, after) in changed.items():
        if name not in floors:
            continue
        floor, run = floors[name]
        if is_less(floor, after, ladder) is True:
            return PlanHeld(
                "scenario",
                f"scenario {run} is in force and has set {name} of {target} to {floor}, so it "
                f"does not go down to {after}. Nothing was changed; `runbookd undo {run}` takes "
                "the scenario back.",
                facts={"scenario": run},
            )
    return None
