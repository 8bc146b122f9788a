"""What would take capacity away while an alert asks for more of the same target. Pure."""

from __future__ import annotations

from collections.abc import Sequence

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
