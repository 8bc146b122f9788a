"""A size that the vendor refused for good is not tried again at each repeat of the alert.

Pure. Some refusals show in no list beforehand ("Size is too large to fit on your droplet's
server"), and finding out again would take the droplet down again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from service.domain.decisions.planning import Plan, PlanHeld
from service.domain.durations import clock_time

GUARD = "size_refused"
LONGEST_S = 86_400.0
"""A day: by then the droplet may stand on another server."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """The vendor refused a size to a run, at `at` (seconds since the epoch), in these words."""

    run: str
    size: str
    at: float
    words: str


def held_by_refusal(
    plan: Plan, refusals: Sequence[Refusal], *, target: str, cooldown_s: float, now: float
) -> PlanHeld | None:
    """Whether the plan's size was refused lately.

    The first refusal holds for two cooldowns, each further one for twice as long, at most a day.
    """
    same = [one for one in refusals if one.size == plan.after]
    if not same:
        return None
    until = same[-1].at + min(LONGEST_S, cooldown_s * 2.0 ** min(len(same), 30))
    if now >= until:
        return None
    times = "once" if len(same) == 1 else f"{len(same)} times"
    return PlanHeld(
        GUARD,
        f"The vendor has refused {plan.after} for {target} {times}: {same[-1].words} It is not "
        f"tried again before {clock_time(until)}. Nothing was changed. Give target {target} "
        "another size on its ladder, or have the vendor move it to another server.",
        facts={"refused": len(same)},
    )
