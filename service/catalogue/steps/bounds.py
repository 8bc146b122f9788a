"""What is wanted of a target, made absolute and held against its bounds.

Shared by every kind. Only a request for more can be at the bound: then nothing more can be done
automatically, and somebody is paged. A request for less that has nothing to take away is held, and
wakes nobody.
"""

from __future__ import annotations

from service.domain.decisions.planning import PlanHeld
from service.domain.decisions.requests import Wanted
from service.domain.rules.rules import Target

ALREADY_THERE = "already_there"
"""The guard of a request whose target is as it is wanted already."""


def count_wanted(
    target: Target, wanted: Wanted, current: int, bounds: tuple[int, int]
) -> int | PlanHeld:
    """How many instances there shall be; `bounds` are the least and the most that are allowed."""
    least, most = bounds
    if wanted.to is not None:
        count = int(wanted.to)
        if wanted.least and current >= count:
            return current
        return _count_within(target, count, bounds)
    if wanted.by > 0 and current >= most:
        return PlanHeld(
            "max_replicas",
            f"{target.name} runs {current} replicas and the rule's maximum is {most}; nothing "
            "more can be added automatically.",
            at_bound=True,
            facts={"current": current, "max": most},
        )
    if wanted.by < 0 and current <= least:
        return PlanHeld(
            "min_replicas",
            f"{target.name} runs {current} replicas and the rule's minimum is {least}; none was "
            "taken away.",
            facts={"current": current, "min": least},
        )
    return min(max(current + wanted.by, least), most)


def _count_within(target: Target, count: int, bounds: tuple[int, int]) -> int | PlanHeld:
    least, most = bounds
    if least <= count <= most:
        return count
    return PlanHeld(
        "bounds",
        f"{target.name} may run {least} to {most} replicas, and {count} are wanted; nothing was "
        "changed. Ask for a count within the bounds, or change them in the rules.",
        facts={"wanted": count, "min": least, "max": most},
    )


def nothing_to_do(target: Target) -> PlanHeld:
    """The hold of a request whose target is as it is wanted already."""
    return PlanHeld(ALREADY_THERE, f"{target.name} is already as wanted; nothing was changed.")
