"""The zone's cache level: what it is, and from what is there to a plan. Pure.

Cloudflare's level is about the query string of an address, and about nothing else. It decides
whether `/app.js?v=1` and `/app.js?v=2` are one copy, two, or none. No level caches more paths.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from service.catalogue.cloudflare_zone.target import Level, ZoneTarget
from service.catalogue.shapes import Shape
from service.catalogue.steps.bounds import nothing_to_do
from service.domain.decisions.planning import Plan, PlanHeld

ATTRIBUTE = "cache_level"
SIMPLIFIED = "simplified"
MEANS = {
    "basic": "an address with a query string is always answered by the origin",
    SIMPLIFIED: "addresses that differ only in their query string share one copy",
    "aggressive": "each query string has a copy of its own, which is Cloudflare's default",
}
"""What the edge does with what it may cache, by the names of Cloudflare's API."""


class CacheLevelOptions(Shape):
    """One of Cloudflare's levels, which the target has to allow."""

    level: Level = "aggressive"


def refusals(target: ZoneTarget, level: str) -> Iterator[str]:
    """What is wrong with a level for this target, in sentences."""
    if level not in target.cache_levels:
        allowed = ", ".join(target.cache_levels) or "none"
        yield (
            f"target {target.name} does not allow the cache level {level!r}; it allows {allowed}. "
            "Add it to the target's cache_levels."
        )


def doubts(level: str) -> Iterator[str]:
    """What is allowed and hardly meant."""
    if level == SIMPLIFIED:
        yield (
            "the level simplified gives every visitor the copy of the first query string: where "
            "an answer that is cached depends on it, such as ?page=2, most get a wrong one."
        )


def plan_level(target: ZoneTarget, level: str, observed: Mapping[str, Any]) -> Plan | PlanHeld:
    """The one write of a level, or what holds it."""
    for sentence in refusals(target, level):
        return PlanHeld("options", f"set_cache_level of {target.name}: {sentence}")
    found = observed["level"]
    if found["value"] == level:
        return nothing_to_do(target)
    if not found["editable"]:
        return PlanHeld(
            "not_editable",
            f"Cloudflare lets nobody change the cache level of zone {observed['name']}, which is "
            f"{found['value']}. Nothing was changed. Look at the zone's plan at Cloudflare.",
            facts={"level": found["value"]},
        )
    return Plan(
        what=ATTRIBUTE,
        before=found["value"],
        after=level,
        steps=("set_level", "verify_level"),
        wanted={"zone": target.zone, "was": found["value"], "level": level},
        price_before=0.0,
        price_after=0.0,
        downtime=f"No downtime. From then on {MEANS[level]}. No other path is cached, and nothing "
        "is purged.",
    )
